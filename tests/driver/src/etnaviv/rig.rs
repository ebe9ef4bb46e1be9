// SPDX-License-Identifier: BSD-2-Clause
//! A board with a Vivante GPU that is looked over when the test is done with it, and the work that most tests give
//! to it.

use super::{stream, Bo, Client, Fence};
use crate::{Result, SEC};
use drm_os_host::{Config, World};
use drmboard::Board;
use models::vivante::{Injection, Stats, Timing};
use std::ops::Deref;

/// What memory holds before work was done on it.
const BEFORE: u32 = 0x5a5a_5a5a;
/// No buffer of a test is here.
pub const BROKEN: u32 = 0x7000_0000;

/// A board; [`Rig::finish`] must be the end of every test.
pub struct Rig {
    board: Board,
}

impl Deref for Rig {
    type Target = Board;

    fn deref(&self) -> &Board {
        &self.board
    }
}

impl Rig {
    /// An i.MX8MQ.
    pub fn new() -> Rig {
        Rig::with(Config::default())
    }

    /// An i.MX8MQ in another world; in the test programs whose name begins with "scattered", as
    /// [`crate::Rig::with`] says.
    pub fn with(mut config: Config) -> Rig {
        crate::rig::scatter(&mut config);
        Rig {
            board: crate::board("imx8mq", config),
        }
    }

    /// One more client.
    pub fn client(&self) -> Client {
        Client::open(&self.board).expect("the node opens")
    }

    /// What the model counted.
    pub fn stats(&self) -> Stats {
        self.with_vivante(|gpu| gpu.stats().clone()).expect("a Vivante")
    }

    /// Changes the model's durations.
    pub fn timing(&self, change: impl FnOnce(&mut Timing)) {
        self.with_vivante(|gpu| {
            let mut timing = *gpu.timing();
            change(&mut timing);
            gpu.set_timing(timing);
        })
        .expect("a Vivante");
    }

    /// Each image operation takes this long from now on.
    pub fn slow_jobs(&self, ns: u64) {
        self.timing(|timing| timing.copy_ns = ns);
    }

    /// Plants a fault.
    pub fn plant(&self, what: Injection) {
        self.with_vivante(|gpu| gpu.inject(what)).expect("a Vivante");
    }

    /// Lets time pass.
    pub fn advance(&self, ns: u64) {
        self.world().advance(ns);
    }

    /// A counter of the device.
    pub fn stat(&self, name: &str) -> u64 {
        let stats = self.device().stats();
        stats.into_iter().find(|(n, _)| n == name).map_or(0, |(_, v)| v)
    }

    /// Detaches by force; everything is to be gone, and nothing forbidden is to have happened on the way.
    pub fn finish(self) -> Stats {
        self.device().detach(true).expect("the driver lets go");
        let stats = self.stats();
        check_manners(&stats);
        let world: World = self.world().clone();
        drop(self.board);
        world.assert_clean();
        assert_eq!(
            world.counters().bad_dma,
            0,
            "the GPU used memory that is not there"
        );
        stats
    }
}

impl Default for Rig {
    fn default() -> Rig {
        Rig::new()
    }
}

fn check_manners(stats: &Stats) {
    assert_eq!(
        stats.dead_accesses, 0,
        "registers were touched while the power was off"
    );
    assert!(stats.protocol_errors.is_empty(), "{:?}", stats.protocol_errors);
    assert!(
        stats.unknown_registers.is_empty(),
        "{:x?}",
        stats.unknown_registers
    );
    assert_eq!(stats.readonly_writes, 0, "a read-only register was written");
    assert_eq!(stats.decode_error_count(), 0, "{:?}", stats.decode_errors);
    assert_eq!(stats.illegal_commands, 0, "the front end met what is no command");
    assert_eq!(stats.starved, 0, "a LINK fetched less than there was to execute");
    assert_eq!(
        stats.blocked_loads, 0,
        "a stream loaded a state that streams cannot reach"
    );
}

/// A job that fills sixteen words, and how it shows that it did.
pub struct Work {
    /// What it fills: its first sixteen words.
    pub data: Bo,
    value: u32,
}

impl Client {
    /// Work in a new buffer of a page at `va`.
    pub fn work(&self, va: u32, value: u32) -> Result<Work> {
        let work = Work {
            data: self.bo_at(4096, va)?,
            value,
        };
        work.forget();
        Ok(work)
    }

    /// Submits work.
    pub fn start(&self, work: &Work) -> Result<Fence> {
        self.run(stream::fill(work.data.va, work.value), &[&work.data])
    }

    /// Runs new work from beginning to end.
    pub fn expect_works(&self) {
        let work = self.work(0x1000_0000, 0x0123_4567).expect("memory is there");
        let fence = self.start(&work).expect("it is taken");
        assert_eq!(self.end_of(fence, 10 * SEC), 1);
        assert!(work.is_done());
        self.close(work.data.handle).expect("the handle is good");
    }
}

impl Work {
    /// Puts memory back as it was before.
    pub fn forget(&self) {
        (0..17).for_each(|n| self.data.put(n * 4, BEFORE));
    }

    /// Whether memory is as the job leaves it.
    pub fn is_done(&self) -> bool {
        (0..16).all(|n| self.data.get(n * 4) == self.value) && self.data.get(64) == BEFORE
    }

    /// Whether memory is as if the job had not run.
    pub fn is_untouched(&self) -> bool {
        (0..17).all(|n| self.data.get(n * 4) == BEFORE)
    }
}
