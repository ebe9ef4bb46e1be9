// SPDX-License-Identifier: BSD-2-Clause
//! The job queue of a device: `drm_sched` under a lock, and jobs with fences.
//!
//! The lock of a run queue's timeline is held while a job is prepared, its dependencies are added
//! and it is submitted, so that the fences of a run queue are numbered in the order in which its
//! jobs run. Every job ends in `retire`, however it has ended: its holdings are added to the list
//! of its file, then its fence is signaled.

use crate::alloc::{Arc, Hook, KBox, KVec};
use crate::os::{Mtx, MtxGuard, Os};
use crate::runner::holdings::{EndedJobs, Holdings, Payload};
use crate::runner::kernel_arrays::KernelStorage;
use crate::runner::timers::Timers;
use crate::sync::fence::{Fence, PendingHooks, Signaler};
use crate::sync::fences::FenceSet;
use crate::util::account::Charge;
use crate::util::errno::{Errno, Result, ECANCELED, EINVAL, ENOMEM, ENXIO, ETIMEDOUT};
use crate::util::int_conv::u64_of;
use core::sync::atomic::{AtomicBool, Ordering};
use drm_sched::{Config, EntityId, Error, JobId, Outcome, Scheduler, SlotConfig};

/// A job in the scheduler: its holdings, and the signaler of its fence.
pub struct Entry<P> {
    /// What the job holds, with the driver's part.
    pub payload: KBox<Holdings<P>>,
    pub(super) signaler: Signaler,
}

/// Whether the hardware accepts jobs.
pub struct State {
    /// Registers may be accessed: the hardware has power, and no reset is in progress.
    pub powered: bool,
    /// The device is suspended: jobs wait in their queues.
    pub(super) suspended: bool,
    /// Until this time, in ns, jobs fail, because the device could not be turned on.
    pub(super) broken_until: u64,
    /// A job could not be started: none is before the job task has reset the device.
    pub(super) needs_reset: bool,
    /// A VM waits for the job task to drop it.
    pub(super) releasing: bool,
    pub(super) timers: Timers,
}

/// What the job lock guards: the scheduler, and the state of the hardware.
pub struct Engine<P, H> {
    /// The scheduler, with all jobs.
    pub sched: Scheduler<Entry<P>, KernelStorage>,
    /// Whether the hardware accepts jobs.
    pub state: State,
    /// The driver's state of the hardware's queues.
    pub hw: H,
}

/// The jobs of one device.
pub struct Queue<P, H> {
    os: Os,
    engine: Mtx<Engine<P, H>>,
    /// Pending hooks, which `retire` did not call at once.
    hooks: Mtx<Turns>,
    /// Whether there are any. Only the thread that retires jobs changes it.
    has_hooks: AtomicBool,
    /// Whether a thread is retiring jobs: one at a time does, so that the fences of a run queue are
    /// signaled in order.
    retiring: AtomicBool,
    kick: Mtx<Option<Arc<dyn Hook>>>,
}

/// The job, with the job lock held, and what `publish` has returned; or the error, and the job if
/// it is not discarded yet.
pub(super) type Queued<'a, P, H, T> =
    core::result::Result<(JobId, MtxGuard<'a, Engine<P, H>>, Option<T>), (Errno, Option<Entry<P>>)>;

/// The number of hooks of a job's fence that are called when it is signaled. The others are called
/// later, so that a fence with many hooks does not delay the jobs of other clients.
const HOOKS_AT_ONCE: u32 = 4;

/// The number of fences of which pending hooks are called before jobs are started, and the number
/// of hooks of each.
const HOOK_TURNS: u32 = 8;
const HOOKS_IN_TURN: u32 = 8;

/// Fences with pending hooks, which take turns.
struct Turns {
    list: KVec<PendingHooks>,
    /// The index of the fence whose turn is next.
    next: usize,
}

impl Turns {
    /// Removes the next one, in constant time.
    fn take(&mut self) -> Option<PendingHooks> {
        if self.next >= self.list.len() {
            self.next = 0;
        }
        let taken = self.list.swap_remove(self.next);
        // OVERFLOW: none, for it is below the length of the list.
        self.next = self.next.wrapping_add(1);
        taken
    }
}

/// The timeline of one run queue's jobs: a fence context, and the latest sequence number.
pub struct Timeline {
    context: u64,
    seqno: u64,
}

impl Timeline {
    /// A timeline without fences, with a fence context from `Os::unique`.
    pub(super) fn new(context: u64) -> Timeline {
        Timeline { context, seqno: 0 }
    }
}

/// The errno for an error of the scheduler.
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
            needs_reset: false,
            releasing: false,
            timers: Timers::new(),
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
            has_hooks: AtomicBool::new(false),
            retiring: AtomicBool::new(false),
            kick,
        };
        Arc::new(os, queue)
    }

    /// Sets the hook that is called when a job may have become ready; `None` once the device is
    /// detached. When this returns, no thread is calling the old one.
    pub(super) fn set_kick(&self, kick: Option<Arc<dyn Hook>>) {
        let old = core::mem::replace(&mut *self.kick.lock(), kick);
        drop(old);
    }

    /// Calls that hook, which has ready jobs started.
    pub(super) fn kick(&self) {
        // Called with the lock held, so that no reference to the task outlives `set_kick`.
        if let Some(kick) = self.kick.lock().as_ref() {
            kick.signaled(0);
        }
    }

    /// Takes the job lock.
    pub fn lock(&self) -> MtxGuard<'_, Engine<P, H>> {
        self.engine.lock()
    }

    /// Makes the fence of a job, the next one of `timeline`. Its memory is charged to `charge`. The
    /// caller holds the timeline's lock until the job is queued.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(super) fn promise(&self, timeline: &mut Timeline, charge: Charge) -> Result<Signaler> {
        // OVERFLOW: a sequence number; 2^64 jobs take centuries.
        let seqno = timeline.seqno.wrapping_add(1);
        let signaler = Fence::promise(self.os, timeline.context, seqno, Some(charge))?;
        timeline.seqno = seqno;
        Ok(signaler)
    }

    /// Queues a job of `entity`, which runs after `fences` are signaled. Returns with the job lock
    /// held, and with the result of `publish`, if that is given: the last step that can fail, but
    /// for a detach, which ends all jobs in order. It makes the job's fence visible to clients. On
    /// an error the job is dropped or returned, and its fence, which is not visible, is signaled
    /// with ECANCELED when the job is dropped. A job that is cancelled after `publish` ends in the
    /// order of its run queue.
    ///
    /// # Errors
    ///
    /// ENOMEM; ECANCELED if the run queue was killed; ENXIO if the device is being detached; the
    /// errors of `publish`.
    pub(super) fn queue<'a, T>(
        this: &'a Arc<Self>,
        entity: EntityId,
        entry: Entry<P>,
        fences: &FenceSet,
        publish: Option<impl FnOnce() -> Result<T>>,
    ) -> Queued<'a, P, H, T> {
        let mut engine = this.lock();
        let prepared = engine.sched.prepare(entity, entry);
        let id = prepared.map_err(|(e, entry)| (errno(e), Some(entry)))?;
        let mut published = None;
        if !fences.is_empty() || publish.is_some() {
            drop(engine);
            let depends = Queue::depend(this, id, fences);
            match depends.and_then(|()| publish.map(|publish| publish()).transpose()) {
                Ok(result) => published = result,
                Err(e) => return Err((e, this.abandon(id))),
            }
            engine = this.lock();
        }
        match engine.sched.submit(id) {
            Ok(()) => Ok((id, engine, published)),
            Err(e) => {
                drop(engine);
                // It is cancelled already, and ends in order: there is none to abandon.
                Err((errno(e), this.abandon(id)))
            }
        }
    }

    /// Makes a prepared job wait for `fences`.
    ///
    /// # Errors
    ///
    /// ENOMEM; the caller then calls `abandon`.
    fn depend(this: &Arc<Self>, id: JobId, fences: &FenceSet) -> Result<()> {
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
                not_hooked => {
                    // It was signaled meanwhile, or there is no memory for the hook.
                    this.lock().sched.dependency_done(id, Ok(()));
                    not_hooked?;
                }
            }
        }
        // The job keeps its hooks, which are dropped with it. A job that was cancelled meanwhile
        // needs none.
        let unused = match this.lock().sched.job_mut(id) {
            Some(entry) => core::mem::replace(&mut entry.payload.waits, waits),
            None => waits,
        };
        drop(unused);
        Ok(())
    }

    /// Takes a prepared job back, unless it was cancelled. Dropping it signals its fence with
    /// ECANCELED, and drops its holdings.
    fn abandon(&self, id: JobId) -> Option<Entry<P>> {
        self.lock().sched.abandon(id)
    }

    /// Releases the job lock, and retires at most `at_once` jobs that have ended. For each, calls
    /// `count` with its payload and its time in the hardware in ns, adds its holdings to the list
    /// of its file, signals its fence, and calls `signaled` with the result of `count`. Frees
    /// nothing whose size a client chose, and takes no lock of a client. `now` is the time in ns if
    /// the caller has just read it. Returns whether there may
    /// be more, or another thread is retiring jobs: then it has to be called again later.
    pub(super) fn retire<T>(
        &self,
        engine: MtxGuard<'_, Engine<P, H>>,
        now: Option<u64>,
        at_once: u32,
        count: impl FnMut(&P, u64) -> T,
        signaled: impl FnMut(T),
    ) -> bool {
        if !engine.sched.has_done() && !self.has_hooks.load(Ordering::Relaxed) {
            return false;
        }
        // ORDERING: what the thread before has done to `hooks` and `has_hooks` is visible.
        if self.retiring.swap(true, Ordering::Acquire) {
            return true;
        }
        let more = self.retire_alone(engine, now, at_once, count, signaled);
        self.retiring.store(false, Ordering::Release);
        more
    }

    fn retire_alone<T>(
        &self,
        engine: MtxGuard<'_, Engine<P, H>>,
        now: Option<u64>,
        at_once: u32,
        mut count: impl FnMut(&P, u64) -> T,
        mut signaled: impl FnMut(T),
    ) -> bool {
        let mut engine = Some(engine);
        if self.has_hooks.load(Ordering::Relaxed) {
            engine = None;
            self.call_pending();
        }
        for _ in 0..at_once {
            let mut held = engine.take().unwrap_or_else(|| self.lock());
            let done = held.sched.pop_done();
            let more = held.sched.has_done();
            drop(held);
            if let Some(done) = done {
                let outcome = match done.outcome {
                    Outcome::Done => Ok(()),
                    Outcome::Failed(n) => Err(Errno::check(n).err().unwrap_or(EINVAL)),
                    Outcome::Cancelled => Err(ECANCELED),
                    Outcome::TimedOut => Err(ETIMEDOUT),
                };
                let Entry { payload, signaler } = done.payload;
                let counted = count(&payload, done.run_ns);
                EndedJobs::add(payload);
                let when = now.unwrap_or_else(|| self.os.now());
                if let Some(hooks) = signaler.signal_without_hooks(outcome, when) {
                    self.call_hooks(hooks, HOOKS_AT_ONCE);
                }
                signaled(counted);
            }
            if !more {
                return self.has_hooks.load(Ordering::Relaxed);
            }
        }
        true
    }

    /// Calls at most `count` hooks of a signaled fence. `call_pending` calls the others.
    fn call_hooks(&self, mut hooks: PendingHooks, count: u32) {
        if !hooks.call(count) {
            self.has_hooks.store(true, Ordering::Relaxed);
            let refused = self.hooks.lock().list.try_push(hooks);
            // If there is no memory for the list, dropping them calls them now.
            drop(refused);
        }
    }

    /// Calls pending hooks of fences that were signaled earlier, a few of each.
    fn call_pending(&self) {
        // ORDERING: `retiring`: one thread at a time retires jobs, and no other reads it.
        if !self.has_hooks.swap(false, Ordering::Relaxed) {
            return;
        }
        for _ in 0..HOOK_TURNS {
            let next = self.hooks.lock().take();
            let Some(hooks) = next else { return };
            self.call_hooks(hooks, HOOKS_IN_TURN);
        }
        // There may be more.
        self.has_hooks.store(true, Ordering::Relaxed);
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

/// An estimate of the kernel memory of a job's dependencies, in bytes, which is charged with the
/// job.
pub(super) fn dependency_bytes(fences: &FenceSet) -> u64 {
    const EACH: u64 = 96;
    // OVERFLOW: saturates: an account refuses such an amount.
    u64_of(fences.len()).saturating_mul(EACH)
}
