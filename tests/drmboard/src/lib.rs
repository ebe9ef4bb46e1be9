// SPDX-License-Identifier: BSD-2-Clause
//! A virtual board: a driver, a model of its GPU and a world for both; and the program `drmboard`,
//! which serves the board's /dev/dri to unmodified Linux programs.
//!
//! In-process tests use [`Board`] and a virtual clock. The program uses the real clock, a private
//! mount namespace in which the nodes exist (`namespace`), a library that is preloaded into every
//! program (`shim/`), and a server for it (`server`, `connection`). A descriptor of the board is
//! one end of a socket pair whose other end the server keeps: the Linux kernel counts its copies
//! and reports the last close. Error numbers and ioctl codes are translated in the server (`errno`,
//! `ioctl_code`); all other code uses FreeBSD's.

mod args;
pub mod board;
pub mod cli;
mod connection;
mod elf;
mod errno;
mod fence_status;
mod ioctl_code;
mod launch;
mod namespace;
mod open_file;
mod process;
#[path = "../shim/src/proto.rs"]
mod proto;
mod server;
mod signals;
mod sock;
pub mod stats;
mod vm;

pub use board::Board;
pub use board_gpus::inject;
