// SPDX-License-Identifier: BSD-2-Clause
//! A core's part of the command memory: a ring of two pages, and room for clients' streams.
//!
//! The front end always runs in the ring: `WAIT n; LINK` to that WAIT is idling. A job is written behind it, and
//! then the WAIT is overwritten by a LINK to it, two words at once. A job is `[switch, flush], LINK` to the
//! stream, whose last pair LINKs back to `flush, stall, EVENT, WAIT, LINK`. Where counters are to be read the front
//! end is stopped by `EVENT, END`. Facts: docs/hw/etnaviv.md, Front end.

use crate::features::Features;
use crate::identity::Identity;
use crate::mmu::{Mmu, Version, COMMAND_BYTES};
use crate::perfmon_tables::Pipe;
use drmkpi::os::PageRun;
use drmkpi::util::int_conv::{low32, usize_of, usize_of_u32};

/// Cores that share the command memory.
pub(crate) const CORES: usize = 4;
/// Command memory of one core.
const BYTES: u32 = 256 * 1024;
/// Room for the jobs of all events: what is overwritten at the turn was left long ago.
const RING_BYTES: u32 = 8192;
const RING_PAIRS: u32 = RING_BYTES / 8;
/// Bytes of a ring.
pub(crate) const RING_SIZE: usize = usize_of_u32(RING_BYTES);
/// Streams are placed in granules of this many bytes.
const GRANULE: u32 = 4096;
const GRANULES: u32 = 62;
/// The longest stream that a client can submit, in words (128 KiB, as in Linux).
pub(crate) const MAX_STREAM_WORDS: usize = 32 * 1024;

const LOAD_ONE: u32 = 0x0801_0000;
const END: u32 = 0x1000_0000;
const WAIT: u32 = 0x3800_0000;
const LINK: u32 = 0x4000_0000;
const STALL: u32 = 0x4800_0000;

const MMU_CONFIG: u32 = 0x184;
const MMU_SAFE_ADDRESS: u32 = 0x180;
/// CONFIGURATION: leave the mode alone, flush.
const MMU_KEEP_MODE: u32 = 1 << 3;
const MMU_FLUSH: u32 = 1 << 4;
const PTA_CONFIG: u32 = 0x1ac;
const TS_FLUSH_CACHE: u32 = 0x1650;
const GL_PIPE_SELECT: u32 = 0x3800;
const GL_EVENT: u32 = 0x3804;
const GL_SEMAPHORE: u32 = 0x3808;
const GL_FLUSH_CACHE: u32 = 0x380c;
const GL_FLUSH_MMU: u32 = 0x3810;
/// MMUv1: of every unit.
const FLUSH_MMU_ALL: u32 = 0x1f;
/// Depth, colour, shader L1.
const FLUSH_3D: u32 = 1 | 2 | 0x20;
/// 2D pixel engine.
const FLUSH_2D: u32 = 8;
const BLT_ENABLE: u32 = 0x140b8;
const BLT_SET_COMMAND: u32 = 0x140ac;
const FE_TO_PE: u32 = 1 | 7 << 8;
const FE_TO_BLT: u32 = 1 | 16 << 8;
const EVENT_FROM_PE: u32 = 1 << 6;

/// A command of two words.
type Pair = [u32; 2];

fn load(state: u32, value: u32) -> Pair {
    [LOAD_ONE | state >> 2, value]
}

/// Waits between engines: semaphore and stall.
fn stall(token: u32) -> [Pair; 2] {
    [load(GL_SEMAPHORE, token), [STALL, token]]
}

/// Where a front end is to be started, and how many pairs to fetch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) address: u32,
    pub(crate) prefetch: u32,
}

/// What the core must be told before a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Switch {
    /// Load the page table with this number.
    pub(crate) table: Option<u32>,
    /// Root of the page table that is loaded then.
    pub(crate) root: u64,
    /// Forget translations.
    pub(crate) flush: bool,
    /// Draw with this.
    pub(crate) pipe: Option<Pipe>,
}

/// A job, as the ring sees it.
pub(crate) struct Program<'a> {
    pub(crate) place: Place,
    pub(crate) stream: &'a [u32],
    pub(crate) switch: Switch,
    pub(crate) pipe: Pipe,
    /// The event at its end.
    pub(crate) event: u32,
    /// Events at which the front end stops: before the stream, and after it.
    pub(crate) stops: Option<[u32; 2]>,
}

/// Where the ring and the streams of a core are. Guarded by its job lock.
pub(crate) struct Ring {
    version: Version,
    has_blt: bool,
    wait_cycles: u32,
    /// GPU address of the core's part.
    va: u32,
    /// First word of it in the command memory.
    base: usize,
    /// The next free pair.
    next: u32,
    /// The WAIT in which the front end idles.
    wait: u32,
    /// A bit for each granule that is in use.
    used: u64,
}

/// Granules of one stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place(u64);

/// HW: an idle front end looks at memory every 30 us or so (docs/hw/etnaviv.md, Front end).
fn wait_cycles(core_hz: Option<u64>) -> u32 {
    let hz = core_hz.unwrap_or(500_000_000);
    u32::try_from(hz >> 15).unwrap_or(0xffff).clamp(200, 0xffff)
}

impl Ring {
    /// The empty ring of core number `index`.
    pub(crate) fn new(mmu: &Mmu, core: &Identity, index: u32, core_hz: Option<u64>) -> Ring {
        let offset = index.wrapping_mul(BYTES);
        Ring {
            version: mmu.version(),
            has_blt: core.features.contains(Features::BLT_ENGINE),
            wait_cycles: wait_cycles(core_hz),
            va: mmu.command_va().wrapping_add(offset),
            base: usize_of_u32(offset / 4),
            next: 0,
            wait: 0,
            used: 0,
        }
    }

    /// After a reset: nothing is there.
    pub(crate) fn clear(&mut self) {
        (self.next, self.wait, self.used) = (0, 0, 0);
    }

    fn address(&self, pair: u32) -> u32 {
        self.va.wrapping_add(pair.wrapping_mul(8))
    }

    fn pair(&self, memory: &PageRun, at: u32, [low, high]: Pair) {
        let word = self.base.wrapping_add(usize_of_u32(at.wrapping_mul(2)));
        memory.store_pair(word, low, high);
    }

    /// Writes the program that loads the first page table, to be run before addresses are translated. None where
    /// registers do it all.
    pub(crate) fn write_first_switch(
        &self,
        mmu: &Mmu,
        core: &Identity,
        slot: u32,
        root: u64,
    ) -> Option<Entry> {
        let memory = mmu.commands();
        let mut at = 0u32;
        let mut put = |pair| {
            self.pair(memory, at, pair);
            at = at.wrapping_add(1);
        };
        match self.version {
            Version::V1 => return None,
            Version::V2 => {
                let pipes = [
                    (Features::PIPE_3D, Pipe::Three),
                    (Features::PIPE_2D, Pipe::Two),
                ];
                for (_, pipe) in pipes
                    .into_iter()
                    .filter(|(f, _)| core.features.contains(*f))
                {
                    put(load(GL_PIPE_SELECT, pipe.number()));
                    // HW: the mode bits are zero for tables of 4 KiB.
                    put(load(MMU_CONFIG, low32(root)));
                    put(load(MMU_SAFE_ADDRESS, low32(mmu.safe())));
                    stall(FE_TO_PE).into_iter().for_each(&mut put);
                }
            }
            Version::V2Secure => put(load(PTA_CONFIG, slot)),
        }
        put([END, 0]);
        let physical = low32(memory.pa()).wrapping_add(low32_of(self.base).wrapping_mul(4));
        Some(Entry {
            address: physical,
            prefetch: at,
        })
    }

    /// Writes the idle loop at the start of the ring.
    pub(crate) fn begin(&mut self, memory: &PageRun) -> Entry {
        // Streams may have their places already.
        self.idle(memory, 0);
        Entry {
            address: self.va,
            prefetch: 2,
        }
    }

    /// Has the idle front end stop.
    pub(crate) fn stop(&self, memory: &PageRun) {
        self.pair(memory, self.wait, [END, 0]);
    }

    fn idle(&mut self, memory: &PageRun, at: u32) {
        self.pair(memory, at, [WAIT | self.wait_cycles, 0]);
        self.pair(memory, at.wrapping_add(1), [LINK | 2, self.address(at)]);
        self.wait = at;
        self.next = at.wrapping_add(2);
    }

    /// Room for a stream of `words`, None when there is none now.
    pub(crate) fn place(&mut self, words: usize) -> Option<Place> {
        let bytes = u64::try_from(words).ok()?.checked_mul(4)?.checked_add(16)?;
        let granules = u32::try_from(bytes.div_ceil(u64::from(GRANULE)))
            .ok()
            .filter(|n| *n <= GRANULES)?;
        let mask = u64::MAX.checked_shr(64u32.checked_sub(granules)?)?;
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

    /// Writes a job and has the front end go there. The answer is where it is to be started again after each stop.
    pub(crate) fn queue(&mut self, memory: &PageRun, job: &Program<'_>) -> [Entry; 2] {
        let granule = job.place.0.trailing_zeros();
        let stream_at = RING_BYTES.wrapping_add(granule.wrapping_mul(GRANULE));
        let pairs = u32::try_from(job.stream.len().div_ceil(2)).unwrap_or(0);
        if self.next.saturating_add(LONGEST_JOB) > RING_PAIRS {
            self.next = 0;
        }
        let start = self.next;
        let mut writer = Writer {
            ring: self,
            memory,
            at: start,
        };
        let first_stop = job.stops.map(|[before, _]| writer.stop(before));
        writer.switch(&job.switch);
        writer.put([
            LINK | pairs.wrapping_add(1),
            self.va.wrapping_add(stream_at),
        ]);
        let back = writer.at;
        let mut writer = Writer {
            ring: self,
            memory,
            at: back,
        };
        writer.finish(job.pipe);
        let last_stop = job.stops.map(|[_, after]| writer.stop(after));
        writer.put(load(GL_EVENT, job.event | EVENT_FROM_PE));
        let idle_at = writer.at;
        let old_wait = self.wait;
        self.idle(memory, idle_at);
        let end = self.next;
        // The stream, and behind it the way back.
        let word = self.base.wrapping_add(usize_of_u32(stream_at / 4));
        memory.store(word, job.stream);
        if !job.stream.len().is_multiple_of(2) {
            // The odd word out: a client's stream ends on a pair, so this is the end of nothing.
            memory.store(word.wrapping_add(job.stream.len()), &[0]);
        }
        let tail = (stream_at / 8).wrapping_add(pairs);
        let fetch = |from: u32, to: u32| to.wrapping_sub(from);
        let returned = fetch(back, last_stop.unwrap_or(end));
        self.pair(memory, tail, [LINK | returned, self.address(back)]);
        let first = fetch(start, first_stop.unwrap_or(back));
        // ORDERING: all of it is in memory; now the front end may find it.
        self.pair(memory, old_wait, [LINK | first, self.address(start)]);
        let entry = |at: u32, to: u32| Entry {
            address: self.address(at),
            prefetch: fetch(at, to),
        };
        [
            entry(first_stop.unwrap_or(start), back),
            entry(last_stop.unwrap_or(back), end),
        ]
    }

    /// All words of the ring, for a crash dump, and its GPU address.
    pub(crate) fn words<'a>(&self, memory: &'a PageRun) -> (u32, impl Iterator<Item = u32> + 'a) {
        let base = self.base;
        let words = 0..usize_of_u32(RING_BYTES / 4);
        (
            self.va,
            words.map(move |i| memory.read(base.wrapping_add(i))),
        )
    }

    /// GPU address of a stream.
    pub(crate) fn stream_va(&self, place: Place) -> u32 {
        let granule = place.0.trailing_zeros();
        self.va
            .wrapping_add(RING_BYTES)
            .wrapping_add(granule.wrapping_mul(GRANULE))
    }
}

fn low32_of(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// Writes pairs into the ring, one after another.
struct Writer<'a> {
    ring: &'a Ring,
    memory: &'a PageRun,
    at: u32,
}

impl Writer<'_> {
    fn put(&mut self, pair: Pair) {
        self.ring.pair(self.memory, self.at, pair);
        self.at = self.at.wrapping_add(1);
    }

    fn stall(&mut self, token: u32) {
        stall(token).into_iter().for_each(|pair| self.put(pair));
    }

    /// Stops the front end when everything before is over; the answer is where it goes on.
    fn stop(&mut self, event: u32) -> u32 {
        self.put(load(GL_EVENT, event | EVENT_FROM_PE));
        self.put([END, 0]);
        self.at
    }

    fn switch(&mut self, switch: &Switch) {
        match self.ring.version {
            Version::V1 if switch.flush => self.put(load(GL_FLUSH_MMU, FLUSH_MMU_ALL)),
            Version::V2 if switch.flush => {
                self.put(load(
                    MMU_CONFIG,
                    low32(switch.root) | MMU_KEEP_MODE | MMU_FLUSH,
                ));
                self.stall(FE_TO_PE);
            }
            Version::V2Secure => {
                if let Some(slot) = switch.table {
                    self.put(load(PTA_CONFIG, slot));
                }
                if switch.flush {
                    self.put(load(MMU_CONFIG, MMU_KEEP_MODE | MMU_FLUSH));
                    self.stall(FE_TO_PE);
                }
            }
            Version::V1 | Version::V2 => (),
        }
        if let Some(pipe) = switch.pipe {
            // Its caches are clean: each job ends with that.
            self.put(load(GL_PIPE_SELECT, pipe.number()));
        }
    }

    /// Caches are written back and engines have finished.
    fn finish(&mut self, pipe: Pipe) {
        match pipe {
            Pipe::Three => {
                self.put(load(GL_FLUSH_CACHE, FLUSH_3D));
                if self.ring.has_blt {
                    // HW: with a BLT engine the flush of tile status does nothing, and this does it.
                    self.put(load(BLT_ENABLE, 1));
                    self.put(load(BLT_SET_COMMAND, 1));
                    self.put(load(BLT_ENABLE, 0));
                } else {
                    self.put(load(TS_FLUSH_CACHE, 1));
                }
            }
            Pipe::Two => self.put(load(GL_FLUSH_CACHE, FLUSH_2D)),
            Pipe::Vector => (),
        }
        self.stall(FE_TO_PE);
        if self.ring.has_blt {
            self.put(load(BLT_ENABLE, 1));
            self.stall(FE_TO_BLT);
            self.put(load(BLT_ENABLE, 0));
        }
    }
}

/// Pairs of the longest job: stop 2, switch, flush and pipe 5, LINK, return part 10, stop 2, event, WAIT and LINK.
const LONGEST_JOB: u32 = 23;

const _: () = assert!(RING_PAIRS > (31 + 1) * LONGEST_JOB);
const _: () = assert!(BYTES == RING_BYTES + GRANULES * GRANULE && GRANULES <= 63);
const _: () = assert!(usize_of_u32(BYTES) * CORES == usize_of(COMMAND_BYTES));
const _: () = assert!(usize_of_u32(GRANULES * GRANULE) > MAX_STREAM_WORDS * 4 + 16);
