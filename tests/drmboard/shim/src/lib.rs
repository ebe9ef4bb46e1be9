// SPDX-License-Identifier: BSD-2-Clause
//! LD_PRELOAD side of drmboard: gives an unmodified Linux program the board's /dev/dri.
//!
//! A descriptor of the board is a socket whose peer the server holds, and the peer's name
//! identifies the file. So there is no table of descriptors here: dup, close, fork, exec and
//! SCM_RIGHTS are the kernel's own. Only open, ioctl, mmap, lseek, the stat family, readlink, and
//! what waits for readiness are taken over, and exec to keep children under the shim.

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
