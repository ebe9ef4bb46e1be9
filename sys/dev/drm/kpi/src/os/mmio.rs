// SPDX-License-Identifier: BSD-2-Clause
//! Device registers.

use super::{c, Dev};
use crate::util::errno::{Errno, Result};
use crate::util::int_conv::usize_of_u32;
use core::ffi::CStr;
use core::ptr::{null, null_mut};

/// A window of device registers, at least `LEN` bytes long.
///
/// # Invariants
///
/// `raw` is a live mapping of at least `LEN` bytes.
pub struct Mmio<const LEN: u32> {
    raw: *mut c::drm_os_mmio,
}

// SAFETY: register accesses are single loads and stores; the driver orders them.
unsafe impl<const LEN: u32> Send for Mmio<LEN> {}
// SAFETY: as above.
unsafe impl<const LEN: u32> Sync for Mmio<LEN> {}

impl<const LEN: u32> Mmio<LEN> {
    /// Maps the device's window `name`, or its first.
    ///
    /// # Errors
    ///
    /// ENOENT if there is no such window, ENXIO if it is shorter than `LEN`; ENOMEM.
    pub fn map(dev: Dev, name: Option<&'static CStr>) -> Result<Self> {
        let mut raw = null_mut();
        let name = name.map_or(null(), CStr::as_ptr);
        // SAFETY: the device is live, `raw` is ours to fill.
        Errno::check(unsafe {
            c::drm_os_mmio_map(dev.as_ptr(), name, usize_of_u32(LEN), &raw mut raw)
        })?;
        // INVARIANT: C mapped LEN bytes.
        Ok(Mmio { raw })
    }

    /// Reads the register at byte `off`; all ones outside the window.
    pub fn read(&self, off: u32) -> u32 {
        if off >= LEN || !off.is_multiple_of(4) {
            return u32::MAX;
        }
        // SAFETY: aligned and inside the window.
        unsafe { c::drm_os_mmio_read4(self.raw, off) }
    }

    /// Writes the register at byte `off`; nothing outside the window.
    pub fn write(&self, off: u32, value: u32) {
        if off >= LEN || !off.is_multiple_of(4) {
            return;
        }
        // SAFETY: aligned and inside the window.
        unsafe { c::drm_os_mmio_write4(self.raw, off, value) }
    }
}

impl<const LEN: u32> Drop for Mmio<LEN> {
    fn drop(&mut self) {
        // SAFETY: owned, and not used after the drop.
        unsafe { c::drm_os_mmio_unmap(self.raw) }
    }
}
