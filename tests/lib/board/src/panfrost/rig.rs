// SPDX-License-Identifier: BSD-2-Clause
//! A board that is checked at the end of a test, and the work that most tests submit.

use super::{write_zero, Bo, Client};
use crate::{scattered, Result, SEC};
use drm_os_host::Config;
use drmboard::inject::{Planted, When};
use drmboard::Board;
use models::mali::{Stats, Timing};
use models::Injection;
use std::ops::Deref;

/// A board. Every test must end with `finish`. If `SCATTERED` is set, each world is changed by
/// [`scattered`], so that all tests of a file can be repeated with it.
pub struct RigOf<const SCATTERED: bool> {
    board: Board,
}

/// A board in the world that the test configures.
pub type Rig = RigOf<false>;

/// A board whose GPUs do not snoop and whose memory has no two adjacent pages.
pub type ScatteredRig = RigOf<true>;

impl<const SCATTERED: bool> Deref for RigOf<SCATTERED> {
    type Target = Board;

    fn deref(&self) -> &Board {
        &self.board
    }
}

/// Bytes charged to a client that is alone on its board, without page tables, whose number varies.
pub fn charged(board: &Board, client: &Client) -> u64 {
    client.stat("mem") - board.world().counters().pages * 4096
}

impl<const SCATTERED: bool> RigOf<SCATTERED> {
    /// An RK3399.
    pub fn new() -> Self {
        Self::with("rk3399", Config::default())
    }

    /// Another board, with a given configuration.
    pub fn with(name: &str, config: Config) -> Self {
        let config = if SCATTERED { scattered(config) } else { config };
        RigOf {
            board: crate::board(name, config),
        }
    }

    /// A new client.
    pub fn client(&self) -> Client {
        Client::open(&self.board).expect("the node opens")
    }

    /// Counters of the model.
    pub fn stats(&self) -> Stats {
        self.with_mali(|mali| mali.stats().clone())
            .expect("a Mali model")
    }

    /// Changes the model's durations.
    pub fn timing(&self, change: impl FnOnce(&mut Timing)) {
        self.with_mali(|mali| {
            let mut timing = *mali.timing();
            change(&mut timing);
            mali.set_timing(timing);
        });
    }

    /// Sets the duration of null jobs and other short jobs that start from now on.
    pub fn slow_jobs(&self, ns: u64) {
        self.timing(|timing| (timing.null_ns, timing.short_job_ns) = (ns, ns));
    }

    /// Whether the model's cycle counter is on.
    pub fn counts_cycles(&self) -> bool {
        self.with_mali(|mali| mali.counts_cycles())
            .expect("a Mali model")
    }

    /// Injects a fault.
    pub fn plant(&self, what: Injection) {
        self.with_mali(|mali| mali.inject(what))
            .expect("a Mali model");
    }

    /// Injects a fault that takes effect at once, and makes it happen.
    pub fn plant_now(&self, what: Injection) {
        let planted = Planted {
            core: 0,
            when: When::Time(0),
            what,
        };
        self.board.inject(planted).expect("a Mali model");
        self.world().settle();
    }

    /// Advances the time.
    pub fn advance(&self, ns: u64) {
        self.world().advance(ns);
    }

    /// A statistic of the device.
    pub fn stat(&self, name: &str) -> u64 {
        crate::counter(Board::stats(self), name)
    }

    /// Number of log lines that contain `text`.
    pub fn logged(&self, text: &str) -> usize {
        self.world()
            .log_lines()
            .iter()
            .filter(|line| line.contains(text))
            .count()
    }

    /// Detaches by force, then checks that no object is live and that the model counted no error.
    /// Returns the model's counters.
    pub fn finish(self) -> Stats {
        self.device().detach(true).expect("the driver detaches");
        self.finish_detached()
    }

    /// As [`RigOf::finish`], after the driver has been detached.
    pub fn finish_detached(self) -> Stats {
        let stats = self.stats();
        check_manners(&stats);
        crate::end(self.board);
        stats
    }
}

impl<const SCATTERED: bool> Default for RigOf<SCATTERED> {
    fn default() -> Self {
        Self::new()
    }
}

fn check_manners(stats: &Stats) {
    assert_eq!(
        stats.dead_accesses, 0,
        "a register was accessed while the power was off"
    );
    assert!(
        stats.protocol_errors.is_empty(),
        "{:?}",
        stats.protocol_errors
    );
    assert!(
        stats.unknown_registers.is_empty(),
        "{:?}",
        stats.unknown_registers
    );
}

/// A job that clears eight bytes, and the memory to check afterwards.
pub struct Work {
    /// Its chain.
    pub chain: Bo,
    /// The buffer that it writes, at 8.
    pub data: Bo,
    /// The syncobj of its fence.
    pub done: u32,
}

impl Client {
    /// Work in new buffers.
    pub fn work(&self) -> Result<Work> {
        let work = Work {
            chain: self.bo(4096, 1)?,
            data: self.bo(4096, 1)?,
            done: self.syncobj(false)?,
        };
        work.chain.write(0, &write_zero(work.data.va + 8, 0));
        work.data.write(0, &[0xff; 24]);
        Ok(work)
    }

    /// Submits work to the slot of vertex jobs.
    pub fn start(&self, work: &Work) -> Result<()> {
        self.start_in(work, false)
    }

    /// Submits work to the slot of fragment jobs, or of vertex jobs.
    pub fn start_in(&self, work: &Work, fragment: bool) -> Result<()> {
        work.data.write(0, &[0xff; 24]);
        let bos = [work.chain.handle, work.data.handle];
        self.submit(work.chain.va, fragment, &bos, &[], work.done)
    }

    /// Waits for work for at most `ns`; returns the status of its fence, 0 if it has not signalled.
    pub fn finish(&self, work: &Work, ns: u64) -> i32 {
        let waited = self.syncobj_wait(work.done, ns);
        let outcome = self.outcome(work.done);
        assert_eq!(waited.is_ok(), outcome != 0, "{waited:?} {outcome}");
        outcome
    }

    /// Runs new work and checks the result.
    pub fn expect_works(&self) {
        let work = self.work().expect("the buffers are allocated");
        self.start(&work).expect("the submit succeeds");
        assert_eq!(self.finish(&work, 10 * SEC), 1);
        assert!(work.is_done());
        self.discard(work);
    }

    /// Closes the handles of work.
    pub fn discard(&self, work: Work) {
        self.close(work.chain.handle)
            .expect("the chain's handle is valid");
        self.close(work.data.handle)
            .expect("the data's handle is valid");
        self.syncobj_destroy(work.done)
            .expect("the syncobj's handle is valid");
    }
}

impl Work {
    /// Whether memory has the job's result.
    pub fn is_done(&self) -> bool {
        [0, 8, 16].map(|at| self.data.read_u64(at)) == [u64::MAX, 0, u64::MAX]
    }

    /// Whether memory has its contents from before the work.
    pub fn is_untouched(&self) -> bool {
        [0, 8, 16].map(|at| self.data.read_u64(at)) == [u64::MAX; 3]
    }
}
