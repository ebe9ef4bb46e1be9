// SPDX-License-Identifier: BSD-2-Clause
//! Runs of pages: contiguous for the device and for the CPU.
//!
//! Freed host memory is filled with poison and kept for a while; later a stale pointer faults.

use crate::counters::Kind;
use crate::device::Dev;
use crate::frames::RUN_ORDER;
use crate::host::{map_anonymous, unmap};
use crate::malloc::POISON;
use crate::memory::{Memory, Use, PAGE};
use crate::sys;
use crate::util::{errno, fatal, lk};
use crate::witness;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;

/// Freed runs whose host memory is kept.
const KEPT: usize = 16;

/// Log2 of its pages, host addresses for the CPU and for the device.
struct Run {
    order: usize,
    cpu: usize,
    dev: usize,
}

/// Host memory of runs.
#[derive(Default)]
pub(crate) struct HostRuns {
    /// Live runs by first frame.
    live: BTreeMap<u64, Run>,
    freed: VecDeque<(usize, usize)>,
}

impl HostRuns {
    fn free(&mut self, addr: usize, len: usize) {
        // SAFETY: a mapping of ours that no frame refers to.
        unsafe { (addr as *mut u8).write_bytes(POISON, len) };
        self.freed.push_back((addr, len));
        if self.freed.len() > KEPT {
            if let Some((addr, len)) = self.freed.pop_front() {
                unmap(addr, len);
            }
        }
    }
}

impl Drop for HostRuns {
    fn drop(&mut self) {
        for &(addr, len) in &self.freed {
            unmap(addr, len);
        }
        for r in self.live.values() {
            unmap(r.cpu, PAGE << r.order);
            if r.dev != r.cpu {
                unmap(r.dev, PAGE << r.order);
            }
        }
    }
}

/// Log2 of the pages of a run of `size` bytes; EINVAL for sizes that a run cannot have.
fn order_of(size: u64) -> Result<usize, u32> {
    let pages = size / PAGE as u64;
    let order = pages.checked_ilog2().ok_or(sys::DRM_OS_EINVAL)? as usize;
    if size.is_power_of_two() && order <= RUN_ORDER {
        Ok(order)
    } else {
        Err(sys::DRM_OS_EINVAL)
    }
}

impl Memory {
    /// Allocates a zeroed run of 2^order pages; returns its physical address.
    fn alloc_run(&self, order: usize, two_copies: bool, bits: u32) -> Option<u64> {
        let first = self.take_block(order, bits)?;
        let len = PAGE << order;
        let cpu = map_anonymous(len) as usize;
        let dev = if two_copies {
            map_anonymous(len) as usize
        } else {
            cpu
        };
        if cpu == 0 || dev == 0 {
            unmap(cpu, len);
            self.give_block(order, first);
            return None;
        }
        lk(&self.runs).live.insert(first, Run { order, cpu, dev });
        let pages =
            (0..1usize << order).map(|i| (first + i as u64, cpu + i * PAGE, dev + i * PAGE));
        self.install(Use::Run, pages);
        Some(self.pa_of(first))
    }

    /// Whether `len` bytes from `pa` on are in one run.
    fn is_in_run(&self, pa: u64, len: u64) -> bool {
        let runs = lk(&self.runs);
        runs.live.iter().any(|(first, run)| {
            let start = self.pa_of(*first);
            let end = start + ((PAGE as u64) << run.order);
            start <= pa && pa.checked_add(len).is_some_and(|last| last <= end)
        })
    }

    fn free_run(&self, pa: u64, order: usize) -> bool {
        let mut runs = lk(&self.runs);
        let first = self.frame_of(pa).filter(|f| self.pa_of(*f) == pa);
        let same = |f: &u64| runs.live.get(f).is_some_and(|r| r.order == order);
        let Some(first) = first.filter(same) else {
            return false;
        };
        self.remove(first..first + (1 << order));
        if let Some(r) = runs.live.remove(&first) {
            runs.free(r.cpu, PAGE << order);
            if r.dev != r.cpu {
                runs.free(r.dev, PAGE << order);
            }
        }
        self.give_block(order, first);
        true
    }
}

pub(crate) mod exports {
    use super::*;
    use std::ffi::c_int;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_run_alloc(
        dev: *mut sys::drm_os_dev,
        size: u64,
        pa: *mut u64,
    ) -> c_int {
        witness::may_sleep("drm_os_run_alloc");
        let d = Dev::of(dev);
        errno((|| {
            d.w.gate()?;
            let order = order_of(size)?;
            let run = d.w.mem.alloc_run(order, d.two_copies(), d.table_bits());
            pa.write(run.ok_or(sys::DRM_OS_ENOMEM)?);
            d.w.counts.add(Kind::Runs, 1);
            Ok(())
        })())
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_run_sync(
        dev: *mut sys::drm_os_dev,
        pa: u64,
        len: usize,
        dir: u32,
    ) {
        let w = &Dev::of(dev).w;
        w.calls.sync(len as u64);
        let ns = w.sync_ns.load(Relaxed);
        if !witness::can_sleep() {
            w.locked_sync.fetch_max(len as u64, Relaxed);
        } else if ns != 0 && len > 8192 {
            w.sleep(ns);
        }
        let memory = &w.mem;
        if !memory.is_in_run(pa, len as u64) {
            fatal(&format!(
                "drm_os_run_sync of [{pa:#x}, + {len:#x}), which is not within a run"
            ));
        }
        let end = pa + len as u64;
        let mut at = pa;
        while at < end {
            let next = end.min((at | (PAGE as u64 - 1)) + 1);
            memory.sync(at, next - at, dir);
            at = next;
        }
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_run_free(dev: *mut sys::drm_os_dev, pa: u64, size: u64) {
        let w = &Dev::of(dev).w;
        if !order_of(size).is_ok_and(|order| w.mem.free_run(pa, order)) {
            fatal(&format!(
                "drm_os_run_free of [{pa:#x}, + {size:#x}), which is no run of drm_os_run_alloc \
                    (now)"
            ));
        }
        w.counts.sub(Kind::Runs, 1);
    }
}
