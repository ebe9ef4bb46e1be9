// SPDX-License-Identifier: BSD-2-Clause
//! SUBMIT: from the arguments of the ioctl to a job in its run queue.

use crate::gpu::control;
use crate::job::payload::{Job, JobBo};
use crate::regs::job::Slot;
use crate::uapi::Submit;
use crate::Panfrost;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::driver::{Call, MAX_HANDLES};
use drmkpi::mem::reservation::Reservation;
use drmkpi::os::UserSlice;
use drmkpi::runner::client::Submission;
use drmkpi::sync::fence::Fence;
use drmkpi::sync::fences::FenceSet;
use drmkpi::sync::resv::Usage;
use drmkpi::util::errno::{Result, EINVAL, ENODEV, ENOENT, ENOMEM, ENXIO};
use drmkpi::util::int_conv::u64_of;

/// In `requirements`: a fragment job.
const FS: u32 = 1;

/// The objects that a submit names.
struct NamedObjects {
    bos: KVec<JobBo>,
    waits: FenceSet,
}

/// SUBMIT. The errors are those of panfrost_ioctl_submit() of Linux 6.1.
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
        out_sync.replace(Some(fence.into()));
    }
    Ok(())
}

fn look_up(call: &Call<'_, Panfrost>, arg: &Submit) -> Result<NamedObjects> {
    let os = call.file.os();
    // Linux returns ENOMEM for a larger array than it allocates.
    let array = |addr: u64, count: u32| {
        let count = Some(count).filter(|count| *count <= MAX_HANDLES);
        let bytes = count.and_then(|count| u64::from(count).checked_mul(4));
        UserSlice::new(addr, bytes.ok_or(ENOMEM)?).read_words(os, call.caller)
    };
    let mut waits = FenceSet::new(os);
    let in_syncs = array(arg.in_syncs, arg.in_sync_count)?;
    for (turn, handle) in (0..in_syncs.len()).zip(in_syncs.iter()) {
        call.caller.check_signals(turn)?;
        let syncobj = call.file.syncobj(*handle).map_err(|_| ENOENT)?;
        let fences = syncobj.fences().ok_or(EINVAL)?;
        fences
            .parts()
            .iter()
            .try_for_each(|f| waits.add_pending(f))?;
    }
    let handles = array(arg.bo_handles, arg.bo_handle_count)?;
    let mut gems = call.file.gems(call.caller, handles.iter().copied())?;
    let mut bos = KVec::with_capacity(os, gems.len())?;
    // In the order of the handles, mostly that of the buffers' ids, by which they are reserved.
    gems.reverse();
    while let Some(gem) = gems.pop() {
        call.caller.check_signals(gems.len())?;
        bos.push(JobBo::new(gem, call.file.id())?)?;
    }
    Ok(NamedObjects { bos, waits })
}

fn queue(call: &Call<'_, Panfrost>, arg: &Submit, named: NamedObjects) -> Result<Arc<Fence>> {
    let gpu = call.device().data();
    let file = call.file.driver();
    let client = file.client().ok_or(ENXIO)?;
    let slot = if arg.requirements & FS != 0 {
        Slot::FRAGMENT
    } else {
        Slot::VERTEX_TILER
    };
    let flush_id = {
        let engine = gpu.runner.lock();
        // HW: ids do not survive a power-off; 1 is older than all others.
        if engine.state.powered {
            control::latest_flush_id(gpu.regs(), gpu.features)
        } else {
            1
        }
    };
    let NamedObjects { bos, mut waits } = named;
    let buffers = bos.iter().map(|bo| (bo.gem.buffer(), Usage::Write));
    let reservation = Reservation::take(call.file.os(), call.caller, buffers, Some(&mut waits))?;
    let new = Submission {
        slot: slot.index(),
        account: call.file.account(),
        ended_jobs: &file.ended_jobs,
        reservation,
        waits,
        bytes: job_bytes(bos.len()).ok_or(ENOMEM)?,
    };
    let make = |charge| {
        Ok(Job {
            jc: arg.jc,
            flush_id,
            vm: file.vm.clone(),
            bos,
            charge,
        })
    };
    client.submit(new, make, |fence| Ok(fence.clone()))
}

/// An estimate of the kernel memory of a job with `bos` buffers, in bytes. It is charged to the
/// client, which bounds the number of jobs that a client can queue.
fn job_bytes(bos: usize) -> Option<u64> {
    const JOB: u64 = 1024;
    const BO: u64 = 64;
    u64_of(bos).checked_mul(BO)?.checked_add(JOB)
}
