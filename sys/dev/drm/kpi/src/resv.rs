// SPDX-License-Identifier: BSD-2-Clause
//! The reservation object of a buffer: which fences its next user has to wait for.
//!
//! One unfinished fence per timeline is enough, for timelines end in order; so the list is as long as the
//! number of clients that use the buffer at one time. It changes only under the reservation lock of the
//! instance (`Os::resv_lock`), which a submit holds for all of its buffers at once: two submits that share
//! buffers see them in the same order, and no ring of jobs that wait for each other can arise.

use crate::alloc::{Arc, KVec};
use crate::errno::Result;
use crate::fence::Fence;
use crate::os::{Caller, Mtx, Os, ResvGuard};

/// What a job does with a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Usage {
    /// Others may read at the same time.
    Read,
    /// Nobody else may use it at the same time.
    Write,
}

/// The fences of a buffer.
pub struct Resv {
    fences: Mtx<KVec<(Arc<Fence>, Usage)>>,
}

impl Resv {
    /// No fences.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os) -> Result<Resv> {
        Ok(Resv {
            fences: Mtx::new(os, c"drm resv", KVec::new(os))?,
        })
    }

    /// Drops fences that are over, makes room for one more, and calls `each` with those a new user has
    /// to wait for.
    ///
    /// # Errors
    ///
    /// ENOMEM, or what `each` says.
    pub fn prepare(
        &self,
        _lock: &ResvGuard,
        usage: Usage,
        mut each: impl FnMut(&Arc<Fence>) -> Result<()>,
    ) -> Result<()> {
        let mut fences = self.fences.lock();
        let mut i = 0;
        while let Some((fence, _)) = fences.get(i) {
            if fence.is_signaled() {
                fences.swap_remove(i);
            } else {
                i = i.wrapping_add(1);
            }
        }
        fences.reserve(1)?;
        for (fence, theirs) in fences.iter() {
            if usage == Usage::Write || *theirs == Usage::Write {
                each(fence)?;
            }
        }
        Ok(())
    }

    /// Adds the fence of a new user; cannot fail after `prepare` under the same lock.
    pub fn add(&self, _lock: &ResvGuard, fence: &Arc<Fence>, usage: Usage) {
        let mut fences = self.fences.lock();
        let same = |(f, u): &&mut (Arc<Fence>, Usage)| f.context() == fence.context() && *u == usage;
        if let Some(entry) = fences.iter_mut().find(same) {
            entry.0 = fence.clone();
        } else {
            // `prepare` made the room.
            let _ = fences.push((fence.clone(), usage));
        }
    }

    /// Fences that a user of kind `usage` has to wait for now.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn pending(&self, os: Os, usage: Usage) -> Result<KVec<Arc<Fence>>> {
        let mut list = KVec::new(os);
        let fences = self.fences.lock();
        for (fence, theirs) in fences.iter() {
            if (usage == Usage::Write || *theirs == Usage::Write) && !fence.is_signaled() {
                list.push(fence.clone())?;
            }
        }
        Ok(list)
    }

    /// Whether a user of kind `usage` need not wait.
    pub fn is_idle(&self, usage: Usage) -> bool {
        let fences = self.fences.lock();
        !fences
            .iter()
            .any(|(f, theirs)| (usage == Usage::Write || *theirs == Usage::Write) && !f.is_signaled())
    }

    /// Sleeps until a user of kind `usage` need not wait for what is there now.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT, EINTR, ERESTART, ENOMEM.
    pub fn wait(&self, os: Os, usage: Usage, caller: Option<&Caller<'_>>, deadline: u64) -> Result<()> {
        if self.is_idle(usage) {
            return Ok(());
        }
        for fence in self.pending(os, usage)?.iter() {
            fence.wait(os, caller, deadline)?;
        }
        Ok(())
    }
}
