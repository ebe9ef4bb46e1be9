// SPDX-License-Identifier: BSD-2-Clause
//! GEM_SUBMIT: from the arguments of the ioctl to a job in its run queue. The stream is copied
//! once, and validated in the copy, which no client can change. Only a validated stream can become
//! a job.

use crate::bo::EtnavivGem;
use crate::gpu_core::{Core, SLOT};
use crate::job::payload::Job;
use crate::job::ring::MAX_STREAM_WORDS;
use crate::mmu::space::Wish;
use crate::mmu::uses::BufferUses;
use crate::mmu::Version;
use crate::perfmon::requests::{Request, Requests};
use crate::perfmon_tables::Pipe;
use crate::stream::{Checked, CmdStream, Placed, Policy, Refused, Reloc, Validated};
use crate::uapi::{GemSubmit, SubmitBo, SubmitPmr, SubmitReloc};
use crate::Etnaviv;
use core::cell::Cell;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::driver::Call;
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::reservation::{Buffers, Reservation};
use drmkpi::os::{KernelMap, Os, UserSlice};
use drmkpi::runner::client::{Client, Submission};
use drmkpi::sync::fence::Fence;
use drmkpi::sync::fences::FenceSet;
use drmkpi::sync::resv::Usage;
use drmkpi::sync::sync_file::SyncFile;
use drmkpi::util::errno::{Errno, Result, EINVAL, ENOENT, ENOMEM};
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
/// `fence_fd` for a client that did not ask for a descriptor.
const NO_DESCRIPTOR: i32 = -1;
const MAX_BOS: u32 = 128 * 1024;
const MAX_RELOCS: u32 = 128 * 1024;
const MAX_PMRS: u32 = 128;

/// The words of a BO in the user's array.
const BO_WORDS: usize = SubmitBo::SIZE / 4;

type Submit<'a> = Call<'a, Etnaviv>;

/// The BOs that a submit names, and how the job uses them.
struct NamedBos<'a> {
    /// The user's array, in the kernel's memory.
    words: &'a [u32],
    gems: KVec<Arc<EtnavivGem>>,
    /// The client chooses their GPU addresses.
    softpin: bool,
}

impl NamedBos<'_> {
    /// How the job wants the BO with an index to be mapped.
    fn wish(&self, index: usize) -> Option<Wish<'_>> {
        let gem = self.gems.get(index)?;
        let [_, _, low, high] = *self.words.as_chunks::<BO_WORDS>().0.get(index)?;
        let presumed = u64::from(high) << 32 | u64::from(low);
        let bo = gem.object();
        Some(Wish {
            buffer: gem.buffer(),
            start: self.softpin.then_some(presumed),
            prot: match bo.writable {
                true => Prot::READ | Prot::WRITE,
                false => Prot::READ,
            },
            hint: &bo.region,
        })
    }
}

impl Buffers for NamedBos<'_> {
    fn count(&self) -> usize {
        self.gems.len()
    }

    fn at(&self, index: usize) -> Option<(&Buffer, Usage)> {
        let gem = self.gems.get(index)?;
        let [access, ..] = *self.words.as_chunks::<BO_WORDS>().0.get(index)?;
        let usage = match access & BO_WRITE {
            0 => Usage::Read,
            _ => Usage::Write,
        };
        Some((gem.buffer(), usage))
    }
}

/// GEM_SUBMIT. If the stream is refused, `why` is set to the reason.
///
/// # Errors
///
/// Those of etnaviv_ioctl_gem_submit() of Linux 6.1; EINVAL for a stream with a command that a
/// client may not use, and for a pipe that the core does not have.
pub(crate) fn submit(
    call: &Submit<'_>,
    arg: &mut GemSubmit,
    why: &Cell<Option<Refused>>,
) -> Result<()> {
    let gpu = call.device().data();
    let core = gpu.core(arg.pipe)?;
    let pipe = check(&core, arg)?;
    let os = call.file.os();
    let bos = array(arg.bos, arg.nr_bos, SubmitBo::SIZE)?.read_words(os, call.caller)?;
    let relocs = relocs(call, arg)?;
    let pmrs = array(arg.pmrs, arg.nr_pmrs, SubmitPmr::SIZE)?.read_u32s(os, call.caller)?;
    let stream = array(arg.stream, arg.stream_size, 1)?.read_u32s(os, call.caller)?;
    if arg.flags & SOFTPIN != 0 && !relocs.is_empty() {
        // A client that chooses the addresses needs no relocations.
        return Err(EINVAL);
    }
    let named = NamedBos {
        words: &bos,
        gems: look_up(call, &bos)?,
        softpin: arg.flags & SOFTPIN != 0,
    };
    let policy = match core.mmu().version() {
        Version::V1 => Policy::Mmuv1,
        Version::V2 | Version::V2Secure => Policy::Mmuv2,
    };
    let refuse = |refused: Refused| {
        why.set(Some(refused));
        EINVAL
    };
    let stream = CmdStream::new(stream)
        .validate(policy, &relocs)
        .map_err(refuse)?;
    let client = call.file.driver().client(gpu, arg.pipe)?;
    let mut waits = client.waits(SLOT)?;
    if arg.flags & FENCE_FD_IN != 0 {
        let fences = SyncFile::import(call.caller, arg.fence_fd)?;
        fences
            .parts()
            .iter()
            .try_for_each(|f| waits.add_pending(f))?;
    }
    let objects = take_objects(call, pipe, stream, &pmrs, &named, &refuse)?;
    queue(call, &client, objects, &named, waits, arg)
}

/// Checks the scalar arguments. Returns the pipe.
fn check(core: &Core, arg: &GemSubmit) -> Result<Pipe> {
    if !arg.stream_size.is_multiple_of(4) {
        return Err(EINVAL);
    }
    let pipe = Pipe::of(arg.exec_state).ok_or(EINVAL)?;
    if arg.flags & !(NO_IMPLICIT | FENCE_FD_IN | FENCE_FD_OUT | SOFTPIN) != 0 {
        return Err(EINVAL);
    }
    let softpin = arg.flags & SOFTPIN != 0;
    // A client cannot choose addresses in a VM that all clients share.
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

/// A user's array of `count` items of `size` bytes.
fn array(address: u64, count: u32, size: usize) -> Result<UserSlice> {
    let bytes = u64::from(count).checked_mul(u64_of(size));
    Ok(UserSlice::new(address, bytes.ok_or(EINVAL)?))
}

/// Copies the relocations from user space.
fn relocs(call: &Submit<'_>, arg: &GemSubmit) -> Result<KVec<Reloc>> {
    let os = call.file.os();
    let words = array(arg.relocs, arg.nr_relocs, SubmitReloc::SIZE)?.read_u32s(os, call.caller)?;
    let mut relocs = KVec::with_capacity(os, usize_of_u32(arg.nr_relocs))?;
    for reloc in words.chunks_exact(SubmitReloc::SIZE / 4) {
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
    Ok(relocs)
}

/// The objects of the BOs in a user's array.
fn look_up(call: &Submit<'_>, words: &[u32]) -> Result<KVec<Arc<EtnavivGem>>> {
    let bos = words.as_chunks::<BO_WORDS>().0;
    if bos
        .iter()
        .any(|[access, ..]| access & !(BO_READ | BO_WRITE) != 0)
    {
        return Err(EINVAL);
    }
    let mut gems = KVec::with_capacity(call.file.os(), bos.len())?;
    let handles = bos.iter().map(|[_, handle, ..]| *handle);
    let add = |gem: &Arc<EtnavivGem>, _: &()| gems.push(gem.clone());
    let found = call.file.for_each_gem(call.caller, handles, add);
    found.map_err(|e| if e == ENOENT { EINVAL } else { e })?;
    Ok(gems)
}

/// An estimate of the kernel memory of a job, in bytes. It is charged to the client, which bounds
/// the number of jobs that a client can queue.
fn job_bytes(words: usize, bos: usize, requests: usize) -> Option<u64> {
    const JOB: u64 = 1024;
    const BO: u64 = 64;
    let requests = u64_of(requests).checked_mul(u64_of(size_of::<Request>()))?;
    let bos = u64_of(bos).checked_mul(BO)?;
    let words = u64_of(words).checked_mul(4)?;
    JOB.checked_add(bos)?
        .checked_add(requests)?
        .checked_add(words)
}

/// The parts of a job, except its fence and its charge.
struct Objects {
    stream: CmdStream<Validated, KVec<u32>>,
    pipe: Pipe,
    requests: Option<Arc<Requests>>,
    uses: BufferUses,
    bytes: u64,
}

fn take_objects(
    call: &Submit<'_>,
    pipe: Pipe,
    stream: CmdStream<Checked<'_>, KVec<u32>>,
    pmrs: &[u32],
    named: &NamedBos<'_>,
    refuse: &dyn Fn(Refused) -> Errno,
) -> Result<Objects> {
    let file = call.file;
    let uses = BufferUses::new(
        &file.driver().vm,
        call.caller,
        named.gems.len(),
        |index| named.wish(index),
        |index| {
            let gem = named.gems.get(index);
            gem.is_some_and(|gem| gem.is_held_by(file.id()))
        },
    )?;
    let placed = |index: u32| {
        let index = usize_of_u32(index);
        Some(Placed {
            iova: uses.start(index)?,
            bytes: named.gems.get(index)?.buffer().size(),
        })
    };
    let stream = stream.relocate(placed).map_err(refuse)?;
    let requests = requests(file.os(), pipe, pmrs, &named.gems)?;
    let bytes = job_bytes(
        stream.words().len(),
        named.gems.len(),
        pmrs.len() / (SubmitPmr::SIZE / 4),
    )
    .ok_or(ENOMEM)?;
    Ok(Objects {
        stream,
        pipe,
        requests,
        uses,
        bytes,
    })
}

/// Checks the counter requests of a submit. `read_offset` is in words; word 0 receives the sequence
/// number.
fn requests(
    os: Os,
    pipe: Pipe,
    words: &[u32],
    gems: &[Arc<EtnavivGem>],
) -> Result<Option<Arc<Requests>>> {
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
        let gem = gems.get(usize_of_u32(buffer)).ok_or(EINVAL)?;
        let end = u64::from(word)
            .checked_add(1)
            .and_then(|n| n.checked_mul(4));
        let outside = end.is_none_or(|end| end > gem.buffer().size());
        if word == 0 || outside || flags & !(PMR_PRE | PMR_POST) != 0 {
            return Err(EINVAL);
        }
        let domain = pipe.domains().get(usize::from(domain)).ok_or(EINVAL)?;
        let signal = domain.signals.get(usize::from(signal)).ok_or(EINVAL)?;
        if !gem.object().writable {
            return Err(EINVAL);
        }
        let map = match mapped.iter().find(|(index, _)| *index == buffer) {
            Some((_, map)) => *map,
            None => {
                let map = maps.len();
                maps.push(gem.buffer().object().kernel_map()?)?;
                mapped.push((buffer, map))?;
                map
            }
        };
        list.push(Request {
            before: flags & PMR_PRE != 0,
            after: flags & PMR_POST != 0,
            domain,
            sample: signal.sample,
            sequence,
            map,
            word,
        })?;
    }
    Arc::new(os, Requests { list, maps }).map(Some)
}

/// Submits a job to its run queue, and stores its user fence id and sync_file in `arg`.
fn queue(
    call: &Submit<'_>,
    client: &Client<Core>,
    objects: Objects,
    named: &NamedBos<'_>,
    mut waits: FenceSet,
    arg: &mut GemSubmit,
) -> Result<()> {
    let core = client.device();
    let file = call.file.driver();
    let (os, account) = (core.os(), call.file.account());
    let implicit = (arg.flags & NO_IMPLICIT == 0).then_some(&mut waits);
    let reservation = Reservation::take(os, call.caller, named, implicit)?;
    let new = Submission {
        slot: SLOT,
        account,
        ended_jobs: &file.ended_jobs,
        reservation,
        waits,
        bytes: objects.bytes,
        sync_file: (arg.flags & FENCE_FD_OUT != 0).then_some((call.caller, b"etnaviv")),
    };
    // The id of the fence, once it has one. No client knows it before the submit returns it.
    let number = Cell::new(None);
    let prepare = |fence: &Arc<Fence>| {
        let id = core.fences.insert(fence)?;
        number.set(Some(id));
        Ok(id)
    };
    let make = |charge, id: &u32| {
        Ok(Job {
            stream: Some(objects.stream),
            pipe: objects.pipe,
            vm: file.vm.clone(),
            fence: *id,
            stats: file.stats.clone(),
            requests: objects.requests,
            left: None,
            uses: objects.uses,
            _charge: charge,
        })
    };
    match client.submit(new, prepare, make) {
        Ok((id, descriptor)) => {
            arg.fence = id;
            arg.fence_fd = descriptor.unwrap_or(NO_DESCRIPTOR);
            Ok(())
        }
        Err(e) => {
            if let Some(id) = number.get() {
                core.fences.forget(id);
            }
            Err(e)
        }
    }
}

const _: () = assert!(SubmitBo::SIZE == 16 && SubmitReloc::SIZE == 24 && SubmitPmr::SIZE == 20);
