// SPDX-License-Identifier: BSD-2-Clause
//! Memory as the GPU accesses it: through the MMU, with injected faults, counted.

use super::inject::{countdown, Armed};
use super::mmu::{code, Client, Mmu, Stop};
use super::stats::Stats;
use crate::bus::Bus;

/// Maximum bytes of a check: the length that a draw names has no bound, and a longer check finds
/// nothing new.
const CHECK_MAX: u32 = 64 << 20;

/// Bytes moved since the counters were reset.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

/// Access to memory for the duration of one operation.
pub(crate) struct Mem<'a> {
    pub(crate) bus: &'a mut dyn Bus,
    pub(crate) mmu: &'a mut Mmu,
    pub(crate) armed: &'a mut Armed,
    pub(crate) stats: &'a mut Stats,
    pub(crate) traffic: &'a mut Traffic,
}

impl Mem<'_> {
    fn place(
        &mut self,
        client: Client,
        va: u32,
        write: bool,
        left: usize,
    ) -> Result<(u64, usize), Stop> {
        if self.mmu.translating() && countdown(&mut self.armed.exception) {
            self.stats.injected += 1;
            return Err(Stop::Exception {
                code: code::PAGE_NOT_PRESENT,
                va,
            });
        }
        let place = self
            .mmu
            .translate(&mut *self.bus, client, va, write, self.stats)?;
        let len = usize::try_from(place.len).unwrap_or(usize::MAX).min(left);
        if countdown(&mut self.armed.bus_error) {
            self.stats.injected += 1;
            return Err(Stop::Bus { write });
        }
        Ok((place.pa, len))
    }

    pub(crate) fn read(&mut self, client: Client, va: u32, buf: &mut [u8]) -> Result<(), Stop> {
        let mut done = 0;
        while done < buf.len() {
            let at = va.wrapping_add(done as u32);
            let (pa, len) = self.place(client, at, false, buf.len() - done)?;
            self.bus
                .read(pa, &mut buf[done..done + len])
                .map_err(|_| Stop::Bus { write: false })?;
            done += len;
        }
        self.traffic.read += buf.len() as u64;
        Ok(())
    }

    pub(crate) fn write(&mut self, client: Client, va: u32, buf: &[u8]) -> Result<(), Stop> {
        let mut done = 0;
        while done < buf.len() {
            let at = va.wrapping_add(done as u32);
            let (pa, len) = self.place(client, at, true, buf.len() - done)?;
            self.bus
                .write(pa, &buf[done..done + len])
                .map_err(|_| Stop::Bus { write: true })?;
            done += len;
        }
        self.traffic.written += buf.len() as u64;
        Ok(())
    }

    pub(crate) fn word(&mut self, client: Client, va: u32) -> Result<u32, Stop> {
        let mut bytes = [0; 4];
        self.read(client, va, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Checks that `len` bytes from `va` on can be accessed, one translation per page, without
    /// moving data. A translated address may have no memory; a read accesses it to find out.
    pub(crate) fn check(
        &mut self,
        client: Client,
        va: u32,
        len: u32,
        write: bool,
    ) -> Result<(), Stop> {
        let last = va.wrapping_add(len.clamp(1, CHECK_MAX) - 1);
        let mut at = va;
        loop {
            let (pa, _) = self.place(client, at, write, 1)?;
            self.bus
                .read(pa, &mut [0])
                .map_err(|_| Stop::Bus { write })?;
            if at >> 12 == last >> 12 {
                return Ok(());
            }
            at = (at & !0xfff).wrapping_add(0x1000);
        }
    }
}
