// SPDX-License-Identifier: BSD-2-Clause
//! What serves a core: its tasks and its interrupt, from the first to the last.

use crate::gpu_core::{Core, Found, Shared, Tasks, Work, JOB_TIMEOUT_NS};
use crate::job::recover;
use crate::job::run;
use crate::perfmon::read;
use drmkpi::alloc::Arc;
use drmkpi::drm::driver::Suspend;
use drmkpi::os::{Irq, Task, TaskQueue};
use drmkpi::util::errno::Result;

/// Serves a core, the device's `index`-th.
///
/// # Errors
///
/// EIO when it does not come on, ENOMEM.
pub(crate) fn serve(found: Found, index: u32, shared: &Arc<Shared>) -> Result<Arc<Core>> {
    let core = Core::build(found, index, shared)?;
    if let Err(e) = start(&core).and_then(|()| core.turn_on()) {
        remove(&core);
        return Err(e);
    }
    core.enqueue(Work::Idle);
    Ok(core)
}

fn start(core: &Arc<Core>) -> Result<()> {
    let os = core.os();
    let queue = Arc::new(os, TaskQueue::new(os, c"etnaviv")?)?;
    let task = |run: fn(&Core)| Task::new(os, &queue, core.clone(), run);
    let tasks = Tasks {
        pump: Arc::new(os, task(run::pump)?)?,
        timeout: task(recover::check)?,
        idle: task(Core::turn_off_if_idle)?,
        fault: task(recover::after_fault)?,
        sample: task(read::run)?,
    };
    core.queue.set_kick(Some(tasks.pump.clone().into_hook()));
    core.set_tasks(tasks);
    // HW: a node has one interrupt, which has no name.
    core.set_irq(Irq::new(core.dev(), None, core.clone(), run::on_interrupt)?);
    Ok(())
}

/// Ends all work and turns the core off, for good.
pub(crate) fn remove(core: &Arc<Core>) {
    core.begin_removal();
    core.queue.lock().sched.shutdown();
    recover::for_good(core);
    core.queue.set_kick(None);
    core.end_services();
    while run::retire(core) {}
}

/// Turns the core off and keeps it so; jobs wait.
pub(crate) fn suspend(core: &Core, how: Suspend) {
    core.queue.lock().hw.suspended = true;
    let is_empty = || core.queue.lock().hw.is_empty();
    if !how.wait_for_jobs(core.os(), JOB_TIMEOUT_NS, is_empty) {
        recover::take_back(core);
    }
    core.turn_off_if_idle();
}
