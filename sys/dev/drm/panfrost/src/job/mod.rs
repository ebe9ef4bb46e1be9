// SPDX-License-Identifier: BSD-2-Clause
//! Jobs.
//!
//! * `submit`: from an ioctl to a queued job
//! * `payload`: what a job holds
//! * `backend`: the GPU as the runner sees it: start, end, power
//! * `collect`: jobs that have ended
//! * `in_flight`: the jobs that the hardware has
//! * `slot`: register operations of one job slot
//! * `events`: what the job interrupts say
//! * `timeout`: jobs that take too long

pub(crate) mod backend;
pub(crate) mod collect;
pub(crate) mod events;
pub(crate) mod in_flight;
pub(crate) mod payload;
pub(crate) mod slot;
pub(crate) mod submit;
pub(crate) mod timeout;
