// SPDX-License-Identifier: BSD-2-Clause
//! Attach and detach of a device's runner, its tasks and interrupts; starting and retiring jobs.

use crate::alloc::{Arc, KVec};
use crate::os::{Irq, Task, TaskQueue};
use crate::runner::backend::{Backend, Engine, Runner, Start, Tasks};
use crate::runner::holdings::Payload;
use crate::util::errno::{Result, EIO};
use core::sync::atomic::Ordering;
use drm_sched::Outcome;

/// The number of jobs of a slot that are started, or fail because the device is broken, while the
/// job lock is held once, and the number that other threads than the job task start.
const TURNS: u32 = 8;

/// The number of jobs that are retired before others are started, in the job task and in an
/// interrupt's thread.
const RETIRED_AT_ONCE: u32 = 64;
const RETIRED_IN_INTERRUPT: u32 = 8;

/// The time for which jobs fail at once after the device could not be turned on, in ns.
const BROKEN_NS: u64 = 1_000_000_000;

/// The number of resets after which the device counts as broken if no job starts.
const MAX_RESTARTS: u32 = 2;

impl<B: Backend> Runner<B> {
    /// Starts the runner of a device, which is either off, or on and reset. The device is turned
    /// off after the idle time if there is no job.
    ///
    /// # Errors
    ///
    /// ENOENT if an interrupt is missing, ENOMEM, EIO, ETIMEDOUT; then the caller calls `detach`.
    pub fn attach(b: &Arc<B>) -> Result<()> {
        let this = b.runner();
        this.start_services(b)?;
        this.take_over(b)?;
        this.enqueue();
        Ok(())
    }

    fn start_services(&self, b: &Arc<B>) -> Result<()> {
        let os = self.os();
        let desc = &B::DESC;
        let queue = Arc::new(os, TaskQueue::new(os, desc.queue)?)?;
        let task = |run: fn(&B)| Task::new(os, &queue, b.clone(), run);
        let own = KVec::from_fn(os, desc.tasks.len(), |n| {
            let own = desc.tasks.get(n).ok_or(EIO)?;
            match own.queue {
                None => task(own.run),
                Some(name) => {
                    let queue = Arc::new(os, TaskQueue::new(os, name)?)?;
                    Task::new(os, &queue, b.clone(), own.run)
                }
            }
        })?;
        let tasks = Tasks {
            jobs: Arc::new(os, task(run_jobs)?)?,
            timeout: task(|b| b.runner().check_timeouts(b))?,
            idle: task(|b| b.runner().check_idle(b))?,
            reset: task(|b| b.runner().reset(b, None, Outcome::Cancelled))?,
            own,
        };
        self.queue.set_kick(Some(tasks.jobs.clone().into_hook()));
        *self.tasks.lock() = Some(tasks);
        let irqs = KVec::from_fn(os, desc.interrupts.len(), |n| {
            let interrupt = desc.interrupts.get(n).ok_or(EIO)?;
            Irq::new(self.dev(), interrupt.name, b.clone(), interrupt.run)
        })?;
        *self.irqs.lock() = irqs;
        Ok(())
    }

    /// Ends all jobs, tasks and interrupts, and turns the device off permanently.
    pub fn detach(b: &Arc<B>) {
        let this = b.runner();
        this.removed.store(true, Ordering::Release);
        this.lock().sched.shutdown();
        this.end_jobs(b);
        this.queue.set_kick(None);
        let tasks = this.tasks.lock().take();
        drop(tasks);
        let none = KVec::new(this.os());
        let irqs = core::mem::replace(&mut *this.irqs.lock(), none);
        drop(irqs);
        while retire(&**b, Thread::JobTask, this.lock(), None) {}
        this.resources.off();
    }
}

/// Retires jobs that have ended. Returns whether there may be more, for a later call.
fn retire<B: Backend>(b: &B, thread: Thread, engine: Engine<'_, B>, now: Option<u64>) -> bool {
    let count = |job: &B::Job, run_ns: u64| {
        job.stats().job(run_ns);
        b.stats().job(run_ns);
        B::user_fence(job)
    };
    let at_once = match thread {
        Thread::JobTask => RETIRED_AT_ONCE,
        Thread::Any => RETIRED_IN_INTERRUPT,
    };
    b.runner()
        .queue
        .retire(engine, now, at_once, count, |id| b.user_fence_signaled(id))
}

impl<B: Backend> Runner<B> {
    /// Starts ready jobs in the caller's thread, which does not sleep in it. What cannot be done
    /// there is left to the job task: turning the device on, resets, dropping VMs, `prepare`.
    pub(super) fn start_jobs(&self, b: &B, engine: Engine<'_, B>) {
        let (ready, engine) = start_ready(b, Thread::Any, engine, None);
        drop(engine);
        if ready != Ready::Started {
            self.enqueue();
        }
    }

    /// Retires the jobs that an interrupt handler has collected at `now`, in ns, with the job lock
    /// held, and starts others. Releases the lock.
    pub fn jobs_ended(&self, b: &B, engine: Engine<'_, B>, now: u64) {
        // The hardware gets its next job first.
        let (ready, engine) = start_ready(b, Thread::Any, engine, Some(now));
        if retire(b, Thread::Any, engine, Some(now)) || ready != Ready::Started {
            self.enqueue();
        }
    }
}

/// The job task: retires and starts jobs, and does what other threads must not: turns the device
/// on, resets it, drops VMs.
fn run_jobs<B: Backend>(b: &B) {
    let runner = b.runner();
    let released = runner.released.lock().take();
    if released.is_some() {
        drop(released);
        runner.lock().state.releasing = false;
    }
    retire(b, Thread::JobTask, runner.lock(), None);
    let mut restarts: u32 = 0;
    loop {
        let (ready, engine) = start_ready(b, Thread::JobTask, runner.lock(), None);
        drop(engine);
        let tried = match ready {
            Ready::Started | Ready::Later => break,
            Ready::NeedsPower => runner.turn_on(b),
            Ready::NeedsReset if restarts == MAX_RESTARTS => Err(EIO),
            Ready::NeedsReset => {
                // OVERFLOW: none, for it is below MAX_RESTARTS.
                restarts = restarts.wrapping_add(1);
                runner.restart(b)
            }
        };
        if let Err(e) = tried {
            if runner.is_removed() || runner.lock().state.suspended {
                // `detach` ends the jobs, or `resume` enqueues this task.
                break;
            }
            runner.log_error(format_args!("cannot turn the {} on: {e}", B::DESC.noun));
            // OVERFLOW: saturates: a deadline.
            runner.lock().state.broken_until = runner.os().now().saturating_add(BROKEN_NS);
        }
    }
    if retire(b, Thread::JobTask, runner.lock(), None) {
        runner.enqueue();
    }
}

/// What `start_ready` may do in the thread that it is called in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    /// The job task, which may sleep.
    JobTask,
    /// The thread of a submit or of an interrupt, where it returns after a few jobs.
    Any,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ready {
    /// All ready jobs that the hardware accepts are started.
    Started,
    /// The job task has to start the others.
    Later,
    NeedsPower,
    NeedsReset,
}

/// Starts ready jobs, as many as the hardware accepts. Returns with the job lock held. `now` is the
/// time in ns if the caller has just read it.
fn start_ready<'a, B: Backend>(
    b: &'a B,
    thread: Thread,
    mut engine: Engine<'a, B>,
    mut now: Option<u64>,
) -> (Ready, Engine<'a, B>) {
    let runner = b.runner();
    for slot in 0..engine.sched.slot_count() {
        if !engine.sched.has_waiting() {
            break;
        }
        // Each turn starts a job or ends one, so their number is bounded by that of the jobs. Those
        // in which a job is prepared come before its start.
        let mut turns: u32 = 0;
        while engine.sched.has_waiting() && !engine.state.suspended && engine.sched.is_ready(slot) {
            let at = match now {
                Some(at) if turns == 0 => at,
                _ => *now.insert(runner.os().now()),
            };
            let is_broken = engine.state.broken_until > at;
            let leave = is_broken || engine.state.releasing || turns == TURNS;
            if thread == Thread::Any && (leave || engine.state.needs_reset) {
                return (Ready::Later, engine);
            }
            if engine.state.needs_reset && !is_broken {
                return (Ready::NeedsReset, engine);
            }
            let Some(id) = engine.sched.next(slot, at) else {
                break;
            };
            let mut old = None;
            if is_broken {
                engine.sched.complete(id, Outcome::Failed(EIO.get()), at);
            } else if !engine.state.powered {
                engine.sched.requeue(id, at);
                return (Ready::NeedsPower, engine);
            } else {
                match b.start(&mut engine, slot, id) {
                    Start::Started(released) => old = released,
                    Start::Full => {
                        engine.sched.requeue(id, at);
                        break;
                    }
                    Start::Unprepared => {
                        engine.sched.requeue(id, at);
                        if thread == Thread::Any {
                            return (Ready::Later, engine);
                        }
                        drop(engine);
                        b.prepare();
                        now = None;
                        engine = runner.lock();
                        continue;
                    }
                    Start::NeedsReset => {
                        engine.sched.requeue(id, at);
                        engine.state.needs_reset = true;
                        return (Ready::NeedsReset, engine);
                    }
                    Start::Stuck => break,
                }
                engine.state.timers.busy();
            }
            // OVERFLOW: wraps, as only equality and the remainder are used.
            turns = turns.wrapping_add(1);
            if old.is_some() && thread == Thread::Any {
                engine.state.releasing = true;
                *runner.released.lock() = old;
                return (Ready::Later, engine);
            }
            if old.is_some() || turns.is_multiple_of(TURNS) && thread == Thread::JobTask {
                // The last reference to a VM must not be dropped under the lock.
                drop(engine);
                drop(old);
                engine = runner.lock();
            }
        }
    }
    runner.set_timers(b, &mut engine, now);
    (Ready::Started, engine)
}
