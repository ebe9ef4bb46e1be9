// SPDX-License-Identifier: BSD-2-Clause
//! Eight clients at once, all killed and restarted at random: seven work, the eighth does what it
//! can to be in their way.
//!
//! What that is depends on the GPU: see [`mali`] and [`vivante`]. The other seven check every
//! result, and when all are gone the board must have counted no fault of theirs and no leak. `-v
//! seed=N` varies what happens when.

mod mali;
mod vivante;

use atf::process::{fork, Child, Exit};
use atf::{case, require, require_eq, require_ok, Case, Ctx};
use seeded::Random;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

const GOOD: usize = 7;
/// The eighth.
const BAD: usize = GOOD;
/// Begins the line that names a process of the eighth.
const BAD_PID: &str = "crowd: the eighth is process ";
/// Longer than any wait for jobs of the eighth: a few of half a second each, on a busy machine.
const PATIENCE_MS: i64 = 30_000;

/// What clients of one kind of GPU do.
trait Gpu {
    /// An open file.
    type File;
    /// What the eighth does.
    const MISDEEDS: [&'static str; 3];

    /// Opens the board.
    fn open() -> Outcome<Self::File>;

    /// One round of a client that does nothing wrong.
    fn work_once(file: &Self::File, random: &mut Random) -> Outcome<()>;

    /// A misdeed, done `times` times; `done` is called when it is. `waits`: for its end, which must
    /// not be reported as a success.
    fn misdeed(
        file: &Self::File,
        kind: usize,
        times: u64,
        waits: bool,
        done: &dyn Fn() -> Outcome<()>,
    ) -> Outcome<()>;
}

fn sleep_below_ms(random: &mut Random, limit: u64) {
    std::thread::sleep(Duration::from_micros(random.below(limit * 1000)));
}

/// What went wrong, in words.
type Outcome<T> = Result<T, String>;

/// A call that must not fail.
#[macro_export]
macro_rules! ok {
    ($call:expr) => {
        $call.map_err(|error| {
            format!(
                "{} gave {error} at {}:{}",
                stringify!($call),
                file!(),
                line!()
            )
        })?
    };
}

/// A condition that must hold.
#[macro_export]
macro_rules! holds {
    ($condition:expr, $($why:tt)+) => {
        if !$condition {
            return Err(format!("{} at {}:{}", format_args!($($why)+), file!(), line!()));
        }
    };
}

/// A client that does nothing wrong, until it is killed.
fn good<G: Gpu>(random: &mut Random, outbox: &UnixDatagram, id: usize) -> Outcome<()> {
    let file = G::open()?;
    loop {
        G::work_once(&file, random)?;
        // Now and then in a file of its own, as a program that starts and ends.
        if random.one_in(8) {
            G::work_once(&G::open()?, random)?;
        }
        outbox
            .send(&[id as u8])
            .map_err(|error| error.to_string())?;
        sleep_below_ms(random, 4);
    }
}

/// The eighth, until it is killed.
fn bad<G: Gpu>(random: &mut Random, outbox: &UnixDatagram, life: usize) -> Outcome<()> {
    // Each life begins with another misdeed, so that all of them happen however short it is.
    let mut kind = life % G::MISDEEDS.len();
    loop {
        let file = G::open()?;
        let times = 1 + random.below(3);
        let done = || {
            let message = [BAD as u8, kind as u8];
            outbox
                .send(&message)
                .map(drop)
                .map_err(|error| error.to_string())
        };
        G::misdeed(&file, kind, times, !random.one_in(4), &done)?;
        drop(file);
        sleep_below_ms(random, 100);
        kind = [0, 0, 0, 1, 2][random.below(5) as usize];
    }
}

/// Starts a client's next life.
fn spawn<G: Gpu>(id: usize, life: usize, seed: u64, outbox: &UnixDatagram) -> Child {
    require_ok!(fork(|| {
        let mut random = Random::new(seed ^ (id as u64) << 32 ^ (life as u64) << 40);
        let outcome = match id {
            BAD => bad::<G>(&mut random, outbox, life),
            _ => good::<G>(&mut random, outbox, id),
        };
        if let Err(why) = outcome {
            // It also goes to the log of the case.
            eprintln!("client {id}, life {life}: {why}");
            let _ = outbox.send(format!("\u{7f}client {id}: {why}").as_bytes());
        }
        1
    }))
}

/// What the clients have reported.
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

fn crowd<G: Gpu>(ctx: &Ctx, seconds: u64) {
    let seed = ctx.config("seed").map_or(1, |seed| seed.parse().unwrap());
    let mut random = Random::new(seed);
    let (outbox, inbox) = UnixDatagram::pair().unwrap();
    inbox
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
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
        let child = spawn::<G>(id, life, seed, &outbox);
        if id == BAD {
            println!("{BAD_PID}{}", child.pid());
        }
        (child, now + Duration::from_millis(ms), life)
    };
    let mut clients: Vec<_> = (0..=BAD).map(|id| next_life(id, start, 0)).collect();
    while Instant::now() < end {
        tally.receive(&inbox);
        let now = Instant::now();
        for (id, client) in clients.iter_mut().enumerate() {
            let (child, until, life) = client;
            if let Some(exit) = require_ok!(child.wait_for(Duration::ZERO)) {
                tally.receive(&inbox);
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
    tally.receive(&inbox);
    println!(
        "crowd: seed {seed}, {lives} lives, rounds {:?}, misdeeds {:?} {:?}",
        tally.rounds,
        G::MISDEEDS,
        tally.misdeeds
    );
    require!(tally.error.is_none(), "seed {seed}, {tally:?}");
    require!(
        tally.rounds.iter().all(|rounds| *rounds > 0),
        "every client made progress: {tally:?}"
    );
    require!(
        tally.misdeeds.iter().all(|times| *times > 0),
        "nothing was left out: {tally:?}"
    );
}

/// A number of a line of pairs.
fn number(line: &str, name: &str) -> u64 {
    let mut pairs = line
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    let value = pairs
        .find(|(n, _)| *n == name)
        .and_then(|(_, value)| value.parse().ok());
    value.unwrap_or_else(|| panic!("the board did not count {name}: {line}"))
}

/// The board is gone, and with it everything that the clients had; only the eighth had faults.
fn nothing_left(output: &str) {
    let lines = |kind: &'static str| {
        output
            .lines()
            .filter_map(move |line| line.strip_prefix(kind))
    };
    let total: Vec<&str> = lines("stats: total ").collect();
    require_eq!(total.len(), 1);
    let [jobs, faults, resets, leaked] =
        ["jobs", "faults", "resets", "leaked"].map(|name| number(total[0], name));
    require!(
        leaked == 0,
        "{leaked} objects of the kernel's outlived the board"
    );
    require!(
        jobs > 0 && faults > 0 && resets > 0,
        "jobs {jobs}, faults {faults}, resets {resets}"
    );
    let bad: Vec<u64> = lines(BAD_PID).filter_map(|pid| pid.parse().ok()).collect();
    let (eighth, others): (Vec<&str>, Vec<&str>) =
        lines("stats: client ").partition(|line| bad.contains(&number(line, "pid")));
    require!(eighth.iter().any(|line| number(line, "faults") > 0));
    require!(others.iter().any(|line| number(line, "jobs") > 0));
    for line in others {
        require_eq!(number(line, "faults"), 0, "of {line}");
    }
}

/// The cases of one kind of GPU.
fn cases<G: Gpu + 'static>(board: &'static str, options: &'static [&'static str]) -> [Case; 2] {
    let case = |name, seconds: &str, body| {
        let text = "seven clients see no error while an eighth faults and hangs, all killed at \
            random for ";
        case!(name, &format!("{text}{seconds}"), body)
            .board(board)
            .drmboard(options, nothing_left)
            .timeout(120)
    };
    [
        case("crowd_short", "8 s", |ctx| crowd::<G>(ctx, 8)),
        case("crowd_60s", "60 s", |ctx| crowd::<G>(ctx, 60)),
    ]
}

fn main() {
    let mali = cases::<mali::Mali>("rk3399", mali::OPTIONS);
    let vivante = cases::<vivante::Vivante>("imx8mq", vivante::OPTIONS);
    atf::main(&mali.into_iter().chain(vivante).collect::<Vec<_>>());
}
