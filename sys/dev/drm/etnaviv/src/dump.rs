// SPDX-License-Identifier: BSD-2-Clause
//! The dump of a crash: headers, then the data that they point to, all of it little-endian. A header has 32 bytes:
//!
//! ```text
//! magic "ETNA", type, offset in the file, size: u32; GPU address: u64; two words of no use here: u32
//! ```
//!
//! Types: 0 registers (pairs of offset and value), 2 the ring, 3 the guilty job's stream, 5 one of its buffers,
//! 6 the end. It is the format of etnaviv's dumps on Linux, for its decoders to be used, without page tables and
//! without physical addresses (types 1 and 4). Buffers that would make the dump longer than 4 MiB have no data.

use crate::bo::EtnavivGem;
use crate::gpu_core::Core;
use crate::ops;
use drm_sched::JobId;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::util::errno::{Result, EINVAL};
use drmkpi::util::int_conv::{u64_of, usize_of, usize_of_u32};

const MAGIC: u32 = 0x414e_5445;
const HEADER: usize = 32;
const REGISTERS: u32 = 0;
const RING: u32 = 2;
const STREAM: u32 = 3;
const BUFFER: u32 = 5;
const END: u32 = 6;
/// Bytes of a dump at the most.
const LIMIT: usize = 4 << 20;
/// Buffers in a dump at the most.
const BUFFERS: usize = 256;
/// No list of physical pages.
const NO_PAGES: u32 = u32::MAX;

/// What the guilty job had.
struct Guilty {
    /// GPU address of its stream, and its words.
    stream: Option<(u32, usize)>,
    /// GPU addresses and buffers.
    buffers: KVec<(u64, Arc<EtnavivGem>)>,
}

/// Keeps a dump of a core that is about to be reset, unless there is one.
pub(crate) fn keep(core: &Core, guilty: Option<JobId>) {
    core.shared.dump.keep(|| {
        let guilty = look_at(core, guilty)?;
        let mut file = File::new(core, &guilty)?;
        file.registers(core)?;
        file.ring(core)?;
        file.stream(core, &guilty)?;
        for (va, gem) in guilty.buffers.iter() {
            file.buffer(*va, gem)?;
        }
        file.end()
    });
}

fn look_at(core: &Core, guilty: Option<JobId>) -> Result<Guilty> {
    // Allocated before the lock is taken.
    let mut buffers = KVec::with_capacity(core.os(), BUFFERS)?;
    let mut stream = None;
    let engine = core.runner.lock();
    if let Some((id, job)) = guilty.and_then(|id| Some((id, engine.sched.job(id)?))) {
        let words = job.payload.stream.words().len();
        stream = engine.hw.stream_of(id).map(|va| (va, words));
        for (gem, used) in job.payload.gems.iter().zip(job.payload.uses.iter()) {
            // No more than there is room for: the lock is held.
            if buffers.len() >= BUFFERS || buffers.push((used.start(), gem.clone())).is_err() {
                break;
            }
        }
    }
    drop(engine);
    Ok(Guilty { stream, buffers })
}

/// A dump in the making.
struct File {
    bytes: KVec<u8>,
    /// Where the next header goes, and the next data.
    header: usize,
    data: usize,
}

impl File {
    fn new(core: &Core, guilty: &Guilty) -> Result<File> {
        // Registers, ring, stream, end.
        let headers = guilty
            .buffers
            .len()
            .saturating_add(4)
            .saturating_mul(HEADER);
        let buffers = guilty.buffers.iter().map(|(_, gem)| gem.buffer().size());
        let fixed = headers.saturating_add(FIXED_DATA);
        let wanted = buffers.fold(u64_of(fixed), u64::saturating_add);
        let size = usize_of(wanted).min(LIMIT);
        Ok(File {
            bytes: KVec::filled(core.os(), 0, size)?,
            header: 0,
            data: headers,
        })
    }

    fn put(&mut self, at: usize, bytes: &[u8]) -> Result<()> {
        let end = at.checked_add(bytes.len()).ok_or(EINVAL)?;
        let to = self.bytes.get_mut(at..end).ok_or(EINVAL)?;
        to.copy_from_slice(bytes);
        Ok(())
    }

    /// A header for `size` bytes of data, which are to be at the answer.
    fn section(&mut self, kind: u32, va: u64, size: usize) -> Result<usize> {
        let at = self.data;
        let number = |n: usize| u32::try_from(n).map_err(|_| EINVAL);
        let words = [MAGIC, kind, number(at)?, number(size)?];
        for word in words {
            self.put(self.header, &word.to_le_bytes())?;
            self.header = self.header.saturating_add(4);
        }
        self.put(self.header, &va.to_le_bytes())?;
        let behind = self.header.saturating_add(8);
        self.put(behind, &NO_PAGES.to_le_bytes())?;
        self.header = behind.saturating_add(8);
        self.data = at.saturating_add(size);
        Ok(at)
    }

    fn words(&mut self, mut at: usize, words: impl Iterator<Item = u32>) -> Result<()> {
        for word in words {
            self.put(at, &word.to_le_bytes())?;
            at = at.saturating_add(4);
        }
        Ok(())
    }

    fn registers(&mut self, core: &Core) -> Result<()> {
        let regs = || ops::for_dump(core.regs(), &core.identity);
        let at = self.section(REGISTERS, 0, regs().count().saturating_mul(8))?;
        self.words(at, regs().flat_map(|(register, value)| [register, value]))
    }

    fn ring(&mut self, core: &Core) -> Result<()> {
        let engine = core.runner.lock();
        let (va, words) = engine.hw.ring.words(core.mmu().commands());
        drop(engine);
        let at = self.section(RING, u64::from(va), crate::job::ring::RING_SIZE)?;
        self.words(at, words)
    }

    fn stream(&mut self, core: &Core, guilty: &Guilty) -> Result<()> {
        let Some((va, words)) = guilty.stream else {
            return Ok(());
        };
        let at = self.section(STREAM, u64::from(va), words.saturating_mul(4))?;
        let first = usize_of_u32(va.wrapping_sub(core.mmu().command_va()) / 4);
        let memory = core.mmu().commands();
        self.words(at, (0..words).map(|i| memory.read(first.saturating_add(i))))
    }

    fn buffer(&mut self, va: u64, gem: &EtnavivGem) -> Result<()> {
        let size = usize_of(gem.buffer().size());
        let fits = self
            .data
            .checked_add(size)
            .is_some_and(|end| end <= self.bytes.len());
        let start = self.data;
        if !fits {
            return self.section(BUFFER, va, 0).map(drop);
        }
        if let Some(to) = self.bytes.get_mut(start..start.saturating_add(size)) {
            if gem.buffer().object().read(0, to).is_err() {
                return self.section(BUFFER, va, 0).map(drop);
            }
        }
        self.section(BUFFER, va, size).map(drop)
    }

    fn end(mut self) -> Result<KVec<u8>> {
        self.section(END, 0, 0)?;
        self.bytes.truncate(self.data);
        Ok(self.bytes)
    }
}

/// Bytes of registers, ring and the longest stream.
const FIXED_DATA: usize =
    1024 + crate::job::ring::RING_SIZE + crate::job::ring::MAX_STREAM_WORDS * 4;

const _: () = assert!(FIXED_DATA + (BUFFERS + 4) * HEADER < LIMIT);
