// SPDX-License-Identifier: BSD-2-Clause
//! Clocks, regulators, resets and the power domain of a device.
//!
//! The hardware model is called when the condition "domain on, every clock of the node enabled, no
//! reset asserted" changes. Resets start asserted. Enables are counted; a disable without an enable
//! is fatal.

use crate::counters::Kind;
use crate::device::{Dev, Node};
use crate::hardware::Bus;
use crate::sys;
use crate::trace::Trace;
use crate::util::{cstr, errno, fatal, lk};
use crate::witness::may_sleep;
use std::ffi::{c_char, c_int};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

struct State {
    domain: u32,
    clocks: Vec<u32>,
    asserted: Vec<bool>,
    on: bool,
}

pub(crate) struct Power {
    st: Mutex<State>,
}

impl Power {
    pub(crate) fn new(node: &Node) -> Power {
        let st = State {
            domain: u32::from(!node.power_domain),
            clocks: vec![0; node.clocks.len()],
            asserted: vec![true; node.resets.len()],
            on: false,
        };
        Power { st: Mutex::new(st) }
    }
}

impl Dev {
    /// Calls the model if its power has changed.
    pub(crate) fn power_changed(&self) {
        self.change_power(|_| ());
    }

    fn change_power(&self, f: impl FnOnce(&mut State)) {
        let mut st = lk(&self.power.st);
        f(&mut st);
        let on =
            st.domain != 0 && st.clocks.iter().all(|&c| c != 0) && !st.asserted.contains(&true);
        if on != st.on {
            st.on = on;
            self.hardware(|hw| {
                let t = self.w.now();
                self.w.tracer.emit(|| Trace::Power {
                    t,
                    dev: self.name.clone(),
                    on,
                });
                hw.set_power(&mut Bus(self), t, on);
            });
        }
    }
}

/// A handle of a clock, regulator or reset.
struct Resource {
    dev: Arc<Dev>,
    index: usize,
    kind: Kind,
    enabled: AtomicU32,
}

impl Resource {
    fn get<T>(
        dev: &Dev,
        all: &[T],
        name: Option<String>,
        key: impl Fn(&T) -> &String,
        kind: Kind,
    ) -> Result<*mut Resource, u32> {
        dev.w.gate()?;
        let index = Dev::find(all, name.as_deref(), key)?;
        dev.w.counts.add(kind, 1);
        Ok(Box::into_raw(Box::new(Resource {
            dev: dev.arc(),
            index,
            kind,
            enabled: AtomicU32::new(0),
        })))
    }

    /// # Safety
    /// `p` came from `get` and is not used again.
    unsafe fn put(p: *mut Resource) {
        // SAFETY: the caller's promise.
        let r = unsafe { Box::from_raw(p) };
        r.dev.w.counts.sub(r.kind, 1);
    }

    fn enable(&self, kind: Kind) {
        self.enabled.fetch_add(1, Relaxed);
        self.dev.w.counts.add(kind, 1);
    }

    fn disable(&self, kind: Kind, what: &str) {
        if self
            .enabled
            .fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1))
            .is_err()
        {
            fatal(&format!(
                "{what} of {} disabled by a handle that did not enable it",
                self.dev.name
            ));
        }
        self.dev.w.counts.sub(kind, 1);
    }
}

/// # Safety
/// `p` is a live handle of this module.
unsafe fn of<'a, T>(p: *mut T) -> &'a Resource {
    // SAFETY: the caller's promise.
    unsafe { &*p.cast::<Resource>().cast_const() }
}

pub(crate) mod exports {
    use super::*;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_clk_get(
        dev: *mut sys::drm_os_dev,
        name: *const c_char,
        clkp: *mut *mut sys::drm_os_clk,
    ) -> c_int {
        may_sleep("drm_os_clk_get");
        let d = Dev::of(dev);
        let r = Resource::get(d, &d.node.clocks, cstr(name), |c| &c.0, Kind::Clks);
        errno(r.map(|p| clkp.write(p.cast())))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_clk_put(clk: *mut sys::drm_os_clk) {
        may_sleep("drm_os_clk_put");
        Resource::put(clk.cast());
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_clk_enable(clk: *mut sys::drm_os_clk) -> c_int {
        may_sleep("drm_os_clk_enable");
        let r = of(clk);
        r.enable(Kind::ClocksEnabled);
        r.dev.change_power(|st| st.clocks[r.index] += 1);
        0
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_clk_disable(clk: *mut sys::drm_os_clk) -> c_int {
        may_sleep("drm_os_clk_disable");
        let r = of(clk);
        r.disable(Kind::ClocksEnabled, "a clock");
        r.dev.change_power(|st| st.clocks[r.index] -= 1);
        0
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_clk_rate(clk: *mut sys::drm_os_clk, hz: *mut u64) -> c_int {
        may_sleep("drm_os_clk_rate");
        let r = of(clk);
        hz.write(r.dev.node.clocks[r.index].1);
        0
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_regulator_get(
        dev: *mut sys::drm_os_dev,
        name: *const c_char,
        regp: *mut *mut sys::drm_os_regulator,
    ) -> c_int {
        may_sleep("drm_os_regulator_get");
        let d = Dev::of(dev);
        let r = Resource::get(d, &d.node.regulators, cstr(name), |n| n, Kind::Regulators);
        errno(r.map(|p| regp.write(p.cast())))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_regulator_put(reg: *mut sys::drm_os_regulator) {
        may_sleep("drm_os_regulator_put");
        Resource::put(reg.cast());
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_regulator_enable(reg: *mut sys::drm_os_regulator) -> c_int {
        may_sleep("drm_os_regulator_enable");
        of(reg).enable(Kind::RegulatorsEnabled);
        0
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_regulator_disable(reg: *mut sys::drm_os_regulator) -> c_int {
        may_sleep("drm_os_regulator_disable");
        of(reg).disable(Kind::RegulatorsEnabled, "a regulator");
        0
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_reset_get(
        dev: *mut sys::drm_os_dev,
        name: *const c_char,
        resetp: *mut *mut sys::drm_os_reset,
    ) -> c_int {
        may_sleep("drm_os_reset_get");
        let d = Dev::of(dev);
        let r = Resource::get(d, &d.node.resets, cstr(name), |n| n, Kind::Resets);
        errno(r.map(|p| resetp.write(p.cast())))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_reset_put(reset: *mut sys::drm_os_reset) {
        may_sleep("drm_os_reset_put");
        Resource::put(reset.cast());
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_reset_assert(reset: *mut sys::drm_os_reset) -> c_int {
        may_sleep("drm_os_reset_assert");
        let r = of(reset);
        r.dev.change_power(|st| st.asserted[r.index] = true);
        0
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_reset_deassert(reset: *mut sys::drm_os_reset) -> c_int {
        may_sleep("drm_os_reset_deassert");
        let r = of(reset);
        r.dev.change_power(|st| st.asserted[r.index] = false);
        0
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_power_on(dev: *mut sys::drm_os_dev) -> c_int {
        may_sleep("drm_os_power_on");
        let d = Dev::of(dev);
        if d.node.power_domain {
            d.w.counts.add(Kind::PowerDomainsOn, 1);
            d.change_power(|st| st.domain += 1);
        }
        0
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_power_off(dev: *mut sys::drm_os_dev) -> c_int {
        may_sleep("drm_os_power_off");
        let d = Dev::of(dev);
        if d.node.power_domain {
            d.change_power(|st| {
                let Some(n) = st.domain.checked_sub(1) else {
                    fatal(&format!(
                        "power domain of {} switched off when it is off",
                        d.name
                    ));
                };
                st.domain = n;
            });
            d.w.counts.sub(Kind::PowerDomainsOn, 1);
        }
        0
    }
}
