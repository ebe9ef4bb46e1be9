// SPDX-License-Identifier: BSD-2-Clause
//! Interrupt handlers.

use super::{c, Dev};
use crate::alloc::{Arc, KBox};
use crate::util::errno::{Errno, Result};
use core::ffi::{c_void, CStr};
use core::ptr::{null, null_mut};

struct Handler<T> {
    context: Arc<T>,
    run: fn(&T),
}

/// An installed interrupt handler; dropping it removes it and waits until it is not running.
///
/// # Invariants
///
/// `raw` is a live C handler with the argument `handler`, which lives until teardown.
pub struct Irq<T> {
    raw: *mut c::drm_os_irq,
    handler: *mut Handler<T>,
}

// SAFETY: the C side locks for itself; the context is shared with the interrupt thread.
unsafe impl<T: Send + Sync> Send for Irq<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Irq<T> {}

unsafe extern "C" fn run_handler<T>(arg: *mut c_void) {
    // SAFETY: C passes the argument of `drm_os_irq_setup`, which lives until teardown.
    let handler = unsafe { &*arg.cast::<Handler<T>>() };
    (handler.run)(&handler.context);
}

impl<T: Send + Sync> Irq<T> {
    /// Calls `run` with `context` while the device's interrupt `name`, or its only one, is
    /// asserted.
    ///
    /// # Errors
    ///
    /// ENOENT if the device has no such interrupt; ENOMEM.
    pub fn new(
        dev: Dev,
        name: Option<&'static CStr>,
        context: Arc<T>,
        run: fn(&T),
    ) -> Result<Self> {
        let handler = KBox::new(dev.os(), Handler { context, run })?.into_raw();
        let mut raw = null_mut();
        // SAFETY: the device is live, the name static, and `handler` lives until teardown.
        let made = Errno::check(unsafe {
            c::drm_os_irq_setup(
                dev.as_ptr(),
                name.map_or(null(), CStr::as_ptr),
                Some(run_handler::<T>),
                handler.cast(),
                &raw mut raw,
            )
        });
        if let Err(e) = made {
            // SAFETY: C did not take it.
            drop(unsafe { KBox::from_raw(handler) });
            return Err(e);
        }
        // INVARIANT: C made it with `handler`.
        Ok(Irq { raw, handler })
    }

    /// Waits until the handler is not running.
    pub fn sync(&self) {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_irq_sync(self.raw) }
    }
}

impl<T> Drop for Irq<T> {
    fn drop(&mut self) {
        // SAFETY: owned; returns when the handler is not running and will not run again.
        unsafe { c::drm_os_irq_teardown(self.raw) };
        // SAFETY: made by `into_raw` in `new`; the handler that used it is removed.
        drop(unsafe { KBox::from_raw(self.handler) });
    }
}
