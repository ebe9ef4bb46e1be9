// SPDX-License-Identifier: BSD-2-Clause
//! Open files of a device node.

use crate::account::{Account, Charge, FILE_BYTES};
use crate::alloc::{Arc, KVec};
use crate::auth::FileAuth;
use crate::device::Device;
use crate::driver::Driver;
use crate::errno::{Result, ENOENT};
use crate::gem::Gem;
use crate::handle::HandleTable;
use crate::os::{Caller, Mtx, Os, Sx};
use crate::syncobj::Syncobj;
use core::sync::atomic::{AtomicU64, Ordering};

/// Bytes that one open file may hold, unless the tunable file_mem_limit says otherwise.
const FILE_MEM_LIMIT: u64 = 2 << 30;

/// Which node a file was opened on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Minor {
    /// /dev/dri/cardN.
    Primary,
    /// /dev/dri/renderDN.
    Render,
}

/// An open file: what one client has on one device.
pub struct File<D: Driver> {
    id: u64,
    device: Arc<Device<D>>,
    minor: Minor,
    pid: i32,
    account: Arc<Account>,
    /// The file itself, and its handles.
    charge: Charge,
    handles: Mtx<HandleTable<Arc<Gem<D>>>>,
    gem_lock: Sx<()>,
    prime: Sx<Prime>,
    syncobjs: Mtx<HandleTable<(Arc<Syncobj>, Charge)>>,
    auth: Arc<FileAuth>,
    ioctls: AtomicU64,
    driver: D::File,
}

impl<D: Driver> File<D> {
    /// A file on `device`, opened by `caller`.
    ///
    /// # Errors
    ///
    /// ENOMEM, and what the driver says.
    pub(crate) fn open(device: Arc<Device<D>>, minor: Minor, caller: &Caller<'_>) -> Result<Arc<File<D>>> {
        let os = device.os();
        let id = os.unique();
        let limit = os.tunable(c"file_mem_limit", FILE_MEM_LIMIT);
        let user = device.users().account(caller.uid())?;
        let account = Arc::new(os, Account::of(caller, limit, user)?)?;
        let charge = Charge::new(&account, FILE_BYTES)?;
        let file = Arc::new(
            os,
            File {
                id,
                minor,
                pid: caller.pid(),
                handles: Mtx::new(os, c"drm handles", HandleTable::new(os))?,
                gem_lock: Sx::new(os, c"drm file gem", ())?,
                prime: Sx::new(os, c"drm prime", Prime(KVec::new(os)))?,
                syncobjs: Mtx::new(os, c"drm syncobjs", HandleTable::new(os))?,
                auth: Arc::new(os, FileAuth::default())?,
                ioctls: AtomicU64::new(0),
                driver: D::open(&device, id, &account)?,
                account,
                charge,
                device,
            },
        )?;
        file.device.file_opened();
        if minor == Minor::Primary {
            file.master_open(caller);
        }
        Ok(file)
    }

    /// The last close; what the driver has of the file goes with the file itself, soon after.
    pub(crate) fn close(&self) {
        D::settle(&self.driver);
        self.close_handles();
        let none = HandleTable::new(self.os());
        let syncobjs = core::mem::replace(&mut *self.syncobjs.lock(), none);
        drop(syncobjs);
        self.master_close();
        self.device.file_closed();
    }

    /// A number that no other file has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The device.
    pub fn device(&self) -> &Device<D> {
        &self.device
    }

    /// The instance of the system.
    pub fn os(&self) -> Os {
        self.device.os()
    }

    /// The driver's part.
    pub fn driver(&self) -> &D::File {
        &self.driver
    }

    /// What the file's memory is charged to.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// What the file's handles are charged to.
    pub(crate) fn charge(&self) -> &Charge {
        &self.charge
    }

    /// The process that opened it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether it was opened on the render node.
    pub fn is_render(&self) -> bool {
        self.minor == Minor::Render
    }

    /// Ioctls done on it.
    pub fn ioctls(&self) -> u64 {
        self.ioctls.load(Ordering::Relaxed)
    }

    pub(crate) fn count_ioctl(&self) {
        self.ioctls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn handles(&self) -> &Mtx<HandleTable<Arc<Gem<D>>>> {
        &self.handles
    }

    pub(crate) fn gem_lock(&self) -> &Sx<()> {
        &self.gem_lock
    }

    pub(crate) fn auth(&self) -> &Arc<FileAuth> {
        &self.auth
    }

    pub(crate) fn syncobjs(&self) -> &Mtx<HandleTable<(Arc<Syncobj>, Charge)>> {
        &self.syncobjs
    }

    /// A new handle of a sync object, charged to the file.
    ///
    /// # Errors
    ///
    /// ENOMEM, ENOSPC.
    pub(crate) fn add_syncobj(&self, syncobj: Arc<Syncobj>) -> Result<u32> {
        const HANDLE: u64 = 64;
        let charge = Charge::new(&self.account, HANDLE)?;
        let handle = self.syncobjs.lock().reserve()?;
        self.syncobjs.lock().fill(handle, (syncobj, charge));
        Ok(handle)
    }

    /// The sync object of a handle.
    ///
    /// # Errors
    ///
    /// ENOENT.
    pub fn syncobj(&self, handle: u32) -> Result<Arc<Syncobj>> {
        let syncobjs = self.syncobjs.lock();
        syncobjs.get(handle).map(|(s, _)| s.clone()).ok_or(ENOENT)
    }

    /// Held while a descriptor becomes a handle or a handle goes, so that one buffer has one handle.
    pub(crate) fn prime(&self) -> &Sx<Prime> {
        &self.prime
    }
}

/// Buffers of a file that came or went by dma-buf, and their handles.
pub(crate) struct Prime(KVec<(u64, u32)>);

impl Prime {
    /// The handle of a buffer.
    pub(crate) fn handle(&self, buffer: u64) -> Option<u32> {
        self.0
            .iter()
            .find(|(b, _)| *b == buffer)
            .map(|(_, handle)| *handle)
    }

    /// Notes the handle of a buffer, unless it has one.
    pub(crate) fn remember(&mut self, buffer: u64, handle: u32) -> Result<()> {
        match self.handle(buffer) {
            Some(_) => Ok(()),
            None => self.0.push((buffer, handle)),
        }
    }

    /// The handle goes.
    pub(crate) fn forget(&mut self, handle: u32) {
        if let Some(i) = self.0.iter().position(|(_, h)| *h == handle) {
            self.0.swap_remove(i);
        }
    }
}
