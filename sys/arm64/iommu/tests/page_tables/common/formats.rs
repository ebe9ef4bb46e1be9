// SPDX-License-Identifier: BSD-2-Clause
//! Layouts for the checks: those of hardware, from its description, and two formats that exist only
//! here to show that the crate is generic.

use super::{Kind, Layout};
use iommu_pmap::*;

/// Mali LPAE, from the description of the hardware.
pub const MALI: Layout = Layout {
    levels: 4,
    bits: 9,
    base: 0,
    entry_bytes: 8,
    blocks: true,
    flush_on_map: true,
    invalid: 0,
    classify: classify_mali,
    normal: |prot, attr| (prot, attr),
    first_table: 0xff_8000_0000,
};

fn classify_mali(level: u32, raw: u64) -> Kind {
    match raw % 4 {
        0 => Kind::Invalid,
        3 => {
            assert!(level < 3, "type 3 on the last level");
            assert_eq!(
                raw & 0xffff_ff00_0000_0ffc,
                0,
                "a pointer with other bits: {raw:#x}"
            );
            Kind::Table(raw - 3)
        }
        1 => {
            assert!(level >= 2, "a leaf on level {level}");
            assert_eq!((raw >> 8) % 4, 2, "SH");
            assert_eq!((raw >> 10) % 4, 0, "AF and nG do not exist");
            assert_eq!((raw >> 5) % 2, 0, "NS");
            assert_eq!((raw >> 40) & 0x1fff, 0, "bits 52:40");
            assert_eq!(raw >> 55, 0, "bits 63:55");
            let mut prot = Prot::empty();
            if raw & 0x40 != 0 {
                prot |= Prot::READ;
            }
            if raw & 0x80 != 0 {
                prot |= Prot::WRITE;
            }
            match (raw >> 53) % 4 {
                0 => prot |= Prot::EXEC,
                3 => {}
                _ => panic!("half of XN: {raw:#x}"),
            }
            let attr = match (raw >> 2) % 8 {
                0 => MemAttr::Uncached,
                1 => MemAttr::Cached,
                2 => MemAttr::Device,
                other => panic!("attribute {other}"),
            };
            let pa = raw & 0x0000_00ff_ffff_f000;
            assert!(
                level == 3 || pa.is_multiple_of(0x20_0000),
                "a block at {pa:#x}"
            );
            Kind::Leaf(pa, prot, attr)
        }
        _ => panic!("type 2: {raw:#x}"),
    }
}

/// Vivante MMUv2: present, exception and writeable in bits 0 to 2, address bits 39:32 in bits 11:4.
pub const VIVANTE_V2: Layout = Layout {
    levels: 2,
    bits: 10,
    base: 0,
    entry_bytes: 4,
    blocks: false,
    flush_on_map: true,
    invalid: 2,
    classify: classify_vivante_v2,
    normal: |prot, _| (prot | Prot::READ | Prot::EXEC, MemAttr::Uncached),
    first_table: 0xf000_0000,
};

fn classify_vivante_v2(level: u32, raw: u64) -> Kind {
    assert!(raw < 1 << 32, "wider than an entry: {raw:#x}");
    let (flags, low, high) = (raw % 8, raw / 0x1000 * 0x1000, raw / 0x10 % 0x100);
    match (level, flags) {
        // Links between tables that wait to be freed have no flags.
        (_, 2) | (_, 0) => Kind::Invalid,
        (0, 1) => {
            assert_eq!(
                (high, raw / 8 % 2),
                (0, 0),
                "a slave table above 4 GiB: {raw:#x}"
            );
            Kind::Table(low)
        }
        (1, 1) | (1, 5) => {
            assert_eq!(raw / 8 % 2, 0, "bit 3");
            let write = if flags == 5 {
                Prot::WRITE
            } else {
                Prot::empty()
            };
            Kind::Leaf(
                high * (1 << 32) + low,
                Prot::READ | Prot::EXEC | write,
                MemAttr::Uncached,
            )
        }
        _ => panic!("flags {flags} on level {level}"),
    }
}

/// Vivante MMUv1: the address of the page. 1 means the bad page.
pub const VIVANTE_V1: Layout = Layout {
    levels: 1,
    bits: 19,
    base: 0x8000_0000,
    entry_bytes: 4,
    blocks: false,
    flush_on_map: true,
    invalid: 1,
    classify: |_, raw| match raw % 0x1000 {
        0 => Kind::Leaf(raw, Prot::all(), MemAttr::Uncached),
        1 if raw == 1 => Kind::Invalid,
        _ => panic!("an entry with other bits: {raw:#x}"),
    },
    normal: |_, _| (Prot::all(), MemAttr::Uncached),
    first_table: 0x4000_0000,
};

/// Two levels of 1024 entries of 32 bits, an invalid entry that is not zero, 40 bits of address
/// folded into 32, only "writable" stored, and no flush after a map.
#[derive(Debug)]
pub enum TwoLevel {}

impl Format for TwoLevel {
    const LEVELS: u32 = 2;
    const INDEX_BITS: u32 = 10;
    const ENTRY_BYTES: u32 = 4;
    const BLOCKS: bool = false;
    const PA_BITS: u32 = 40;
    const TABLE_PA_BITS: u32 = 32;
    const FLUSH_ON_MAP: bool = false;
    const INVALID: u64 = 2;

    fn table(pa: Pa) -> u64 {
        pa.0 | 1
    }
    fn leaf(_level: u32, pa: Pa, prot: Prot, _attr: MemAttr) -> u64 {
        let writable = if prot.contains(Prot::WRITE) { 4 } else { 0 };
        (pa.0 & 0xffff_f000) | ((pa.0 >> 32) << 4) | writable | 1
    }
    fn decode(level: u32, entry: u64) -> Entry {
        if entry & 1 == 0 {
            return Entry::Invalid;
        }
        if level == 0 {
            return Entry::Table(Pa(entry & 0xffff_f000));
        }
        let mut prot = Prot::READ | Prot::EXEC;
        prot.set(Prot::WRITE, entry & 4 != 0);
        let pa = Pa((entry & 0xffff_f000) | ((entry & 0xff0) << 28));
        Entry::Leaf {
            pa,
            prot,
            attr: MemAttr::Uncached,
        }
    }
}

pub const TWO_LEVEL: Layout = Layout {
    levels: 2,
    bits: 10,
    base: 0,
    entry_bytes: 4,
    blocks: false,
    flush_on_map: false,
    invalid: 2,
    classify: |level, raw| match (raw % 2, level) {
        (0, _) => Kind::Invalid,
        (_, 0) => Kind::Table(raw - 1),
        _ => {
            let prot = if raw & 4 != 0 {
                Prot::all()
            } else {
                Prot::READ | Prot::EXEC
            };
            Kind::Leaf(
                (raw >> 12 << 12) + (((raw >> 4) % 256) << 32),
                prot,
                MemAttr::Uncached,
            )
        }
    },
    normal: |prot, _| (prot | Prot::READ | Prot::EXEC, MemAttr::Uncached),
    first_table: 0x8000_0000,
};

/// One table of 512 Ki entries of 32 bits that translates the upper half of 4 GiB.
#[derive(Debug)]
pub enum OneLevel {}

impl Format for OneLevel {
    const LEVELS: u32 = 1;
    const INDEX_BITS: u32 = 19;
    const ENTRY_BYTES: u32 = 4;
    const BLOCKS: bool = false;
    const IOVA_BASE: u64 = 0x8000_0000;
    const PA_BITS: u32 = 32;
    const FLUSH_ON_MAP: bool = true;

    fn table(pa: Pa) -> u64 {
        pa.0
    }
    fn leaf(_level: u32, pa: Pa, _prot: Prot, _attr: MemAttr) -> u64 {
        pa.0
    }
    fn decode(_level: u32, entry: u64) -> Entry {
        match entry {
            0 => Entry::Invalid,
            pa => Entry::Leaf {
                pa: Pa(pa),
                prot: Prot::all(),
                attr: MemAttr::Uncached,
            },
        }
    }
}

pub const ONE_LEVEL: Layout = Layout {
    levels: 1,
    bits: 19,
    base: 0x8000_0000,
    entry_bytes: 4,
    blocks: false,
    flush_on_map: true,
    invalid: 0,
    classify: |_, raw| match raw {
        0 => Kind::Invalid,
        pa => Kind::Leaf(pa, Prot::all(), MemAttr::Uncached),
    },
    normal: |_, _| (Prot::all(), MemAttr::Uncached),
    first_table: 0x1_0000,
};
