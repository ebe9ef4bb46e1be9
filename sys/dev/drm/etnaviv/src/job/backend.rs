// SPDX-License-Identifier: BSD-2-Clause
//! The driver's functions for the runner: starting and collecting jobs, power, reset.

use crate::core_ops;
use crate::gpu_core::{Core, Engine};
use crate::job::ahead::{Ahead, Placed};
use crate::job::fill;
use crate::job::in_flight::{bit, Event, InFlight, Running, Stopped};
use crate::job::payload::Job;
use crate::job::recover;
use crate::job::ring::{Program, Switch};
use crate::mmu::vm::{InFlightCount, Vm};
use crate::perfmon::read;
use drm_sched::{JobId, Outcome};
use drmkpi::drm::stats::Stats;
use drmkpi::os::Level;
use drmkpi::runner::backend::Runner;
use drmkpi::runner::backend::{Backend, Desc, Interrupt, OwnTask, Start, Vms};
use drmkpi::runner::queue;
use drmkpi::util::errno::Result;

/// The time without progress after which the oldest job in the ring counts as hung. HW: Linux's
/// bound.
const JOB_TIMEOUT_NS: u64 = 500_000_000;
/// The time without a job after which a core is turned off. HW: Linux's bound.
const IDLE_NS: u64 = 200_000_000;
/// The number of the driver's task for a fault of the MMU or the bus.
const FAULT_TASK: usize = 0;
/// The number of the driver's task that reads counters.
const COUNTERS_TASK: usize = 1;

impl Backend for Core {
    type Job = Job;
    type Hw = InFlight;
    type Vm = Vm;

    const DESC: Desc<Core> = Desc {
        noun: "core",
        queue: c"etnaviv",
        job_timeout_ns: JOB_TIMEOUT_NS,
        idle_ns: IDLE_NS,
        // HW: a node has one interrupt, which has no name.
        interrupts: &[Interrupt {
            name: None,
            run: on_interrupt,
        }],
        tasks: &[
            OwnTask {
                queue: None,
                run: recover::after_fault,
            },
            OwnTask {
                queue: None,
                run: read::run,
            },
        ],
    };

    fn runner(&self) -> &Runner<Core> {
        &self.runner
    }

    fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    fn reset(&self) -> Result<()> {
        core_ops::reset(self.regs(), self.os(), &self.identity)
    }

    fn ready(&self, _engine: &mut Engine<'_>) {
        core_ops::init(self.regs(), &self.identity);
    }

    fn mask_interrupts(&self) {
        core_ops::mask_interrupts(self.regs());
    }

    fn forget(&self, in_flight: &mut InFlight) -> Vms<Core> {
        if in_flight.is_empty() {
            // HW: power must not go off while the front end fetches.
            in_flight.ring.stop(self.mmu().commands());
        }
        let mut vms = Vms::<Core>::default();
        if let Some(first) = vms.first_mut() {
            *first = in_flight.forget();
        }
        vms
    }

    fn forgotten(&self, in_flight: &mut InFlight) {
        in_flight.forgotten();
    }

    fn power_off(&self) {
        if core_ops::wait_stopped(self.regs(), self.os()).is_err() {
            self.runner
                .dev()
                .log(Level::Warning, format_args!("the front end does not stop"));
        }
    }

    fn start(&self, engine: &mut Engine<'_>, _slot: usize, id: JobId) -> Start<Vm> {
        start(self, engine, id)
    }

    fn prepare(&self) {
        fill::fill(self);
    }

    fn is_empty(in_flight: &InFlight) -> bool {
        in_flight.is_empty()
    }

    fn collect(&self, engine: &mut Engine<'_>) {
        if engine.hw.fault == 0 {
            take_interrupts(self, engine, self.os().now());
        }
    }

    fn overdue(&self, engine: &mut Engine<'_>) -> Option<JobId> {
        recover::overdue(self, engine)
    }

    fn timed_out(&self, guilty: JobId) {
        recover::timed_out(self, guilty);
    }

    fn user_fence(job: &Job) -> u32 {
        job.fence
    }

    fn user_fence_signaled(&self, number: u32) {
        // After the signal, as WAIT_FENCE takes an unknown id for that of a signaled fence.
        self.fences.forget(number);
    }
}

/// Writes a job into the ring.
fn start(core: &Core, engine: &mut Engine<'_>, id: JobId) -> Start<Vm> {
    let queue::Engine {
        sched,
        hw: in_flight,
        ..
    } = &mut **engine;
    let Some(job) = sched.job(id) else {
        return Start::Started(None);
    };
    let job = &job.payload;
    let vm = &job.vm;
    let Some(words) = job.stream.as_ref().map(|stream| stream.words()) else {
        // The job task has its stream, and starts it after that.
        return Start::Full;
    };
    let placed = match in_flight.fault {
        0 => events(in_flight, job)
            .and_then(|events| Some((events, place(in_flight, id, words.len())?))),
        _ => None,
    };
    let Some(((end, stops), placed)) = placed else {
        return Start::Full;
    };
    let (place, unwritten) = match placed {
        Placed::Written(place) => (place, Default::default()),
        Placed::Unwritten(place) => (place, words),
        Placed::Ahead => return Start::Unprepared,
    };
    let counted = InFlightCount::new(vm);
    let seqno = vm.seqno();
    if in_flight.loaded.is_none() {
        if let Err(e) = first_start(core, in_flight, vm) {
            core.runner
                .log_error(format_args!("the front end does not start: {e}"));
            in_flight.ring.free(place);
            return Start::NeedsReset;
        }
        in_flight.loaded = Some((vm.clone(), seqno));
    }
    let mut switch = Switch {
        table: None,
        root: vm.root(),
        flush: false,
        pipe: (in_flight.pipe.replace(job.pipe) != Some(job.pipe)).then_some(job.pipe),
    };
    let mut left = None;
    if let Some((loaded, known)) = in_flight.loaded.as_mut() {
        let other = loaded.id() != vm.id();
        switch.table = other.then(|| vm.table_number());
        switch.flush = other || *known != seqno;
        *known = seqno;
        if other {
            left = Some(core::mem::replace(loaded, vm.clone()));
        }
    }
    let program = Program {
        place,
        words: words.len(),
        unwritten,
        switch,
        pipe: job.pipe,
        event: end,
        stops,
    };
    let resume = in_flight.ring.queue(core.mmu().commands(), &program);
    let running = Running {
        id,
        place,
        resume,
        _in_flight: counted,
    };
    in_flight.set_event(end, Event::End(running));
    for (stop, after) in stops.into_iter().flatten().zip([false, true]) {
        in_flight.set_event(stop, Event::Stop(end, after));
    }
    if left.is_none() && job.left.is_none() {
        return Start::Started(None);
    }
    let Some(job) = sched.job_mut(id) else {
        return Start::Started(left);
    };
    // After a reset the job may have the VM that it left in its previous run.
    Start::Started(core::mem::replace(&mut job.payload.left, left))
}

/// The space for the stream of `words` words of a job; `None` if there is none now.
fn place(in_flight: &mut InFlight, id: JobId, words: usize) -> Option<Placed> {
    let InFlight { ring, ahead, .. } = in_flight;
    Ahead::place(ahead, ring, id, words)
}

/// Free events for a job: one for its end, and two for its stops if it reads counters.
fn events(in_flight: &InFlight, job: &Job) -> Option<(u32, Option<[u32; 2]>)> {
    let end = in_flight.free_event(0)?;
    if job.requests.is_none() {
        return Some((end, None));
    }
    let before = in_flight.free_event(bit(end))?;
    let after = in_flight.free_event(bit(end) | bit(before))?;
    Some((end, Some([before, after])))
}

/// After a reset: loads the first page table, by registers or by a program at a physical address,
/// enables translation and starts the idle loop in the ring.
fn first_start(core: &Core, in_flight: &mut InFlight, vm: &Vm) -> Result<()> {
    let (regs, mmu) = (core.regs(), core.mmu());
    core_ops::set_tables(regs, mmu);
    let (number, root) = (vm.table_number(), vm.root());
    if let Some(program) = in_flight
        .ring
        .write_first_switch(mmu, &core.identity, number, root)
    {
        core_ops::start(regs, &core.identity, program.address, program.prefetch);
        core_ops::wait_stopped(regs, core.os())?;
    }
    core_ops::enable_mmu(regs, mmu.version());
    let idle = in_flight.ring.begin(mmu.commands());
    core_ops::start(regs, &core.identity, idle.address, idle.prefetch);
    Ok(())
}

/// The interrupts for faults, after which the core has stopped.
pub(crate) const FAULTS: u32 = core_ops::INTR_MMU | core_ops::INTR_AXI;

/// The interrupt handler: jobs have ended, or a fault has stopped the core.
fn on_interrupt(core: &Core) {
    let mut engine = core.runner.lock();
    if !engine.state.powered {
        return;
    }
    let now = core.os().now();
    if take_interrupts(core, &mut engine, now) != 0 {
        core.runner.jobs_ended(core, engine, now);
    }
}

/// Acknowledges and handles the interrupts that the core has raised, and returns them. The jobs
/// that have ended have done so at `now`, in ns.
fn take_interrupts(core: &Core, engine: &mut Engine<'_>, now: u64) -> u32 {
    let raised = core_ops::interrupts(core.regs());
    if collect(engine, raised, now) {
        core.runner.enqueue_task(COUNTERS_TASK);
    }
    engine.hw.fault |= raised & FAULTS;
    if raised & FAULTS != 0 {
        core.runner.enqueue_task(FAULT_TASK);
    }
    raised
}

/// Completes the jobs whose events are raised. Returns whether the front end has stopped for
/// counters to be read.
fn collect(engine: &mut Engine<'_>, raised: u32, now: u64) -> bool {
    let queue::Engine { sched, hw, .. } = &mut **engine;
    let mut stopped = None;
    let mut left = raised;
    while let Some(event) = hw.take_event(&mut left) {
        match event {
            Event::End(running) => {
                hw.ring.free(running.place);
                sched.complete(running.id, Outcome::Done, now);
            }
            Event::Stop(end, after) => stopped = Some((end, after)),
        }
    }
    let Some((end, after)) = stopped else {
        return false;
    };
    let Some(running) = hw.ends(end) else {
        return false;
    };
    let [before_stream, after_stream] = running.resume;
    let requests = sched
        .job(running.id)
        .and_then(|job| job.payload.requests.clone());
    hw.stopped = requests.map(|requests| Stopped {
        requests,
        after,
        resume: if after { after_stream } else { before_stream },
    });
    hw.stopped.is_some()
}
