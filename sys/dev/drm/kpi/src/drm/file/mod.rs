// SPDX-License-Identifier: BSD-2-Clause
//! Open files of a device node.
//!
//! * `handles`: handles, names and map offsets of objects
//! * `prime`: objects as dma-bufs
//! * `master`: permissions of a file on the primary node

mod handles;
mod master;
mod prime;

use prime::Prime;

use crate::alloc::Arc;
use crate::drm::auth::FileAuth;
use crate::drm::device::Device;
use crate::drm::driver::Driver;
use crate::drm::gem::Gem;
use crate::os::{Caller, Mtx, NodeKind, Os, Sx};
use crate::sync::syncobj::Syncobj;
use crate::util::account::{Account, Charge, FILE_BYTES};
use crate::util::errno::{Result, ENOENT};
use crate::util::id_map::IdMap;
use core::sync::atomic::{AtomicU64, Ordering};

/// The default limit of an open file's memory, in bytes; the tunable is file_mem_limit.
const FILE_MEM_LIMIT: u64 = 2 << 30;

/// A handle of a file.
struct Handle<D: Driver> {
    gem: Arc<Gem<D>>,
    driver: D::Handle,
}

impl<D: Driver> Handle<D> {
    /// The object. The driver's state is dropped first, as `gem_close` may drop the last reference.
    fn into_gem(self) -> Arc<Gem<D>> {
        let Handle { gem, driver } = self;
        drop(driver);
        gem
    }
}

/// An open file of a device node: one client.
pub struct File<D: Driver> {
    id: u64,
    device: Arc<Device<D>>,
    kind: NodeKind,
    pid: i32,
    account: Arc<Account>,
    /// The charge for the file itself and its handles.
    charge: Charge,
    handles: Mtx<IdMap<Handle<D>>>,
    gem_lock: Sx<()>,
    prime: Sx<Prime>,
    syncobjs: Mtx<IdMap<(Arc<Syncobj>, Charge)>>,
    auth: Arc<FileAuth>,
    ioctls: AtomicU64,
    driver: D::File,
}

impl<D: Driver> File<D> {
    /// Opens a file on `device` for `caller`.
    ///
    /// # Errors
    ///
    /// ENOMEM, the driver's error.
    pub(crate) fn open(
        device: Arc<Device<D>>,
        kind: NodeKind,
        caller: &Caller<'_>,
    ) -> Result<Arc<File<D>>> {
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
                kind,
                pid: caller.pid(),
                handles: Mtx::new(os, c"drm handles", IdMap::new(os))?,
                gem_lock: Sx::new(os, c"drm file gem", ())?,
                prime: Sx::new(os, c"drm prime", Prime::new(os))?,
                syncobjs: Mtx::new(os, c"drm syncobjs", IdMap::new(os))?,
                auth: Arc::new(os, FileAuth::default())?,
                ioctls: AtomicU64::new(0),
                driver: D::open(&device, id, &account)?,
                account,
                charge,
                device,
            },
        )?;
        file.device.file_opened();
        if kind == NodeKind::Primary {
            file.master_open(caller);
        }
        Ok(file)
    }

    /// Closes the file. The driver's state of it is dropped with the file itself, soon after.
    pub(crate) fn close(&self) {
        D::settle(&self.driver);
        self.close_handles();
        let none = IdMap::new(self.os());
        let syncobjs = core::mem::replace(&mut *self.syncobjs.lock(), none);
        drop(syncobjs);
        self.master_close();
        self.device.file_closed();
    }

    /// An id that no other file has.
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

    /// The account for the file's memory.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The charge for the file's handles.
    pub(crate) fn charge(&self) -> &Charge {
        &self.charge
    }

    /// The process that opened it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether it was opened on the render node.
    pub fn is_render(&self) -> bool {
        self.kind == NodeKind::Render
    }

    /// The number of ioctls on it.
    pub fn ioctls(&self) -> u64 {
        self.ioctls.load(Ordering::Relaxed)
    }

    pub(crate) fn count_ioctl(&self) {
        self.ioctls.fetch_add(1, Ordering::Relaxed);
    }

    fn handles(&self) -> &Mtx<IdMap<Handle<D>>> {
        &self.handles
    }

    pub(crate) fn gem_lock(&self) -> &Sx<()> {
        &self.gem_lock
    }

    pub(crate) fn auth(&self) -> &Arc<FileAuth> {
        &self.auth
    }

    pub(crate) fn syncobjs(&self) -> &Mtx<IdMap<(Arc<Syncobj>, Charge)>> {
        &self.syncobjs
    }

    /// Makes a handle of a sync object, charged to the file.
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

    /// Held while a descriptor is imported and while a handle is closed, so that a buffer has one
    /// handle.
    pub(crate) fn prime(&self) -> &Sx<Prime> {
        &self.prime
    }
}
