// SPDX-License-Identifier: BSD-2-Clause
//! Translation cache of one address space.
//!
//! It never evicts, so a translation that the driver failed to flush stays in use: the worst case
//! of a real cache. Failed walks are not cached.

use std::collections::HashMap;

/// Permissions and physical address of one page or block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Physical address of the first byte.
    pub(crate) pa: u64,
    /// log2 of the size: 12, 21 or 30.
    pub(crate) shift: u32,
    /// Table level of the leaf, for permission fault codes.
    pub(crate) level: u8,
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) execute: bool,
}

const SHIFTS: [u32; 3] = [12, 21, 30];

/// The cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tlb {
    pages: [HashMap<u64, Entry>; 3],
    last: Option<(u64, Entry)>,
}

impl Tlb {
    pub(crate) fn find(&mut self, va: u64) -> Option<Entry> {
        // Writes of rows stay on one page for many accesses.
        if let Some((page, entry)) = self.last {
            if va >> entry.shift == page {
                return Some(entry);
            }
        }
        for (map, shift) in self.pages.iter().zip(SHIFTS) {
            if let Some(entry) = map.get(&(va >> shift)) {
                self.last = Some((va >> shift, *entry));
                return Some(*entry);
            }
        }
        None
    }

    pub(crate) fn insert(&mut self, va: u64, entry: Entry) {
        for (map, shift) in self.pages.iter_mut().zip(SHIFTS) {
            if entry.shift == shift {
                map.insert(va >> shift, entry);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Tlb::default();
    }

    /// Drops every entry that touches the region `base .. base + 2^bits` (`bits` 64 = all).
    pub(crate) fn flush(&mut self, base: u64, bits: u32) {
        if bits >= 64 {
            self.clear();
            return;
        }
        self.last = None;
        let end = base.saturating_add((1u64 << bits) - 1);
        for (map, shift) in self.pages.iter_mut().zip(SHIFTS) {
            map.retain(|page, _| {
                let first = page << shift;
                let last = first + ((1u64 << shift) - 1);
                last < base || first > end
            });
        }
    }
}
