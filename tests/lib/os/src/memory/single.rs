// SPDX-License-Identifier: BSD-2-Clause
//! Single pages and their host memory.

use super::*;

impl Memory {
    pub(super) fn host_page(&self) -> *mut u8 {
        let mut h = lk(&self.host);
        if h.fresh.is_empty() {
            if h.kept.len() > HOST_KEPT {
                let p = h.kept.pop_front().unwrap_or(0) as *mut u8;
                // SAFETY: an unused page of ours.
                unsafe { p.write_bytes(0, PAGE) };
                return p;
            }
            let chunk = map_anonymous(CHUNK_PAGES * PAGE);
            if chunk.is_null() {
                return chunk;
            }
            h.chunks.push(chunk as usize);
            h.fresh
                .extend((0..CHUNK_PAGES).rev().map(|i| chunk as usize + i * PAGE));
        }
        h.fresh.pop().unwrap_or(0) as *mut u8
    }

    pub(super) fn free_host_page(&self, p: usize) {
        // SAFETY: a page of ours that no frame refers to.
        unsafe { (p as *mut u8).write_bytes(POISON, PAGE) };
        lk(&self.host).kept.push_back(p);
    }

    /// Allocates a zeroed single page; returns its physical address.
    pub(super) fn alloc_single(&self, two_copies: bool, bits: u32) -> Option<u64> {
        let f = self.take_frame(bits)?;
        let cpu = self.host_page();
        let dev = if two_copies { self.host_page() } else { cpu };
        if cpu.is_null() || dev.is_null() {
            self.give_frames([f]);
            return None;
        }
        self.install(Use::Single, [(f, cpu as usize, dev as usize)]);
        Some(self.pa_of(f))
    }

    /// The host addresses of a single page, 0 if there is none at `pa`.
    pub(super) fn single(&self, pa: u64) -> (u64, usize, usize) {
        let t = rd(&self.table);
        match self.index(pa) {
            Some(i) if t.used[i] == Use::Single as u8 => (i as u64, t.cpu[i], t.dev[i]),
            _ => (0, 0, 0),
        }
    }

    /// The host address of a single page or of a page of a run, 0 if there is none at `pa`.
    pub(super) fn kva(&self, pa: u64) -> usize {
        let t = rd(&self.table);
        self.index(pa).map_or(0, |i| match t.used[i] {
            u if u == Use::Single as u8 || u == Use::Run as u8 => t.cpu[i],
            _ => 0,
        })
    }
}
