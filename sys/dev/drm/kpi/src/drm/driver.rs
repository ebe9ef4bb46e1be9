// SPDX-License-Identifier: BSD-2-Clause
//! The interface of drivers.

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

/// Name and version of a driver, as the VERSION ioctl returns them.
pub struct Info {
    /// The name by which Mesa finds the driver.
    pub name: &'static CStr,
    /// A description.
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

/// Kinds of suspend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suspend {
    /// Until a resume: jobs in flight may take their time-out to end.
    UntilResume,
    /// For the shutdown of the system: jobs in flight are stopped at once.
    ForGood,
}

/// The interval between checks for jobs in flight.
const SUSPEND_STEP_NS: u64 = 1_000_000;

impl Suspend {
    /// Waits until no job is in flight (`is_empty`), for at most twice the time-out, after which a
    /// hung job has been stopped. Returns false if one is still in flight. Sleeps.
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

/// The most handles in an array that a client passes.
pub const MAX_HANDLES: u32 = 1 << 16;

/// One named number of a device or of an open file.
pub type Statistic = (&'static CStr, u64);

/// A driver of the DRM layer.
pub trait Driver: Sized + Send + Sync + 'static {
    /// Its name and version.
    const INFO: Info;
    /// Its ioctls, with numbers from 0x40 on and without gaps.
    const IOCTLS: &'static [Ioctl<Self>];

    /// Its state of a device.
    type Data: Send + Sync;
    /// Its state of an open file. Dropped at the last close, after the file's handles are closed.
    type File: Send + Sync;
    /// Its state of a GEM object.
    type Object: Send + Sync;
    /// Its state of a file's use of an object, which all handles share that the file has of it.
    type Handle: Clone + Send + Sync;

    /// Attaches to the device, which no client can use yet.
    ///
    /// # Errors
    ///
    /// ENODEV for unknown hardware, EIO if it does not respond, ENOMEM.
    fn attach(dev: Dev) -> Result<Arc<Self::Data>>;
    /// Adds another device tree node to the device, for hardware with a node for each core. Clients
    /// may be using the device.
    ///
    /// # Errors
    ///
    /// ENXIO if each node is a device; otherwise as `attach`. The device stays attached without the
    /// node.
    fn join(_data: &Arc<Self::Data>, _dev: Dev) -> Result<()> {
        Err(ENXIO)
    }
    /// Whether a node joins the device of an earlier one.
    const JOINS: bool = false;
    /// Stops all jobs and turns the device off. Files may still be open; their calls fail with
    /// ENXIO.
    fn detach(data: &Arc<Self::Data>);
    /// Turns the device off until `resume`. Queued jobs wait; those in flight complete, or are
    /// stopped and run again. May be called again without a `resume`.
    fn suspend(data: &Arc<Self::Data>, how: Suspend);
    /// Ends a suspend.
    fn resume(data: &Arc<Self::Data>);
    /// Makes the state of a file that is opened, with its account.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    fn open(dev: &Device<Self>, id: u64, account: &Arc<Account>) -> Result<Self::File>;
    /// Called when a file gets its first handle of an object.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    fn gem_open(file: &File<Self>, gem: &Arc<Gem<Self>>) -> Result<()>;
    /// The state of a file's use of an object, between `gem_open` and `gem_close`.
    ///
    /// # Errors
    ///
    /// EINVAL if the file has closed its last handle of the object.
    fn handle(file: &File<Self>, gem: &Arc<Gem<Self>>) -> Result<Self::Handle>;
    /// Called when a file has closed its last handle of an object.
    fn gem_close(file: &File<Self>, gem: &Arc<Gem<Self>>);
    /// Frees what the file's ended jobs held. Called before and after every ioctl, and when the
    /// file is closed, with no lock held.
    fn settle(file: &Self::File);
    /// Makes the state of an object for a buffer of another device.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    fn import(dev: &Device<Self>, buffer: &Arc<Buffer>) -> Result<Self::Object>;
    /// Unmaps the memory of an object from the device and frees it by `free`; if that fails, maps
    /// it again. No job uses it and only one file has it, which does not change during the call.
    /// Takes no lock that is held while waiting for memory.
    ///
    /// # Errors
    ///
    /// EBUSY if that is not possible now, or the error of `free`.
    fn purge(_gem: &Gem<Self>, _free: impl FnOnce() -> Result<()>) -> Result<()> {
        Err(EBUSY)
    }
    /// The `index`-th statistic of the device.
    fn stat(data: &Self::Data, index: u32) -> Option<Statistic>;
    /// The crash dump, of a driver that makes one.
    fn dump(_data: &Self::Data) -> Option<&CoreDump> {
        None
    }
    /// The `index`-th statistic of an open file.
    fn file_stat(file: &File<Self>, index: u32) -> Option<Statistic>;
}

/// A call of an ioctl.
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
