// SPDX-License-Identifier: BSD-2-Clause
//! A board with a Vivante GPU that is looked over when the test is done with it.

use super::Client;
use crate::scattered;
use drm_os_host::Config;
use drmboard::Board;
use models::vivante::{Injection, Stats, Timing};
use models::Vivante;
use std::ops::Deref;

/// A board; `finish` must be the end of every test. If it is `SCATTERED`, each world is changed by
/// [`scattered`], so that all tests of a file can be repeated so.
pub struct RigOf<const SCATTERED: bool> {
    board: Board,
}

/// A board in the world that the test names.
pub type Rig = RigOf<false>;

/// A board whose GPUs do not snoop and whose memory has no two neighbouring pages.
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

    /// An i.MX8MQ in another world.
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

    /// How many cores there are.
    pub fn cores(&self) -> usize {
        self.devices().len()
    }

    fn model<R>(&self, core: usize, f: impl FnOnce(&mut Vivante) -> R) -> R {
        self.with_vivante_core(core, f).expect("a Vivante")
    }

    /// One more client.
    pub fn client(&self) -> Client {
        Client::open(&self.board).expect("the node opens")
    }

    /// What the model of the first core counted.
    pub fn stats(&self) -> Stats {
        self.stats_of(0)
    }

    /// What the model of a core counted.
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

    /// Each image operation takes this long from now on.
    pub fn slow_jobs(&self, ns: u64) {
        self.timing(|timing| timing.copy_ns = ns);
    }

    /// Plants a fault in the first core.
    pub fn plant(&self, what: Injection) {
        self.plant_on(0, what);
    }

    /// Plants a fault in a core.
    pub fn plant_on(&self, core: usize, what: Injection) {
        self.model(core, |gpu| gpu.inject(what));
    }

    /// Attaches the driver to a node again.
    pub fn attach(&self, node: usize) -> Result<(), i32> {
        self.devices()[node].attach(etnaviv::DRIVER.as_ptr().cast())
    }

    /// Whether the idle modules of a core are without a clock.
    pub fn gates_clocks(&self, core: usize) -> bool {
        self.model(core, |gpu| gpu.gates_modules())
    }

    /// Lets time pass.
    pub fn advance(&self, ns: u64) {
        self.world().advance(ns);
    }

    /// A counter of the device.
    pub fn stat(&self, name: &str) -> u64 {
        crate::counter(Board::stats(self), name)
    }

    /// Detaches by force; everything is to be gone, and nothing forbidden is to have happened on
    /// the way. What the first core counted.
    pub fn finish(self) -> Stats {
        self.finish_all().swap_remove(0)
    }

    /// As [`RigOf::finish`]: what each core counted.
    pub fn finish_all(self) -> Vec<Stats> {
        self.detach(true).expect("the driver lets go");
        self.finish_detached()
    }

    /// As [`RigOf::finish_all`], where the driver is no longer attached.
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

/// The GPU's user did nothing that is forbidden.
pub fn check_manners(stats: &Stats) {
    assert_eq!(
        stats.dead_accesses, 0,
        "registers were touched while the power was off"
    );
    assert!(
        stats.protocol_errors.is_empty(),
        "{:?}",
        stats.protocol_errors
    );
    assert_eq!(stats.cut_off, 0, "power went under a running front end");
    assert!(
        stats.unknown_registers.is_empty(),
        "{:x?}",
        stats.unknown_registers
    );
    assert_eq!(stats.readonly_writes, 0, "a read-only register was written");
    assert_eq!(stats.decode_error_count(), 0, "{:?}", stats.decode_errors);
    assert_eq!(
        stats.illegal_commands, 0,
        "the front end met what is no command"
    );
    assert_eq!(
        stats.starved, 0,
        "a LINK fetched less than there was to execute"
    );
    assert_eq!(
        stats.blocked_loads, 0,
        "a stream loaded a state that streams cannot reach"
    );
}
