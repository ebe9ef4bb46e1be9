// SPDX-License-Identifier: BSD-2-Clause
//! What kyua and ATF programs print.

use super::{Counts, Run};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// A case and how it ended: `tests/PROGRAM:CASE  ->  failed: WHY  [0.1s]`.
fn case(line: &str) -> Option<(&str, Counts)> {
    let (name, result) = line.split_once("  ->  ")?;
    let begins = |words: &[&str]| usize::from(words.iter().any(|w| result.starts_with(w)));
    let counts = Counts {
        passed: begins(&["passed", "expected"]),
        failed: begins(&["failed", "broken"]),
        skipped: begins(&["skipped"]),
    };
    Some((name, counts))
}

/// The last part of a case's name: what its log and its trace are called.
fn file_of(case: &str) -> &str {
    case.rsplit('/').next().unwrap_or(case)
}

/// What the cases came to; `dir` has a log of each that failed.
pub(super) fn run(text: &str, dir: &Path) -> Run {
    let mut run = Run::default();
    for (name, counts) in text.lines().filter_map(case) {
        run.counts.add(counts);
        if counts.failed != 0 {
            run.fail(name, &dir.join(format!("{}.log", file_of(name))));
        }
    }
    run
}

/// The board of each case. `cases` has a line `program: NAME` before what each program prints with
/// `-l`: a case's `ident`, then its properties, of which `X-board` names the board.
fn boards(cases: &str) -> BTreeMap<String, &str> {
    let (mut program, mut ident) = ("", String::new());
    let mut boards = BTreeMap::new();
    for (name, value) in cases.lines().filter_map(|line| line.split_once(": ")) {
        match name {
            "program" => program = value,
            "ident" => {
                ident = format!("{program}:{value}");
                boards.insert(ident.clone(), "no board");
            }
            "X-board" => _ = boards.insert(ident.clone(), value),
            _ => {}
        }
    }
    boards
}

/// What the cases of each board came to, of boards that had any.
pub(super) fn by_board<'a>(cases: &'a str, text: &str) -> BTreeMap<&'a str, Counts> {
    let boards = boards(cases);
    let mut sums = BTreeMap::<&str, Counts>::new();
    for (name, counts) in text.lines().filter_map(case) {
        if let Some(board) = boards.get(name) {
            sums.entry(board).or_default().add(counts);
        }
    }
    sums
}

/// The parts of a verbose report of kyua's: the file of each case and what it says.
fn parts(report: &str) -> Vec<(&str, String)> {
    let mut parts: Vec<(&str, String)> = Vec::new();
    for line in report.lines() {
        let case = line.strip_prefix("===> ");
        if let Some(case) = case.filter(|c| c.contains(':') && !c.contains(' ')) {
            parts.push((file_of(case), String::new()));
        }
        if let Some((_, text)) = parts.last_mut() {
            *text += line;
            *text += "\n";
        }
    }
    parts
}

/// Writes a log for each case of the report on the standard input, into `dir`.
pub(crate) fn split(dir: &Path) -> Result<(), String> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|e| format!("standard input: {e}"))?;
    let report = String::from_utf8_lossy(&bytes);
    for (file, text) in parts(&report) {
        let path = dir.join(format!("{file}.log"));
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
tests/a_test:one  ->  passed  [0.001s]
tests/a_test:two  ->  failed: it is not  [0.002s]
tests/a_test:three  ->  skipped: no board  [0.002s]
tests/b_test:four  ->  broken: Premature exit  [0.002s]
tests/b_test:five  ->  expected_failure: known  [0.002s]

Results file id is x
Results saved to x.db

3/5 passed (2 failed)
";

    #[test]
    fn cases_are_counted_and_failures_have_logs() {
        let run = run(LOG, Path::new("d"));
        assert_eq!(
            run.counts,
            Counts {
                passed: 2,
                failed: 2,
                skipped: 1
            }
        );
        let failed = |name: &str, file: &str| (name.to_owned(), Path::new(file).to_owned());
        assert_eq!(
            run.failed,
            [
                failed("tests/a_test:two", "d/a_test:two.log"),
                failed("tests/b_test:four", "d/b_test:four.log")
            ]
        );
    }

    #[test]
    fn cases_are_counted_by_board() {
        let cases = "program: tests/a_test\nContent-Type: application/X-atf-tp; version=\"1\"\n\n\
                     ident: one\nX-board: rk3399\n\nident: two\nX-board: imx8mq\n\nident: three\n\
                     descr: a: b\n\nident: never\nX-board: imx6q\nprogram: tests/b_test\n\
                     ident: four\nX-board: rk3399\n";
        let sums = by_board(cases, LOG);
        let lines: Vec<String> = sums.iter().map(|(b, c)| format!("{b}: {c}")).collect();
        assert_eq!(
            lines,
            [
                "imx8mq: 0 passed, 1 failed",
                "no board: 0 passed, 0 failed, 1 skipped",
                "rk3399: 1 passed, 1 failed"
            ]
        );
    }

    #[test]
    fn a_report_is_cut_into_cases() {
        let report = "===> Execution context\nx\n===> tests/a_test:two\nResult: failed\n\
                      ===> tests/b_test:four\nResult: broken\n===> Summary\nend\n";
        let parts = parts(report);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].0, "a_test:two");
        assert_eq!(parts[0].1, "===> tests/a_test:two\nResult: failed\n");
        assert!(parts[1].1.contains("broken"));
    }
}
