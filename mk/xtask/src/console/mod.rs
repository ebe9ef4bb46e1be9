// SPDX-License-Identifier: BSD-2-Clause
//! What a guest's console says, and whether it may.
//!
//! Every line of a console that is trouble, and every line of the models' report about what
//! hardware leaves undefined, has to be accounted for by the run; a run besides has lines that must
//! be there.

mod cut;
mod freebsd;
mod linux;
mod pattern;
mod suite;
mod trace;

use std::path::{Path, PathBuf};

/// A run of a guest, as the scripts describe it.
pub(crate) struct Run {
    pub(crate) board: String,
    pub(crate) name: String,
    pub(crate) log: PathBuf,
    /// How the machine ended.
    pub(crate) status: String,
    /// How long it ran.
    pub(crate) seconds: String,
    /// The kernel's name, for FreeBSD's table.
    pub(crate) label: String,
    pub(crate) cpus: String,
    /// What the run was asked to do so many times of.
    pub(crate) count: u64,
    /// Print only what is wrong.
    pub(crate) quiet: bool,
}

/// What begins the sums of a model's report: all other lines are about what hardware leaves
/// undefined, and about faults.
const SUMS: [&str; 3] = ["chains=", "events=", "power-ups="];

/// A console under judgement.
struct Judge<'a> {
    board: &'a str,
    lines: Vec<&'a str>,
    /// Lines of trouble that are not accounted for.
    trouble: Vec<String>,
    /// Lines of the models' report that are not accounted for.
    model: Vec<String>,
    wrong: Vec<String>,
}

impl<'a> Judge<'a> {
    fn new(board: &'a str, text: &'a str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let is_sum = |line: &&str| {
            let figures = line.split(' ').nth(2).unwrap_or_default();
            SUMS.iter().any(|sum| figures.starts_with(sum))
        };
        let report = lines.iter().copied().filter(|l| l.starts_with("model "));
        Self {
            board,
            model: report.filter(|l| !is_sum(l)).map(str::to_owned).collect(),
            lines,
            trouble: Vec::new(),
            wrong: Vec::new(),
        }
    }

    fn wrong(&mut self, why: impl Into<String>) {
        self.wrong.push(why.into());
    }

    /// The machine has to end so.
    fn status(&mut self, is: &str, expected: &str) {
        if is != expected {
            self.wrong(format!("the guest ended with {is}"));
        }
    }

    /// The guest says this, on a line that a message of its kernel may cut.
    fn guest_said(&mut self, line: &str) {
        if !cut::says(&self.lines, line) {
            self.wrong(format!("nothing says {line}"));
        }
    }

    /// A line of the console has this form.
    fn said(&mut self, pattern: &str) {
        self.said_one_of(&[pattern.to_owned()]);
    }

    fn said_one_of(&mut self, patterns: &[String]) {
        if !self
            .lines
            .iter()
            .any(|line| patterns.iter().any(|p| pattern::is(p, line)))
        {
            self.wrong(format!("nothing says {}", patterns.join(" or ")));
        }
    }

    /// A line of the console has this form, with numbers of at least these.
    fn said_at_least(&mut self, pattern: &str, least: &[u64]) {
        let is_enough = |line: &&&str| {
            let Some(found) = pattern::find(pattern, line) else {
                return false;
            };
            let numbers: Vec<u64> = found.iter().filter_map(|n| n.parse().ok()).collect();
            numbers.len() == least.len() && numbers.iter().zip(least).all(|(n, least)| n >= least)
        };
        if !self.lines.iter().any(|line| is_enough(&line)) {
            self.wrong(format!("nothing says {pattern} with at least {least:?}"));
        }
    }

    /// What the last line that begins with `start` has after that.
    fn last(&self, start: &str) -> Option<&'a str> {
        self.lines
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix(start))
    }

    /// What the first wildcard of the pattern is in the last line of that form.
    fn last_of(&self, pattern: &str) -> Option<&'a str> {
        let first = |line: &&'a str| pattern::find(pattern, line)?.first().copied();
        self.lines.iter().rev().find_map(first)
    }

    /// The sum of the numbers for which the pattern's first `{n}` stands.
    fn sum(&self, pattern: &str) -> u64 {
        let number = |line: &&str| pattern::find(pattern, line)?.first()?.parse::<u64>().ok();
        self.lines.iter().filter_map(number).sum()
    }

    /// Exactly `n` lines of trouble have this form, and are accounted for.
    fn complained(&mut self, n: usize, pattern: &str) {
        let found = account(&mut self.trouble, pattern);
        if found != n {
            self.wrong(format!(
                "{found} lines of the kernel's log, not {n}, say {pattern}"
            ));
        }
    }

    /// The same, for the models' report.
    fn modelled(&mut self, n: usize, pattern: &str) {
        let found = account(&mut self.model, pattern);
        if found != n {
            self.wrong(format!(
                "{found} lines of the model's report, not {n}, say {pattern}"
            ));
        }
    }

    /// A planted fault has happened.
    fn injected(&mut self) {
        if !self
            .lines
            .iter()
            .any(|line| pattern::is("model * injected=1", line))
        {
            self.wrong("the fault did not happen");
        }
    }

    /// Nothing may be left over. `whose` is what has the lines of trouble.
    fn nothing_left(&mut self, whose: &str) {
        const SHOWN: usize = 20;
        for (whose, left) in [(whose, &self.trouble), ("the model", &self.model)] {
            if !left.is_empty() {
                let shown = &left[..left.len().min(SHOWN)];
                self.wrong.push(format!("{whose}: {}", shown.join("\n")));
            }
        }
    }

    /// The cases of the suite: those that fail are in `list`. They provoke the model, whose report
    /// does not count. Returns what they came to, for the table.
    fn suite(&mut self, list: &str) -> Result<String, String> {
        let text = read(Path::new(list))?;
        let suite =
            suite::judge(&self.lines, &text, self.board).map_err(|e| format!("{list}: {e}"))?;
        self.model.clear();
        self.wrong.extend(suite.wrong);
        Ok(format!("{} passed, {} differ", suite.passed, suite.failed))
    }
}

/// Removes the lines of this form; how many they were.
fn account(lines: &mut Vec<String>, pattern: &str) -> usize {
    let before = lines.len();
    lines.retain(|line| !pattern::is(pattern, line));
    before - lines.len()
}

/// Whether the board has a GPU of Arm's.
fn is_mali(board: &str) -> bool {
    board == "rk3399" || board.starts_with("mali-")
}

/// What the driver is called.
fn driver(board: &str) -> &'static str {
    match is_mali(board) {
        true => "panfrost",
        false => "etnaviv",
    }
}

/// The forms of GL_RENDERER.
fn renderers(board: &str) -> Result<Vec<String>, String> {
    let one = |name: &str| Ok(vec![name.to_owned()]);
    match board {
        "rk3399" => one("Mali-T860 (Panfrost)"),
        "imx8mq" => one("Vivante GC7000 rev 6214"),
        "imx6q" => one("Vivante GC2000 rev 5108"),
        "imx6qp" => one("Vivante GC3000 rev 5450"),
        _ => match board.strip_prefix("mali-") {
            Some(gpu) => {
                let gpu = gpu.to_uppercase();
                Ok(["", " r1"]
                    .map(|r| format!("Mali-{gpu}{r} (Panfrost)"))
                    .into())
            }
            None => Err(format!("no renderer is known of board {board}")),
        },
    }
}

/// What eglinfo and gles_clear have to say of the driver.
fn driver_and_renderer(judge: &mut Judge) -> Result<(), String> {
    let said = renderers(judge.board)?
        .into_iter()
        .map(|r| format!("gles_clear: renderer: {r}"));
    judge.said_one_of(&said.collect::<Vec<_>>());
    judge.said(&format!(
        "eglinfo: EGL driver name: {}",
        driver(judge.board)
    ));
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Prints what is wrong, the row of the run, and the end of its console if anything is wrong.
fn report(run: &Run, judge: &Judge, row: &str, text: &str, tail: usize) -> Result<(), String> {
    for why in &judge.wrong {
        println!("  wrong: {why}");
    }
    if !run.quiet {
        println!("{row}");
        if !judge.wrong.is_empty() {
            let lines: Vec<&str> = text.lines().collect();
            for line in &lines[lines.len().saturating_sub(tail)..] {
                println!("    {line}");
            }
        }
    }
    match judge.wrong.is_empty() {
        true => Ok(()),
        false => Err(String::new()),
    }
}

/// How a run ended, for the table.
fn result(judge: &Judge) -> &'static str {
    match judge.wrong.is_empty() {
        true => "ok",
        false => "failed",
    }
}

/// A run of stock Linux (docs/crosscheck.md).
pub(crate) fn linux(run: &Run) -> Result<(), String> {
    let text = read(&run.log)?;
    let (judge, row) = linux::judge(run, &text)?;
    report(run, &judge, &row, &text, linux::TAIL)
}

/// A run of our module on FreeBSD (docs/vmtest.md).
pub(crate) fn freebsd(run: &Run) -> Result<(), String> {
    let text = read(&run.log)?;
    let (judge, figure) = freebsd::judge(run, &text)?;
    for line in freebsd::shown(run, &text) {
        println!("  {line}");
    }
    let row = freebsd::row(run, &figure, result(&judge));
    report(run, &judge, &row, &text, freebsd::TAIL)
}

/// The first row of FreeBSD's table.
pub(crate) fn freebsd_header() {
    println!("\n{}", freebsd::HEADER);
}

/// The first row of Linux's table.
pub(crate) fn linux_header() {
    println!("\n{}", linux::HEADER);
}

/// A row of FreeBSD's table for several machines, `good` of which were as they should be.
pub(crate) fn freebsd_machines(run: &Run, good: u64) {
    let result = match good == run.count {
        true => "ok",
        false => "failed",
    };
    println!(
        "{}",
        freebsd::row(run, &format!("{good} of {}", run.count), result)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run as the scripts would describe it, whose console the test gives.
    pub(super) fn run(board: &str, name: &str) -> Run {
        Run {
            board: board.to_owned(),
            name: name.to_owned(),
            log: PathBuf::from("x.log"),
            status: "0".to_owned(),
            seconds: "7".to_owned(),
            label: "GENERIC".to_owned(),
            cpus: "4".to_owned(),
            count: 0,
            quiet: false,
        }
    }

    #[test]
    fn the_models_report_is_sums_and_what_is_undefined() {
        let text =
            "model gpu@0 chains=4 jobs=1 injected=0\nmodel gpu@0 unknown-register 4 count=1\n\
                    model gpc power-ups=4 power-downs=3\nmodelled\n";
        let judge = Judge::new("rk3399", text);
        assert_eq!(judge.model, ["model gpu@0 unknown-register 4 count=1"]);
    }

    #[test]
    fn lines_are_accounted_for_exactly() {
        let mut judge = Judge::new("rk3399", "model a exception 72 count=1\n");
        judge.trouble = ["<3> a: timeout", "<3> b: timeout", "<4> c"]
            .map(str::to_owned)
            .into();
        judge.complained(2, "*: timeout");
        judge.modelled(1, "*exception 72 count=1");
        assert_eq!(judge.wrong, [""; 0]);
        judge.complained(1, "*: timeout");
        assert_eq!(
            judge.wrong,
            ["0 lines of the kernel's log, not 1, say *: timeout"]
        );
        judge.nothing_left("the console");
        assert_eq!(judge.wrong[1..], ["the console: <4> c"]);
    }

    #[test]
    fn numbers_are_at_least_so_large() {
        let wrong = |text: &str| {
            let mut judge = Judge::new("rk3399", text);
            judge.said_at_least("ups={n} downs={n}", &[4, 3]);
            judge.wrong.len()
        };
        assert_eq!(wrong("ups=4 downs=3"), 0);
        assert_eq!(wrong("ups=2 downs=3\nups=14 downs=9"), 0);
        assert_eq!(wrong("ups=4 downs=2"), 1);
        assert_eq!(wrong(""), 1);
    }

    #[test]
    fn every_board_has_its_renderer() {
        assert_eq!(
            renderers("mali-g52").unwrap(),
            ["Mali-G52 (Panfrost)", "Mali-G52 r1 (Panfrost)"]
        );
        assert!(renderers("rk3588").is_err());
        for (board, renderer, egl) in [
            ("rk3399", "Mali-T860 (Panfrost)", "panfrost"),
            ("mali-t720", "Mali-T720 (Panfrost)", "panfrost"),
            ("imx6q", "Vivante GC2000 rev 5108", "etnaviv"),
        ] {
            let wrong = |renderer, egl| {
                let text =
                    format!("gles_clear: renderer: {renderer}\neglinfo: EGL driver name: {egl}\n");
                let mut judge = Judge::new(board, &text);
                driver_and_renderer(&mut judge).unwrap();
                judge.wrong.len()
            };
            assert_eq!(wrong(renderer, egl), 0);
            assert_eq!(wrong("llvmpipe", egl), 1);
            assert_eq!(wrong(renderer, "swrast"), 1);
        }
    }
}
