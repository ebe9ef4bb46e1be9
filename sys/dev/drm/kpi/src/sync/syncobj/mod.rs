// SPDX-License-Identifier: BSD-2-Clause
//! Sync objects (syncobjs) of clients, and the wait for many of them.
//!
//! * `object`: the syncobj: empty, with fences (binary), or a timeline
//! * `timeline`: the points of a timeline
//! * `waiters`: the waits for fences and points that do not exist yet
//! * `wait`: the wait for any one of many, or for all
//! * `inbox`: the events that a wait is sent

mod inbox;
mod object;
#[cfg(test)]
mod tests;
mod timeline;
mod wait;
mod waiters;

pub use object::Syncobj;
pub use wait::{find_or_wait, wait, WaitMode};
