// SPDX-License-Identifier: BSD-2-Clause
//! The guest's memory and interrupt lines, as a model accesses them.

use super::Platform;
use board_gpus::TraceFile;
use drm_os_host::{Dma, NoMemory, Node, Trace};
use std::sync::Arc;

/// The bus as the models see it, for one call.
pub(super) struct Bus<'a> {
    pub(super) platform: &'a mut dyn Platform,
    pub(super) ram: &'a std::ops::Range<u64>,
    pub(super) trace: &'a Option<Arc<TraceFile>>,
    pub(super) nodes: &'a [Node],
    pub(super) name: &'a Arc<str>,
    pub(super) first_line: usize,
    pub(super) now: u64,
    /// Whether the bus to memory is shut; transfers are then counted.
    pub(super) isolated: bool,
    pub(super) strayed: u64,
}

impl Bus<'_> {
    pub(super) fn record(&self, event: &Trace) {
        if let Some(trace) = self.trace {
            trace.event(event, self.nodes);
        }
    }

    /// Only RAM: an access to another device's registers would call the machine recursively.
    fn within(&self, pa: u64, len: usize) -> bool {
        let end = pa.checked_add(len as u64);
        self.ram.start <= pa && end.is_some_and(|end| end <= self.ram.end)
    }

    fn checked(&mut self, ok: bool, pa: u64, len: usize, write: bool) -> Result<(), NoMemory> {
        self.strayed += u64::from(self.isolated);
        if ok {
            return Ok(());
        }
        let (t, dev) = (self.now, self.name.clone());
        self.record(&Trace::BadDma {
            t,
            dev,
            pa,
            len,
            write,
        });
        Err(NoMemory)
    }
}

impl Dma for Bus<'_> {
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> Result<(), NoMemory> {
        let ok = self.within(pa, buf.len()) && self.platform.read(pa, buf);
        self.checked(ok, pa, buf.len(), false)
    }

    fn write(&mut self, pa: u64, buf: &[u8]) -> Result<(), NoMemory> {
        let ok = self.within(pa, buf.len()) && self.platform.write(pa, buf);
        self.checked(ok, pa, buf.len(), true)
    }

    fn irq(&mut self, line: usize, level: bool) {
        let (t, dev) = (self.now, self.name.clone());
        self.record(&Trace::Irq {
            t,
            dev,
            line,
            level,
        });
        self.platform.set_line(self.first_line + line, level);
    }
}
