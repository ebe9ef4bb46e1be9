// SPDX-License-Identifier: BSD-2-Clause
//! The table of `make demo`: unmodified clients on each board.

use crate::results;
use std::path::Path;

/// Lines of a log that are shown when a row fails.
const TAIL: usize = 15;

/// Renderers that draw without a GPU; Mesa falls back to one without a word.
const SOFTWARE: [&str; 3] = ["swrast", "llvmpipe", "softpipe"];

/// What a client has to do.
struct Expected {
    status: &'static str,
    /// How many jobs it has at the least; 0 is none at all.
    jobs: u64,
}

fn expected(client: &str) -> Result<Expected, String> {
    let jobs = |jobs| Ok(Expected { status: "0", jobs });
    match client {
        // It ends with the number of platforms that it cannot open: Wayland and X11, as no display
        // server runs here.
        "eglinfo" => Ok(Expected {
            status: "2",
            jobs: 0,
        }),
        // One for each frame that is cleared and read back.
        "gles_clear" => jobs(15),
        "share" => jobs(1),
        // One for each colour.
        "scene" => jobs(4),
        // Scenes last as long on a slow machine as on a fast one, and have fewer frames.
        "session" | "xwayland" => jobs(50),
        _ => Err(format!("no client {client}")),
    }
}

/// What a log says.
#[derive(Debug, Default)]
struct Log<'a> {
    renderer: Option<&'a str>,
    frames: Option<&'a str>,
    note: Option<&'a str>,
    /// The fields of the last line `stats: total NAME=N ...`.
    total: Vec<(&'a str, u64)>,
    is_refused: bool,
}

impl<'a> Log<'a> {
    fn parse(text: &'a str) -> Self {
        let mut log = Self::default();
        for line in text.lines() {
            let renderer = ["renderer: ", "EGL driver name: "];
            let renderer = renderer.iter().find_map(|start| line.strip_prefix(start));
            log.renderer = log.renderer.or(renderer);
            if let Some(frames) = line
                .strip_prefix("frames ")
                .and_then(|l| l.strip_suffix(" ok"))
            {
                log.frames = Some(frames);
            } else if let Some(note) = line.strip_prefix("note: ") {
                log.note = Some(note);
            } else if let Some(total) = line.strip_prefix("stats: total ") {
                let pair = |field: &'a str| {
                    let (name, n) = field.split_once('=')?;
                    Some((name, n.parse().ok()?))
                };
                log.total = total.split_whitespace().filter_map(pair).collect();
            }
            log.is_refused |= line.contains("not permitted");
        }
        log
    }

    fn total(&self, name: &str) -> Option<u64> {
        self.total.iter().find(|(n, _)| *n == name).map(|(_, n)| *n)
    }

    /// Why the client's run is not as it should be.
    fn wrong(&self, status: &str, expected: &Expected) -> Option<String> {
        let is_none = |name: &str| self.total(name) == Some(0);
        let has_jobs = match (self.total("jobs"), expected.jobs) {
            (Some(jobs), 0) => jobs == 0,
            (Some(jobs), least) => jobs >= least,
            (None, _) => false,
        };
        let renderer = self.renderer.unwrap_or_default();
        let why = if SOFTWARE.iter().any(|name| renderer.contains(name)) {
            "not on the board's GPU"
        } else if status != expected.status {
            return Some(format!("status {status}"));
        } else if !has_jobs {
            "jobs"
        } else if self.is_refused || !is_none("refused") {
            "a submit was refused"
        } else if !is_none("unknown") {
            "something that the model does not know"
        } else if !is_none("faults") || !is_none("leaked") {
            "faults or leaks"
        } else {
            return None;
        };
        Some(why.to_owned())
    }
}

fn cells(cells: [&str; 11]) -> String {
    let [board, debian, client, renderer, frames, jobs, refused, unknown, faults, leaked, result] =
        cells;
    format!(
        "{board:<8} {debian:<9} {client:<10} {renderer:<24} {frames:>7} {jobs:>12} {refused:>7} \
         {unknown:>7} {faults:>6} {leaked:>6}  {result}"
    )
}

/// Prints the first row.
pub(crate) fn header() {
    let names = [
        "board", "debian", "client", "renderer", "frames", "jobs", "refused", "unknown", "faults",
        "leaked", "result",
    ];
    println!("\n{}", cells(names));
}

/// A client's row, and whether it is as it should be.
fn judge(
    debian: &str,
    board: &str,
    client: &str,
    status: &str,
    text: &str,
) -> Result<(String, bool), String> {
    let expected = expected(client)?;
    let log = Log::parse(text);
    let wrong = log.wrong(status, &expected);
    let result = match (&wrong, log.note) {
        (Some(why), _) => format!("failed ({why})"),
        (None, Some(note)) => format!("ok ({note})"),
        (None, None) => "ok".to_owned(),
    };
    let total = |name| {
        log.total(name)
            .map_or_else(|| "?".to_owned(), |n| n.to_string())
    };
    let least = match expected.jobs {
        0 => "none".to_owned(),
        n => format!("{n}+"),
    };
    let row = cells([
        board,
        debian,
        client,
        log.renderer.unwrap_or("-"),
        log.frames.unwrap_or("-"),
        &format!("{} of {least}", total("jobs")),
        &total("refused"),
        &total("unknown"),
        &total("faults"),
        &total("leaked"),
        &result,
    ]);
    Ok((row, wrong.is_none()))
}

/// Prints the row of a client that ended with `status`, and the end of its log if it failed.
pub(crate) fn row(
    debian: &str,
    board: &str,
    client: &str,
    status: &str,
    log: &Path,
) -> Result<(), String> {
    let text = results::read(log)?;
    let (row, is_right) = judge(debian, board, client, status, &text)?;
    println!("{row}");
    if is_right {
        return Ok(());
    }
    for line in results::tail(&text, TAIL).lines() {
        println!("    {line}");
    }
    Err(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "renderer: Mali-T860 (Panfrost)\nclear 1x1 ok\nframes 15 ok\nstats: client \
                       pid=1 jobs=7 refused=1\nstats: total ioctls=212 jobs=15 refused=0 unknown=0 \
                       faults=0 resets=0 peak_kib=8583 leaked=0\n";

    fn result(client: &str, status: &str, text: &str) -> String {
        let (row, is_right) = judge("sid", "rk3399", client, status, text).unwrap();
        let result = row.rsplit("  ").next().unwrap().to_owned();
        assert_eq!(is_right, result.starts_with("ok"), "{row}");
        result
    }

    #[test]
    fn a_row() {
        assert_eq!(
            judge("bookworm", "rk3399", "gles_clear", "0", LOG).unwrap(),
            (
                "rk3399   bookworm  gles_clear Mali-T860 (Panfrost)          15    15 of 15+   \
                 \x20   0       0      0      0  ok"
                    .to_owned(),
                true
            )
        );
    }

    #[test]
    fn a_client_fails_for_each_reason() {
        assert_eq!(result("gles_clear", "0", LOG), "ok");
        let noted = format!("note: two scenes\n{LOG}");
        assert_eq!(result("gles_clear", "0", &noted), "ok (two scenes)");
        assert_eq!(result("gles_clear", "1", LOG), "failed (status 1)");
        for (from, to, why) in [
            ("jobs=15", "jobs=14", "jobs"),
            ("stats: total", "stats: nothing", "jobs"),
            ("refused=0", "refused=1", "a submit was refused"),
            (
                "clear 1x1 ok",
                "Operation not permitted",
                "a submit was refused",
            ),
            (
                "unknown=0",
                "unknown=2",
                "something that the model does not know",
            ),
            ("faults=0", "faults=1", "faults or leaks"),
            ("leaked=0", "leaked=1", "faults or leaks"),
            ("leaked=0", "", "faults or leaks"),
            (
                "Mali-T860 (Panfrost)",
                "llvmpipe (LLVM 15)",
                "not on the board's GPU",
            ),
        ] {
            let text = LOG.replace(from, to);
            assert_eq!(result("gles_clear", "0", &text), format!("failed ({why})"));
        }
    }

    #[test]
    fn a_client_that_draws_nothing_has_no_job() {
        let none = LOG
            .replace("jobs=15", "jobs=0")
            .replace("renderer:", "EGL driver name:");
        assert_eq!(result("eglinfo", "2", &none), "ok");
        assert_eq!(result("eglinfo", "2", LOG), "failed (jobs)");
        assert_eq!(result("eglinfo", "0", &none), "failed (status 0)");
        assert!(judge("sid", "rk3399", "frob", "0", LOG).is_err());
    }
}
