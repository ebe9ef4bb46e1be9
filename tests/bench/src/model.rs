// SPDX-License-Identifier: BSD-2-Clause
//! The GPU's model without a driver: a job started by its registers, in an address space that
//! translates nothing. What a submit costs beyond this is the driver's, and that of the system
//! below it.

use models::{Bus, BusError, Mali, Variant};

/// Physical address of the memory, where the job is, and where it writes to.
const RAM: u64 = 0x1000_0000;
const DATA: usize = 0x100;

struct Memory {
    ram: Vec<u8>,
    interrupt: bool,
}

impl Memory {
    fn range(&self, pa: u64, len: usize) -> Result<std::ops::Range<usize>, BusError> {
        let at = pa.checked_sub(RAM).ok_or(BusError)? as usize;
        let end = at
            .checked_add(len)
            .filter(|end| *end <= self.ram.len())
            .ok_or(BusError)?;
        Ok(at..end)
    }
}

impl Bus for Memory {
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> Result<(), BusError> {
        let range = self.range(pa, buf.len())?;
        buf.copy_from_slice(&self.ram[range]);
        Ok(())
    }

    fn write(&mut self, pa: u64, buf: &[u8]) -> Result<(), BusError> {
        let range = self.range(pa, buf.len())?;
        self.ram[range].copy_from_slice(buf);
        Ok(())
    }

    fn irq(&mut self, line: usize, level: bool) {
        if line == models::mali::IRQ_JOB {
            self.interrupt = level;
        }
    }
}

/// A GPU and its memory.
pub struct Bare {
    mali: Mali,
    memory: Memory,
    now: u64,
}

// HW: register offsets of panfrost_regs.h: job control, slot 1, address space 0.
const JOB_INT_CLEAR: u32 = 0x1004;
const JOB_INT_MASK: u32 = 0x1008;
const JOB_INT_STAT: u32 = 0x100c;
const SLOT: u32 = 0x1880;
const SLOT_BIT: u32 = 1 << 1;
const TRANSTAB: u32 = 0x2400;
const AS_COMMAND: u32 = 0x2418;

impl Bare {
    /// With power, and with address space 0 as the identity.
    ///
    /// # Panics
    /// If the model never comes to rest.
    pub fn new() -> Bare {
        let memory = Memory {
            ram: vec![0; 0x1000],
            interrupt: false,
        };
        let mut bare = Bare {
            mali: Mali::new(Variant::T860),
            memory,
            now: 0,
        };
        // L2, shader cores, tiler: present, power on.
        for (present, on) in [(0x120, 0x1a0), (0x100, 0x180), (0x110, 0x190)] {
            let cores = bare.read(present);
            bare.write(on, cores);
            bare.settle();
        }
        bare.write(JOB_INT_MASK, SLOT_BIT | SLOT_BIT << 16);
        bare.write(TRANSTAB, 2);
        bare.write(AS_COMMAND, 1);
        bare.settle();
        bare.memory.ram[..56]
            .copy_from_slice(&test_board::panfrost::write_zero(RAM + DATA as u64, 0)[..56]);
        bare
    }

    fn read(&mut self, register: u32) -> u32 {
        self.mali.mmio_read(&mut self.memory, self.now, register)
    }

    fn write(&mut self, register: u32, value: u32) {
        self.mali
            .mmio_write(&mut self.memory, self.now, register, value);
    }

    fn settle(&mut self) {
        while let Some(at) = self.mali.next_event() {
            self.now = self.now.max(at);
            self.mali.poll(&mut self.memory, self.now);
        }
    }

    /// Runs one job.
    ///
    /// # Panics
    /// If it does not do what it is for.
    pub fn once(&mut self) {
        self.memory.ram[DATA..DATA + 8].fill(0xff);
        let cores = self.read(0x100);
        let slot = [
            (0x40, RAM as u32),
            (0x44, 0),
            (0x50, cores),
            (0x54, 0),
            (0x58, 0x8_3300),
            (0x60, 1),
        ];
        for (register, value) in slot {
            self.write(SLOT + register, value);
        }
        while !self.memory.interrupt {
            self.now = self.mali.next_event().expect("the job ends");
            self.mali.poll(&mut self.memory, self.now);
        }
        assert_eq!(self.read(JOB_INT_STAT), SLOT_BIT, "done");
        self.write(JOB_INT_CLEAR, SLOT_BIT);
        assert_eq!(self.memory.ram[DATA..DATA + 8], [0; 8], "the job has run");
    }
}

impl Default for Bare {
    fn default() -> Bare {
        Bare::new()
    }
}
