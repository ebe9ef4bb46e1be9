// SPDX-License-Identifier: BSD-2-Clause
//! Physical memory: page frames, their contents for the CPU and for the device, and single pages.
//!
//! A frame with memory has two host addresses, one for the CPU and one for the device; they differ
//! only where coherence is modelled. Frames of a process's memory have none: see [`crate::user`].

use crate::counters::Kind;
use crate::device::Dev;
use crate::frames::Zones;
use crate::hardware::NoMemory;
use crate::host::map_anonymous;
use crate::malloc::POISON;
use crate::run::HostRuns;
use crate::sys;
use crate::user::UserPage;
use crate::util::{fatal, lk, rd, wr};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::c_void;
use std::sync::{Mutex, RwLock};

mod single;

/// Size of a page in bytes.
pub(crate) const PAGE: usize = sys::DRM_OS_PAGE_SIZE as usize;
/// The lowest physical address of RAM, unless [`crate::Config::ram_base`] sets another: beyond 32
/// bits.
pub const PA_BASE: u64 = 0x1_0000_0000;
/// Width of a physical address.
const PA_BITS: u32 = 40;
const LINE: u64 = 64;
/// Freed host pages that are kept before the first is reused.
const HOST_KEPT: usize = 1024;
const CHUNK_PAGES: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Free = 0,
    Single = 1,
    Object = 2,
    Run = 3,
    User = 4,
}

/// Frame number (from 0 = the lowest address of RAM) to host addresses; 0 for none.
struct Table {
    cpu: Vec<usize>,
    dev: Vec<usize>,
    used: Vec<u8>,
    users: BTreeMap<u64, UserPage>,
}

/// The memory that a device accesses at an address.
enum Answer<'a> {
    Host(*mut u8),
    /// The page of a process, and the offset in it.
    User(&'a UserPage, usize),
}

/// Host memory of single pages.
#[derive(Default)]
struct HostPages {
    chunks: Vec<usize>,
    fresh: Vec<usize>,
    kept: VecDeque<usize>,
}

pub(crate) struct Memory {
    /// The lowest physical address.
    base: u64,
    pages: u64,
    pub(crate) contiguous: bool,
    table: RwLock<Table>,
    zones: Mutex<Zones>,
    host: Mutex<HostPages>,
    pub(crate) runs: Mutex<HostRuns>,
}

impl Memory {
    pub(crate) fn new(base: u64, pages: u64, contiguous: bool) -> Memory {
        assert!(
            pages <= ((1 << PA_BITS) - base) / PAGE as u64,
            "RAM ends beyond 2^{PA_BITS}"
        );
        let n = pages as usize;
        Memory {
            base,
            pages,
            contiguous,
            table: RwLock::new(Table {
                cpu: vec![0; n],
                dev: vec![0; n],
                used: vec![0; n],
                users: BTreeMap::new(),
            }),
            zones: Mutex::new(Zones::new(base / PAGE as u64, pages)),
            host: Mutex::default(),
            runs: Mutex::default(),
        }
    }

    /// Whether there is RAM below the limit of `bits` address bits.
    pub(crate) fn has_below(&self, bits: u32) -> bool {
        lk(&self.zones).has_below(bits)
    }

    /// Takes 2^order frames below the limit of `bits` address bits, at most a 2 MiB run, aligned to
    /// their number; returns the first.
    pub(crate) fn take_block(&self, order: usize, bits: u32) -> Option<u64> {
        lk(&self.zones).take_block(order, bits)
    }

    pub(crate) fn give_block(&self, order: usize, first: u64) {
        lk(&self.zones).give_block(order, first);
    }

    /// Takes a frame below the limit of `bits` address bits.
    pub(crate) fn take_frame(&self, bits: u32) -> Option<u64> {
        self.take_block(0, bits)
    }

    pub(crate) fn give_frames(&self, frames: impl IntoIterator<Item = u64>) {
        let mut zones = lk(&self.zones);
        for f in frames {
            zones.give_block(0, f);
        }
    }

    /// Assigns memory to frames: (frame, address for the CPU, address for the device).
    pub(crate) fn install(&self, what: Use, list: impl IntoIterator<Item = (u64, usize, usize)>) {
        let mut t = wr(&self.table);
        for (f, cpu, dev) in list {
            let i = f as usize;
            t.cpu[i] = cpu;
            t.dev[i] = dev;
            t.used[i] = what as u8;
        }
    }

    /// Assigns pages of a process to frames.
    pub(crate) fn install_user(&self, list: impl IntoIterator<Item = (u64, UserPage)>) {
        let mut t = wr(&self.table);
        for (f, page) in list {
            t.used[f as usize] = Use::User as u8;
            t.users.insert(f, page);
        }
    }

    /// Removes the memory of frames; after this returns no DMA access reaches it.
    pub(crate) fn remove(&self, list: impl IntoIterator<Item = u64>) {
        let mut t = wr(&self.table);
        for f in list {
            let i = f as usize;
            t.cpu[i] = 0;
            t.dev[i] = 0;
            if std::mem::replace(&mut t.used[i], Use::Free as u8) == Use::User as u8 {
                t.users.remove(&f);
            }
        }
    }

    pub(crate) fn pa_of(&self, frame: u64) -> u64 {
        self.base + frame * PAGE as u64
    }

    pub(crate) fn frame_of(&self, pa: u64) -> Option<u64> {
        self.index(pa).map(|i| i as u64)
    }

    fn index(&self, pa: u64) -> Option<usize> {
        let f = pa.checked_sub(self.base)? / PAGE as u64;
        (f < self.pages).then_some(f as usize)
    }

    /// Whether the page at `pa` has this use.
    pub(crate) fn is(&self, pa: u64, what: Use) -> bool {
        let t = rd(&self.table);
        self.index(pa).is_some_and(|i| t.used[i] == what as u8)
    }

    /// Calls `f(memory, offset in the transfer, bytes)` for each page of [pa, pa + len), for all or
    /// none.
    fn walk(
        &self,
        pa: u64,
        len: usize,
        write: bool,
        f: impl Fn(Answer<'_>, usize, usize),
    ) -> Result<(), NoMemory> {
        let t = rd(&self.table);
        let at = |done: usize| {
            let a = pa.checked_add(done as u64).ok_or(NoMemory)?;
            let i = self.index(a).ok_or(NoMemory)?;
            let off = (a % PAGE as u64) as usize;
            let answer = match t.dev[i] {
                0 => {
                    let page = t.users.get(&(i as u64));
                    Answer::User(
                        page.filter(|p| !write || p.writable()).ok_or(NoMemory)?,
                        off,
                    )
                }
                host => Answer::Host((host + off) as *mut u8),
            };
            Ok((answer, (PAGE - off).min(len - done)))
        };
        let mut done = 0;
        if pa % PAGE as u64 + len as u64 > PAGE as u64 {
            while done < len {
                done += at(done)?.1;
            }
            done = 0;
        }
        while done < len {
            let (p, n) = at(done)?;
            f(p, done, n);
            done += n;
        }
        Ok(())
    }

    pub(crate) fn dma_read(&self, pa: u64, buf: &mut [u8]) -> Result<(), NoMemory> {
        let out = buf.as_mut_ptr();
        self.walk(pa, buf.len(), false, |from, off, n| match from {
            // SAFETY: the table lock keeps the page; off + n is within buf.
            Answer::Host(p) => unsafe {
                std::ptr::copy_nonoverlapping(p.cast_const(), out.add(off), n)
            },
            // SAFETY: off + n is within buf, which has no other owner.
            Answer::User(page, at) => page.read(at, unsafe {
                std::slice::from_raw_parts_mut(out.add(off), n)
            }),
        })
    }

    pub(crate) fn dma_write(&self, pa: u64, buf: &[u8]) -> Result<(), NoMemory> {
        self.walk(pa, buf.len(), true, |to, off, n| match to {
            // SAFETY: the table lock keeps the page; off + n is within buf.
            Answer::Host(p) => unsafe { std::ptr::copy_nonoverlapping(buf[off..].as_ptr(), p, n) },
            Answer::User(page, at) => page.write(at, &buf[off..off + n]),
        })
    }

    /// Copies the whole cache lines that overlap [pa, pa + len), within one page, from the CPU's
    /// memory to the device's or back.
    pub(crate) fn sync(&self, pa: u64, len: u64, dir: u32) {
        let t = rd(&self.table);
        let off = pa % PAGE as u64;
        if len == 0 || off.checked_add(len).is_none_or(|end| end > PAGE as u64) {
            fatal(&format!(
                "page sync of [{pa:#x}, + {len:#x}), which is not within one page"
            ));
        }
        if let Some(page) = self.index(pa).and_then(|i| t.users.get(&(i as u64))) {
            return page.sync(off as usize, len as usize, dir);
        }
        let host = self.index(pa).map(|i| (t.cpu[i], t.dev[i]));
        let Some((cpu, dev)) = host.filter(|h| h.0 != 0) else {
            fatal(&format!("page sync of {pa:#x}, where no page is allocated"));
        };
        sync_lines(cpu, dev, off, len, dir);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for &c in &lk(&self.host).chunks {
            // SAFETY: mapped by host_page, and no user is left.
            unsafe { libc::munmap(c as *mut c_void, CHUNK_PAGES * PAGE) };
        }
    }
}

/// Start and number of bytes of the lines that overlap [off, off + len).
pub(crate) fn lines(off: u64, len: u64) -> (usize, usize) {
    let first = off / LINE * LINE;
    (
        first as usize,
        ((off + len).next_multiple_of(LINE) - first) as usize,
    )
}

/// Copies the lines that overlap [off, off + len) between the copies at `cpu` and `dev`.
pub(crate) fn sync_lines(cpu: usize, dev: usize, off: u64, len: u64, dir: u32) {
    if cpu == dev || len == 0 {
        return;
    }
    let (first, n) = lines(off, len);
    let (from, to) = match dir {
        sys::DRM_OS_SYNC_FOR_DEVICE => (cpu, dev),
        sys::DRM_OS_SYNC_FOR_CPU => (dev, cpu),
        _ => fatal(&format!("sync with direction {dir}")),
    };
    // SAFETY: both copies are whole pages, and lines do not cross pages.
    unsafe {
        std::ptr::copy_nonoverlapping((from + first) as *const u8, (to + first) as *mut u8, n)
    };
}

/// As `sync_lines`, but writes back only lines that the CPU has changed since they were
/// synchronised last, as it is known from the copy at `clean`.
pub(crate) fn sync_dirty(cpu: usize, dev: usize, clean: usize, off: u64, len: u64, dir: u32) {
    if len == 0 {
        return;
    }
    let (first, n) = lines(off, len);
    for line in (first..first + n).step_by(LINE as usize) {
        // SAFETY: all copies are whole pages, and lines do not cross pages.
        let [now, before] =
            [cpu, clean].map(|at| unsafe { ((at + line) as *const [u8; LINE as usize]).read() });
        if dir != sys::DRM_OS_SYNC_FOR_DEVICE || now != before {
            sync_lines(cpu, dev, line as u64, LINE, dir);
            sync_lines(cpu, clean, line as u64, LINE, sys::DRM_OS_SYNC_FOR_DEVICE);
        }
    }
}

pub(crate) mod exports {
    use super::*;
    use std::ffi::c_int;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_page_alloc(dev: *mut sys::drm_os_dev, pa: *mut u64) -> c_int {
        let d = Dev::of(dev);
        if let Err(e) = d.w.gate() {
            return e as c_int;
        }
        let Some(a) = d.w.mem.alloc_single(d.two_copies(), d.table_bits()) else {
            return sys::DRM_OS_ENOMEM as c_int;
        };
        d.w.counts.add(Kind::Pages, 1);
        pa.write(a);
        0
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_page_free(dev: *mut sys::drm_os_dev, pa: u64) {
        let w = &Dev::of(dev).w;
        let (frame, cpu, other) = w.mem.single(pa);
        if cpu == 0 || !pa.is_multiple_of(PAGE as u64) {
            fatal(&format!(
                "drm_os_page_free of {pa:#x}, which is no page of drm_os_page_alloc (now)"
            ));
        }
        w.mem.remove([frame]);
        w.mem.free_host_page(cpu);
        if other != cpu {
            w.mem.free_host_page(other);
        }
        w.mem.give_frames([frame]);
        w.counts.sub(Kind::Pages, 1);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_page_kva(dev: *mut sys::drm_os_dev, pa: u64) -> *mut c_void {
        match Dev::of(dev).w.mem.kva(pa) {
            0 => std::ptr::null_mut(),
            cpu => (cpu + pa as usize % PAGE) as *mut c_void,
        }
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_page_sync(
        dev: *mut sys::drm_os_dev,
        pa: u64,
        len: usize,
        dir: u32,
    ) {
        let w = &Dev::of(dev).w;
        w.calls.sync(len as u64);
        w.mem.sync(pa, len as u64, dir);
    }
}
