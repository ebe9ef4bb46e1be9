// SPDX-License-Identifier: BSD-2-Clause
//! Jobs in the hardware: start, end, and the way out.
//!
//! What the hardware has is in `Hardware`, under the job lock together with the scheduler. The pump runs in
//! the task queue; it lets finished jobs go and starts others, turning the GPU on for the first.

use crate::device::{Engine, Gpu, Work};
use crate::driver::{PanfrostFile, PanfrostGem, USED_SLOTS};
use crate::exception::{Outcome as Ended, Stop};
use crate::gpu::power::Plan;
use crate::job::events::{self, Failure};
use crate::job::slot::{self, JobHw};
use crate::job::timeout;
use crate::mmu::address_space;
use crate::mmu::mapping::Mapping;
use crate::mmu::slots::{AsSlots, Seat};
use crate::mmu::vm::Context;
use crate::regs::job::Slot;
use drm_sched::{ClientId, EntityId, JobId, Outcome, Priority, WEIGHT_DEFAULT};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::stats::Stats;
use drmkpi::mem::pin::Pin;
use drmkpi::os::Level;
use drmkpi::runner::jobs::{errno, Retired};
use drmkpi::util::account::Charge;
use drmkpi::util::errno::{Result, EBUSY, EIO};

/// After the GPU did not come on, jobs fail at once for this long.
const BROKEN_NS: u64 = 1_000_000_000;

/// Jobs that are started, or end because the GPU is broken, with the lock held once.
const TURNS: u32 = 8;

/// A job: what the hardware needs to know, and what it must find when it runs.
pub(crate) struct Job {
    pub(crate) jc: u64,
    pub(crate) flush_id: u32,
    pub(crate) context: Arc<Context>,
    pub(crate) stats: Arc<Stats>,
    /// Given back last.
    pub(crate) charge: Charge,
    /// Held until the job is over.
    pub(crate) pins: KVec<Pin>,
    pub(crate) gems: KVec<Arc<PanfrostGem>>,
    pub(crate) mappings: KVec<Arc<Mapping>>,
}

/// Frees what a job held that is over, its memory with the mappings. Not in the GPU's own thread.
pub(crate) fn free(job: Job) {
    let Job {
        context,
        charge,
        pins,
        gems,
        mut mappings,
        ..
    } = job;
    drop((pins, gems));
    while let Some(mapping) = mappings.pop() {
        Mapping::give_up(mapping);
    }
    drop(context);
    drop(charge);
}

/// A job in a slot.
#[derive(Clone, Copy)]
pub(crate) struct Running {
    pub(crate) id: JobId,
    seat: Seat,
    context: u64,
    pub(crate) chain_flag: bool,
    pub(crate) sent: Option<Stop>,
    /// It took too long; when to look again.
    pub(crate) late: Option<u64>,
}

/// What the hardware has. Guarded by the job lock.
pub(crate) struct Hardware {
    /// Registers may be touched.
    pub(crate) powered: bool,
    /// No job may start.
    pub(crate) suspended: bool,
    pub(crate) spaces: AsSlots,
    /// Oldest first.
    slots: [[Option<Running>; 2]; 3],
    broken_until: u64,
}

impl Hardware {
    /// It has nothing.
    pub(crate) fn new(spaces: AsSlots) -> Hardware {
        Hardware {
            powered: false,
            suspended: false,
            spaces,
            slots: [[None; 2]; 3],
            broken_until: 0,
        }
    }

    /// Whether no slot has a job.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter().flatten().all(Option::is_none)
    }

    /// The reset or the power-down made the hardware forget all page tables.
    pub(crate) fn forget_spaces(&mut self) {
        self.spaces.forget_all();
    }

    /// The reset took all jobs.
    pub(crate) fn forget_jobs(&mut self) {
        self.slots = [[None; 2]; 3];
    }

    fn slot(&mut self, slot: Slot) -> Option<&mut [Option<Running>; 2]> {
        self.slots.get_mut(slot.index())
    }

    /// Jobs in a slot.
    pub(crate) fn count(&self, slot: Slot) -> u8 {
        match self.slots.get(slot.index()) {
            Some([Some(_), Some(_)]) => 2,
            Some([Some(_), None]) => 1,
            _ => 0,
        }
    }

    /// The job that runs in a slot.
    pub(crate) fn head(&mut self, slot: Slot) -> Option<&mut Running> {
        self.slot(slot)?.first_mut()?.as_mut()
    }

    fn push(&mut self, slot: Slot, running: Running) {
        if let Some(free) = self
            .slot(slot)
            .and_then(|jobs| jobs.iter_mut().find(|j| j.is_none()))
        {
            *free = Some(running);
        }
    }

    /// Takes the oldest job of a slot out.
    fn pop(&mut self, slot: Slot) -> Option<Running> {
        let [first, second] = self.slot(slot)?;
        let popped = first.take();
        *first = second.take();
        if let Some(running) = popped {
            self.spaces.release(running.seat);
        }
        popped
    }

    /// A mark that no job of the slot has.
    fn free_flag(&mut self, slot: Slot) -> bool {
        self.head(slot).is_some_and(|other| !other.chain_flag)
    }

    /// The context that a job in the hardware gave this id.
    pub(crate) fn job_of_context(&self, context: u64) -> Option<JobId> {
        self.slots
            .iter()
            .flatten()
            .flatten()
            .find(|r| r.context == context)
            .map(|r| r.id)
    }
}

/// A client of the scheduler for a new file, with an entity for each slot that it can use.
///
/// # Errors
///
/// ENOMEM, ENXIO when the device is gone.
pub(crate) fn open(gpu: &Gpu) -> Result<(ClientId, [EntityId; USED_SLOTS])> {
    let mut engine = gpu.queue.lock();
    let sched = &mut engine.sched;
    let client = sched.client_new(WEIGHT_DEFAULT).map_err(errno)?;
    let fragment = sched.entity_new(client, Slot::FRAGMENT.index(), Priority::Medium);
    let tiler = sched.entity_new(client, Slot::VERTEX_TILER.index(), Priority::Medium);
    match (fragment, tiler) {
        (Ok(fragment), Ok(tiler)) => Ok((client, [fragment, tiler])),
        (fragment, tiler) => {
            for entity in [fragment, tiler].into_iter().flatten() {
                sched.entity_kill(entity, gpu.os().now());
            }
            // Nothing of the client is left that could keep it.
            let _ = sched.client_free(client);
            Err(errno(
                fragment
                    .and(tiler)
                    .err()
                    .unwrap_or(drm_sched::Error::NoMemory),
            ))
        }
    }
}

/// Ends all jobs of a file that is being closed. Those in the hardware are stopped and go when they have.
pub(crate) fn close(gpu: &Gpu, file: &PanfrostFile) {
    file.context.close();
    {
        let mut engine = gpu.queue.lock();
        for entity in file.entities {
            engine.sched.entity_kill(entity, gpu.os().now());
        }
        // Its entities are killed, so nothing keeps it.
        let _ = engine.sched.client_free(file.client);
        for slot in Slot::ALL {
            stop_closed(gpu, &mut engine, slot);
        }
    }
    gpu.enqueue(Work::Pump);
}

/// Stops the job that runs in a slot if its file was closed.
fn stop_closed(gpu: &Gpu, engine: &mut Engine<'_>, slot: Slot) {
    let powered = engine.hw.powered;
    let Some(head) = engine.hw.head(slot) else {
        return;
    };
    let (id, flag, sent) = (head.id, head.chain_flag, head.sent);
    let closed = engine
        .sched
        .job(id)
        .is_some_and(|job| job.payload.context.is_closed());
    if powered && closed && sent != Some(Stop::Hard) {
        if let Some(head) = engine.hw.head(slot) {
            head.sent = Some(Stop::Hard);
        }
        slot::stop(gpu.regs(), slot, Stop::Hard, flag, gpu.features);
    }
}

/// Lets jobs go that are over. True: there may be more.
pub(crate) fn retire(gpu: &Gpu) -> bool {
    let tell = |job: Retired<'_, Job>| {
        job.payload.stats.job(job.run_ns);
        gpu.stats.job(job.run_ns);
    };
    gpu.queue.retire(tell, |()| ())
}

/// The task: lets jobs go and starts others.
pub(crate) fn pump(gpu: &Gpu) {
    retire(gpu);
    while start_all(gpu) == Started::NeedsPower {
        if let Err(e) = gpu.turn_on() {
            if gpu.queue.lock().hw.suspended {
                // Since a moment; resume calls the pump.
                break;
            }
            gpu.dev()
                .log(Level::Error, format_args!("the GPU does not come on: {e}"));
            let mut engine = gpu.queue.lock();
            engine.hw.broken_until = gpu.os().now().saturating_add(BROKEN_NS);
        }
    }
    if retire(gpu) {
        gpu.enqueue(Work::Pump);
    }
    let (empty, powered) = {
        let engine = gpu.queue.lock();
        (engine.hw.is_empty(), engine.hw.powered)
    };
    if empty && powered {
        gpu.enqueue(Work::Idle);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Started {
    All,
    NeedsPower,
}

/// Starts what may start.
fn start_all(gpu: &Gpu) -> Started {
    let mut engine = gpu.queue.lock();
    for slot in Slot::ALL {
        // Each turn puts a job into the hardware or ends one, so there are as many as there are jobs.
        let mut turns: u32 = 0;
        while !engine.hw.suspended {
            let Some(id) = engine.sched.next(slot.index(), gpu.os().now()) else {
                break;
            };
            if engine.hw.broken_until > gpu.os().now() {
                engine
                    .sched
                    .complete(id, Outcome::Failed(EIO.get()), gpu.os().now());
            } else if !engine.hw.powered {
                engine.sched.requeue(id, gpu.os().now());
                return Started::NeedsPower;
            } else if !start(gpu, &mut engine, slot, id) {
                break;
            }
            turns = turns.wrapping_add(1);
            if turns.is_multiple_of(TURNS) {
                drop(engine);
                engine = gpu.queue.lock();
            }
        }
    }
    if let Some(when) = timeout::next_look(gpu, &mut engine) {
        drop(engine);
        gpu.enqueue(Work::Timeout(when));
    }
    Started::All
}

/// Hands a job to the hardware. False: the hardware takes none now, and the job is back in its queue.
fn start(gpu: &Gpu, engine: &mut Engine<'_>, slot: Slot, id: JobId) -> bool {
    let now = gpu.os().now();
    let Some(job) = engine.sched.job(id) else {
        return true;
    };
    let (jc, flush_id, context) = (
        job.payload.jc,
        job.payload.flush_id,
        job.payload.context.clone(),
    );
    let seat = match take_space(gpu, engine, &context) {
        Ok(seat) if slot::can_submit(gpu.regs(), slot) => seat,
        Ok(seat) => {
            engine.hw.spaces.release(seat);
            engine.sched.requeue(id, now);
            return false;
        }
        Err(EBUSY) => {
            engine.sched.requeue(id, now);
            return false;
        }
        // For the scheduler it is in the hardware, so the reset that comes gives it another run. It
        // is the one to blame: where resets do not help, it fails.
        Err(_) => {
            engine.sched.blame(id);
            return false;
        }
    };
    let chain_flag = engine.hw.free_flag(slot);
    let hw = JobHw {
        jc,
        space: seat.space(),
        chain_flag,
        flush_id,
    };
    let affinity = Plan::first_group(&gpu.identity).shader();
    slot::load(gpu.regs(), slot, &hw, affinity, gpu.features, gpu.issues);
    let context = context.id();
    engine.hw.push(
        slot,
        Running {
            id,
            seat,
            context,
            chain_flag,
            sent: None,
            late: None,
        },
    );
    slot::start(gpu.regs(), slot);
    true
}

/// A hardware address space for a context, enabled.
///
/// # Errors
///
/// EBUSY when jobs use all of them; ETIMEDOUT when it is stuck, and a reset will come.
pub(crate) fn take_space(gpu: &Gpu, engine: &mut Engine<'_>, context: &Context) -> Result<Seat> {
    let acquired = engine.hw.spaces.acquire(context.id())?;
    if !acquired.fresh {
        return Ok(acquired.seat);
    }
    let space = acquired.seat.space();
    if acquired.was_faulty {
        address_space::clear_interrupts(gpu.regs(), space);
        address_space::unmask_interrupts(gpu.regs(), engine.hw.spaces.faulty());
    }
    if let Err(stuck) = address_space::enable(gpu.regs(), gpu.os(), space, &context.registers()) {
        engine.hw.spaces.cancel(&acquired);
        gpu.enqueue(Work::Reset);
        return Err(stuck);
    }
    Ok(acquired.seat)
}

/// What a pass over the job interrupts does with jobs that a reset is about to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pass {
    /// Stopped jobs go, and jobs behind a failed one are started.
    Ordinary,
    /// Stopped jobs stay for another run, and nothing is started.
    BeforeReset,
}

/// Ends the jobs that the hardware says are over.
pub(crate) fn collect(gpu: &Gpu, engine: &mut Engine<'_>, pass: Pass) {
    let events = events::collect(gpu.regs());
    for slot in Slot::ALL {
        let seen = events.slot(slot);
        if !seen.any() {
            continue;
        }
        let verdict = seen.verdict(engine.hw.count(slot));
        for _ in 0..verdict.done {
            if let Some(running) = engine.hw.pop(slot) {
                engine
                    .sched
                    .complete(running.id, Outcome::Done, gpu.os().now());
            }
        }
        if let Some(failure) = verdict.failed {
            failed(gpu, engine, slot, failure, pass);
        }
        if pass == Pass::Ordinary {
            if verdict.requeue_next {
                start_again(gpu, engine, slot);
            }
            stop_closed(gpu, engine, slot);
        }
    }
}

/// Hands the job over again that was taken back because the one before it failed.
fn start_again(gpu: &Gpu, engine: &mut Engine<'_>, slot: Slot) {
    let Some(next) = engine.hw.head(slot).copied() else {
        return;
    };
    if !engine.hw.spaces.is_faulty(next.seat) {
        slot::start(gpu.regs(), slot);
        return;
    }
    // The one before was of the same context, and its fault switched the address space off. The job's next
    // start switches it on.
    engine.hw.pop(slot);
    engine.sched.requeue(next.id, gpu.os().now());
}

/// Ends the oldest job of a slot, which failed or was stopped.
fn failed(gpu: &Gpu, engine: &mut Engine<'_>, slot: Slot, failure: Failure, pass: Pass) {
    let Some(head) = engine.hw.head(slot).copied() else {
        return;
    };
    let ended = failure.exception.outcome(head.sent);
    let late = head.late.is_some();
    if pass == Pass::BeforeReset && ended == Ended::Stopped {
        return;
    }
    engine.hw.pop(slot);
    let now = gpu.os().now();
    let outcome = match ended {
        Ended::Done => Outcome::Done,
        Ended::Stopped | Ended::Terminated if late => Outcome::TimedOut,
        Ended::Terminated => Outcome::Cancelled,
        // Nobody asked for it, so it has another run.
        Ended::Stopped => {
            engine.sched.requeue(head.id, now);
            return;
        }
        Ended::Fault => {
            if let Some(job) = engine.sched.job(head.id) {
                job.payload.stats.fault();
            }
            gpu.stats.fault();
            gpu.log_client(format_args!(
                "job fault {} in slot {}, chain {:#x}, job {:#x}",
                failure.exception.name(),
                slot.nr(),
                failure.head,
                failure.tail
            ));
            if failure.exception.needs_reset(gpu.issues) {
                gpu.enqueue(Work::Reset);
            }
            Outcome::Failed(ended.error().map_or(0, |e| e.get()))
        }
    };
    engine.sched.complete(head.id, outcome, now);
}
