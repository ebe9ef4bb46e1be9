// SPDX-License-Identifier: BSD-2-Clause
//! Events that a test can receive: register accesses, interrupt lines, power, bad DMA, log lines.

use crate::util::lk;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// An event at time `t` in ns, of the device with name `dev`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the fields are the arguments of the calls they report"
)]
pub enum Trace {
    /// A register was read; `val` is the result.
    MmioRead {
        t: u64,
        dev: Arc<str>,
        off: u32,
        val: u32,
    },
    /// A register is written (reported before the hardware model is called).
    MmioWrite {
        t: u64,
        dev: Arc<str>,
        off: u32,
        val: u32,
    },
    /// An interrupt line changed its level; `line` is the index in [`crate::Node::irqs`].
    Irq {
        t: u64,
        dev: Arc<str>,
        line: usize,
        level: bool,
    },
    /// The device's power, clocks and resets together changed to on or off.
    Power { t: u64, dev: Arc<str>, on: bool },
    /// The device accessed an address without an allocated page.
    BadDma {
        t: u64,
        dev: Arc<str>,
        pa: u64,
        len: usize,
        write: bool,
    },
    /// A line of the log; `level` as in syslog(3).
    Log {
        t: u64,
        dev: Option<Arc<str>>,
        level: u32,
        text: String,
    },
}

/// Receives each event.
pub type TraceFn = Box<dyn Fn(&Trace) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Tracer {
    on: AtomicBool,
    f: Mutex<Option<Arc<TraceFn>>>,
}

impl Tracer {
    pub(crate) fn set(&self, f: Option<TraceFn>) {
        let mut slot = lk(&self.f);
        self.on.store(f.is_some(), Relaxed);
        *slot = f.map(Arc::new);
    }

    pub(crate) fn emit(&self, make: impl FnOnce() -> Trace) {
        if self.on.load(Relaxed) {
            let f = lk(&self.f).clone();
            if let Some(f) = f {
                f(&make());
            }
        }
    }
}
