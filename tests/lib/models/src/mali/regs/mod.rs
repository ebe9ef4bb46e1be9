// SPDX-License-Identifier: BSD-2-Clause
//! Register offsets, fields and codes, one file per hardware block.
//!
//! Written for the model from the facts sheet; the driver has a table of its own, so that a
//! wrong offset on either side shows up as a disagreement.
//!
//! Glossary: JM job manager, JS job slot, AS address space, PWR power.

pub(crate) mod exception;
pub(crate) mod gpu;
pub(crate) mod job;
pub(crate) mod mmu;
