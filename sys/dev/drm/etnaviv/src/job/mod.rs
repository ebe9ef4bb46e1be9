// SPDX-License-Identifier: BSD-2-Clause
//! Jobs.
//!
//! * `submit`: from an ioctl to a queued job
//! * `payload`: what a job holds
//! * `backend`: a core as the runner sees it: start, end, power
//! * `ring`: the ring buffer that the front end reads
//! * `in_flight`: what a core has of jobs
//! * `recover`: jobs that take too long, faults
//! * `user_fence`: the numbers by which clients know fences

pub(crate) mod backend;
pub(crate) mod in_flight;
pub(crate) mod payload;
pub(crate) mod recover;
pub(crate) mod ring;
pub(crate) mod submit;
pub(crate) mod user_fence;
