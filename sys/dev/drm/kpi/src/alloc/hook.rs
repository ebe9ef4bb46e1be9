// SPDX-License-Identifier: BSD-2-Clause
//! What can be told of an event.

/// A value that is told of events: of the end of fences, of work for a task. `token` is what it was
/// registered with.
pub trait Hook: Send + Sync {
    /// The event happened. Must not sleep, nor signal a fence.
    fn signaled(&self, token: u64);
}

/// An action behind a trait object, for a part that does not know who does it.
pub trait Callback: Send + Sync {
    /// Does it. May sleep.
    fn call(&self);
}
