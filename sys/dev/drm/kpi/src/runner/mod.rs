// SPDX-License-Identifier: BSD-2-Clause
//! The engine of jobs.
//!
//! * [`jobs`]: the scheduler under a lock, jobs with fences
//! * [`reaper`]: what jobs that are over held, freed where no other client waits
//! * `storage`: kernel memory for the scheduler's arrays

pub mod jobs;
pub mod reaper;
pub mod storage;
