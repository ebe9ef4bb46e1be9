// SPDX-License-Identifier: BSD-2-Clause
//! Kernel memory that clients hold: counted, bounded, and released by drop.
//!
//! The memory of an open file counts in the file's account, in that of its user and in that of the
//! device. So a user gets no more by opening the device again, nor by passing buffers to a file
//! that stays open.
//!
//! The kernel's own memory for a file is also charged to the system's accounts (`Cred`); the memory
//! of objects is charged there by the system itself.

use crate::alloc::{Arc, KVec};
use crate::os::{Caller, Cred, Mtx, Os};
use crate::util::errno::{Result, ENOMEM};
use core::sync::atomic::{AtomicU64, Ordering};
use static_assertions::assert_impl_all;

/// About what an open file takes when it is opened, in bytes: a page table, queues, tables.
pub(crate) const FILE_BYTES: u64 = 32 << 10;
/// About what an object takes: itself, its buffer, locks and fences, structures of the VM system.
pub(crate) const OBJECT_BYTES: u64 = 1024;
/// About what a handle takes: its mapping, and entries in the tables of file and device.
pub(crate) const HANDLE_BYTES: u64 = 512;
/// A cell in a file's map of handles, which stays when the handle is closed.
pub(crate) const HANDLE_SLOT_BYTES: u64 = 64;
/// About what a dma-buf takes: itself and its file.
pub(crate) const DMA_BUF_BYTES: u64 = 512;

/// The memory of an open file, a user or a device, in bytes.
pub struct Account {
    used: AtomicU64,
    peak: AtomicU64,
    limit: u64,
    /// The account in which this one counts as well.
    total: Option<Arc<Account>>,
    /// The user that the system charges.
    cred: Option<Cred>,
}

assert_impl_all!(Account: Send, Sync);
assert_impl_all!(Charge: Send, Sync);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Memory of objects.
    Object,
    /// The kernel's own memory.
    Kernel,
}

/// Bytes charged to an account until dropped.
pub struct Charge {
    account: Arc<Account>,
    kind: Kind,
    bytes: AtomicU64,
}

impl Account {
    /// An account that may hold `limit` bytes, which also count in `total`.
    pub fn new(limit: u64, total: Option<Arc<Account>>) -> Account {
        Account {
            used: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            limit,
            total,
            cred: None,
        }
    }

    /// The account of a file that `caller` opens.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn of(caller: &Caller<'_>, limit: u64, user: Arc<Account>) -> Result<Account> {
        let cred = Some(Cred::of(caller)?);
        Ok(Account {
            cred,
            ..Account::new(limit, Some(user))
        })
    }

    /// Bytes held now.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes that were ever held.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    fn add(&self, kind: Kind, bytes: u64) -> Result<()> {
        let sum = |used: u64| used.checked_add(bytes).filter(|n| *n <= self.limit);
        let old = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum)
            .map_err(|_| ENOMEM)?;
        if let Some(Err(e)) = self.total.as_ref().map(|total| total.add(kind, bytes)) {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(e);
        }
        if let Some(Err(e)) = self.cred(kind).map(|cred| cred.charge(bytes)) {
            self.take_off(bytes);
            return Err(e);
        }
        // OVERFLOW: none, for the sum is within the limit, as `sum` has found.
        self.peak
            .fetch_max(old.saturating_add(bytes), Ordering::Relaxed);
        Ok(())
    }

    fn cred(&self, kind: Kind) -> Option<&Cred> {
        self.cred.as_ref().filter(|_| kind == Kind::Kernel)
    }

    fn take_off(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(total) = &self.total {
            total.take_off(bytes);
        }
    }

    fn give_back(&self, kind: Kind, bytes: u64) {
        if let Some(cred) = self.cred(kind) {
            cred.uncharge(bytes);
        }
        self.take_off(bytes);
    }
}

impl Charge {
    /// Charges `bytes` of the kernel's own memory to `account`.
    ///
    /// # Errors
    ///
    /// ENOMEM over the limit.
    pub fn new(account: &Arc<Account>, bytes: u64) -> Result<Charge> {
        Charge::of_kind(account, Kind::Kernel, bytes)
    }

    /// Charges `bytes` of an object's memory to `account`.
    pub(crate) fn of_object(account: &Arc<Account>, bytes: u64) -> Result<Charge> {
        Charge::of_kind(account, Kind::Object, bytes)
    }

    fn of_kind(account: &Arc<Account>, kind: Kind, bytes: u64) -> Result<Charge> {
        account.add(kind, bytes)?;
        Ok(Charge {
            account: account.clone(),
            kind,
            bytes: AtomicU64::new(bytes),
        })
    }

    /// Takes `bytes` of it, or all if fewer are charged, for another charge of the same account.
    pub fn split(&mut self, bytes: u64) -> Charge {
        let all = self.bytes.get_mut();
        let taken = bytes.min(*all);
        // OVERFLOW: none, for no more is taken than there is.
        *all = all.saturating_sub(taken);
        Charge {
            account: self.account.clone(),
            kind: self.kind,
            bytes: AtomicU64::new(taken),
        }
    }

    /// The account that is charged.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Charges `more` bytes.
    ///
    /// # Errors
    ///
    /// ENOMEM over the limit; nothing changed.
    pub fn grow(&self, more: u64) -> Result<()> {
        self.account.add(self.kind, more)?;
        self.bytes.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }

    /// Releases `bytes`, or all if fewer are charged.
    pub fn shrink(&self, bytes: u64) {
        // OVERFLOW: saturates: all of it, by u64::MAX.
        let less = |n: u64| Some(n.saturating_sub(bytes));
        let old = self
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        let given = old.unwrap_or(0).min(bytes);
        if given != 0 {
            self.account.give_back(self.kind, given);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shrink(u64::MAX);
    }
}

/// Three quarters of `bytes`, rounded down to a multiple of 3.
const fn three_quarters(bytes: u64) -> u64 {
    // OVERFLOW: none: three times a quarter of what fits 64 bits.
    (bytes / 4).saturating_mul(3)
}

/// The accounts of the users of a device.
pub(crate) struct Users {
    os: Os,
    device: Arc<Account>,
    list: Mtx<KVec<(u32, Arc<Account>)>>,
}

impl Users {
    /// No users. The limit of all together is three quarters of RAM, or the tunable
    /// device_mem_limit.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<Users> {
        let limit = os.tunable(c"device_mem_limit", three_quarters(os.physmem()));
        Ok(Users {
            os,
            device: Arc::new(os, Account::new(limit, None))?,
            list: Mtx::new(os, c"drm users", KVec::new(os))?,
        })
    }

    /// The account of all users together.
    pub(crate) fn device(&self) -> &Arc<Account> {
        &self.device
    }

    /// The account of a user: a new one, unless the user holds memory already. Its limit is half of
    /// RAM, or the tunable user_mem_limit.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn account(&self, uid: u32) -> Result<Arc<Account>> {
        let limit = self.os.tunable(c"user_mem_limit", self.os.physmem() / 2);
        let fresh = Arc::new(self.os, Account::new(limit, Some(self.device.clone())))?;
        let mut unused_accounts = KVec::new(self.os);
        let mut list = self.list.lock();
        // An account that only the list holds cannot get another holder. Each call removes one of
        // these, so the list is as long as there were users with open files at one time.
        let unused = list.iter().position(|(_, account)| account.is_unique());
        if let Some(unused) = unused.and_then(|index| list.swap_remove(index)) {
            // Dropped after the lock is released, or kept if there is no memory for that.
            if let Err(kept) = unused_accounts.try_push(unused) {
                let _ = list.try_push(kept);
            }
        }
        let known = list.iter().find(|(user, _)| *user == uid);
        if let Some((_, account)) = known {
            return Ok(account.clone());
        }
        list.push((uid, fresh.clone()))?;
        Ok(fresh)
    }
}
