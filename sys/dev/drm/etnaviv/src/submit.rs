// SPDX-License-Identifier: BSD-2-Clause
//! GEM_SUBMIT: from a user's structure to a job in its queue. The stream is copied once, looked at where no
//! client can change it, and only what passed can become a job.

use crate::bo::EtnavivGem;
use crate::context::{Context, Use};
use crate::cores::Core;
use crate::counters::{Request, Requests};
use crate::file::Lane;
use crate::job::Job;
use crate::mmu::Version;
use crate::perfmon_tables::Pipe;
use crate::ring::MAX_STREAM_WORDS;
use crate::stream::{Checked, CmdStream, Placed, Policy, Refused, Reloc};
use crate::uapi::{GemSubmit, SubmitBo, SubmitPmr, SubmitReloc};
use crate::Etnaviv;
use core::cell::Cell;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::driver::Call;
use drmkpi::mem::reservation::Reservation;
use drmkpi::os::{KernelMap, Os, UserSlice};
use drmkpi::runner::jobs::{dependency_bytes, Queue};
use drmkpi::runner::reaper::Holdings;
use drmkpi::sync::fence::{Fence, FenceSet};
use drmkpi::sync::resv::Usage;
use drmkpi::sync::sync_file::SyncFile;
use drmkpi::util::account::Charge;
use drmkpi::util::errno::{Errno, Result, EINVAL, ENXIO};
use drmkpi::util::int_conv::{u64_of, usize_of_u32};
use drmkpi::util::uapi::Uapi;
use iommu_pmap::Prot;

const NO_IMPLICIT: u32 = 1;
const FENCE_FD_IN: u32 = 2;
const FENCE_FD_OUT: u32 = 4;
const SOFTPIN: u32 = 8;
const BO_READ: u32 = 1;
const BO_WRITE: u32 = 2;
const PMR_PRE: u32 = 1;
const PMR_POST: u32 = 2;
/// `fence_fd` of who asked for none.
const NO_DESCRIPTOR: i32 = -1;
const MAX_BOS: u32 = 128 * 1024;
const MAX_RELOCS: u32 = 128 * 1024;
const MAX_PMRS: u32 = 128;

type Submission<'a> = Call<'a, Etnaviv>;

/// A buffer that a job names, and what it does with it.
struct Named {
    gem: Arc<EtnavivGem>,
    usage: Usage,
    /// Its GPU address, if the client has a say in it.
    wanted: Option<u64>,
}

/// What a submit has in arrays of its own.
struct Arrays {
    bos: KVec<u32>,
    relocs: KVec<Reloc>,
    pmrs: KVec<u32>,
    stream: KVec<u32>,
}

/// Does GEM_SUBMIT. The errors are those of etnaviv_ioctl_gem_submit() of Linux 6.1; a stream that asks for what
/// a client may not do is EINVAL, and so is a pipe that the core does not have.
/// `why` is told what is wrong with a stream.
pub(crate) fn submit(
    call: &Submission<'_>,
    arg: &mut GemSubmit,
    why: &Cell<Option<Refused>>,
) -> Result<()> {
    let gpu = call.device().data();
    let core = gpu.core(arg.pipe)?;
    let pipe = check(&core, arg)?;
    let os = call.file.os();
    let arrays = copy(call, arg)?;
    if arg.flags & SOFTPIN != 0 && !arrays.relocs.is_empty() {
        // Who chooses addresses needs none written.
        return Err(EINVAL);
    }
    let named = look_up(call, arg.flags, &arrays.bos)?;
    let policy = match core.mmu().version() {
        Version::V1 => Policy::Mmuv1,
        Version::V2 | Version::V2Secure => Policy::Mmuv2,
    };
    let refuse = |refused: Refused| {
        why.set(Some(refused));
        EINVAL
    };
    let stream = CmdStream::new(arrays.stream)
        .validate(policy, &arrays.relocs)
        .map_err(refuse)?;
    let mut waits = FenceSet::new(os);
    if arg.flags & FENCE_FD_IN != 0 {
        let fences = SyncFile::import(call.caller, arg.fence_fd)?;
        fences
            .parts()
            .iter()
            .try_for_each(|f| waits.add_pending(f))?;
    }
    let lane = call.file.driver().lane(gpu, arg.pipe)?;
    let job = make_job(call, pipe, stream, &arrays.pmrs, &named, &refuse)?;
    queue(call, &lane, job, &named, waits, arg)?;
    core.queue.kick();
    Ok(())
}

/// Looks at everything that is a number.
fn check(core: &Core, arg: &GemSubmit) -> Result<Pipe> {
    if !arg.stream_size.is_multiple_of(4) {
        return Err(EINVAL);
    }
    let pipe = Pipe::of(arg.exec_state).ok_or(EINVAL)?;
    if arg.flags & !(NO_IMPLICIT | FENCE_FD_IN | FENCE_FD_OUT | SOFTPIN) != 0 {
        return Err(EINVAL);
    }
    let softpin = arg.flags & SOFTPIN != 0;
    // Who shares an address space has no say in it.
    if softpin && core.mmu().version() == Version::V1 {
        return Err(EINVAL);
    }
    if usize_of_u32(arg.stream_size / 4) > MAX_STREAM_WORDS
        || arg.nr_relocs > MAX_RELOCS
        || arg.nr_bos > MAX_BOS
        || arg.nr_pmrs > MAX_PMRS
    {
        return Err(EINVAL);
    }
    if !core.identity.features.contains(pipe.feature()) {
        return Err(EINVAL);
    }
    Ok(pipe)
}

fn copy(call: &Submission<'_>, arg: &GemSubmit) -> Result<Arrays> {
    let os = call.file.os();
    let words = |address: u64, count: u32, size: usize| {
        let bytes = u64::from(count).saturating_mul(u64_of(size));
        UserSlice::new(address, bytes).read_u32s(os, call.caller)
    };
    let bos = words(arg.bos, arg.nr_bos, SubmitBo::SIZE)?;
    let reloc_words = words(arg.relocs, arg.nr_relocs, SubmitReloc::SIZE)?;
    let pmrs = words(arg.pmrs, arg.nr_pmrs, SubmitPmr::SIZE)?;
    let stream = words(arg.stream, arg.stream_size, 1)?;
    let mut relocs = KVec::with_capacity(os, usize_of_u32(arg.nr_relocs))?;
    for reloc in reloc_words.chunks_exact(SubmitReloc::SIZE / 4) {
        let [submit_offset, reloc_idx, low, high, flags, pad] = *reloc else {
            return Err(EINVAL);
        };
        relocs.push(Reloc {
            submit_offset,
            reloc_idx,
            reloc_offset: u64::from(high) << 32 | u64::from(low),
            flags,
            pad,
        })?;
    }
    Ok(Arrays {
        bos,
        relocs,
        pmrs,
        stream,
    })
}

fn look_up(call: &Submission<'_>, flags: u32, words: &[u32]) -> Result<KVec<Named>> {
    let mut named = KVec::with_capacity(call.file.os(), words.len() / 4)?;
    for (turn, bo) in (0..words.len()).zip(words.chunks_exact(SubmitBo::SIZE / 4)) {
        call.caller.check_signals(turn)?;
        let [access, handle, low, high] = *bo else {
            return Err(EINVAL);
        };
        if access & !(BO_READ | BO_WRITE) != 0 {
            return Err(EINVAL);
        }
        let gem = call.file.gem(handle).map_err(|_| EINVAL)?;
        let usage = if access & BO_WRITE != 0 {
            Usage::Write
        } else {
            Usage::Read
        };
        let presumed = u64::from(high) << 32 | u64::from(low);
        named.push(Named {
            gem,
            usage,
            wanted: (flags & SOFTPIN != 0).then_some(presumed),
        })?;
    }
    Ok(named)
}

/// What a job costs the kernel, about: charged to the client, so that nobody queues jobs without end.
fn job_bytes(words: usize, bos: usize, requests: usize) -> u64 {
    const JOB: u64 = 1024;
    const BO: u64 = 64;
    u64_of(bos)
        .saturating_mul(BO)
        .saturating_add(u64_of(requests).saturating_mul(u64_of(size_of::<Request>())))
        .saturating_add(u64_of(words).saturating_mul(4))
        .saturating_add(JOB)
}

fn make_job(
    call: &Submission<'_>,
    pipe: Pipe,
    stream: CmdStream<Checked<'_>, KVec<u32>>,
    pmrs: &[u32],
    named: &[Named],
    refuse: &dyn Fn(Refused) -> Errno,
) -> Result<Job> {
    let file = call.file.driver();
    let os = call.file.os();
    let (uses, gems) = take(call, &file.context, named)?;
    let placed = |index: u32| {
        let index = usize_of_u32(index);
        Some(Placed {
            iova: u32::try_from(uses.get(index)?.start()).ok()?,
            bytes: named.get(index)?.gem.buffer().size(),
        })
    };
    let stream = stream.relocate(placed).map_err(refuse)?;
    let requests = requests(os, pipe, pmrs, named)?;
    let charge = Charge::new(
        call.file.account(),
        job_bytes(
            stream.words().len(),
            named.len(),
            pmrs.len() / (SubmitPmr::SIZE / 4),
        ),
    )?;
    Ok(Job {
        stream,
        pipe,
        context: file.context.clone(),
        stats: file.stats.clone(),
        requests,
        left: None,
        charge,
        uses,
        gems,
        fence: 0,
    })
}

type Taken = (KVec<Use>, KVec<Arc<EtnavivGem>>);

/// Has all buffers mapped.
fn take(call: &Submission<'_>, context: &Arc<Context>, named: &[Named]) -> Result<Taken> {
    let os = call.file.os();
    let mut uses = KVec::with_capacity(os, named.len())?;
    let mut gems = KVec::with_capacity(os, named.len())?;
    for (turn, n) in (0..named.len()).zip(named) {
        call.caller.check_signals(turn)?;
        let bo = n.gem.object();
        let prot = if bo.writable {
            Prot::READ | Prot::WRITE
        } else {
            Prot::READ
        };
        let held = || n.gem.is_held_by(call.file.id());
        uses.push(Use::new(context, n.gem.buffer(), n.wanted, prot, held)?)?;
        gems.push(n.gem.clone())?;
    }
    Ok((uses, gems))
}

/// The counters that a submit wants, checked: `read_offset` counts words, and word 0 is for the sequence number.
fn requests(os: Os, pipe: Pipe, words: &[u32], named: &[Named]) -> Result<Option<Arc<Requests>>> {
    if words.is_empty() {
        return Ok(None);
    }
    let mut list = KVec::with_capacity(os, words.len() / (SubmitPmr::SIZE / 4))?;
    let mut maps: KVec<KernelMap> = KVec::new(os);
    let mut mapped: KVec<(u32, usize)> = KVec::new(os);
    for pmr in words.chunks_exact(SubmitPmr::SIZE / 4) {
        let [flags, counter, sequence, word, buffer] = *pmr else {
            return Err(EINVAL);
        };
        let [domain, _, signal_low, signal_high] = counter.to_le_bytes();
        let signal = u16::from_le_bytes([signal_low, signal_high]);
        let named = named.get(usize_of_u32(buffer)).ok_or(EINVAL)?;
        let end = u64::from(word).saturating_add(1).saturating_mul(4);
        if word == 0 || end > named.gem.buffer().size() || flags & !(PMR_PRE | PMR_POST) != 0 {
            return Err(EINVAL);
        }
        let domain = pipe.domains().get(usize::from(domain)).ok_or(EINVAL)?;
        let signal = domain.signals.get(usize::from(signal)).ok_or(EINVAL)?;
        if !named.gem.object().writable {
            return Err(EINVAL);
        }
        let map = match mapped.iter().find(|(index, _)| *index == buffer) {
            Some((_, map)) => *map,
            None => {
                let map = maps.len();
                maps.push(named.gem.buffer().object().kernel_map()?)?;
                mapped.push((buffer, map))?;
                map
            }
        };
        list.push(Request {
            before: flags & PMR_PRE != 0,
            behind: flags & PMR_POST != 0,
            domain,
            sample: signal.sample,
            sequence,
            map,
            word,
        })?;
    }
    Arc::new(os, Requests { list, maps }).map(Some)
}

/// Puts a job into its queue, and tells the client its fence. Whatever fails does so before the job can run.
fn queue(
    call: &Submission<'_>,
    lane: &Lane,
    mut job: Job,
    named: &[Named],
    mut waits: FenceSet,
    arg: &mut GemSubmit,
) -> Result<()> {
    let core = &lane.core;
    let os = core.os();
    let account = call.file.account();
    let buffers = named.iter().map(|n| (n.gem.buffer(), n.usage));
    let reservation = Reservation::take(os, call.caller, buffers)?;
    if arg.flags & NO_IMPLICIT == 0 {
        reservation.dependencies(call.caller, &mut waits)?;
    }
    job.charge.grow(dependency_bytes(&waits))?;
    let charge = Charge::new(account, Fence::BYTES)?;
    let number = core.fences.reserve()?;
    job.fence = number;
    let job = match Holdings::new(os, &call.file.driver().remains, job) {
        Ok(job) => job,
        Err(e) => {
            core.fences.forget(number);
            return Err(e);
        }
    };
    let mut timeline = lane.timeline.lock();
    let prepared = core.queue.prepare(lane.entity, &mut timeline, charge, job);
    let (id, fence) = match prepared {
        Ok(prepared) => prepared,
        Err((e, job)) => {
            core.fences.forget(number);
            drop(job);
            return Err(e);
        }
    };
    core.fences.fill(number, &fence);
    let queued = Queue::depend(&core.queue, id, &waits)
        .and_then(|()| match arg.flags & FENCE_FD_OUT {
            0 => Ok(NO_DESCRIPTOR),
            _ => SyncFile::export(os, account, call.caller, fence.clone().into(), b"etnaviv"),
        })
        .and_then(|descriptor| core.queue.submit(&mut timeline, id).map(|()| descriptor));
    match queued {
        Ok(descriptor) => {
            reservation.add(&fence);
            arg.fence = number;
            arg.fence_fd = descriptor;
            Ok(())
        }
        Err(e) => {
            core.queue.abandon(id);
            core.fences.forget(number);
            // A device that goes cancels jobs that are being made.
            Err(if core.is_removed() { ENXIO } else { e })
        }
    }
}

const _: () = assert!(SubmitBo::SIZE == 16 && SubmitReloc::SIZE == 24 && SubmitPmr::SIZE == 20);
