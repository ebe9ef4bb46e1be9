// SPDX-License-Identifier: BSD-2-Clause
//! What a driver gives the DRM core.

use crate::alloc::Arc;
use crate::drm::coredump::CoreDump;
use crate::drm::device::Device;
use crate::drm::file::File;
use crate::drm::gem::Gem;
use crate::drm::ioctl::Ioctl;
use crate::mem::buffer::Buffer;
use crate::os::{Caller, Dev, Os};
use crate::util::account::Account;
use crate::util::errno::{Result, EBUSY, ENXIO};
use core::ffi::CStr;

/// Who a driver is, as VERSION tells.
pub struct Info {
    /// Mesa knows the driver by this.
    pub name: &'static CStr,
    /// What it is.
    pub desc: &'static CStr,
    /// When its user ABI last changed.
    pub date: &'static CStr,
    /// Major version of the user ABI.
    pub major: i32,
    /// Minor version.
    pub minor: i32,
    /// Patch level.
    pub patchlevel: i32,
}

/// What comes after a suspend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suspend {
    /// A resume: jobs in the hardware have the time that a job may take to end.
    UntilResume,
    /// Nothing, for the system goes down: jobs in the hardware are stopped at once.
    ForGood,
}

/// Between two looks at jobs that are to end before a device is suspended.
const SUSPEND_STEP_NS: u64 = 1_000_000;

impl Suspend {
    /// Waits until the hardware `is_empty` of jobs, for twice the time that one may take, in which a time-out ends
    /// what hangs. False: it is not. Sleeps.
    pub fn wait_for_jobs(self, os: Os, timeout_ns: u64, is_empty: impl Fn() -> bool) -> bool {
        let patience = match self {
            // OVERFLOW: saturates: a time-out of centuries.
            Suspend::UntilResume => timeout_ns.saturating_mul(2),
            Suspend::ForGood => 0,
        };
        // OVERFLOW: saturates: a deadline that never comes.
        let end = os.now().saturating_add(patience);
        while !is_empty() {
            if os.now() >= end {
                return false;
            }
            os.sleep(SUSPEND_STEP_NS);
        }
        true
    }
}

/// An array of handles that a client passes has at most so many.
pub const MAX_HANDLES: u32 = 1 << 16;

/// One named number of a device or of an open file.
pub type Statistic = (&'static CStr, u64);

/// A driver of the DRM layer.
pub trait Driver: Sized + Send + Sync + 'static {
    /// Who it is.
    const INFO: Info;
    /// Its ioctls, by number from 0x40 without a gap.
    const IOCTLS: &'static [Ioctl<Self>];

    /// What it keeps per device.
    type Data: Send + Sync;
    /// What it keeps per open file. Dropped at the last close, when the file's handles are gone already.
    type File: Send + Sync;
    /// What it keeps per GEM object.
    type Object: Send + Sync;

    /// Brings the device up; nobody else can reach it yet.
    ///
    /// # Errors
    ///
    /// ENODEV for unknown hardware, EIO when it does not answer, ENOMEM.
    fn attach(dev: Dev) -> Result<Arc<Self::Data>>;
    /// Another node of the device tree belongs to the device, for hardware whose cores are nodes of their own;
    /// clients may be using the device.
    ///
    /// # Errors
    ///
    /// ENXIO when a node is a device, else as `attach`; the device goes on without the node.
    fn join(_data: &Arc<Self::Data>, _dev: Dev) -> Result<()> {
        Err(ENXIO)
    }
    /// Whether a node joins the device of an earlier one, if there is such a device.
    const JOINS: bool = false;
    /// Stops all work and turns the device off. Files may still be open: their calls answer ENXIO.
    fn detach(data: &Arc<Self::Data>);
    /// Turns the device off and leaves it so until `resume`. Jobs wait in their queues; those in the hardware end, or
    /// are taken from it and have another run. May be called again without a `resume`.
    fn suspend(data: &Arc<Self::Data>, how: Suspend);
    /// Lets jobs run again.
    fn resume(data: &Arc<Self::Data>);
    /// A new open file, which pays from `account`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    fn open(dev: &Device<Self>, id: u64, account: &Arc<Account>) -> Result<Self::File>;
    /// A file got its first handle of an object.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    fn gem_open(file: &File<Self>, gem: &Arc<Gem<Self>>) -> Result<()>;
    /// A file gave up its last handle of an object.
    fn gem_close(file: &File<Self>, gem: &Arc<Gem<Self>>);
    /// Frees what jobs of the file held that are over. Before and after every ioctl, and when the
    /// file is closed; with no lock held.
    fn settle(file: &Self::File);
    /// What it keeps for a buffer that another device shared.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    fn import(dev: &Device<Self>, buffer: &Arc<Buffer>) -> Result<Self::Object>;
    /// Takes the memory of an object away from the device, has it freed by `free`, and if that
    /// fails gives it back. No job uses it, no file but one has it, and nothing that would change
    /// that happens meanwhile. Waits for no lock whose holder may wait for memory.
    ///
    /// # Errors
    ///
    /// EBUSY when that cannot be done now, or what `free` says.
    fn purge(_gem: &Gem<Self>, _free: impl FnOnce() -> Result<()>) -> Result<()> {
        Err(EBUSY)
    }
    /// The `index`-th statistic of the device.
    fn stat(data: &Self::Data, index: u32) -> Option<Statistic>;
    /// What it keeps of a crash, for a driver that keeps any.
    fn dump(_data: &Self::Data) -> Option<&CoreDump> {
        None
    }
    /// The `index`-th statistic of an open file.
    fn file_stat(file: &File<Self>, index: u32) -> Option<Statistic>;
}

/// A call of an ioctl: whose, on which file.
pub struct Call<'a, D: Driver> {
    /// The open file.
    pub file: &'a File<D>,
    /// The calling thread.
    pub caller: &'a Caller<'a>,
}

impl<D: Driver> Call<'_, D> {
    /// The device of the file.
    pub fn device(&self) -> &Device<D> {
        self.file.device()
    }
}
