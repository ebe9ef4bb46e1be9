// SPDX-License-Identifier: BSD-2-Clause
//! Running one case: catch its panic, write the result line, choose the exit status that fits it.

use crate::args::{parse, Command, Part, Run};
use crate::board;
use crate::case::{find, list, Case, Ctx};
use std::io::Write as _;
use std::panic::{catch_unwind, AssertUnwindSafe, PanicHookInfo};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::Mutex;

/// The payload of [`skip!`](crate::skip): why the case cannot say anything here.
#[derive(Debug)]
pub struct Skip(pub String);

/// Reason and place of the first panic of this process; a later one (of a joining thread, say) is a
/// consequence.
static FIRST_PANIC: Mutex<Option<String>> = Mutex::new(None);

fn note_panic(info: &PanicHookInfo<'_>) {
    if info.payload().is::<Skip>() {
        return;
    }
    let payload = info.payload();
    let literal = payload.downcast_ref::<&str>().copied();
    let reason = literal
        .or(payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic without a message");
    let place = info
        .location()
        .map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
    let text = format!("{reason}{place}");
    eprintln!("{text}");
    if let Ok(mut first) = FIRST_PANIC.lock() {
        first.get_or_insert(text);
    }
}

/// How a case ended, as ATF names it.
enum Outcome {
    Passed,
    Skipped(String),
    Failed(String),
}

fn outcome(body: impl FnOnce()) -> Outcome {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(()) => Outcome::Passed,
        Err(payload) => match payload.downcast::<Skip>() {
            Ok(skip) => Outcome::Skipped(skip.0),
            Err(_) => {
                let first = FIRST_PANIC.lock().ok().and_then(|mut first| first.take());
                Outcome::Failed(first.unwrap_or_else(|| "panic without a message".to_string()))
            }
        },
    }
}

/// The result file holds one line, so a reason of several lines is joined.
fn result_line(outcome: &Outcome) -> String {
    let one_line = |why: &str| why.split_whitespace().collect::<Vec<_>>().join(" ");
    match outcome {
        Outcome::Passed => "passed\n".to_string(),
        Outcome::Skipped(why) => format!("skipped: {}\n", one_line(why)),
        Outcome::Failed(why) => format!("failed: {}\n", one_line(why)),
    }
}

fn report(outcome: &Outcome, file: Option<&Path>) -> std::io::Result<()> {
    let line = result_line(outcome);
    match file {
        Some(path) => std::fs::write(path, line),
        None => std::io::stdout().write_all(line.as_bytes()),
    }
}

/// The trace of a case that asks for one (`--trace trace`), which outlives its work directory
/// unless the case passes. It lies in the directory that the variable `keep` names.
struct Kept(Option<PathBuf>);

impl Kept {
    fn new(ctx: &Ctx, program: &str, name: &str, case: &Case) -> Kept {
        let program = Path::new(program).file_name().unwrap_or_default().display();
        let traced = case
            .drmboard
            .is_some_and(|wanted| wanted.options.contains(&"--trace"));
        // Inside the board the case runs a second time, where its trace is being written already.
        let inside = std::env::var_os("DRMBOARD_BOARD").is_some();
        let dir = ctx.config("keep").filter(|_| traced && !inside);
        let path = dir.map(|dir| Path::new(dir).join(format!("{program}:{name}.trace")));
        if let Some(path) = &path {
            let _ = std::fs::remove_file(path);
            let _ = std::os::unix::fs::symlink(path, "trace");
        }
        Kept(path)
    }

    fn forget(&self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn usage(program: &str, why: &str) -> ! {
    eprintln!("{program}: {why}");
    eprintln!("usage: {program} -l | [-r FILE] [-s DIR] [-v NAME=VALUE]... CASE[:cleanup]");
    exit(2);
}

fn run(cases: &[Case], program: &str, run: Run) -> ! {
    let Some((case, board)) = find(cases, &run.case) else {
        usage(program, &format!("no such case: {}", run.case));
    };
    let srcdir = run.srcdir.unwrap_or_else(|| {
        Path::new(program)
            .parent()
            .map_or_else(PathBuf::new, PathBuf::from)
    });
    let ctx = Ctx {
        config: run.config,
        srcdir,
        board,
    };
    std::panic::set_hook(Box::new(note_panic));

    if run.part == Part::Cleanup {
        let Some(cleanup) = case.cleanup else {
            usage(program, &format!("{} has no cleanup", case.name))
        };
        exit(match outcome(|| cleanup(&ctx)) {
            Outcome::Failed(_) => 1,
            Outcome::Passed | Outcome::Skipped(_) => 0,
        });
    }
    let kept = Kept::new(&ctx, program, &run.case, case);
    let outcome = match board.map(|board| board::enter(board, case, &ctx)) {
        None | Some(board::Entry::Here) => outcome(|| (case.body)(&ctx)),
        // The body has reported; a check of the board's output can only make that worse.
        Some(board::Entry::Gone(status, _)) if !status.success() => {
            exit(status.code().unwrap_or(1))
        }
        Some(board::Entry::Gone(_, output)) => {
            match outcome(|| case.drmboard.iter().for_each(|d| (d.check)(&output))) {
                Outcome::Failed(why) => Outcome::Failed(why),
                Outcome::Passed | Outcome::Skipped(_) => {
                    kept.forget();
                    exit(0)
                }
            }
        }
        Some(board::Entry::Elsewhere(why)) => Outcome::Skipped(why),
        Some(board::Entry::Lost(why)) => Outcome::Failed(why),
    };
    if let Err(error) = report(&outcome, run.result.as_deref()) {
        eprintln!("{program}: cannot write the result: {error}");
        exit(1);
    }
    exit(match outcome {
        Outcome::Failed(_) => 1,
        Outcome::Passed | Outcome::Skipped(_) => 0,
    });
}

/// The `main` of a test program: does what the command line asks with `cases` and exits.
pub fn main(cases: &[Case]) -> ! {
    let mut args = std::env::args();
    let program = args.next().unwrap_or_default();
    match parse(args) {
        Ok(Command::List) => {
            print!("{}", list(cases));
            exit(0);
        }
        Ok(Command::Run(wanted)) => run(cases, &program, wanted),
        Err(why) => usage(&program, &why),
    }
}
