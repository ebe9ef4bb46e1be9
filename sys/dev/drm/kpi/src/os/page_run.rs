// SPDX-License-Identifier: BSD-2-Clause
//! Physically contiguous memory, for large tables and command memory.

use super::{c, Dev, SyncDir};
use crate::util::errno::{Errno, Result, EIO};
use crate::util::int_conv::{u64_of, usize_of};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A run of pages, which it frees when it is dropped.
///
/// # Invariants
///
/// `base` is the CPU's mapping of `words` 32-bit words, an even number, at physical address `pa`;
/// the device `dev` outlives it.
pub struct PageRun {
    dev: Dev,
    pa: u64,
    base: NonNull<AtomicU32>,
    words: usize,
}

// SAFETY: words are accessed only as atomics.
unsafe impl Send for PageRun {}
// SAFETY: as above.
unsafe impl Sync for PageRun {}

impl PageRun {
    /// Allocates `size` zeroed bytes, aligned to their size, within the device's DMA bits. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// ENOMEM; EINVAL unless `size` is a power of two from a page to 2 MiB.
    pub fn new(dev: Dev, size: u64) -> Result<PageRun> {
        let mut pa = 0;
        // SAFETY: the device is live, `pa` is ours to fill.
        Errno::check(unsafe { c::drm_os_run_alloc(dev.as_ptr(), size, &raw mut pa) })?;
        // SAFETY: the device is live.
        let base = unsafe { c::drm_os_page_kva(dev.as_ptr(), pa) };
        let Some(base) = NonNull::new(base.cast::<AtomicU32>()) else {
            // SAFETY: allocated just now.
            unsafe { c::drm_os_run_free(dev.as_ptr(), pa, size) };
            return Err(EIO);
        };
        // INVARIANT: the run's mapping.
        Ok(PageRun {
            dev,
            pa,
            base,
            words: usize_of(size / 4),
        })
    }

    /// Its physical address.
    pub fn pa(&self) -> u64 {
        self.pa
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        // OVERFLOW: none, for a run has at most 2 MiB.
        u64_of(self.words).saturating_mul(4)
    }

    fn word(&self, index: usize) -> Option<&AtomicU32> {
        if index >= self.words {
            return None;
        }
        // SAFETY: in bounds of the mapping.
        let p = unsafe { self.base.add(index) };
        // SAFETY: mapped and aligned by the invariant; atomic, because the device may access it.
        Some(unsafe { p.as_ref() })
    }

    /// Word `index`; 0 beyond the end. Writes of the device are visible only after a sync.
    pub fn read(&self, index: usize) -> u32 {
        self.word(index).map_or(0, |w| w.load(Ordering::Relaxed))
    }

    /// Stores word `index`, if there is one. The device sees it after a sync.
    pub fn write(&self, index: usize, value: u32) {
        if let Some(word) = self.word(index) {
            // ORDERING: a table entry may be walked at once; what it points to was stored before.
            word.store(value, Ordering::Release);
        }
    }

    /// Stores `words` from the even word `at` on, as many as there is room for, and a 0 after an
    /// odd number of words. The device sees them after a sync.
    pub fn store(&self, at: usize, words: &[u32]) {
        let (pairs, last) = words.as_chunks::<2>();
        let put = |cells: &[AtomicU64], pairs: &[[u32; 2]]| {
            for (cell, [low, high]) in cells.iter().zip(pairs) {
                cell.store(u64::from(*high) << 32 | u64::from(*low), Ordering::Relaxed);
            }
        };
        let cells = self.pairs_from(at);
        let count = cells.len().min(pairs.len());
        let cells = cells.get(..count).unwrap_or_default();
        let pairs = pairs.get(..count).unwrap_or_default();
        // Four at a time, without a test in between.
        let (fours, rest) = cells.as_chunks::<4>();
        let (four_pairs, rest_pairs) = pairs.as_chunks::<4>();
        for (cells, pairs) in fours.iter().zip(four_pairs) {
            put(cells, pairs);
        }
        put(rest, rest_pairs);
        if let [last] = last {
            // OVERFLOW: saturates, beyond the run's end.
            self.put(
                at.saturating_add(words.len()) & !1,
                *last,
                0,
                Ordering::Relaxed,
            );
        }
    }

    /// The pairs of words from the even word `at` on.
    fn pairs_from(&self, at: usize) -> &[AtomicU64] {
        let words = match self.words.checked_sub(at) {
            Some(words) if at & 1 == 0 => words,
            _ => return &[],
        };
        // SAFETY: in bounds of the mapping, or its end.
        let first = unsafe { self.base.add(at) }.cast::<AtomicU64>();
        // SAFETY: `words` words are mapped from there on, and aligned to 8 because `at` is even;
        // they are accessed only as atomics.
        unsafe { core::slice::from_raw_parts(first.as_ptr(), words / 2) }
    }

    /// Stores two words at the even word `at` by a single store: the device sees both or neither,
    /// at the latest after a sync.
    pub fn store_pair(&self, at: usize, low: u32, high: u32) {
        // ORDERING: what the pair points to was stored and synchronised before.
        self.put(at, low, high, Ordering::Release);
    }

    #[inline(always)]
    fn put(&self, at: usize, low: u32, high: u32, order: Ordering) {
        if at & 1 != 0 || at >= self.words {
            return;
        }
        // SAFETY: in bounds of the mapping, for there is an even number of words.
        let p = unsafe { self.base.add(at) }.cast::<AtomicU64>();
        let pair = u64::from(high) << 32 | u64::from(low);
        // SAFETY: mapped, and aligned to 8 because `at` is even.
        unsafe { p.as_ref() }.store(pair, order);
    }

    /// Makes `count` words from word `first` on visible to the device.
    pub fn sync(&self, first: usize, count: usize) {
        // OVERFLOW: saturates, beyond the run's end, where the range is cut.
        let bytes = |words: usize| u64_of(words).saturating_mul(4);
        let off = bytes(first).min(self.size());
        // OVERFLOW: as above.
        let end = off.saturating_add(bytes(count)).min(self.size());
        let (Some(pa), Some(len)) = (self.pa.checked_add(off), end.checked_sub(off)) else {
            return;
        };
        let dir = SyncDir::ForDevice.raw();
        // SAFETY: the device is live; the range is within this run.
        unsafe { c::drm_os_run_sync(self.dev.as_ptr(), pa, usize_of(len), dir) }
    }
}

impl Drop for PageRun {
    fn drop(&mut self) {
        // SAFETY: the device is live, the run was allocated by `new` and is freed once.
        unsafe { c::drm_os_run_free(self.dev.as_ptr(), self.pa, self.size()) }
    }
}
