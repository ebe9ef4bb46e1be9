// SPDX-License-Identifier: BSD-2-Clause
//! The world: one instance of the system, with its clock, memory, devices and log.
//!
//! There are no globals; many worlds live in one process. Files, mappings and callers keep a
//! world's memory alive; its threads end when the last [`World`] goes.

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

/// What time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockMode {
    /// Time stands still but for [`World::advance`] and waits; one thread runs at a time, in an
    /// order that depends on nothing but the calls made. Calls from outside come from one thread at
    /// a time.
    Virtual,
    /// The host's monotonic clock and real threads.
    Real,
}

/// How a world is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// What time is.
    pub clock: ClockMode,
    /// Devices that do not snoop see their own copy of cached memory, which only syncs bring up to
    /// date.
    pub coherence: bool,
    /// Aligned 2 MiB runs of objects are physically contiguous; otherwise no two neighbouring pages
    /// are.
    pub contiguous: bool,
    /// The lowest physical address of RAM.
    pub ram_base: u64,
    /// RAM in 4 KiB pages.
    pub pages: u64,
    /// Tunables that are set; the others have the driver's values.
    pub tunables: BTreeMap<String, u64>,
    /// Real mode: threads of hardware, interrupts and urgent task queues come before all others, as
    /// they do in a kernel; where this process may not have that, they do not.
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

/// What `struct drm_os` is here.
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
    /// How long pages are waited for.
    pub(crate) memory_ns: AtomicU64,
    /// See [`World::cv_sleeps`].
    pub(crate) cv_sleeps: AtomicU64,
    /// How long who has a task run sleeps before.
    pub(crate) enqueue_ns: AtomicU64,
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
    /// Names of queues that run nothing.
    pub(crate) stalled: Mutex<BTreeSet<String>>,
    pub(crate) log: Log,
    pub(crate) tracer: Tracer,
}

/// What a thread of the machine is; the later comes before the former.
#[derive(Clone, Copy)]
pub(crate) enum Rank {
    Task = 1,
    Interrupt,
    Hardware,
}

impl Inner {
    /// Gives the calling thread its priority, if the world has such.
    pub(crate) fn this_thread_is(&self, rank: Rank) {
        if !self.cfg.priorities || self.is_virtual() {
            return;
        }
        let param = libc::sched_param {
            sched_priority: rank as i32,
        };
        // Refused, it has none. SAFETY: a parameter that lives through the call.
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

    /// A lock is about to be taken.
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

/// One instance of the system.  The last clone stops the world's threads.
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
    /// Makes a world.  Panics when RAM does not end below 2^40.
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

    /// Lets `ns` pass. Virtual: hardware events, interrupts and tasks due on the way run, in time
    /// order, and events at the last instant too. Real: sleeps.
    pub fn advance(&self, ns: u64) {
        let w = self.inner();
        if w.is_virtual() {
            w.run_until(w.now().saturating_add(ns));
        } else {
            std::thread::sleep(Duration::from_nanos(ns));
        }
    }

    /// Virtual: runs what is pending at the present time.  Real: does nothing.
    pub fn settle(&self) {
        let w = self.inner();
        if w.is_virtual() {
            w.run_until(w.now());
        }
    }

    /// Puts a device on the bus.
    pub fn add_device(&self, node: Node, hw: Box<dyn Hardware>) -> Device {
        Device::new(self, node, hw)
    }

    /// What is live now.
    pub fn counters(&self) -> Counters {
        self.inner().counts.snapshot()
    }

    /// Panics with a list if anything but the world itself is live, or if freed memory was written
    /// to.
    pub fn assert_clean(&self) {
        let w = self.inner();
        w.mallocs.check_freed();
        let c = self.counters();
        if !c.is_clean() {
            let tasks = w.task_names();
            fatal(&format!("left over: {c}{}{tasks}", w.mallocs.report()));
        }
    }

    /// Measures from now on for how long locks are held, or no longer. It costs each lock a system
    /// call.
    pub fn measure_holds(&self, on: bool) {
        self.inner().witness.measure_holds(on);
    }

    /// The longest time that locks of each name were held while that was measured.
    pub fn longest_holds(&self) -> Vec<(String, Hold)> {
        self.inner().witness.holds()
    }

    /// Names of the locks that threads of a name took while that was measured: "task NAME" is the
    /// thread of the queue NAME.
    pub fn locks_taken_by(&self, thread: &str) -> Vec<String> {
        let taken = self.inner().witness.taken().into_iter();
        let by_it = taken.filter(|((who, _), _)| who == thread);
        by_it.map(|((_, lock), _)| lock).collect()
    }

    /// How often locks of a name were taken while that was measured.
    pub fn times_taken(&self, lock: &str) -> u64 {
        let taken = self.inner().witness.taken().into_iter();
        let of_it = taken.filter(|((_, name), _)| name == lock);
        of_it.map(|(_, times)| times).sum()
    }

    /// The names of task queues whose thread comes before those of users.
    pub fn urgent_queues(&self) -> Vec<String> {
        self.inner().urgent_queues()
    }

    /// The calling thread gets the priority of an urgent task queue's, where those have one.
    pub fn be_urgent(&self) {
        self.inner().this_thread_is(Rank::Task);
    }

    /// Task queues of this name run nothing from now on, or go on: as if their thread had much to
    /// do.
    pub fn stall_queue(&self, name: &str, on: bool) {
        self.inner().stall_queue(name, on);
    }

    /// How many fallible allocations were asked for so far: `drm_os_malloc`, `drm_os_page_alloc`,
    /// `drm_os_run_alloc`, `drm_os_object_wire` and `_kmap` (one per call), `drm_os_file_install`,
    /// and every `_create`, `_create_user`, `_map`, `_setup`, `_register` and resource `_get`.
    pub fn allocations(&self) -> u64 {
        self.inner().counts.asked()
    }

    /// How often threads have slept on condition variables so far. A wait sleeps again each time
    /// that it is woken for nothing.
    pub fn cv_sleeps(&self) -> u64 {
        self.inner().cv_sleeps.load(Relaxed)
    }

    /// What the drivers have called so far.
    pub fn calls(&self) -> Calls {
        self.inner().calls.snapshot()
    }

    /// Makes one allocation fail: `Some(0)` the next one; `None` none.
    /// [`Counters::failed_allocations`] goes up when it fires.
    pub fn fail_allocation(&self, nth_from_now: Option<u64>) {
        self.inner().counts.fail_at(nth_from_now);
    }

    /// What the device sees at a physical address; false when nothing is there.
    pub fn peek(&self, pa: u64, buf: &mut [u8]) -> bool {
        self.inner().mem.dma_read(pa, buf).is_ok()
    }

    /// Whether a single page ([`Counters::pages`]) is at a physical address.
    pub fn is_page(&self, pa: u64) -> bool {
        self.inner().mem.is(pa, Use::Single)
    }

    /// Whether a page of an object, be it a process's own memory, is at a physical address.
    pub fn is_object_page(&self, pa: u64) -> bool {
        self.inner().mem.is(pa, Use::Object) || self.inner().mem.is(pa, Use::User)
    }

    /// Whether a page of a run ([`Counters::runs`]) is at a physical address.
    pub fn is_run_page(&self, pa: u64) -> bool {
        self.inner().mem.is(pa, Use::Run)
    }

    /// From now on who wires pages that are not there yet sleeps so long for them, as where memory
    /// is short.
    pub fn slow_memory(&self, ns: u64) {
        self.inner().memory_ns.store(ns, Relaxed);
    }

    /// From now on who has a task run sleeps so long before, as a thread does that is interrupted
    /// there; with a mutex held, as soon as it has released it; in an interrupt, not at all.
    pub fn slow_enqueue(&self, ns: u64) {
        self.inner().enqueue_ns.store(ns, Relaxed);
    }

    /// From now on one thread in so many sleeps for some microseconds before it takes a lock, 0 for
    /// none: what others can do between two locks, they do soon. Real clock only.
    pub fn disturb(&self, one_in: u32) {
        self.inner().disturb.store(one_in, Relaxed);
    }

    /// Asks the drivers to free memory until `pages` are freed; returns the pages freed.
    pub fn lowmem(&self, pages: u64) -> u64 {
        let devices = lk(&self.inner().devices).clone();
        let mut freed = 0u64;
        for d in devices {
            if freed >= pages {
                break;
            }
            freed = freed.saturating_add(d.lowmem(pages - freed));
        }
        freed
    }

    /// The newest lines of the log, oldest first: `<level> device: text`.
    pub fn log_lines(&self) -> Vec<String> {
        self.inner().log.lines()
    }

    /// Receives events.  The function may be called with internal locks held: it must not call
    /// into this crate.
    pub fn set_trace(&self, t: Option<TraceFn>) {
        self.inner().tracer.set(t);
    }

    /// The `struct drm_os` of this world, for code that calls `drm_os_*` itself.
    pub fn as_raw(&self) -> *mut sys::drm_os {
        self.inner().raw()
    }
}

/// Each object is a descriptor: takes as many as the hard limit allows.
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

/// Fatal when a callback of the driver comes back with a lock held.
pub(crate) fn came_back(w: &Inner, what: &str) {
    witness::none_held(w.addr(), what);
}
