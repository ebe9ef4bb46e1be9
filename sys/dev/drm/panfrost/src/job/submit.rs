// SPDX-License-Identifier: BSD-2-Clause
//! SUBMIT: from the arguments of the ioctl to a job in its run queue.

use crate::bo::PanfrostGem;
use crate::device::Gpu;
use crate::job::payload::{Job, NO_FLUSH};
use crate::mmu::mapping::Mapping;
use crate::regs::job::Slot;
use crate::uapi::Submit;
use crate::Panfrost;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::driver::{Call, MAX_HANDLES};
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::pin::Pin;
use drmkpi::mem::reservation::{Buffers, Reservation};
use drmkpi::os::{UserSlice, Words};
use drmkpi::runner::client::{Client, Submission};
use drmkpi::sync::fence::Fence;
use drmkpi::sync::fences::FenceSet;
use drmkpi::sync::resv::Usage;
use drmkpi::util::errno::{Result, EBUSY, EINVAL, ENODEV, ENOENT, ENOMEM, ENXIO};
use drmkpi::util::int_conv::u64_of;

/// In `requirements`: a fragment job.
const FS: u32 = 1;
/// In `requirements`: the cycle counter runs during the job.
const CYCLE_COUNT: u32 = 2;

/// The BOs that a submit names. A job may write to all of them.
struct NamedBos(KVec<Arc<PanfrostGem>>);

impl Buffers for NamedBos {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn at(&self, index: usize) -> Option<(&Buffer, Usage)> {
        let gem = self.0.get(index)?;
        Some((gem.buffer(), Usage::Write))
    }
}

/// BOs at their addresses in a VM.
type Mapped = KVec<Pin<Arc<Mapping>>>;

/// SUBMIT. The errors are those of panfrost_ioctl_submit() of Linux 7.2.
pub(crate) fn submit(call: &Call<'_, Panfrost>, arg: &mut Submit) -> Result<()> {
    if arg.pad != 0 || arg.jc == 0 || arg.requirements & !(FS | CYCLE_COUNT) != 0 {
        return Err(EINVAL);
    }
    let out_sync = match arg.out_sync {
        0 => None,
        handle => Some(call.file.syncobj(handle).map_err(|_| ENODEV)?),
    };
    let file = call.file.driver();
    let fence = match arg.jm_ctx_handle {
        0 => queue(call, arg, file.client().ok_or(ENXIO)?)?,
        handle => queue(call, arg, &file.contexts.get(handle)?.client)?,
    };
    if let Some(out_sync) = out_sync {
        out_sync.replace(Some(fence.into()));
    }
    Ok(())
}

/// A user's array of handles. Linux returns ENOMEM for a larger array than it allocates.
fn handles(call: &Call<'_, Panfrost>, addr: u64, count: u32) -> Result<Words> {
    let count = Some(count).filter(|count| *count <= MAX_HANDLES);
    let bytes = count.and_then(|count| u64::from(count).checked_mul(4));
    UserSlice::new(addr, bytes.ok_or(ENOMEM)?).read_words(call.file.os(), call.caller)
}

/// Adds the fences of the syncobjs that a submit waits for to `waits`.
fn add_in_syncs(call: &Call<'_, Panfrost>, arg: &Submit, waits: &mut FenceSet) -> Result<()> {
    let in_syncs = handles(call, arg.in_syncs, arg.in_sync_count)?;
    for (turn, handle) in (0..in_syncs.len()).zip(in_syncs.iter()) {
        call.caller.check_signals(turn)?;
        let syncobj = call.file.syncobj(*handle).map_err(|_| ENOENT)?;
        let fences = syncobj.fences().ok_or(EINVAL)?;
        fences
            .parts()
            .iter()
            .try_for_each(|f| waits.add_pending(f))?;
    }
    Ok(())
}

/// The BOs that a submit names, and where they are mapped in the client's VM.
fn look_up(call: &Call<'_, Panfrost>, arg: &Submit) -> Result<(NamedBos, Mapped)> {
    let os = call.file.os();
    let handles = handles(call, arg.bo_handles, arg.bo_handle_count)?;
    let mut gems = KVec::with_capacity(os, handles.len())?;
    let mut mapped = KVec::with_capacity(os, handles.len())?;
    loop {
        let mut purging = None;
        let add = |gem: &Arc<PanfrostGem>, mapping: &Arc<Mapping>| {
            let Ok(pin) = Pin::new(mapping.clone()) else {
                purging = Some(gem.clone());
                return Err(EBUSY);
            };
            gems.push(gem.clone())?;
            mapped.push(pin)
        };
        let all = handles.iter().copied();
        let found = call.file.for_each_gem(call.caller, all, add);
        let Some(purging) = purging else {
            return found.map(|()| (NamedBos(gems), mapped));
        };
        // The job finds the buffer purged. No buffer is purged twice.
        gems.clear();
        mapped.clear();
        purging.buffer().wait_for_purge();
        call.caller.check_signal()?;
    }
}

fn queue(call: &Call<'_, Panfrost>, arg: &Submit, client: &Client<Gpu>) -> Result<Arc<Fence>> {
    let file = call.file.driver();
    let slot = if arg.requirements & FS != 0 {
        Slot::FRAGMENT
    } else {
        Slot::VERTEX_TILER
    };
    let mut waits = client.waits(slot.index())?;
    add_in_syncs(call, arg, &mut waits)?;
    let (named, bos) = look_up(call, arg)?;
    let os = call.file.os();
    let new = Submission {
        slot: slot.index(),
        account: call.file.account(),
        ended_jobs: &file.ended_jobs,
        reservation: Reservation::take(os, call.caller, &named, Some(&mut waits))?,
        waits,
        bytes: job_bytes(bos.len()).ok_or(ENOMEM)?,
        sync_file: None,
    };
    let make = |charge, _: &Arc<Fence>| {
        Ok(Job {
            jc: arg.jc,
            flush_id: NO_FLUSH,
            counts_cycles: arg.requirements & CYCLE_COUNT != 0,
            vm: file.vm.clone(),
            bos,
            charge,
        })
    };
    let submitted = client.submit(new, |fence| Ok(fence.clone()), make);
    submitted.map(|(fence, _)| fence)
}

/// An estimate of the kernel memory of a job with `bos` buffers, in bytes. It is charged to the
/// client, which bounds the number of jobs that a client can queue.
fn job_bytes(bos: usize) -> Option<u64> {
    const JOB: u64 = 1024;
    const BO: u64 = 64;
    u64_of(bos).checked_mul(BO)?.checked_add(JOB)
}
