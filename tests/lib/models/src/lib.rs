// SPDX-License-Identifier: BSD-2-Clause
//! Register-level software models of the GPUs, and of the controllers that feed them.
//!
//! Each model is a pure state machine: it gets the time and the board as a [`Bus`], and serves
//! register accesses. It shares no code with the drivers it checks; its facts come from published
//! sources named in `// HW:` comments.

#![forbid(unsafe_code)]

pub mod bus;
pub mod mali;
pub mod power;
pub mod vivante;

pub use bus::{Access, Bus, BusError};
pub use mali::{Domain, Injection, Mali, Variant};
pub use vivante::Vivante;
