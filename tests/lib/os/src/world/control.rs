// SPDX-License-Identifier: BSD-2-Clause
//! What a test sets and observes: locks, task queues, failures, memory and the log.

use super::*;

impl World {
    /// Starts or stops measuring how long locks are held. Costs a system call per lock.
    pub fn measure_holds(&self, on: bool) {
        self.inner().witness.measure_holds(on);
    }

    /// The longest time that locks of each name were held while holds were measured.
    pub fn longest_holds(&self) -> Vec<(String, Hold)> {
        self.inner().witness.holds()
    }

    /// Names of the locks that threads of a name took while holds were measured: "task NAME" is the
    /// thread of the queue NAME.
    pub fn locks_taken_by(&self, thread: &str) -> Vec<String> {
        let taken = self.inner().witness.taken().into_iter();
        let by_it = taken.filter(|((who, _), _)| who == thread);
        by_it.map(|((_, lock), _)| lock).collect()
    }

    /// How often locks of a name were taken while holds were measured.
    pub fn times_taken(&self, lock: &str) -> u64 {
        let taken = self.inner().witness.taken().into_iter();
        let of_it = taken.filter(|((_, name), _)| name == lock);
        of_it.map(|(_, times)| times).sum()
    }

    /// The names of task queues whose thread has priority over those of users.
    pub fn urgent_queues(&self) -> Vec<String> {
        self.inner().urgent_queues()
    }

    /// Gives the calling thread the priority of an urgent task queue, if the world uses priorities.
    pub fn be_urgent(&self) {
        self.inner().this_thread_is(Rank::Task);
    }

    /// Stops task queues of this name from running tasks, as if their thread were busy, or lets
    /// them continue.
    pub fn stall_queue(&self, name: &str, on: bool) {
        self.inner().stall_queue(name, on);
    }

    /// Number of fallible allocations so far: `drm_os_malloc`, `drm_os_page_alloc`,
    /// `drm_os_run_alloc`, `drm_os_object_wire` and `_kmap` (one per call), `drm_os_file_install`,
    /// and every `_create`, `_create_user`, `_map`, `_setup`, `_register` and resource `_get`.
    pub fn allocations(&self) -> u64 {
        self.inner().counts.asked()
    }

    /// How often threads have slept on condition variables. A wait sleeps again each time that it
    /// is woken although its condition does not hold.
    pub fn cv_sleeps(&self) -> u64 {
        self.inner().cv_sleeps.load(Relaxed)
    }

    /// Calls of the drivers so far.
    pub fn calls(&self) -> Calls {
        self.inner().calls.snapshot()
    }

    /// Makes one allocation fail: `Some(0)` the next one; `None` none.
    /// [`Counters::failed_allocations`] counts failures.
    pub fn fail_allocation(&self, nth_from_now: Option<u64>) {
        self.inner().counts.fail_at(nth_from_now);
    }

    /// Reads a physical address as a device does; false if there is no memory.
    pub fn peek(&self, pa: u64, buf: &mut [u8]) -> bool {
        self.inner().mem.dma_read(pa, buf).is_ok()
    }

    /// Whether a single page ([`Counters::pages`]) is at a physical address.
    pub fn is_page(&self, pa: u64) -> bool {
        self.inner().mem.is(pa, Use::Single)
    }

    /// Whether a page of an object, including one of a process's own memory, is at a physical
    /// address.
    pub fn is_object_page(&self, pa: u64) -> bool {
        self.inner().mem.is(pa, Use::Object) || self.inner().mem.is(pa, Use::User)
    }

    /// Whether a page of a run ([`Counters::runs`]) is at a physical address.
    pub fn is_run_page(&self, pa: u64) -> bool {
        self.inner().mem.is(pa, Use::Run)
    }

    /// Makes each wiring of pages that are not resident sleep for `ns`, as when memory is short.
    pub fn slow_memory(&self, ns: u64) {
        self.inner().memory_ns.store(ns, Relaxed);
    }

    /// Makes each thread that enqueues a task sleep for `ns` before it, as if it were preempted
    /// there. With a mutex held it sleeps after releasing it; in an interrupt it does not sleep.
    pub fn slow_enqueue(&self, ns: u64) {
        self.inner().enqueue_ns.store(ns, Relaxed);
    }

    /// Makes each synchronisation of more than 8 KiB of a run sleep for `ns`, unless a mutex is
    /// held or it is in an interrupt.
    pub fn slow_syncs(&self, ns: u64) {
        self.inner().sync_ns.store(ns, Relaxed);
    }

    /// The largest number of bytes of a run that were synchronised by one call with a mutex held or
    /// in an interrupt.
    pub fn longest_locked_sync(&self) -> u64 {
        self.inner().locked_sync.load(Relaxed)
    }

    /// Makes one thread in `one_in` sleep for some microseconds before it takes a lock, so that
    /// other threads run between two locks more often; 0 for none. Real clock only.
    pub fn disturb(&self, one_in: u32) {
        self.inner().disturb.store(one_in, Relaxed);
    }

    /// Requests the drivers to free memory until `pages` are freed; returns the pages freed.
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

    /// The most recent lines of the log, oldest first: `<level> device: text`.
    pub fn log_lines(&self) -> Vec<String> {
        self.inner().log.lines()
    }

    /// Sets a function that receives events. It may be called with internal locks held, so it must
    /// not call into this crate.
    pub fn set_trace(&self, t: Option<TraceFn>) {
        self.inner().tracer.set(t);
    }
}
