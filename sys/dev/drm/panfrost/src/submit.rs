// SPDX-License-Identifier: BSD-2-Clause
//! SUBMIT: from a user's structure to a job in its queue.

use crate::device::JobQueue;
use crate::driver::{Panfrost, PanfrostGem};
use crate::gpu;
use crate::jobs::Job;
use crate::mapping::Mapping;
use crate::regs::job::Slot;
use crate::uapi::Submit;
use drm_sched::JobId;
use drmkpi::account::Charge;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::driver::Call;
use drmkpi::errno::{Result, EINVAL, ENODEV, ENOENT, ENXIO};
use drmkpi::fence::Fence;
use drmkpi::jobs::{Dependencies, Queue};
use drmkpi::num::u64_of;
use drmkpi::os::{ResvGuard, UserSlice};
use drmkpi::purge::Pin;
use drmkpi::resv::Usage;

/// requirements: a fragment job.
const FS: u32 = 1;

/// What a job's user named, looked up.
struct Named {
    gems: KVec<Arc<PanfrostGem>>,
    mappings: KVec<Arc<Mapping>>,
    pins: KVec<Pin>,
    waits: Dependencies,
}

/// Does SUBMIT. The errors are those of panfrost_ioctl_submit() of Linux 6.1.
pub(crate) fn submit(call: &Call<'_, Panfrost>, arg: &mut Submit) -> Result<()> {
    if arg.jm_ctx_handle != 0 || arg.pad != 0 {
        return Err(EINVAL);
    }
    if arg.jc == 0 || arg.requirements & !FS != 0 {
        return Err(EINVAL);
    }
    let out_sync = match arg.out_sync {
        0 => None,
        handle => Some(call.file.syncobj(handle).map_err(|_| ENODEV)?),
    };
    let named = look_up(call, arg)?;
    let fence = queue(call, arg, named)?;
    if let Some(out_sync) = out_sync {
        out_sync.replace(Some(fence));
    }
    call.device().data().queue.kick();
    Ok(())
}

fn look_up(call: &Call<'_, Panfrost>, arg: &Submit) -> Result<Named> {
    let os = call.file.os();
    let array = |addr: u64, count: u32| {
        UserSlice::new(addr, u64::from(count).saturating_mul(4)).read_u32s(os, call.caller)
    };
    let mut waits = Dependencies::new(os);
    for handle in array(arg.in_syncs, arg.in_sync_count)?.iter() {
        let syncobj = call.file.syncobj(*handle).map_err(|_| ENOENT)?;
        waits.add(&syncobj.fence().ok_or(EINVAL)?)?;
    }
    let gems = call.file.gems(&array(arg.bo_handles, arg.bo_handle_count)?)?;
    let mut mappings = KVec::with_capacity(os, gems.len())?;
    let mut pins = KVec::with_capacity(os, gems.len())?;
    for gem in gems.iter() {
        mappings.push(gem.object().mapping(call.file.id())?)?;
        pins.push(Pin::new(gem.buffer()))?;
    }
    Ok(Named {
        gems,
        mappings,
        pins,
        waits,
    })
}

fn queue(call: &Call<'_, Panfrost>, arg: &Submit, named: Named) -> Result<Arc<Fence>> {
    let gpu = call.device().data();
    let file = call.file.driver();
    let os = call.file.os();
    let slot = if arg.requirements & FS != 0 {
        Slot::FRAGMENT
    } else {
        Slot::VERTEX_TILER
    };
    let entity = file.entities.get(slot.index()).copied().ok_or(EINVAL)?;
    let Named {
        gems,
        mappings,
        pins,
        waits,
    } = named;
    let buffers = KVec::from_fn(os, gems.len(), |i| gems.get(i).cloned().ok_or(EINVAL))?;
    let flush_id = {
        let engine = gpu.queue.lock();
        // HW: an id does not survive a power-off; 1 is older than any.
        if engine.hw.powered {
            gpu::latest_flush_id(gpu.regs(), gpu.features)
        } else {
            1
        }
    };
    let job = Job {
        jc: arg.jc,
        flush_id,
        context: file.context.clone(),
        stats: file.stats.clone(),
        _charge: Charge::new(call.file.account(), job_bytes(gems.len()))?,
        _pins: pins,
        _mappings: mappings,
        _gems: gems,
    };
    let lock = os.resv_lock();
    let prepared = {
        let mut timelines = file.timelines.lock();
        let timeline = timelines.get_mut(slot.index()).ok_or(EINVAL)?;
        gpu.queue.prepare(&lock, entity, timeline, job)
    };
    let (id, fence) = match prepared {
        Ok(prepared) => prepared,
        Err((e, job)) => {
            drop(lock);
            drop(job);
            return Err(e);
        }
    };
    let queued = reserve(&lock, &gpu.queue, id, &buffers, waits, &fence);
    drop(lock);
    if let Err(e) = queued {
        gpu.queue.abandon(id);
        // A device that goes cancels jobs that are being made.
        return Err(if gpu.is_removed() { ENXIO } else { e });
    }
    Ok(fence)
}

/// What a job that names `bos` buffers costs the kernel, about: it is charged to the client, so that nobody
/// queues jobs without end.
fn job_bytes(bos: usize) -> u64 {
    const JOB: u64 = 1024;
    const BO: u64 = 64;
    u64_of(bos).saturating_mul(BO).saturating_add(JOB)
}

/// Makes the job wait for the other users of its buffers, makes later users wait for it, and queues it.
fn reserve(
    lock: &ResvGuard,
    queue: &Arc<JobQueue>,
    id: JobId,
    buffers: &[Arc<PanfrostGem>],
    mut waits: Dependencies,
    fence: &Arc<Fence>,
) -> Result<()> {
    let submit = buffers.first().map_or(0, |gem| gem.buffer().os().unique());
    for gem in buffers {
        gem.object().name(lock, submit)?;
        gem.buffer()
            .resv()
            .prepare(lock, Usage::Write, |other| waits.add(other))?;
    }
    Queue::depend(queue, id, waits.fences())?;
    queue.submit(lock, id)?;
    for gem in buffers {
        gem.buffer().resv().add(lock, fence, Usage::Write);
    }
    Ok(())
}
