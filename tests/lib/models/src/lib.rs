// SPDX-License-Identifier: BSD-2-Clause
//! Register-level software models of the GPUs, and of the controllers that power them.
//!
//! Each model is a pure state machine: a call passes the time and the board (a [`Bus`]), and the
//! model serves the register access. The models share no code with the drivers that they check;
//! their facts come from the published sources that `// HW:` comments name.

#![forbid(unsafe_code)]

pub mod bus;
pub mod mali;
pub mod power;
pub mod vivante;

pub use bus::{Access, Bus, BusError};
pub use mali::{Domain, Injection, Mali, Variant};
pub use vivante::Vivante;
