// SPDX-License-Identifier: BSD-2-Clause
//! Single pages for the device's own tables.

use super::{c, Dev, SyncDir, PAGE_SIZE};
use crate::util::errno::{Errno, Result};
use crate::util::int_conv::{usize_of, usize_of_u32};
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use static_assertions::assert_not_impl_any;

/// An owned page, by its physical address.
#[derive(Debug)]
pub struct Page(u64);

/// The CPU's mapping of a page, as 512 words that the device may read or change at any time.
///
/// # Invariants
///
/// The pointer is the page's mapping, which is valid while the page is allocated; the user of a
/// view ensures that (each walk makes new views from the addresses).
#[derive(Clone, Copy)]
pub struct PageView<'a> {
    base: NonNull<AtomicU64>,
    _life: PhantomData<&'a ()>,
}

// A view is valid only while its maker keeps the page.
assert_not_impl_any!(PageView<'static>: Send, Sync);

impl Page {
    /// A zeroed page.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn alloc(dev: Dev) -> Result<Page> {
        let mut pa = 0;
        // SAFETY: the device is live, `pa` is ours to fill.
        Errno::check(unsafe { c::drm_os_page_alloc(dev.as_ptr(), &raw mut pa) })?;
        Ok(Page(pa))
    }

    /// Its physical address, which owns the page from now on.
    pub fn into_pa(self) -> u64 {
        self.0
    }

    /// The page of an address from `into_pa`.
    pub fn from_pa(pa: u64) -> Page {
        Page(pa)
    }

    /// Frees the page. C rejects an address that is not that of a page from `alloc`.
    pub fn free(self, dev: Dev) {
        // SAFETY: the device is live; C checks the address.
        unsafe { c::drm_os_page_free(dev.as_ptr(), self.0) }
    }
}

impl<'a> PageView<'a> {
    /// The page at `pa`; `None` unless it came from `Page::alloc`. The borrow of `dev` represents
    /// the caller's ownership of the page.
    pub fn open(dev: &'a Dev, pa: u64) -> Option<PageView<'a>> {
        // SAFETY: the device is live; C returns NULL for an unknown address.
        let base = unsafe { c::drm_os_page_kva(dev.as_ptr(), pa) };
        // INVARIANT: the page's mapping.
        NonNull::new(base.cast::<AtomicU64>()).map(|base| PageView {
            base,
            _life: PhantomData,
        })
    }

    fn word(&self, index: u32) -> &AtomicU64 {
        let index = usize_of_u32(index % 512);
        // SAFETY: 512 words make a page, which is mapped and aligned.
        let p = unsafe { self.base.add(index) };
        // SAFETY: valid by the invariant; shared words are accessed only as atomics.
        unsafe { p.as_ref() }
    }

    fn half(&self, index: u32) -> &AtomicU32 {
        let index = usize_of_u32(index % 1024);
        let base = self.base.cast::<AtomicU32>();
        // SAFETY: 1024 halves make a page, which is mapped and aligned.
        let p = unsafe { base.add(index) };
        // SAFETY: valid by the invariant; shared words are accessed only as atomics.
        unsafe { p.as_ref() }
    }

    /// 32-bit word `index`, modulo 1024.
    pub fn read32(&self, index: u32) -> u32 {
        self.half(index).load(Ordering::Relaxed)
    }

    /// Stores 32-bit word `index`, modulo 1024.
    pub fn write32(&self, index: u32, value: u32) {
        // ORDERING: as `write`.
        self.half(index).store(value, Ordering::Release);
    }

    /// Word `index`, modulo 512.
    pub fn read(&self, index: u32) -> u64 {
        self.word(index).load(Ordering::Relaxed)
    }

    /// Stores word `index`, modulo 512.
    pub fn write(&self, index: u32, value: u64) {
        // ORDERING: a table entry may be walked at once; what it points to was stored before.
        self.word(index).store(value, Ordering::Release);
    }
}

impl Dev {
    /// Cache maintenance of the bytes `off..off + len` of the page at `pa`, cut at the page's end.
    pub fn page_sync(self, pa: u64, off: u64, len: u64, dir: SyncDir) {
        let Some(room) = PAGE_SIZE.checked_sub(off).filter(|room| *room != 0) else {
            return;
        };
        // A page is aligned, and `off` is inside of it.
        let (start, len) = (pa | off, usize_of(len.min(room)));
        // SAFETY: the device is live; the range is within one page.
        unsafe { c::drm_os_page_sync(self.as_ptr(), start, len, dir.raw()) }
    }
}
