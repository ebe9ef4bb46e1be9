// SPDX-License-Identifier: BSD-2-Clause
//! Tests of the model of the Mali GPUs.

mod common;
mod descriptors;
mod fragment;
mod inject;
mod jobs;
mod mmu;
mod perfcnt;
mod probe;
