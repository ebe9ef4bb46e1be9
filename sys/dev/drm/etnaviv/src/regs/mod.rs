// SPDX-License-Identifier: BSD-2-Clause
//! Registers, as byte offsets in the register window of a core, one file per block:
//!
//! * `hi`: host interface
//! * `mc`: memory controller
//! * `pm`: power management
//!
//! Source: rnndb `state_hi.xml` of etna_viv.

pub mod hi;
pub mod mc;
pub mod pm;
