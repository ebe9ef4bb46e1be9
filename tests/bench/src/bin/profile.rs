// SPDX-License-Identifier: BSD-2-Clause
//! `profile [FILE.csv]`: what a job costs by kind of call and in instructions of the kernel
//! module's crates, as a table; and into the file what it costs among many clients and many BOs:
//! see crate `bench`, profile.rs.
//!
//! Instructions are counted by callgrind, as a processor does not say whose they are. Exits with 2
//! if there is none; the table is printed without them.

use bench::count::{under_callgrind, Counter};
use bench::profile::{csv, from_csv, instructions, series, table, traffics, Series, PROFILED};
use std::process::ExitCode;

/// Given to the process under callgrind.
const COUNTED: &str = "--counted";

/// In the process under callgrind: a line of counts, and a file of series.
fn counted() -> Option<String> {
    let mut counter = Counter::find()?;
    let counts = instructions(&mut counter)?.map(|count| count.to_string());
    Some(counts.join(" ") + "\n" + &csv(&series(&mut counter)?))
}

/// What that process has counted.
fn counted_elsewhere() -> Result<([f64; PROFILED.len()], Vec<Series>), String> {
    let directory = std::env::temp_dir().join(format!("profile.{}", std::process::id()));
    let output = under_callgrind(&directory, &[COUNTED]).and_then(|mut command| command.output());
    // Left over are dumps of nothing.
    let _ = std::fs::remove_dir_all(&directory);
    let output = output.map_err(|error| format!("no valgrind: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let failed = || {
        let errors = String::from_utf8_lossy(&output.stderr);
        format!("under callgrind: {}: {text}{errors}", output.status)
    };
    let (first, rest) = text.split_once('\n').ok_or_else(failed)?;
    let counts: Vec<f64> = first.split(' ').flat_map(str::parse).collect();
    let counts = counts.try_into().map_err(|_| failed())?;
    let series = from_csv(rest).map_err(|why| format!("{why}: {}", failed()))?;
    Ok((counts, series))
}

fn run(file: Option<&str>) -> Result<(), String> {
    let traffics = traffics();
    let counted = counted_elsewhere();
    let instructions = counted.as_ref().ok().map(|(counts, _)| counts);
    print!("{}", table(&traffics, instructions));
    let (_, series) = counted.map_err(|why| format!("instructions are not counted: {why}"))?;
    match file {
        Some(file) => {
            std::fs::write(file, csv(&series)).map_err(|error| format!("{file}: {error}"))
        }
        None => Ok(()),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        [COUNTED] => counted()
            .map(|text| print!("{text}"))
            .ok_or_else(|| "nothing here counts instructions by function".to_owned()),
        [] => run(None),
        [file] => run(Some(file)),
        _ => Err("usage: profile [FILE.csv]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("profile: {why}");
            ExitCode::from(2)
        }
    }
}
