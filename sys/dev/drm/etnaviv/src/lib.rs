// SPDX-License-Identifier: BSD-2-Clause
//! DRM driver for Vivante GPUs.
#![no_std]
#![forbid(unsafe_code)]
