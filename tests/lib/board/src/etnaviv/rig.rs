// SPDX-License-Identifier: BSD-2-Clause
//! A board with a Vivante GPU that is checked at the end of a test.

use super::Client;
use crate::scattered;
use drm_os_host::Config;
use drmboard::Board;
use models::vivante::{Injection, Stats, Timing};
use models::Vivante;
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

impl<const SCATTERED: bool> RigOf<SCATTERED> {
    /// An i.MX8MQ.
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    /// An i.MX8MQ with a given configuration.
    pub fn with(config: Config) -> Self {
        Self::on("imx8mq", config)
    }

    /// Any board with a Vivante GPU.
    pub fn on(board: &str, config: Config) -> Self {
        let config = if SCATTERED { scattered(config) } else { config };
        RigOf {
            board: crate::board(board, config),
        }
    }

    /// Number of cores.
    pub fn cores(&self) -> usize {
        self.devices().len()
    }

    fn model<R>(&self, core: usize, f: impl FnOnce(&mut Vivante) -> R) -> R {
        self.with_vivante_core(core, f).expect("a Vivante model")
    }

    /// A new client.
    pub fn client(&self) -> Client {
        Client::open(&self.board).expect("the node opens")
    }

    /// Counters of the first core's model.
    pub fn stats(&self) -> Stats {
        self.stats_of(0)
    }

    /// Counters of a core's model.
    pub fn stats_of(&self, core: usize) -> Stats {
        self.model(core, |gpu| gpu.stats().clone())
    }

    /// Changes the durations of every model.
    pub fn timing(&self, change: impl Fn(&mut Timing)) {
        (0..self.cores()).for_each(|core| self.timing_of(core, &change));
    }

    /// Changes the durations of the model of a core.
    pub fn timing_of(&self, core: usize, change: impl FnOnce(&mut Timing)) {
        self.model(core, |gpu| {
            let mut timing = *gpu.timing();
            change(&mut timing);
            gpu.set_timing(timing);
        });
    }

    /// Sets the duration of image operations that start from now on.
    pub fn slow_jobs(&self, ns: u64) {
        self.timing(|timing| timing.copy_ns = ns);
    }

    /// Injects a fault into the first core.
    pub fn plant(&self, what: Injection) {
        self.plant_on(0, what);
    }

    /// Injects a fault into a core.
    pub fn plant_on(&self, core: usize, what: Injection) {
        self.model(core, |gpu| gpu.inject(what));
    }

    /// Attaches the driver to a node again.
    pub fn attach(&self, node: usize) -> Result<(), i32> {
        self.devices()[node].attach(etnaviv::DRIVER.as_ptr().cast())
    }

    /// Whether clock gating of idle modules is enabled on a core.
    pub fn gates_clocks(&self, core: usize) -> bool {
        self.model(core, |gpu| gpu.gates_modules())
    }

    /// Advances the time.
    pub fn advance(&self, ns: u64) {
        self.world().advance(ns);
    }

    /// A statistic of the device.
    pub fn stat(&self, name: &str) -> u64 {
        crate::counter(Board::stats(self), name)
    }

    /// Detaches by force, then checks that no object is live and that the models counted no error.
    /// Returns the counters of the first core.
    pub fn finish(self) -> Stats {
        self.finish_all().swap_remove(0)
    }

    /// As [`RigOf::finish`]; returns the counters of each core.
    pub fn finish_all(self) -> Vec<Stats> {
        self.detach(true).expect("the driver detaches");
        self.finish_detached()
    }

    /// As [`RigOf::finish_all`], after the driver has been detached.
    pub fn finish_detached(self) -> Vec<Stats> {
        let all: Vec<Stats> = (0..self.cores()).map(|core| self.stats_of(core)).collect();
        all.iter().for_each(check_manners);
        crate::end(self.board);
        all
    }
}

impl<const SCATTERED: bool> Default for RigOf<SCATTERED> {
    fn default() -> Self {
        Self::new()
    }
}

/// Checks that the model counted no error.
pub fn check_manners(stats: &Stats) {
    assert_eq!(
        stats.dead_accesses, 0,
        "a register was accessed while the power was off"
    );
    assert!(
        stats.protocol_errors.is_empty(),
        "{:?}",
        stats.protocol_errors
    );
    assert_eq!(
        stats.cut_off, 0,
        "power was turned off while the front end ran"
    );
    assert!(
        stats.unknown_registers.is_empty(),
        "{:x?}",
        stats.unknown_registers
    );
    assert_eq!(stats.readonly_writes, 0, "a read-only register was written");
    assert_eq!(stats.decode_error_count(), 0, "{:?}", stats.decode_errors);
    assert_eq!(
        stats.illegal_commands, 0,
        "the front end read an illegal command"
    );
    assert_eq!(stats.starved, 0, "a LINK prefetched too few words");
    assert_eq!(
        stats.blocked_loads, 0,
        "a stream loaded a state that streams cannot access"
    );
}
