// SPDX-License-Identifier: BSD-2-Clause
//! The job queue of a device: `drm_sched` under a lock, and jobs with fences.
//!
//! A job is prepared, told its dependencies and submitted with its timeline's lock held throughout,
//! so that the fences of one run queue are numbered in the order in which its jobs run. Every job
//! leaves by `retire`, whatever becomes of it: its holdings are left to the reaper, then its fence
//! is signaled.

use crate::alloc::{Arc, Hook, KBox, KVec};
use crate::os::{Mtx, MtxGuard, Os};
use crate::runner::holdings::{Holdings, Payload, Remains};
use crate::runner::storage::KernelStorage;
use crate::sync::fence::{Fence, FenceSet, PendingHooks, Signaler};
use crate::util::account::Charge;
use crate::util::errno::{Errno, Result, ECANCELED, EINVAL, ENOMEM, ENXIO, ETIMEDOUT};
use crate::util::int_conv::u64_of;
use drm_sched::{Config, EntityId, Error, JobId, Outcome, Scheduler, SlotConfig};

/// A job in the scheduler: the driver's part and the promise.
pub struct Entry<P> {
    /// The driver's part.
    pub payload: KBox<Holdings<P>>,
    signaler: Signaler,
}

/// Whether the hardware takes jobs.
pub struct State {
    /// Registers may be touched: the hardware has power, and no reset is under way.
    pub powered: bool,
    /// Jobs wait in their queues.
    pub(super) suspended: bool,
    /// Jobs fail until then, because the hardware did not come on; a time in ns.
    pub(super) broken_until: u64,
}

/// What the job lock guards: the scheduler, and what the hardware has of its jobs.
pub struct Engine<P, H> {
    /// Which job runs when.
    pub sched: Scheduler<Entry<P>, KernelStorage>,
    /// Whether the hardware takes jobs.
    pub state: State,
    /// What the driver knows of the hardware.
    pub hw: H,
}

/// Jobs of one device.
pub struct Queue<P, H> {
    os: Os,
    engine: Mtx<Engine<P, H>>,
    /// Hooks that `retire` had no time for.
    hooks: Mtx<Turns>,
    kick: Mtx<Option<Arc<dyn Hook>>>,
}

/// A job and its fence; or why there is none, and what it would have held.
pub type Prepared<P> = core::result::Result<(JobId, Arc<Fence>), (Errno, KBox<Holdings<P>>)>;

/// Jobs that are retired before others are started.
const RETIRED_AT_ONCE: u32 = 64;

/// Hooks of a job's fence that are called when it is signaled; the others are called later, so that
/// a fence with many hooks does not delay other clients' jobs.
const HOOKS_AT_ONCE: u32 = 4;

/// Fences with hooks left that get a turn before jobs are started, and hooks that are called in a
/// turn.
const HOOK_TURNS: u32 = 8;
const HOOKS_IN_TURN: u32 = 8;

/// Fences with hooks left, which take turns.
struct Turns {
    list: KVec<PendingHooks>,
    /// Whose turn is next.
    next: usize,
}

impl Turns {
    /// Takes the next one out, in constant time.
    fn take(&mut self) -> Option<PendingHooks> {
        if self.next >= self.list.len() {
            self.next = 0;
        }
        let taken = self.list.swap_remove(self.next);
        // OVERFLOW: it was below the length of the list.
        self.next = self.next.wrapping_add(1);
        taken
    }
}

/// The timeline of one entity's jobs.
pub struct Timeline {
    context: u64,
    seqno: u64,
}

impl Timeline {
    /// A timeline without fences.
    pub fn new(os: Os) -> Timeline {
        Timeline {
            context: os.unique(),
            seqno: 0,
        }
    }
}

/// What a refusal of the scheduler means to a client.
pub(super) fn errno(error: Error) -> Errno {
    match error {
        Error::NoMemory => ENOMEM,
        Error::Killed => ECANCELED,
        Error::Shutdown => ENXIO,
        Error::Invalid | Error::Busy | Error::Stale => EINVAL,
    }
}

impl<P: Payload, H: Send + 'static> Queue<P, H> {
    /// A queue for the hardware slots `slots`.
    ///
    /// # Errors
    ///
    /// ENOMEM, EINVAL.
    pub fn new(os: Os, slots: &[SlotConfig], config: Config, hw: H) -> Result<Arc<Self>> {
        let sched = Scheduler::new(&os, slots, config).map_err(errno)?;
        let state = State {
            powered: false,
            suspended: false,
            broken_until: 0,
        };
        let engine = Mtx::new(os, c"drm jobs", Engine { sched, state, hw })?;
        let turns = Turns {
            list: KVec::new(os),
            next: 0,
        };
        let hooks = Mtx::new(os, c"drm hooks", turns)?;
        let kick = Mtx::new(os, c"drm job kick", None)?;
        let queue = Queue {
            os,
            engine,
            hooks,
            kick,
        };
        Arc::new(os, queue)
    }

    /// What to call when a job may have become ready; `None` when the device is removed.
    pub(super) fn set_kick(&self, kick: Option<Arc<dyn Hook>>) {
        let old = core::mem::replace(&mut *self.kick.lock(), kick);
        drop(old);
    }

    /// Has ready jobs started soon.
    pub(super) fn kick(&self) {
        let kick = self.kick.lock().clone();
        if let Some(kick) = kick {
            kick.signaled(0);
        }
    }

    /// The scheduler and the hardware.
    pub fn lock(&self) -> MtxGuard<'_, Engine<P, H>> {
        self.engine.lock()
    }

    /// Makes a job for `entity` and its fence, which `charge` pays for. It does not run before
    /// `submit`.
    ///
    /// # Errors
    ///
    /// ENOMEM, ECANCELED when the run queue was killed, ENXIO when the device is gone; with the
    /// payload, which may sleep when it is dropped: the caller holds a lock.
    pub(super) fn prepare(
        &self,
        entity: EntityId,
        timeline: &mut Timeline,
        charge: Charge,
        payload: KBox<Holdings<P>>,
    ) -> Prepared<P> {
        let seqno = timeline.seqno.wrapping_add(1);
        let signaler = match Fence::promise(self.os, timeline.context, seqno, Some(charge)) {
            Ok(signaler) => signaler,
            Err(e) => return Err((e, payload)),
        };
        let fence = signaler.fence().clone();
        let entry = Entry { payload, signaler };
        let prepared = self.lock().sched.prepare(entity, entry);
        let id = prepared.map_err(|(e, entry)| (errno(e), entry.payload))?;
        timeline.seqno = seqno;
        Ok((id, fence))
    }

    /// Makes a prepared job wait for `fences`.
    ///
    /// # Errors
    ///
    /// ENOMEM; the job is to be given up with `abandon`.
    pub(super) fn depend(this: &Arc<Self>, id: JobId, fences: &FenceSet) -> Result<()> {
        if fences.is_empty() {
            return Ok(());
        }
        let hook = this.clone().into_hook();
        let mut waits = KVec::with_capacity(this.os, fences.len())?;
        for fence in fences.iter() {
            if fence.is_signaled() {
                continue;
            }
            this.lock().sched.add_dependency(id).map_err(errno)?;
            match Fence::hook(fence, &hook, id.to_bits()) {
                Ok(Some(hooked)) => waits.push(hooked)?,
                over => {
                    this.lock().sched.dependency_done(id, Ok(()));
                    over?;
                }
            }
        }
        // The job keeps its hooks, so that they are dropped with it. One that was cancelled
        // meanwhile needs none.
        let unused = match this.lock().sched.job_mut(id) {
            Some(entry) => core::mem::replace(&mut entry.payload.waits, waits),
            None => waits,
        };
        drop(unused);
        Ok(())
    }

    /// Queues a prepared job; it runs when its dependencies are signaled and its turn has come.
    ///
    /// # Errors
    ///
    /// ECANCELED when the run queue was killed meanwhile; the fence has that error, too.
    pub(super) fn submit(&self, _timeline: &mut Timeline, id: JobId) -> Result<()> {
        self.lock().sched.submit(id).map_err(errno)
    }

    /// Gives up a prepared job: its fence is signaled ECANCELED and what it held is dropped.
    pub(super) fn abandon(&self, id: JobId) {
        let job = self.lock().sched.abandon(id);
        drop(job);
    }

    /// Retires jobs that have ended: `count` sees each with its time in the hardware in ns, its
    /// holdings are left to the reaper, its fence is signaled, and `signaled` gets what `count`
    /// returned. Frees nothing whose size a client chose, and takes no lock of a client. True if
    /// there may be more: then it is to be called again, after jobs were started.
    pub(super) fn retire<T>(
        &self,
        mut count: impl FnMut(&P, u64) -> T,
        mut signaled: impl FnMut(T),
    ) -> bool {
        self.call_pending();
        for _ in 0..RETIRED_AT_ONCE {
            let done = self.lock().sched.pop_done();
            let Some(done) = done else {
                return !self.hooks.lock().list.is_empty();
            };
            let outcome = match done.outcome {
                Outcome::Done => Ok(()),
                Outcome::Failed(n) => Err(Errno::check(n).err().unwrap_or(EINVAL)),
                Outcome::Cancelled => Err(ECANCELED),
                Outcome::TimedOut => Err(ETIMEDOUT),
            };
            let Entry { payload, signaler } = done.payload;
            let counted = count(&payload, done.run_ns);
            Remains::leave(payload);
            if let Some(hooks) = signaler.signal_without_hooks(outcome) {
                self.call_hooks(hooks, HOOKS_AT_ONCE);
            }
            signaled(counted);
        }
        true
    }

    /// Calls up to `count` hooks of a signaled fence, and leaves the others to `call_pending`.
    fn call_hooks(&self, mut hooks: PendingHooks, count: u32) {
        if !hooks.call(count) {
            let refused = self.hooks.lock().list.try_push(hooks);
            // Without memory for the list they are called now.
            drop(refused);
        }
    }

    /// Calls hooks of fences that were signaled earlier, some of each.
    fn call_pending(&self) {
        for _ in 0..HOOK_TURNS {
            let next = self.hooks.lock().take();
            let Some(hooks) = next else { break };
            self.call_hooks(hooks, HOOKS_IN_TURN);
        }
    }
}

impl<P: Payload, H: Send + 'static> Hook for Queue<P, H> {
    fn signaled(&self, token: u64) {
        let ready = self
            .lock()
            .sched
            .dependency_done(JobId::from_bits(token), Ok(()));
        if ready.is_some() {
            self.kick();
        }
    }
}

/// What the dependencies of a job cost the kernel, about: charged with the job.
pub(super) fn dependency_bytes(fences: &FenceSet) -> u64 {
    const EACH: u64 = 96;
    u64_of(fences.len()).saturating_mul(EACH)
}
