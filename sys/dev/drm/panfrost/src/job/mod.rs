// SPDX-License-Identifier: BSD-2-Clause
//! Jobs.
//!
//! * `submit`: from an ioctl to a queued job
//! * `run`: jobs in the hardware: start, end
//! * `slot`: register operations of one job slot
//! * `events`: what the job interrupts say
//! * `timeout`, `reset`: jobs that take too long

pub(crate) mod events;
pub(crate) mod reset;
pub(crate) mod run;
pub(crate) mod slot;
pub(crate) mod submit;
pub(crate) mod timeout;
