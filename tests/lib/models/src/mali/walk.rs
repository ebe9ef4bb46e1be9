// SPDX-License-Identifier: BSD-2-Clause
//! Page table walks over the board's memory: the legacy Mali format and AArch64 4 KiB.
//!
//! HW: panfrost.md 3.1 (legacy), 3.2 (AArch64). Levels are numbered 0 (VA bits 47:39) to 3, and
//! the exception code of a fault is its base code plus the level.

use super::regs::exception as ex;
use super::tlb::Entry;
use crate::bus::Bus;

/// Translation mode of an address space, decoded from the latched registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Every access is aborted, without a fault.
    Unmapped,
    /// The physical address equals the virtual one.
    Identity,
    /// Legacy Mali tables at the physical address.
    Legacy(u64),
    /// AArch64 stage 1 tables, 4 KiB granule.
    Aarch64 {
        /// Root table.
        table: u64,
        /// Width of the input address.
        va_bits: u32,
        /// MEMATTR, a byte per attribute index.
        memattr: u64,
    },
}

/// A failed walk: exception code, and whether a bus error caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WalkFault {
    pub(crate) code: u8,
    pub(crate) bus: bool,
}

impl Mode {
    /// HW: panfrost.md 3.1 "TRANSTAB" (bits 1:0) and 3.2 "TRANSCFG" (bits 3:0).
    pub(crate) fn decode(transtab: u64, transcfg: u64, memattr: u64, has_transcfg: bool) -> Mode {
        if has_transcfg {
            match transcfg & 0xf {
                0 => (),
                2 => return Mode::Identity,
                6 => {
                    let va_bits = 55 - ((transcfg >> 6) & 0x1f) as u32;
                    return Mode::Aarch64 {
                        table: transtab & !0xf,
                        va_bits,
                        memattr,
                    };
                }
                _ => return Mode::Unmapped,
            }
        }
        match transtab & 3 {
            2 => Mode::Identity,
            3 => Mode::Legacy(transtab & 0xffff_ffff_ffff_f000),
            _ => Mode::Unmapped,
        }
    }
}

fn fault(code: u8) -> WalkFault {
    WalkFault { code, bus: false }
}

fn read_entry(bus: &mut dyn Bus, pa: u64, level: u8) -> Result<u64, WalkFault> {
    let mut raw = [0u8; 8];
    bus.read(pa, &mut raw).map_err(|_| WalkFault {
        code: ex::WALK_BUS + level,
        bus: true,
    })?;
    Ok(u64::from_le_bytes(raw))
}

fn shift_of(level: u8) -> u32 {
    39 - 9 * u32::from(level)
}

fn index(va: u64, level: u8) -> u64 {
    (va >> shift_of(level)) & 0x1ff
}

/// Bits 47:12 of an entry, checked against the width of the bus.
fn output(entry: u64, level: u8, pa_bits: u32) -> Result<u64, WalkFault> {
    let pa = entry & 0x0000_ffff_ffff_f000;
    if pa >> pa_bits != 0 {
        return Err(fault(ex::ADDRESS_SIZE_OUT + level));
    }
    Ok(pa)
}

/// Translates `va`; the entry covers the whole page or block.
pub(crate) fn walk(
    bus: &mut dyn Bus,
    mode: Mode,
    va: u64,
    va_bits: u32,
    pa_bits: u32,
) -> Result<Entry, WalkFault> {
    match mode {
        Mode::Unmapped => Err(fault(ex::TRANSLATION)),
        Mode::Identity => {
            if va >> pa_bits != 0 {
                return Err(fault(ex::TRANSLATION_IDENTITY));
            }
            let pa = va & !0xfff;
            Ok(Entry {
                pa,
                shift: 12,
                level: 3,
                read: true,
                write: true,
                execute: true,
            })
        }
        Mode::Legacy(table) => {
            // Four levels for every input width. HW: panfrost.md 3.1.
            if va >> va_bits.min(48) != 0 {
                return Err(fault(ex::ADDRESS_SIZE_IN));
            }
            legacy(bus, table, va, pa_bits)
        }
        Mode::Aarch64 {
            table,
            va_bits,
            memattr,
        } => {
            if va_bits < 64 && va >> va_bits.min(48) != 0 {
                return Err(fault(ex::ADDRESS_SIZE_IN));
            }
            aarch64(bus, table, va_bits, memattr, va, pa_bits)
        }
    }
}

fn legacy(bus: &mut dyn Bus, table: u64, va: u64, pa_bits: u32) -> Result<Entry, WalkFault> {
    let mut table = table;
    for level in 0..4u8 {
        let entry = read_entry(bus, table + 8 * index(va, level), level)?;
        match entry & 3 {
            3 if level < 3 => table = output(entry, level, pa_bits)?,
            // HW: panfrost.md 3.1: a leaf is type 1 at every level; blocks from level 1 on.
            1 if level > 0 => {
                let shift = shift_of(level);
                return Ok(Entry {
                    pa: output(entry, level, pa_bits)? & !((1 << shift) - 1),
                    shift,
                    level,
                    read: entry & (1 << 6) != 0,
                    write: entry & (1 << 7) != 0,
                    execute: entry & (3 << 53) != 3 << 53,
                });
            }
            _ => return Err(fault(ex::TRANSLATION + level)),
        }
    }
    Err(fault(ex::TRANSLATION + 3))
}

fn aarch64(
    bus: &mut dyn Bus,
    table: u64,
    va_bits: u32,
    memattr: u64,
    va: u64,
    pa_bits: u32,
) -> Result<Entry, WalkFault> {
    // Arm architecture: the start level is the first that resolves bits of the input.
    let start = if va_bits > 39 { 0u8 } else { 1 };
    let mut table = table;
    for level in start..4 {
        let entry = read_entry(bus, table + 8 * index(va, level), level)?;
        match (entry & 3, level) {
            (3, 0..=2) => table = output(entry, level, pa_bits)?,
            (1, 1 | 2) | (3, 3) => {
                if entry & (1 << 10) == 0 {
                    return Err(fault(ex::ACCESS_FLAG + level));
                }
                let attr = (memattr >> (8 * ((entry >> 2) & 7))) as u8;
                // HW: panfrost.md 3.2: type 3 in bits 7:6 faults.
                if attr >> 6 == 3 {
                    return Err(fault(ex::MEMATTR + level));
                }
                let shift = shift_of(level);
                return Ok(Entry {
                    pa: output(entry, level, pa_bits)? & !((1 << shift) - 1),
                    shift,
                    level,
                    // Arm architecture, AP bits: bit 6 unprivileged access, bit 7 read-only.
                    read: entry & (1 << 6) != 0,
                    write: entry & (3 << 6) == 1 << 6,
                    execute: entry & (1 << 54) == 0,
                });
            }
            _ => return Err(fault(ex::TRANSLATION + level)),
        }
    }
    Err(fault(ex::TRANSLATION + 3))
}
