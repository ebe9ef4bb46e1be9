// SPDX-License-Identifier: BSD-2-Clause
//! Binary sync objects (syncobjs) of clients, and the wait for many of them.

mod inbox;
mod object;
mod wait;

pub use object::Syncobj;
pub use wait::{wait, WaitMode};
