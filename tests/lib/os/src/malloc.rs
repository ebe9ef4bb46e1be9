// SPDX-License-Identifier: BSD-2-Clause
//! `drm_os_malloc`: memory whose misuse is fatal.
//!
//! A header of 32 bytes names the world and the size; a canary follows the block. Freed blocks are
//! filled with 0xDE and kept for a while, so that a second free and a late write are detected.
//! Blocks that need not be zeroed are filled with 0xA5, so that a read before the first write is
//! noticed.

use crate::calls::Call;
use crate::counters::Kind;
use crate::sys;
use crate::util::{fatal, lk};
use crate::witness;
use crate::world::Inner;
use std::alloc::{alloc_zeroed, dealloc, Layout};
use std::backtrace::Backtrace;
use std::collections::{HashMap, VecDeque};
use std::ffi::c_void;
use std::fmt::Write;
use std::sync::{Mutex, OnceLock};

const LIVE: u64 = 0x6c69_7665_6472_6d21;
const DEAD: u64 = 0x6465_6164_6472_6d21;
const CANARY: [u8; 8] = *b"\xc5canary\x5c";
pub(crate) const POISON: u8 = 0xde;
const UNINITIALISED: u8 = 0xa5;
const KEPT_BLOCKS: usize = 512;
const KEPT_MAX: usize = 16 << 10;

#[repr(C, align(16))]
struct Header {
    world: *const Inner,
    size: usize,
    magic: u64,
    pad: u64,
}

const HEAD: usize = size_of::<Header>();

fn layout(size: usize) -> Option<Layout> {
    let total = size.checked_add(HEAD + CANARY.len())?;
    Layout::from_size_align(total, 16).ok()
}

/// A freed block, by address of its header.
struct Freed(usize);

impl Freed {
    fn header(&self) -> *mut Header {
        self.0 as *mut Header
    }

    /// Checks the poison and frees the memory.
    fn release(self) {
        self.check();
        let h = self.header();
        // SAFETY: the block came from alloc_zeroed with this layout and is no longer in a list.
        unsafe {
            let l = layout((*h).size).unwrap_or(Layout::new::<Header>());
            dealloc(h.cast(), l);
        }
    }

    fn check(&self) {
        let h = self.header();
        // SAFETY: the block is still ours, header and bytes.
        let (magic, size) = unsafe { ((*h).magic, (*h).size) };
        // SAFETY: as above; size bytes follow the header.
        let body = unsafe { std::slice::from_raw_parts((self.0 + HEAD) as *const u8, size) };
        if magic != DEAD || body.iter().any(|&b| b != POISON) {
            fatal(&format!(
                "freed memory was written to (a block of {size} bytes)"
            ));
        }
    }
}

/// A live block: size, and where it was allocated when DRM_OS_BACKTRACE is set.
struct Live {
    size: usize,
    stack: Option<Box<Backtrace>>,
}

#[derive(Default)]
pub(crate) struct Mallocs {
    live: Mutex<HashMap<usize, Live>>,
    freed: Mutex<VecDeque<Freed>>,
}

impl Mallocs {
    /// Sizes of the live blocks, as text that follows the counters; empty if there are none.
    pub(crate) fn report(&self) -> String {
        let live = lk(&self.live);
        let mut by_size: Vec<(usize, usize)> = Vec::new();
        let mut sizes: Vec<usize> = live.values().map(|l| l.size).collect();
        sizes.sort_unstable();
        for s in sizes {
            match by_size.last_mut() {
                Some(last) if last.0 == s => last.1 += 1,
                _ => by_size.push((s, 1)),
            }
        }
        let mut out = String::new();
        if !by_size.is_empty() {
            let list: Vec<_> = by_size.iter().map(|(s, n)| format!("{n} x {s}")).collect();
            out = format!("; mallocs (count x bytes): {}", list.join(", "));
        }
        for l in live.values() {
            if let Some(bt) = &l.stack {
                let _ = write!(out, "\n{} bytes allocated at\n{bt}", l.size);
            }
        }
        out
    }

    /// Fatal if a block that was freed recently has been written to since.
    pub(crate) fn check_freed(&self) {
        lk(&self.freed).iter().for_each(Freed::check);
    }
}

impl Drop for Mallocs {
    fn drop(&mut self) {
        let freed = std::mem::take(&mut *lk(&self.freed));
        if !std::thread::panicking() {
            freed.into_iter().for_each(Freed::release);
        }
    }
}

fn wants_stacks() -> bool {
    static SET: OnceLock<bool> = OnceLock::new();
    *SET.get_or_init(|| std::env::var_os("DRM_OS_BACKTRACE").is_some())
}

pub(crate) mod exports {
    use super::*;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_malloc(
        os: *mut sys::drm_os,
        size: usize,
        flags: u32,
    ) -> *mut c_void {
        let w = Inner::of(os);
        match flags & !sys::DRM_OS_ZERO {
            sys::DRM_OS_WAITOK => witness::may_sleep("drm_os_malloc(DRM_OS_WAITOK)"),
            sys::DRM_OS_NOWAIT => {}
            _ => fatal(&format!("drm_os_malloc with flags {flags:#x}")),
        }
        w.calls.one(Call::Malloc);
        if w.gate().is_err() {
            return std::ptr::null_mut();
        }
        let Some(l) = layout(size) else {
            return std::ptr::null_mut();
        };
        let p = alloc_zeroed(l);
        if p.is_null() {
            return std::ptr::null_mut();
        }
        p.cast::<Header>().write(Header {
            world: w,
            size,
            magic: LIVE,
            pad: 0,
        });
        let body = p.add(HEAD);
        if flags & sys::DRM_OS_ZERO == 0 {
            body.write_bytes(UNINITIALISED, size);
        }
        body.add(size)
            .copy_from_nonoverlapping(CANARY.as_ptr(), CANARY.len());
        let stack = wants_stacks().then(|| Box::new(Backtrace::force_capture()));
        lk(&w.mallocs.live).insert(body as usize, Live { size, stack });
        w.counts.add(Kind::Mallocs, 1);
        w.counts.add(Kind::MallocBytes, size as u64);
        body.cast()
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_free(p: *mut c_void, asked: usize) {
        if p.is_null() {
            return;
        }
        let body = p.cast::<u8>();
        let h = body.sub(HEAD).cast::<Header>();
        match (*h).magic {
            LIVE => {}
            DEAD => fatal(&format!("double free of a block of {} bytes", (*h).size)),
            m => fatal(&format!(
                "drm_os_free of {p:p}, which is no block (or its header is overwritten: {m:#x})"
            )),
        }
        let w = &*(*h).world;
        let size = (*h).size;
        if asked != size {
            fatal(&format!(
                "drm_os_free of {asked} bytes, for a block of {size}"
            ));
        }
        if lk(&w.mallocs.live).remove(&(body as usize)).is_none() {
            fatal(&format!("drm_os_free of {p:p}, which is not live"));
        }
        if std::slice::from_raw_parts(body.add(size), CANARY.len()) != CANARY {
            fatal(&format!("a block of {size} bytes was written past its end"));
        }
        body.write_bytes(POISON, size);
        (*h).magic = DEAD;
        w.counts.sub(Kind::Mallocs, 1);
        w.counts.sub(Kind::MallocBytes, size as u64);
        let f = Freed(h as usize);
        if size > KEPT_MAX {
            return f.release();
        }
        let out = {
            let mut q = lk(&w.mallocs.freed);
            q.push_back(f);
            if q.len() > KEPT_BLOCKS {
                q.pop_front()
            } else {
                None
            }
        };
        if let Some(f) = out {
            f.release();
        }
    }
}
