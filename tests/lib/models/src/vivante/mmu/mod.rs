// SPDX-License-Identifier: BSD-2-Clause
//! Both MMUs: registers, table walk, TLB.
//!
//! The TLB never evicts, so a translation that is not flushed stays in use: the worst case of a
//! real cache. Its entries are not tagged by VM either, so a switch without a flush is detected. A
//! walk loads a whole line of entries, absent ones too, so a page that is mapped next to one in use
//! is not accessible until a flush: drivers flush after every map (etnaviv.md 2.14, 4), and one
//! that failed to do so got translation errors (etnaviv.md 4, the bug of October 2025). The length
//! of a line on silicon is not published. Absent first-level entries are not cached.

use super::regs::{mc, mmu as reg};
use super::stats::Stats;
use super::variant::MmuKind;
use crate::bus::Bus;
use std::collections::HashMap;

mod walk;

/// The page tables of a GPU, at physical addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// No translation.
    None,
    /// MMUv1: one table of 512 Ki page addresses, the same for all memory clients.
    Flat(u64),
    /// MMUv2: the first level of a table with two levels.
    Tree(u64),
    /// MMUv2, secure: an array of 512 first-level addresses, 64 bits each.
    Array(u64),
}

/// The unit that accesses memory. MMUv1 has tables, window and TLB per client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Fe,
    Tx,
    Pe,
    Pez,
    Ra,
}

/// Exception codes. HW: etnaviv.md 4.
pub(crate) mod code {
    pub(crate) const SLAVE_NOT_PRESENT: u32 = 1;
    pub(crate) const PAGE_NOT_PRESENT: u32 = 2;
    pub(crate) const WRITE_VIOLATION: u32 = 3;
    pub(crate) const OUT_OF_BOUND: u32 = 4;
}

const PRESENT: u32 = 1;
const EXCEPTION: u32 = 2;
const WRITEABLE: u32 = 4;

/// Why an access failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// MMUv2 raised an exception; the GPU halts.
    Exception { code: u32, va: u32 },
    /// The bus returned an error.
    Bus { write: bool },
}

/// Result of a translation: a physical address, and the number of contiguous bytes from there on.
pub(crate) struct Place {
    pub(crate) pa: u64,
    pub(crate) len: u64,
}

/// Entries of a line: 64 bytes of the table. Not published, see [`super::Vivante::set_tlb_line`].
const LINE: u32 = 16;

/// A decoded table entry.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Page {
        pa: u64,
        write: bool,
    },
    /// Not present: the access raises an exception, or goes to the safe address.
    Absent {
        exception: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Mmu {
    kind: MmuKind,
    pub(crate) enabled: bool,
    mtlb: u64,
    mode1k: bool,
    safe: Option<u64>,
    pta: u64,
    pta_enabled: bool,
    /// Raw values of the secure safe address registers and AXI_POLICY.
    safe_nonsec_low: u32,
    safe_sec_low: u32,
    safe_config: u32,
    axi_policy: [u32; 8],
    status: u32,
    exception_addr: u32,
    /// MMUv1, in the order of the page table registers: FE, TX, PE, PEZ, RA.
    tables: [u32; 5],
    bases: [u32; 5],
    tlb: HashMap<(usize, u32), Entry>,
    /// Entries that a walk loads: a power of two.
    line: u32,
}

fn index(client: Client) -> usize {
    match client {
        Client::Fe => 0,
        Client::Tx => 1,
        Client::Pe => 2,
        Client::Pez => 3,
        Client::Ra => 4,
    }
}

/// Client of the n-th window base register. HW: state_hi.xml.h MC_MEMORY_BASE_ADDR_*.
const BASE_ORDER: [Client; 5] = [Client::Ra, Client::Fe, Client::Tx, Client::Pez, Client::Pe];

impl Mmu {
    pub(crate) fn new(kind: MmuKind) -> Mmu {
        Mmu {
            kind,
            enabled: false,
            mtlb: 0,
            mode1k: false,
            safe: None,
            pta: 0,
            pta_enabled: false,
            safe_nonsec_low: 0,
            safe_sec_low: 0,
            safe_config: 0,
            axi_policy: [0; 8],
            status: 0,
            exception_addr: 0,
            tables: [0; 5],
            bases: [0; 5],
            tlb: HashMap::new(),
            line: LINE,
        }
    }

    /// The page tables in use.
    pub(crate) fn tables(&self) -> Tables {
        match self.kind {
            MmuKind::V1 if self.tables[0] != 0 => Tables::Flat(u64::from(self.tables[0])),
            MmuKind::V2 if self.enabled => Tables::Tree(self.mtlb),
            MmuKind::V2Secure if self.pta_enabled => Tables::Array(self.pta),
            _ => Tables::None,
        }
    }

    /// Sets the number of entries that a walk loads.
    pub(crate) fn set_line(&mut self, entries: u32) {
        self.line = entries.clamp(1, LINE).next_power_of_two();
    }

    fn secure(&self) -> bool {
        self.kind == MmuKind::V2Secure
    }

    /// Value of a register of this block, `None` if the GPU has no such register.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        let slot = |first: u32| (offset.wrapping_sub(first) / 4) as usize;
        if self.kind == MmuKind::V1 {
            return match offset {
                mc::MMU_PAGE_TABLE..=0x410 => Some(self.tables[slot(mc::MMU_PAGE_TABLE)]),
                mc::MEMORY_BASE..=0x428 => {
                    Some(self.bases[index(BASE_ORDER[slot(mc::MEMORY_BASE)])])
                }
                _ => None,
            };
        }
        let bank = |wanted: bool, value: u32| if self.secure() == wanted { value } else { 0 };
        Some(match offset {
            // HW: Linux 6.1 etnaviv_dump.c reads these on every core; they have no function on
            // MMUv2.
            mc::MMU_PAGE_TABLE..=0x410 | mc::MEMORY_BASE..=0x428 => 0,
            reg::SAFE_ADDRESS => bank(false, self.safe.unwrap_or(0) as u32),
            reg::CONFIGURATION => {
                self.mtlb as u32 & reg::CONFIGURATION_ADDRESS | u32::from(self.mode1k)
            }
            reg::STATUS => bank(false, self.status),
            reg::CONTROL => bank(false, u32::from(self.enabled)),
            reg::EXCEPTION_ADDR => bank(false, self.exception_addr),
            0x194..=0x19c | 0x1a4 => 0,
            reg::AXI_POLICY..=0x1dc => self.axi_policy[slot(reg::AXI_POLICY)],
            reg::SEC_EXCEPTION_ADDR if self.secure() => self.exception_addr,
            reg::SEC_STATUS if self.secure() => self.status,
            reg::SEC_CONTROL if self.secure() => u32::from(self.enabled),
            reg::PTA_ADDRESS_LOW if self.secure() => self.pta as u32,
            reg::PTA_ADDRESS_HIGH if self.secure() => (self.pta >> 32) as u32,
            reg::PTA_CONTROL if self.secure() => u32::from(self.pta_enabled),
            reg::NONSEC_SAFE_ADDR_LOW if self.secure() => self.safe_nonsec_low,
            reg::SEC_SAFE_ADDR_LOW if self.secure() => self.safe_sec_low,
            reg::SAFE_ADDRESS_CONFIG if self.secure() => self.safe_config,
            _ => return None,
        })
    }

    /// Writes a register of this block. `None` if the GPU has no such register.
    pub(crate) fn write(&mut self, offset: u32, value: u32, stats: &mut Stats) -> Option<()> {
        let slot = |first: u32| (offset.wrapping_sub(first) / 4) as usize;
        if self.kind == MmuKind::V1 {
            match offset {
                mc::MMU_PAGE_TABLE..=0x410 => self.tables[slot(mc::MMU_PAGE_TABLE)] = value,
                mc::MEMORY_BASE..=0x428 => {
                    self.bases[index(BASE_ORDER[slot(mc::MEMORY_BASE)])] = value;
                }
                _ => return None,
            }
            return Some(());
        }
        match offset {
            reg::SAFE_ADDRESS | reg::CONFIGURATION => self.load(offset, value, stats),
            reg::CONTROL if !self.secure() => self.enable(value, stats),
            reg::CONTROL => stats.protocol("non-secure MMU control on a secure core"),
            reg::STATUS | reg::EXCEPTION_ADDR..=0x19c | 0x1a4 => stats.readonly_writes += 1,
            reg::AXI_POLICY..=0x1dc => self.axi_policy[slot(reg::AXI_POLICY)] = value,
            reg::SEC_STATUS | reg::SEC_EXCEPTION_ADDR if self.secure() => {
                stats.readonly_writes += 1
            }
            reg::SEC_CONTROL if self.secure() => self.enable(value, stats),
            reg::PTA_ADDRESS_LOW..=reg::SAFE_ADDRESS_CONFIG if self.secure() => {
                if self.enabled {
                    stats.protocol("secure MMU set-up with the MMU on");
                }
                self.write_secure(offset, value);
            }
            _ => return None,
        }
        Some(())
    }

    fn write_secure(&mut self, offset: u32, value: u32) {
        match offset {
            reg::PTA_ADDRESS_LOW => self.pta = self.pta & !0xffff_ffff | u64::from(value),
            reg::PTA_ADDRESS_HIGH => {
                self.pta = self.pta & 0xffff_ffff | u64::from(value & 0xff) << 32
            }
            reg::PTA_CONTROL => self.pta_enabled = value & reg::ENABLE != 0,
            reg::NONSEC_SAFE_ADDR_LOW => self.safe_nonsec_low = value,
            reg::SEC_SAFE_ADDR_LOW => self.safe_sec_low = value,
            _ => self.safe_config = value,
        }
        // HW: etnaviv.md 4: SAFE_ADDRESS_CONFIG bits 7:0 are the high bits of the non-secure one.
        let safe = u64::from(self.safe_config & 0xff) << 32 | u64::from(self.safe_nonsec_low);
        self.safe = (safe != 0).then_some(safe);
    }

    fn enable(&mut self, value: u32, stats: &mut Stats) {
        if value & reg::ENABLE != 0 {
            if self.mtlb == 0 {
                stats.protocol("MMU enabled without a table");
            }
            if self.safe.is_none() {
                stats.protocol("MMU enabled without a safe address");
            }
            self.enabled = true;
        } else if self.enabled {
            // HW: etnaviv.md 2.5: only a reset disables it.
            stats.protocol("MMU disable without a reset");
        }
    }

    /// Loads a state of the front end: SAFE_ADDRESS or CONFIGURATION (PTA_CONFIG is
    /// [`Mmu::select`]). HW: etnaviv.md 4.
    pub(crate) fn load(&mut self, state: u32, value: u32, stats: &mut Stats) {
        if self.kind == MmuKind::V1 {
            stats.protocol("MMUv2 state on a core with MMUv1");
            return;
        }
        if state == reg::SAFE_ADDRESS {
            let safe = Some(u64::from(value & !63));
            if self.secure() {
                stats.protocol("non-secure safe address on a secure core");
            } else if self.safe.is_none() {
                self.safe = safe;
            } else if self.safe != safe {
                stats.protocol("safe address written twice");
            }
            return;
        }
        if value & reg::CONFIGURATION_MODE_MASK == 0 {
            self.mode1k = value & reg::CONFIGURATION_MODE1_K != 0;
        }
        if value & reg::CONFIGURATION_ADDRESS_MASK == 0 && !self.secure() {
            // In secure mode the table comes from the PTA.
            self.mtlb = u64::from(value & reg::CONFIGURATION_ADDRESS);
        }
        if value & reg::CONFIGURATION_FLUSH_MASK == 0 && value & reg::CONFIGURATION_FLUSH != 0 {
            self.flush(stats);
        }
    }

    /// PTA_CONFIG: takes the table from entry `value[15:0]` of the PTA. The TLB keeps its entries.
    pub(crate) fn select(
        &mut self,
        bus: &mut dyn Bus,
        value: u32,
        stats: &mut Stats,
    ) -> Result<(), Stop> {
        if !self.secure() {
            stats.protocol("PTA on a core without one");
            return Ok(());
        }
        if !self.pta_enabled {
            stats.protocol("PTA entry selected with the PTA off");
            return Ok(());
        }
        let entry = value & 0xffff;
        if entry >= 512 {
            stats.protocol("PTA entry out of range");
        }
        let mut bytes = [0; 8];
        let at = self.pta + u64::from(entry) * 8;
        bus.read(at, &mut bytes)
            .map_err(|_| Stop::Bus { write: false })?;
        let entry = u64::from_le_bytes(bytes);
        self.mode1k = entry & u64::from(reg::CONFIGURATION_MODE1_K) != 0;
        self.mtlb = entry & 0xff_ffff_fc00;
        Ok(())
    }

    /// MMUv2: drops all translations.
    pub(crate) fn flush(&mut self, stats: &mut Stats) {
        stats.tlb_flushes += 1;
        self.tlb.clear();
    }

    /// GL_FLUSH_MMU of MMUv1: bit 0 FE, bit 3 PE. The clients of the three unnamed bits are not
    /// published; here bit 1 is TX, bit 2 PEZ, bit 4 RA.
    pub(crate) fn flush_v1(&mut self, value: u32, stats: &mut Stats) {
        if self.kind != MmuKind::V1 {
            stats.protocol("MMUv1 flush on a core with MMUv2");
            return;
        }
        stats.tlb_flushes += 1;
        for (bit, client) in [Client::Fe, Client::Tx, Client::Pez, Client::Pe, Client::Ra]
            .into_iter()
            .enumerate()
        {
            if value >> bit & 1 != 0 {
                self.tlb.retain(|(c, _), _| *c != index(client));
            }
        }
    }

    /// Records an exception; the caller raises the interrupt and halts the GPU.
    pub(crate) fn raise(&mut self, code: u32, va: u32, stats: &mut Stats) {
        self.status = code;
        self.exception_addr = va;
        *stats.mmu_exceptions.entry(code).or_default() += 1;
    }

    pub(crate) fn reset(&mut self, stats: &mut Stats) {
        *self = Mmu {
            line: self.line,
            ..Mmu::new(self.kind)
        };
        stats.tlb_flushes += 1;
    }

    /// Whether accesses are translated by MMUv2.
    pub(crate) fn translating(&self) -> bool {
        self.kind != MmuKind::V1 && self.enabled
    }
}
