// SPDX-License-Identifier: BSD-2-Clause
//! `xtask COMMAND`: checks that need more than a line of shell. mk/ calls it; so may you.

mod graph;
mod layers;
mod overflow;
mod prose;
mod source;
mod words;

use std::process::ExitCode;

const USAGE: &str = "\
usage: xtask layers          draws the graph of modules of the kernel crates; fails on an arrow that
                             runs up and on a circle
       xtask layers --arrows the same, with every arrow
       xtask overflow        fails on arithmetic in sys/ that wraps or saturates without a reason
       xtask words [PREFIX]  prints refused words and lines that are too wide, in files whose path
                             begins with PREFIX; fails if there are any";

fn run() -> Result<(), String> {
    let mut args = lexopt::Parser::from_env();
    let (mut command, mut option, mut prefix) = (None, None, None);
    while let Some(arg) = args.next().map_err(|e| e.to_string())? {
        match arg {
            lexopt::Arg::Value(value) if command.is_none() => command = Some(value),
            lexopt::Arg::Value(value) if prefix.is_none() => prefix = value.into_string().ok(),
            lexopt::Arg::Long(name @ "arrows") => {
                option = Some(name.to_owned());
            }
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => {
                println!("{USAGE}");
                return Ok(());
            }
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    let command = command.as_deref().and_then(|c| c.to_str());
    match (command, option.as_deref(), prefix) {
        (Some("layers"), None, None) => layers::run(false),
        (Some("layers"), Some("arrows"), None) => layers::run(true),
        (Some("overflow"), None, None) => overflow::run(),
        (Some("words"), None, prefix) => words::run(prefix.as_deref().unwrap_or("")),
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
