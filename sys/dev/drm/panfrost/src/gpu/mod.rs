// SPDX-License-Identifier: BSD-2-Clause
//! The GPU control block: what a GPU is, its cores and their power.
//!
//! * `control`: registers of the block, identity, reset
//! * `features`, `issues`, `model`: what a product has, and its errata
//! * `power`: cores on and off
//! * `quirks`: register values for a product and its integration

pub(crate) mod control;
pub(crate) mod features;
pub(crate) mod issues;
pub(crate) mod model;
pub(crate) mod power;
pub(crate) mod quirks;
