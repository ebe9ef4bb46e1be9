// SPDX-License-Identifier: BSD-2-Clause
//! Jobs.
//!
//! * `submit`: GEM_SUBMIT, from the arguments of the ioctl to a queued job
//! * `payload`: what a job holds
//! * `backend`: the driver's functions for the runner: start, collect, power, reset
//! * `command`: commands of the front end
//! * `ring`: the ring buffer that the front end executes
//! * `ahead`: the space for the stream of a job that is to be started
//! * `fill`: the copy of a long stream to its space
//! * `in_flight`: the jobs of a core that are in flight
//! * `recover`: hangs and faults
//! * `user_fence`: user fence ids

mod ahead;
pub(crate) mod backend;
mod command;
mod fill;
pub(crate) mod in_flight;
pub(crate) mod payload;
pub(crate) mod recover;
pub(crate) mod ring;
pub(crate) mod submit;
pub(crate) mod user_fence;
