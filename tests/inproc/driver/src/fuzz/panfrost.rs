// SPDX-License-Identifier: BSD-2-Clause
//! panfrost for the fuzzers.

use super::{is_of_buffers, table, Code, Gpu, Job, Made, HEAP};
use crate::panfrost::{self, null, write_zero, Rig};
use crate::{errno, long, Client, Result, MS};
use drm_os_host::{Config, Mapping};
use drmboard::Board;
use models::Injection;
use seeded::Random;

/// Jobs that fit into a page of code.
const CHAINS: u64 = 64;

/// A board with a Mali.
pub struct Panfrost(Rig);

impl Panfrost {
    /// A board.
    pub fn new(board: &str, config: Config) -> Panfrost {
        Panfrost(Rig::with(board, config))
    }

    /// Legacy tables, levels 0 to 3: type 3 is a table, 1 a leaf.
    fn walk(&self, pa: u64, level: u32) -> u64 {
        let entries = table(&self.0, pa, self.0.world().is_page(pa), 4096);
        let pages = entries.chunks_exact(8).map(|entry| {
            let entry = long(entry, 0);
            let to = entry & 0xff_ffff_f000;
            match entry & 3 {
                3 if level < 3 => self.walk(to, level + 1),
                1 if level == 2 => is_of_buffers(&self.0, to & !0x1f_ffff, 0..512),
                1 if level == 3 => is_of_buffers(&self.0, to, 0..1),
                _ => 0,
            }
        });
        pages.sum()
    }
}

impl Gpu for Panfrost {
    fn board(&self) -> &Board {
        &self.0
    }

    fn create(&self, client: &Client, random: &mut Random) -> Result<Made> {
        let pages = 1 << random.below(10);
        let flags = [0, 1, 1, 3][random.below(4) as usize];
        let mappable = flags != 3;
        let size = if mappable { pages << 12 } else { HEAP as u32 };
        let (handle, _) = panfrost::Client::from(client.clone()).create_bo(size, flags)?;
        Ok(Made {
            handle,
            size: u64::from(size),
            mappable,
        })
    }

    fn map(&self, client: &Client, handle: u32, size: u64) -> Result<Mapping> {
        let offset = panfrost::Client::from(client.clone()).map_offset(handle)?;
        client.file.mmap(offset, size)
    }

    fn advise(&self, client: &Client, handle: u32, advice: u32) -> Result<bool> {
        panfrost::Client::from(client.clone()).madvise(handle, advice)
    }

    fn code(&self, client: &Client) -> Result<Code> {
        let pan = panfrost::Client::from(client.clone());
        let (handle, va) = pan.create_bo(4096, 0)?;
        let locked = || {
            let map = self.map(client, handle, 4096)?;
            // It is not freed under the writer, even if a thread marks this handle as not needed.
            map.set_locked(true);
            match pan.madvise(handle, 2)? {
                true => Ok(map),
                false => Err(errno::ENXIO),
            }
        };
        let map = locked().inspect_err(|_| {
            let _ = client.close(handle);
        })?;
        Ok(Code {
            handle: Some(handle),
            va,
            map: Some(map),
            next: 0,
        })
    }

    fn submit(&self, client: &Client, code: &mut Code, job: &Job<'_>) -> Result<()> {
        let pan = panfrost::Client::from(client.clone());
        let at = code.next % CHAINS * 64;
        code.next += 1;
        let chain = match job.bos.first() {
            None => null(0),
            Some(_) if job.astray => write_zero(0x7000_0000, 0),
            Some(handle) => write_zero(pan.va(*handle)? + (job.any & 1) * (2 << 20), 0),
        };
        if let Some(map) = &code.map {
            map.write(at as usize, &chain);
        }
        let bos: Vec<u32> = code
            .handle
            .into_iter()
            .chain(job.bos.iter().copied())
            .collect();
        pan.submit(code.va + at, job.any & 2 != 0, &bos, job.waits, job.done)
    }

    fn wait(&self, client: &Client, handle: u32, ns: u64, _any: u64) -> Result<()> {
        panfrost::Client::from(client.clone()).wait(handle, ns)
    }

    fn plant(&self, random: &mut Random, harmless: bool) {
        let line = random.below(3) as usize;
        let slot = random.below(2) as usize;
        let n = random.below(8);
        let harmless = if harmless { 5 } else { 8 };
        self.0.plant(match random.below(harmless) {
            0 => Injection::SpuriousIrq { line },
            1 => Injection::LateIrq { line, ns: MS },
            2 => Injection::PageFaultAtAccess(n),
            3 => Injection::BusErrorAt(n),
            4 => Injection::JobFault { slot, code: 0x58 },
            5 => Injection::AsStuck(line),
            6 => Injection::LoseIrq { line },
            _ => Injection::HangNextJob { slot },
        });
    }

    fn look(&self) -> u64 {
        let roots = self.0.with_mali(|mali| mali.tables()).expect("a Mali");
        roots.into_iter().map(|root| self.walk(root, 0)).sum()
    }

    fn finish(self: Box<Self>) {
        self.0.finish();
    }
}
