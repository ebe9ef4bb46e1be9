// SPDX-License-Identifier: BSD-2-Clause
//! A board for the models: flat memory, interrupt lines, and the steps of a driver, register by
//! register. Page tables and descriptors are built here from their published layouts, without code
//! of the model or the driver.

pub mod frame;

use models::mali::Timing;
use models::{Bus, BusError, Mali, Variant};
use std::collections::HashMap;

pub const JOB: usize = 0;
pub const MMU: usize = 1;
pub const GPU: usize = 2;

/// First byte of RAM.
pub const RAM: u64 = 0x8000_0000;
const RAM_SIZE: usize = 48 << 20;
/// First byte of the data pages; tables are allocated from the start of RAM.
const DATA: u64 = RAM + (4 << 20);

// Leaf permissions of the legacy table format. HW: panfrost.md 3.1.
pub const R: u64 = 1 << 6;
pub const W: u64 = 1 << 7;
pub const NX: u64 = 3 << 53;
pub const RW: u64 = R | W | NX;
pub const RX: u64 = R;

/// Flat RAM with holes, and three lines.
pub struct Board {
    pub ram: Vec<u8>,
    /// Physical ranges for which the bus returns an error.
    pub holes: Vec<(u64, u64)>,
    pub lines: [bool; 3],
    /// Every change of a line, in order.
    pub changes: Vec<(usize, bool)>,
}

impl Board {
    fn index(&self, pa: u64, len: usize) -> Result<usize, BusError> {
        let end = pa.checked_add(len as u64).ok_or(BusError)?;
        if pa < RAM || end > RAM + RAM_SIZE as u64 {
            return Err(BusError);
        }
        if self.holes.iter().any(|(from, to)| pa < *to && end > *from) {
            return Err(BusError);
        }
        Ok((pa - RAM) as usize)
    }
}

impl Bus for Board {
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> Result<(), BusError> {
        let at = self.index(pa, buf.len())?;
        buf.copy_from_slice(&self.ram[at..at + buf.len()]);
        Ok(())
    }

    fn write(&mut self, pa: u64, buf: &[u8]) -> Result<(), BusError> {
        let at = self.index(pa, buf.len())?;
        self.ram[at..at + buf.len()].copy_from_slice(buf);
        Ok(())
    }

    fn irq(&mut self, line: usize, level: bool) {
        assert_ne!(self.lines[line], level, "irq is called only on changes");
        self.lines[line] = level;
        self.changes.push((line, level));
    }
}

/// A GPU on a board, and the current time.
pub struct Rig {
    pub mali: Mali,
    pub board: Board,
    pub now: u64,
    next_table: u64,
    next_page: u64,
    /// Root table of the address space that tests use.
    pub root: u64,
    pages: HashMap<u64, u64>,
}

impl Rig {
    /// A GPU as at power on, without any register write.
    pub fn cold(variant: Variant) -> Rig {
        let board = Board {
            ram: vec![0; RAM_SIZE],
            holes: Vec::new(),
            lines: [false; 3],
            changes: Vec::new(),
        };
        let mut rig = Rig {
            mali: Mali::new(variant),
            board,
            now: 1_000_000,
            next_table: RAM,
            next_page: DATA,
            root: 0,
            pages: HashMap::new(),
        };
        rig.root = rig.table();
        rig
    }

    /// A GPU with power up, interrupts unmasked and address space 0 on an empty table.
    pub fn ready(variant: Variant) -> Rig {
        let mut rig = Rig::cold(variant);
        rig.power_up();
        rig.wr(0x024, 0xffff_ffff);
        rig.wr(0x1008, 0x0007_0007);
        rig.wr(0x2008, 0xffff_ffff);
        rig.enable(0, rig.root);
        rig
    }

    pub fn rd(&mut self, offset: u32) -> u32 {
        self.now += 100;
        self.mali.mmio_read(&mut self.board, self.now, offset)
    }

    pub fn wr(&mut self, offset: u32, value: u32) {
        self.now += 100;
        self.mali
            .mmio_write(&mut self.board, self.now, offset, value);
    }

    pub fn wr64(&mut self, offset: u32, value: u64) {
        self.wr(offset, value as u32);
        self.wr(offset + 4, (value >> 32) as u32);
    }

    pub fn rd64(&mut self, offset: u32) -> u64 {
        u64::from(self.rd(offset)) | u64::from(self.rd(offset + 4)) << 32
    }

    /// Advances the time by `ns`.
    pub fn wait(&mut self, ns: u64) {
        self.now += ns;
        self.mali.poll(&mut self.board, self.now);
    }

    /// Advances the time until no event is pending.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            match self.mali.next_event() {
                Some(at) => {
                    self.now = self.now.max(at);
                    self.mali.poll(&mut self.board, self.now);
                }
                None => return,
            }
        }
        panic!("events do not end");
    }

    pub fn set_timing(&mut self, change: impl FnOnce(&mut Timing)) {
        let mut timing = *self.mali.timing();
        change(&mut timing);
        self.mali.set_timing(timing);
    }

    // --- power ---

    /// L2, then shader cores, then tiler. HW: panfrost.md 2.1 power_on.
    pub fn power_up(&mut self) {
        for (on, ready, present) in [
            (0x1a0, 0x160, 0x120),
            (0x180, 0x140, 0x100),
            (0x190, 0x150, 0x110),
        ] {
            let mask = self.rd(present);
            self.wr(on, mask);
            self.settle();
            assert_eq!(self.rd(ready), mask);
        }
    }

    // --- MMU ---

    fn wait_as(&mut self, n: u32) {
        for _ in 0..1000 {
            if self.rd(0x2428 + 0x40 * n) & 1 == 0 {
                return;
            }
            self.wait(1000);
        }
        panic!("AS_ACTIVE stuck");
    }

    pub fn as_command(&mut self, n: u32, command: u32) {
        self.wait_as(n);
        self.wr(0x2418 + 0x40 * n, command);
        self.wait_as(n);
    }

    /// LOCKADDR for the naturally aligned region around [start, start + size).
    /// HW: panfrost.md 3.3 "LOCKADDR encoding".
    pub fn lockaddr(start: u64, size: u64) -> u64 {
        let last = start + (size - 1);
        let differing = 64 - (start ^ last).leading_zeros() as u64;
        let width = differing.max(15) - 1;
        let base = if width >= 63 {
            0
        } else {
            start & !((1u64 << (width + 1)) - 1)
        };
        base | width
    }

    /// LOCK, then the operation (4 FLUSH_PT, 5 FLUSH_MEM, 3 UNLOCK) over a range.
    pub fn flush(&mut self, n: u32, command: u32, start: u64, size: u64) {
        self.wait_as(n);
        self.wr64(0x2410 + 0x40 * n, Rig::lockaddr(start, size));
        self.as_command(n, 2);
        self.as_command(n, command);
    }

    /// Sets address space `n` to a legacy table. HW: panfrost.md 3.1 TRANSTAB.
    pub fn enable(&mut self, n: u32, root: u64) {
        self.flush(n, 5, 0, u64::MAX);
        self.wr64(0x2400 + 0x40 * n, root | 1 << 2 | 3);
        self.wr64(0x2408 + 0x40 * n, 0x8d88);
        self.as_command(n, 1);
    }

    /// Unmaps address space `n`.
    pub fn disable(&mut self, n: u32) {
        self.flush(n, 5, 0, u64::MAX);
        self.wr64(0x2400 + 0x40 * n, 0);
        self.as_command(n, 1);
    }

    // --- tables: legacy format, HW: panfrost.md 3.1 ---

    pub fn table(&mut self) -> u64 {
        let pa = self.next_table;
        self.next_table += 4096;
        assert!(self.next_table <= DATA);
        pa
    }

    pub fn page(&mut self) -> u64 {
        let pa = self.next_page;
        self.next_page += 4096;
        pa
    }

    pub fn pte(&mut self, pa: u64) -> u64 {
        let mut raw = [0; 8];
        self.board.read(pa, &mut raw).unwrap();
        u64::from_le_bytes(raw)
    }

    pub fn set_pte(&mut self, pa: u64, value: u64) {
        self.board.write(pa, &value.to_le_bytes()).unwrap();
    }

    /// Address of the entry of `va` at `level` (0 to 3); creates missing tables.
    pub fn entry(&mut self, root: u64, va: u64, level: u32) -> u64 {
        let mut table = root;
        for l in 0..level {
            let at = table + 8 * ((va >> (39 - 9 * l)) & 0x1ff);
            if self.pte(at) & 3 != 3 {
                let new = self.table();
                self.set_pte(at, new | 3);
            }
            table = self.pte(at) & 0x0000_ffff_ffff_f000;
        }
        table + 8 * ((va >> (39 - 9 * level)) & 0x1ff)
    }

    /// Maps one page of the default table.
    pub fn map_page(&mut self, va: u64, pa: u64, flags: u64) {
        let at = self.entry(self.root, va, 3);
        self.set_pte(at, pa | 2 << 8 | flags | 1);
        self.pages.insert(va >> 12, pa);
    }

    pub fn unmap_page(&mut self, va: u64) {
        let at = self.entry(self.root, va, 3);
        self.set_pte(at, 0);
        self.pages.remove(&(va >> 12));
    }

    /// Maps `len` bytes at `va` on new pages of the default table.
    pub fn map(&mut self, va: u64, len: u64, flags: u64) {
        for n in 0..len.div_ceil(4096) {
            let pa = self.page();
            self.map_page(va + n * 4096, pa, flags);
        }
    }

    pub fn pa(&self, va: u64) -> u64 {
        self.pages[&(va >> 12)] + (va & 0xfff)
    }

    // --- memory at GPU addresses, as the processor accesses it ---

    pub fn poke(&mut self, va: u64, bytes: &[u8]) {
        for (n, byte) in bytes.iter().enumerate() {
            let pa = self.pa(va + n as u64);
            self.board.write(pa, &[*byte]).unwrap();
        }
    }

    pub fn poke32(&mut self, va: u64, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.poke(va, &bytes);
    }

    pub fn poke64(&mut self, va: u64, value: u64) {
        self.poke(va, &value.to_le_bytes());
    }

    pub fn peek(&mut self, va: u64, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        let mut done = 0;
        while done < len {
            let at = va + done as u64;
            let n = (len - done).min(4096 - (at & 0xfff) as usize);
            let pa = self.pa(at);
            self.board.read(pa, &mut out[done..done + n]).unwrap();
            done += n;
        }
        out
    }

    pub fn peek32(&mut self, va: u64) -> u32 {
        u32::from_le_bytes(self.peek(va, 4).try_into().unwrap())
    }

    pub fn peek64(&mut self, va: u64) -> u64 {
        u64::from_le_bytes(self.peek(va, 8).try_into().unwrap())
    }

    // --- jobs ---

    /// Job header. HW: Mesa genxml v5.xml "Job Header".
    pub fn header(&mut self, va: u64, kind: u32, index: u32, deps: (u32, u32), next: u64) {
        let w = [
            0,
            0,
            0,
            0,
            1 | kind << 1 | index << 16,
            deps.0 | deps.1 << 16,
            next as u32,
            (next >> 32) as u32,
        ];
        self.poke32(va, &w);
    }

    /// Write-value job. HW: Mesa genxml "Write Value Job Payload": 1 cycles, 2 time, 3 zero.
    pub fn write_value(&mut self, va: u64, index: u32, next: u64, target: u64, kind: u32) {
        self.header(va, 2, index, (0, 0), next);
        self.poke32(
            va + 32,
            &[target as u32, (target >> 32) as u32, kind, 0, 0, 0],
        );
    }

    /// Writes NEXT of a slot and starts it. HW: panfrost.md 2.5 submit.
    pub fn submit(&mut self, slot: u32, head: u64, config: u32) {
        let at = 0x1800 + 0x80 * slot;
        assert_eq!(self.rd(at + 0x60), 0, "NEXT is free");
        self.wr64(at + 0x40, head);
        let cores = self.rd64(0x100);
        self.wr64(at + 0x50, cores);
        self.wr(at + 0x58, config | 8 << 16 | 3 << 8 | 3 << 12);
        self.wr(at + 0x60, 1);
    }

    pub fn slot_status(&mut self, slot: u32) -> u32 {
        self.rd(0x1824 + 0x80 * slot)
    }

    pub fn slot_tail(&mut self, slot: u32) -> u64 {
        self.rd64(0x1808 + 0x80 * slot)
    }

    pub fn job_raw(&mut self) -> u32 {
        self.rd(0x1000)
    }
}
