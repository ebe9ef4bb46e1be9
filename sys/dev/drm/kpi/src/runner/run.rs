// SPDX-License-Identifier: BSD-2-Clause
//! The runner of one device: its tasks and interrupts, from attach to detach, and the task that
//! retires and starts jobs.

use crate::alloc::{Arc, KVec};
use crate::os::{Irq, Task, TaskQueue};
use crate::runner::backend::{Backend, Runner, Start, Tasks};
use crate::runner::holdings::Payload;
use crate::util::errno::{Result, EIO};
use core::sync::atomic::Ordering;
use drm_sched::Outcome;

/// Jobs that are started, or fail because the device is broken, with the job lock held once.
const TURNS: u32 = 8;

/// After the device did not come on, jobs fail at once for this long, in ns.
const BROKEN_NS: u64 = 1_000_000_000;

/// Resets without a job that starts, before the device counts as broken.
const MAX_RESTARTS: u32 = 2;

impl<B: Backend> Runner<B> {
    /// Begins to serve a device, which is off, or on and was reset. It goes off soon if no job
    /// comes.
    ///
    /// # Errors
    ///
    /// ENOENT when an interrupt is missing, ENOMEM, EIO, ETIMEDOUT; then the caller calls `detach`.
    pub fn attach(b: &Arc<B>) -> Result<()> {
        let this = b.runner();
        this.start_services(b)?;
        this.take_over(b)?;
        this.enqueue_idle();
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
            pump: Arc::new(os, task(pump)?)?,
            timeout: task(check_timeouts)?,
            idle: task(|b| b.runner().turn_off_if_idle(b))?,
            reset: task(|b| b.runner().reset(b, None, Outcome::Cancelled))?,
            own,
        };
        self.queue.set_kick(Some(tasks.pump.clone().into_hook()));
        *self.tasks.lock() = Some(tasks);
        let irqs = KVec::from_fn(os, desc.interrupts.len(), |n| {
            let interrupt = desc.interrupts.get(n).ok_or(EIO)?;
            Irq::new(self.dev(), interrupt.name, b.clone(), interrupt.run)
        })?;
        *self.irqs.lock() = irqs;
        Ok(())
    }

    /// Ends all jobs, tasks and interrupts and turns the device off, for good.
    pub fn detach(b: &Arc<B>) {
        let this = b.runner();
        this.removed.store(true, Ordering::Release);
        this.lock().sched.shutdown();
        this.take_back_for_good(b);
        this.queue.set_kick(None);
        let tasks = this.tasks.lock().take();
        if let Some(tasks) = &tasks {
            // It may be enqueueing itself, and a task must not destroy itself.
            tasks.pump.drain();
        }
        drop(tasks);
        let none = KVec::new(this.os());
        let irqs = core::mem::replace(&mut *this.irqs.lock(), none);
        drop(irqs);
        while retire(&**b) {}
        this.resources.off();
    }
}

/// Retires jobs that have ended. True if there may be more.
fn retire<B: Backend>(b: &B) -> bool {
    let count = |job: &B::Job, run_ns: u64| {
        job.stats().job(run_ns);
        b.stats().job(run_ns);
        B::user_fence(job)
    };
    b.runner()
        .queue
        .retire(count, |number| b.user_fence_signaled(number))
}

/// The task: retires jobs and starts others.
fn pump<B: Backend>(b: &B) {
    let runner = b.runner();
    retire(b);
    let mut restarts: u32 = 0;
    loop {
        let tried = match start_ready(b) {
            Ready::Started => break,
            Ready::NeedsPower => runner.turn_on(b),
            Ready::NeedsReset if restarts == MAX_RESTARTS => Err(EIO),
            Ready::NeedsReset => {
                // OVERFLOW: bounded above.
                restarts = restarts.wrapping_add(1);
                runner.restart(b)
            }
        };
        if let Err(e) = tried {
            if runner.lock().state.suspended {
                // Suspended meanwhile; `resume` enqueues this task.
                break;
            }
            runner.log_error(format_args!("the {} does not come on: {e}", B::DESC.noun));
            runner.lock().state.broken_until = runner.os().now().saturating_add(BROKEN_NS);
        }
    }
    if retire(b) {
        runner.enqueue();
    }
    let idle = {
        let engine = runner.lock();
        engine.state.powered && B::is_empty(&engine.hw)
    };
    if idle {
        runner.enqueue_idle();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ready {
    Started,
    NeedsPower,
    NeedsReset,
}

/// Starts the jobs that are ready, as many as the hardware takes.
fn start_ready<B: Backend>(b: &B) -> Ready {
    let runner = b.runner();
    let mut engine = runner.lock();
    for slot in 0..engine.sched.slot_count() {
        // Each turn puts a job into the hardware or ends one, so there are as many as there are
        // jobs.
        let mut turns: u32 = 0;
        while !engine.state.suspended {
            let now = runner.os().now();
            let Some(id) = engine.sched.next(slot, now) else {
                break;
            };
            let mut old = None;
            if engine.state.broken_until > now {
                engine.sched.complete(id, Outcome::Failed(EIO.get()), now);
            } else if !engine.state.powered {
                engine.sched.requeue(id, now);
                return Ready::NeedsPower;
            } else {
                match b.start(&mut engine, slot, id) {
                    Start::Started(released) => old = released,
                    Start::Full => {
                        engine.sched.requeue(id, now);
                        break;
                    }
                    Start::NeedsReset => {
                        engine.sched.requeue(id, now);
                        return Ready::NeedsReset;
                    }
                    Start::Stuck => break,
                }
            }
            // OVERFLOW: only its remainder counts.
            turns = turns.wrapping_add(1);
            if old.is_some() || turns.is_multiple_of(TURNS) {
                // The last reference of an address space is not dropped under the lock.
                drop(engine);
                drop(old);
                engine = runner.lock();
            }
        }
    }
    let timeout = b.next_timeout(&mut engine);
    drop(engine);
    if let Some(when) = timeout {
        runner.enqueue_timeout(when);
    }
    Ready::Started
}

/// The task: resets the device if a job took too long and does not stop.
fn check_timeouts<B: Backend>(b: &B) {
    let runner = b.runner();
    let guilty = {
        let mut engine = runner.lock();
        if !engine.state.powered {
            return;
        }
        // The interrupt may be on its way, or lost.
        b.collect(&mut engine);
        b.overdue(&mut engine)
            .map(|id| (id, engine.sched.is_orphan(id)))
    };
    match guilty {
        // Its file is closed: there is nobody to tell.
        Some((id, true)) => runner.reset(b, Some(id), Outcome::Cancelled),
        Some((id, false)) => {
            b.timed_out(id);
            runner.reset(b, Some(id), Outcome::TimedOut);
        }
        None => {}
    }
    runner.enqueue();
}
