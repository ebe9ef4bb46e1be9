// SPDX-License-Identifier: BSD-2-Clause
//! Registers as byte offsets into the window of a core, one file per block.
//!
//! Source: rnndb `state_hi.xml` of etna_viv.

pub mod hi;
pub mod mc;
pub mod pm;
