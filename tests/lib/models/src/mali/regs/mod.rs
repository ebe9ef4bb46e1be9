// SPDX-License-Identifier: BSD-2-Clause
//! Register offsets, fields and codes, one file per hardware block.
//!
//! Written from the facts sheet for the model only. The driver has its own table, so a wrong offset
//! in one of them makes tests fail.
//!
//! Glossary: JM job manager, JS job slot, AS address space, PWR power.

pub(crate) mod exception;
pub(crate) mod gpu;
pub(crate) mod job;
pub(crate) mod mmu;
