// SPDX-License-Identifier: BSD-2-Clause
//! The kernel's command memory: a ring of two pages, and room for clients' streams.
//!
//! The front end always runs in the ring: `WAIT n; LINK` to that WAIT is idling. A job is written behind it, and
//! then the WAIT is overwritten by a LINK to it, two words at once. A job is `[switch, flush], LINK` to the
//! stream, whose last pair LINKs back to `flush, stall, EVENT, WAIT, LINK`. Facts: sections 2.7, 2.8, 5.

use drmkpi::buffer::Buffer;
use drmkpi::errno::Result;
use drmkpi::num::{usize_of, usize_of_u32};
use drmkpi::os::{KernelMap, PAGE_SIZE};

/// GPU address of the command memory, in every address space; below all that clients can choose.
pub(crate) const VA: u32 = 0x1000;
/// Room for the jobs of all events: what is overwritten at the turn was left long ago.
const RING_BYTES: u32 = 8192;
const RING_PAIRS: u32 = RING_BYTES / 8;
/// Streams are placed in granules of this many bytes.
const GRANULE: u32 = 4096;
const GRANULES: u32 = 126;
/// All of the command memory.
pub(crate) const BYTES: u64 = 128 * 4096;
/// The longest stream that a client can submit, in words (128 KiB, as in Linux).
pub(crate) const MAX_STREAM_WORDS: usize = 32 * 1024;

const LOAD_ONE: u32 = 0x0801_0000;
const END: u32 = 0x1000_0000;
const WAIT: u32 = 0x3800_0000;
const LINK: u32 = 0x4000_0000;
const STALL: u32 = 0x4800_0000;
/// About 30 us at 800 MHz.
const WAIT_CYCLES: u32 = 24_414;

const MMU_CONFIG: u32 = 0x184;
const MMU_FLUSH: u32 = 1 << 3 | 1 << 4;
const PTA_CONFIG: u32 = 0x1ac;
const GL_EVENT: u32 = 0x3804;
const GL_SEMAPHORE: u32 = 0x3808;
const GL_FLUSH_CACHE: u32 = 0x380c;
/// Depth, colour, shader L1.
const FLUSH_3D: u32 = 1 | 2 | 0x20;
const BLT_ENABLE: u32 = 0x140b8;
const BLT_SET_COMMAND: u32 = 0x140ac;
const FE_TO_PE: u32 = 1 | 7 << 8;
const FE_TO_BLT: u32 = 1 | 16 << 8;
const EVENT_FROM_PE: u32 = 1 << 6;

fn load(state: u32, value: u32) -> [u32; 2] {
    [LOAD_ONE | state >> 2, value]
}

/// Waits between engines: semaphore and stall.
fn stall(token: u32) -> [[u32; 2]; 2] {
    [load(GL_SEMAPHORE, token), [STALL, token]]
}

/// What the MMU must be told before a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Switch {
    /// Load this page table.
    pub(crate) table: Option<u32>,
    /// Forget translations.
    pub(crate) flush: bool,
}

/// The command memory, mapped.
pub(crate) struct CommandMemory {
    map: KernelMap,
    ring_pa: u64,
}

/// Where the ring and the streams are. Guarded by the job lock.
pub(crate) struct Ring {
    /// The next free pair.
    next: u32,
    /// The WAIT in which the front end idles.
    wait: u32,
    /// A bit for each granule that is in use.
    used: u128,
}

/// Granules of one stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place(u128);

impl CommandMemory {
    /// Maps the buffer that is the command memory.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(buffer: &Buffer) -> Result<CommandMemory> {
        let mut first = [0];
        buffer.wire(0, &mut first)?;
        let [ring_pa] = first;
        Ok(CommandMemory {
            map: buffer.object().kernel_map()?,
            ring_pa,
        })
    }

    /// The ring's physical address, for the time before the MMU is on.
    pub(crate) fn ring_pa(&self) -> u64 {
        self.ring_pa
    }

    fn pair(&self, at: u32, [low, high]: [u32; 2]) {
        self.map.store_pair(usize_of_u32(at.wrapping_mul(2)), low, high);
    }

    /// Writes the program that loads the first page table: run at the start of the ring, by physical address.
    pub(crate) fn write_first_switch(&self, table: u32) {
        self.pair(0, load(PTA_CONFIG, table));
        self.pair(1, [END, 0]);
    }
}

impl Ring {
    /// An empty ring.
    pub(crate) const fn new() -> Ring {
        Ring {
            next: 0,
            wait: 0,
            used: 0,
        }
    }

    /// Writes the idle loop at the start of the ring. The answer: where to start, and how many pairs to fetch.
    pub(crate) fn begin(&mut self, memory: &CommandMemory) -> (u32, u32) {
        // Streams may have their places already.
        self.idle(memory, 0);
        (VA, 2)
    }

    fn idle(&mut self, memory: &CommandMemory, at: u32) {
        memory.pair(at, [WAIT | WAIT_CYCLES, 0]);
        memory.pair(at.wrapping_add(1), [LINK | 2, address(at)]);
        self.wait = at;
        self.next = at.wrapping_add(2);
    }

    /// Room for a stream of `words`, None when there is none now.
    pub(crate) fn place(&mut self, words: usize) -> Option<Place> {
        let bytes = u64::try_from(words).ok()?.checked_mul(4)?.checked_add(16)?;
        let granules = u32::try_from(bytes.div_ceil(u64::from(GRANULE)))
            .ok()
            .filter(|n| *n <= GRANULES)?;
        let mask = u128::MAX.checked_shr(128u32.checked_sub(granules)?)?;
        let last = GRANULES.checked_sub(granules)?;
        let at = (0..=last).find(|at| self.used & mask.wrapping_shl(*at) == 0)?;
        let place = mask.wrapping_shl(at);
        self.used |= place;
        Some(Place(place))
    }

    /// The stream is not fetched any more.
    pub(crate) fn free(&mut self, place: Place) {
        self.used &= !place.0;
    }

    /// Writes a job and has the front end go there.
    pub(crate) fn queue(
        &mut self,
        memory: &CommandMemory,
        place: Place,
        stream: &[u32],
        switch: Switch,
        event: u32,
    ) {
        let granule = place.0.trailing_zeros();
        let stream_at = RING_BYTES.wrapping_add(granule.wrapping_mul(GRANULE));
        let pairs = u32::try_from(stream.len().div_ceil(2)).unwrap_or(0);
        if self.next.saturating_add(LONGEST_JOB) > RING_PAIRS {
            self.next = 0;
        }
        let start = self.next;
        let mut at = start;
        let mut put = |pair| {
            memory.pair(at, pair);
            at = at.wrapping_add(1);
        };
        if let Some(table) = switch.table {
            put(load(PTA_CONFIG, table));
        }
        if switch.flush {
            put(load(MMU_CONFIG, MMU_FLUSH));
            stall(FE_TO_PE).into_iter().for_each(&mut put);
        }
        put([LINK | pairs.wrapping_add(1), VA.wrapping_add(stream_at)]);
        let back = at;
        let mut put = |pair| {
            memory.pair(at, pair);
            at = at.wrapping_add(1);
        };
        put(load(GL_FLUSH_CACHE, FLUSH_3D));
        put(load(BLT_ENABLE, 1));
        put(load(BLT_SET_COMMAND, 1));
        put(load(BLT_ENABLE, 0));
        stall(FE_TO_PE).into_iter().for_each(&mut put);
        put(load(BLT_ENABLE, 1));
        stall(FE_TO_BLT).into_iter().for_each(&mut put);
        put(load(BLT_ENABLE, 0));
        put(load(GL_EVENT, event | EVENT_FROM_PE));
        let idle_at = at;
        let old_wait = self.wait;
        self.idle(memory, idle_at);
        let return_pairs = idle_at.wrapping_add(2).wrapping_sub(back);
        // The stream, and behind it the way back.
        memory.map.store(usize_of_u32(stream_at / 4), stream);
        let tail = stream_at / 8;
        let tail = tail.wrapping_add(pairs);
        if !stream.len().is_multiple_of(2) {
            // The odd word out: a client's stream ends on a pair, so this is the end of nothing.
            memory
                .map
                .store(usize_of_u32(stream_at / 4).wrapping_add(stream.len()), &[0]);
        }
        memory.pair(tail, [LINK | return_pairs, address(back)]);
        // ORDERING: all of it is in memory; now the front end may find it.
        memory.pair(old_wait, [LINK | back.wrapping_sub(start), address(start)]);
    }
}

const _: () = assert!(RING_PAIRS > (31 + 1) * LONGEST_JOB);

/// Pairs of the longest job: switch and flush 4, LINK, return part 12, WAIT and LINK.
const LONGEST_JOB: u32 = 20;

fn address(pair: u32) -> u32 {
    VA.wrapping_add(pair.wrapping_mul(8))
}

const _: () = assert!(BYTES.is_multiple_of(PAGE_SIZE) && usize_of(BYTES) / 4 > MAX_STREAM_WORDS);
const _: () =
    assert!(usize_of(BYTES) == usize_of_u32(RING_BYTES) + usize_of_u32(GRANULES) * usize_of_u32(GRANULE));
