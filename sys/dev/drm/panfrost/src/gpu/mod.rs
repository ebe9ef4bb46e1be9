// SPDX-License-Identifier: BSD-2-Clause
//! The GPU control block: identification, reset, cores and their power.
//!
//! * `control`: identity registers, reset, interrupts of the block
//! * `cycles`: the cycle counter and the timestamp
//! * `model`: the table of supported models; `features`, `issues`: their abilities and errata
//! * `power`: powering cores on and off
//! * `quirks`: configuration registers that a model or its integration needs

pub(crate) mod control;
pub(crate) mod cycles;
pub(crate) mod features;
pub(crate) mod issues;
pub(crate) mod model;
pub(crate) mod power;
pub(crate) mod quirks;
