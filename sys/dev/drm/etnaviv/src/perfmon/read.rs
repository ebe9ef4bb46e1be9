// SPDX-License-Identifier: BSD-2-Clause
//! Performance counters: what a submit wants read before its stream and behind it, and the reading.
//!
//! The front end is stopped by the ring meanwhile, and started again here. Facts: docs/hw/etnaviv.md,
//! Performance counters.

use crate::gpu_core::Core;
use crate::ops;
use crate::perfmon::requests::Request;
use crate::perfmon_tables::{idle_cycles, total_cycles, Sample};

/// The task: a job stopped the front end.
pub(crate) fn run(core: &Core) {
    core.runner.with_power(|| {
        // Nobody else takes it: a reset runs in this queue of tasks, or with the power lock.
        let (requests, behind) = {
            let engine = core.runner.lock();
            match &engine.hw.stopped {
                Some(stopped) if engine.state.powered => (stopped.requests.clone(), stopped.behind),
                _ => return,
            }
        };
        // The event may be here before the front end has come to its END.
        if ops::wait_stopped(core.regs(), core.os()).is_err() {
            // For the watchdog.
            core.runner.lock().hw.stopped = None;
            return;
        }
        if !behind {
            // HW: modules without a clock do not count.
            ops::gate_clocks(core.regs(), &core.identity, false);
        }
        for request in requests.list.iter() {
            if (behind && request.behind) || (!behind && request.before) {
                let value = read(core, request);
                requests.store(request.map, request.word, value);
            }
        }
        if behind {
            ops::gate_clocks(core.regs(), &core.identity, true);
            for request in requests.list.iter() {
                requests.store(request.map, 0, request.sequence);
            }
        }
        let mut engine = core.runner.lock();
        if let Some(stopped) = engine.hw.stopped.take() {
            engine.hw.resumed = engine.hw.resumed.wrapping_add(1);
            let entry = stopped.resume;
            ops::start(core.regs(), &core.identity, entry.address, entry.prefetch);
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
        ops::show_pixel_pipe(core.regs(), pipe);
        sum = sum.wrapping_add(read());
    }
    // HW: else the GPU hangs.
    ops::show_pixel_pipe(core.regs(), 0);
    sum
}
