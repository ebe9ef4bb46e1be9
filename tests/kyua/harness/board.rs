// SPDX-License-Identifier: BSD-2-Clause
//! Gets a case onto its board: below `drmboard`, or on the machine itself when that is the board.
//!
//! In this order: inside `drmboard run` (it sets `DRMBOARD_BOARD`) the case just runs; when the
//! configuration variable `drmboard` or the environment's `DRMBOARD` says where that program is,
//! the test program executes itself again below it; else a machine with a render node is the board
//! that the configuration variable `board` names. Set, that variable leaves out all other boards. A
//! case that wants to know what the board counted has `drmboard` as a child instead, and checks
//! its output after its end.

use crate::case::{Case, Ctx};
use crate::drm::RENDER_NODE;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Where the calling process turned out to be.
pub(crate) enum Entry {
    /// On the board: run the case.
    Here,
    /// Another board is asked for.
    Elsewhere(String),
    /// There is no way to get there.
    Lost(String),
    /// The case has run, on a board that is gone: how drmboard ended and what it printed.
    Gone(ExitStatus, String),
}

/// Enters the case's board `board`, or says why not. Does not return when the program is executed
/// again below `drmboard`, unless the case has a check of drmboard's output.
pub(crate) fn enter(board: &str, case: &Case, ctx: &Ctx) -> Entry {
    let inside = std::env::var("DRMBOARD_BOARD").ok();
    let here = inside.as_deref().or(ctx.config("board"));
    if let Some(other) = here.filter(|here| *here != board) {
        return Entry::Elsewhere(format!("needs board {board}, not {other}"));
    }
    if inside.is_some() {
        return Entry::Here;
    }
    let Some(drmboard) = ctx
        .config("drmboard")
        .map(String::from)
        .or_else(|| std::env::var("DRMBOARD").ok())
    else {
        return match (Path::new(RENDER_NODE).exists(), here) {
            (true, Some(_)) => Entry::Here,
            (true, None) => Entry::Lost(
                "the variable board does not say which board this machine \
                is"
                .to_string(),
            ),
            (false, _) => Entry::Lost(format!(
                "no {RENDER_NODE}, and neither the variable drmboard nor DRMBOARD in the \
                    environment names the program"
            )),
        };
    };
    let program = match std::env::current_exe() {
        Ok(path) => path,
        Err(error) => return Entry::Lost(format!("cannot find this program: {error}")),
    };
    let options = case.drmboard.map_or(&[][..], |wanted| wanted.options);
    let mut command = Command::new(&drmboard);
    command
        .args(["run", "--board", board])
        .args(options)
        .arg("--")
        .arg(program)
        .args(std::env::args().skip(1));
    let error = match case.drmboard {
        None => command.exec(),
        Some(_) => match watch(&mut command) {
            Ok((status, output)) => return Entry::Gone(status, output),
            Err(error) => error,
        },
    };
    Entry::Lost(format!("cannot execute {drmboard}: {error}"))
}

/// Runs a command to its end; what it prints goes on to our standard output as it comes.
fn watch(command: &mut Command) -> std::io::Result<(ExitStatus, String)> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut output = String::new();
    if let Some(from) = child.stdout.take() {
        for line in BufReader::new(from).lines() {
            let line = line?;
            println!("{line}");
            output.push_str(&line);
            output.push('\n');
        }
    }
    Ok((child.wait()?, output))
}
