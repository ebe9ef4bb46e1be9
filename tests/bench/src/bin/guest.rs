// SPDX-License-Identifier: BSD-2-Clause
//! `guest BOARD LOG... [-- BOARD LOG...]...`: a table of what a job costs the stock driver of each board in a guest, from logs of
//! `drmboard vm --count`. Fails when the runs of a board differ by more than 2 %.

use bench::guest::{spread, Cost, Job, Run};
use std::process::ExitCode;

/// The most that runs may differ, in percent.
const LIMIT: f64 = 2.0;

const NOTE: &str = "\
each figure: privileged arm64 instructions, median of the jobs of a run (those of driver and DRM modules in brackets)
submit: the ioctl, with the scheduler's thread if it ran before the ioctl ended; to interrupt: until the GPU has ended the job;
completion: from its interrupt until the client is back from its wait
ours: not beside them; what is counted above for our drivers is user code of the host, with the model and the system below the
driver in it, and is not comparable. It will be with our drivers in a FreeBSD guest on the same machine";

fn shown(cost: Cost) -> String {
    format!("{} ({})", cost.all, cost.module)
}

fn print(board: &str, what: &str, figures: [String; 4]) {
    let [submit, start, completion, whole] = figures;
    println!("{board:<8} {what:<24} {submit:>16} {start:>16} {completion:>16} {whole:>16}");
}

fn board(args: &[String]) -> Result<(), String> {
    let (name, logs) = args.split_first().ok_or("no board")?;
    let read = |path: &String| {
        let log = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        Run::parse(&log).map_err(|why| format!("{path}: {why}"))
    };
    let runs = logs.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let run = runs.first().ok_or(format!("{name}: no log"))?;
    print(
        name,
        "GET_PARAM",
        ["-".into(), "-".into(), "-".into(), shown(run.null)],
    );
    for (what, job) in [("job, 1 in flight", run.one), ("job, 4 in flight", run.four)] {
        let Job {
            submit,
            start,
            completion,
            whole,
        } = job;
        print(name, what, [submit, start, completion, whole].map(shown));
    }
    let spread = spread(&runs);
    println!(
        "{name:<8} {} runs differ by {spread:.2} % at most (limit {LIMIT} %)",
        runs.len()
    );
    if spread > LIMIT {
        return Err(format!("{name}: the runs differ by {spread:.2} %"));
    }
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    print(
        "board",
        "",
        ["submit", "to interrupt", "completion", "all"].map(String::from),
    );
    let done = args.split(|arg| arg == "--").try_for_each(board);
    println!("{NOTE}");
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("guest: {why}");
            ExitCode::FAILURE
        }
    }
}
