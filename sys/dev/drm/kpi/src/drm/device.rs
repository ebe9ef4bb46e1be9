// SPDX-License-Identifier: BSD-2-Clause
//! DRM devices: a driver's device and its nodes.

use crate::alloc::Arc;
use crate::drm::auth::Masters;
use crate::drm::driver::{Driver, Suspend};
use crate::drm::gem::Gem;
use crate::os::{Dev, LogLimit, Mtx, Node, Os, Sx};
use crate::util::account::{Account, Users};
use crate::util::errno::{Result, EBUSY, ENXIO};
use crate::util::id_map::IdMap;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The primary and the render node, registered; detach unregisters them first.
pub(crate) type Nodes<D> = [Node<Device<D>>; 2];

/// A device with its nodes, id maps and driver.
pub struct Device<D: Driver> {
    dev: Dev,
    id: u64,
    data: Arc<D::Data>,
    gone: AtomicBool,
    open: AtomicU32,
    nodes: Sx<Option<Nodes<D>>>,
    /// How many of its device tree nodes are suspended.
    suspended: Sx<u32>,
    masters: Mtx<Masters>,
    names: Mtx<IdMap<Arc<Gem<D>>>>,
    map_offsets: Mtx<IdMap<Arc<Gem<D>>>>,
    purgeable: Mtx<IdMap<Arc<Gem<D>>>>,
    users: Users,
    log: LogLimit,
}

impl<D: Driver> Device<D> {
    /// Attaches a device; `register` registers its nodes.
    ///
    /// # Errors
    ///
    /// The driver's error, ENOMEM.
    pub(crate) fn attach(
        dev: Dev,
        register: impl FnOnce(&Arc<Device<D>>) -> Result<Nodes<D>>,
    ) -> Result<Arc<Device<D>>> {
        let os = dev.os();
        let data = D::attach(dev)?;
        let device = Self::build(os, dev, &data).and_then(|device| {
            let nodes = register(&device)?;
            *device.nodes.lock() = Some(nodes);
            Ok(device)
        });
        if device.is_err() {
            D::detach(&data);
        }
        device
    }

    fn build(os: Os, dev: Dev, data: &Arc<D::Data>) -> Result<Arc<Device<D>>> {
        Arc::new(
            os,
            Device {
                dev,
                id: os.unique(),
                data: data.clone(),
                gone: AtomicBool::new(false),
                open: AtomicU32::new(0),
                nodes: Sx::new(os, c"drm nodes", None)?,
                suspended: Sx::new(os, c"drm suspended", 0)?,
                masters: Mtx::new(os, c"drm masters", Masters::new(os))?,
                names: Mtx::new(os, c"drm names", IdMap::new(os))?,
                map_offsets: Mtx::new(os, c"drm map offsets", IdMap::new(os))?,
                purgeable: Mtx::new(os, c"drm purgeable", IdMap::new(os))?,
                users: Users::new(os)?,
                log: LogLimit::new(),
            },
        )
    }

    /// Adds a device tree node that belongs to the device.
    ///
    /// # Errors
    ///
    /// The driver's error.
    pub(crate) fn join(&self, dev: Dev) -> Result<()> {
        D::join(&self.data, dev)
    }

    /// Unregisters the nodes and turns the device off. Open files stay open; their calls fail with
    /// ENXIO. A device with several device tree nodes is detached with the first of them.
    ///
    /// # Errors
    ///
    /// EBUSY while files are open, unless `force`.
    pub(crate) fn detach(&self, force: bool) -> Result<()> {
        if self.is_gone() {
            return Ok(());
        }
        if !force && self.open.load(Ordering::Acquire) != 0 {
            return Err(EBUSY);
        }
        self.gone.store(true, Ordering::Release);
        let nodes = self.nodes.lock().take();
        drop(nodes);
        D::detach(&self.data);
        Ok(())
    }

    /// Suspends one of its device tree nodes: the device is off until all of them are resumed.
    pub(crate) fn suspend(&self) {
        let mut suspended = self.suspended.lock();
        // OVERFLOW: saturates: u32::MAX is `shutdown`, which nothing resumes.
        *suspended = suspended.saturating_add(1);
        if *suspended == 1 && !self.is_gone() {
            D::suspend(&self.data, Suspend::UntilResume);
        }
    }

    /// Resumes a device tree node.
    pub(crate) fn resume(&self) {
        let mut suspended = self.suspended.lock();
        let Some(left) = suspended.checked_sub(1) else {
            return;
        };
        *suspended = left;
        if *suspended == 0 && !self.is_gone() {
            D::resume(&self.data);
        }
    }

    /// Turns the device off for the shutdown of the system.
    pub(crate) fn shutdown(&self) {
        let mut suspended = self.suspended.lock();
        // No number of resumes reaches zero.
        *suspended = u32::MAX;
        if !self.is_gone() {
            D::suspend(&self.data, Suspend::ForGood);
        }
    }

    /// The instance of the system.
    pub fn os(&self) -> Os {
        self.dev.os()
    }

    /// The newbus device.
    pub fn dev(&self) -> Dev {
        self.dev
    }

    /// An id that no other device has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The driver's part.
    pub fn data(&self) -> &Arc<D::Data> {
        &self.data
    }

    /// Whether it has been detached.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Fails if it has been detached.
    ///
    /// # Errors
    ///
    /// ENXIO.
    pub fn check(&self) -> Result<()> {
        if self.is_gone() {
            Err(ENXIO)
        } else {
            Ok(())
        }
    }

    /// The number of open files.
    pub fn open_files(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }

    /// Logs a warning that a client caused, at most one per second.
    pub fn log_client(&self, args: core::fmt::Arguments<'_>) {
        self.log.warn(self.dev, args);
    }

    /// The memory of all open files.
    pub fn memory(&self) -> &Arc<Account> {
        self.users.device()
    }

    /// The accounts of its users.
    pub(crate) fn users(&self) -> &Users {
        &self.users
    }

    pub(crate) fn file_opened(&self) {
        self.open.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn file_closed(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    pub(crate) fn masters(&self) -> &Mtx<Masters> {
        &self.masters
    }

    pub(crate) fn names(&self) -> &Mtx<IdMap<Arc<Gem<D>>>> {
        &self.names
    }

    pub(crate) fn map_offsets(&self) -> &Mtx<IdMap<Arc<Gem<D>>>> {
        &self.map_offsets
    }

    /// Objects with memory that may be purged: exactly those in state `PurgeState::Purgeable`.
    pub(crate) fn purgeable(&self) -> &Mtx<IdMap<Arc<Gem<D>>>> {
        &self.purgeable
    }
}
