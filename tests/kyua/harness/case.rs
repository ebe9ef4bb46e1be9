// SPDX-License-Identifier: BSD-2-Clause
//! A test case and what it sees when it runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// The parameters of a running case.
#[derive(Debug, Default)]
pub struct Ctx {
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) srcdir: PathBuf,
    pub(crate) board: Option<&'static str>,
}

impl Ctx {
    /// The configuration variable `name` (kyua's `-v test_suites.drmkpi.NAME=VALUE`), when set.
    pub fn config(&self, name: &str) -> Option<&str> {
        self.config.get(name).map(String::as_str)
    }

    /// The board that this run of the case is for; `None` when the case names no boards.
    pub fn board(&self) -> Option<&'static str> {
        self.board
    }

    /// Where the test program and its data files lie.
    pub fn srcdir(&self) -> &std::path::Path {
        &self.srcdir
    }
}

/// What a case wants of `drmboard`: more options, and a check of what it printed when the board was
/// taken down.
#[derive(Clone, Copy)]
pub(crate) struct Drmboard {
    pub(crate) options: &'static [&'static str],
    pub(crate) check: fn(&str),
}

/// One test case with its metadata.
pub struct Case {
    pub(crate) name: &'static str,
    pub(crate) body: fn(&Ctx),
    pub(crate) cleanup: Option<fn(&Ctx)>,
    pub(crate) boards: Option<&'static str>,
    pub(crate) drmboard: Option<Drmboard>,
    /// Metadata lines in the order in which they were added.
    meta: Vec<(&'static str, String)>,
}

impl Case {
    /// A case without further metadata; the name is an identifier, the description one line.
    pub fn new(name: &'static str, descr: &str, body: fn(&Ctx)) -> Case {
        Case {
            name,
            body,
            cleanup: None,
            boards: None,
            drmboard: None,
            meta: vec![("descr", descr.to_string())],
        }
    }

    fn with(mut self, key: &'static str, value: impl ToString) -> Case {
        self.meta.push((key, value.to_string()));
        self
    }

    /// kyua kills the case after this many seconds (its default is 300).
    pub fn timeout(self, seconds: u32) -> Case {
        self.with("timeout", seconds)
    }

    /// Runs only as `root` or only as `unprivileged`.
    pub fn require_user(self, user: &str) -> Case {
        self.with("require.user", user)
    }

    /// Runs only where these programs (blank-separated) are found.
    pub fn require_progs(self, progs: &str) -> Case {
        self.with("require.progs", progs)
    }

    /// Runs only when these configuration variables (blank-separated) are set.
    pub fn require_config(self, vars: &str) -> Case {
        self.with("require.config", vars)
    }

    /// Runs on each of these boards (blank-separated names): see [`board`](crate::board). To kyua
    /// that is a case for each of them, named `CASE_BOARD`, where a dash of the board's name is an
    /// underscore; a name that ends so already stays.
    pub fn board(mut self, boards: &'static str) -> Case {
        self.boards = Some(boards);
        self
    }

    /// What kyua sees of the case: identifiers, and the boards they are for.
    pub(crate) fn instances(&self) -> Vec<(String, Option<&'static str>)> {
        match self.boards {
            None => vec![(self.name.to_string(), None)],
            Some(boards) => boards
                .split_whitespace()
                .map(|board| {
                    let end = format!("_{}", board.replace('-', "_"));
                    let name = self.name.strip_suffix(&end).unwrap_or(self.name);
                    (format!("{name}{end}"), Some(board))
                })
                .collect(),
        }
    }

    /// Runs below `drmboard run OPTIONS...`. When the body has passed and the board is gone,
    /// `check` sees all that drmboard and the body wrote to standard output, and may fail the case.
    /// Neither happens on a machine that is the board itself.
    pub fn drmboard(mut self, options: &'static [&'static str], check: fn(&str)) -> Case {
        self.drmboard = Some(Drmboard { options, check });
        self.with("X-drmboard", options.join(" "))
    }

    /// A clean-up that kyua runs in a process of its own after the case, however the case ended.
    pub fn cleanup(mut self, cleanup: fn(&Ctx)) -> Case {
        self.cleanup = Some(cleanup);
        self.with("has.cleanup", true)
    }
}

/// The answer to `-l`.
pub(crate) fn list(cases: &[Case]) -> String {
    let mut out = String::from("Content-Type: application/X-atf-tp; version=\"1\"\n");
    for case in cases {
        for (ident, board) in case.instances() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\nident: {ident}\n");
            for (key, value) in &case.meta {
                let _ = writeln!(out, "{key}: {value}");
            }
            if let Some(board) = board {
                let _ = writeln!(out, "X-board: {board}");
            }
        }
    }
    out
}

/// The case of an identifier, and the board that the identifier names.
pub(crate) fn find<'a>(cases: &'a [Case], ident: &str) -> Option<(&'a Case, Option<&'static str>)> {
    cases.iter().find_map(|case| {
        let (_, board) = case
            .instances()
            .into_iter()
            .find(|(name, _)| name == ident)?;
        Some((case, board))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_ident_first_and_blank_lines_between() {
        let cases = [
            Case::new("one", "first", |_| {})
                .timeout(7)
                .board("rk3399 mali-t720"),
            Case::new("two", "second", |_| {})
                .require_user("root")
                .cleanup(|_| {}),
            Case::new("three_rk3399", "third", |_| {}).board("rk3399"),
        ];
        assert_eq!(
            list(&cases),
            "Content-Type: application/X-atf-tp; version=\"1\"\n\
             \nident: one_rk3399\ndescr: first\ntimeout: 7\nX-board: rk3399\n\
             \nident: one_mali_t720\ndescr: first\ntimeout: 7\nX-board: mali-t720\n\
             \nident: two\ndescr: second\nrequire.user: root\nhas.cleanup: true\n\
             \nident: three_rk3399\ndescr: third\nX-board: rk3399\n"
        );
        let board = |ident| find(&cases, ident).map(|(case, board)| (case.name, board));
        assert_eq!(board("one_mali_t720"), Some(("one", Some("mali-t720"))));
        assert_eq!(board("two"), Some(("two", None)));
        assert_eq!(board("one"), None);
        assert_eq!(board("two_rk3399"), None);
    }
}
