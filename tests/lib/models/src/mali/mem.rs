// SPDX-License-Identifier: BSD-2-Clause
//! Memory as a job accesses it: virtual addresses of one address space.
//!
//! Every access may stop the job, for the reason given as [`Stop`]. A stopped job restarts from its
//! beginning, so code that uses [`Mem`] must only have effects that may be repeated.

use super::inject::{countdown, Armed};
use super::mmu::Space;
use super::regs::{exception as ex, mmu};
use super::stats::Stats;
use super::tlb::Entry;
use super::walk::{walk, Mode};
use crate::bus::Bus;

/// Kind of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
    Execute,
}

impl Kind {
    /// Bits 9:8 of FAULTSTATUS.
    pub(crate) fn access_type(self) -> u32 {
        match self {
            Kind::Read => mmu::ACCESS_READ,
            Kind::Write => mmu::ACCESS_WRITE,
            Kind::Execute => mmu::ACCESS_EXECUTE,
        }
    }
}

/// An access that the MMU refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) va: u64,
    /// Exception code.
    pub(crate) code: u8,
    pub(crate) kind: Kind,
    /// The table walk got a bus error.
    pub(crate) bus: bool,
}

/// Why a job cannot continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// MMU fault: the access waits until the driver has handled it.
    Fault(Fault),
    /// The address is in a locked region; the access waits for the unlock.
    Locked,
    /// The address space is unmapped: the access is aborted.
    Aborted(u64),
    /// The bus returned an error for the data transfer.
    Bus(u64),
    /// A descriptor of the job is invalid.
    Exception { code: u8, va: u64 },
}

/// Access to one address space on behalf of a job.
pub(crate) struct Mem<'a> {
    pub(crate) bus: &'a mut dyn Bus,
    pub(crate) space: &'a mut Space,
    pub(crate) armed: &'a mut Armed,
    pub(crate) stats: &'a mut Stats,
    pub(crate) va_bits: u32,
    pub(crate) pa_bits: u32,
}

impl Mem<'_> {
    fn lookup(&mut self, va: u64, kind: Kind) -> Result<Entry, Stop> {
        if self.space.mode == Mode::Unmapped {
            return Err(Stop::Aborted(va));
        }
        if self.space.is_locked(va) {
            return Err(Stop::Locked);
        }
        if countdown(&mut self.armed.page_fault) {
            self.stats.injected += 1;
            return Err(Stop::Fault(Fault {
                va,
                code: ex::TRANSLATION + 3,
                kind,
                bus: false,
            }));
        }
        if let Some(entry) = self.space.tlb.find(va) {
            self.stats.tlb_hits += 1;
            return Ok(entry);
        }
        self.stats.tlb_walks += 1;
        let entry =
            walk(self.bus, self.space.mode, va, self.va_bits, self.pa_bits).map_err(|f| {
                Stop::Fault(Fault {
                    va,
                    code: f.code,
                    kind,
                    bus: f.bus,
                })
            })?;
        self.space.tlb.insert(va, entry);
        Ok(entry)
    }

    /// Physical address of `va` and the bytes left in its page.
    fn translate(&mut self, va: u64, kind: Kind) -> Result<(u64, u64), Stop> {
        let entry = self.lookup(va, kind)?;
        let allowed = match kind {
            Kind::Read => entry.read,
            Kind::Write => entry.write,
            Kind::Execute => entry.read && entry.execute,
        };
        if !allowed {
            return Err(Stop::Fault(Fault {
                va,
                code: ex::PERMISSION + entry.level,
                kind,
                bus: false,
            }));
        }
        let inside = va & ((1 << entry.shift) - 1);
        Ok((entry.pa + inside, (1 << entry.shift) - inside))
    }

    fn transfer_allowed(&mut self, va: u64) -> Result<(), Stop> {
        if countdown(&mut self.armed.bus_error) {
            self.stats.injected += 1;
            return Err(Stop::Bus(va));
        }
        Ok(())
    }

    /// Reads `buf.len()` bytes at `va`.
    pub(crate) fn read(&mut self, va: u64, buf: &mut [u8]) -> Result<(), Stop> {
        let mut done = 0;
        while done < buf.len() {
            let at = va.wrapping_add(done as u64);
            let (pa, left) = self.translate(at, Kind::Read)?;
            self.transfer_allowed(at)?;
            let n = (buf.len() - done).min(left as usize);
            self.bus
                .read(pa, &mut buf[done..done + n])
                .map_err(|_| Stop::Bus(at))?;
            done += n;
        }
        Ok(())
    }

    /// Writes `buf` at `va`.
    pub(crate) fn write(&mut self, va: u64, buf: &[u8]) -> Result<(), Stop> {
        let mut done = 0;
        while done < buf.len() {
            let at = va.wrapping_add(done as u64);
            let (pa, left) = self.translate(at, Kind::Write)?;
            self.transfer_allowed(at)?;
            let n = (buf.len() - done).min(left as usize);
            self.bus
                .write(pa, &buf[done..done + n])
                .map_err(|_| Stop::Bus(at))?;
            done += n;
        }
        Ok(())
    }

    /// Checks that `len` bytes at `va` can be accessed, without moving data.
    pub(crate) fn probe(&mut self, va: u64, len: u64, kind: Kind) -> Result<(), Stop> {
        let end = va.saturating_add(len);
        let mut at = va;
        while at < end {
            let (_, left) = self.translate(at, kind)?;
            at = at.saturating_add(left);
        }
        Ok(())
    }

    /// Reads `N` little-endian words at `va`.
    pub(crate) fn words<const N: usize>(&mut self, va: u64) -> Result<[u32; N], Stop> {
        let mut raw = vec![0u8; 4 * N];
        self.read(va, &mut raw)?;
        let mut words = [0u32; N];
        for (word, bytes) in words.iter_mut().zip(raw.chunks_exact(4)) {
            *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        Ok(words)
    }

    /// Reads a pointer at `va`; see [`pointer`].
    pub(crate) fn pointer(&mut self, va: u64) -> Result<u64, Stop> {
        Ok(self.u64(va)?.min(FAR))
    }

    /// Reads a 64-bit little-endian value at `va`.
    pub(crate) fn u64(&mut self, va: u64) -> Result<u64, Stop> {
        let words: [u32; 2] = self.words(va)?;
        Ok(pair(&words, 0))
    }
}

/// An address that never translates, low enough that adding offsets cannot overflow.
const FAR: u64 = 1 << 56;

/// Pointer in two words, low word first. Values above [`FAR`] become `FAR`, which faults as well.
pub(crate) fn pointer(words: &[u32], at: usize) -> u64 {
    pair(words, at).min(FAR)
}

/// 64-bit value of two words, low one first.
pub(crate) fn pair(words: &[u32], at: usize) -> u64 {
    u64::from(words[at]) | u64::from(words[at + 1]) << 32
}

/// Bits `lo + n - 1 : lo` of a word.
pub(crate) fn bits(word: u32, lo: u32, n: u32) -> u32 {
    (word >> lo) & (((1u64 << n) - 1) as u32)
}
