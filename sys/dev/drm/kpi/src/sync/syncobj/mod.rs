// SPDX-License-Identifier: BSD-2-Clause
//! Binary sync objects (syncobjs) of clients, and the wait for many of them.

mod object;

pub use object::{wait, Syncobj, WaitMode};
