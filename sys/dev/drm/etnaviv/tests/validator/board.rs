// SPDX-License-Identifier: BSD-2-Clause
//! A GPU that executes streams: the model of crate `models` on a board of its own, and what it
//! reports about each stream.
//!
//! The stream is executed as a driver has it executed: in a buffer that ends with a LINK to the
//! ring, where flushes, stalls and END follow. The ring has no EVENT, so every event is from the
//! stream. What a client cannot write on a real board (the stream itself, page tables) cannot be
//! written here. All other addresses map to the same small memory, so that most accesses succeed. A
//! stream may access it [`BUDGET`] times, then the bus fails.

use models::vivante::Variant;
use models::{Bus, BusError, Vivante};

use crate::reader::GUARDED;

/// Address of the stream, the same for the GPU and on the bus.
const CODE: u32 = 0x7000_0000;
/// Bytes for the stream and the ring after it.
const CODE_BYTES: usize = 0x2_0000;
/// Addresses of page tables on the bus: PTA, first level, a second level for the stream, and one
/// for all other addresses.
const PTA: u64 = 0x1_0000_0000;
const MASTER: u64 = PTA + 0x1000;
const OF_CODE: u64 = PTA + 0x2000;
const OF_DATA: u64 = PTA + 0x3000;
const SAFE: u64 = PTA + 0x4000;
/// Non-secure cores and second levels need 32-bit addresses, so the tables also appear here.
const LOW: u64 = 0x6000_0000;
const TABLE_BYTES: usize = 0x5000;
/// Bytes of the memory that all other addresses map to.
const DATA_BYTES: usize = 0x10_0000;
/// Virtual addresses of this slot (4 MiB) are not mapped.
const ABSENT: usize = 0x2000_0000 >> 22;

/// The number of transfers that a stream may make.
const BUDGET: u32 = 2048;
/// The time after which a stream counts as hung, in ns.
const PATIENCE_NS: u64 = 1_000_000_000;

/// Opcodes that only the ring may have: END, WAIT, LINK, CALL, RETURN, CHIP_SELECT, WAIT_FENCE,
/// SNAP_PAGES.
const RING_COMMANDS: [u32; 8] = [2, 7, 8, 10, 11, 13, 15, 19];
const END: u32 = 2;

/// An action of a stream that a client's stream must not do, as reported by the model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Foul {
    /// It executed a command of the ring: opcode.
    Command(u32),
    /// It loaded a guarded state: byte address.
    State(u32),
    /// It raised an event.
    Event(usize),
    /// It left semaphores without a stall.
    Semaphores(u64),
    /// It loaded states that no stream can reach.
    Blocked,
    /// The front end read a word that is no command.
    Illegal,
    /// The front end ran out of words: a command included the LINK after the stream.
    Starved,
    /// The front end executed a command at this address, outside of the stream and the ring.
    Left(u32),
    /// The front end and the second reader disagree about the headers: index of the executed
    /// command.
    Differs(usize),
}

/// How a stream ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It was executed to its end.
    Done,
    /// It hung or faulted, without an effect on others, and the GPU works after a reset.
    Stopped,
}

struct Memory {
    code: Vec<u8>,
    tables: Vec<u8>,
    data: Vec<u8>,
    budget: u32,
}

impl Memory {
    /// The bytes at `pa`, and whether the GPU may write them.
    fn at(&mut self, pa: u64, len: usize) -> Result<(&mut [u8], bool), BusError> {
        let within = |base: u64, bytes: usize| {
            let offset = pa.checked_sub(base)?;
            (offset < bytes as u64).then_some(offset as usize)
        };
        let (memory, offset, writeable) = if let Some(offset) = within(u64::from(CODE), CODE_BYTES)
        {
            (&mut self.code, offset, false)
        } else if let Some(offset) = within(PTA, TABLE_BYTES).or(within(LOW, TABLE_BYTES)) {
            (&mut self.tables, offset, false)
        } else {
            self.budget = self.budget.checked_sub(1).ok_or(BusError)?;
            (&mut self.data, (pa % DATA_BYTES as u64) as usize, true)
        };
        let bytes = memory.get_mut(offset..offset + len).ok_or(BusError)?;
        Ok((bytes, writeable))
    }

    fn put(&mut self, pa: u64, words: impl IntoIterator<Item = u32>) {
        for (n, word) in words.into_iter().enumerate() {
            let (bytes, _) = self.at(pa + 4 * n as u64, 4).unwrap();
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }
}

impl Bus for Memory {
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> Result<(), BusError> {
        buf.copy_from_slice(self.at(pa, buf.len())?.0);
        Ok(())
    }

    fn write(&mut self, pa: u64, buf: &[u8]) -> Result<(), BusError> {
        let (bytes, writeable) = self.at(pa, buf.len())?;
        if !writeable {
            return Err(BusError);
        }
        bytes.copy_from_slice(buf);
        Ok(())
    }

    fn irq(&mut self, _: usize, _: bool) {}
}

/// The counters of the model that report what a stream did.
#[derive(Clone, Copy)]
struct Counts {
    events: [u64; 32],
    blocked: u64,
    illegal: u64,
    starved: u64,
}

/// A GPU, its memory, and the time.
pub(crate) struct Board {
    gpu: Vivante,
    memory: Memory,
    variant: Variant,
    now: u64,
}

impl Board {
    pub(crate) fn new(variant: Variant) -> Board {
        let mut memory = Memory {
            code: vec![0; CODE_BYTES],
            tables: vec![0; TABLE_BYTES],
            data: vec![0; DATA_BYTES],
            budget: 0,
        };
        // The bits are PRESENT 1, EXCEPTION 2, WRITEABLE 4 (rnndb, etnaviv's MMUv2).
        let low = |table: u64| (table - PTA + LOW) as u32;
        let master = |slot: usize| match slot {
            ABSENT => 2,
            slot if slot == CODE as usize >> 22 => low(OF_CODE) | 1,
            _ => low(OF_DATA) | 1,
        };
        memory.put(PTA, [low(MASTER), 0]);
        memory.put(MASTER, (0..1024).map(master));
        let pages = (CODE_BYTES / 4096) as u32;
        memory.put(
            OF_CODE,
            (0..1024).map(|n| if n < pages { (CODE + (n << 12)) | 1 } else { 2 }),
        );
        memory.put(OF_DATA, (0..1024).map(|n| 0x8000_0000 | n << 12 | 5));
        let mut board = Board {
            gpu: Vivante::new(variant),
            memory,
            variant,
            now: 1_000_000,
        };
        board.reset();
        board
    }

    fn write(&mut self, offset: u32, value: u32) {
        self.now += 100;
        self.gpu
            .mmio_write(&mut self.memory, self.now, offset, value);
    }

    fn secure(&self) -> bool {
        self.variant == Variant::Gc7000L
    }

    /// Resets the GPU and sets up its MMU, as a driver does.
    fn reset(&mut self) {
        self.memory.budget = BUDGET;
        let clock = 64 << 2;
        self.write(0x000, clock | 1 << 19);
        match self.secure() {
            true => self.write(0x3a8, 1),
            false => self.write(0x000, clock | 1 << 19 | 1 << 12),
        }
        self.now += 15_000;
        self.write(0x000, clock | 1 << 19);
        self.write(0x000, clock);
        let low = |table: u64| (table - PTA + LOW) as u32;
        match self.variant {
            Variant::Gc7000L => {
                self.write(0x3a8, 2);
                for (register, value) in [
                    (0x38c, PTA as u32),
                    (0x390, (PTA >> 32) as u32),
                    (0x394, 1),
                    (0x398, SAFE as u32),
                    (0x39c, SAFE as u32),
                    (0x3a0, 0x0001_0001),
                ] {
                    self.write(register, value);
                }
                self.run(&[0x0801_006b, 0, 0x1000_0000, 0]);
                self.write(0x388, 1);
            }
            Variant::Gc3000 => {
                self.run(&[
                    0x0801_0061,
                    low(MASTER),
                    0x0801_0060,
                    low(SAFE),
                    0x1000_0000,
                    0,
                ]);
                self.write(0x18c, 1);
            }
            // The five page tables. The bases of the windows are 0. Of the addresses above the
            // window half map to data, the others to tables and to what further words of data give
            // as page addresses.
            Variant::Gc2000 | Variant::Gc320 => {
                for register in (0x400..0x414).step_by(4) {
                    self.write(register, low(OF_DATA));
                }
            }
        }
        self.write(0x014, u32::MAX);
    }

    /// Executes a stream. Returns whether the front end has stopped in time.
    fn run(&mut self, words: &[u32]) -> bool {
        self.memory.put(u64::from(CODE), words.iter().copied());
        let prefetch = 1 << 16 | words.len().div_ceil(2) as u32;
        self.write(0x654, CODE);
        self.write(0x658, prefetch);
        if self.secure() {
            self.write(0x3a4, prefetch);
        }
        let deadline = self.now + PATIENCE_NS;
        while let Some(at) = self.gpu.next_event().filter(|at| *at <= deadline) {
            self.now = self.now.max(at);
            self.gpu.poll(&mut self.memory, self.now);
        }
        self.gpu.mmio_read(&mut self.memory, self.now, 0x004) & 0x7fff_ffff == 0x7fff_ffff
    }

    fn counts(&self) -> Counts {
        let stats = self.gpu.stats();
        Counts {
            events: stats.events,
            blocked: stats.blocked_loads,
            illegal: stats.illegal_commands,
            starved: stats.starved,
        }
    }

    /// Executes a client's stream, in which the second reader has found `headers` (byte offsets).
    ///
    /// # Errors
    ///
    /// The first action that a client's stream must not do.
    pub(crate) fn execute(&mut self, stream: &[u32], headers: &[usize]) -> Result<Outcome, Foul> {
        let mut words = stream.to_vec();
        let ring = CODE + 4 * words.len() as u32 + 8;
        // The ring waits for PE, and for BLT on cores that have one.
        let mut tail = vec![0x0801_0e03, 0x23, 0x0801_0e02, 0x0701, 0x4800_0000, 0x0701];
        if self.secure() {
            tail.extend([
                0x0801_502e,
                1,
                0x0801_0e02,
                0x1001,
                0x4800_0000,
                0x1001,
                0x0801_502e,
                0,
            ]);
        }
        tail.extend([END << 27, 0]);
        self.memory.put(u64::from(ring), tail.iter().copied());
        words.extend([0x4000_0000 | (tail.len() as u32 / 2), ring]);
        self.memory.budget = BUDGET;
        self.gpu.clear_states_loaded();
        self.gpu.set_trace(true);
        let before = self.counts();
        let idle = self.run(&words);
        let open = self.gpu.open_semaphores();
        let left = (open != 0).then_some(Foul::Semaphores(open));
        let foul = self.foul(&before, headers, ring);
        let ended = self
            .gpu
            .trace()
            .last()
            .is_some_and(|(_, header)| header >> 27 == END);
        self.gpu.mmio_read(&mut self.memory, self.now, 0x010);
        let foul = foul.or(left.filter(|_| idle && ended));
        if !(idle && ended) || foul.is_some() {
            self.reset();
        }
        match foul {
            Some(foul) => Err(foul),
            None if idle && ended => Ok(Outcome::Done),
            None => Ok(Outcome::Stopped),
        }
    }

    fn foul(&self, before: &Counts, headers: &[usize], ring: u32) -> Option<Foul> {
        let (stats, after) = (self.gpu.stats(), self.counts());
        let guarded = GUARDED.iter().flat_map(|range| range.clone().step_by(4));
        if let Some(state) = guarded
            .map(|state| state as u32)
            .find(|state| stats.touched(*state))
        {
            return Some(Foul::State(state));
        }
        if let Some(event) = (0..32).find(|event| after.events[*event] != before.events[*event]) {
            return Some(Foul::Event(event));
        }
        if after.blocked != before.blocked {
            return Some(Foul::Blocked);
        }
        // The stream, command by command; then the LINK and the ring, if they were executed.
        let link = ring - 8;
        let mut expected = headers.iter().map(|offset| CODE + *offset as u32);
        for (n, (address, header)) in self.gpu.trace().iter().enumerate() {
            match *address {
                CODE.. if *address < link => {
                    if RING_COMMANDS.contains(&(header >> 27)) {
                        return Some(Foul::Command(header >> 27));
                    }
                    if expected.next() != Some(*address) {
                        return Some(Foul::Differs(n));
                    }
                }
                at if at == link => {
                    if expected.next().is_some() {
                        return Some(Foul::Differs(n));
                    }
                }
                at if (ring..ring + 0x100).contains(&at) => {}
                at => return Some(Foul::Left(at)),
            }
        }
        if after.illegal != before.illegal {
            return Some(Foul::Illegal);
        }
        (after.starved != before.starved).then_some(Foul::Starved)
    }
}
