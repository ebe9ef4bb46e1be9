// SPDX-License-Identifier: BSD-2-Clause
//! Several fences that are waited for as one: a flat list, however often they are merged.

use crate::alloc::{Arc, KVec};
use crate::os::Os;
use crate::sync::fence::Fence;
use crate::util::account::{Account, Charge};
use crate::util::errno::{Errno, Result, ENOMEM};
use crate::util::int_conv::u64_of;
use crate::util::sorted_map::SortedMap;
use static_assertions::assert_impl_all;

assert_impl_all!(Fences: Send, Sync);

/// One or more fences that are waited for as one: those of a syncobj or a sync_file.
#[derive(Clone)]
pub enum Fences {
    /// None: those of a point of a timeline that had ended already.
    Ended,
    /// A single one.
    One(Arc<Fence>),
    /// Several.
    Many(Arc<Merged>),
}

/// At most one fence of each fence context, in order of contexts.
pub struct Merged {
    parts: KVec<Arc<Fence>>,
    _charge: Charge,
}

impl Fences {
    /// The most fences that are waited for as one.
    pub const MAX: usize = 1024;

    /// The fences, in order of fence contexts.
    pub fn parts(&self) -> &[Arc<Fence>] {
        match self {
            Fences::Ended => &[],
            Fences::One(fence) => core::slice::from_ref(fence),
            Fences::Many(merged) => &merged.parts,
        }
    }

    /// Whether all of them are signalled.
    pub fn is_signaled(&self) -> bool {
        self.parts().iter().all(|f| f.is_signaled())
    }

    /// The outcome of all: that of the first one that failed, if one did; `None` while one is not
    /// signalled.
    pub fn outcome(&self) -> Option<Result<()>> {
        let mut failed: Option<(Errno, u64)> = None;
        for part in self.parts() {
            if let (Err(e), when) = part.outcome()? {
                if failed.is_none_or(|(_, earliest)| when < earliest) {
                    failed = Some((e, when));
                }
            }
        }
        Some(failed.map_or(Ok(()), |(e, _)| Err(e)))
    }

    /// The fences of both, charged to `account`: of each fence context the later one. Those that
    /// were signalled without error are left out, as in Linux's dma_fence_unwrap_merge(); failed
    /// ones are not.
    ///
    /// # Errors
    ///
    /// ENOMEM, also if there are more than `MAX`.
    pub fn merge(os: Os, account: &Arc<Account>, a: &Fences, b: &Fences) -> Result<Fences> {
        let mut set = FenceSet::new(os);
        for part in a.parts().iter().chain(b.parts()) {
            if !matches!(part.outcome(), Some((Ok(()), _))) {
                set.add(part)?;
            }
        }
        if let Some(merged) = set.fences(account)? {
            return Ok(merged);
        }
        // None failed: the last of them has the time.
        let all = a.parts().iter().chain(b.parts());
        let last = all.max_by_key(|f| f.outcome().map_or(0, |(_, when)| when));
        Ok(last.cloned().map_or(Fences::Ended, Fences::One))
    }

    /// The fences of `earlier` and `own` that are pending, charged to `account`: of each fence
    /// context the later one. If none of `earlier` is pending, all of `own`.
    ///
    /// # Errors
    ///
    /// ENOMEM, also if there are more than `MAX`.
    pub(super) fn join_pending(
        os: Os,
        account: &Arc<Account>,
        earlier: &Fences,
        own: &Fences,
    ) -> Result<Fences> {
        if earlier.is_signaled() {
            return Ok(own.clone());
        }
        if own.is_signaled() {
            return Ok(earlier.clone());
        }
        let mut set = FenceSet::new(os);
        for part in earlier.parts().iter().chain(own.parts()) {
            set.add_pending(part)?;
        }
        Ok(set.fences(account)?.unwrap_or(Fences::Ended))
    }

    /// The same, with a signalled fence in place of none.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(super) fn or_stub(self, os: Os) -> Result<Fences> {
        match self {
            Fences::Ended => Fence::stub(os).map(Fences::One),
            fences => Ok(fences),
        }
    }
}

/// A set of fences: of each fence context the latest that was added.
pub struct FenceSet {
    os: Os,
    /// The fence context that is left out: 0 for none, as no context has that id.
    without: u64,
    by_context: SortedMap<u64, Arc<Fence>>,
}

impl FenceSet {
    /// None yet.
    pub fn new(os: Os) -> FenceSet {
        FenceSet::without(os, 0)
    }

    /// None yet, and never one of the fence context `context`.
    pub fn without(os: Os, context: u64) -> FenceSet {
        FenceSet {
            os,
            without: context,
            by_context: SortedMap::new(os),
        }
    }

    /// Adds a fence.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn add(&mut self, fence: &Arc<Fence>) -> Result<()> {
        if fence.context() == self.without {
            return Ok(());
        }
        let there = self.by_context.get(fence.context());
        if there.is_some_and(|f| f.seqno() >= fence.seqno()) {
            return Ok(());
        }
        self.by_context.insert(fence.context(), fence.clone())
    }

    /// Adds a fence unless it is signalled.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn add_pending(&mut self, fence: &Arc<Fence>) -> Result<()> {
        if fence.is_signaled() {
            return Ok(());
        }
        self.add(fence)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_context.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_context.is_empty()
    }

    /// All of them, in order of fence contexts.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Fence>> {
        self.by_context.from(0).map(|(_, fence)| fence)
    }

    /// All of them as one, charged to `account`; `None` if there are none.
    ///
    /// # Errors
    ///
    /// ENOMEM, also if there are more than `Fences::MAX`.
    pub fn fences(&self, account: &Arc<Account>) -> Result<Option<Fences>> {
        const HEAD: u64 = 128;
        const PART: u64 = 16;
        let count = self.len();
        if count > Fences::MAX {
            return Err(ENOMEM);
        }
        if count <= 1 {
            return Ok(self.iter().next().cloned().map(Fences::One));
        }
        let parts = u64_of(count).checked_mul(PART).ok_or(ENOMEM)?;
        let bytes = parts.checked_add(HEAD).ok_or(ENOMEM)?;
        let _charge = Charge::new(account, bytes)?;
        let mut parts = KVec::with_capacity(self.os, count)?;
        for fence in self.iter() {
            parts.push(fence.clone())?;
        }
        Arc::new(self.os, Merged { parts, _charge }).map(|merged| Some(Fences::Many(merged)))
    }
}

impl From<Arc<Fence>> for Fences {
    fn from(fence: Arc<Fence>) -> Fences {
        Fences::One(fence)
    }
}
