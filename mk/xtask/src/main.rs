// SPDX-License-Identifier: BSD-2-Clause
//! `xtask COMMAND`: checks that need more than a line of shell. mk/ calls it; so may you.

mod audit;
mod console;
mod demo;
mod forms;
mod graph;
mod layers;
mod mutants;
mod overflow;
mod prose;
mod results;
mod source;
mod tree;
mod words;

use lexopt::ValueExt;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: xtask layers          draws the graph of modules of the kernel crates; fails on an arrow that
                             runs up and on a circle
       xtask layers --arrows the same, with every arrow
       xtask overflow        fails on arithmetic in sys/ that wraps or saturates without a reason
       xtask words [PREFIX]  prints refused words and lines that are too wide, in files whose path
                             begins with PREFIX; fails if there are any
       xtask forms licences | paths | debug-output | manual-names
                             fails on a source without a licence, a path of one machine, output of
                             Debug in a kernel's message, a sysctl that is in no manual page
       xtask results DIR begin
                             forgets what is in DIR, the results of tests
       xtask results DIR progress
                             copies the lines of cargo test that are worth seeing
       xtask results DIR split
                             writes a log into DIR for each case of a report of kyua's
       xtask results DIR step NAME STATUS | cargo STATUS | kyua NAME STATUS | checks NAME STATUS
                             adds what is in DIR/NAME.log; STATUS is how the program ended
       xtask results DIR sum prints what failed, and as the last line N passed, N failed
       xtask audit DIR       judges the kernel crates whose listings are in DIR/CRATE
       xtask console linux|freebsd BOARD RUN LOG --status N --seconds N [--label KERNEL]
                     [--cpus N] [--count N] [--quiet]
                             judges the console of a guest: what is wrong, and a row of the table,
                             or only the first
       xtask console linux-header | freebsd-header
                             the first row
       xtask console freebsd-machines BOARD RUN GOOD --count N ...
                             a row for N machines, GOOD of which were right
       xtask demo header | DEBIAN BOARD CLIENT STATUS LOG
                             prints a row of the table of make demo; fails if it does
       xtask mutants rate STATUS LOG
                             prints what a program of tests has detected
       xtask mutants row NAME WHAT MODELS DRIVER SUITE CROSSCHECK
                             prints a row of the table; fails on checks that fail without a fault
       xtask mutants end TABLE
                             fails on faults that nothing has detected
       xtask kmod-audit DIR [--update] [KERNEL SYMBOLS]...
                             judges the module whose listings are in DIR/audit; the file SYMBOLS
                             has what KERNEL exports. --update rewrites the list of symbols";

/// Options that stand alone.
const FLAGS: [&str; 3] = ["arrows", "update", "quiet"];
/// Options of `console` with a value.
const OPTIONS: [&str; 5] = ["status", "seconds", "label", "cpus", "count"];

/// What follows the name of the program.
#[derive(Default)]
struct Line {
    /// The command and what it is for.
    values: Vec<String>,
    flags: Vec<&'static str>,
    options: BTreeMap<&'static str, String>,
}

impl Line {
    fn parse(mut args: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut line = Self::default();
        while let Some(arg) = args.next()? {
            let known =
                |all: &[&'static str], name: &str| all.iter().find(|a| **a == name).copied();
            match arg {
                lexopt::Arg::Value(value) => line.values.push(value.string()?),
                lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => {
                    line.values = vec!["help".to_owned()];
                    return Ok(line);
                }
                lexopt::Arg::Long(name) => {
                    if let Some(flag) = known(&FLAGS, name) {
                        line.flags.push(flag);
                    } else if let Some(option) = known(&OPTIONS, name) {
                        line.options.insert(option, args.value()?.string()?);
                    } else {
                        return Err(arg.unexpected());
                    }
                }
                lexopt::Arg::Short(_) => return Err(arg.unexpected()),
            }
        }
        Ok(line)
    }
}

impl Line {
    /// `console KIND BOARD RUN LOG`, with its options.
    fn run(&self) -> Result<console::Run, String> {
        let [_, _, board, name, log] = &self.values[..] else {
            return Err(USAGE.to_owned());
        };
        let option = |name: &str| self.options.get(name).cloned();
        let needed = |name: &str| option(name).ok_or_else(|| format!("--{name} is missing"));
        let count = option("count").unwrap_or_else(|| "0".to_owned());
        Ok(console::Run {
            board: board.clone(),
            name: name.clone(),
            log: log.into(),
            status: needed("status")?,
            seconds: needed("seconds")?,
            label: option("label").unwrap_or_default(),
            cpus: option("cpus").unwrap_or_default(),
            count: count.parse().map_err(|e| format!("--count {count}: {e}"))?,
            quiet: self.flags.contains(&"quiet"),
        })
    }
}

fn run() -> Result<(), String> {
    let line = Line::parse(lexopt::Parser::from_env()).map_err(|e| format!("{e}\n{USAGE}"))?;
    let values: Vec<&str> = line.values.iter().map(String::as_str).collect();
    match (&values[..], &line.flags[..]) {
        (["help"], _) => {
            println!("{USAGE}");
            Ok(())
        }
        (["layers"], []) => layers::run(false),
        (["layers"], ["arrows"]) => layers::run(true),
        (["overflow"], []) => overflow::run(),
        (["words"], []) => words::run(""),
        (["words", prefix], []) => words::run(prefix),
        (["results", dir, rest @ ..], []) => results(dir.as_ref(), rest),
        (["audit", dir], []) => audit::crates(dir.as_ref()),
        (["kmod-audit", dir, kernels @ ..], []) => audit::kmod(dir.as_ref(), kernels, false),
        (["kmod-audit", dir, kernels @ ..], ["update"]) => audit::kmod(dir.as_ref(), kernels, true),
        (["forms", what], []) => forms::run(what),
        (["demo", "header"], []) => {
            demo::header();
            Ok(())
        }
        (["demo", debian, board, client, status, log], []) => {
            demo::row(debian, board, client, status, log.as_ref())
        }
        (["mutants", "rate", status, log], []) => mutants::rate(status, log.as_ref()),
        (["mutants", "row", fields @ ..], []) => mutants::row(fields),
        (["mutants", "end", table], []) => mutants::end(table.as_ref()),
        (["console", "linux-header"], []) => {
            console::linux_header();
            Ok(())
        }
        (["console", "freebsd-header"], []) => {
            console::freebsd_header();
            Ok(())
        }
        (["console", "linux", ..], []) => console::linux(&line.run()?),
        (["console", "freebsd", ..], _) => console::freebsd(&line.run()?),
        (["console", "freebsd-machines", _, _, good], []) => {
            let good = good.parse().map_err(|e| format!("{good}: {e}"))?;
            console::freebsd_machines(&line.run()?, good);
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    }
}

/// `xtask results DIR ...`.
fn results(dir: &Path, what: &[&str]) -> Result<(), String> {
    match *what {
        ["begin"] => results::begin(dir),
        ["step", name, status] => results::step(dir, name, status),
        ["progress"] => results::progress(),
        ["cargo", status] => results::cargo(dir, status),
        ["kyua", name, status] => results::kyua(dir, name, status),
        ["split"] => results::split(dir),
        ["checks", name, status] => results::checks(dir, name, status),
        ["sum"] => results::sum(dir),
        _ => Err(USAGE.to_owned()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // What is wrong may have been printed.
            if !why.is_empty() {
                eprintln!("xtask: {why}");
            }
            ExitCode::FAILURE
        }
    }
}
