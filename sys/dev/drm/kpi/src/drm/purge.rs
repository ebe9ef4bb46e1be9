// SPDX-License-Identifier: BSD-2-Clause
//! Memory that clients said they do not need, and its end when memory is short.
//!
//! Whether the memory of a buffer may be freed while handles of it exist is one state, its
//! `Tenure`, under one lock that is held for as long as the answer matters: by advice until the
//! list of unneeded objects says the same, by a purge from its decision until the pages are gone,
//! and by everything that gives the buffer to somebody else before it does so. What is shared once
//! is never purged, as in Linux nothing with a dma-buf is.

use crate::alloc::Arc;
use crate::drm::device::Device;
use crate::drm::driver::Driver;
use crate::drm::file::File;
use crate::drm::gem::Gem;
use crate::mem::buffer::Buffer;
use crate::os::SxGuard;
use crate::util::errno::{Result, EINVAL};
use crate::util::id_table::Found;
use core::sync::atomic::{AtomicU32, Ordering};

/// Whether the memory of a buffer may be freed while handles of it exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tenure {
    /// One file has it, by one handle.
    Private,
    /// One file has it, by one handle, and does not need it: where the device's list has it.
    Unneeded(u32),
    /// Others have it, or may come to have it: never again anything else.
    Shared,
    /// Its one handle is gone.
    Closed,
    /// The memory is gone for good.
    Purged,
}

/// What a client says of an object's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    /// It is needed.
    Needed,
    /// It may be freed.
    Unneeded,
}

/// How many jobs use a buffer; `PURGING` while it is purged.
pub(crate) struct Uses(AtomicU32);

const PURGING: u32 = u32::MAX;

impl Uses {
    pub(crate) const fn none() -> Uses {
        Uses(AtomicU32::new(0))
    }
}

/// A job's use of a buffer, which is not purged meanwhile.
pub struct Pin(Arc<Buffer>);

impl Pin {
    /// One more job uses `buffer`. One that is being purged is waited for: the job finds it gone.
    /// May sleep.
    pub fn new(buffer: &Arc<Buffer>) -> Pin {
        let uses = &buffer.uses().0;
        let one_more = |n: u32| (n != PURGING).then(|| n.wrapping_add(1));
        // ORDERING: Acquire, so that who sees the end of a purge sees what it did.
        let pinned = uses.fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more);
        if pinned.is_err() {
            // Nobody purges it while this lock is held.
            let _tenure = buffer.tenure().lock();
            uses.fetch_add(1, Ordering::Acquire);
        }
        Pin(buffer.clone())
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // ORDERING: Release, so that a purge comes after all of the use.
        self.0.uses().0.fetch_sub(1, Ordering::Release);
    }
}

/// What is kept from being used by jobs, with the lock of its tenure held.
struct Claim<'a>(&'a Uses);

impl<'a> Claim<'a> {
    /// None while a job uses the buffer.
    fn new(buffer: &'a Buffer, _tenure: &SxGuard<'_, Tenure>) -> Option<Claim<'a>> {
        let uses = buffer.uses();
        let claimed = uses
            .0
            .compare_exchange(0, PURGING, Ordering::Acquire, Ordering::Relaxed);
        // Not eagerly: dropping one gives up what another has.
        claimed.is_ok().then(|| Claim(uses))
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0 .0.store(0, Ordering::Release);
    }
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
        let mut tenure = buffer.tenure().lock();
        if advice == Advice::Unneeded && !gem.is_only_of(file.id()) {
            return Err(EINVAL);
        }
        if buffer.is_purged() {
            return Ok(false);
        }
        match (*tenure, advice) {
            (Tenure::Private, Advice::Unneeded) => {
                *tenure = Tenure::Unneeded(dev.unneeded().lock().insert(gem.clone())?);
            }
            (Tenure::Unneeded(_), Advice::Needed) => gem.leave(dev, &mut tenure, Tenure::Private),
            _ => {}
        }
        Ok(true)
    }

    /// From now on others have the object, or may come to have it. Before they do.
    pub(crate) fn share(&self, dev: &Device<D>) {
        let mut tenure = self.buffer().tenure().lock();
        if *tenure != Tenure::Purged {
            self.leave(dev, &mut tenure, Tenure::Shared);
        }
    }

    /// Its last handle is gone. After it was counted as gone: advice that comes later finds that.
    pub(crate) fn unhandled(&self, dev: &Device<D>) {
        let mut tenure = self.buffer().tenure().lock();
        if matches!(*tenure, Tenure::Private | Tenure::Unneeded(_)) {
            self.leave(dev, &mut tenure, Tenure::Closed);
        }
    }

    /// Takes the object off the list of unneeded ones if it is there.
    fn leave(&self, dev: &Device<D>, tenure: &mut SxGuard<'_, Tenure>, next: Tenure) {
        if let Tenure::Unneeded(slot) = core::mem::replace(&mut **tenure, next) {
            // Not the last reference: the caller has another.
            let listed = dev.unneeded().lock().remove(slot);
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
            let found = self.unneeded().lock().look(slot, LOOK, Arc::clone);
            match found {
                Found::None => break,
                Found::NotYet(at) => slot = at,
                Found::Value(at, gem) => {
                    slot = at;
                    if of.is_none_or(|file| gem.is_held_by(file)) {
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
        let Some(mut tenure) = buffer.tenure().try_lock() else {
            return 0;
        };
        if !matches!(*tenure, Tenure::Unneeded(_)) {
            return 0;
        }
        let Some(_claim) = Claim::new(buffer, &tenure) else {
            return 0;
        };
        let pages = buffer.object().resident();
        match D::purge(gem, || buffer.purge()) {
            Ok(()) => {
                gem.leave(self, &mut tenure, Tenure::Purged);
                pages
            }
            Err(_) => 0,
        }
    }
}
