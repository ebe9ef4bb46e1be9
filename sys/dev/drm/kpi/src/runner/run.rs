// SPDX-License-Identifier: BSD-2-Clause
//! Attach and detach of a device's runner, its tasks and interrupts, and the task that retires and
//! starts jobs.

use crate::alloc::{Arc, KVec};
use crate::os::{Irq, Task, TaskQueue};
use crate::runner::backend::{Backend, Runner, Start, Tasks};
use crate::runner::holdings::Payload;
use crate::util::errno::{Result, EIO};
use core::sync::atomic::Ordering;
use drm_sched::Outcome;

/// The number of jobs that are started, or fail because the device is broken, while the job lock is
/// held once.
const TURNS: u32 = 8;

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
            timeout: task(|b| b.runner().check_timeouts(b))?,
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
        while retire(&**b) {}
        this.resources.off();
    }
}

/// Retires jobs that have ended. Returns whether there may be more.
fn retire<B: Backend>(b: &B) -> bool {
    let count = |job: &B::Job, run_ns: u64| {
        job.stats().job(run_ns);
        b.stats().job(run_ns);
        B::user_fence(job)
    };
    b.runner()
        .queue
        .retire(count, |id| b.user_fence_signaled(id))
}

/// The task that retires and starts jobs.
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

/// Starts ready jobs, as many as the hardware accepts.
fn start_ready<B: Backend>(b: &B) -> Ready {
    let runner = b.runner();
    let mut engine = runner.lock();
    for slot in 0..engine.sched.slot_count() {
        // Each turn starts a job or ends one, so their number is bounded by that of the jobs.
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
            // OVERFLOW: wraps, as only the remainder is used.
            turns = turns.wrapping_add(1);
            if old.is_some() || turns.is_multiple_of(TURNS) {
                // The last reference to a VM must not be dropped under the lock.
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
