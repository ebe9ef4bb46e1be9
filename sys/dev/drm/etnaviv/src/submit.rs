// SPDX-License-Identifier: BSD-2-Clause
//! GEM_SUBMIT: from a user's structure to a job in its queue. The stream is copied once, looked at where no
//! client can change it, and only what passed can become a job.

use crate::context::Use;
use crate::device::JobQueue;
use crate::driver::{Etnaviv, EtnavivGem};
use crate::ioctls::check_pipe;
use crate::jobs::Job;
use crate::ring::MAX_STREAM_WORDS;
use crate::stream::{CmdStream, Policy, Validated};
use crate::uapi::{GemSubmit, SubmitBo};
use drm_sched::JobId;
use drmkpi::account::Charge;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::driver::Call;
use drmkpi::errno::{Result, EINVAL};
use drmkpi::fence::Fence;
use drmkpi::jobs::{Dependencies, Queue};
use drmkpi::num::{u64_of, usize_of_u32};
use drmkpi::os::{Caller, Os, ResvGuard, UserSlice};
use drmkpi::resv::Usage;
use drmkpi::sync_file::SyncFile;
use drmkpi::uapi::Uapi;

const NO_IMPLICIT: u32 = 1;
const FENCE_FD_IN: u32 = 2;
const FENCE_FD_OUT: u32 = 4;
const SOFTPIN: u32 = 8;
const BO_READ: u32 = 1;
const BO_WRITE: u32 = 2;
/// PIPE_3D.
const EXEC_3D: u32 = 0;
const MAX_BOS: u32 = 128 * 1024;

/// A buffer that a job names, and what it does with it.
struct Named {
    gem: Arc<EtnavivGem>,
    usage: Usage,
    va: u64,
}

/// Does GEM_SUBMIT. The errors are those of etnaviv_ioctl_gem_submit() of Linux 6.1; a stream that asks for what
/// a client may not do is EINVAL. As there, a job runs although its out-fence found no descriptor.
pub(crate) fn submit(call: &Call<'_, Etnaviv>, arg: &mut GemSubmit) -> Result<()> {
    check_pipe(arg.pipe)?;
    if arg.flags & !(NO_IMPLICIT | FENCE_FD_IN | FENCE_FD_OUT | SOFTPIN) != 0 || arg.exec_state != EXEC_3D {
        return Err(EINVAL);
    }
    // Addresses are the clients' on this MMU, and there are no counters.
    if arg.flags & SOFTPIN == 0 || arg.nr_relocs != 0 || arg.nr_pmrs != 0 {
        return Err(EINVAL);
    }
    if !arg.stream_size.is_multiple_of(4) || usize_of_u32(arg.stream_size / 4) > MAX_STREAM_WORDS {
        return Err(EINVAL);
    }
    let os = call.file.os();
    let stream = read_stream(call, arg)?;
    let named = look_up(call, arg)?;
    let mut waits = Dependencies::new(os);
    if arg.flags & FENCE_FD_IN != 0 {
        waits.add(&SyncFile::import(os, call.caller, arg.fence_fd)?)?;
    }
    let fence = queue(call, arg, stream, named, waits)?;
    call.device().data().queue.kick();
    if arg.flags & FENCE_FD_OUT != 0 {
        arg.fence_fd = export(os, call.caller, fence)?;
    }
    Ok(())
}

fn export(os: Os, caller: &Caller<'_>, fence: Arc<Fence>) -> Result<i32> {
    let mut fences = KVec::new(os);
    fences.push(fence)?;
    let mut name = [0; 32];
    for (to, from) in name.iter_mut().zip(b"etnaviv") {
        *to = *from;
    }
    SyncFile::export(os, caller, fences, name)
}

fn read_stream(call: &Call<'_, Etnaviv>, arg: &GemSubmit) -> Result<CmdStream<Validated, KVec<u32>>> {
    let words =
        UserSlice::new(arg.stream, u64::from(arg.stream_size)).read_u32s(call.file.os(), call.caller)?;
    let checked = CmdStream::new(words)
        .validate(Policy::Mmuv2, &[])
        .and_then(|stream| stream.relocate(|_| None));
    checked.map_err(|refused| {
        call.device()
            .log_client(format_args!("process {}: {refused}", call.caller.pid()));
        EINVAL
    })
}

fn look_up(call: &Call<'_, Etnaviv>, arg: &GemSubmit) -> Result<KVec<Named>> {
    if arg.nr_bos > MAX_BOS {
        return Err(EINVAL);
    }
    let os = call.file.os();
    let bytes = u64::from(arg.nr_bos).saturating_mul(u64_of(SubmitBo::SIZE));
    let words = UserSlice::new(arg.bos, bytes).read_u32s(os, call.caller)?;
    let mut named = KVec::with_capacity(os, usize_of_u32(arg.nr_bos))?;
    for bo in words.chunks_exact(SubmitBo::SIZE / 4) {
        let [flags, handle, low, high] = *bo else {
            return Err(EINVAL);
        };
        if flags == 0 || flags & !(BO_READ | BO_WRITE) != 0 {
            return Err(EINVAL);
        }
        let gem = call.file.gem(handle).map_err(|_| EINVAL)?;
        let usage = if flags & BO_WRITE != 0 {
            Usage::Write
        } else {
            Usage::Read
        };
        named.push(Named {
            gem,
            usage,
            va: u64::from(high) << 32 | u64::from(low),
        })?;
    }
    let lock = os.resv_lock();
    let submit = os.unique();
    named
        .iter()
        .try_for_each(|n: &Named| n.gem.object().name(&lock, submit))?;
    drop(lock);
    Ok(named)
}

/// What a job costs the kernel, about: charged to the client, so that nobody queues jobs without end.
fn job_bytes(words: usize, bos: usize) -> u64 {
    const JOB: u64 = 1024;
    const BO: u64 = 64;
    u64_of(bos)
        .saturating_mul(BO)
        .saturating_add(u64_of(words).saturating_mul(4))
        .saturating_add(JOB)
}

fn queue(
    call: &Call<'_, Etnaviv>,
    arg: &mut GemSubmit,
    stream: CmdStream<Validated, KVec<u32>>,
    named: KVec<Named>,
    waits: Dependencies,
) -> Result<Arc<Fence>> {
    let gpu = call.device().data();
    let file = call.file.driver();
    let os = call.file.os();
    let mut uses = KVec::with_capacity(os, named.len())?;
    let mut gems = KVec::with_capacity(os, named.len())?;
    for n in named.iter() {
        uses.push(Use::new(&file.context, n.gem.buffer(), n.va)?)?;
        gems.push(n.gem.clone())?;
    }
    // Held here too: where a job that is not taken is dropped, its uses could not end.
    let uses = Arc::new(os, uses)?;
    let charge = Charge::new(call.file.account(), job_bytes(stream.words().len(), named.len()))?;
    // Numbered by a fence of its own first, so that nothing can fail once the job is prepared.
    let stand_in = Fence::stub(os)?;
    let number = gpu.number_fence(&stand_in)?;
    let job = Job {
        stream,
        context: file.context.clone(),
        fence: number,
        stats: file.stats.clone(),
        _charge: charge,
        _uses: uses.clone(),
        _gems: gems,
    };
    let lock = os.resv_lock();
    let prepared = {
        let mut timeline = file.timeline.lock();
        gpu.queue.prepare(&lock, file.entity, &mut timeline, job)
    };
    let (id, fence) = match prepared {
        Ok(prepared) => prepared,
        Err(e) => {
            drop(lock);
            gpu.forget_fence(number);
            return Err(e);
        }
    };
    let queued = reserve(
        &lock,
        &gpu.queue,
        id,
        &named,
        waits,
        &fence,
        arg.flags & NO_IMPLICIT != 0,
    );
    if queued.is_ok() {
        gpu.renumber_fence(number, &fence);
    }
    drop(lock);
    if let Err(e) = queued {
        gpu.queue.abandon(id);
        gpu.forget_fence(number);
        return Err(e);
    }
    arg.fence = number;
    Ok(fence)
}

/// Makes the job wait for the other users of its buffers, makes later users wait for it, and queues it.
fn reserve(
    lock: &ResvGuard,
    queue: &Arc<JobQueue>,
    id: JobId,
    named: &[Named],
    mut waits: Dependencies,
    fence: &Arc<Fence>,
    no_implicit: bool,
) -> Result<()> {
    for n in named {
        n.gem.buffer().resv().prepare(lock, n.usage, |other| {
            if no_implicit {
                return Ok(());
            }
            waits.add(other)
        })?;
    }
    Queue::depend(queue, id, waits.fences())?;
    queue.submit(lock, id)?;
    for n in named {
        n.gem.buffer().resv().add(lock, fence, n.usage);
    }
    Ok(())
}

const _: () = assert!(SubmitBo::SIZE == 16);
