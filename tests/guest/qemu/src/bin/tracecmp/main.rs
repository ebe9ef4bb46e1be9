// SPDX-License-Identifier: BSD-2-Clause
//! `tracecmp BOARD LIST STOCK... -- OURS...`: register traces of the stock Linux driver and of
//! ours, compared phase by phase.
//!
//! For each phase, our driver's most frequent form is compared with the nearest form of the stock
//! driver. LIST is the file of accepted differences, with their reasons: a difference that is not
//! listed fails, and so does a listed one that does not occur. The last line is for the table of
//! mk/crosscheck.sh. docs/trace.md describes the format of traces.

mod accept;
mod diff;
mod gpu;
mod phase;

use gpu::Gpu;
use phase::Phases;
use std::fs;
use std::process::ExitCode;

const USAGE: &str = "usage: tracecmp BOARD LIST STOCK... -- OURS...";

fn read(gpu: &Gpu, files: &[String]) -> Result<Phases, String> {
    let mut phases = Phases::default();
    for file in files {
        let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        phases.add(gpu, &text);
    }
    match phases.is_empty() {
        true => Err(format!("no register access in {}", files.join(" "))),
        false => Ok(phases),
    }
}

/// The last line: what the comparison came to.
fn summary(phases: usize, is_same: bool) -> String {
    match is_same {
        true => format!("traces: {phases} phases, no difference that is not accepted"),
        false => "traces: failed".to_owned(),
    }
}

fn run() -> Result<bool, String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [board, list, files @ ..] = args.as_slice() else {
        return Err(USAGE.into());
    };
    let dashes = files.iter().position(|arg| arg == "--").ok_or(USAGE)?;
    let gpu = Gpu::of(board).ok_or(format!("no board {board}"))?;
    let stock = read(gpu, &files[..dashes])?;
    let ours = read(gpu, &files[dashes + 1..])?;
    let text = fs::read_to_string(list).map_err(|error| format!("{list}: {error}"))?;
    let mut accepted = accept::List::parse(board, &text)?;
    let (mut phases, mut unlisted) = (0, 0);
    for phase in stock.names().union(&ours.names()) {
        let found = diff::phase(&stock, &ours, phase);
        let accesses = ours.usual(phase).map_or(0, <[String]>::len);
        let differences = found.len();
        let new: Vec<_> = found
            .into_iter()
            .filter(|line| !accepted.take(phase, line))
            .collect();
        println!(
            "{board} {phase}: {accesses} accesses in our usual form of {}, {differences} \
                differences, {} not listed",
            ours.forms(phase),
            new.len()
        );
        phases += 1;
        unlisted += new.len();
        new.iter()
            .for_each(|line| println!("  not listed: {board} {phase} {line}"));
    }
    let stale = accepted.left();
    stale
        .iter()
        .for_each(|line| println!("  listed, and occurs no longer: {line}"));
    let is_same = unlisted == 0 && stale.is_empty();
    println!("{}", summary(phases, is_same));
    Ok(is_same)
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("tracecmp: {why}");
            println!("{}", summary(0, false));
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_what_it_came_to() {
        let row = "traces: 3 phases, no difference that is not accepted";
        assert_eq!(summary(3, true), row);
        assert_eq!(summary(3, false), "traces: failed");
    }
}
