// SPDX-License-Identifier: BSD-2-Clause
//! MMU block: address spaces, their commands, and faults that wait for the driver.
//!
//! A faulting access stays stalled. It is retried when the driver has cleared its interrupt bit
//! *and* a command has released it: an UNLOCK, a flush whose locked region covers the address, or
//! an UPDATE. HW: panfrost.md 2.4 (fault handling), 3.3 (commands).

use super::mem::Fault;
use super::regs::mmu as reg;
use super::stats::Stats;
use super::timing::Timing;
use super::tlb::Tlb;
use super::walk::Mode;

/// A fault that is raised and not resolved.
#[derive(Clone, Copy, Debug)]
struct Pending {
    va: u64,
    cleared: bool,
    released: bool,
}

/// One address space.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    transtab: u64,
    memattr: u64,
    lockaddr: u64,
    transcfg: u64,
    fault_status: u32,
    fault_address: u64,
    command: Option<(u32, u64)>,
    stuck: bool,
    lock: Option<(u64, u32)>,
    pending: Option<Pending>,
    /// Translation mode, latched by UPDATE.
    pub(crate) mode: Mode,
    pub(crate) tlb: Tlb,
}

impl Default for Space {
    fn default() -> Space {
        Space {
            transtab: 0,
            memattr: 0,
            lockaddr: 0,
            transcfg: 0,
            fault_status: 0,
            fault_address: 0,
            command: None,
            stuck: false,
            lock: None,
            pending: None,
            mode: Mode::Unmapped,
            tlb: Tlb::default(),
        }
    }
}

/// Naturally aligned power-of-two region of a LOCKADDR value: base and log2 of the size.
/// HW: panfrost.md 3.3 "LOCKADDR encoding".
fn region(lockaddr: u64) -> (u64, u32) {
    let width = (lockaddr & 0x3f) as u32 + 1;
    let base = if width >= 64 {
        0
    } else {
        lockaddr & !((1u64 << width) - 1)
    };
    (base, width)
}

fn covers((base, width): (u64, u32), va: u64) -> bool {
    width >= 64 || (va >= base && va - base < 1u64 << width)
}

fn set_low(value: &mut u64, word: u32) {
    *value = (*value & !0xffff_ffff) | u64::from(word);
}

fn set_high(value: &mut u64, word: u32) {
    *value = (*value & 0xffff_ffff) | u64::from(word) << 32;
}

impl Space {
    pub(crate) fn is_locked(&self, va: u64) -> bool {
        self.lock.is_some_and(|r| covers(r, va))
    }

    /// Whether no fault is pending and nothing is locked, so that stalled accesses may be retried.
    pub(crate) fn is_clear(&self) -> bool {
        self.pending.is_none() && self.lock.is_none()
    }

    fn release(&mut self, va_region: Option<(u64, u32)>) {
        if let Some(p) = &mut self.pending {
            if va_region.is_none_or(|r| covers(r, p.va)) {
                p.released = true;
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        if self.pending.is_some_and(|p| p.cleared && p.released) {
            self.pending = None;
        }
    }
}

/// The MMU block.
#[derive(Clone, Debug)]
pub(crate) struct Mmu {
    pub(crate) raw: u32,
    pub(crate) mask: u32,
    pub(crate) spaces: Vec<Space>,
    has_transcfg: bool,
}

impl Mmu {
    pub(crate) fn new(as_present: u32, has_transcfg: bool) -> Mmu {
        let count = (32 - as_present.leading_zeros()) as usize;
        Mmu {
            raw: 0,
            mask: 0,
            spaces: vec![Space::default(); count],
            has_transcfg,
        }
    }

    pub(crate) fn reset(&mut self) {
        *self = Mmu {
            raw: 0,
            mask: 0,
            spaces: vec![Space::default(); self.spaces.len()],
            has_transcfg: self.has_transcfg,
        };
    }

    fn space_of(&self, offset: u32) -> Option<(usize, u32)> {
        let rel = offset.checked_sub(reg::AS_BASE)?;
        let n = (rel / reg::AS_STRIDE) as usize;
        (n < self.spaces.len()).then_some((n, rel % reg::AS_STRIDE))
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        match offset {
            reg::INT_RAWSTAT => return Some(self.raw),
            reg::INT_MASK => return Some(self.mask),
            reg::INT_STAT => return Some(self.raw & self.mask),
            reg::INT_CLEAR => return Some(0),
            _ => (),
        }
        let (n, rel) = self.space_of(offset)?;
        let s = &self.spaces[n];
        Some(match rel {
            reg::TRANSTAB_LO => s.transtab as u32,
            reg::TRANSTAB_HI => (s.transtab >> 32) as u32,
            reg::MEMATTR_LO => s.memattr as u32,
            reg::MEMATTR_HI => (s.memattr >> 32) as u32,
            reg::LOCKADDR_LO => s.lockaddr as u32,
            reg::LOCKADDR_HI => (s.lockaddr >> 32) as u32,
            reg::COMMAND => 0,
            reg::FAULTSTATUS => s.fault_status,
            reg::FAULTADDRESS_LO => s.fault_address as u32,
            reg::FAULTADDRESS_HI => (s.fault_address >> 32) as u32,
            reg::STATUS => u32::from(s.command.is_some() || s.stuck) * reg::STATUS_ACTIVE,
            reg::TRANSCFG_LO if self.has_transcfg => s.transcfg as u32,
            reg::TRANSCFG_HI if self.has_transcfg => (s.transcfg >> 32) as u32,
            reg::FAULTEXTRA_LO | reg::FAULTEXTRA_HI if self.has_transcfg => 0,
            _ => return None,
        })
    }

    /// Writes a register; `None` if there is none at the offset. `stuck` = armed [`AsStuck`] bits.
    ///
    /// [`AsStuck`]: super::inject::Injection::AsStuck
    pub(crate) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: u64,
        timing: &Timing,
        stuck: &mut u32,
        stats: &mut Stats,
    ) -> Option<()> {
        match offset {
            reg::INT_CLEAR => {
                self.clear(value);
                return Some(());
            }
            reg::INT_MASK => {
                self.mask = value;
                return Some(());
            }
            reg::INT_RAWSTAT | reg::INT_STAT => {
                stats.readonly_writes += 1;
                return Some(());
            }
            _ => (),
        }
        let (n, rel) = self.space_of(offset)?;
        let has_transcfg = self.has_transcfg;
        let s = &mut self.spaces[n];
        match rel {
            reg::TRANSTAB_LO => set_low(&mut s.transtab, value),
            reg::TRANSTAB_HI => set_high(&mut s.transtab, value),
            reg::MEMATTR_LO => set_low(&mut s.memattr, value),
            reg::MEMATTR_HI => set_high(&mut s.memattr, value),
            reg::LOCKADDR_LO => set_low(&mut s.lockaddr, value),
            reg::LOCKADDR_HI => set_high(&mut s.lockaddr, value),
            reg::TRANSCFG_LO if has_transcfg => set_low(&mut s.transcfg, value),
            reg::TRANSCFG_HI if has_transcfg => set_high(&mut s.transcfg, value),
            // Linux 7.2 writes 0 on models without it as well.
            reg::TRANSCFG_LO | reg::TRANSCFG_HI if value == 0 => (),
            reg::COMMAND => s.start(value, now, timing, n, stuck, stats),
            reg::FAULTSTATUS | reg::FAULTADDRESS_LO | reg::FAULTADDRESS_HI | reg::STATUS => {
                stats.readonly_writes += 1;
            }
            _ => return None,
        }
        Some(())
    }

    fn clear(&mut self, bits: u32) {
        self.raw &= !bits;
        for (n, s) in self.spaces.iter_mut().enumerate() {
            if self.raw & (0x1_0001 << n) == 0 {
                if let Some(p) = &mut s.pending {
                    p.cleared = true;
                }
                s.settle();
            }
        }
    }

    /// Records a fault of address space `n`. While one is pending, further faulting accesses wait,
    /// and the status registers keep the first.
    pub(crate) fn raise(&mut self, n: usize, fault: Fault, source: u32, stats: &mut Stats) {
        let Fault {
            va,
            code,
            kind,
            bus,
        } = fault;
        let s = &mut self.spaces[n];
        if s.pending.is_some() {
            return;
        }
        *stats.mmu_faults.entry(code).or_default() += 1;
        s.pending = Some(Pending {
            va,
            cleared: false,
            released: false,
        });
        s.fault_address = va;
        // HW: panfrost.md 3.3 "FAULTSTATUS".
        s.fault_status = u32::from(code) | kind.access_type() << 8 | source << 16;
        self.raw |= 1 << (n + if bus { 16 } else { 0 });
    }

    /// Completes commands whose time has passed.
    pub(crate) fn step(&mut self, now: u64, stats: &mut Stats) {
        let has_transcfg = self.has_transcfg;
        for s in &mut self.spaces {
            if let Some((command, at)) = s.command {
                if at <= now {
                    s.command = None;
                    s.finish(command, has_transcfg, stats);
                }
            }
        }
    }

    pub(crate) fn next_event(&self) -> Option<u64> {
        self.spaces
            .iter()
            .filter_map(|s| s.command.map(|c| c.1))
            .min()
    }

    pub(crate) fn shift(&mut self, ns: u64) {
        for s in &mut self.spaces {
            s.command = s.command.map(|(c, t)| (c, t + ns));
        }
    }
}

impl Space {
    fn start(
        &mut self,
        command: u32,
        now: u64,
        timing: &Timing,
        n: usize,
        stuck: &mut u32,
        stats: &mut Stats,
    ) {
        if self.command.is_some() || self.stuck {
            stats.protocol("MMU command while active");
            return;
        }
        let ns = match command {
            reg::CMD_NOP => return,
            reg::CMD_UPDATE | reg::CMD_LOCK | reg::CMD_UNLOCK => timing.as_command_ns,
            reg::CMD_FLUSH_PT | reg::CMD_FLUSH_MEM => timing.as_flush_ns,
            _ => {
                stats.protocol("unknown MMU command");
                return;
            }
        };
        if *stuck & (1 << n) != 0 {
            *stuck &= !(1 << n);
            stats.injected += 1;
            self.stuck = true;
            return;
        }
        self.command = Some((command, now + ns));
    }

    fn finish(&mut self, command: u32, has_transcfg: bool, stats: &mut Stats) {
        match command {
            reg::CMD_LOCK => {
                let r = region(self.lockaddr);
                if r.1 < reg::LOCK_MIN_SHIFT {
                    stats.protocol("lock region below the minimum size");
                }
                stats.tlb_flushes += 1;
                self.tlb.flush(r.0, r.1);
                self.lock = Some(r);
            }
            reg::CMD_UNLOCK | reg::CMD_FLUSH_PT | reg::CMD_FLUSH_MEM => {
                // A flush acts on the locked region and unlocks it; without a lock it acts on the
                // region in LOCKADDR.
                let locked = self.lock.take();
                if locked.is_none() && command != reg::CMD_UNLOCK {
                    stats.protocol("MMU flush without lock");
                }
                let r = locked.unwrap_or_else(|| region(self.lockaddr));
                stats.tlb_flushes += 1;
                self.tlb.flush(r.0, r.1);
                // UNLOCK makes the MMU retry every stalled access.
                self.release(if command == reg::CMD_UNLOCK {
                    None
                } else {
                    Some(r)
                });
            }
            _ => {
                // UPDATE only latches the registers: the driver has to flush the TLB.
                self.mode = Mode::decode(self.transtab, self.transcfg, self.memattr, has_transcfg);
                if self.mode == Mode::Unmapped {
                    // Stalled accesses are aborted, whether the interrupt is cleared or not.
                    self.pending = None;
                    self.lock = None;
                } else {
                    self.release(None);
                }
            }
        }
    }
}
