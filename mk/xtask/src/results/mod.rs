// SPDX-License-Identifier: BSD-2-Clause
//! The results of tests: what each run came to, what failed, the sum.
//!
//! A directory keeps them between the runs of `make test`: `counts` has a line `RUN PASSED FAILED
//! SKIPPED` for each run, `failed/list` a line for each failure, which ends with the file that has
//! all that was said.

mod cargo;
mod checks;
mod kyua;

pub(crate) use cargo::progress;
pub(crate) use kyua::split;

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Lines of a log that are shown when something that should have run tests could not.
const TAIL: usize = 40;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    fn parse(line: &str) -> Option<Self> {
        match line.split(' ').collect::<Vec<_>>()[..] {
            [_, passed, failed, skipped] => Some(Self {
                passed: passed.parse().ok()?,
                failed: failed.parse().ok()?,
                skipped: skipped.parse().ok()?,
            }),
            _ => None,
        }
    }
}

/// `N passed, N failed[, N skipped]`: scripts read the last line of `make test`.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        match self.skipped {
            0 => Ok(()),
            n => write!(f, ", {n} skipped"),
        }
    }
}

/// A run: what it came to, and the names of what failed, each with the file that has all it said.
#[derive(Debug, Default)]
struct Run {
    counts: Counts,
    failed: Vec<(String, PathBuf)>,
}

impl Run {
    fn fail(&mut self, what: &str, log: &Path) {
        self.failed.push((what.to_owned(), log.to_owned()));
    }
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn append(path: &Path, text: &str) -> Result<(), String> {
    let options = fs::OpenOptions::new().create(true).append(true).open(path);
    let mut file = options.map_err(|e| format!("{}: {e}", path.display()))?;
    file.write_all(text.as_bytes())
        .map_err(|e| format!("{}: {e}", path.display()))
}

/// What a program printed, as far as it is text.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Notes a run. One that ended with `status` though no test failed, or in which none ran, has
/// failed as a whole, which counts as one.
fn note(dir: &Path, name: &str, mut run: Run, status: &str, log: &Path) -> Result<(), String> {
    let Counts {
        passed,
        failed,
        skipped,
    } = run.counts;
    if failed == 0 && (status != "0" || passed + skipped == 0) {
        let what = format!("{name} failed");
        println!("test: {what}; the end of {}:", log.display());
        println!("{}", tail(&read(log).unwrap_or_default(), TAIL));
        run.counts.failed = 1;
        run.fail(&what, log);
    }
    let Counts {
        passed,
        failed,
        skipped,
    } = run.counts;
    append(
        &dir.join("counts"),
        &format!("{name} {passed} {failed} {skipped}\n"),
    )?;
    let lines = run.failed.iter();
    let lines = lines.map(|(what, log)| format!("failed: {what}: {}\n", log.display()));
    append(&dir.join("failed/list"), &lines.collect::<String>())
}

/// Begins with nothing.
pub(crate) fn begin(dir: &Path) -> Result<(), String> {
    let failed = dir.join("failed");
    let say = |e| format!("{}: {e}", failed.display());
    if failed.exists() {
        fs::remove_dir_all(&failed).map_err(say)?;
    }
    fs::create_dir_all(&failed).map_err(say)?;
    for file in ["counts", "failed/list"] {
        let path = dir.join(file);
        fs::write(&path, "").map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

/// The unit tests: `dir/cargo.log` is what cargo printed.
pub(crate) fn cargo(dir: &Path, status: &str) -> Result<(), String> {
    let log = dir.join("cargo.log");
    let text = read(&log)?;
    let run = cargo::run(&text, &log);
    if run.counts.failed != 0 {
        print!("{}", cargo::failures(&text));
    }
    note(dir, "cargo", run, status, &log)
}

/// A run of the kyua suite, whose output is `dir/NAME.log`. `dir/NAME.cases`, if there, is what the
/// programs say of their cases.
pub(crate) fn kyua(dir: &Path, name: &str, status: &str) -> Result<(), String> {
    let log = dir.join(format!("{name}.log"));
    let text = read(&log)?;
    if let Ok(cases) = read(&dir.join(format!("{name}.cases"))) {
        for (board, counts) in kyua::by_board(&cases, &text) {
            println!("suite on {board}: {counts}");
        }
    }
    note(
        dir,
        name,
        kyua::run(&text, &dir.join("failed").join(name)),
        status,
        &log,
    )
}

/// A script that prints a line for each of its checks into `dir/NAME.log`.
pub(crate) fn checks(dir: &Path, name: &str, status: &str) -> Result<(), String> {
    let log = dir.join(format!("{name}.log"));
    let run = checks::run(&read(&log)?, &log);
    let Counts { passed, failed, .. } = run.counts;
    println!("test: {name}: {passed} passed, {failed} failed");
    note(dir, name, run, status, &log)
}

/// Something that ran no tests itself, or could not: only its `status` counts.
pub(crate) fn step(dir: &Path, name: &str, status: &str) -> Result<(), String> {
    match status {
        "0" => Ok(()),
        _ => note(
            dir,
            name,
            Run::default(),
            status,
            &dir.join(format!("{name}.log")),
        ),
    }
}

/// How many cases failed, by the lines of cargo and of kyua.
pub(crate) fn failed_cases(text: &str) -> usize {
    let nowhere = Path::new("");
    cargo::run(text, nowhere).failed.len() + kyua::run(text, nowhere).failed.len()
}

fn total(counts: &str) -> Result<Counts, String> {
    let mut sum = Counts::default();
    for line in counts.lines() {
        sum.add(Counts::parse(line).ok_or_else(|| format!("no counts of a run: {line}"))?);
    }
    Ok(sum)
}

/// Prints what failed, and the sum as the last line; an error unless all passed.
pub(crate) fn sum(dir: &Path) -> Result<(), String> {
    let sum = total(&read(&dir.join("counts"))?)?;
    print!("{}", read(&dir.join("failed/list"))?);
    println!("{sum}");
    match sum.failed == 0 && sum.passed > 0 {
        true => Ok(()),
        false => Err(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: usize, failed: usize, skipped: usize) -> Counts {
        Counts {
            passed,
            failed,
            skipped,
        }
    }

    /// A directory of its own for a test.
    fn dir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        begin(&dir).unwrap();
        dir
    }

    #[test]
    fn the_last_line() {
        assert_eq!(counts(3, 0, 0).to_string(), "3 passed, 0 failed");
        assert_eq!(counts(3, 1, 2).to_string(), "3 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn runs_are_added_up() {
        assert_eq!(total("a 1 2 3\nb 10 0 5\n"), Ok(counts(11, 2, 8)));
        assert!(total("a 1 2\n").is_err());
        assert!(total("a 1 2 x\n").is_err());
    }

    #[test]
    fn a_run_without_tests_or_with_a_bad_end_is_a_failure() {
        let dir = dir("end");
        let log = dir.join("x.log");
        fs::write(&log, "one\ntwo\n").unwrap();
        let run = |passed, failed| Run {
            counts: counts(passed, failed, 0),
            failed: Vec::new(),
        };
        let counted = || total(&read(&dir.join("counts")).unwrap()).unwrap();
        note(&dir, "x", run(5, 0), "0", &log).unwrap();
        assert_eq!(counted(), counts(5, 0, 0));
        note(&dir, "x", run(5, 0), "1", &log).unwrap();
        assert_eq!(counted(), counts(10, 1, 0));
        note(&dir, "x", run(0, 0), "0", &log).unwrap();
        assert_eq!(counted(), counts(10, 2, 0));
        // A test that failed accounts for the status.
        note(&dir, "x", run(5, 1), "1", &log).unwrap();
        assert_eq!(counted(), counts(15, 3, 0));
        let list = read(&dir.join("failed/list")).unwrap();
        assert_eq!(
            list,
            format!("failed: x failed: {}\n", log.display()).repeat(2)
        );
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_step_that_failed_counts_and_one_that_did_not_does_not() {
        let dir = dir("step");
        fs::write(dir.join("build.log"), "no\n").unwrap();
        step(&dir, "build", "0").unwrap();
        step(&dir, "build", "101").unwrap();
        assert_eq!(read(&dir.join("counts")).unwrap(), "build 0 1 0\n");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn only_passed_tests_are_a_success() {
        let dir = dir("sum");
        let ends = |line: &str| {
            fs::write(dir.join("counts"), line).unwrap();
            sum(&dir).is_ok()
        };
        assert!(ends("a 1 0 0\n"));
        assert!(ends("a 1 0 1\n"));
        assert!(!ends("a 1 1 0\n"));
        assert!(!ends("a 0 0 1\n"));
        assert!(!ends(""));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_end_of_a_log() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a\n", 2), "a");
    }
}
