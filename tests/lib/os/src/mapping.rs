// SPDX-License-Identifier: BSD-2-Clause
//! User mappings. Dropping one is munmap(2).

use crate::counters::Kind;
use crate::host::{map_file, unmap};
use crate::object::Object;
use crate::sys;
use crate::util::fatal;
use crate::witness;
use crate::world::Inner;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;

/// A mapping of part of an object.  Holds a reference on the object.
pub struct Mapping {
    w: Arc<Inner>,
    obj: Option<Arc<Object>>,
    off: u64,
    addr: usize,
    len: usize,
    /// Whether its pages are wired.
    locked: AtomicBool,
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({:#x}, + {:#x})", self.off, self.len)
    }
}

impl Mapping {
    pub(crate) fn new(
        w: Arc<Inner>,
        obj: Arc<Object>,
        off: u64,
        len: usize,
    ) -> Result<Mapping, u32> {
        let page = u64::from(sys::DRM_OS_PAGE_SIZE);
        match obj.make_resident(off / page, len as u64 / page) {
            // A purged object can be mapped; accesses fault.
            Ok(()) | Err(sys::DRM_OS_ENXIO) => {}
            Err(e) => return Err(e),
        }
        let addr = map_file(obj.file()?, off, len);
        if addr == 0 {
            return Err(sys::DRM_OS_ENOMEM);
        }
        w.counts.add(Kind::Mappings, 1);
        Ok(Mapping {
            w,
            obj: Some(obj),
            off,
            addr,
            len,
            locked: AtomicBool::new(false),
        })
    }

    /// mlock(2) or munlock(2): the object cannot be purged while its pages are wired.
    pub fn set_locked(&self, on: bool) {
        if self.locked.swap(on, Relaxed) != on {
            if let Some(obj) = &self.obj {
                obj.lock_in_memory(on);
            }
        }
    }

    /// Address in this process.
    pub fn as_ptr(&self) -> *mut u8 {
        self.addr as *mut u8
    }

    /// Size in bytes, whole pages.
    #[allow(clippy::len_without_is_empty, reason = "a mapping is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The memory, to be mapped in another process.
    pub fn memfd(&self) -> BorrowedFd<'_> {
        match self.obj.as_ref().map(|o| o.file()) {
            Some(Ok(fd)) => fd,
            _ => fatal("a mapping of nothing"),
        }
    }

    /// Offset in the memfd at which the mapping starts.
    pub fn memfd_offset(&self) -> u64 {
        self.off
    }

    fn at(&self, off: usize, len: usize) -> *mut u8 {
        assert!(
            off.checked_add(len).is_some_and(|end| end <= self.len),
            "access beyond the mapping"
        );
        (self.addr + off) as *mut u8
    }

    /// Reads as the user; panics beyond the end.
    pub fn read(&self, off: usize, buf: &mut [u8]) {
        let p = self.at(off, buf.len());
        // SAFETY: within the mapping; a purged object raises SIGBUS as it does for any user.
        unsafe { std::ptr::copy_nonoverlapping(p.cast_const(), buf.as_mut_ptr(), buf.len()) };
    }

    /// Writes as the user; panics beyond the end.
    pub fn write(&self, off: usize, buf: &[u8]) {
        let p = self.at(off, buf.len());
        // SAFETY: as in read.
        unsafe { std::ptr::copy_nonoverlapping(buf.as_ptr(), p, buf.len()) };
    }

    /// Reads one aligned word; panics beyond the end.
    pub fn read_u32(&self, off: usize) -> u32 {
        let p = self.at(off, 4).cast::<u32>();
        assert!(p.is_aligned(), "unaligned word");
        // SAFETY: as in read; volatile because the device writes too.
        unsafe { p.read_volatile() }
    }

    /// Writes one aligned word; panics beyond the end.
    pub fn write_u32(&self, off: usize, v: u32) {
        let p = self.at(off, 4).cast::<u32>();
        assert!(p.is_aligned(), "unaligned word");
        // SAFETY: as in read_u32.
        unsafe { p.write_volatile(v) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        witness::may_sleep("munmap");
        self.set_locked(false);
        unmap(self.addr, self.len);
        drop(self.obj.take());
        self.w.counts.sub(Kind::Mappings, 1);
    }
}
