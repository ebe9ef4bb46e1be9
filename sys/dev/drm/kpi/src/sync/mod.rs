// SPDX-License-Identifier: BSD-2-Clause
//! Fences and waits for them.
//!
//! * [`waiter`]: the sleep of a thread that waits
//! * [`fence`]: signalled when some work ends
//! * [`fences`]: several fences that are waited for as one
//! * [`resv`]: the fences of a buffer
//! * [`syncobj`]: sync objects of clients, and the wait for many of them
//! * [`sync_file`]: descriptors of fences
//! * `poll_waker`: wakes the pollers of such a file

pub mod fence;
pub mod fences;
pub(crate) mod poll_waker;
pub mod resv;
pub mod sync_file;
pub mod syncobj;
pub mod waiter;
