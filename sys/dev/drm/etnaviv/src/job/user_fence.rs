// SPDX-License-Identifier: BSD-2-Clause
//! User fence ids, by which WAIT_FENCE names fences. An id is never 0. Its low bits are a handle of
//! a table, the high ones a generation, so that ids are not reused soon.

use drmkpi::alloc::Arc;
use drmkpi::os::{Mtx, Os};
use drmkpi::sync::fence::Fence;
use drmkpi::util::errno::Result;
use drmkpi::util::id_map::IdMap;

/// The low bits of an id, enough for every handle of the table.
const HANDLE_BITS: u32 = 21;
const HANDLE_MASK: u32 = (1 << HANDLE_BITS) - 1;

/// The fences of a core that are not signaled, by their ids.
pub(crate) struct UserFences {
    os: Os,
    /// The generation, and the fence.
    fences: Mtx<IdMap<(u32, Arc<Fence>)>>,
}

impl UserFences {
    /// An empty table.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<UserFences> {
        Ok(UserFences {
            os,
            fences: Mtx::new(os, c"etnaviv fences", IdMap::new(os))?,
        })
    }

    /// Adds a fence. Returns its id.
    ///
    /// # Errors
    ///
    /// ENOMEM, ENOSPC.
    pub(crate) fn insert(&self, fence: &Arc<Fence>) -> Result<u32> {
        let [g0, g1, ..] = self.os.unique().to_le_bytes();
        let generation = u32::from_le_bytes([g0, g1 & 0x7, 0, 0]);
        let handle = self.fences.lock().insert((generation, fence.clone()))?;
        Ok(generation << HANDLE_BITS | handle)
    }

    /// The fence with an id; `None` once it is signaled.
    pub(crate) fn get(&self, id: u32) -> Option<Arc<Fence>> {
        let fences = self.fences.lock();
        let (generation, fence) = fences.get(id & HANDLE_MASK)?;
        (*generation == id >> HANDLE_BITS).then(|| fence.clone())
    }

    /// Frees the id of a fence that is signaled, or will not exist.
    pub(crate) fn forget(&self, id: u32) {
        let handle = id & HANDLE_MASK;
        let mut fences = self.fences.lock();
        let generation = fences.get(handle).map(|(generation, _)| *generation);
        let removed = (generation == Some(id >> HANDLE_BITS)).then(|| fences.remove(handle));
        drop(fences);
        drop(removed);
    }
}
