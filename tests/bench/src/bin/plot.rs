// SPDX-License-Identifier: BSD-2-Clause
//! `plot OUT.png FONT.ttf SERIES.csv [-- BOARD STOCK_LOG... [ours OUR_LOG...]]...`: draws what a
//! job costs, from the series of `profile` and the logs that `guest` prints.

use bench::guest::Run;
use bench::plot::{panels, picture, Guests};
use bench::profile::from_csv;
use std::error::Error;
use std::process::ExitCode;

/// The first of the logs, which are alike: `guest` checks that.
fn run(logs: &[String]) -> Result<Run, String> {
    let path = logs.first().ok_or("no log")?;
    let log = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Run::parse(&log).map_err(|why| format!("{path}: {why}"))
}

fn guests(args: &[String]) -> Result<Guests, String> {
    let (board, logs) = args.split_first().ok_or("no board")?;
    let mut drivers = logs.split(|log| log == "ours");
    Ok(Guests {
        board: board.clone(),
        stock: run(drivers.next().unwrap_or(&[]))?,
        ours: drivers.next().map(run).transpose()?,
    })
}

fn plot(args: &[String]) -> Result<(), Box<dyn Error>> {
    let mut groups = args.split(|arg| arg == "--");
    let Some([out, font, csv]) = groups.next() else {
        return Err(
            "usage: plot OUT.png FONT.ttf SERIES.csv [-- BOARD LOG... [ours LOG...]]...".into(),
        );
    };
    let guests = groups.map(guests).collect::<Result<Vec<_>, _>>()?;
    let read = |path: &String| std::fs::read(path).map_err(|error| format!("{path}: {error}"));
    let series = from_csv(&String::from_utf8(read(csv)?)?)?;
    std::fs::write(out, picture(&panels(&guests, &series), read(font)?)?)?;
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match plot(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("plot: {why}");
            ExitCode::FAILURE
        }
    }
}
