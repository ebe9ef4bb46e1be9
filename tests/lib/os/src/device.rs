// SPDX-License-Identifier: BSD-2-Clause
//! Device nodes: their description in the device tree, and their hardware.
//!
//! Each hardware model has one lock. Only the locks of memory and of interrupt lines may be taken
//! while it is held. In real mode each device has a thread that polls the model at the time of its
//! next event.

use crate::attach::Slot;
use crate::caller::Caller;
use crate::file::{File, Minor};
use crate::hardware::{Bus, Hardware};
use crate::irq::Line;
use crate::power::Power;
use crate::sys;
use crate::util::{fatal, lk, no_unwind};
use crate::world::{Inner, Rank, World};
use std::ffi::{c_char, c_int};
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// Description of a device in the device tree.
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
    /// Names of the resets; they are asserted at the start.
    pub resets: Vec<String>,
    /// Whether the node has a power domain (off at the start). Without one the device is always
    /// powered.
    pub power_domain: bool,
    /// `dma-coherent`.
    pub coherent: bool,
}

#[derive(Default)]
struct EventThread {
    st: Mutex<(bool, bool)>, // (kicked, stop)
    cond: Condvar,
    planned: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The device that `struct drm_os_dev` refers to.
pub(crate) struct Dev {
    me: Weak<Dev>,
    pub(crate) w: Arc<Inner>,
    pub(crate) node: Node,
    pub(crate) name: Arc<str>,
    pub(crate) lines: Vec<Line>,
    pub(crate) power: Power,
    pub(crate) minors: Mutex<Vec<Arc<Minor>>>,
    /// Address width in bits for its pages and runs, and for its objects.
    table_bits: AtomicU32,
    data_bits: AtomicU32,
    hw: Mutex<Box<dyn Hardware>>,
    pub(crate) slot: Slot,
    events: EventThread,
}

impl Dev {
    pub(crate) fn table_bits(&self) -> u32 {
        self.table_bits.load(Relaxed)
    }

    pub(crate) fn data_bits(&self) -> u32 {
        self.data_bits.load(Relaxed)
    }

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

    /// Whether cached memory for this device has a separate copy that the device accesses.
    pub(crate) fn two_copies(&self) -> bool {
        self.w.cfg.coherence && !self.node.coherent
    }

    /// The index of a resource by name; without a name, the first one.
    pub(crate) fn find<T>(
        all: &[T],
        name: Option<&str>,
        key: impl Fn(&T) -> &String,
    ) -> Result<usize, u32> {
        let at = match name {
            None if all.is_empty() => None,
            None => Some(0),
            Some(n) => all.iter().position(|x| key(x) == n),
        };
        at.ok_or(sys::DRM_OS_ENOENT)
    }

    /// Runs `f` on the model, then makes sure that its next event is handled in time.
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
}

/// A device of a world.
#[derive(Clone)]
pub struct Device {
    pub(crate) dev: Arc<Dev>,
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
            table_bits: AtomicU32::new(64),
            data_bits: AtomicU32::new(64),
            hw: Mutex::new(hw),
            slot: Slot::default(),
            events: EventThread::default(),
            node,
        });
        dev.power_changed();
        lk(&w.devices).push(dev.clone());
        if !w.is_virtual() {
            let d = dev.clone();
            let t = std::thread::Builder::new().name(format!("hw {}", dev.name));
            let serve = move || {
                d.w.this_thread_is(Rank::Hardware);
                no_unwind(|| d.serve_events());
            };
            match t.spawn(serve) {
                Ok(t) => *lk(&dev.events.thread) = Some(t),
                Err(e) => fatal(&format!("cannot create the thread of a device: {e}")),
            }
        }
        Device {
            dev,
            _world: world.clone(),
        }
    }

    /// Opens a node (`DRM_OS_MINOR_*`). Errors: ENXIO if it is not registered, or the error of the
    /// driver's open.
    pub fn open(&self, minor: u32, caller: &Caller) -> Result<File, i32> {
        File::open(&self.dev, minor, caller)
    }

    /// Runs `f` on the hardware model; `f` must not access a register.
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
    pub unsafe extern "C" fn drm_os_dev_dma_bits(
        dev: *mut sys::drm_os_dev,
        bits: u32,
        data_bits: u32,
    ) -> c_int {
        let d = Dev::of(dev);
        if data_bits < bits || !d.w.mem.has_below(bits) || !d.w.mem.has_below(data_bits) {
            return sys::DRM_OS_EINVAL as c_int;
        }
        d.table_bits.store(bits, Relaxed);
        d.data_bits.store(data_bits, Relaxed);
        0
    }
}
