// SPDX-License-Identifier: BSD-2-Clause
//! The runner: the handling of jobs that is the same for all GPUs.
//!
//! ```text
//! ioctl ── client: reserve, charge, make ── queue: drm_sched under the job lock
//!                                             └──> run: start: Backend::start
//! interrupt ── Backend::collect ──> run: start, then retire: holdings to their file, and the
//!                                             │               fence is signaled
//!                                             │ what may sleep
//!                                             v
//!                                   the job task: power on, prepare, start, retire
//! timeout ── Backend::overdue ── power: reset, requeue, off when idle, suspend
//! ```
//!
//! A driver implements [`backend::Backend`], creates and attaches a [`backend::Runner`], and
//! creates a [`client::Client`] for each open file. Queues, threads, power and the end of jobs are
//! up to the runner.
//!
//! * [`backend`]: the interface to the driver, and the runner of one device
//! * `run`: attach and detach, tasks and interrupts; starting and retiring jobs
//! * `power`: power, resets, suspend
//! * `timers`: when the timeout and idle tasks are armed
//! * [`client`]: the run queues of an open file, and submission
//! * [`queue`]: the scheduler under the job lock, jobs with fences
//! * [`holdings`]: what jobs hold, and how it is freed
//! * [`reaper`]: deferred frees in a task queue of their own
//! * [`refusals`]: counting and logging refused submits
//! * [`kernel_arrays`]: kernel memory for the scheduler's arrays

pub mod backend;
pub mod client;
pub mod holdings;
pub mod kernel_arrays;
mod power;
pub mod queue;
pub mod reaper;
pub mod refusals;
mod run;
mod timers;
