// SPDX-License-Identifier: BSD-2-Clause
//! Tests of the model of the Vivante GPUs.

mod common;
mod engines;
mod fe;
mod inject;
mod linux;
mod mmu;
mod random;
mod regs;
mod streams;
