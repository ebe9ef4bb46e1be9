// SPDX-License-Identifier: BSD-2-Clause
//! Pins of buffers.

use crate::alloc::Arc;
use crate::mem::buffer::Buffer;

/// What has a buffer, which is always the same.
pub trait HasBuffer {
    /// The buffer.
    fn buffer(&self) -> &Buffer;
}

impl<T: HasBuffer> HasBuffer for Arc<T> {
    fn buffer(&self) -> &Buffer {
        (**self).buffer()
    }
}

/// A job's use of a buffer, which is not purged while this exists.
pub struct Pin<T: HasBuffer>(Option<T>);

impl<T: HasBuffer> Pin<T> {
    /// Pins the buffer of `owner` for one more job. Returns the owner if a purge of the buffer is
    /// in progress, for which the caller waits (`Buffer::wait_for_purge`).
    ///
    /// # Errors
    ///
    /// As said.
    pub fn new(owner: T) -> Result<Self, T> {
        match owner.buffer().uses().begin() {
            true => Ok(Pin(Some(owner))),
            false => Err(owner),
        }
    }

    /// Unpins the buffer, and returns its owner, which is always there.
    pub fn into_inner(mut self) -> Option<T> {
        let owner = self.0.take()?;
        owner.buffer().uses().end();
        Some(owner)
    }
}

impl<T: HasBuffer> Drop for Pin<T> {
    fn drop(&mut self) {
        if let Some(owner) = &self.0 {
            owner.buffer().uses().end();
        }
    }
}
