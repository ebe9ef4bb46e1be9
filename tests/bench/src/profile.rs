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
    of(["etnaviv", "2, 64 w"], "imx8mq", 2, 64),
    of(["etnaviv", "34, 64 w"], "imx8mq", 34, 64),
    of(["etnaviv", "2, 1024 w"], "imx8mq", 2, 1024),
    of(["etnaviv", "2, 2064 w"], "imx8mq", 2, 2064),
];

/// A row of the table: what is counted, what it was in November 2026, before the runner started
/// jobs in the ioctl, and what it is in some jobs' traffic.
type Row = (&'static str, &'static str, fn(&Traffic) -> u64);

/// The rows.
const ROWS: [Row; 15] = [
    ("allocations", "8", |t| t.calls.mallocs),
    ("mutexes made", "3", |t| t.calls.mtxs_made),
    ("mutex lock pairs", "38, with sx", |t| t.calls.mtx_locks),
    ("sx lock pairs", "", |t| t.calls.sx_locks),
    ("cv broadcasts", "", |t| t.calls.broadcasts),
    ("threads woken by them", "", |t| t.calls.woken),
    ("task enqueues", "4", |t| t.calls.enqueues),
    ("task enqueues at a time", "", |t| t.calls.timed_enqueues),
    ("thread switches", "3 *", |t| t.calls.switches),
    ("cache syncs", "etnaviv 17", |t| t.calls.syncs),
    ("bytes of cache syncs", "", |t| t.calls.sync_bytes),
    ("clock reads", "etnaviv 16", |t| t.calls.clock_reads),
    ("registers read", "", |t| t.calls.reads),
    ("registers written", "", |t| t.calls.writes),
    ("interrupts", "", |t| t.interrupts),
];

/// What the instructions of a job were before.
const BEFORE: [Option<u32>; PROFILED.len()] =
    [Some(5558), None, Some(9480), None, Some(36_840), None];

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
    let mut line = |name: &str, before: &str, cells: [String; PROFILED.len()]| {
        let _ = write!(text, "{name:<26} {before:>12}");
        cells.iter().for_each(|cell| {
            let _ = write!(text, " {cell:>10}");
        });
        text.push('\n');
    };
    for (n, heading) in ["per job", ""].into_iter().enumerate() {
        let before = ["before", ""][n];
        line(
            heading,
            before,
            PROFILED.each_ref().map(|job| job.name[n].into()),
        );
    }
    for (name, before, of) in ROWS {
        let cells = traffics
            .each_ref()
            .map(|t| format!("{:.2}", t.of_one(of(t))));
        line(name, before, cells);
    }
    if let Some(counts) = instructions {
        let cells = counts.map(|count| format!("{count:.0}"));
        line("instructions, our crates", "below", cells);
        let before = BEFORE.map(|count| count.map_or("-".into(), |count| count.to_string()));
        line("the same before", "", before);
    }
    text + "before: November 2026, before the runner started jobs in the ioctl\n\
        * from the interrupt to the client; the other columns: of the whole job\n"
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
        let kinds: [(_, &[u32], fn(&mut Counter, &str, Size, u32) -> Option<f64>); 2] = [
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
    use drm_os_host::Calls;

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
            let Calls {
                mtx_locks,
                clock_reads,
                sync_bytes,
                reads,
                writes,
                ..
            } = traffic.calls;
            let jobs = u64::from(traffic.jobs);
            let at_least = [mtx_locks, clock_reads, reads, traffic.interrupts];
            // etnaviv starts a job by a write to memory.
            assert!(job.board != "rk3399" || writes >= jobs, "{traffic:?}");
            assert!(
                at_least.iter().all(|n| *n >= jobs),
                "{:?}: {traffic:?}",
                job.name
            );
            assert!(
                job.board != "imx8mq" || sync_bytes >= jobs * 4 * u64::from(job.size.words),
                "the stream is written to memory"
            );
        }
    }
}
