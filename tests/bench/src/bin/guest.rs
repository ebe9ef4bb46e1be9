// SPDX-License-Identifier: BSD-2-Clause
//! `guest BOARD LOG... [ours LOG...] [-- BOARD LOG... [ours LOG...]]...`: a table of what a job
//! costs the stock driver of each board in a Linux guest, ours in a FreeBSD guest beside it if
//! there are logs, and the ratio; from logs of `drmboard vm --count`. Fails when the runs of one
//! driver differ by more than they may, and when ours cost more than [`bench::bounds`] allows.

use bench::bounds;
use bench::guest::{spread, Cost, Run};
use std::process::ExitCode;

/// The most that runs of the stock driver may differ, in percent.
const LIMIT: f64 = 2.0;
/// The same of ours. FreeBSD's guest has a disk, which is as fast as the host, so that its clock
/// and its scheduler are not the same each time: a completion takes one of two figures, 330
/// instructions apart, and what the module executes of it is the same.
const LIMIT_OURS: f64 = 6.0;

const NOTE: &str = "\
each figure: privileged arm64 instructions, median of the jobs of a run (in brackets: in driver and
DRM modules). submit: the ioctl, with the scheduler's thread if it ran before the ioctl ended;
to interrupt: until the GPU has ended the job; completion: from its interrupt until the client has
returned from its wait";

const OURS: &str = "\
ours: drmkpi.ko in a FreeBSD guest, same model, same client, same method. In brackets drmkpi.ko
alone, which includes fences, page tables and the scheduler; Linux has fences and part of the page
tables in its kernel. The figure before the brackets on FreeBSD includes its emulation of Linux's
system calls. ratio: ours / stock, less than 1.00 is less than the stock driver";

const NOT_OURS: &str = "\
ours: not shown; the figures above for our drivers are user code of the host, including the model
and the system below the driver, and are not comparable. A FreeBSD kernel makes them comparable:
make bench KERNEL=.../kernel.bin";

fn shown(cost: Cost) -> String {
    format!("{} ({})", cost.all, cost.module)
}

fn ratio(ours: Cost, stock: Cost) -> String {
    let [all, module] = ours.over(stock);
    format!("{all:.2} ({module:.2})")
}

fn print(board: &str, what: &str, figures: [String; 4]) {
    let [submit, start, completion, whole] = figures;
    println!("{board:<8} {what:<31} {submit:>16} {start:>16} {completion:>16} {whole:>16}");
}

/// The runs, after it was seen that all are alike.
fn runs(whose: &str, logs: &[String], limit: f64) -> Result<Vec<Run>, String> {
    let read = |path: &String| {
        let log = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        Run::parse(&log).map_err(|why| format!("{path}: {why}"))
    };
    let runs = logs.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if runs.is_empty() {
        return Err(format!("{whose}: no log"));
    }
    let spread = spread(&runs);
    println!(
        "{whose}: {} runs differ by {spread:.2} % at most (limit {limit} %)",
        runs.len()
    );
    match spread > limit {
        true => Err(format!("{whose}: the runs differ by {spread:.2} %")),
        false => Ok(runs),
    }
}

fn rows(runs: &[Run]) -> Vec<(&'static str, [Option<Cost>; 4])> {
    runs.first().map_or(Vec::new(), Run::rows)
}

/// Prints the rows of a board. Returns whether ours stay within their bounds.
fn board(args: &[String]) -> Result<bool, String> {
    let (name, logs) = args.split_first().ok_or("no board")?;
    let mut drivers = logs.split(|log| log == "ours");
    let stock = runs(
        &format!("{name}, stock"),
        drivers.next().unwrap_or(&[]),
        LIMIT,
    )?;
    let ours = drivers
        .next()
        .map(|logs| runs(&format!("{name}, ours"), logs, LIMIT_OURS))
        .transpose()?;
    let line = |what: &str, costs: [Option<Cost>; 4]| {
        let figures = costs.map(|cost| cost.map_or("-".into(), shown));
        print(name, what, figures);
    };
    let Some(ours) = ours else {
        for (what, costs) in rows(&stock) {
            line(what, costs);
        }
        return Ok(true);
    };
    for ((what, stock), (_, ours)) in rows(&stock).into_iter().zip(rows(&ours)) {
        line(&format!("{what}: stock"), stock);
        line(&format!("{what}: ours"), ours);
        let ratios = std::array::from_fn(|column| {
            let both = ours[column].zip(stock[column]);
            both.map_or("-".into(), |(ours, stock)| ratio(ours, stock))
        });
        print(name, &format!("{what}: ratio"), ratios);
    }
    let bounds = bounds::check(name, &stock, &ours);
    for (text, _) in &bounds {
        println!("{text}");
    }
    Ok(bounds.iter().all(|(_, holds)| *holds))
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    print(
        "board",
        "",
        ["submit", "to interrupt", "completion", "all"].map(String::from),
    );
    let boards = args.split(|arg| arg == "--");
    let done = boards.map(board).collect::<Result<Vec<bool>, String>>();
    println!("{NOTE}");
    let beside = args.iter().any(|arg| arg == "ours");
    println!("{}", if beside { OURS } else { NOT_OURS });
    match done {
        Ok(within) if within.iter().all(|within| *within) => ExitCode::SUCCESS,
        Ok(_) => {
            eprintln!("guest: a figure is above its bound");
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("guest: {why}");
            ExitCode::FAILURE
        }
    }
}
