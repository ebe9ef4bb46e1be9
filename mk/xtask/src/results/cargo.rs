// SPDX-License-Identifier: BSD-2-Clause
//! What `cargo test` prints.

use super::{Counts, Run};
use std::io::{BufRead, Write};
use std::path::Path;

/// Lines of the section `failures:` that are shown.
const SHOWN: usize = 100;

/// A line that counts.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    /// The program that runs next, or the crate whose examples do.
    Program(String),
    /// A test that failed.
    Failed(&'a str),
    /// How a program ended, and the words of that.
    Result(Counts, &'a str),
    /// A panic, or an error of the compiler.
    Trouble,
    Other,
}

fn parse(line: &str) -> Line<'_> {
    if let Some(result) = line.strip_prefix("test result: ") {
        return Line::Result(counts(result), result);
    }
    if let Some((name, result)) = line
        .strip_prefix("test ")
        .and_then(|l| l.split_once(" ... "))
    {
        if result == "FAILED" || result.starts_with("FAILED ") {
            return Line::Failed(name);
        }
    }
    let is_indented = line.starts_with(' ');
    let word = line.split_whitespace().next();
    if is_indented && word == Some("Running") {
        return Line::Program(program(line));
    }
    if is_indented && word == Some("Doc-tests") {
        return Line::Program(line.to_owned());
    }
    // `error: 2 targets failed` and `error: test failed` only repeat what is said elsewhere.
    let is_error = |rest: &str| {
        rest.starts_with('[')
            || rest
                .strip_prefix(": ")
                .is_some_and(|r| !r.starts_with("test ") && !begins_with_digit(r))
    };
    match line.contains("panicked at") || line.strip_prefix("error").is_some_and(is_error) {
        true => Line::Trouble,
        false => Line::Other,
    }
}

fn begins_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// `Running tests/a.rs of b`, from `Running tests/a.rs (target/debug/deps/b-0123)`.
fn program(line: &str) -> String {
    let (name, file) = line.split_once(" (").unwrap_or((line, ""));
    let file = file
        .trim_end_matches(')')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let of = file.rsplit_once('-').map_or(file, |(of, _)| of);
    format!("{name} of {of}")
}

/// `ok. 3 passed; 0 failed; 1 ignored; ...`
fn counts(result: &str) -> Counts {
    let mut counts = Counts::default();
    let words: Vec<&str> = result.split([' ', ';']).filter(|w| !w.is_empty()).collect();
    for pair in words.windows(2) {
        let Ok(n) = pair[0].parse::<usize>() else {
            continue;
        };
        match pair[1] {
            "passed" => counts.passed += n,
            "failed" => counts.failed += n,
            "ignored" => counts.skipped += n,
            _ => {}
        }
    }
    counts
}

/// What the tests of all programs came to.
pub(super) fn run(text: &str, log: &Path) -> Run {
    let mut run = Run::default();
    for line in text.lines() {
        match parse(line) {
            Line::Failed(name) => run.fail(name, log),
            Line::Result(counts, _) => run.counts.add(counts),
            _ => {}
        }
    }
    // A program that died had no result.
    run.counts.failed = run.counts.failed.max(run.failed.len());
    run
}

/// What failed tests printed: the lines from each `failures:` to the result of its program.
pub(super) fn failures(text: &str) -> String {
    let mut is_inside = false;
    let mut shown = Vec::new();
    for line in text.lines() {
        is_inside |= line == "failures:";
        if is_inside {
            shown.push(line);
        }
        is_inside &= !line.starts_with("test result");
    }
    shown.truncate(SHOWN);
    shown
        .into_iter()
        .fold(String::new(), |text, line| text + line + "\n")
}

/// The lines to print while tests run: one for each program that has tests, and what goes wrong.
#[derive(Default)]
struct Progress {
    program: String,
}

impl Progress {
    fn line(&mut self, line: &str) -> Option<String> {
        match parse(line) {
            Line::Program(name) => {
                self.program = name;
                None
            }
            Line::Result(counts, _) if counts.passed == 0 && counts.failed == 0 => None,
            Line::Result(_, result) => Some(format!("{}: {result}", self.program)),
            Line::Failed(_) | Line::Trouble => Some(line.to_owned()),
            Line::Other => None,
        }
    }
}

/// Copies those lines from the standard input.
pub(crate) fn progress() -> Result<(), String> {
    let mut progress = Progress::default();
    let mut input = std::io::stdin().lock();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match input.read_until(b'\n', &mut bytes) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(e) => return Err(format!("standard input: {e}")),
        }
        let line = String::from_utf8_lossy(&bytes);
        if let Some(line) = progress.line(line.trim_end_matches(['\n', '\r'])) {
            // Without a reader the rest is still read: it goes into a log.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
   Compiling a v0.1.0
     Running unittests src/lib.rs (target/debug/deps/a-0123456789abcdef)

running 3 tests
test one ... ok
test two ... FAILED
test three ... ignored

failures:

---- two stdout ----
thread 'two' panicked at src/lib.rs:3:5:
no

failures:
    two

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s

     Running tests/toy/main.rs (target/debug/deps/toy-0123456789abcdef)
test boards ... ok (1 ms)
test leaks ... FAILED (2 ms)

test result: FAILED. 10 passed; 1 failed; 0 ignored
     Running unittests src/main.rs (target/debug/deps/b-0123456789abcdef)
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.0s
   Doc-tests a
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.0s
error: 2 targets failed:
";

    #[test]
    fn results_are_added_up_and_failures_named() {
        let run = run(LOG, Path::new("cargo.log"));
        assert_eq!(
            run.counts,
            Counts {
                passed: 13,
                failed: 2,
                skipped: 1
            }
        );
        let names: Vec<&str> = run.failed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["two", "leaks"]);
    }

    #[test]
    fn a_failure_counts_though_its_program_had_no_result() {
        let run = run("test a ... FAILED\ntest b ... ", Path::new("cargo.log"));
        assert_eq!(run.counts.failed, 1);
    }

    #[test]
    fn progress_is_a_line_for_each_program_with_tests_and_what_goes_wrong() {
        let mut progress = Progress::default();
        let lines: Vec<String> = LOG.lines().filter_map(|l| progress.line(l)).collect();
        assert_eq!(
            lines,
            [
                "test two ... FAILED",
                "thread 'two' panicked at src/lib.rs:3:5:",
                "     Running unittests src/lib.rs of a: FAILED. 1 passed; 1 failed; 1 ignored; \
                 0 measured; 0 filtered out; finished in 0.1s",
                "test leaks ... FAILED (2 ms)",
                "     Running tests/toy/main.rs of toy: FAILED. 10 passed; 1 failed; 0 ignored",
                "   Doc-tests a: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; \
                 finished in 0.0s",
            ]
        );
    }

    #[test]
    fn errors_of_the_compiler_are_shown() {
        assert_eq!(parse("error[E0425]: cannot find value"), Line::Trouble);
        assert_eq!(parse("error: could not compile `a`"), Line::Trouble);
        assert_eq!(
            parse("error: test failed, to rerun pass `-p a`"),
            Line::Other
        );
        assert_eq!(parse("error: 2 targets failed:"), Line::Other);
    }

    #[test]
    fn what_failed_tests_printed_is_shown() {
        let shown = failures(LOG);
        assert!(shown.starts_with("failures:\n\n---- two stdout ----\n"));
        assert!(shown.contains("\nno\n") && shown.trim_end().ends_with("finished in 0.1s"));
        assert!(!shown.contains("boards"));
    }
}
