// SPDX-License-Identifier: BSD-2-Clause
//! Memory of buffers.

use super::{c, Caller, Dev, SyncDir};
use crate::util::errno::{Errno, Result};
use crate::util::int_conv::u64_of;
use core::ptr::{null_mut, NonNull};
use core::sync::atomic::{AtomicU32, Ordering};

/// How CPUs map an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemAttr {
    /// Write-back cached; needs `sync` unless the device snoops.
    Cached,
    /// Never cached, writes combined.
    WriteCombine,
}

/// The memory of a buffer: pages that users map and the device reaches.
///
/// # Invariants
///
/// `raw` is a live C object of `size` bytes, of which this holds one reference.
pub struct Object {
    raw: *mut c::drm_os_object,
    size: u64,
}

// SAFETY: the C side locks for itself.
unsafe impl Send for Object {}
// SAFETY: as above.
unsafe impl Sync for Object {}

impl Object {
    /// `size` bytes, a multiple of the page size; no page is allocated yet.
    ///
    /// # Errors
    ///
    /// ENOMEM, EINVAL.
    pub fn new(dev: Dev, size: u64, attr: MemAttr) -> Result<Self> {
        let attr = match attr {
            MemAttr::Cached => c::DRM_OS_MEM_CACHED,
            MemAttr::WriteCombine => c::DRM_OS_MEM_WRITE_COMBINE,
        };
        let mut raw = null_mut();
        // SAFETY: the device is live, `raw` is ours to fill.
        Errno::check(unsafe { c::drm_os_object_create(dev.as_ptr(), size, attr, &raw mut raw) })?;
        // INVARIANT: C gave one reference.
        Ok(Object { raw, size })
    }

    /// An object of the memory of a process: `size` bytes at `address`. `write`: the device may
    /// write to it. Users cannot map it.
    ///
    /// # Errors
    ///
    /// EFAULT if the process has no such memory, EINVAL unless both are whole pages, ENOMEM.
    pub fn userptr(
        dev: Dev,
        caller: &Caller<'_>,
        address: u64,
        size: u64,
        write: bool,
    ) -> Result<Self> {
        let mut raw = null_mut();
        // SAFETY: device and caller are live, `raw` is ours to fill.
        let created = unsafe {
            c::drm_os_object_create_user(
                dev.as_ptr(),
                caller.as_ptr(),
                address,
                size,
                i32::from(write),
                &raw mut raw,
            )
        };
        Errno::check(created)?;
        // INVARIANT: C gave one reference.
        Ok(Object { raw, size })
    }

    /// Wires pages from `first` on, as many as `pas` has room for, and stores their physical
    /// addresses.
    ///
    /// # Errors
    ///
    /// ENOMEM, EINVAL beyond the end, ENXIO if purged.
    pub fn wire(&self, first: u64, pas: &mut [u64]) -> Result<()> {
        // SAFETY: live by the invariant; `pas` has the length that is passed.
        Errno::check(unsafe {
            c::drm_os_object_wire(self.raw, first, u64_of(pas.len()), pas.as_mut_ptr())
        })
    }

    /// Revokes the users' mappings and frees the pages.
    ///
    /// # Errors
    ///
    /// EBUSY while something else has wired a page of it. Nothing is changed then.
    pub fn purge(&self) -> Result<()> {
        // SAFETY: live by the invariant.
        Errno::check(unsafe { c::drm_os_object_purge(self.raw) })
    }

    /// The number of its pages that are allocated.
    pub fn resident(&self) -> u64 {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_object_resident(self.raw) }
    }

    /// Cache maintenance of `len` bytes at `off`.
    pub fn sync(&self, off: u64, len: u64, dir: SyncDir) {
        // SAFETY: live by the invariant; C cuts the range at the object's end.
        unsafe { c::drm_os_object_sync(self.raw, off, len, dir.raw()) }
    }

    /// Copies bytes at `off` of the object to `to`, through a temporary mapping.
    ///
    /// # Errors
    ///
    /// ENOMEM; EINVAL beyond the end.
    pub fn read(&self, off: u64, to: &mut [u8]) -> Result<()> {
        let end = off
            .checked_add(u64_of(to.len()))
            .ok_or(crate::util::errno::EINVAL)?;
        if end > self.size {
            return Err(crate::util::errno::EINVAL);
        }
        let mut kva = null_mut();
        // SAFETY: live by the invariant, `kva` is ours to fill.
        Errno::check(unsafe { c::drm_os_object_kmap(self.raw, &raw mut kva) })?;
        // SAFETY: the mapping covers the object, and the range is inside it.
        let mut from = unsafe { kva.cast::<u8>().add(crate::util::int_conv::usize_of(off)) };
        let (words, bytes) = match off.is_multiple_of(8) {
            true => to.as_chunks_mut::<8>(),
            false => (&mut [][..], to),
        };
        for word in words {
            // SAFETY: inside the mapping, and aligned because `off` is; volatile, because the
            // device may write to it.
            *word = unsafe { from.cast::<u64>().read_volatile() }.to_ne_bytes();
            // SAFETY: at most one beyond the last byte of the range.
            from = unsafe { from.add(8) };
        }
        for byte in bytes {
            // SAFETY: inside the mapping; volatile as above.
            *byte = unsafe { from.read_volatile() };
            // SAFETY: as above.
            from = unsafe { from.add(1) };
        }
        // SAFETY: mapped above.
        unsafe { c::drm_os_object_kunmap(self.raw) };
        Ok(())
    }

    /// A reference for a user's mapping, which starts at `offset` of the object.
    pub fn user_mapping(&self, offset: u64) -> UserMapping {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_object_ref(self.raw) };
        UserMapping {
            raw: self.raw,
            offset,
        }
    }

    /// Maps all of it into the kernel, until the result is dropped.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn kernel_map(&self) -> Result<KernelMap> {
        let mut kva = null_mut();
        // SAFETY: live by the invariant, `kva` is ours to fill.
        Errno::check(unsafe { c::drm_os_object_kmap(self.raw, &raw mut kva) })?;
        let Some(base) = NonNull::new(kva.cast::<AtomicU32>()) else {
            return Err(crate::util::errno::ENOMEM);
        };
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_object_ref(self.raw) };
        // INVARIANT: mapped and referenced just now.
        Ok(KernelMap {
            raw: self.raw,
            base,
            words: crate::util::int_conv::usize_of(self.size / 4),
        })
    }
}

/// A mapping of an object in the kernel.
///
/// # Invariants
///
/// `raw` is referenced and mapped at `base`, `words` 32-bit words long at least.
pub struct KernelMap {
    raw: *mut c::drm_os_object,
    base: NonNull<AtomicU32>,
    words: usize,
}

// SAFETY: words are accessed only as atomics.
unsafe impl Send for KernelMap {}
// SAFETY: as above.
unsafe impl Sync for KernelMap {}

impl KernelMap {
    /// Stores `words` from word `at` on, as many as there is room for, visible to the device.
    pub fn store(&self, at: usize, words: &[u32]) {
        for (index, word) in (at..self.words).zip(words) {
            // SAFETY: in bounds of the mapping.
            let p = unsafe { self.base.add(index) };
            // SAFETY: mapped and aligned; atomic, because the device may read it.
            unsafe { p.as_ref() }.store(*word, Ordering::Relaxed);
        }
        // OVERFLOW: saturates, beyond the object's end, where C cuts the range.
        let bytes = |words: usize| u64_of(words).saturating_mul(4);
        self.sync(bytes(at), bytes(words.len()));
    }

    fn sync(&self, off: u64, len: u64) {
        // SAFETY: live by the invariant; C cuts the range at the object's end.
        unsafe { c::drm_os_object_sync(self.raw, off, len, SyncDir::ForDevice.raw()) }
    }
}

impl Drop for KernelMap {
    fn drop(&mut self) {
        // SAFETY: mapped by `kernel_map`, unmapped once.
        unsafe { c::drm_os_object_kunmap(self.raw) };
        // SAFETY: releases the reference that this holds.
        unsafe { c::drm_os_object_unref(self.raw) };
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: releases the only reference that this holds.
        unsafe { c::drm_os_object_unref(self.raw) }
    }
}

/// The memory for an mmap(2) of a file: an object, with a reference that the system takes over, and
/// an offset in it.
pub struct UserMapping {
    raw: *mut c::drm_os_object,
    offset: u64,
}

impl UserMapping {
    /// The reference, which the system takes over, and the offset.
    pub(crate) fn into_raw(self) -> (*mut c::drm_os_object, u64) {
        let parts = (self.raw, self.offset);
        core::mem::forget(self);
        parts
    }
}

impl Drop for UserMapping {
    fn drop(&mut self) {
        // SAFETY: the system has not taken the reference over.
        unsafe { c::drm_os_object_unref(self.raw) }
    }
}
