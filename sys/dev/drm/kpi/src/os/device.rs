// SPDX-License-Identifier: BSD-2-Clause
//! Devices.

use super::{c, log, Level, Os};
use crate::util::errno::{Errno, Result};

/// A device of the device tree. It outlives the driver that is attached to it.
///
/// # Invariants
///
/// The pointer is live until detach has returned and everything made with it has been freed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Dev(*mut c::drm_os_dev);

// SAFETY: the C side locks for itself.
unsafe impl Send for Dev {}
// SAFETY: as above.
unsafe impl Sync for Dev {}

impl Dev {
    /// # Safety
    ///
    /// `raw` is live until the detach of the driver that uses the result has returned.
    pub(crate) unsafe fn from_raw(raw: *mut c::drm_os_dev) -> Dev {
        // INVARIANT: as the caller promises.
        Dev(raw)
    }

    pub(crate) fn as_ptr(self) -> *mut c::drm_os_dev {
        self.0
    }

    /// The instance that it belongs to.
    pub fn os(self) -> Os {
        // SAFETY: live by the invariant.
        let os = unsafe { c::drm_os_dev_os(self.0) };
        // SAFETY: the instance outlives its devices.
        unsafe { Os::from_raw(os) }
    }

    /// Its name and unit, as much as `buffer` has room for.
    pub fn name(self, buffer: &mut [u8]) -> &[u8] {
        // SAFETY: live by the invariant; the buffer has the length that is passed.
        let len = unsafe { c::drm_os_dev_name(self.0, buffer.as_mut_ptr().cast(), buffer.len()) };
        buffer.get(..len).unwrap_or_default()
    }

    /// The softc that attach stored for the `index`-th other device with the same driver; null past
    /// the last. Only during attach.
    pub(crate) fn peer(self, index: u32) -> *mut core::ffi::c_void {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_dev_peer(self.0, index) }
    }

    /// Whether it snoops the CPU's caches.
    pub fn coherent(self) -> bool {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_dev_coherent(self.0) != 0 }
    }

    /// Sets the number of address bits of the device for its own pages and runs, and for objects,
    /// which may have more.
    ///
    /// # Errors
    ///
    /// EINVAL if the system cannot guarantee that.
    pub fn set_dma_bits(self, bits: u32, data_bits: u32) -> Result<()> {
        // SAFETY: live by the invariant.
        Errno::check(unsafe { c::drm_os_dev_dma_bits(self.0, bits, data_bits) })
    }

    /// Writes a line to the kernel's log, with the device's name.
    pub fn log(self, level: Level, args: core::fmt::Arguments<'_>) {
        log(self.os().as_ptr(), self.0, level, args);
    }
}
