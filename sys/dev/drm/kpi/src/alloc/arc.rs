// SPDX-License-Identifier: BSD-2-Clause
//! `Arc<T>`: a shared value with a saturating reference count and no weak references.

use super::hook::{Callback, Hook};
use super::{allocate, bytes_of, release};
use crate::os::Os;
use crate::util::errno::Result;
use core::any::Any;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{fence, AtomicUsize, Ordering};

#[repr(C)]
struct Inner<T: ?Sized> {
    refs: AtomicUsize,
    value: T,
}

/// A count that reaches this stays there: the value leaks, but is not freed too early.
const SATURATED: usize = usize::MAX / 2;

/// A shared value in kernel memory.
///
/// # Invariants
///
/// The pointer came from `allocate` and is valid while the count is not zero; each `Arc` is one
/// count.
pub struct Arc<T: ?Sized>(NonNull<Inner<T>>);

// SAFETY: an Arc gives &T to any thread and drops T in any thread.
unsafe impl<T: ?Sized + Send + Sync> Send for Arc<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send + Sync> Sync for Arc<T> {}

impl<T> Arc<T> {
    /// Moves `value` into kernel memory with one reference.
    ///
    /// # Errors
    ///
    /// ENOMEM; `value` is dropped.
    pub fn new(os: Os, value: T) -> Result<Self> {
        let p = allocate::<Inner<T>>(os, 1)?;
        // SAFETY: `p` is fresh memory of the size and alignment of Inner<T>.
        unsafe {
            p.as_ptr().write(Inner {
                refs: AtomicUsize::new(1),
                value,
            })
        };
        // INVARIANT: just allocated, with one count.
        Ok(Arc(p))
    }

    /// The value, if this is the last reference.
    pub fn into_inner(self) -> Option<T> {
        let p = self.0;
        let this = core::mem::ManuallyDrop::new(self);
        let refs = &this.inner().refs;
        // ORDERING: as in `drop`.
        if refs.load(Ordering::Relaxed) >= SATURATED || refs.fetch_sub(1, Ordering::Release) != 1 {
            return None;
        }
        fence(Ordering::Acquire);
        // SAFETY: this is the last reference, so that no other thread reaches the value, which is
        // moved out here.
        let inner = unsafe { p.as_ptr().read() };
        // SAFETY: the memory came from `allocate`, and its value has been moved out or dropped.
        unsafe { release(p, bytes_of::<Inner<T>>(1)) };
        Some(inner.value)
    }

    /// The pointer to the value with its count, for C to keep until `from_raw`.
    pub(crate) fn into_raw(self) -> *mut core::ffi::c_void {
        let p = self.0.as_ptr().cast();
        core::mem::forget(self);
        p
    }

    /// The `Arc` of a pointer from `into_raw`.
    ///
    /// # Safety
    ///
    /// `p` came from `into_raw` of an `Arc<T>`, and this is called once for it.
    pub(crate) unsafe fn from_raw(p: *mut core::ffi::c_void) -> Option<Self> {
        // INVARIANT: the caller returns a pointer from `into_raw` with its count.
        NonNull::new(p.cast::<Inner<T>>()).map(Arc)
    }

    /// The value at a pointer from `into_raw` that C still holds.
    ///
    /// # Safety
    ///
    /// `p` came from `into_raw` of an `Arc<T>`, and `from_raw` is not called for it during `'a`.
    pub(crate) unsafe fn borrow_raw<'a>(p: *mut core::ffi::c_void) -> Option<&'a T> {
        let p = NonNull::new(p.cast::<Inner<T>>())?;
        // SAFETY: as the caller promises, the count that C holds keeps it alive.
        let inner: &'a Inner<T> = unsafe { p.as_ref() };
        Some(&inner.value)
    }

    /// A new reference to the value of an `Arc`.
    ///
    /// # Safety
    ///
    /// `value` lives in an `Arc<T>`.
    pub(crate) unsafe fn from_ref(value: &T) -> Self {
        let offset = core::mem::offset_of!(Inner<T>, value);
        // SAFETY: the value is the field of an Inner<T> at this offset.
        let p = unsafe { core::ptr::from_ref(value).byte_sub(offset) };
        let p = p.cast::<Inner<T>>().cast_mut();
        // SAFETY: derived from a reference, not null.
        let this = core::mem::ManuallyDrop::new(Arc(unsafe { NonNull::new_unchecked(p) }));
        Arc::clone(&this)
    }
}

/// Conversion to a trait object: the unsizing coercion that the language has for its own `Arc`
/// only.
macro_rules! unsize {
    ($(#[$doc:meta])* $name:ident, [$($tr:tt)+]) => {
        impl<T: $($tr)+ + 'static> Arc<T> {
            $(#[$doc])*
            pub fn $name(self) -> Arc<dyn $($tr)+> {
                let p: *mut Inner<T> = self.0.as_ptr();
                core::mem::forget(self);
                let p: *mut Inner<dyn $($tr)+> = p;
                // SAFETY: came from a NonNull.
                Arc(unsafe { NonNull::new_unchecked(p) })
            }
        }
    };
}
unsize!(
    /// This value as a hook.
    into_hook, [Hook]
);
unsize!(
    /// This value as a callback.
    into_callback, [Callback]
);
unsize!(
    /// This value as one of any type.
    into_any, [Any + Send + Sync]
);

impl<T: ?Sized> Arc<T> {
    /// Whether both share one value.
    pub fn ptr_eq(a: &Self, b: &Self) -> bool {
        core::ptr::addr_eq(a.0.as_ptr(), b.0.as_ptr())
    }

    /// An address that no other live shared value has.
    pub fn address(this: &Self) -> usize {
        this.0.as_ptr().cast::<u8>().addr()
    }

    /// Whether this is the only reference. It stays so only if this one is not shared.
    pub fn is_unique(&self) -> bool {
        // ORDERING: Acquire, after everything that other holders did.
        self.inner().refs.load(Ordering::Acquire) == 1
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: alive by the invariant.
        unsafe { self.0.as_ref() }
    }
}

impl Arc<dyn Any + Send + Sync> {
    /// The value as a `T`, if it is one.
    pub fn downcast<T: Any>(self) -> core::result::Result<Arc<T>, Self> {
        if (*self).is::<T>() {
            let p = self.0.cast::<Inner<T>>();
            core::mem::forget(self);
            Ok(Arc(p))
        } else {
            Err(self)
        }
    }
}

impl<T: ?Sized> Clone for Arc<T> {
    fn clone(&self) -> Self {
        // ORDERING: a new reference is made from a live one; it publishes nothing.
        let old = self.inner().refs.fetch_add(1, Ordering::Relaxed);
        if old >= SATURATED {
            self.inner().refs.store(SATURATED, Ordering::Relaxed);
        }
        Arc(self.0)
    }
}

impl<T: ?Sized> Deref for Arc<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T: ?Sized> Drop for Arc<T> {
    fn drop(&mut self) {
        let refs = &self.inner().refs;
        // ORDERING: Release, so that every use of this reference is before the drop of the value.
        if refs.load(Ordering::Relaxed) >= SATURATED || refs.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // ORDERING: Acquire pairs with the Release of the other references' drops.
        fence(Ordering::Acquire);
        // SAFETY: this is the last reference, so that no other thread reaches the value.
        let inner = unsafe { self.0.as_mut() };
        // An `Inner` has bytes, whatever its value is.
        let bytes = size_of_val(inner);
        // SAFETY: as above, and the value is dropped once.
        unsafe { core::ptr::drop_in_place(&raw mut inner.value) };
        // SAFETY: the memory came from `allocate`, and its value has been moved out or dropped.
        unsafe { release(self.0, bytes) };
    }
}
