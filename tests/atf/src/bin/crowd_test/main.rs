// SPDX-License-Identifier: BSD-2-Clause
//! Eight clients at once, all killed and restarted at random: seven work, the eighth does what it can to be in their way.
//!
//! The eighth's jobs fault, never end, or hang so that only a reset helps: the board makes every job above 3.5 GiB hang, and only
//! the eighth has buffers there. The other seven check every result, and when all are gone the board must have counted no leak.
//! `-v seed=N` varies what happens when.

use atf::drm::client::Work;
use atf::drm::panfrost::{BO_HEAP, BO_NOEXEC};
use atf::drm::{deadline_ns, Mapping, Node};
use atf::mali::Chain;
use atf::process::{fork, Child, Exit};
use atf::{case, require, require_ok, Ctx, Sys};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

const PAGE: u32 = 4096;
const GOOD: usize = 7;
/// The eighth.
const BAD: usize = GOOD;
/// Longer than any wait behind jobs of the eighth: a few of half a second each, on a busy machine.
const PATIENCE_MS: i64 = 30_000;
/// What the eighth keeps free below the addresses at which jobs hang: see `OPTIONS`.
const HEAP: u32 = 0xe000_0000;
const OPTIONS: &[&str] = &["--stats", "--inject", "hang:va=0xe0000000,end=0xffffffff"];
/// No client is given addresses below 32 MiB.
const NOWHERE: u64 = 0x10_0000;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn sleep_below_ms(&mut self, limit: u64) {
        std::thread::sleep(Duration::from_micros(self.below(limit * 1000)));
    }
}

/// What went wrong, in words.
type Told<T> = Result<T, String>;

/// A call that must not fail.
macro_rules! ok {
    ($call:expr) => {
        $call.map_err(|error| format!("{} gave {error} at line {}", stringify!($call), line!()))?
    };
}

/// A condition that must hold.
macro_rules! holds {
    ($condition:expr, $($why:tt)+) => {
        if !$condition {
            return Err(format!("{} at line {}", format_args!($($why)+), line!()));
        }
    };
}

/// Zeroes words of a buffer by the GPU and looks at all of it. `va` is where `node` has the buffer that is mapped at `map`.
fn zero_words(node: &Node, handle: u32, va: u64, map: &Mapping, random: &mut Random) -> Told<()> {
    let words = map.len() / 8;
    let pattern = |at: usize| 0x0101_0101_0101_0101 * (1 + at as u64 % 255);
    for at in 0..words {
        map.write_u64(at * 8, pattern(at));
    }
    let jobs = 1 + random.below(8) as usize;
    let mut chain = ok!(Chain::new(node, jobs));
    let zeroed: Vec<usize> = (0..jobs).map(|_| random.below(words as u64) as usize).collect();
    for at in &zeroed {
        chain.write_zero(va + *at as u64 * 8);
    }
    let bos = [chain.handle(), handle];
    let work = Work {
        bos: &bos,
        ..chain.work()
    };
    match random.below(3) {
        // Implicit synchronisation.
        0 => {
            ok!(node.submit(&work));
            ok!(node.wait_bo(handle, deadline_ns(PATIENCE_MS)));
        }
        // A sync object of its own, and a job that comes after.
        1 => {
            let (first, second) = (ok!(node.syncobj(0)), ok!(node.syncobj(0)));
            ok!(node.submit(&Work {
                out_sync: first.handle,
                ..work
            }));
            let mut after = ok!(Chain::new(node, 1));
            after.null(1);
            let after_all = Work {
                in_syncs: &[first.handle],
                out_sync: second.handle,
                ..after.work()
            };
            ok!(node.submit(&after_all));
            ok!(second.wait(deadline_ns(PATIENCE_MS), 0));
            let status = [ok!(first.status()), ok!(second.status())];
            holds!(status == [1, 1], "the jobs ended with {status:?}");
        }
        // A sync_file.
        _ => {
            let done = ok!(node.syncobj(0));
            ok!(node.submit(&Work {
                out_sync: done.handle,
                ..work
            }));
            let file = ok!(done.sync_file());
            let ready = ok!(file.poll(libc::POLLIN, PATIENCE_MS as i32));
            let status = ok!(done.status());
            holds!(
                ready && status == 1,
                "the job ended with {status}, ready: {ready}"
            );
        }
    }
    let status = chain.last_status();
    holds!(status == 1, "the last job's header says {status:#x}");
    let bytes = map.read(0, words * 8);
    for (at, word) in bytes.chunks_exact(8).enumerate() {
        let found = u64::from_le_bytes(word.try_into().unwrap_or_default());
        let expected = if zeroed.contains(&at) { 0 } else { pattern(at) };
        holds!(found == expected, "word {at} is {found:#x}, not {expected:#x}");
    }
    Ok(())
}

/// One round of a client that does nothing wrong.
fn work_once(node: &Node, random: &mut Random) -> Told<()> {
    let size = if random.one_in(16) {
        2 << 20
    } else {
        PAGE * (1 + random.below(8) as u32)
    };
    let bo = ok!(node.bo(size, random.below(2) as u32 * BO_NOEXEC));
    let map = ok!(bo.map());
    zero_words(node, bo.handle, bo.va, &map, random)?;
    if random.one_in(4) {
        // The same buffer in another file, by PRIME.
        let fd = ok!(node.export(bo.handle, libc::O_CLOEXEC | libc::O_RDWR));
        let other = ok!(Node::render());
        let handle = ok!(other.import(&fd));
        let va = ok!(other.bo_offset(handle));
        zero_words(&other, handle, va, &map, random)?;
        if random.one_in(2) {
            ok!(other.gem_close(handle));
        }
    }
    if random.one_in(4) {
        // A heap, which grows by faults that are no faults of anybody.
        let heap = ok!(node.bo(8 << 20, BO_HEAP | BO_NOEXEC));
        let mut chain = ok!(Chain::new(node, 2));
        chain.write_zero(heap.va).write_zero(heap.va + (4 << 20));
        let done = ok!(node.syncobj(0));
        ok!(node.submit(&Work {
            out_sync: done.handle,
            ..chain.work()
        }));
        ok!(done.wait(deadline_ns(PATIENCE_MS), 0));
        let status = ok!(done.status());
        holds!(status == 1, "the job on a heap ended with {status}");
    }
    Ok(())
}

/// A client that does nothing wrong, until it is killed.
fn good(random: &mut Random, tell: &UnixDatagram, id: usize) -> Told<()> {
    let node = ok!(Node::render());
    loop {
        work_once(&node, random)?;
        // Now and then in a file of its own, as a program that starts and ends.
        if random.one_in(8) {
            work_once(&ok!(Node::render()), random)?;
        }
        tell.send(&[id as u8]).map_err(|error| error.to_string())?;
        random.sleep_below_ms(4);
    }
}

/// What the eighth does.
const MISDEEDS: [&str; 3] = ["astray", "endless", "stuck"];

fn misdeed<'a>(node: &'a Node, kind: usize) -> Sys<Chain<'a>> {
    match kind {
        0 => {
            let mut chain = Chain::new(node, 1)?;
            chain.write_zero(NOWHERE);
            Ok(chain)
        }
        1 => {
            let mut chain = Chain::new(node, 1)?;
            let first = chain.null(1).head();
            chain.then(first);
            Ok(chain)
        }
        _ => {
            // Buffers are placed one behind the other, so after this one it lies where jobs hang.
            let heap = node.bo(HEAP, BO_HEAP | BO_NOEXEC)?;
            let mut chain = Chain::new(node, 1)?;
            chain.null(1);
            drop(heap);
            Ok(chain)
        }
    }
}

/// The eighth, until it is killed. Its jobs must fail: an end that is told as a success would be a lie.
fn bad(random: &mut Random, tell: &UnixDatagram, life: usize) -> Told<()> {
    let on_board = std::env::var_os("DRMBOARD_BOARD").is_some();
    // Each life begins with another misdeed, so that all of them happen however short it is.
    let mut kind = life % MISDEEDS.len();
    loop {
        let node = ok!(Node::render());
        let chain = ok!(misdeed(&node, kind));
        let done = ok!(node.syncobj(0));
        for _ in 0..=random.below(3) {
            ok!(node.submit(&Work {
                out_sync: done.handle,
                ..chain.work()
            }));
        }
        tell.send(&[BAD as u8, kind as u8])
            .map_err(|error| error.to_string())?;
        if !random.one_in(4) {
            ok!(done.wait(deadline_ns(PATIENCE_MS), 0));
            let status = ok!(done.status());
            holds!(
                status < 0 || kind == 2 && !on_board,
                "a job that is {} ended with {status}",
                MISDEEDS[kind]
            );
        }
        drop((chain, done));
        drop(node);
        random.sleep_below_ms(100);
        kind = [0, 0, 0, 1, 2][random.below(5) as usize];
    }
}

/// Starts a client's next life.
fn spawn(id: usize, life: usize, seed: u64, tell: &UnixDatagram) -> Child {
    require_ok!(fork(|| {
        let mut random = Random::new(seed ^ (id as u64) << 32 ^ (life as u64) << 40);
        let told = match id {
            BAD => bad(&mut random, tell, life),
            _ => good(&mut random, tell, id),
        };
        if let Err(why) = told {
            // It also goes to the log of the case.
            eprintln!("client {id}, life {life}: {why}");
            let _ = tell.send(format!("\u{7f}client {id}: {why}").as_bytes());
        }
        1
    }))
}

/// What the clients have told.
#[derive(Default, Debug)]
struct Tally {
    rounds: [u64; GOOD],
    misdeeds: [u64; 3],
    error: Option<String>,
}

impl Tally {
    fn take(&mut self, message: &[u8]) {
        match message {
            [0x7f, text @ ..] => {
                self.error
                    .get_or_insert_with(|| String::from_utf8_lossy(text).into_owned());
            }
            [id] => self.rounds[usize::from(*id)] += 1,
            [_, kind] => self.misdeeds[usize::from(*kind)] += 1,
            _ => {}
        }
    }

    /// Takes messages until none has come for a moment.
    fn receive(&mut self, from: &UnixDatagram) {
        let mut message = [0; 512];
        while let Ok(len) = from.recv(&mut message) {
            self.take(&message[..len]);
            if self.error.is_some() {
                break;
            }
        }
    }
}

fn crowd(ctx: &Ctx, seconds: u64) {
    let seed = ctx.config("seed").map_or(1, |seed| seed.parse().unwrap());
    let mut random = Random::new(seed);
    let (tell, told) = UnixDatagram::pair().unwrap();
    told.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut tally = Tally::default();
    let mut lives = 0;
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let mut next_life = |id: usize, now: Instant, life: usize| {
        lives += 1;
        // The eighth lives long enough for a hang to be noticed in most of its lives.
        let ms = if id == BAD {
            200 + random.below(2500)
        } else {
            20 + random.below(1500)
        };
        (
            spawn(id, life, seed, &tell),
            now + Duration::from_millis(ms),
            life,
        )
    };
    let mut clients: Vec<_> = (0..=BAD).map(|id| next_life(id, start, 0)).collect();
    while Instant::now() < end {
        tally.receive(&told);
        let now = Instant::now();
        for (id, client) in clients.iter_mut().enumerate() {
            let (child, until, life) = client;
            if let Some(exit) = require_ok!(child.wait_for(Duration::ZERO)) {
                tally.receive(&told);
                let why = tally
                    .error
                    .take()
                    .unwrap_or_else(|| format!("client {id} ended with {exit:?}"));
                panic!("{why}; seed {seed}, {tally:?}");
            }
            if *until <= now {
                require_ok!(child.kill(libc::SIGKILL));
                let exit = require_ok!(child.wait());
                require!(
                    exit == Exit::Signal(libc::SIGKILL) || tally.error.is_some(),
                    "client {id}: {exit:?}"
                );
                *client = next_life(id, now, *life + 1);
            }
        }
        require!(tally.error.is_none(), "seed {seed}, {tally:?}");
    }
    drop(clients);
    tally.receive(&told);
    println!(
        "crowd: seed {seed}, {lives} lives, rounds {:?}, misdeeds {MISDEEDS:?} {:?}",
        tally.rounds, tally.misdeeds
    );
    require!(tally.error.is_none(), "seed {seed}, {tally:?}");
    require!(
        tally.rounds.iter().all(|rounds| *rounds > 0),
        "everybody got on: {tally:?}"
    );
    require!(
        tally.misdeeds.iter().all(|times| *times > 0),
        "nothing was left out: {tally:?}"
    );
}

/// A number of the line `stats: total NAME=N ...`.
fn total(output: &str, name: &str) -> u64 {
    let line = output.lines().find_map(|line| line.strip_prefix("stats: total "));
    let number = |line: &str| {
        let mut pairs = line.split_whitespace().filter_map(|pair| pair.split_once('='));
        pairs.find(|(n, _)| *n == name)?.1.parse().ok()
    };
    line.and_then(number)
        .unwrap_or_else(|| panic!("the board did not count {name}"))
}

/// The board is gone, and with it everything that the clients had.
fn nothing_left(output: &str) {
    let [jobs, faults, resets, leaked] =
        ["jobs", "faults", "resets", "leaked"].map(|name| total(output, name));
    require!(leaked == 0, "{leaked} objects of the kernel's outlived the board");
    require!(
        jobs > 0 && faults > 0 && resets > 0,
        "jobs {jobs}, faults {faults}, resets {resets}"
    );
}

fn main() {
    let case = |name, seconds: &str, body| {
        let text = "seven clients see no error while an eighth faults and hangs, all killed at random for ";
        case!(name, &format!("{text}{seconds}"), body)
            .board("rk3399")
            .drmboard(OPTIONS, nothing_left)
            .timeout(120)
    };
    atf::main(&[
        case("crowd_short", "8 s", |ctx| crowd(ctx, 8)),
        case("crowd_60s", "60 s", |ctx| crowd(ctx, 60)),
    ]);
}
