// SPDX-License-Identifier: BSD-2-Clause
//! Clocks, regulators, resets and the power domain. All functions may sleep.

use super::{c, Dev};
use crate::util::errno::{Errno, Result, ENOENT};
use core::ffi::CStr;
use core::ptr::{null, null_mut};

macro_rules! resource {
    (
        $Type:ident, $raw:ty,
        $get:path, $put:path, $on:path, $off:path, $on_name:ident, $off_name:ident,
        $doc:literal, $on_doc:literal, $off_doc:literal
    ) => {
        #[doc = $doc]
        ///
        /// # Invariants
        ///
        /// The pointer is a live C handle.
        pub struct $Type(*mut $raw);

        // SAFETY: the C side locks for itself.
        unsafe impl Send for $Type {}
        // SAFETY: as above.
        unsafe impl Sync for $Type {}

        impl $Type {
            /// The device's one with this name, or its only one; `None` if its node has none.
            ///
            /// # Errors
            ///
            /// The framework's error, ENOMEM.
            pub fn find(dev: Dev, name: Option<&'static CStr>) -> Result<Option<Self>> {
                let mut raw = null_mut();
                let name = name.map_or(null(), CStr::as_ptr);
                // SAFETY: the device is live, `raw` is ours to fill.
                match Errno::check(unsafe { $get(dev.as_ptr(), name, &raw mut raw) }) {
                    // INVARIANT: C made it.
                    Ok(()) => Ok(Some($Type(raw))),
                    Err(e) if e == ENOENT => Ok(None),
                    Err(e) => Err(e),
                }
            }

            #[doc = $on_doc]
            ///
            /// # Errors
            ///
            /// The error of the framework.
            pub fn $on_name(&self) -> Result<()> {
                // SAFETY: live by the invariant.
                Errno::check(unsafe { $on(self.0) })
            }

            #[doc = $off_doc]
            ///
            /// # Errors
            ///
            /// The error of the framework.
            pub fn $off_name(&self) -> Result<()> {
                // SAFETY: live by the invariant.
                Errno::check(unsafe { $off(self.0) })
            }
        }

        impl Drop for $Type {
            fn drop(&mut self) {
                // SAFETY: owned, released once.
                unsafe { $put(self.0) }
            }
        }
    };
}

resource!(
    Clk,
    c::drm_os_clk,
    c::drm_os_clk_get,
    c::drm_os_clk_put,
    c::drm_os_clk_enable,
    c::drm_os_clk_disable,
    enable,
    disable,
    "A clock.",
    "Starts it.",
    "Stops it."
);
resource!(
    Regulator,
    c::drm_os_regulator,
    c::drm_os_regulator_get,
    c::drm_os_regulator_put,
    c::drm_os_regulator_enable,
    c::drm_os_regulator_disable,
    enable,
    disable,
    "A voltage regulator.",
    "Turns it on.",
    "Turns it off."
);
resource!(
    Reset,
    c::drm_os_reset,
    c::drm_os_reset_get,
    c::drm_os_reset_put,
    c::drm_os_reset_assert,
    c::drm_os_reset_deassert,
    assert,
    deassert,
    "A reset line.",
    "Holds the device in reset.",
    "Releases the device from reset."
);

impl Clk {
    /// Its frequency in Hz.
    ///
    /// # Errors
    ///
    /// The error of the framework.
    pub fn rate(&self) -> Result<u64> {
        let mut hz = 0;
        // SAFETY: live by the invariant, `hz` is ours to fill.
        Errno::check(unsafe { c::drm_os_clk_rate(self.0, &raw mut hz) })?;
        Ok(hz)
    }
}

impl Dev {
    /// Turns its power domain on; succeeds if it has none.
    ///
    /// # Errors
    ///
    /// The error of the power controller.
    pub fn power_on(self) -> Result<()> {
        // SAFETY: live by the invariant.
        Errno::check(unsafe { c::drm_os_power_on(self.as_ptr()) })
    }

    /// Turns its power domain off.
    ///
    /// # Errors
    ///
    /// The error of the power controller; the domain may be on.
    pub fn power_off(self) -> Result<()> {
        // SAFETY: live by the invariant.
        Errno::check(unsafe { c::drm_os_power_off(self.as_ptr()) })
    }
}
