// SPDX-License-Identifier: BSD-2-Clause
//! The clock, and how threads wait.
//!
//! Real mode: threads are threads and a wait is a condition variable.
//!
//! Virtual mode: exactly one thread runs, the holder of the baton. A thread that must wait becomes
//! the dispatcher. It passes the baton to the thread that was woken first. If no thread is ready,
//! it runs one pending interrupt handler. If there is none either, it advances the time to the
//! earliest hardware event or deadline, and polls that hardware or ends that wait. For events at
//! the same time hardware comes before deadlines, devices are in order of creation, and deadlines
//! in order of arming. So the order of all events depends only on the calls made. Interrupt
//! handlers run only at these points, never inside an MMIO access.

use crate::calls::Call;
use crate::device::Dev;
use crate::irq;
use crate::util::{fatal, lk};
use crate::witness;
use crate::world::{ClockMode, Inner};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// No deadline.
pub(crate) const NEVER: u64 = u64::MAX;

/// Steps without progress of time, or interrupts in a row, after which the world counts as stuck.
const STORM: u64 = 1_000_000;
/// After this number of interrupts in a row, time advances to the next event of the hardware if it
/// is at most `SOON` ns ahead.
const ROW: u64 = 1_000;
const SOON: u64 = 1_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wake {
    Event,
    Timeout,
    Signal,
}

#[derive(Default)]
struct WaitState {
    wake: Option<Wake>,
    baton: bool,
}

/// One wait of one thread; used once.
#[derive(Default)]
pub(crate) struct Waiter {
    st: Mutex<WaitState>,
    cond: Condvar,
}

impl Waiter {
    pub(crate) fn new() -> Arc<Waiter> {
        Arc::new(Waiter::default())
    }

    fn give_baton(&self) {
        lk(&self.st).baton = true;
        self.cond.notify_one();
    }

    /// Blocks until another thread passes the baton.
    pub(crate) fn await_baton(&self) {
        let mut st = lk(&self.st);
        while !st.baton {
            st = self.cond.wait(st).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The state of the dispatcher of a virtual world.
#[derive(Default)]
pub(crate) struct Sched {
    ready: VecDeque<Arc<Waiter>>,
    sleepers: BTreeMap<(u64, u64), Arc<Waiter>>,
    /// A waiter to wake when nothing is left to do up to this time.
    idle: Option<(u64, Arc<Waiter>)>,
    blocked: BTreeMap<u64, String>,
    seq: u64,
    /// Steps since time last advanced or a thread last ran.
    steps: u64,
    /// Interrupts in a row.
    row: u64,
    /// The thread outside of task queues that waits, 0 if none.
    outsider: u64,
}

/// The current time of CLOCK_MONOTONIC, which deadlines of clients on this machine refer to.
fn monotonic() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is valid for the write.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

impl Inner {
    pub(crate) fn is_virtual(&self) -> bool {
        self.cfg.clock == ClockMode::Virtual
    }

    pub(crate) fn now(&self) -> u64 {
        match self.cfg.clock {
            ClockMode::Virtual => self.vnow.load(Relaxed),
            ClockMode::Real => monotonic(),
        }
    }

    /// Wakes a waiter; returns false if it was awake.
    pub(crate) fn wake(&self, w: &Arc<Waiter>, why: Wake) -> bool {
        {
            let mut st = lk(&w.st);
            if st.wake.is_some() {
                return false;
            }
            st.wake = Some(why);
        }
        if self.is_virtual() {
            lk(&self.sched).ready.push_back(w.clone());
        } else {
            w.cond.notify_one();
        }
        true
    }

    pub(crate) fn wake_all(&self, ws: Vec<Arc<Waiter>>) {
        for w in ws {
            self.wake(&w, Wake::Event);
        }
    }

    /// Blocks until woken, or until the clock reads `deadline`. `what` and `name` are for the
    /// report of a deadlock.
    pub(crate) fn block(&self, w: &Arc<Waiter>, deadline: u64, what: &str, name: &str) -> Wake {
        if self.is_virtual() {
            self.block_virtual(w, deadline, what, name)
        } else {
            self.block_real(w, deadline)
        }
    }

    fn block_real(&self, w: &Waiter, deadline: u64) -> Wake {
        let mut st = lk(&w.st);
        loop {
            if let Some(k) = st.wake {
                return k;
            }
            if deadline == NEVER {
                st = w.cond.wait(st).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let left = deadline.saturating_sub(self.now());
            if left == 0 {
                st.wake = Some(Wake::Timeout);
                return Wake::Timeout;
            }
            let r = w.cond.wait_timeout(st, Duration::from_nanos(left));
            st = r.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn block_virtual(&self, w: &Arc<Waiter>, deadline: u64, what: &str, name: &str) -> Wake {
        let me = witness::thread_id();
        let outsider = witness::this_queue() == 0;
        let mut key = None;
        {
            let mut s = lk(&self.sched);
            if outsider {
                if s.outsider != 0 && s.outsider != me {
                    drop(s);
                    fatal("two threads use one world with a virtual clock");
                }
                s.outsider = me;
            }
            if deadline != NEVER {
                s.seq += 1;
                let k = (deadline, s.seq);
                s.sleepers.insert(k, w.clone());
                key = Some(k);
            }
            let thread = std::thread::current()
                .name()
                .unwrap_or("unnamed")
                .to_string();
            s.blocked
                .insert(me, format!("thread {thread} in {what} {name}"));
        }
        loop {
            let next = lk(&self.sched).ready.pop_front();
            match next {
                Some(r) if Arc::ptr_eq(&r, w) => break,
                Some(r) => {
                    self.calls.one(Call::Switch);
                    r.give_baton();
                    w.await_baton();
                    break;
                }
                None => self.step(),
            }
        }
        let mut s = lk(&self.sched);
        s.steps = 0;
        s.blocked.remove(&me);
        if outsider {
            s.outsider = 0;
        }
        if let Some(k) = key {
            s.sleepers.remove(&k);
        }
        drop(s);
        let wake = lk(&w.st).wake;
        wake.unwrap_or_else(|| fatal("a thread that was not woken has the baton"))
    }

    /// Called when a thread of a virtual world ends: passes the baton to a thread that is ready.
    pub(crate) fn leave(&self) {
        loop {
            let next = lk(&self.sched).ready.pop_front();
            match next {
                Some(r) => return r.give_baton(),
                None => self.step(),
            }
        }
    }

    /// One step of the dispatcher, with no thread ready.
    fn step(&self) {
        let devices = lk(&self.devices).clone();
        {
            let mut s = lk(&self.sched);
            s.steps += 1;
            if s.steps > STORM || s.row > STORM {
                let list = blocked_list(&s);
                drop(s);
                fatal(&format!(
                    "an interrupt or hardware event never ends at time {}; {list}",
                    self.now()
                ));
            }
        }
        let interrupted = irq::run_one(self, &devices);
        let hw = next_hardware(&devices);
        let mut s = lk(&self.sched);
        s.row = if interrupted { s.row + 1 } else { 0 };
        if interrupted {
            // Handlers take time: now and then hardware events happen although a line is still
            // high.
            if let Some((t, dev)) =
                hw.filter(|h| s.row.is_multiple_of(ROW) && h.0 <= self.now() + SOON)
            {
                self.move_time(&mut s, t);
                drop(s);
                dev.poll();
            }
            return;
        }
        let sleep = s
            .sleepers
            .first_key_value()
            .map(|(k, _)| k.0)
            .unwrap_or(NEVER);
        let event = hw.as_ref().map_or(NEVER, |h| h.0);
        let t = sleep.min(event);
        if let Some((limit, w)) = s.idle.take() {
            if t > limit {
                self.move_time(&mut s, limit);
                drop(s);
                self.wake(&w, Wake::Event);
                return;
            }
            s.idle = Some((limit, w));
        }
        if t == NEVER {
            let list = blocked_list(&s);
            drop(s);
            fatal(&format!("deadlock: nothing can end this wait: {list}"));
        }
        self.move_time(&mut s, t);
        if let Some((_, dev)) = hw.filter(|h| h.0 == t) {
            drop(s);
            dev.poll();
            return;
        }
        let first = s.sleepers.pop_first();
        drop(s);
        if let Some((_, w)) = first {
            self.wake(&w, Wake::Timeout);
        }
    }

    fn move_time(&self, s: &mut Sched, t: u64) {
        if t > self.now() {
            self.vnow.store(t, Relaxed);
            s.steps = 0;
        }
    }

    /// Runs all events up to and including time `until`; virtual mode only.
    pub(crate) fn run_until(&self, until: u64) {
        witness::may_sleep("World::advance or settle");
        let w = Waiter::new();
        lk(&self.sched).idle = Some((until, w.clone()));
        self.block(&w, NEVER, "advance", "");
    }

    /// Advances time and runs hardware, but no other code of the driver, for a caller that spins
    /// where it must not sleep.
    fn spin_virtual(&self, until: u64) {
        let devices = lk(&self.devices).clone();
        for _ in 0..STORM {
            match next_hardware(&devices) {
                Some((t, dev)) if t <= until => {
                    self.vnow.fetch_max(t, Relaxed);
                    dev.poll();
                }
                _ => {
                    self.vnow.fetch_max(until, Relaxed);
                    return;
                }
            }
        }
        fatal("a hardware event never ends");
    }

    pub(crate) fn sleep(&self, ns: u64) {
        let deadline = self.now().saturating_add(ns);
        self.block(&Waiter::new(), deadline, "sleep", "");
    }

    fn delay(&self, ns: u64) {
        if self.is_virtual() {
            if witness::can_sleep() {
                return self.sleep(ns);
            }
            return self.spin_virtual(self.now().saturating_add(ns));
        }
        let end = self.now().saturating_add(ns);
        if ns > 50_000 {
            std::thread::sleep(Duration::from_nanos(ns));
        }
        while self.now() < end {
            std::hint::spin_loop();
        }
    }
}

fn blocked_list(s: &Sched) -> String {
    s.blocked.values().cloned().collect::<Vec<_>>().join("; ")
}

fn next_hardware(devices: &[Arc<Dev>]) -> Option<(u64, Arc<Dev>)> {
    let mut best: Option<(u64, Arc<Dev>)> = None;
    for d in devices {
        if let Some(t) = d.next_event() {
            if best.as_ref().is_none_or(|b| t < b.0) {
                best = Some((t, d.clone()));
            }
        }
    }
    best
}

pub(crate) mod exports {
    use super::*;
    use crate::sys;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_now(os: *mut sys::drm_os) -> u64 {
        let w = Inner::of(os);
        w.calls.one(Call::Now);
        w.now()
    }

    /// As on the boards, whose timers the models of GPUs count.
    #[no_mangle]
    pub unsafe extern "C" fn drm_os_timer_hz(_: *mut sys::drm_os) -> u64 {
        24_000_000
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_delay(os: *mut sys::drm_os, ns: u64) {
        Inner::of(os).delay(ns);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_sleep(os: *mut sys::drm_os, ns: u64) {
        witness::may_sleep("drm_os_sleep");
        Inner::of(os).sleep(ns);
    }
}
