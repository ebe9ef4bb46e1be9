// SPDX-License-Identifier: BSD-2-Clause
//! User fences: the numbers by which WAIT_FENCE knows fences. A number is never 0; it is a slot, and
//! above it a generation.

use drmkpi::alloc::Arc;
use drmkpi::os::{Mtx, Os};
use drmkpi::sync::fence::Fence;
use drmkpi::util::errno::Result;
use drmkpi::util::id_map::IdMap;

/// Enough for every handle of a table.
const SLOT_BITS: u32 = 21;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;

/// The fences of a core that are not signaled, by number.
pub(crate) struct UserFences {
    os: Os,
    /// Generation, and the fence once there is one.
    fences: Mtx<IdMap<(u32, Option<Arc<Fence>>)>>,
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

    /// Reserves a number for a fence that does not exist yet.
    ///
    /// # Errors
    ///
    /// ENOMEM, ENOSPC.
    pub(crate) fn reserve(&self) -> Result<u32> {
        let [g0, g1, ..] = self.os.unique().to_le_bytes();
        let generation = u32::from_le_bytes([g0, g1 & 0x7, 0, 0]);
        let slot = self.fences.lock().insert((generation, None))?;
        Ok(generation.wrapping_shl(SLOT_BITS) | slot)
    }

    /// Gives a reserved number its fence.
    pub(crate) fn fill(&self, number: u32, fence: &Arc<Fence>) {
        let mut fences = self.fences.lock();
        if let Some((_, place)) = fences.get_mut(number & SLOT_MASK) {
            *place = Some(fence.clone());
        }
    }

    /// The fence with a number, if it is not signaled.
    pub(crate) fn get(&self, number: u32) -> Option<Arc<Fence>> {
        let fences = self.fences.lock();
        let (generation, fence) = fences.get(number & SLOT_MASK)?;
        fence
            .clone()
            .filter(|_| *generation == number.wrapping_shr(SLOT_BITS))
    }

    /// Frees the number of a fence that is signaled, or will not exist.
    pub(crate) fn forget(&self, number: u32) {
        let slot = number & SLOT_MASK;
        let mut fences = self.fences.lock();
        let there = fences.get(slot).map(|(generation, _)| *generation);
        let gone = (there == Some(number.wrapping_shr(SLOT_BITS))).then(|| fences.remove(slot));
        drop(fences);
        drop(gone);
    }
}
