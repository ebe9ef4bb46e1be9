// SPDX-License-Identifier: BSD-2-Clause
//! The runner: what every driver of a GPU does with jobs, whatever its hardware.
//!
//! ```text
//! ioctl ── client: reserve, charge, make, queue ──> queue: drm_sched under the job lock
//!                                                    │ kick
//! interrupt ── Backend::collect ──> ended jobs       v
//!                 │           run: the job task ── retire: holdings to the reaper, fence signaled
//!                 └──────────────────^        └─── start: Backend::start, power on for the first
//! timeout ── Backend::overdue ── power: reset, requeue, off when idle, suspend
//! ```
//!
//! A driver implements [`backend::Backend`], makes a [`backend::Runner`], attaches it, and gives each
//! open file a [`client::Client`]. It decides nothing about queues, threads, power or the end of
//! jobs.
//!
//! * [`backend`]: what a driver tells the runner, and the runner of one device
//! * `run`: tasks and interrupts, the task that retires and starts jobs
//! * `power`: power, resets, suspend
//! * [`client`]: the run queues of an open file, and submission
//! * [`queue`]: the scheduler under the job lock, jobs with fences
//! * [`holdings`]: what jobs hold, and how it is freed
//! * [`reaper`]: deferred frees on a task queue of their own
//! * [`refusals`]: refused submits, counted and logged
//! * [`storage`]: kernel memory for the scheduler's arrays

pub mod backend;
pub mod client;
pub mod holdings;
mod power;
pub mod queue;
pub mod reaper;
pub mod refusals;
mod run;
pub mod storage;
