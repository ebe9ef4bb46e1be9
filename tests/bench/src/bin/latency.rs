// SPDX-License-Identifier: BSD-2-Clause
//! `latency [SUBMITS [RUNS]]`: a small client's time from submit to done beside neighbours that
//! burden the driver, and beside threads that burn the same processor time without touching it.
//! Fails when the former is more than [`BOUND`] times the latter. The locks that were held for
//! longest are listed besides, the median of as many runs: an interrupt of this machine falls into
//! one hold or another in each.

use bench::latency::{alone, beside, control, holds, median, Neighbour, Run, NEIGHBOURS};
use std::process::ExitCode;

/// Of the medians of the 99th percentiles.
const BOUND: f64 = 1.5;
const SUBMITS: u32 = 2_000;
const RUNS: u32 = 9;
/// Locks in the list.
const LOCKS: usize = 5;

fn us(run: &Run) -> f64 {
    run.p99.as_secs_f64() * 1e6
}

/// The ratio for a neighbour, with a line of what it is made of.
fn compare(neighbour: &Neighbour, base: &Run, submits: u32, runs: u32) -> f64 {
    let (mut with, mut without, mut burned, mut longest) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let run = beside(neighbour, submits);
        // What model and tasks do for the small client they do beside the control as well.
        with.push(us(&run));
        longest.push(run.longest.as_secs_f64() * 1e6);
        burned.push(run.processors(base));
        without.push(us(&control(neighbour, &run.shares(base), submits)));
    }
    let (ours, peer) = (median(with), median(without));
    println!(
        "{:<36} {ours:>9.0} {peer:>10.0} {:>7.2} {:>11.0} {:>11.2}",
        neighbour.name,
        ours / peer,
        median(longest),
        median(burned)
    );
    ours / peer
}

fn run(args: &[String]) -> Result<(), String> {
    let number = |at: usize, value: u32| match args.get(at) {
        None => Ok(value),
        Some(arg) => arg
            .parse::<u32>()
            .ok()
            .filter(|n| *n != 0)
            .ok_or("usage: latency [SUBMITS [RUNS]]"),
    };
    let (submits, runs) = (number(0, SUBMITS)?, number(1, RUNS)?);
    let base = alone(submits);
    println!(
        "submit to done of a small client, 99th percentile of {submits}, medians of {runs} runs; \
         alone {:.0} us\n",
        us(&base)
    );
    println!(
        "{:<36} {:>9} {:>10} {:>7} {:>11} {:>11}",
        "beside one that", "us", "control us", "ratio", "longest us", "processors"
    );
    let ratios = NEIGHBOURS.map(|neighbour| {
        let ratio = compare(&neighbour, &base, submits, runs);
        (neighbour, ratio)
    });
    println!(
        "\nlocks held for longest, medians of {runs} runs, in processor time and (by the clock, \
         which counts losing the processor), us"
    );
    for (neighbour, _) in &ratios {
        println!("-- {}", neighbour.name);
        for (name, hold) in holds(neighbour, submits, runs).iter().take(LOCKS) {
            let [cpu, wall] = [hold.cpu, hold.wall].map(|time| time.as_secs_f64() * 1e6);
            println!("{name:<36} {cpu:>9.0} ({wall:.0})");
        }
    }
    let over: Vec<&str> = ratios
        .iter()
        .filter(|(_, ratio)| *ratio > BOUND)
        .map(|(neighbour, _)| neighbour.name)
        .collect();
    match over[..] {
        [] => Ok(()),
        _ => Err(format!(
            "more than {BOUND} times the control beside one that {}",
            over.join("; ")
        )),
    }
}

/// What else the machine does is in nobody's way here, if we may say so.
fn go_first() {
    // SAFETY: numbers only; this process. Refused, all is as it was.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
}

fn main() -> ExitCode {
    go_first();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("latency: {why}");
            ExitCode::FAILURE
        }
    }
}
