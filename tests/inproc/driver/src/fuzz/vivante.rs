// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv for the fuzzers.

use super::{is_of_buffers, table, Code, Gpu, Job, Made};
use crate::etnaviv::stream::{self, Template};
use crate::etnaviv::{
    self, prep, Place, Rig, Submit, UserMemory, BOARDS, BROKEN, CACHED, NONBLOCK, UNCACHED, WC,
};
use crate::{long, word, Client, Result, MS};
use drm_os_host::{Config, Mapping};
use drmboard::Board;
use models::vivante::{Injection, Tables};
use seeded::Random;
use uapi::etnaviv::SUBMIT_FENCE_FD_IN;

/// A board with a Vivante GPU.
pub struct Etnaviv {
    rig: Rig,
    places: &'static [Place],
    /// Memory of the clients', which are one process.
    own: UserMemory,
}

impl Etnaviv {
    /// A board.
    pub fn new(board: &str, config: Config) -> Etnaviv {
        let places = BOARDS.iter().find(|(name, _)| *name == board);
        Etnaviv {
            rig: Rig::on(board, config),
            places: places.expect("a board of etnaviv's").1,
            own: UserMemory::new(4),
        }
    }

    /// Two levels of 1024 words.
    fn walk_tree(&self, root: u64) -> u64 {
        const PRESENT: u32 = 1;
        let board = &*self.rig;
        let read = |pa| table(board, pa, board.world().is_page(pa), 4096);
        let mut pages = 0;
        for first in read(root).chunks_exact(4).map(|entry| word(entry, 0)) {
            if first & PRESENT == 0 {
                continue;
            }
            for page in read(u64::from(first & !0xfff)).chunks_exact(4) {
                let page = word(page, 0);
                let pa = u64::from(page & !0xfff) | u64::from(page >> 4 & 0xff) << 32;
                // The ring is in each address space, in a run.
                if page & PRESENT != 0 && !board.world().is_run_page(pa) {
                    pages += is_of_buffers(board, pa, 0..1);
                }
            }
        }
        pages
    }

    fn look_of(&self, core: usize) -> u64 {
        let board = &*self.rig;
        let tables = board.with_vivante_core(core, |gpu| gpu.tables());
        match tables.expect("a Vivante") {
            Tables::None => 0,
            Tables::Tree(root) => self.walk_tree(root),
            Tables::Array(pa) => {
                let roots = table(board, pa, board.world().is_run_page(pa), 4096);
                let roots = roots.chunks_exact(8).map(|root| long(root, 0));
                let set = roots.filter(|root| *root != 0);
                set.map(|root| self.walk_tree(root & !0xfff)).sum()
            }
            Tables::Flat(pa) => {
                let mut pages = 0;
                let entries = table(board, pa, board.world().is_run_page(pa), 2 << 20);
                let mut last = 0;
                for page in entries
                    .chunks_exact(4)
                    .map(|entry| u64::from(word(entry, 0)))
                {
                    // What is not mapped leads to one page, which is a run.
                    if page != last && !board.world().is_run_page(page) {
                        pages += is_of_buffers(board, page, 0..1);
                    }
                    last = page;
                }
                pages
            }
        }
    }

    /// Where a client has a buffer.
    fn va(&self, handle: u32) -> u32 {
        0x1000_0000 + handle % 1024 * 0x20_0000
    }
}

impl Gpu for Etnaviv {
    fn board(&self) -> &Board {
        &self.rig
    }

    fn create(&self, client: &Client, random: &mut Random) -> Result<Made> {
        let client = etnaviv::Client::from(client.clone());
        if random.one_in(8) {
            let size = 4096 << random.below(3);
            return Ok(Made {
                handle: client.userptr(self.own.address(), size, 3)?,
                size,
                mappable: false,
            });
        }
        let size = 4096 << random.below(10);
        let flags = [WC, WC, CACHED, UNCACHED][random.below(4) as usize];
        Ok(Made {
            handle: client.gem_new(size, flags)?,
            size,
            mappable: true,
        })
    }

    fn map(&self, client: &Client, handle: u32, size: u64) -> Result<Mapping> {
        let offset = etnaviv::Client::from(client.clone()).gem_info(handle)?;
        client.file.mmap(offset, size)
    }

    fn advise(&self, _client: &Client, _handle: u32, _advice: u32) -> Result<bool> {
        Ok(true)
    }

    fn code(&self, _client: &Client) -> Result<Code> {
        Ok(Code {
            handle: None,
            va: 0,
            map: None,
            next: 0,
        })
    }

    fn submit(&self, client: &Client, code: &mut Code, job: &Job<'_>) -> Result<()> {
        code.next += 1;
        let etna = etnaviv::Client::from(client.clone());
        let place = self.places[job.any as usize % self.places.len()];
        let template = match job.bos {
            [] => Template {
                words: stream::nop(),
                ..Template::default()
            },
            _ => Template::fill(place.engine, code.next as u32),
        };
        let mut submit = match place.va {
            Some(_) => {
                let to = job.bos.first().map_or(0, |handle| self.va(*handle));
                Submit::new(template.at(&[if job.astray { BROKEN } else { to }]), &[])
            }
            None => Submit::relocated(&template, &[]),
        };
        let at = |handle: &u32| place.va.map_or(0, |_| u64::from(self.va(*handle)));
        submit.bos = job
            .bos
            .iter()
            .map(|handle| (3, *handle, at(handle)))
            .collect();
        let mut submit = submit.on(place.pipe, place.engine.exec_state());
        if let Some(wait) = job.waits.first() {
            submit.fence_fd = client.sync_file(*wait)?;
            submit.flags |= SUBMIT_FENCE_FD_IN;
        }
        let submitted = etna.submit_raw(&submit);
        if submit.flags & SUBMIT_FENCE_FD_IN != 0 {
            client.caller.close_fd(submit.fence_fd);
        }
        let fd = submitted?.fd;
        let kept = client.import_sync_file(job.done, fd);
        client.caller.close_fd(fd);
        kept
    }

    fn wait(&self, client: &Client, handle: u32, ns: u64, any: u64) -> Result<()> {
        let etna = etnaviv::Client::from(client.clone());
        match any % 4 {
            0 => etna.gem_wait_on(0, handle, 0, ns),
            1 => etna.gem_wait_on(0, handle, NONBLOCK, 0),
            2 => {
                etna.cpu_prep(handle, prep::READ | prep::WRITE, ns)?;
                etna.cpu_fini(handle)
            }
            _ => etna.cpu_prep(handle, prep::READ | prep::NOSYNC, 0),
        }
    }

    fn plant(&self, random: &mut Random, harmless: bool) {
        let n = random.below(40);
        let core = random.below(self.places.len() as u64) as usize;
        let harmless = if harmless { 2 } else { 6 };
        let what = match random.below(harmless) {
            0 => Injection::SpuriousIrq,
            1 => Injection::LateIrq { ns: MS },
            2 => Injection::LoseIrq,
            3 => Injection::MmuExceptionAt(n),
            4 => Injection::BusErrorAt(n),
            _ => Injection::HangNextJob,
        };
        self.rig.plant_on(core, what);
    }

    fn look(&self) -> u64 {
        (0..self.places.len()).map(|core| self.look_of(core)).sum()
    }

    fn finish(self: Box<Self>) {
        self.rig.finish();
    }
}
