// SPDX-License-Identifier: BSD-2-Clause
//! Common parts of the fuzzers: one interface to the GPUs of both
//! drivers, and a check of all memory that a GPU reaches.

mod panfrost;
mod vivante;

use crate::{errno, Client, Result};
use drm_os_host::{Config, Mapping};
use drmboard::Board;
use seeded::Random;
use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Once;

pub use panfrost::Panfrost;
pub use vivante::Etnaviv;

/// The boards of the fuzzers: a seed runs on one of them.
const BOARDS: [&str; 4] = ["rk3399", "imx8mq", "imx6qp", "imx6q"];

/// The GPU that a seed is for. Every other one is panfrost's.
pub fn gpu(seed: u64, config: Config) -> Box<dyn Gpu> {
    let board = match seed % 2 {
        1 => BOARDS[0],
        _ => BOARDS[1 + (seed / 2 % 3) as usize],
    };
    match board {
        "rk3399" => Box::new(Panfrost::new(board, config)),
        _ => Box::new(Etnaviv::new(board, config)),
    }
}

/// The size of heaps, which other buffers do not have.
pub const HEAP: u64 = 4 << 20;

/// A number from the environment.
pub fn env(name: &str, default: u64) -> u64 {
    let set = std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok());
    set.unwrap_or(default)
}

/// Whether a call that need not succeed may fail with `e`.
pub fn may_be(e: i32) -> bool {
    let known = [
        errno::ENOMEM,
        errno::EINVAL,
        errno::ENOENT,
        errno::EBUSY,
        errno::ENXIO,
        errno::ENOSPC,
        errno::EALREADY,
        errno::ETIMEDOUT,
        errno::ETIME,
    ];
    known.contains(&e)
}

/// The seed and the step that run in this process.
static NOW: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// From now on what fails belongs to `seed` and `step`: who panics says so, past the capture of the
/// test harness, for a panic that the driver is below is an abort.
pub fn note(seed: u64, step: u64) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let [seed, step] = [&NOW[0], &NOW[1]].map(|n| n.load(Relaxed));
            let text = format!("FUZZ_SEED={seed}, step {step}: {info}\n");
            let _ = std::io::stderr().write_all(text.as_bytes());
            next(info);
        }));
    });
    NOW[0].store(seed, Relaxed);
    NOW[1].store(step, Relaxed);
}

/// A buffer that was made.
pub struct Made {
    /// Its handle.
    pub handle: u32,
    /// Its size in bytes.
    pub size: u64,
    /// Whether users may map it.
    pub mappable: bool,
}

/// What a client needs in order to submit, and does not share.
pub struct Code {
    /// The handle of the buffer that it is in, if it is in one.
    pub handle: Option<u32>,
    va: u64,
    map: Option<Mapping>,
    next: u64,
}

/// A job that writes to the first buffer.
pub struct Job<'a> {
    /// The handles of its buffers.
    pub bos: &'a [u32],
    /// Sync objects that it waits for.
    pub waits: &'a [u32],
    /// The sync object that gets its fence.
    pub done: u32,
    /// Where it writes to: nowhere, or rather not at all.
    pub astray: bool,
    /// A number that decides the rest.
    pub any: u64,
}

/// A board with a GPU, for the fuzzers.
pub trait Gpu: Sync {
    /// The board.
    fn board(&self) -> &Board;

    /// A new buffer of some size and kind.
    ///
    /// # Errors
    /// What the driver says.
    fn create(&self, client: &Client, random: &mut Random) -> Result<Made>;

    /// A mapping of the first `size` bytes of a buffer.
    ///
    /// # Errors
    /// What the driver says.
    fn map(&self, client: &Client, handle: u32, size: u64) -> Result<Mapping>;

    /// Advice about a buffer, where the driver takes any: 0 needed, 1 not needed, 2 none. Whether
    /// the memory is still there.
    ///
    /// # Errors
    /// What the driver says.
    fn advise(&self, client: &Client, handle: u32, advice: u32) -> Result<bool>;

    /// What a client needs in order to submit.
    ///
    /// # Errors
    /// What the driver says.
    fn code(&self, client: &Client) -> Result<Code>;

    /// A job.
    ///
    /// # Errors
    /// What the driver says.
    fn submit(&self, client: &Client, code: &mut Code, job: &Job<'_>) -> Result<()>;

    /// Waits for the users of a buffer for at most `ns`, one way or another.
    ///
    /// # Errors
    /// What the driver says.
    fn wait(&self, client: &Client, handle: u32, ns: u64, any: u64) -> Result<()>;

    /// Plants a fault of the hardware: one that costs no more than an interrupt or a job, or any.
    fn plant(&self, random: &mut Random, harmless: bool);

    /// Checks all memory that the GPU reaches: pages.
    fn look(&self) -> u64;

    /// The end: nothing is left, and nothing forbidden happened on the way.
    fn finish(self: Box<Self>);

    /// A counter of the device.
    fn stat(&self, name: &str) -> u64 {
        let stats = self.board().stats();
        stats
            .into_iter()
            .find(|(n, _)| n == name)
            .map_or(0, |(_, v)| v)
    }
}

/// The bytes of a table, which must be memory in use.
fn table(board: &Board, pa: u64, in_use: bool, bytes: usize) -> Vec<u8> {
    assert!(in_use, "a table at {pa:#x} is freed memory");
    let mut table = vec![0; bytes];
    assert!(board.world().peek(pa, &mut table));
    table
}

/// Memory at `first`, of so many pages, must be that of buffers.
fn is_of_buffers(board: &Board, first: u64, pages: Range<u64>) -> u64 {
    let count = pages.end - pages.start;
    for pa in pages.map(|page| first + page * 4096) {
        assert!(
            board.world().is_object_page(pa),
            "the GPU reaches freed memory at {pa:#x}"
        );
    }
    count
}
