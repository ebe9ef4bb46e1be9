// SPDX-License-Identifier: BSD-2-Clause
//! The library that drmboard preloads: it gives an unmodified Linux program the board's /dev/dri.
//!
//! A descriptor of the board is a socket whose other end the server holds, and the name of the
//! other end identifies the file. So no table of descriptors is needed here: dup, close, fork, exec
//! and SCM_RIGHTS work without this library. It interposes open, ioctl, mmap, lseek, the stat
//! family, readlink and the functions that wait for readiness; and exec, so that children load it,
//! too.

#[macro_use]
mod next;
mod access;
mod config;
mod control;
mod elf;
mod exec;
mod fileops;
mod links;
mod poll;
mod proto;
mod spawn;
mod stat;
