// SPDX-License-Identifier: BSD-2-Clause
//! Fences and waits for them.
//!
//! * [`fence`]: signalled when some work ends
//! * [`resv`]: the fences of a buffer
//! * [`syncobj`]: sync objects of clients, and the wait for many of them
//! * [`sync_file`]: descriptors of fences
//! * `poll_waker`: wakes the pollers of such a file

pub mod fence;
pub(crate) mod poll_waker;
pub mod resv;
pub mod sync_file;
pub mod syncobj;
