// SPDX-License-Identifier: BSD-2-Clause
//! Memory that clients said they do not need: MADVISE, and giving it back when memory is short.

use crate::bo::Bo;
use crate::device::Gpu;
use crate::driver::{Panfrost, PanfrostGem};
use crate::uapi::Madvise;
use core::sync::atomic::Ordering;
use drmkpi::alloc::Arc;
use drmkpi::driver::Call;
use drmkpi::errno::{Result, EINVAL};
use drmkpi::resv::Usage;

const WILLNEED: u32 = 0;
const DONTNEED: u32 = 1;

/// Does MADVISE. The errors are those of panfrost_ioctl_madvise() of Linux 6.1, which takes any advice.
pub(crate) fn madvise(call: &Call<'_, Panfrost>, arg: &mut Madvise) -> Result<()> {
    let gem = call.file.gem(arg.handle)?;
    let gpu = call.device().data();
    // Linux counts mappings, of which each handle is one there.
    let shared = || {
        gem.handles() > 1
            || gem
                .object()
                .only_mapping()
                .is_none_or(|(file, _)| file != call.file.id())
    };
    if arg.madv == DONTNEED && shared() {
        return Err(EINVAL);
    }
    let retained = !gem.buffer().is_purged();
    arg.retained = u32::from(retained);
    match arg.madv {
        DONTNEED if retained => remember(gpu, &gem),
        WILLNEED if retained => {
            forget(gpu, gem.object());
            // The shrinker may have taken it just before.
            arg.retained = u32::from(!gem.buffer().is_purged());
            Ok(())
        }
        _ => Ok(()),
    }
}

fn remember(gpu: &Gpu, gem: &Arc<PanfrostGem>) -> Result<()> {
    let mut purgeable = gpu.purgeable.lock();
    if !gem.object().is_purgeable() {
        let slot = purgeable.insert(gem.clone())?;
        gem.object().purge_slot.store(slot, Ordering::Relaxed);
    }
    Ok(())
}

/// The object's memory is needed, or its handle is gone.
pub(crate) fn forget(gpu: &Gpu, bo: &Bo) {
    let gem = {
        let mut purgeable = gpu.purgeable.lock();
        let slot = bo.purge_slot.swap(0, Ordering::Relaxed);
        purgeable.remove(slot)
    };
    drop(gem);
}

/// Frees objects that nobody needs and no job uses, until `pages` are free or there are no more.
pub(crate) fn shrink(gpu: &Gpu, pages: u64) -> u64 {
    let mut freed: u64 = 0;
    let mut slot = 0;
    while freed < pages {
        let next = {
            let purgeable = gpu.purgeable.lock();
            purgeable.next_used(slot).map(|(slot, gem)| (slot, gem.clone()))
        };
        let Some((at, gem)) = next else { break };
        slot = at;
        freed = freed.saturating_add(purge(gpu, &gem));
    }
    freed
}

/// Frees one object: pages freed.
fn purge(gpu: &Gpu, gem: &PanfrostGem) -> u64 {
    let buffer = gem.buffer();
    let Some((_, mapping)) = gem.object().only_mapping() else {
        return 0;
    };
    let needed = || !gem.object().is_purgeable() || gem.is_shared() || !buffer.resv().is_idle(Usage::Write);
    if needed() {
        return 0;
    }
    let pages = buffer.object().resident();
    let mut listed = None;
    // From here on a client that says WILLNEED finds it gone; before, it is left as it is. A job that names it
    // meanwhile faults.
    let take = || {
        let mut purgeable = gpu.purgeable.lock();
        let slot = gem.object().purge_slot.swap(0, Ordering::Relaxed);
        listed = purgeable.remove(slot);
        if listed.is_some() {
            buffer.mark_purged();
        }
        listed.is_some()
    };
    let cleared = mapping.clear(take);
    drop(listed);
    if cleared.is_err() {
        return 0;
    }
    buffer.purge();
    pages
}
