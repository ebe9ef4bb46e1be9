// SPDX-License-Identifier: BSD-2-Clause
//! Callbacks.

/// A callback for events: a fence is signalled, a task has work. `token` is the number with which
/// it was added.
pub trait Hook: Send + Sync {
    /// Handles the event. Must neither sleep nor signal a fence.
    fn signaled(&self, token: u64);
}

/// An action as a trait object, for a layer below the one that implements it.
pub trait Callback: Send + Sync {
    /// Performs the action. May sleep.
    fn call(&self);
}
