// SPDX-License-Identifier: BSD-2-Clause
//! Register windows. An access calls the hardware model directly, powered or not; no handler runs
//! in it.

use crate::calls::Call;
use crate::counters::Kind;
use crate::device::Dev;
use crate::hardware::Bus;
use crate::sys;
use crate::trace::Trace;
use crate::util::{errno, fatal};
use std::ffi::{c_char, c_int};
use std::sync::Arc;

/// The window that `struct drm_os_mmio` refers to.
struct Mmio {
    dev: Arc<Dev>,
    len: u32,
}

impl Mmio {
    fn map(dev: &Dev, named: bool, min_len: usize) -> Result<Box<Mmio>, u32> {
        dev.w.gate()?;
        if named || dev.node.mmio_len == 0 {
            return Err(sys::DRM_OS_ENOENT);
        }
        let len = u32::try_from(min_len)
            .ok()
            .filter(|&l| l <= dev.node.mmio_len);
        let len = len.ok_or(sys::DRM_OS_EINVAL)?;
        dev.w.counts.add(Kind::Mmios, 1);
        Ok(Box::new(Mmio {
            dev: dev.arc(),
            len,
        }))
    }

    fn check(&self, off: u32) {
        if !off.is_multiple_of(4) || off >= self.len {
            fatal(&format!(
                "register access at {off:#x} of {}, window of {:#x} bytes",
                self.dev.name, self.len
            ));
        }
    }

    fn read(&self, off: u32) -> u32 {
        self.check(off);
        let d = &self.dev;
        d.hardware(|hw| {
            let t = d.w.now();
            let val = hw.mmio_read(&mut Bus(d), t, off);
            d.w.tracer.emit(|| Trace::MmioRead {
                t,
                dev: d.name.clone(),
                off,
                val,
            });
            val
        })
    }

    fn write(&self, off: u32, val: u32) {
        self.check(off);
        let d = &self.dev;
        d.hardware(|hw| {
            let t = d.w.now();
            d.w.tracer.emit(|| Trace::MmioWrite {
                t,
                dev: d.name.clone(),
                off,
                val,
            });
            hw.mmio_write(&mut Bus(d), t, off, val);
        });
    }
}

pub(crate) mod exports {
    use super::*;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_mmio_map(
        dev: *mut sys::drm_os_dev,
        name: *const c_char,
        min_len: usize,
        mmiop: *mut *mut sys::drm_os_mmio,
    ) -> c_int {
        let r = Mmio::map(Dev::of(dev), !name.is_null(), min_len);
        errno(r.map(|m| mmiop.write(Box::into_raw(m).cast())))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_mmio_unmap(mmio: *mut sys::drm_os_mmio) {
        let m = Box::from_raw(mmio.cast::<Mmio>());
        m.dev.w.counts.sub(Kind::Mmios, 1);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_mmio_read4(mmio: *mut sys::drm_os_mmio, off: u32) -> u32 {
        let m = &*mmio.cast::<Mmio>();
        m.dev.w.calls.one(Call::Read);
        m.read(off)
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_mmio_write4(mmio: *mut sys::drm_os_mmio, off: u32, val: u32) {
        let m = &*mmio.cast::<Mmio>();
        m.dev.w.calls.one(Call::Write);
        m.write(off, val);
    }
}
