// SPDX-License-Identifier: BSD-2-Clause
//! A buffer: memory, its fences and who pays for it, independent of any device. What a GEM object has on
//! one device and a dma-buf carries to another.

use crate::account::{Account, Charge};
use crate::alloc::Arc;
use crate::errno::{Result, EINVAL, ENXIO};
use crate::os::{Caller, Dev, MemAttr, Object, Os, Sx, PAGE_SIZE};
use crate::purge::{Tenure, Users};
use crate::resv::Resv;
use core::sync::atomic::{AtomicBool, Ordering};

/// Memory that clients and devices share.
pub struct Buffer {
    os: Os,
    id: u64,
    size: u64,
    object: Object,
    resv: Resv,
    charge: Charge,
    of_user: bool,
    tenure: Sx<Tenure>,
    users: Users,
    purged: AtomicBool,
}

impl Buffer {
    /// A buffer of `size` bytes, rounded up to whole pages, of which `charged` bytes are charged to
    /// `account` at once (a buffer that grows later is charged as it grows). No page is allocated yet.
    ///
    /// # Errors
    ///
    /// EINVAL for an empty or absurd size; ENOMEM, also over the account's limit.
    pub fn new(
        dev: Dev,
        account: &Arc<Account>,
        size: u64,
        charged: u64,
        attr: MemAttr,
    ) -> Result<Arc<Buffer>> {
        let size = size
            .checked_next_multiple_of(PAGE_SIZE)
            .filter(|n| *n != 0)
            .ok_or(EINVAL)?;
        let charge = Charge::new(account, charged)?;
        let object = Object::new(dev, size, attr)?;
        Self::with_object(dev.os(), size, object, charge, false)
    }

    /// The memory that a process has at `address`: `size` bytes, charged to `account`. `write`: devices may write
    /// there.
    ///
    /// # Errors
    ///
    /// EFAULT when the process has no such memory, EINVAL unless both are whole pages; ENOMEM, also over the account's
    /// limit.
    pub fn of_user(
        dev: Dev,
        account: &Arc<Account>,
        caller: &Caller<'_>,
        address: u64,
        size: u64,
        write: bool,
    ) -> Result<Arc<Buffer>> {
        let charge = Charge::new(account, size)?;
        let object = Object::of_user(dev, caller, address, size, write)?;
        Self::with_object(dev.os(), size, object, charge, true)
    }

    fn with_object(os: Os, size: u64, object: Object, charge: Charge, of_user: bool) -> Result<Arc<Buffer>> {
        let resv = Resv::new(os)?;
        let buffer = Buffer {
            os,
            id: os.unique(),
            size,
            object,
            resv,
            charge,
            of_user,
            tenure: Sx::new(os, c"drm tenure", Tenure::Private)?,
            users: Users::none(),
            purged: AtomicBool::new(false),
        };
        Arc::new(os, buffer)
    }

    /// Whether it is memory of a process, which no other process can be given.
    pub fn is_of_user(&self) -> bool {
        self.of_user
    }

    /// A number that no other buffer has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The instance that its memory comes from.
    pub fn os(&self) -> Os {
        self.os
    }

    /// Its memory.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Its fences.
    pub fn resv(&self) -> &Resv {
        &self.resv
    }

    /// Who pays for it.
    pub fn charge(&self) -> &Charge {
        &self.charge
    }

    /// Physical addresses of the pages from `first`, allocated if they were not.
    ///
    /// # Errors
    ///
    /// ENOMEM, EINVAL beyond the end, ENXIO when purged.
    pub fn wire(&self, first: u64, pas: &mut [u64]) -> Result<()> {
        if self.is_purged() {
            return Err(ENXIO);
        }
        self.object.wire(first, pas)
    }

    /// Whether its memory may go.
    pub(crate) fn tenure(&self) -> &Sx<Tenure> {
        &self.tenure
    }

    /// The jobs that use it.
    pub(crate) fn users(&self) -> &Users {
        &self.users
    }

    /// From now on it counts as purged: no page is handed out any more.
    pub fn mark_purged(&self) {
        self.purged.store(true, Ordering::Release);
    }

    /// Frees its memory for good. The caller has seen to it that no device reaches it.
    ///
    /// # Errors
    ///
    /// EBUSY while somebody else has a page of it wired; nothing changed.
    pub(crate) fn purge(&self) -> Result<()> {
        self.object.purge()?;
        self.mark_purged();
        self.charge.shrink(u64::MAX);
        Ok(())
    }

    /// Whether its memory was freed for good.
    pub fn is_purged(&self) -> bool {
        self.purged.load(Ordering::Acquire)
    }
}
