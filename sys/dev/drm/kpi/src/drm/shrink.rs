// SPDX-License-Identifier: BSD-2-Clause
//! Purges memory that clients have marked as not needed, when memory is short. See
//! `mem::purge_state`.

use crate::alloc::Arc;
use crate::drm::device::Device;
use crate::drm::driver::Driver;
use crate::drm::file::File;
use crate::drm::gem::Gem;
use crate::mem::purge_state::PurgeState;
use crate::os::SxGuard;
use crate::util::errno::{Result, EINVAL};
use crate::util::id_map::Found;

/// A client's advice about an object's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    /// It is needed.
    Needed,
    /// It may be freed.
    Unneeded,
}

/// How many numbers of the list of purgeable objects are searched in one hold of its lock.
const AT_ONCE: u32 = 128;

impl<D: Driver> Gem<D> {
    /// Applies a client's advice about an object of `file`. Returns whether its memory has not been
    /// purged.
    ///
    /// # Errors
    ///
    /// EINVAL for memory that is shared, ENOMEM; nothing is changed then.
    pub fn advise(gem: &Arc<Gem<D>>, file: &File<D>, advice: Advice) -> Result<bool> {
        let dev = file.device();
        let buffer = gem.buffer();
        let mut state = buffer.purge_state().lock();
        if advice == Advice::Unneeded && !gem.is_only_of(file.id()) {
            return Err(EINVAL);
        }
        if buffer.is_purged() {
            return Ok(false);
        }
        match (*state, advice) {
            (PurgeState::Private, Advice::Unneeded) => {
                *state = PurgeState::Purgeable(dev.purgeable().lock().insert(gem.clone())?);
            }
            (PurgeState::Purgeable(_), Advice::Needed) => {
                gem.leave(dev, &mut state, PurgeState::Private)
            }
            _ => {}
        }
        Ok(true)
    }

    /// Marks the object as shared, which is done before it is.
    pub(crate) fn share(&self, dev: &Device<D>) {
        let mut state = self.buffer().purge_state().lock();
        if *state != PurgeState::Purged {
            self.leave(dev, &mut state, PurgeState::Shared);
        }
    }

    /// Marks an object without handles. Called after the last handle was counted out, which later
    /// advice finds.
    pub(crate) fn unhandled(&self, dev: &Device<D>) {
        let mut state = self.buffer().purge_state().lock();
        if matches!(*state, PurgeState::Private | PurgeState::Purgeable(_)) {
            self.leave(dev, &mut state, PurgeState::Closed);
        }
    }

    /// Removes the object from the list of purgeable ones if it is there.
    fn leave(&self, dev: &Device<D>, state: &mut SxGuard<'_, PurgeState>, next: PurgeState) {
        if let PurgeState::Purgeable(slot) = core::mem::replace(&mut **state, next) {
            // Not the last reference: the caller has another.
            let listed = dev.purgeable().lock().remove(slot);
            drop(listed);
        }
    }
}

impl<D: Driver> Device<D> {
    /// Purges objects that no job uses, those of the file with id `of` or of all files, until
    /// `pages` pages are freed or no purgeable object is left. Returns how many were freed. Takes
    /// no lock that is held while waiting for memory.
    pub fn shrink(&self, pages: u64, of: Option<u64>) -> u64 {
        let mut freed: u64 = 0;
        let mut slot = 0;
        while freed < pages {
            // The lock is taken again for each, and references are dropped without it.
            let found = self.purgeable().lock().find_from(slot, AT_ONCE, Arc::clone);
            match found {
                Found::None => break,
                Found::NotYet(at) => slot = at,
                Found::Value(at, gem) => {
                    slot = at;
                    if of.is_none_or(|file| gem.is_held_by(file)) {
                        // OVERFLOW: saturates, above every possible `pages`.
                        freed = freed.saturating_add(self.purge(&gem));
                    }
                }
            }
        }
        freed
    }

    /// Purges one object; returns how many pages were freed.
    fn purge(&self, gem: &Gem<D>) -> u64 {
        let buffer = gem.buffer();
        // The holder may be waiting for memory.
        let Some(mut state) = buffer.purge_state().try_lock() else {
            return 0;
        };
        if !matches!(*state, PurgeState::Purgeable(_)) {
            return 0;
        }
        let pages = buffer.object().resident();
        let purged = {
            let Some(_claim) = buffer.uses().claim(&state) else {
                return 0;
            };
            D::purge(gem, || buffer.purge())
        };
        match purged {
            Ok(()) => {
                gem.leave(self, &mut state, PurgeState::Purged);
                pages
            }
            Err(_) => 0,
        }
    }
}
