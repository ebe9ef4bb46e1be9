// SPDX-License-Identifier: BSD-2-Clause
//! Jobs.
//!
//! * `submit`: SUBMIT, from the arguments of the ioctl to a queued job
//! * `payload`: what a job holds
//! * `context`: run queues with a priority of their own
//! * `backend`: the driver's functions for the runner: start, collect, power, reset
//! * `collect`: completing jobs that have ended in the hardware
//! * `in_flight`: the jobs that are in flight, by slot
//! * `slot`: register operations of one job slot
//! * `events`: one pass over the job interrupts
//! * `timeout`: stop commands for jobs that take too long

pub(crate) mod backend;
pub(crate) mod collect;
pub(crate) mod context;
pub(crate) mod events;
pub(crate) mod in_flight;
pub(crate) mod payload;
pub(crate) mod slot;
pub(crate) mod submit;
pub(crate) mod timeout;
