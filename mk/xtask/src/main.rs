// SPDX-License-Identifier: BSD-2-Clause
//! `xtask COMMAND`: checks that need more than a line of shell. mk/ calls it; so may you.

mod graph;
mod layers;
mod overflow;
mod source;

use std::process::ExitCode;

const USAGE: &str = "\
usage: xtask layers          draws the graph of modules of the kernel crates; fails on an arrow that
                             runs up and on a circle
       xtask layers --arrows the same, with every arrow
       xtask overflow        fails on arithmetic in sys/ that wraps or saturates and does not say why";

fn run() -> Result<(), String> {
    let mut args = lexopt::Parser::from_env();
    let (mut command, mut arrows) = (None, false);
    while let Some(arg) = args.next().map_err(|e| e.to_string())? {
        match arg {
            lexopt::Arg::Value(value) if command.is_none() => command = Some(value),
            lexopt::Arg::Long("arrows") => arrows = true,
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => {
                println!("{USAGE}");
                return Ok(());
            }
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    match command.as_deref().and_then(|c| c.to_str()) {
        Some("layers") => layers::run(arrows),
        Some("overflow") => overflow::run(),
        _ => Err(USAGE.to_owned()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
