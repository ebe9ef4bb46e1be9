// SPDX-License-Identifier: BSD-2-Clause
//! Reading the performance counters of a job, before its stream and after it.
//!
//! The ring has stopped the front end, which is started again here. Facts: docs/hw/etnaviv.md,
//! Performance counters.

use crate::core_ops;
use crate::gpu_core::Core;
use crate::perfmon::requests::Request;
use crate::perfmon_tables::{idle_cycles, total_cycles, Sample};

/// The task after a job has stopped the front end: reads the counters and starts it again.
pub(crate) fn run(core: &Core) {
    core.runner.with_power(|| {
        // It stays until this task is done: a reset runs in the same task queue, or with the power
        // lock held.
        let (requests, after) = {
            let engine = core.runner.lock();
            match &engine.hw.stopped {
                Some(stopped) if engine.state.powered => (stopped.requests.clone(), stopped.after),
                _ => return,
            }
        };
        // The event may be raised before the front end has reached its END.
        if core_ops::wait_stopped(core.regs(), core.os()).is_err() {
            // The timeout handler ends the job.
            core.runner.lock().hw.stopped = None;
            return;
        }
        if !after {
            // HW: the counters of modules without a clock stand still.
            core_ops::gate_clocks(core.regs(), &core.identity, false);
        }
        for request in requests.list.iter() {
            if (after && request.after) || (!after && request.before) {
                let value = read(core, request);
                requests.store(request.map, request.word, value);
            }
        }
        if after {
            core_ops::gate_clocks(core.regs(), &core.identity, true);
            for request in requests.list.iter() {
                requests.store(request.map, 0, request.sequence);
            }
        }
        let mut engine = core.runner.lock();
        if let Some(stopped) = engine.hw.stopped.take() {
            // OVERFLOW: a token, of which only a change counts.
            engine.hw.resumed = engine.hw.resumed.wrapping_add(1);
            let entry = stopped.resume;
            core_ops::start(core.regs(), &core.identity, entry.address, entry.prefetch);
        }
    });
}

fn read(core: &Core, request: &Request) -> u32 {
    let regs = core.regs();
    let ids = core.identity.ids;
    match request.sample {
        Sample::Select(selector) => {
            regs.write(request.domain.config, selector);
            regs.read(request.domain.read)
        }
        Sample::SelectPipes(selector) => pixel_pipes(core, || {
            regs.write(request.domain.config, selector);
            regs.read(request.domain.read)
        }),
        Sample::ReadPipes(register) => pixel_pipes(core, || regs.read(register)),
        Sample::TotalCycles => regs.read(total_cycles(ids.model, ids.revision)),
        Sample::IdleCycles => regs.read(idle_cycles(ids.model, ids.revision)),
    }
}

/// The sum over all pixel pipes.
fn pixel_pipes(core: &Core, read: impl Fn() -> u32) -> u32 {
    let mut sum = 0u32;
    for pipe in 0..core.identity.specs.pixel_pipes.min(16) {
        core_ops::show_pixel_pipe(core.regs(), pipe);
        // OVERFLOW: wraps, as the hardware's counters do.
        sum = sum.wrapping_add(read());
    }
    // HW: otherwise the GPU hangs.
    core_ops::show_pixel_pipe(core.regs(), 0);
    sum
}
