// SPDX-License-Identifier: BSD-2-Clause
//! Crash dumps: headers, followed by the data that they point to, all of it little-endian. A header
//! has 32 bytes:
//!
//! ```text
//! magic "ETNA", type, offset in the file, size: u32; GPU address: u64; two unused words: u32
//! ```
//!
//! Types: 0 registers (pairs of offset and value), 2 the ring, 3 the stream of the guilty job, 5
//! one of its buffers, 6 the end. This is the format of etnaviv's dumps on Linux, so that its
//! decoders can be used, without page tables and physical addresses (types 1 and 4). Buffers that
//! would make the dump longer than 4 MiB are listed without data.

use crate::core_ops;
use crate::gpu_core::Core;
use drm_sched::JobId;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::mem::buffer::Buffer;
use drmkpi::util::errno::{Result, EINVAL};
use drmkpi::util::int_conv::{u64_of, usize_of, usize_of_u32};

const MAGIC: u32 = 0x414e_5445;
const HEADER: usize = 32;
const REGISTERS: u32 = 0;
const RING: u32 = 2;
const STREAM: u32 = 3;
const BUFFER: u32 = 5;
const END: u32 = 6;
/// The largest dump, in bytes.
const LIMIT: usize = 4 << 20;
/// The largest number of buffers in a dump.
const BUFFERS: usize = 256;
/// There is no list of physical pages.
const NO_PAGES: u32 = u32::MAX;

/// The stream and the buffers of the guilty job.
struct Guilty {
    /// GPU address of its stream, and the number of its words.
    stream: Option<(u32, usize)>,
    /// GPU addresses and buffers.
    buffers: KVec<(u64, Arc<Buffer>)>,
}

/// Makes a dump of a core that is about to be reset, unless the device has one already.
pub(crate) fn keep(core: &Core, guilty: Option<JobId>) {
    core.shared.dump.keep(|| {
        let guilty = Guilty::find(core, guilty)?;
        let mut file = File::new(core, &guilty)?;
        file.registers(core)?;
        file.ring(core)?;
        file.stream(core, &guilty)?;
        for (va, buffer) in guilty.buffers.iter() {
            file.buffer(*va, buffer)?;
        }
        file.end()
    });
}

impl Guilty {
    fn find(core: &Core, guilty: Option<JobId>) -> Result<Guilty> {
        // Allocated before the lock is taken.
        let mut buffers = KVec::with_capacity(core.os(), BUFFERS)?;
        let mut places = KVec::with_capacity(core.os(), BUFFERS)?;
        let (mut stream, mut vm) = (None, None);
        let engine = core.runner.lock();
        if let Some((id, job)) = guilty.and_then(|id| Some((id, engine.sched.job(id)?))) {
            let words = job.payload.stream.as_ref().map(|s| s.words().len());
            stream = engine.hw.stream_of(id).zip(words);
            vm = Some(job.payload.vm.clone());
            // Only as many as there is room for: nothing is allocated under the lock.
            for place in job.payload.uses.places().iter().take(BUFFERS) {
                places.push(*place)?;
            }
        }
        drop(engine);
        // Until the reset the job uses them. Otherwise others may have their addresses.
        for place in places.iter() {
            if let Some(buffer) = vm.as_ref().and_then(|vm| vm.buffer_at(*place)) {
                buffers.push((u64::from(place.start), buffer))?;
            }
        }
        Ok(Guilty { stream, buffers })
    }
}

/// A dump that is being written.
struct File {
    bytes: KVec<u8>,
    /// The offset of the next header.
    header: usize,
    /// The offset of the next data.
    data: usize,
}

/// The sum of an offset and a size.
fn sum(at: usize, bytes: usize) -> Result<usize> {
    at.checked_add(bytes).ok_or(EINVAL)
}

/// The size of `count` items of `bytes` bytes.
fn product(count: usize, bytes: usize) -> Result<usize> {
    count.checked_mul(bytes).ok_or(EINVAL)
}

impl File {
    fn new(core: &Core, guilty: &Guilty) -> Result<File> {
        // One for each buffer, and those of registers, ring, stream and end.
        let headers = product(sum(guilty.buffers.len(), 4)?, HEADER)?;
        let buffers = guilty.buffers.iter().map(|(_, buffer)| buffer.size());
        let fixed = sum(headers, FIXED_DATA)?;
        // OVERFLOW: saturates, above LIMIT.
        let wanted = buffers.fold(u64_of(fixed), u64::saturating_add);
        let size = usize_of(wanted).min(LIMIT);
        Ok(File {
            bytes: KVec::filled(core.os(), 0, size)?,
            header: 0,
            data: headers,
        })
    }

    fn put(&mut self, at: usize, bytes: &[u8]) -> Result<()> {
        let to = self.bytes.get_mut(at..sum(at, bytes.len())?);
        let to = to.ok_or(EINVAL)?;
        to.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes a header for `size` bytes of data, and returns their offset.
    fn section(&mut self, kind: u32, va: u64, size: usize) -> Result<usize> {
        let at = self.data;
        let number = |n: usize| u32::try_from(n).map_err(|_| EINVAL);
        let words = [MAGIC, kind, number(at)?, number(size)?];
        for word in words {
            self.put(self.header, &word.to_le_bytes())?;
            self.header = sum(self.header, 4)?;
        }
        self.put(self.header, &va.to_le_bytes())?;
        let pages = sum(self.header, 8)?;
        self.put(pages, &NO_PAGES.to_le_bytes())?;
        self.header = sum(pages, 8)?;
        self.data = sum(at, size)?;
        Ok(at)
    }

    fn words(&mut self, mut at: usize, words: impl Iterator<Item = u32>) -> Result<()> {
        for word in words {
            self.put(at, &word.to_le_bytes())?;
            at = sum(at, 4)?;
        }
        Ok(())
    }

    fn registers(&mut self, core: &Core) -> Result<()> {
        let regs = || core_ops::for_dump(core.regs(), &core.identity);
        let at = self.section(REGISTERS, 0, product(regs().count(), 8)?)?;
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
        let at = self.section(STREAM, u64::from(va), product(words, 4)?)?;
        let offset = va.checked_sub(core.mmu().command_va()).ok_or(EINVAL)?;
        let first = usize_of_u32(offset / 4);
        let memory = core.mmu().commands();
        let words = first..sum(first, words)?;
        self.words(at, words.map(|word| memory.read(word)))
    }

    fn buffer(&mut self, va: u64, buffer: &Buffer) -> Result<()> {
        let size = usize_of(buffer.size());
        let end = self.data.checked_add(size);
        let room = end.and_then(|end| self.bytes.get_mut(self.data..end));
        let copied = room.is_some_and(|to| buffer.object().read(0, to).is_ok());
        let size = if copied { size } else { 0 };
        self.section(BUFFER, va, size).map(drop)
    }

    fn end(mut self) -> Result<KVec<u8>> {
        self.section(END, 0, 0)?;
        self.bytes.truncate(self.data);
        Ok(self.bytes)
    }
}

/// The size of registers, ring and the longest stream, in bytes.
const FIXED_DATA: usize =
    1024 + crate::job::ring::RING_SIZE + crate::job::ring::MAX_STREAM_WORDS * 4;

const _: () = assert!(FIXED_DATA + (BUFFERS + 4) * HEADER < LIMIT);
