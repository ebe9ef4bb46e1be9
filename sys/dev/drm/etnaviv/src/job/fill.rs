// SPDX-License-Identifier: BSD-2-Clause
//! A long stream is copied to its space, and cleaned from the caches, without the job lock.

use crate::gpu_core::{Core, Engine};
use crate::job::ahead::State;
use crate::job::in_flight::InFlight;
use crate::job::payload::Stream;
use drm_sched::JobId;
use drmkpi::runner::backend::Backend;
use drmkpi::runner::queue;

/// Takes the stream of the job ahead, if it is to be copied. Returns the index of its first word in
/// the command memory, too.
fn take(engine: &mut Engine<'_>) -> Option<(JobId, usize, Stream)> {
    let queue::Engine { sched, hw, .. } = &mut **engine;
    let hw: &mut InFlight = hw;
    let ahead = hw.ahead.as_mut()?;
    if ahead.state != State::Reserved {
        return None;
    }
    let at = hw.ring.stream_word(ahead.place);
    let stream = sched.job_mut(ahead.id)?.payload.stream.take()?;
    ahead.state = State::Filling;
    Some((ahead.id, at, stream))
}

/// Copies the stream of the job ahead to its place. Called by the job task.
pub(super) fn fill(core: &Core) {
    let Some((id, at, stream)) = take(&mut core.runner().lock()) else {
        return;
    };
    let memory = core.mmu().commands();
    memory.store(at, stream.words());
    memory.sync(at, stream.words().len());
    let mut engine = core.runner().lock();
    let queue::Engine { sched, hw, .. } = &mut *engine;
    if let Some(ahead) = hw.ahead.as_mut() {
        ahead.state = State::Filled;
    }
    // If the job has ended and is gone, its stream goes with it.
    let left = match sched.job_mut(id) {
        Some(job) => job.payload.stream.replace(stream),
        None => Some(stream),
    };
    drop(engine);
    drop(left);
}
