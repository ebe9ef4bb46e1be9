// SPDX-License-Identifier: BSD-2-Clause
//! What a job costs by kind of call, and by instructions of the kernel module's crates; and what it
//! costs among many clients and among many BOs.
//!
//! The one thing to know: the system below the driver is tests/lib/os and the GPU a model, so that
//! instructions are those of this machine's instruction set, without those of either.

use crate::count::Counter;
use crate::submit::{Job, Size, Submitter, Traffic, WORDS};
use std::fmt::Write as _;
use test_board::{board, with_memory};

/// Jobs of a measurement, after one that turns the GPU on.
const JOBS: u32 = 200;
/// Jobs of one whose instructions are counted, after as many that are not.
const COUNTED: u32 = 64;

/// A job whose profile is taken.
pub struct Profiled {
    /// Driver and size, in the heading of a column.
    pub name: [&'static str; 2],
    board: &'static str,
    size: Size,
}

const fn of(name: [&'static str; 2], board: &'static str, bos: u32, words: u32) -> Profiled {
    let size = Size { bos, words };
    Profiled { name, board, size }
}

/// The jobs.
pub const PROFILED: [Profiled; 6] = [
    of(["panfrost", "2 BOs"], "rk3399", 2, 0),
    of(["panfrost", "34 BOs"], "rk3399", 34, 0),
    of(["etnaviv, 2 BOs", "64 words"], "imx8mq", 2, 64),
    of(["etnaviv, 34 BOs", "64 words"], "imx8mq", 34, 64),
    of(["etnaviv, 2 BOs", "1,024 words"], "imx8mq", 2, 1024),
    of(["etnaviv, 2 BOs", "2,064 words"], "imx8mq", 2, 2064),
];

/// Counts the instructions of a job of a board and size, among so many.
type CountFn = fn(&mut Counter, &str, Size, u32) -> Option<f64>;

/// A row of the table: what is counted; what it was for each job in November 2026, before the
/// runner started jobs in the ioctl, by this program at commit b338920; and what it is in some
/// jobs' traffic.
type Row = (&'static str, [u32; PROFILED.len()], fn(&Traffic) -> u64);

/// The rows.
const ROWS: [Row; 15] = [
    ("allocations", [11, 15, 12, 16, 12, 12], |t| t.calls.mallocs),
    ("mutexes made", [2, 2, 4, 4, 4, 4], |t| t.calls.mtxs_made),
    ("mutex lock pairs", [46, 238, 49, 241, 49, 49], |t| {
        t.calls.mtx_locks
    }),
    ("sx lock pairs", [2, 2, 10, 106, 10, 10], |t| {
        t.calls.sx_locks
    }),
    ("cv broadcasts", [1, 1, 1, 1, 1, 1], |t| t.calls.broadcasts),
    ("threads woken by them", [1, 1, 1, 1, 1, 1], |t| {
        t.calls.woken
    }),
    ("task enqueues", [2, 2, 2, 2, 2, 2], |t| t.calls.enqueues),
    ("task enqueues at a time", [2, 2, 2, 2, 2, 2], |t| {
        t.calls.timed_enqueues
    }),
    ("thread switches", [2, 2, 2, 2, 2, 2], |t| t.calls.switches),
    ("cache syncs", [0, 0, 17, 17, 17, 19], |t| t.calls.syncs),
    ("bytes of cache syncs", [0, 0, 384, 384, 4224, 8384], |t| {
        t.calls.sync_bytes
    }),
    ("clock reads", [14, 14, 7, 7, 7, 7], |t| t.calls.clock_reads),
    ("registers read", [5, 5, 1, 1, 1, 1], |t| t.calls.reads),
    ("registers written", [7, 7, 0, 0, 0, 0], |t| t.calls.writes),
    ("interrupts", [1, 1, 1, 1, 1, 1], |t| t.interrupts),
];

/// What the instructions of a job were then, on x86-64.
const BEFORE: [u32; PROFILED.len()] = [9809, 36273, 14823, 56957, 37863, 62861];

/// The traffic of each job.
///
/// # Panics
/// If a job fails.
pub fn traffics() -> [Traffic; PROFILED.len()] {
    PROFILED.each_ref().map(|job| {
        let submitter = Submitter::sized(job.board, job.size).expect("a board with jobs");
        submitter.once();
        let traffic = submitter.traffic(JOBS);
        submitter.finish();
        traffic
    })
}

/// Instructions of our crates for each job; `None` if the counter does not know whose they are.
///
/// # Panics
/// If a job fails.
pub fn instructions(counter: &mut Counter) -> Option<[f64; PROFILED.len()]> {
    let mut all = [0.0; PROFILED.len()];
    for (job, one) in PROFILED.iter().zip(&mut all) {
        let submitter = Submitter::sized(job.board, job.size).expect("a board with jobs");
        *one = each(counter, |_| submitter.once())?;
        submitter.finish();
    }
    Some(all)
}

/// What one of [`COUNTED`] operations costs, after as many that are not counted.
fn each(counter: &mut Counter, mut operation: impl FnMut(u32)) -> Option<f64> {
    (0..COUNTED).for_each(&mut operation);
    let [ours, _] = counter.count_ours(|| (0..COUNTED).for_each(&mut operation))?;
    Some(ours as f64 / f64::from(COUNTED))
}

/// Lines of a table.
pub fn table(
    traffics: &[Traffic; PROFILED.len()],
    instructions: Option<&[f64; PROFILED.len()]>,
) -> String {
    let mut text = String::new();
    let mut line = |name: &str, cells: [String; PROFILED.len()]| {
        let _ = write!(text, "{name:<24}");
        cells.iter().for_each(|cell| {
            let _ = write!(text, " {cell:>15}");
        });
        text.push('\n');
    };
    for (n, heading) in ["a job: before > now", ""].into_iter().enumerate() {
        line(heading, PROFILED.each_ref().map(|job| job.name[n].into()));
    }
    let cell = |before: u32, now: f64| format!("{before} > {now:.0}");
    for (name, before, of) in ROWS {
        let cells = |n: usize| cell(before[n], traffics[n].of_one(of(&traffics[n])));
        line(name, std::array::from_fn(cells));
    }
    if let Some(counts) = instructions {
        let cells = |n: usize| cell(BEFORE[n], counts[n]);
        line("instructions, our crates", std::array::from_fn(cells));
    }
    text + "before: November 2026, before the runner started jobs in the ioctl; x86-64\n"
}

/// Costs of one job, for each number of what it is among.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What is varied, and the board: [`CLIENTS`] or [`OBJECTS`], a space, its name.
    pub name: String,
    /// Numbers, and instructions of our crates.
    pub costs: Vec<(u32, f64)>,
}

/// Clients, each of which has a file, takes its turn with its job.
pub const CLIENTS: &str = "clients";
/// BOs that the client has and the job does not name.
pub const OBJECTS: &str = "objects";

/// How many clients, and how many BOs.
const MANY_CLIENTS: [u32; 6] = [1, 4, 8, 16, 32, 64];
const MANY_OBJECTS: [u32; 4] = [1, 10, 100, 1000];

/// All series; `None` if the counter does not know whose instructions they are.
///
/// # Panics
/// If a job fails.
pub fn series(counter: &mut Counter) -> Option<Vec<Series>> {
    let mut all = Vec::new();
    for (name, bos) in [("rk3399", 2), ("imx8mq", 1)] {
        let size = Size { bos, words: WORDS };
        let kinds: [(_, &[u32], CountFn); 2] = [
            (CLIENTS, &MANY_CLIENTS, among_clients),
            (OBJECTS, &MANY_OBJECTS, among_objects),
        ];
        for (kind, numbers, measure) in kinds {
            let costs = numbers
                .iter()
                .map(|n| Some((*n, measure(counter, name, size, *n)?)));
            all.push(Series {
                name: format!("{kind} {name}"),
                costs: costs.collect::<Option<_>>()?,
            });
        }
    }
    Some(all)
}

fn among_clients(counter: &mut Counter, name: &str, size: Size, n: u32) -> Option<f64> {
    let open = Job::opener(name).expect("a board with jobs");
    let board = board(name, with_memory(64 << 30));
    let jobs: Vec<Job> = (0..n).map(|_| open(&board, size)).collect();
    let one = each(counter, |k| jobs[(k % n) as usize].once());
    drop(jobs);
    board.close().expect("the driver detaches");
    one
}

fn among_objects(counter: &mut Counter, name: &str, size: Size, n: u32) -> Option<f64> {
    let open = Job::opener(name).expect("a board with jobs");
    let board = board(name, with_memory(64 << 30));
    let job = open(&board, size);
    job.make_others(n);
    let one = each(counter, |_| job.once());
    drop(job);
    board.close().expect("the driver detaches");
    one
}

/// The first line of a file of series.
const HEADING: &str = "series,n,instructions";

/// Series as a file has them, in which the page of a table program can be read.
pub fn csv(series: &[Series]) -> String {
    let mut text = format!("{HEADING}\n");
    for one in series {
        for (n, cost) in &one.costs {
            let _ = writeln!(text, "\"{}\",{n},{cost:.1}", one.name);
        }
    }
    text
}

/// Reads what [`csv`] wrote.
///
/// # Errors
/// The line that is none of such a file.
pub fn from_csv(text: &str) -> Result<Vec<Series>, String> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADING) {
        return Err(format!("the first line is not {HEADING}"));
    }
    let mut all: Vec<Series> = Vec::new();
    for line in lines {
        let point = || {
            let (name, point) = line.strip_prefix('"')?.split_once("\",")?;
            let (n, cost) = point.split_once(',')?;
            Some((name, (n.parse().ok()?, cost.parse().ok()?)))
        };
        let (name, point) = point().ok_or(format!("not a point of a series: {line}"))?;
        match all.last_mut().filter(|last| last.name == name) {
            Some(last) => last.costs.push(point),
            None => all.push(Series {
                name: name.into(),
                costs: vec![point],
            }),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_read_as_they_were_written() {
        let series = vec![
            Series {
                name: "clients rk3399".into(),
                costs: vec![(1, 10.0), (8, 12.5)],
            },
            Series {
                name: "objects rk3399".into(),
                costs: vec![(1, 10.0)],
            },
        ];
        assert_eq!(from_csv(&csv(&series)), Ok(series));
        for wrong in ["", "n\n", "series,n,instructions\nclients,1,2\n"] {
            assert!(from_csv(wrong).is_err(), "{wrong}");
        }
    }

    /// A job of each driver makes the calls that it cannot do without.
    #[test]
    fn a_job_is_seen_to_make_calls() {
        for (job, traffic) in PROFILED.iter().zip(traffics()) {
            let of_one = |n| traffic.of_one(n);
            let calls = traffic.calls;
            for n in [calls.mtx_locks, calls.clock_reads, calls.reads] {
                assert!(of_one(n) >= 1.0, "{:?}: {traffic:?}", job.name);
            }
            assert_eq!(of_one(traffic.interrupts), 1.0, "{:?}", job.name);
            match job.board {
                "rk3399" => assert!(of_one(calls.writes) >= 1.0, "the slot is written"),
                _ => assert!(
                    of_one(calls.sync_bytes) >= f64::from(4 * job.size.words),
                    "the stream is written to memory"
                ),
            }
        }
    }
}
