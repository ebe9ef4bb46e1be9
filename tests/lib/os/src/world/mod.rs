// SPDX-License-Identifier: BSD-2-Clause
//! The world: one instance of the system, with its clock, memory, devices and log.
//!
//! There are no globals; one process can have many worlds. Files, mappings and callers keep a
//! world's memory allocated; its threads end when the last [`World`] is dropped.

use crate::calls::{CallCounts, Calls};
use crate::clock::Sched;
use crate::counters::{Counters, Counts};
use crate::device::{Dev, Device, Node};
use crate::hardware::Hardware;
use crate::locks::Pool;
use crate::log::Log;
use crate::malloc::Mallocs;
use crate::memory::{Memory, Use};
use crate::sys;
use crate::task::Queue;
use crate::trace::{TraceFn, Tracer};
use crate::util::{fatal, lk};
use crate::witness::{self, Hold, Witness};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{c_char, CStr};
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Once, Weak};
use std::time::Duration;

mod control;

/// Kind of clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockMode {
    /// Time advances only in [`World::advance`] and in waits. One thread runs at a time, in an
    /// order that depends only on the calls made. Calls from outside must come from one thread at a
    /// time.
    Virtual,
    /// The host's monotonic clock and real threads.
    Real,
}

/// Configuration of a world.
#[derive(Clone, Debug)]
pub struct Config {
    /// Kind of clock.
    pub clock: ClockMode,
    /// Devices that do not snoop access their own copy of cached memory, which only cache
    /// maintenance updates.
    pub coherence: bool,
    /// Aligned 2 MiB runs of objects are physically contiguous; otherwise no two consecutive pages
    /// are adjacent.
    pub contiguous: bool,
    /// The lowest physical address of RAM.
    pub ram_base: u64,
    /// RAM in 4 KiB pages.
    pub pages: u64,
    /// Tunables that are set; the others have the driver's defaults.
    pub tunables: BTreeMap<String, u64>,
    /// Real mode: threads of hardware, interrupts and urgent task queues have priority over all
    /// others, as in a kernel. Ignored if this process lacks the privilege.
    pub priorities: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            clock: ClockMode::Virtual,
            coherence: false,
            contiguous: true,
            ram_base: crate::PA_BASE,
            pages: 1 << 20,
            tunables: BTreeMap::new(),
            priorities: false,
        }
    }
}

/// The world that `struct drm_os` refers to.
pub(crate) struct Inner {
    me: Weak<Inner>,
    pub(crate) cfg: Config,
    pub(crate) vnow: AtomicU64,
    unique: AtomicU64,
    file_ids: AtomicU64,
    pub(crate) irq_turn: AtomicU64,
    pub(crate) counts: Counts,
    pub(crate) calls: CallCounts,
    pub(crate) mallocs: Mallocs,
    pub(crate) mem: Memory,
    /// How long wiring of pages that are not resident sleeps.
    pub(crate) memory_ns: AtomicU64,
    /// See [`World::cv_sleeps`].
    pub(crate) cv_sleeps: AtomicU64,
    /// See [`World::slow_enqueue`].
    pub(crate) enqueue_ns: AtomicU64,
    /// See [`World::slow_syncs`].
    pub(crate) sync_ns: AtomicU64,
    /// See [`World::longest_locked_sync`].
    pub(crate) locked_sync: AtomicU64,
    /// See [`World::disturb`].
    disturb: AtomicU32,
    pub(crate) sched: Mutex<Sched>,
    pub(crate) witness: Witness,
    pub(crate) pool: Pool,
    pub(crate) charge_limit: AtomicU64,
    pub(crate) devices: Mutex<Vec<Arc<Dev>>>,
    /// Held while a driver attaches or detaches.
    pub(crate) topology: Mutex<()>,
    pub(crate) queues: Mutex<Vec<Weak<Queue>>>,
    /// Names of queues that are stalled.
    pub(crate) stalled: Mutex<BTreeSet<String>>,
    pub(crate) log: Log,
    pub(crate) tracer: Tracer,
}

/// Kinds of system threads; later ones have priority over earlier ones.
#[derive(Clone, Copy)]
pub(crate) enum Rank {
    Task = 1,
    Interrupt,
    Hardware,
}

impl Inner {
    /// Sets the priority of the calling thread, if the world uses priorities.
    pub(crate) fn this_thread_is(&self, rank: Rank) {
        if !self.cfg.priorities || self.is_virtual() {
            return;
        }
        let param = libc::sched_param {
            sched_priority: rank as i32,
        };
        // On failure the thread has no priority. SAFETY: the parameter lives through the call.
        unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &param) };
    }

    /// The world of a C handle.
    ///
    /// # Safety
    /// `os` came from this crate and its world is alive.
    pub(crate) unsafe fn of<'a>(os: *mut sys::drm_os) -> &'a Inner {
        if os.is_null() {
            fatal("NULL instead of a struct drm_os");
        }
        // SAFETY: the caller's promise.
        unsafe { &*os.cast::<Inner>().cast_const() }
    }

    pub(crate) fn arc(&self) -> Arc<Inner> {
        self.me
            .upgrade()
            .unwrap_or_else(|| fatal("a world is used after its end"))
    }

    pub(crate) fn addr(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    pub(crate) fn raw(&self) -> *mut sys::drm_os {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// Called before a lock is taken.
    pub(crate) fn disturb(&self) {
        thread_local! {
            static RANDOM: Cell<u32> = Cell::new(witness::thread_id() as u32 * 2 + 1);
        }
        let one_in = self.disturb.load(Relaxed);
        if one_in == 0 || self.is_virtual() {
            return;
        }
        let n = RANDOM
            .get()
            .wrapping_mul(0x0019_660d)
            .wrapping_add(0x3c6e_f35f);
        RANDOM.set(n);
        if (n >> 8).is_multiple_of(one_in) {
            std::thread::sleep(Duration::from_micros(u64::from(n >> 8) / 64 % 64));
        }
    }

    pub(crate) fn next_file_id(&self) -> u64 {
        self.file_ids.fetch_add(1, Relaxed)
    }
}

struct Handle {
    inner: Arc<Inner>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let devices = std::mem::take(&mut *lk(&self.inner.devices));
        for d in &devices {
            d.stop_threads();
        }
        let queues: Vec<_> = lk(&self.inner.queues)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for q in queues {
            q.stop_with_world();
        }
    }
}

/// An instance of the system. Dropping the last clone stops the world's threads.
#[derive(Clone)]
pub struct World {
    handle: Arc<Handle>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "World({:?}, {} ns, {})",
            self.inner().cfg.clock,
            self.now(),
            self.counters()
        )
    }
}

impl World {
    /// Creates a world. Panics if RAM does not end below 2^40.
    pub fn new(cfg: Config) -> World {
        raise_fd_limit();
        let inner = Arc::new_cyclic(|me| {
            let witness = Witness::default();
            Inner {
                me: me.clone(),
                vnow: AtomicU64::new(0),
                unique: AtomicU64::new(1),
                file_ids: AtomicU64::new(1),
                irq_turn: AtomicU64::new(1),
                counts: Counts::default(),
                calls: CallCounts::default(),
                mallocs: Mallocs::default(),
                mem: Memory::new(cfg.ram_base, cfg.pages, cfg.contiguous),
                memory_ns: AtomicU64::new(0),
                cv_sleeps: AtomicU64::new(0),
                enqueue_ns: AtomicU64::new(0),
                sync_ns: AtomicU64::new(0),
                locked_sync: AtomicU64::new(0),
                disturb: AtomicU32::new(0),
                sched: Mutex::default(),
                witness,
                pool: Pool::default(),
                charge_limit: AtomicU64::new(u64::MAX),
                devices: Mutex::default(),
                topology: Mutex::default(),
                queues: Mutex::default(),
                stalled: Mutex::default(),
                log: Log::default(),
                tracer: Tracer::default(),
                cfg,
            }
        });
        World {
            handle: Arc::new(Handle { inner }),
        }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.handle.inner
    }

    /// The clock, in ns; a virtual one starts at 0.
    pub fn now(&self) -> u64 {
        self.inner().now()
    }

    /// Advances the time by `ns`. Virtual: runs the hardware events, interrupts and tasks up to
    /// then, in time order, including events at the last instant. Real: sleeps.
    pub fn advance(&self, ns: u64) {
        let w = self.inner();
        if w.is_virtual() {
            w.run_until(w.now().saturating_add(ns));
        } else {
            std::thread::sleep(Duration::from_nanos(ns));
        }
    }

    /// Virtual: runs what is pending at the current time. Real: no effect.
    pub fn settle(&self) {
        let w = self.inner();
        if w.is_virtual() {
            w.run_until(w.now());
        }
    }

    /// Adds a device to the bus.
    pub fn add_device(&self, node: Node, hw: Box<dyn Hardware>) -> Device {
        Device::new(self, node, hw)
    }

    /// Counts of live objects.
    pub fn counters(&self) -> Counters {
        self.inner().counts.snapshot()
    }

    /// Panics with a list if there are live objects other than the world itself, or if freed memory
    /// was written to.
    pub fn assert_clean(&self) {
        let w = self.inner();
        w.mallocs.check_freed();
        let c = self.counters();
        if !c.is_clean() {
            let tasks = w.task_names();
            fatal(&format!("left over: {c}{}{tasks}", w.mallocs.report()));
        }
    }

    /// The `struct drm_os` of this world, for code that calls `drm_os_*` itself.
    pub fn as_raw(&self) -> *mut sys::drm_os {
        self.inner().raw()
    }
}

/// Raises the limit on descriptors to the hard limit, because each object uses one.
fn raise_fd_limit() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let mut l = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: l is a valid rlimit.
        if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut l) } == 0 {
            l.rlim_cur = l.rlim_max;
            // SAFETY: as above.
            unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &l) };
        }
    });
}

pub(crate) mod exports {
    use super::*;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_unique(os: *mut sys::drm_os) -> u64 {
        Inner::of(os).unique.fetch_add(1, Relaxed)
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_physmem(os: *mut sys::drm_os) -> u64 {
        Inner::of(os).cfg.pages * u64::from(sys::DRM_OS_PAGE_SIZE)
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_tunable(
        os: *mut sys::drm_os,
        name: *const c_char,
        value: u64,
    ) -> u64 {
        // SAFETY: the header's: a NUL-terminated string.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
        let set = Inner::of(os).cfg.tunables.get(name.as_ref());
        set.copied().unwrap_or(value)
    }
}

/// Fatal if a callback of the driver returns with a lock held.
pub(crate) fn no_lock_held(w: &Inner, what: &str) {
    witness::none_held(w.addr(), what);
}
