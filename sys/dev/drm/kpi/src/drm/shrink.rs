// SPDX-License-Identifier: BSD-2-Clause
//! Memory that clients said they do not need, and its end when memory is short. See `mem::purge_state`.

use crate::alloc::Arc;
use crate::drm::device::Device;
use crate::drm::driver::Driver;
use crate::drm::file::File;
use crate::drm::gem::Gem;
use crate::mem::purge_state::PurgeState;
use crate::os::SxGuard;
use crate::util::errno::{Result, EINVAL};
use crate::util::id_map::Found;

/// What a client says of an object's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    /// It is needed.
    Needed,
    /// It may be freed.
    Unneeded,
}

/// Unneeded objects that one look at the list passes by at most, its lock held.
const LOOK: u32 = 128;

impl<D: Driver> Gem<D> {
    /// Takes the client's advice about an object that `file` has; whether its memory is still
    /// there.
    ///
    /// # Errors
    ///
    /// EINVAL for memory that others need as well, ENOMEM; nothing changed.
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

    /// From now on others have the object, or may come to have it. Before they do.
    pub(crate) fn share(&self, dev: &Device<D>) {
        let mut state = self.buffer().purge_state().lock();
        if *state != PurgeState::Purged {
            self.leave(dev, &mut state, PurgeState::Shared);
        }
    }

    /// Its last handle is gone. After it was counted as gone: advice that comes later finds that.
    pub(crate) fn unhandled(&self, dev: &Device<D>) {
        let mut state = self.buffer().purge_state().lock();
        if matches!(*state, PurgeState::Private | PurgeState::Purgeable(_)) {
            self.leave(dev, &mut state, PurgeState::Closed);
        }
    }

    /// Takes the object off the list of unneeded ones if it is there.
    fn leave(&self, dev: &Device<D>, state: &mut SxGuard<'_, PurgeState>, next: PurgeState) {
        if let PurgeState::Purgeable(slot) = core::mem::replace(&mut **state, next) {
            // Not the last reference: the caller has another.
            let listed = dev.purgeable().lock().remove(slot);
            drop(listed);
        }
    }
}

impl<D: Driver> Device<D> {
    /// Frees the memory of unneeded objects that no job uses, those of the file with number `of` or
    /// all files', until `pages` are free or there are no more: pages freed. Waits for no lock
    /// whose holder may wait for memory.
    pub fn shrink(&self, pages: u64, of: Option<u64>) -> u64 {
        let mut freed: u64 = 0;
        let mut slot = 0;
        while freed < pages {
            // The lock is taken anew for each, and a reference goes outside of it.
            let found = self.purgeable().lock().find_from(slot, LOOK, Arc::clone);
            match found {
                Found::None => break,
                Found::NotYet(at) => slot = at,
                Found::Value(at, gem) => {
                    slot = at;
                    if of.is_none_or(|file| gem.is_held_by(file)) {
                        // OVERFLOW: saturates, above every number that is asked for.
                        freed = freed.saturating_add(self.purge(&gem));
                    }
                }
            }
        }
        freed
    }

    /// Frees one object's memory: pages freed.
    fn purge(&self, gem: &Gem<D>) -> u64 {
        let buffer = gem.buffer();
        // Whoever has it may be waiting for memory.
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
