// SPDX-License-Identifier: BSD-2-Clause
//! Jobs in the hardware: start, events, and the way out.

use crate::context::{Context, Use};
use crate::device::{Engine, Gpu, Work};
use crate::driver::{EtnavivFile, EtnavivGem};
use crate::hw;
use crate::ring::{Place, Ring, Switch};
use crate::stream::{CmdStream, Validated};
use drm_sched::{ClientId, EntityId, JobId, Outcome, Priority, WEIGHT_DEFAULT};
use drmkpi::account::Charge;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::errno::{Result, EIO};
use drmkpi::jobs::errno;
use drmkpi::os::Level;
use drmkpi::stats::Stats;

/// Events of the hardware: one for each job that it has.
const EVENTS: usize = 30;
/// Resets before the GPU counts as broken.
const MAX_STARTS: u32 = 3;
/// After the GPU did not come on, jobs fail at once for this long.
const BROKEN_NS: u64 = 1_000_000_000;
/// The one ring.
pub(crate) const SLOT: usize = 0;

/// A job: a stream that may run, and what it must find when it runs.
pub(crate) struct Job {
    pub(crate) stream: CmdStream<Validated, KVec<u32>>,
    pub(crate) context: Arc<Context>,
    pub(crate) fence: u32,
    pub(crate) stats: Arc<Stats>,
    pub(crate) _charge: Charge,
    pub(crate) _uses: Arc<KVec<Use>>,
    pub(crate) _gems: KVec<Arc<EtnavivGem>>,
}

/// A job that the hardware has.
struct Running {
    id: JobId,
    context: u64,
    place: Place,
}

/// What the hardware has. Guarded by the job lock.
pub(crate) struct Hardware {
    /// Registers may be touched.
    pub(crate) powered: bool,
    ring: Ring,
    /// The page table that the MMU has, and what it knows of it; None while the front end does not run.
    loaded: Option<(Arc<Context>, u32)>,
    events: [Option<Running>; EVENTS],
    broken_until: u64,
    /// Starts of the front end that failed since one worked.
    failed_starts: u32,
    /// Interrupts that stopped the GPU.
    pub(crate) fault: u32,
}

impl Hardware {
    /// It has nothing.
    pub(crate) fn new() -> Hardware {
        let events = [const { None }; EVENTS];
        Hardware {
            powered: false,
            ring: Ring::new(),
            loaded: None,
            events,
            broken_until: 0,
            failed_starts: 0,
            fault: 0,
        }
    }

    /// Whether it has no job.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.iter().all(Option::is_none)
    }

    /// Whether it has a job of an address space.
    pub(crate) fn has_jobs_of(&self, context: u64) -> bool {
        self.events.iter().flatten().any(|r| r.context == context)
    }

    /// It was reset: the answer is the address space that it had, to be dropped without the lock.
    pub(crate) fn forget(&mut self) -> Option<Arc<Context>> {
        self.ring = Ring::new();
        self.events = [const { None }; EVENTS];
        self.fault = 0;
        self.loaded.take().map(|(context, _)| context)
    }
}

/// A client of the scheduler for a new file, with its entity.
///
/// # Errors
///
/// ENOMEM, ENXIO when the device is gone.
pub(crate) fn open(gpu: &Gpu) -> Result<(ClientId, EntityId)> {
    let mut engine = gpu.queue.lock();
    let client = engine.sched.client_new(WEIGHT_DEFAULT).map_err(errno)?;
    let entity = engine.sched.entity_new(client, SLOT, Priority::Medium);
    entity.map(|entity| (client, entity)).map_err(|e| {
        // It has no entity that could keep it.
        let _ = engine.sched.client_free(client);
        errno(e)
    })
}

/// Ends all jobs of a file that is being closed; those in the hardware run to their end or their time-out.
pub(crate) fn close(gpu: &Gpu, file: &EtnavivFile) {
    let mut engine = gpu.queue.lock();
    engine.sched.entity_kill(file.entity);
    // Its entity is killed, so nothing keeps it.
    let _ = engine.sched.client_free(file.client);
    drop(engine);
    gpu.enqueue(Work::Pump);
}

/// Lets jobs go that are over. May sleep.
pub(crate) fn retire(gpu: &Gpu) {
    gpu.queue.retire(|job| {
        gpu.forget_fence(job.payload.fence);
        job.payload.stats.job(job.run_ns);
        gpu.stats.job(job.run_ns);
    });
}

/// The task: lets jobs go and starts others.
pub(crate) fn pump(gpu: &Gpu) {
    retire(gpu);
    loop {
        let tried = match start_all(gpu) {
            Started::All => break,
            Started::NeedsPower => gpu.turn_on(),
            Started::NeedsReset => gpu.empty_hardware(),
        };
        if let Err(e) = tried {
            gpu.dev()
                .log(Level::Error, format_args!("the GPU does not come on: {e:?}"));
            gpu.queue.lock().hw.broken_until = gpu.os().now().saturating_add(BROKEN_NS);
        }
    }
    retire(gpu);
    let idle = {
        let engine = gpu.queue.lock();
        engine.hw.powered && engine.hw.is_empty()
    };
    if idle {
        gpu.enqueue(Work::Idle);
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

fn start_all(gpu: &Gpu) -> Started {
    let mut old = None;
    let mut engine = gpu.queue.lock();
    while let Some(id) = engine.sched.next(SLOT, gpu.os().now()) {
        let now = gpu.os().now();
        if engine.hw.broken_until > now {
            engine.sched.complete(id, Outcome::Failed(EIO.get()), now);
        } else if !engine.hw.powered {
            engine.sched.requeue(id, now);
            return Started::NeedsPower;
        } else {
            match start(gpu, &mut engine, id, &mut old) {
                Start::Gone => (),
                Start::Full => break,
                Start::Reset => return Started::NeedsReset,
            }
        }
        if old.is_some() {
            // The address space that was unloaded may go with its last reference: not under the lock.
            drop(engine);
            old = None;
            engine = gpu.queue.lock();
        }
    }
    let deadline = engine.sched.next_deadline();
    drop(engine);
    drop(old);
    if let Some(when) = deadline {
        gpu.enqueue(Work::Timeout(when));
    }
    Started::All
}

/// Hands a job to the hardware.
fn start(gpu: &Gpu, engine: &mut Engine<'_>, id: JobId, old: &mut Option<Arc<Context>>) -> Start {
    let now = gpu.os().now();
    let drmkpi::jobs::Engine { sched, hw: hardware } = &mut **engine;
    let Some(job) = sched.job(id) else {
        return Start::Gone;
    };
    let context = job.payload.context.clone();
    let words = job.payload.stream.words();
    let event = hardware.events.iter().position(Option::is_none);
    let (Some(event), false, 0) = (event, context.is_frozen(), hardware.fault) else {
        sched.requeue(id, now);
        return Start::Full;
    };
    let Some(place) = hardware.ring.place(words.len()) else {
        sched.requeue(id, now);
        return Start::Full;
    };
    let seqno = context.seqno();
    if hardware.loaded.is_none() {
        if let Err(e) = first_start(gpu, hardware, &context) {
            gpu.dev()
                .log(Level::Error, format_args!("the front end does not start: {e:?}"));
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
        flush: false,
    };
    if let Some((loaded, known)) = hardware.loaded.as_mut() {
        let other = loaded.id() != context.id();
        switch = Switch {
            table: other.then(|| context.slot()),
            flush: other || *known != seqno,
        };
        if other {
            *old = Some(core::mem::replace(loaded, context.clone()));
        }
        *known = seqno;
    }
    let number = u32::try_from(event).unwrap_or(0);
    hardware.ring.queue(&gpu.memory, place, words, switch, number);
    if let Some(slot) = hardware.events.get_mut(event) {
        *slot = Some(Running {
            id,
            context: context.id(),
            place,
        });
    }
    Start::Gone
}

/// After a reset: loads the first page table by a program at a physical address, turns translation on and starts
/// the ring.
fn first_start(gpu: &Gpu, hardware: &mut Hardware, context: &Context) -> Result<()> {
    let (array, safe) = gpu.tables.addresses();
    hw::set_tables(gpu.regs(), array, safe);
    gpu.memory.write_first_switch(context.slot());
    let ring = u32::try_from(gpu.memory.ring_pa()).map_err(|_| EIO)?;
    hw::start(gpu.regs(), ring, 2);
    hw::wait_stopped(gpu.regs(), gpu.os())?;
    hw::enable_mmu(gpu.regs());
    let (address, prefetch) = hardware.ring.begin(&gpu.memory);
    hw::start(gpu.regs(), address, prefetch);
    Ok(())
}

/// The interrupt: events of jobs that are over, or a fault that stopped the GPU.
pub(crate) fn on_interrupt(gpu: &Gpu) {
    let mut engine = gpu.queue.lock();
    if !engine.hw.powered {
        return;
    }
    let raised = hw::interrupts(gpu.regs());
    if raised == 0 {
        return;
    }
    collect(gpu, &mut engine, raised);
    let faults = raised & (hw::INTR_MMU | hw::INTR_AXI);
    engine.hw.fault |= faults;
    drop(engine);
    if faults != 0 {
        gpu.enqueue(Work::Fault);
    }
    gpu.enqueue(Work::Pump);
}

/// Ends the jobs whose events are raised.
pub(crate) fn collect(gpu: &Gpu, engine: &mut Engine<'_>, raised: u32) {
    let now = gpu.os().now();
    let drmkpi::jobs::Engine { sched, hw } = &mut **engine;
    let Hardware { events, ring, .. } = &mut **hw;
    let mut bit = 1u32;
    for slot in events {
        if raised & bit != 0 {
            if let Some(running) = slot.take() {
                ring.free(running.place);
                sched.complete(running.id, Outcome::Done, now);
            }
        }
        bit = bit.wrapping_shl(1);
    }
}
