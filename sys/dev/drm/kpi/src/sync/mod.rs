// SPDX-License-Identifier: BSD-2-Clause
//! Fences, and what waits for them.
//!
//! * [`fence`]: a promise that some work will end, kept exactly once
//! * [`resv`]: the fences of a buffer
//! * [`syncobj`]: a client's box for fences, and the wait for many of them
//! * [`sync_file`]: fences behind a descriptor
//! * `poll_waker`: wakes those who poll(2) such a file

pub mod fence;
pub(crate) mod poll_waker;
pub mod resv;
pub mod sync_file;
pub mod syncobj;
