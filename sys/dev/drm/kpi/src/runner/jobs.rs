// SPDX-License-Identifier: BSD-2-Clause
//! The scheduler at work: `drm_sched` under a lock, jobs with fences, and the one way out for all of them.
//!
//! A job is prepared, told its dependencies and submitted, with its timeline's lock held from the first to the last, so
//! that fences of one entity are numbered in the order in which its jobs run. Whatever becomes of it, it leaves by
//! `retire`, which tells the driver, leaves what the job held to the reaper and signals the fence.

use crate::alloc::{Arc, Hook, KBox, KVec};
use crate::os::{Mtx, MtxGuard, Os};
use crate::runner::reaper::{Holdings, Remains};
use crate::runner::storage::KernelStorage;
use crate::sync::fence::{Fence, FenceSet, Signaler, Untold};
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

/// What the queue's lock guards: the scheduler, and the driver's view of the hardware that runs its jobs.
pub struct Engine<P, H> {
    /// Who runs when.
    pub sched: Scheduler<Entry<P>, KernelStorage>,
    /// What the driver knows of the hardware.
    pub hw: H,
}

/// Jobs of one device.
pub struct Queue<P, H> {
    os: Os,
    engine: Mtx<Engine<P, H>>,
    /// Hooks that `retire` had no time for.
    untold: Mtx<KVec<Untold>>,
    kick: Mtx<Option<Arc<dyn Hook>>>,
}

/// A job that has left the scheduler, as `retire` shows it to the driver.
pub struct Retired<'a, P> {
    /// The driver's part.
    pub payload: &'a P,
    /// How it ended.
    pub outcome: Result<()>,
    /// Time in the hardware, ns.
    pub run_ns: u64,
}

/// A job and its fence; or why there is none, and what it would have held.
pub type Prepared<P> = core::result::Result<(JobId, Arc<Fence>), (Errno, KBox<Holdings<P>>)>;

/// Jobs that are let go before others are started.
const RETIRED_AT_ONCE: u32 = 64;

/// Hooks of a job's fence that are told at once, for whoever else has more than those waiting.
const TOLD_OF_EACH: u32 = 4;

/// Turns of [`TOLD_IN_TURN`] hooks that are told before others are started, of fences that have
/// more.
const TURNS_OF_HOOKS: u32 = 8;
const TOLD_IN_TURN: u32 = 8;

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
pub fn errno(error: Error) -> Errno {
    match error {
        Error::NoMemory => ENOMEM,
        Error::Killed => ECANCELED,
        Error::Shutdown => ENXIO,
        Error::Invalid | Error::Busy | Error::Stale => EINVAL,
    }
}

impl<P: Send + 'static, H: Send + 'static> Queue<P, H> {
    /// A queue for the hardware slots `slots`.
    ///
    /// # Errors
    ///
    /// ENOMEM, EINVAL.
    pub fn new(os: Os, slots: &[SlotConfig], config: Config, hw: H) -> Result<Arc<Self>> {
        let sched = Scheduler::new(&os, slots, config).map_err(errno)?;
        let engine = Mtx::new(os, c"drm jobs", Engine { sched, hw })?;
        let untold = Mtx::new(os, c"drm untold", KVec::new(os))?;
        let kick = Mtx::new(os, c"drm job kick", None)?;
        let queue = Queue {
            os,
            engine,
            untold,
            kick,
        };
        Arc::new(os, queue)
    }

    /// What is to be enqueued when a job may have become ready; None when the device goes.
    pub fn set_kick(&self, kick: Option<Arc<dyn Hook>>) {
        let old = core::mem::replace(&mut *self.kick.lock(), kick);
        drop(old);
    }

    /// Has ready jobs started soon.
    pub fn kick(&self) {
        let kick = self.kick.lock().clone();
        if let Some(kick) = kick {
            kick.signaled(0);
        }
    }

    /// The scheduler and the hardware.
    pub fn lock(&self) -> MtxGuard<'_, Engine<P, H>> {
        self.engine.lock()
    }

    /// A job for `entity`, with its fence, which is charged to `charge`, that waits for `submit`.
    ///
    /// # Errors
    ///
    /// ENOMEM, ECANCELED when the entity was killed, ENXIO when the device is gone; with the payload, which may sleep
    /// when it is dropped, and a lock is held.
    pub fn prepare(
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
    pub fn depend(this: &Arc<Self>, id: JobId, fences: &FenceSet) -> Result<()> {
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
        // The job keeps its hooks, so that they go with it. One that was cancelled meanwhile needs none.
        let unused = match this.lock().sched.job_mut(id) {
            Some(entry) => core::mem::replace(&mut entry.payload.waits, waits),
            None => waits,
        };
        drop(unused);
        Ok(())
    }

    /// Queues a prepared job; it runs when its dependencies are over and its turn has come.
    ///
    /// # Errors
    ///
    /// ECANCELED when the entity was killed meanwhile; the fence tells that, too.
    pub fn submit(&self, _timeline: &mut Timeline, id: JobId) -> Result<()> {
        self.lock().sched.submit(id).map_err(errno)
    }

    /// Gives up a prepared job: its fence is signaled ECANCELED and what it held is dropped.
    pub fn abandon(&self, id: JobId) {
        let job = self.lock().sched.abandon(id);
        drop(job);
    }

    /// Lets jobs go that are over: `tell`s the driver, leaves what they hold to the reaper and
    /// signals their fences. `after` gets what `tell` said, when the fence is signaled. Frees
    /// nothing that a client chose the size of, and takes no lock of a client. True: there may be
    /// more, for another turn, as others have jobs to be started.
    pub fn retire<T>(
        &self,
        mut tell: impl FnMut(Retired<'_, P>) -> T,
        mut after: impl FnMut(T),
    ) -> bool {
        self.tell_more();
        for _ in 0..RETIRED_AT_ONCE {
            let done = self.lock().sched.pop_done();
            let Some(done) = done else {
                return !self.untold.lock().is_empty();
            };
            let outcome = match done.outcome {
                Outcome::Done => Ok(()),
                Outcome::Failed(n) => Err(Errno::check(n).err().unwrap_or(EINVAL)),
                Outcome::Cancelled => Err(ECANCELED),
                Outcome::TimedOut => Err(ETIMEDOUT),
            };
            let Entry { payload, signaler } = done.payload;
            let told = tell(Retired {
                payload: &payload,
                outcome,
                run_ns: done.run_ns,
            });
            Remains::leave(payload);
            if let Some(hooks) = signaler.end(outcome) {
                self.tell(hooks, TOLD_OF_EACH);
            }
            after(told);
        }
        true
    }

    /// Tells `at_once` hooks at the most, and leaves the others to another turn.
    fn tell(&self, mut hooks: Untold, at_once: u32) {
        if !hooks.tell(at_once) {
            let refused = self.untold.lock().try_push(hooks);
            // Without memory they are told now.
            drop(refused);
        }
    }

    /// Tells hooks of jobs that were let go earlier, in turns.
    fn tell_more(&self) {
        for _ in 0..TURNS_OF_HOOKS {
            let first = self.untold.lock().remove(0);
            let Some(hooks) = first else { break };
            self.tell(hooks, TOLD_IN_TURN);
        }
    }
}

impl<P: Send + 'static, H: Send + 'static> Hook for Queue<P, H> {
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
pub fn dependency_bytes(fences: &FenceSet) -> u64 {
    const EACH: u64 = 96;
    u64_of(fences.len()).saturating_mul(EACH)
}
