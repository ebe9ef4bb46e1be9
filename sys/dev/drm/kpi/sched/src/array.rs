// SPDX-License-Identifier: BSD-2-Clause
//! Growable arrays, which the caller provides.
//!
//! The crate does not allocate by itself: all of its memory is arrays of this family. The one thing
//! to know: they grow only in `Scheduler::new`, `client_new`, `entity_new` and `prepare`.

/// A family of growable arrays that share one allocator context.
pub trait Storage {
    /// What an array needs to allocate (a malloc type, an account; `()` if nothing).
    type Ctx: Clone;
    /// The array type for elements of type `T`.
    type Arr<T>: Arr<T, Ctx = Self::Ctx>;
}

/// An array whose growth can fail.
///
/// # Invariants
/// Growth is amortised O(1), `get` and `get_mut` are O(1), and a failed `try_push` changes nothing.
pub trait Arr<T>: Sized {
    /// Allocator context, the same for the whole family.
    type Ctx;
    /// An empty array; allocates nothing.
    fn new(ctx: &Self::Ctx) -> Self;
    /// An empty array with room for `capacity` elements, so that as many pushes do not move them;
    /// `None` if there is no memory.
    fn with_capacity(ctx: &Self::Ctx, capacity: usize) -> Option<Self>;
    /// Number of elements.
    fn len(&self) -> usize;
    /// Whether there are no elements.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The element at `index`, `None` past the end.
    fn get(&self, index: usize) -> Option<&T>;
    /// The element at `index` for writing, `None` past the end.
    fn get_mut(&mut self, index: usize) -> Option<&mut T>;
    /// Appends `value`.
    ///
    /// # Errors
    /// Returns `value` if there is no memory.
    fn try_push(&mut self, value: T) -> Result<(), T>;
}
