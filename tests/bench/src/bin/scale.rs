// SPDX-License-Identifier: BSD-2-Clause
//! `scale [FILE.csv]`: what one operation costs among few and among many objects, as lines and in a
//! file of series, number of objects, instructions. Exits with 1 if a cost grows by more than
//! [`LIMIT`], with 2 if it cannot be measured.

use bench::count::{under_callgrind, Counter};
use bench::scale::{all, Series, LIMIT};
use std::process::ExitCode;

/// Given to the process under callgrind.
const COUNTED: &str = "--counted";

fn csv(series: &[Series]) -> String {
    let mut text = String::from("series,n,instructions\n");
    for one in series {
        for (n, cost) in &one.costs {
            text += &format!("\"{}\",{n},{cost:.1}\n", one.name);
        }
    }
    text
}

fn print(series: &[Series]) -> bool {
    println!(
        "{:<50} {:>29} {:>29} {:>7}",
        "instructions of one operation", "n: cost", "100 n: cost", "growth"
    );
    for one in series {
        let shown = |cost: Option<&(u32, f64)>| {
            cost.map_or(String::new(), |(n, cost)| format!("{n}: {cost:.0}"))
        };
        let (first, last) = (shown(one.costs.first()), shown(one.costs.last()));
        let growth = one.growth();
        println!("{:<50} {first:>29} {last:>29} {growth:>7.2}", one.name);
    }
    let mut good = true;
    let bad = |one: &&Series| one.growth() > LIMIT || one.growth().is_nan();
    for one in series.iter().filter(bad) {
        println!("scale: {}: grows by more than {LIMIT}", one.name);
        good = false;
    }
    good
}

fn measure(file: Option<&str>) -> Result<bool, String> {
    let Some(mut counter) = Counter::find() else {
        return elsewhere(file);
    };
    let series = all(&mut counter);
    if let Some(file) = file {
        std::fs::write(file, csv(&series)).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(print(&series))
}

/// In a process under callgrind.
fn elsewhere(file: Option<&str>) -> Result<bool, String> {
    let directory = std::env::temp_dir().join(format!("scale.{}", std::process::id()));
    let mut args = vec![COUNTED];
    args.extend(file);
    let status = under_callgrind(&directory, &args).and_then(|mut command| command.status());
    // Left over are dumps of nothing.
    let _ = std::fs::remove_dir_all(&directory);
    let status = status.map_err(|error| format!("no counters, and no valgrind: {error}"))?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(format!("under callgrind: {status}")),
    }
}

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let inside = args.first().is_some_and(|arg| arg == COUNTED);
    if inside {
        args.remove(0);
        if Counter::find().is_none() {
            eprintln!("scale: not below callgrind");
            return ExitCode::from(2);
        }
    }
    match measure(args.first().map(String::as_str)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("scale: {why}");
            ExitCode::from(2)
        }
    }
}
