// SPDX-License-Identifier: BSD-2-Clause
//! ATF test programs for kyua, in Rust: the harness, and a raw DRM client for the tests to use.
//!
//! A test program is a `main` that hands its cases to [`main`]; kyua lists them with `-l` and runs
//! one per process. A case fails by panicking, and the `require!` family panics with the reason and
//! the place. The protocol is the one of atf-test-program(1).
//!
//! The user ABI is that of crate `uapi`, which is written from the uapi headers and not from the
//! kernel crates: what checks must not be what is checked.
#![deny(missing_docs)]

mod args;
pub mod board;
mod case;
pub mod drm;
mod errno;
pub mod etnaviv;
mod macros;
pub mod mali;
pub mod process;
mod run;

pub use case::{Case, Ctx};
pub use errno::{Errno, Sys};
pub use run::{main, Skip};
