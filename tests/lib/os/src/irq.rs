// SPDX-License-Identifier: BSD-2-Clause
//! Level-triggered interrupt lines and their handlers.
//!
//! A handler runs while its line is high, and never twice at once; a line that is high without a
//! handler stays pending. Virtual mode: handlers run at the dispatch points of the event loop (see
//! `clock.rs`), the line served longest ago first. Real mode: a thread per handler.

use crate::clock::{Waiter, NEVER};
use crate::counters::Kind;
use crate::device::Dev;
use crate::sys;
use crate::util::{cstr, errno, fatal, lk};
use crate::witness;
use crate::world::{Inner, Rank};
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

type HandlerFn = unsafe extern "C" fn(*mut c_void);

#[derive(Clone, Copy)]
struct Handler {
    f: HandlerFn,
    arg: usize,
}

#[derive(Default)]
struct LineState {
    level: bool,
    handler: Option<Handler>,
    stop: bool,
    running: bool,
    /// Waiters for the end of the running handler.
    sync: Vec<Arc<Waiter>>,
}

/// One interrupt line of a device.
#[derive(Default)]
pub(crate) struct Line {
    st: Mutex<LineState>,
    cond: Condvar,
    served: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Line {
    /// Sets the level; returns whether it changed.
    pub(crate) fn set_level(&self, level: bool) -> bool {
        let mut st = lk(&self.st);
        let changed = st.level != level;
        st.level = level;
        if changed && level {
            self.cond.notify_one();
        }
        changed
    }

    fn pending(&self) -> bool {
        let st = lk(&self.st);
        st.level && st.handler.is_some() && !st.running
    }

    /// Runs the handler once if the line is high.
    fn run(&self, w: &Inner) {
        let h = {
            let mut st = lk(&self.st);
            let Some(h) = st.handler.filter(|_| st.level && !st.running) else {
                return;
            };
            st.running = true;
            h
        };
        // SAFETY: setup's caller promised that fn takes this arg until teardown.
        witness::as_interrupt(w.addr(), || unsafe { (h.f)(h.arg as *mut c_void) });
        let waiting = {
            let mut st = lk(&self.st);
            st.running = false;
            std::mem::take(&mut st.sync)
        };
        w.wake_all(waiting);
    }

    /// The handler thread of real mode.
    fn serve(&self, w: &Inner) {
        loop {
            {
                let mut st = lk(&self.st);
                while !st.level && !st.stop {
                    st = self.cond.wait(st).unwrap_or_else(PoisonError::into_inner);
                }
                if st.stop {
                    return;
                }
            }
            self.run(w);
        }
    }

    /// Stops the handler; it does not run after this returns.
    pub(crate) fn stop(&self) {
        {
            let mut st = lk(&self.st);
            st.stop = true;
            st.handler = None;
            self.cond.notify_one();
        }
        if let Some(t) = lk(&self.thread).take() {
            if t.thread().id() != std::thread::current().id() && t.join().is_err() {
                fatal("an interrupt thread panicked");
            }
        }
    }

    fn wait_idle(&self, w: &Inner) {
        let waiter = Waiter::new();
        {
            let mut st = lk(&self.st);
            if !st.running {
                return;
            }
            st.sync.push(waiter.clone());
        }
        w.block(&waiter, NEVER, "drm_os_irq_sync", "");
    }
}

/// Runs the handler of one pending line; returns false if there is none.
pub(crate) fn run_one(w: &Inner, devices: &[Arc<Dev>]) -> bool {
    let lines = devices.iter().flat_map(|d| d.lines.iter());
    let Some(line) = lines
        .filter(|l| l.pending())
        .min_by_key(|l| l.served.load(Relaxed))
    else {
        return false;
    };
    line.served.store(w.irq_turn.fetch_add(1, Relaxed), Relaxed);
    line.run(w);
    true
}

/// The handler that `struct drm_os_irq` refers to.
struct Irq {
    dev: Arc<Dev>,
    line: usize,
}

fn setup(dev: &Dev, name: Option<String>, h: Handler) -> Result<Box<Irq>, u32> {
    dev.w.gate()?;
    let line = Dev::find(&dev.node.irqs, name.as_deref(), |n| n)?;
    let irq = Box::new(Irq {
        dev: dev.arc(),
        line,
    });
    {
        let mut st = lk(&dev.lines[line].st);
        if st.handler.is_some() {
            return Err(sys::DRM_OS_EBUSY);
        }
        st.handler = Some(h);
        st.stop = false;
    }
    if !dev.w.is_virtual() {
        let d = dev.arc();
        let label = format!("irq {}.{}", dev.name, dev.node.irqs[line]);
        let t = std::thread::Builder::new().name(label).spawn(move || {
            d.w.this_thread_is(Rank::Interrupt);
            crate::util::no_unwind(|| d.lines[line].serve(&d.w));
        });
        match t {
            Ok(t) => *lk(&dev.lines[line].thread) = Some(t),
            Err(_) => {
                lk(&dev.lines[line].st).handler = None;
                return Err(sys::DRM_OS_ENOMEM);
            }
        }
    }
    dev.w.counts.add(Kind::Irqs, 1);
    Ok(irq)
}

pub(crate) mod exports {
    use super::*;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_irq_setup(
        dev: *mut sys::drm_os_dev,
        name: *const c_char,
        fn_: sys::drm_os_irq_fn,
        arg: *mut c_void,
        irqp: *mut *mut sys::drm_os_irq,
    ) -> c_int {
        let Some(f) = fn_ else {
            fatal("drm_os_irq_setup without a handler")
        };
        let r = setup(
            Dev::of(dev),
            cstr(name),
            Handler {
                f,
                arg: arg as usize,
            },
        );
        errno(r.map(|i| irqp.write(Box::into_raw(i).cast())))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_irq_teardown(irq: *mut sys::drm_os_irq) {
        witness::may_sleep("drm_os_irq_teardown");
        let i = Box::from_raw(irq.cast::<Irq>());
        i.dev.lines[i.line].stop();
        i.dev.w.counts.sub(Kind::Irqs, 1);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_irq_sync(irq: *mut sys::drm_os_irq) {
        witness::may_sleep("drm_os_irq_sync");
        let i = &*irq.cast::<Irq>();
        i.dev.lines[i.line].wait_idle(&i.dev.w);
    }
}
