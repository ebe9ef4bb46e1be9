// SPDX-License-Identifier: BSD-2-Clause
//! Memory held by one open file: counted, bounded, and given back by drop.

use crate::alloc::Arc;
use crate::errno::{Result, ENOMEM};
use core::sync::atomic::{AtomicU64, Ordering};

/// What one open file holds, in bytes.
pub struct Account {
    used: AtomicU64,
    peak: AtomicU64,
    limit: u64,
    /// What the sum of several accounts is counted in.
    total: Option<Arc<Account>>,
}

/// Bytes charged to an account until dropped.
pub struct Charge {
    account: Arc<Account>,
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
        }
    }

    /// Bytes held now.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The most that was ever held.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: u64) -> Result<()> {
        let sum = |used: u64| used.checked_add(bytes).filter(|n| *n <= self.limit);
        let old = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum)
            .map_err(|_| ENOMEM)?;
        if let Some(Err(e)) = self.total.as_ref().map(|total| total.add(bytes)) {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(e);
        }
        self.peak.fetch_max(old.saturating_add(bytes), Ordering::Relaxed);
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(total) = &self.total {
            total.give_back(bytes);
        }
    }
}

impl Charge {
    /// Charges `bytes` to `account`.
    ///
    /// # Errors
    ///
    /// ENOMEM over the limit.
    pub fn new(account: &Arc<Account>, bytes: u64) -> Result<Charge> {
        account.add(bytes)?;
        Ok(Charge {
            account: account.clone(),
            bytes: AtomicU64::new(bytes),
        })
    }

    /// Who is charged.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Charges `more` bytes.
    ///
    /// # Errors
    ///
    /// ENOMEM over the limit; nothing changed.
    pub fn grow(&self, more: u64) -> Result<()> {
        self.account.add(more)?;
        self.bytes.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }

    /// Gives `bytes` back, at most what is charged.
    pub fn shrink(&self, bytes: u64) {
        let less = |n: u64| Some(n.saturating_sub(bytes));
        let old = self
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        let given = old.unwrap_or(0).min(bytes);
        self.account.give_back(given);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shrink(u64::MAX);
    }
}
