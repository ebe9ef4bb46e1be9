// SPDX-License-Identifier: BSD-2-Clause
//! The user ABI for tests: requests and structures of DRM, panfrost, etnaviv, sync_file and
//! dma-buf, as the uapi headers of Linux define them.
//!
//! Numbers and layouts are written here independently of the kernel crates, which do not use this
//! one, so that a mistake in theirs is not repeated. Names are the headers', in Rust's case,
//! without the prefix of their file.

pub mod core;
pub mod dma_buf;
pub mod etnaviv;
pub mod panfrost;
mod plain;
mod request;
pub mod sync_file;

pub use plain::{Field, Plain};
pub use request::{code, io, ior, iow, iowr, Request};
