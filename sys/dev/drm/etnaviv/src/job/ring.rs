// SPDX-License-Identifier: BSD-2-Clause
//! A core's part of the command memory: a ring of two pages, and space for clients' streams.
//!
//! The front end always executes the ring. While it has no job, it executes `WAIT n` and a LINK
//! back to that WAIT. A job is written after them, and then the WAIT is replaced by a LINK to it,
//! both words at once. A job consists of `[switch, flush], LINK` to the stream, whose last pair
//! LINKs back to `flush, stall, EVENT, WAIT, LINK`. To read counters, `EVENT, END` stops the front
//! end before and after the stream. Facts: docs/hw/etnaviv.md, Front end.
//!
//! All functions are called with the job lock held, and their cost is bounded: `queue` copies a
//! short stream; a long one is in its space already (`fill`), and `queue` writes the LINK after it.
//!
//! All positions are in the command memory, which is far below 4 GiB in size and ends below 4 GiB
//! of GPU address space: see the assertions at the end. A *pair* is a command, two words.

use crate::features::Features;
use crate::identity::Identity;
use crate::job::command::{
    load, stall, Pair, BLT_ENABLE, BLT_SET_COMMAND, END, EVENT_FROM_PE, FE_TO_BLT, FE_TO_PE,
    FLUSH_2D, FLUSH_3D, FLUSH_MMU_ALL, GL_EVENT, GL_FLUSH_CACHE, GL_FLUSH_MMU, GL_PIPE_SELECT,
    LINK, MMU_CONFIG, MMU_FLUSH, MMU_KEEP_MODE, MMU_SAFE_ADDRESS, PTA_CONFIG, TS_FLUSH_CACHE, WAIT,
};
use crate::mmu::{Mmu, Version, COMMAND_BYTES};
use crate::perfmon_tables::Pipe;
use drmkpi::os::PageRun;
use drmkpi::util::int_conv::{low32, u64_of, usize_of, usize_of_u32};

/// The largest number of cores, which share the command memory.
pub(crate) const CORES: usize = 4;
/// Command memory of one core.
const BYTES: u32 = 256 * 1024;
/// Enough for as many jobs as there are events: when the ring wraps, the jobs that are overwritten
/// have ended.
const RING_BYTES: u32 = 8192;
const RING_PAIRS: u32 = RING_BYTES / 8;
/// The size of a ring in bytes.
pub(crate) const RING_SIZE: usize = usize_of_u32(RING_BYTES);
/// The unit in which space for streams is allocated, in bytes.
const GRANULE: u32 = 4096;
const GRANULES: u32 = 62;
/// The longest stream that a client can submit, in words (128 KiB, as in Linux).
pub(crate) const MAX_STREAM_WORDS: usize = 32 * 1024;
/// The longest stream that `queue` writes, in words.
pub(crate) const SHORT_STREAM_WORDS: usize = 3 * 1024;

/// Where a front end is started, and the number of pairs to fetch first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FetchStart {
    pub(crate) address: u32,
    pub(crate) prefetch: u32,
}

/// The changes of the core's state before a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Switch {
    /// Load the page table with this number.
    pub(crate) table: Option<u32>,
    /// The root of the page table that is loaded afterwards.
    pub(crate) root: u64,
    /// Flush translations.
    pub(crate) flush: bool,
    /// Select this pipe.
    pub(crate) pipe: Option<Pipe>,
}

/// What the ring needs to know of a job.
pub(crate) struct Program<'a> {
    pub(crate) place: Granules,
    /// The number of words of its stream.
    pub(crate) words: usize,
    /// Its stream, if it is not in its place yet.
    pub(crate) unwritten: &'a [u32],
    pub(crate) switch: Switch,
    pub(crate) pipe: Pipe,
    /// The event that reports its end.
    pub(crate) event: u32,
    /// The events that report that the front end has stopped before the stream, and after it.
    pub(crate) stops: Option<[u32; 2]>,
}

/// The state of a core's part of the command memory. Guarded by its job lock.
pub(crate) struct Ring {
    version: Version,
    has_blt: bool,
    wait_cycles: u32,
    /// GPU address of the core's part.
    va: u32,
    /// The index of its first word in the command memory.
    base: usize,
    /// The index of the next free pair of the ring.
    next: u32,
    /// The index of the WAIT at which the front end idles.
    wait: u32,
    /// A mask of the granules that are in use.
    used: u64,
}

/// The space of one stream: a mask of adjacent granules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Granules(u64);

/// The delay of WAIT. HW: an idle front end fetches about every 30 us (docs/hw/etnaviv.md, Front
/// end).
fn wait_cycles(core_hz: Option<u64>) -> u32 {
    let hz = core_hz.unwrap_or(500_000_000);
    u32::try_from(hz >> 15).unwrap_or(0xffff).clamp(200, 0xffff)
}

impl Ring {
    /// The empty ring of core number `index`.
    pub(crate) fn new(mmu: &Mmu, core: &Identity, index: u32, core_hz: Option<u64>) -> Ring {
        // OVERFLOW: none, for `index` is below CORES.
        let offset = index.wrapping_mul(BYTES);
        Ring {
            version: mmu.version(),
            has_blt: core.features.contains(Features::BLT_ENGINE),
            wait_cycles: wait_cycles(core_hz),
            // OVERFLOW: none, for the command memory ends below 4 GiB.
            va: mmu.command_va().wrapping_add(offset),
            base: usize_of_u32(offset / 4),
            next: 0,
            wait: 0,
            used: 0,
        }
    }

    /// Empties the ring, before a reset. Only `kept` stays reserved.
    pub(crate) fn clear(&mut self, kept: Option<Granules>) {
        (self.next, self.wait) = (0, 0);
        self.used = kept.map_or(0, |place| place.0);
    }

    /// The GPU address of the pair with an index.
    fn address(&self, pair: u32) -> u32 {
        // OVERFLOW: none, for the pair is in the core's part.
        self.va.wrapping_add(pair << 3)
    }

    /// The index of a pair's first word in the command memory.
    fn word(&self, pair: u32) -> usize {
        // OVERFLOW: none, as above; and memory ignores a word that it does not have.
        self.base.wrapping_add(usize_of_u32(pair << 1))
    }

    /// Writes a pair, which the front end sees after `sync`.
    fn put(&self, memory: &PageRun, at: u32, [low, high]: Pair) {
        memory.store_pair(self.word(at), low, high);
    }

    /// Has the front end see `pairs` pairs from pair `at` on.
    fn sync(&self, memory: &PageRun, at: u32, pairs: u32) {
        memory.sync(self.word(at), usize_of_u32(pairs << 1));
    }

    /// Writes a pair that the front end may be about to fetch.
    fn pair(&self, memory: &PageRun, at: u32, pair: Pair) {
        self.put(memory, at, pair);
        self.sync(memory, at, 1);
    }

    /// Writes the program that loads the first page table, which is executed before addresses are
    /// translated. Returns `None` on cores that are set up by registers alone.
    pub(crate) fn write_first_switch(
        &self,
        mmu: &Mmu,
        core: &Identity,
        slot: u32,
        root: u64,
    ) -> Option<FetchStart> {
        let memory = mmu.commands();
        let mut at = 0u32;
        let mut put = |pair| {
            self.put(memory, at, pair);
            // OVERFLOW: none, for the program has a dozen pairs.
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
        self.sync(memory, 0, at);
        let offset = u64_of(self.base).checked_mul(4)?;
        Some(FetchStart {
            address: low32(memory.pa().checked_add(offset)?),
            prefetch: at,
        })
    }

    /// Writes the idle loop at the start of the ring.
    pub(crate) fn begin(&mut self, memory: &PageRun) -> FetchStart {
        // It does not clear the ring: space for the first stream may be reserved already.
        self.idle(memory, 0);
        self.sync(memory, 0, 2);
        FetchStart {
            address: self.va,
            prefetch: 2,
        }
    }

    /// Stops the front end, which is idle.
    pub(crate) fn stop(&self, memory: &PageRun) {
        self.pair(memory, self.wait, [END, 0]);
    }

    /// Writes the idle loop, WAIT and LINK, at pair `at`, which the front end sees after `sync`.
    fn idle(&mut self, memory: &PageRun, at: u32) {
        self.put(memory, at, [WAIT | self.wait_cycles, 0]);
        // OVERFLOW: none, for `queue` leaves room for the longest job.
        self.put(memory, at.wrapping_add(1), [LINK | 2, self.address(at)]);
        self.wait = at;
        // OVERFLOW: as above.
        self.next = at.wrapping_add(2);
    }

    /// Reserves space for a stream of `words` words; `None` if there is no space now.
    pub(crate) fn reserve(&mut self, words: usize) -> Option<Granules> {
        let bytes = u64::try_from(words).ok()?.checked_mul(4)?.checked_add(16)?;
        let granules = u32::try_from(bytes.div_ceil(u64::from(GRANULE)))
            .ok()
            .filter(|n| *n <= GRANULES)?;
        let mask = u64::MAX.checked_shr(64u32.checked_sub(granules)?)?;
        let last = GRANULES.checked_sub(granules)?;
        // OVERFLOW: none, for `last` is below 64.
        let mut masks = (0..=last).map(|at| mask.wrapping_shl(at));
        let place = masks.find(|place| self.used & place == 0)?;
        self.used |= place;
        Some(Granules(place))
    }

    /// Releases the space of a stream that is no longer fetched.
    pub(crate) fn free(&mut self, place: Granules) {
        self.used &= !place.0;
    }

    /// Writes a job and links the idle front end to it. Returns where the front end is started
    /// again after the stop before the stream, and after the one that follows it.
    pub(crate) fn queue(&mut self, memory: &PageRun, job: &Program<'_>) -> [FetchStart; 2] {
        let stream_at = job.place.offset();
        let pairs_of = |words: usize| u32::try_from(words.div_ceil(2)).unwrap_or(0);
        let pairs = pairs_of(job.words);
        if self.next > RING_PAIRS - LONGEST_JOB {
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
        // OVERFLOW: none, for the stream and the LINK after it are in the core's part.
        let fetched = pairs.wrapping_add(1);
        writer.put([LINK | fetched, self.stream_va(job.place)]);
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
        // The stream, followed by a LINK back to the ring. A validated stream consists of whole
        // pairs.
        let stream = stream_at / 8;
        memory.store(self.word(stream), job.unwritten);
        // OVERFLOW: none, for `to` is written after `from`.
        let fetch = |from: u32, to: u32| to.wrapping_sub(from);
        let returned = fetch(back, last_stop.unwrap_or(end));
        // OVERFLOW: none, for the stream is in the core's part.
        let tail = stream.wrapping_add(pairs);
        self.put(memory, tail, [LINK | returned, self.address(back)]);
        let unwritten = pairs_of(job.unwritten.len());
        // OVERFLOW: none, for it is the whole stream, or nothing of it.
        let from = tail.wrapping_sub(unwritten);
        // OVERFLOW: none, as for `fetched`.
        self.sync(memory, from, unwritten.wrapping_add(1));
        self.sync(memory, start, fetch(start, end));
        let first = fetch(start, first_stop.unwrap_or(back));
        // ORDERING: the job is in memory before the front end is linked to it.
        self.pair(memory, old_wait, [LINK | first, self.address(start)]);
        let entry = |at: u32, to: u32| FetchStart {
            address: self.address(at),
            prefetch: fetch(at, to),
        };
        [
            entry(first_stop.unwrap_or(start), back),
            entry(last_stop.unwrap_or(back), end),
        ]
    }

    /// The GPU address and all words of the ring, for a crash dump.
    pub(crate) fn words<'a>(&self, memory: &'a PageRun) -> (u32, impl Iterator<Item = u32> + 'a) {
        // OVERFLOW: none, for the ring is in the command memory.
        let end = self.base.wrapping_add(usize_of_u32(RING_BYTES / 4));
        let words = self.base..end;
        (self.va, words.map(move |word| memory.read(word)))
    }

    /// The index of a stream's first word in the command memory.
    pub(crate) fn stream_word(&self, place: Granules) -> usize {
        self.word(place.offset() / 8)
    }

    /// The GPU address of a stream.
    pub(crate) fn stream_va(&self, place: Granules) -> u32 {
        // OVERFLOW: none, for the stream is in the core's part.
        self.va.wrapping_add(place.offset())
    }
}

impl Granules {
    /// The offset of the first granule in the core's part, in bytes.
    fn offset(self) -> u32 {
        // OVERFLOW: none, for a granule's number is at most 64.
        let granule = self.0.trailing_zeros().wrapping_add(RING_BYTES / GRANULE);
        granule << GRANULE.trailing_zeros()
    }
}

/// Writes pairs into the ring, one after another.
struct Writer<'a> {
    ring: &'a Ring,
    memory: &'a PageRun,
    at: u32,
}

impl Writer<'_> {
    fn put(&mut self, pair: Pair) {
        self.ring.put(self.memory, self.at, pair);
        // OVERFLOW: none, for the longest job fits the ring.
        self.at = self.at.wrapping_add(1);
    }

    fn stall(&mut self, token: u32) {
        stall(token).into_iter().for_each(|pair| self.put(pair));
    }

    /// Stops the front end after all units have finished. Returns the pair after the stop.
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
            // The caches are written back, as they are at the end of each job.
            self.put(load(GL_PIPE_SELECT, pipe.number()));
        }
    }

    /// Writes back the caches and waits for all units.
    fn finish(&mut self, pipe: Pipe) {
        match pipe {
            Pipe::Three => {
                self.put(load(GL_FLUSH_CACHE, FLUSH_3D));
                if self.ring.has_blt {
                    // HW: with a BLT engine this flushes tile status, and TS_FLUSH_CACHE does not.
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

/// Pairs of the longest job: stop 2; switch, flush and pipe 5; LINK 1; return part 10; stop 2;
/// event 1; WAIT and LINK 2.
const LONGEST_JOB: u32 = 23;

const _: () = assert!(RING_PAIRS > (31 + 1) * LONGEST_JOB);
const _: () = assert!(BYTES == RING_BYTES + GRANULES * GRANULE && GRANULES <= 63);
const _: () = assert!(usize_of_u32(BYTES) * CORES == usize_of(COMMAND_BYTES));
const _: () = assert!(usize_of_u32(GRANULES * GRANULE) > MAX_STREAM_WORDS * 4 + 16);
const _: () = assert!(SHORT_STREAM_WORDS <= MAX_STREAM_WORDS / 8);
