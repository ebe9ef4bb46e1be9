// SPDX-License-Identifier: BSD-2-Clause
//! Jobs in the hardware: start, events, and the way out.

use crate::gpu_core::{Core, Engine, Work};
use crate::job::in_flight::{Event, Hardware, Running, Stopped, EVENTS};
use crate::job::payload::Job;
use crate::job::ring::{Program, Switch};
use crate::mmu::vm::{Context, Presence};
use crate::ops;
use drm_sched::{ClientId, EntityId, JobId, Outcome, Priority, WEIGHT_DEFAULT};
use drmkpi::alloc::Arc;
use drmkpi::os::Level;
use drmkpi::runner::jobs::{errno, Retired};
use drmkpi::util::errno::{Result, EIO};

/// Resets before the core counts as broken.
const MAX_STARTS: u32 = 3;
/// After the core did not come on, jobs fail at once for this long.
const BROKEN_NS: u64 = 1_000_000_000;
/// Jobs that are started, or end because the core is broken, with the lock held once.
const TURNS: u32 = 8;
/// The one ring.
pub(crate) const SLOT: usize = 0;

/// A client of the scheduler for a new file, with its entity.
///
/// # Errors
///
/// ENOMEM, ENXIO when the device is gone.
pub(crate) fn open(core: &Core) -> Result<(ClientId, EntityId)> {
    let mut engine = core.queue.lock();
    let client = engine.sched.client_new(WEIGHT_DEFAULT).map_err(errno)?;
    let entity = engine.sched.entity_new(client, SLOT, Priority::Medium);
    entity.map(|entity| (client, entity)).map_err(|e| {
        // It has no entity that could keep it.
        let _ = engine.sched.client_free(client);
        errno(e)
    })
}

/// Ends all jobs of a file that is being closed; one in the hardware has a short grace, whatever
/// its progress.
pub(crate) fn close(core: &Core, client: ClientId, entity: EntityId) {
    let mut engine = core.queue.lock();
    engine.sched.entity_kill(entity, core.os().now());
    // Its entity is killed, so nothing keeps it.
    let _ = engine.sched.client_free(client);
    drop(engine);
    core.enqueue(Work::Pump);
}

/// Lets jobs go that are over. True: there may be more.
pub(crate) fn retire(core: &Core) -> bool {
    let tell = |job: Retired<'_, Job>| {
        job.payload.stats.job(job.run_ns);
        core.shared.stats.job(job.run_ns);
        job.payload.fence
    };
    // A number that is not known is one of a fence that is over, so the fence has to be.
    core.queue.retire(tell, |number| core.fences.forget(number))
}

/// The task: lets jobs go and starts others.
pub(crate) fn pump(core: &Core) {
    retire(core);
    loop {
        let tried = match start_all(core) {
            Started::All => break,
            Started::NeedsPower => core.turn_on(),
            Started::NeedsReset => core.empty_hardware(),
        };
        if let Err(e) = tried {
            if core.queue.lock().hw.suspended {
                // Since a moment; resume calls the pump.
                break;
            }
            core.dev()
                .log(Level::Error, format_args!("the core does not come on: {e}"));
            core.queue.lock().hw.broken_until = core.os().now().saturating_add(BROKEN_NS);
        }
    }
    if retire(core) {
        core.enqueue(Work::Pump);
    }
    let idle = {
        let engine = core.queue.lock();
        engine.hw.powered && engine.hw.is_empty()
    };
    if idle {
        core.enqueue(Work::Idle);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Started {
    All,
    NeedsPower,
    NeedsReset,
}

/// What became of a job.
enum Start {
    /// The hardware has it, or it is over.
    Gone,
    /// The hardware takes none now; it is back in its queue.
    Full,
    /// The front end does not start; it is back in its queue.
    Reset,
}

fn start_all(core: &Core) -> Started {
    let mut old = None;
    let mut turns: u32 = 0;
    let mut engine = core.queue.lock();
    while !engine.hw.suspended {
        let Some(id) = engine.sched.next(SLOT, core.os().now()) else {
            break;
        };
        let now = core.os().now();
        if engine.hw.broken_until > now {
            engine.sched.complete(id, Outcome::Failed(EIO.get()), now);
        } else if !engine.hw.powered {
            engine.sched.requeue(id, now);
            return Started::NeedsPower;
        } else {
            match start(core, &mut engine, id, &mut old) {
                Start::Gone => (),
                Start::Full => break,
                Start::Reset => return Started::NeedsReset,
            }
        }
        turns = turns.wrapping_add(1);
        if old.is_some() || turns.is_multiple_of(TURNS) {
            // An address space may go with its last reference: not under the lock.
            drop(engine);
            old = None;
            engine = core.queue.lock();
        }
    }
    let deadline = engine.sched.next_deadline();
    drop(engine);
    drop(old);
    if let Some(when) = deadline {
        core.enqueue(Work::Timeout(when));
    }
    Started::All
}

/// Hands a job to the hardware.
fn start(core: &Core, engine: &mut Engine<'_>, id: JobId, old: &mut Option<Arc<Context>>) -> Start {
    let now = core.os().now();
    let drmkpi::runner::jobs::Engine {
        sched,
        hw: hardware,
    } = &mut **engine;
    let Some(job) = sched.job(id) else {
        return Start::Gone;
    };
    let job = &job.payload;
    let context = job.context.clone();
    let words = job.stream.words();
    let place = match hardware.fault {
        0 => events(hardware, job)
            .and_then(|events| Some((events, hardware.ring.place(words.len())?))),
        _ => None,
    };
    let Some(((end, stops), place)) = place else {
        sched.requeue(id, now);
        return Start::Full;
    };
    let presence = Presence::new(&context);
    let seqno = context.seqno();
    if hardware.loaded.is_none() {
        if let Err(e) = first_start(core, hardware, &context) {
            core.dev().log(
                Level::Error,
                format_args!("the front end does not start: {e}"),
            );
            hardware.ring.free(place);
            hardware.failed_starts = hardware.failed_starts.saturating_add(1);
            if hardware.failed_starts >= MAX_STARTS {
                hardware.failed_starts = 0;
                hardware.broken_until = now.saturating_add(BROKEN_NS);
            }
            sched.requeue(id, now);
            return Start::Reset;
        }
        hardware.failed_starts = 0;
        hardware.loaded = Some((context.clone(), seqno));
    }
    let mut switch = Switch {
        table: None,
        root: context.root(),
        flush: false,
        pipe: (hardware.pipe.replace(job.pipe) != Some(job.pipe)).then_some(job.pipe),
    };
    let mut left = None;
    if let Some((loaded, known)) = hardware.loaded.as_mut() {
        let other = loaded.id() != context.id();
        switch.table = other.then(|| context.slot());
        switch.flush = other || *known != seqno;
        *known = seqno;
        if other {
            left = Some(core::mem::replace(loaded, context));
        }
    }
    let program = Program {
        place,
        stream: words,
        switch,
        pipe: job.pipe,
        event: number(end),
        stops: stops.map(|stops| stops.map(number)),
    };
    let resume = hardware.ring.queue(core.mmu().commands(), &program);
    let running = Running {
        id,
        place,
        resume,
        _presence: presence,
    };
    hardware.set_event(end, Event::End(running));
    for (stop, behind) in stops.into_iter().flatten().zip([false, true]) {
        hardware.set_event(stop, Event::Stop(number(end), behind));
    }
    if let Some(job) = sched.job_mut(id) {
        // What it left before, if a reset has it run again.
        *old = core::mem::replace(&mut job.payload.left, left);
    }
    Start::Gone
}

fn number(event: usize) -> u32 {
    u32::try_from(event).unwrap_or(0)
}

/// Events for a job: its end, and its stops if it has any.
fn events(hardware: &Hardware, job: &Job) -> Option<(usize, Option<[usize; 2]>)> {
    let mut free = (0..EVENTS).filter(|i| matches!(hardware.events.get(*i), Some(None)));
    let end = free.next()?;
    let stops = match job.requests {
        None => None,
        Some(_) => Some([free.next()?, free.next()?]),
    };
    Some((end, stops))
}

/// After a reset: loads the first page table, by a program at a physical address where registers cannot, turns
/// translation on and starts the ring.
fn first_start(core: &Core, hardware: &mut Hardware, context: &Context) -> Result<()> {
    let (regs, mmu) = (core.regs(), core.mmu());
    ops::set_tables(regs, mmu);
    let (slot, root) = (context.slot(), context.root());
    if let Some(program) = hardware
        .ring
        .write_first_switch(mmu, &core.identity, slot, root)
    {
        ops::start(regs, &core.identity, program.address, program.prefetch);
        ops::wait_stopped(regs, core.os())?;
    }
    ops::enable_mmu(regs, mmu.version());
    let idle = hardware.ring.begin(mmu.commands());
    ops::start(regs, &core.identity, idle.address, idle.prefetch);
    Ok(())
}

/// Interrupts that stop the core.
pub(crate) const FAULTS: u32 = ops::INTR_MMU | ops::INTR_AXI;

/// The interrupt: events of jobs that are over, or a fault that stopped the core.
pub(crate) fn on_interrupt(core: &Core) {
    let mut engine = core.queue.lock();
    if engine.hw.powered && look(core, &mut engine) != 0 {
        drop(engine);
        core.enqueue(Work::Pump);
    }
}

/// Takes in what the core has raised, which is the answer.
pub(crate) fn look(core: &Core, engine: &mut Engine<'_>) -> u32 {
    let raised = ops::interrupts(core.regs());
    if collect(core, engine, raised) {
        core.enqueue(Work::Sample);
    }
    engine.hw.fault |= raised & FAULTS;
    if raised & FAULTS != 0 {
        core.enqueue(Work::Fault);
    }
    raised
}

/// Ends the jobs whose events are raised; the answer is whether the front end stopped for counters to be read.
fn collect(core: &Core, engine: &mut Engine<'_>, raised: u32) -> bool {
    let now = core.os().now();
    let drmkpi::runner::jobs::Engine { sched, hw } = &mut **engine;
    let mut stopped = None;
    for index in 0..EVENTS {
        if raised.wrapping_shr(number(index)) & 1 == 0 {
            continue;
        }
        match hw.events.get_mut(index).and_then(Option::take) {
            None => (),
            Some(Event::End(running)) => {
                hw.ring.free(running.place);
                sched.complete(running.id, Outcome::Done, now);
            }
            Some(Event::Stop(end, behind)) => stopped = Some((end, behind)),
        }
    }
    let Some((end, behind)) = stopped else {
        return false;
    };
    let at_end = hw.events.get(drmkpi::util::int_conv::usize_of_u32(end));
    let Some(Some(Event::End(running))) = at_end else {
        return false;
    };
    let [before_stream, behind_stream] = running.resume;
    let requests = sched
        .job(running.id)
        .and_then(|job| job.payload.requests.clone());
    hw.stopped = requests.map(|requests| Stopped {
        requests,
        behind,
        resume: if behind { behind_stream } else { before_stream },
    });
    hw.stopped.is_some()
}
