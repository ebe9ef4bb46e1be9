// SPDX-License-Identifier: BSD-2-Clause
//! The driver's functions for the runner: starting and collecting jobs, power, reset.

use crate::device::{Engine, Gpu};
use crate::gpu::control;
use crate::gpu::cycles;
use crate::gpu::power::{self, CoreMasks};
use crate::gpu::quirks;
use crate::irq;
use crate::job::collect::{collect, stop_orphan, Pass};
use crate::job::in_flight::{InFlight, Running};
use crate::job::payload::Job;
use crate::job::slot::{self, JobHw};
use crate::job::timeout;
use crate::mmu::fault;
use crate::mmu::vm::Vm;
use crate::regs::job::Slot;
use drm_sched::JobId;
use drmkpi::drm::stats::Stats;
use drmkpi::runner::backend::Runner;
use drmkpi::runner::backend::{Backend, Desc, Interrupt, OwnTask, Start, Vms};
use drmkpi::util::errno::{Result, EBUSY};

/// The time that a job may take before it counts as hung. HW: Linux's bound.
const JOB_TIMEOUT_NS: u64 = 500_000_000;
/// The time without a job after which the GPU is turned off. HW: Linux's bound.
const IDLE_NS: u64 = 50_000_000;

impl Backend for Gpu {
    type Job = Job;
    type Hw = InFlight;
    type Vm = Vm;

    const DESC: Desc<Gpu> = Desc {
        noun: "GPU",
        queue: c"panfrost",
        job_timeout_ns: JOB_TIMEOUT_NS,
        idle_ns: IDLE_NS,
        interrupts: &[
            Interrupt {
                name: Some(c"job"),
                run: irq::on_job,
            },
            Interrupt {
                name: Some(c"mmu"),
                run: irq::on_mmu,
            },
            Interrupt {
                name: Some(c"gpu"),
                run: irq::on_gpu,
            },
        ],
        // Its index is irq::FAULT_TASK.
        tasks: &[OwnTask {
            // A queue of its own, as the task may wait for memory.
            queue: Some(c"panfrost faults"),
            run: fault::handle,
        }],
    };

    fn runner(&self) -> &Runner<Gpu> {
        &self.runner
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }

    fn reset(&self) -> Result<()> {
        control::soft_reset(self.regs(), self.os()).map(drop)
    }

    fn set_up(&self) -> Result<()> {
        quirks::apply(self.regs(), &self.quirks);
        let plan = CoreMasks::first_group(&self.identity);
        power::power_on(self.regs(), self.os(), &plan)?;
        Ok(())
    }

    fn ready(&self, _engine: &mut Engine<'_>) {
        self.mmu.ready();
        slot::clear_interrupts(self.regs());
        slot::unmask_interrupts(self.regs());
        control::unmask_interrupts(self.regs());
    }

    fn mask_interrupts(&self) {
        slot::mask_interrupts(self.regs());
        self.mmu.mask_interrupts();
        control::mask_interrupts(self.regs());
    }

    /// Sends all running jobs a soft stop, waits for them, and collects those that have completed.
    fn stop(&self) {
        let busy = {
            let mut engine = self.runner.lock();
            if !engine.state.powered {
                return;
            }
            slot::mask_interrupts(self.regs());
            collect(self, &mut engine, Pass::BeforeReset, self.os().now());
            let busy = Slot::ALL
                .into_iter()
                .filter(|slot| engine.hw.count(*slot) != 0)
                .fold(0, |bits, slot| bits | slot.done_bit());
            slot::stop_all(self.regs());
            busy
        };
        self.runner.sync_irqs();
        // A timeout is ignored: the reset stops the remaining jobs.
        let _ = slot::wait_stopped(self.regs(), self.os(), busy);
        let now = self.os().now();
        collect(self, &mut self.runner.lock(), Pass::BeforeReset, now);
    }

    fn forget(&self, hw: &mut InFlight) -> Vms<Gpu> {
        hw.forget();
        self.mmu.forget()
    }

    fn power_off(&self) {
        self.perfcnt.registers_off(self.regs());
        let plan = CoreMasks::all(&self.identity);
        if let Err(stuck) = power::power_off(self.regs(), self.os(), &plan) {
            self.runner
                .log_error(format_args!("{stuck}: no power off in time"));
        }
    }

    fn start(&self, engine: &mut Engine<'_>, slot: usize, id: JobId) -> Start<Vm> {
        let (Some(slot), Some(job)) = (Slot::ALL.get(slot).copied(), engine.sched.job(id)) else {
            return Start::Started(None);
        };
        let (jc, flush_id, vm) = (job.payload.jc, job.payload.flush_id, &job.payload.vm);
        let counts_cycles = job.payload.counts_cycles;
        if !slot::can_submit(self.regs(), slot) {
            return Start::Full;
        }
        let (seat, evicted) = match self.mmu.acquire(vm, vm.registers()) {
            Ok(acquired) => acquired,
            Err(EBUSY) => return Start::Full,
            // The job is blamed, so that it fails if the reset does not help.
            Err(_) => {
                engine.sched.blame(id);
                self.runner.enqueue_reset();
                return Start::Stuck;
            }
        };
        let chain_flag = engine.hw.free_flag(slot);
        let hw = JobHw {
            jc,
            space: seat.space(),
            chain_flag,
            flush_id,
        };
        let affinity = CoreMasks::first_group(&self.identity).shader();
        slot::load(self.regs(), slot, &hw, affinity, self.features, self.issues);
        if counts_cycles && !engine.hw.counts_cycles() {
            cycles::start(self.regs());
        }
        engine.hw.push(
            slot,
            Running {
                id,
                seat,
                chain_flag,
                counts_cycles,
                sent: None,
                late: None,
            },
        );
        slot::start(self.regs(), slot);
        Start::Started(evicted)
    }

    fn is_empty(hw: &InFlight) -> bool {
        hw.is_empty()
    }

    fn collect(&self, engine: &mut Engine<'_>) {
        collect(self, engine, Pass::Ordinary, self.os().now());
    }

    fn overdue(&self, engine: &mut Engine<'_>) -> Option<JobId> {
        timeout::overdue(self, engine)
    }

    fn queued(&self, engine: &mut Engine<'_>, id: JobId) {
        if !engine.state.powered {
            return;
        }
        if let Some(job) = engine.sched.job_mut(id) {
            job.payload.flush_id = control::latest_flush_id(self.regs(), self.features);
        }
    }

    fn next_timeout(&self, engine: &mut Engine<'_>, now: u64) -> Option<u64> {
        timeout::next(engine, now)
    }

    fn stop_orphans(&self, engine: &mut Engine<'_>) {
        for slot in Slot::ALL {
            stop_orphan(self, engine, slot);
        }
    }
}
