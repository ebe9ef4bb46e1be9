// SPDX-License-Identifier: BSD-2-Clause
//! Memory of a process as the device accesses it.
//!
//! Each access goes through the process's `/proc/PID/mem`, opened when the object is created: such
//! a descriptor refers to that address space even if another process gets the number later or the
//! process executes another program. A kernel keeps the pages until the object is freed; here they
//! are not kept: after the process has exited or unmapped them, the device reads zeroes there and
//! its writes are lost, without an error, because the driver has not done anything wrong. Two
//! objects of the same memory have different physical addresses.
//!
//! A device that does not snoop has its own copy, at first of zeroes, where coherence is modelled:
//! it does not contain what the process wrote until it is synchronised. A write of the device to
//! memory that it may only read fails like one to an address without a page.

use crate::caller::CallerInner;
use crate::device::Dev;
use crate::memory::{lines, PAGE};
use crate::object::Object;
use crate::sys;
use crate::util::{errno, fatal};
use crate::witness;
use std::fs::{read_to_string, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A part of an address space, the memory of an object.
pub(crate) struct UserMemory {
    mem: File,
    addr: u64,
    write: bool,
}

/// Whether the mappings in `maps` (the contents of `/proc/PID/maps`) cover [from, to) readable, and
/// writable if `write` is set.
fn covers(maps: &str, from: u64, to: u64, write: bool) -> bool {
    let mut at = from;
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let range = words.next().and_then(|r| r.split_once('-'));
        let hex = |s| u64::from_str_radix(s, 16).ok();
        let Some((start, end)) = range.and_then(|(a, b)| Some((hex(a)?, hex(b)?))) else {
            return false;
        };
        if end <= at {
            continue;
        }
        let access = words.next().unwrap_or_default();
        if start > at || !access.starts_with('r') || (write && !access.starts_with("rw")) {
            return false;
        }
        at = end;
        if at >= to {
            return true;
        }
    }
    false
}

impl UserMemory {
    /// Opens memory of process `pid`; `None` unless all of it can be accessed.
    fn open(pid: i32, addr: u64, size: u64, write: bool) -> Option<UserMemory> {
        let end = addr.checked_add(size)?;
        let mut how = OpenOptions::new();
        let mem = how.read(true).write(write).open(format!("/proc/{pid}/mem"));
        let mem = mem.ok()?;
        let maps = read_to_string(format!("/proc/{pid}/maps")).ok()?;
        // A mapping may extend beyond the end of its file, or have no memory.
        let there = |page| mem.read_exact_at(&mut [0], page).is_ok();
        let all = covers(&maps, addr, end, write) && (addr..end).step_by(PAGE).all(there);
        all.then_some(UserMemory { mem, addr, write })
    }
}

/// A page of the memory.
pub(crate) struct UserPage {
    memory: Arc<UserMemory>,
    addr: u64,
    /// The device's own copy; 0 for none.
    copy: usize,
}

impl UserPage {
    /// The `index`-th page; `copies` is the address of the device's copies of all pages, or 0.
    pub(crate) fn new(memory: Arc<UserMemory>, index: u64, copies: usize) -> UserPage {
        let off = index * PAGE as u64;
        let addr = memory.addr + off;
        let copy = if copies == 0 {
            0
        } else {
            copies + off as usize
        };
        UserPage { memory, addr, copy }
    }

    /// Whether the device may write to it.
    pub(crate) fn writable(&self) -> bool {
        self.memory.write
    }

    fn load(&self, off: usize, buf: &mut [u8]) {
        if self
            .memory
            .mem
            .read_exact_at(buf, self.addr + off as u64)
            .is_err()
        {
            buf.fill(0);
        }
    }

    fn store(&self, off: usize, buf: &[u8]) {
        if self.writable() {
            // Writes that fail are lost.
            let _ = self.memory.mem.write_all_at(buf, self.addr + off as u64);
        }
    }

    /// Reads as the device.
    pub(crate) fn read(&self, off: usize, buf: &mut [u8]) {
        match self.copy {
            0 => self.load(off, buf),
            // SAFETY: the copy is a page, and the caller stays within it.
            p => unsafe {
                std::ptr::copy_nonoverlapping((p + off) as *const u8, buf.as_mut_ptr(), buf.len());
            },
        }
    }

    /// Writes as the device.
    pub(crate) fn write(&self, off: usize, buf: &[u8]) {
        match self.copy {
            0 => self.store(off, buf),
            // SAFETY: as in read.
            p => unsafe {
                std::ptr::copy_nonoverlapping(buf.as_ptr(), (p + off) as *mut u8, buf.len())
            },
        }
    }

    /// Copies the whole cache lines that overlap [off, off + len) from the process to the device's
    /// copy or back.
    pub(crate) fn sync(&self, off: usize, len: usize, dir: u32) {
        if self.copy == 0 {
            return;
        }
        let (first, n) = lines(off as u64, len as u64);
        let mut page = [0; PAGE];
        let buf = &mut page[..n];
        match dir {
            sys::DRM_OS_SYNC_FOR_DEVICE => {
                self.load(first, buf);
                self.write(first, buf);
            }
            sys::DRM_OS_SYNC_FOR_CPU => {
                self.read(first, buf);
                self.store(first, buf);
            }
            _ => fatal(&format!("sync with direction {dir}")),
        }
    }
}

pub(crate) mod exports {
    use super::*;
    use std::ffi::c_int;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_object_create_user(
        dev: *mut sys::drm_os_dev,
        caller: *mut sys::drm_os_caller,
        uaddr: u64,
        size: u64,
        write: c_int,
        objp: *mut *mut sys::drm_os_object,
    ) -> c_int {
        witness::may_sleep("drm_os_object_create_user");
        let (d, c) = (Dev::of(dev), CallerInner::of(caller));
        errno((|| {
            d.w.gate()?;
            let page = PAGE as u64;
            if size == 0 || !size.is_multiple_of(page) || !uaddr.is_multiple_of(page) {
                return Err(sys::DRM_OS_EINVAL);
            }
            let memory = UserMemory::open(c.process.pid(), uaddr, size, write != 0);
            let object = Object::of_user(d, memory.ok_or(sys::DRM_OS_EFAULT)?, size / page)?;
            objp.write(Arc::into_raw(object).cast_mut().cast());
            Ok(())
        })())
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn mappings_side_by_side_cover_and_holes_do_not() {
        let maps = "1000-3000 r--p 00000000 00:00 0\n\
                    3000-5000 rw-p 00000000 08:01 7  /a file\n\
                    6000-7000 ---p 00000000 00:00 0\n";
        for (from, to, write, yes) in [
            (0x1000, 0x5000, false, true),
            (0x2000, 0x4000, false, true),
            (0x2000, 0x4000, true, false),
            (0x3000, 0x5000, true, true),
            (0x4000, 0x6000, false, false),
            (0x0000, 0x2000, false, false),
            (0x6000, 0x7000, false, false),
            (0x7000, 0x8000, false, false),
        ] {
            assert_eq!(
                covers(maps, from, to, write),
                yes,
                "{from:#x} {to:#x} {write}"
            );
        }
    }
}
