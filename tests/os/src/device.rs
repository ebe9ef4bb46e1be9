// SPDX-License-Identifier: BSD-2-Clause
//! Device nodes: what the device tree says of them, the driver attached, the hardware behind.
//!
//! The hardware model has one lock; it is the innermost but for those of memory and of interrupt lines.  Real mode
//! gives each device a thread that polls the model when its next event is due.

use crate::caller::Caller;
use crate::file::{File, Minor};
use crate::gate::Gate;
use crate::hardware::{Bus, Hardware};
use crate::irq::Line;
use crate::power::Power;
use crate::sys;
use crate::util::{cstr, fatal, lk, no_unwind};
use crate::world::{came_back, Inner, World};
use std::ffi::{c_char, c_int, c_void};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// Statistics a driver may have; more is a driver that never says ENOENT.
const MAX_STATS: u32 = 1024;

/// What the device tree says of a device.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Name of the device, as in the log.
    pub name: String,
    /// Values of `compatible`, most specific first.
    pub compatible: Vec<String>,
    /// Size of the register window in bytes.
    pub mmio_len: u32,
    /// Names of the interrupt lines.
    pub irqs: Vec<String>,
    /// Names of the clocks and their rates in Hz.
    pub clocks: Vec<(String, u64)>,
    /// Names of the regulators.
    pub regulators: Vec<String>,
    /// Names of the resets; asserted at the start.
    pub resets: Vec<String>,
    /// Whether the node has a power domain (off at the start); without one it is always on.
    pub power_domain: bool,
    /// `dma-coherent`.
    pub coherent: bool,
}

#[derive(Clone, Copy)]
struct Attached {
    driver: &'static sys::drm_os_driver,
    softc: usize,
}

// SAFETY: the table is constant and its strings are too.
unsafe impl Send for Attached {}

#[derive(Default)]
struct EventThread {
    st: Mutex<(bool, bool)>, // (kicked, stop)
    cond: Condvar,
    planned: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What `struct drm_os_dev` is here.
pub(crate) struct Dev {
    me: Weak<Dev>,
    pub(crate) w: Arc<Inner>,
    pub(crate) node: Node,
    pub(crate) name: Arc<str>,
    pub(crate) lines: Vec<Line>,
    pub(crate) power: Power,
    pub(crate) minors: Mutex<Vec<Arc<Minor>>>,
    hw: Mutex<Box<dyn Hardware>>,
    attached: Mutex<Option<Attached>>,
    /// Calls of lowmem and stat in progress.
    gate: Gate,
    events: EventThread,
}

impl Dev {
    /// # Safety
    /// `p` is a device of this crate whose world is alive.
    pub(crate) unsafe fn of<'a>(p: *mut sys::drm_os_dev) -> &'a Dev {
        if p.is_null() {
            fatal("NULL instead of a struct drm_os_dev");
        }
        // SAFETY: the caller's promise.
        unsafe { &*p.cast::<Dev>().cast_const() }
    }

    pub(crate) fn arc(&self) -> Arc<Dev> {
        self.me
            .upgrade()
            .unwrap_or_else(|| fatal("a device is used after its world's end"))
    }

    pub(crate) fn raw(&self) -> *mut sys::drm_os_dev {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// Whether cached memory made for this device has a copy of its own for it.
    pub(crate) fn two_copies(&self) -> bool {
        self.w.cfg.coherence && !self.node.coherent
    }

    /// The index of a resource by name; no name is the first one.
    pub(crate) fn find<T>(all: &[T], name: Option<&str>, key: impl Fn(&T) -> &String) -> Result<usize, u32> {
        let at = match name {
            None if all.is_empty() => None,
            None => Some(0),
            Some(n) => all.iter().position(|x| key(x) == n),
        };
        at.ok_or(sys::DRM_OS_ENOENT)
    }

    /// Runs `f` on the model, then sees to it that its next event is not missed.
    pub(crate) fn hardware<R>(&self, f: impl FnOnce(&mut dyn Hardware) -> R) -> R {
        let mut hw = lk(&self.hw);
        let r = f(&mut **hw);
        if !self.w.is_virtual() {
            let next = hw.next_event().unwrap_or(u64::MAX);
            if next < self.events.planned.load(Relaxed) {
                self.events.planned.store(next, Relaxed);
                drop(hw);
                lk(&self.events.st).0 = true;
                self.events.cond.notify_one();
            }
        }
        r
    }

    pub(crate) fn next_event(&self) -> Option<u64> {
        lk(&self.hw).next_event()
    }

    pub(crate) fn poll(&self) {
        let now = self.w.now();
        lk(&self.hw).poll(&mut Bus(self), now);
    }

    /// The event thread of real mode.
    fn serve_events(&self) {
        let ev = &self.events;
        loop {
            let next = {
                let mut hw = lk(&self.hw);
                let mut next = hw.next_event().unwrap_or(u64::MAX);
                let now = self.w.now();
                if next <= now {
                    hw.poll(&mut Bus(self), now);
                    next = 0;
                }
                ev.planned.store(next, Relaxed);
                next
            };
            let mut st = lk(&ev.st);
            if st.1 {
                return;
            }
            if next == 0 {
                continue;
            }
            while !st.0 && !st.1 && self.w.now() < next {
                st = if next == u64::MAX {
                    ev.cond.wait(st).unwrap_or_else(PoisonError::into_inner)
                } else {
                    let left = Duration::from_nanos(next.saturating_sub(self.w.now()));
                    ev.cond
                        .wait_timeout(st, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                };
            }
            st.0 = false;
        }
    }

    pub(crate) fn stop_threads(&self) {
        self.lines.iter().for_each(Line::stop);
        lk(&self.events.st).1 = true;
        self.events.cond.notify_one();
        if let Some(t) = lk(&self.events.thread).take() {
            if t.join().is_err() {
                fatal("a hardware model panicked");
            }
        }
    }

    pub(crate) fn lowmem(&self, pages: u64) -> u64 {
        let Some(_inside) = self.gate.enter(&self.w) else {
            return 0;
        };
        let a = *lk(&self.attached);
        let Some((a, f)) = a.and_then(|a| Some((a, a.driver.lowmem?))) else {
            return 0;
        };
        // SAFETY: softc is what attach of this driver gave.
        let freed = unsafe { f(a.softc as *mut c_void, pages) };
        came_back(&self.w, "lowmem returned");
        freed
    }

    pub(crate) fn driver(&self) -> Option<&'static sys::drm_os_driver> {
        lk(&self.attached).map(|a| a.driver)
    }
}

/// Asks for statistics until the driver says that there are no more.
pub(crate) fn collect_stats(ask: impl Fn(u32, *mut *const c_char, *mut u64) -> c_int) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for i in 0..MAX_STATS {
        let (mut name, mut value) = (std::ptr::null(), 0);
        if ask(i, &mut name, &mut value) != 0 {
            return all;
        }
        // SAFETY: the driver gives literal names.
        all.push((unsafe { cstr(name) }.unwrap_or_default(), value));
    }
    fatal("a driver has no end of statistics")
}

/// A device of a world.
#[derive(Clone)]
pub struct Device {
    dev: Arc<Dev>,
    _world: World,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.dev.name)
    }
}

impl Device {
    pub(crate) fn new(world: &World, node: Node, hw: Box<dyn Hardware>) -> Device {
        let w = world.inner().clone();
        let dev = Arc::new_cyclic(|me| Dev {
            me: me.clone(),
            w: w.clone(),
            name: node.name.as_str().into(),
            lines: node.irqs.iter().map(|_| Line::default()).collect(),
            power: Power::new(&node),
            minors: Mutex::default(),
            hw: Mutex::new(hw),
            attached: Mutex::new(None),
            gate: Gate::default(),
            events: EventThread::default(),
            node,
        });
        dev.power_changed();
        lk(&w.devices).push(dev.clone());
        if !w.is_virtual() {
            let d = dev.clone();
            let t = std::thread::Builder::new().name(format!("hw {}", dev.name));
            match t.spawn(move || no_unwind(|| d.serve_events())) {
                Ok(t) => *lk(&dev.events.thread) = Some(t),
                Err(e) => fatal(&format!("no thread for a device: {e}")),
            }
        }
        Device {
            dev,
            _world: world.clone(),
        }
    }

    /// Attaches a driver.  `driver` is a constant table.  Errors: ENXIO if no `compatible` matches, EBUSY if one is
    /// attached, else what its attach says.
    #[allow(
        clippy::not_unsafe_ptr_arg_deref,
        reason = "a driver table is a constant of the program"
    )]
    pub fn attach(&self, driver: *const sys::drm_os_driver) -> Result<(), i32> {
        // SAFETY: a driver table is a constant of the program.
        let driver: &'static sys::drm_os_driver = unsafe { &*driver };
        let d = &self.dev;
        if lk(&d.attached).is_some() {
            return Err(sys::DRM_OS_EBUSY as i32);
        }
        if !self.matches(driver) {
            return Err(sys::DRM_OS_ENXIO as i32);
        }
        let Some(attach) = driver.attach else {
            fatal("a driver without attach")
        };
        let mut softc = std::ptr::null_mut();
        // SAFETY: the device outlives the driver's use of it: its world keeps it.
        let r = unsafe { attach(d.raw(), &mut softc) };
        came_back(&d.w, "attach returned");
        if r != 0 {
            return Err(r);
        }
        *lk(&d.attached) = Some(Attached {
            driver,
            softc: softc as usize,
        });
        d.gate.open();
        Ok(())
    }

    fn matches(&self, driver: &sys::drm_os_driver) -> bool {
        let mut p = driver.compatible;
        if p.is_null() {
            return false;
        }
        loop {
            // SAFETY: the list ends with NULL, which is not passed.
            let Some(c) = (unsafe { cstr(*p) }) else {
                return false;
            };
            if self.dev.node.compatible.contains(&c) {
                return true;
            }
            // SAFETY: as above.
            p = unsafe { p.add(1) };
        }
    }

    /// Detaches the driver.  Errors: ENXIO if there is none, else what its detach says.
    pub fn detach(&self, force: bool) -> Result<(), i32> {
        let d = &self.dev;
        let a = lk(&d.attached).take().ok_or(sys::DRM_OS_ENXIO as i32)?;
        let Some(detach) = a.driver.detach else {
            fatal("a driver without detach")
        };
        d.gate.close(&d.w, "detach", &d.name);
        // SAFETY: softc is what attach of this driver gave.
        let r = unsafe { detach(a.softc as *mut c_void, c_int::from(force)) };
        came_back(&d.w, "detach returned");
        if r != 0 {
            *lk(&d.attached) = Some(a);
            d.gate.open();
            return Err(r);
        }
        Ok(())
    }

    /// Opens a node (`DRM_OS_MINOR_*`).  Errors: ENXIO if it is not registered, else what the driver says.
    pub fn open(&self, minor: u32, caller: &Caller) -> Result<File, i32> {
        File::open(&self.dev, minor, caller)
    }

    /// The statistics of the device; none without a driver.
    pub fn stats(&self) -> Vec<(String, u64)> {
        let Some(_inside) = self.dev.gate.enter(&self.dev.w) else {
            return Vec::new();
        };
        let a = *lk(&self.dev.attached);
        let Some((a, f)) = a.and_then(|a| Some((a, a.driver.stat?))) else {
            return Vec::new();
        };
        // SAFETY: softc is what attach of this driver gave.
        collect_stats(|i, name, value| unsafe { f(a.softc as *mut c_void, i, name, value) })
    }

    /// Runs `f` on the hardware model, which must not be told to touch registers meanwhile.
    pub fn with_hardware<R>(&self, f: impl FnOnce(&mut dyn Hardware) -> R) -> R {
        self.dev.hardware(f)
    }

    /// The name of the node.
    pub fn name(&self) -> &str {
        &self.dev.name
    }

    /// The `struct drm_os_dev`, for code that calls `drm_os_*` itself.
    pub fn as_raw(&self) -> *mut sys::drm_os_dev {
        self.dev.raw()
    }
}

pub(crate) mod exports {
    use super::*;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_dev_os(dev: *mut sys::drm_os_dev) -> *mut sys::drm_os {
        Dev::of(dev).w.raw()
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_dev_name(
        dev: *mut sys::drm_os_dev,
        buf: *mut c_char,
        len: usize,
    ) -> usize {
        let name = &Dev::of(dev).name;
        let n = name.len().min(len);
        buf.cast::<u8>().copy_from_nonoverlapping(name.as_ptr(), n);
        n
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_dev_coherent(dev: *mut sys::drm_os_dev) -> c_int {
        c_int::from(Dev::of(dev).node.coherent)
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_dev_dma_bits(dev: *mut sys::drm_os_dev, bits: u32) -> c_int {
        if Dev::of(dev).w.mem.below(bits) {
            0
        } else {
            sys::DRM_OS_EINVAL as c_int
        }
    }
}
