// SPDX-License-Identifier: BSD-2-Clause
//! The engine of jobs.
//!
//! * [`jobs`]: the scheduler under a lock, jobs with fences
//! * `storage`: kernel memory for the scheduler's arrays

pub mod jobs;
pub mod storage;
