// SPDX-License-Identifier: BSD-2-Clause
//! Callbacks.

/// A callback for events: a fence is signalled, a task has work. `token` is the number with which
/// it was added.
pub trait Hook: Send + Sync {
    /// Handles the event. Must neither sleep nor signal a fence.
    fn signaled(&self, token: u64);
}

/// An action behind a trait object, for a part that does not know who does it.
pub trait Callback: Send + Sync {
    /// Does it. May sleep.
    fn call(&self);
}
