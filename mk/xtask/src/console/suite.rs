// SPDX-License-Identifier: BSD-2-Clause
//! The cases of the kyua suite in a guest, against the list of those that differ there.

use std::collections::{BTreeMap, BTreeSet};

/// A line `BOARD[,BOARD] PROGRAM:CASE fails|may # REASON` of the list. A `*` at the end of a case
/// stands for the board.
fn listed(list: &str, board: &str) -> Result<BTreeMap<String, bool>, String> {
    let mut cases = BTreeMap::new();
    for line in list
        .lines()
        .filter(|l| !l.starts_with('#') && !l.trim().is_empty())
    {
        let (fields, reason) = line.split_once('#').unwrap_or((line, ""));
        let words: Vec<&str> = fields.split_whitespace().collect();
        let (boards, case, must) = match words[..] {
            [boards, case, "fails"] => (boards, case, true),
            [boards, case, "may"] => (boards, case, false),
            _ => return Err(format!("not BOARDS CASE fails|may # REASON: {line}")),
        };
        if reason.trim().is_empty() {
            return Err(format!("without a reason: {line}"));
        }
        if boards.split(',').any(|b| b == board) {
            let name = match case.strip_suffix('*') {
                Some(stem) => format!("{stem}{board}"),
                None => case.to_owned(),
            };
            cases.insert(name, must);
        }
    }
    Ok(cases)
}

/// What the cases of a run came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) passed: usize,
    /// Cases that neither passed nor were skipped.
    pub(super) failed: usize,
    pub(super) wrong: Vec<String>,
}

/// Judges the lines `case PROGRAM:CASE RESULT...`: those that fail have to be in the list.
pub(super) fn judge(lines: &[&str], list: &str, board: &str) -> Result<Suite, String> {
    let mut suite = Suite::default();
    let listed = listed(list, board)?;
    let mut seen = BTreeSet::new();
    for line in lines.iter().filter_map(|line| line.strip_prefix("case ")) {
        let Some((name, result)) = line.split_once(' ') else {
            continue;
        };
        seen.insert(name);
        let word = result
            .split(|c: char| !c.is_ascii_lowercase())
            .next()
            .unwrap_or_default();
        match word {
            "passed" => {
                suite.passed += 1;
                if listed.get(name) == Some(&true) {
                    suite.wrong.push(format!("is listed and passes: {name}"));
                }
            }
            "skipped" => {}
            _ => {
                suite.failed += 1;
                if !listed.contains_key(name) {
                    suite
                        .wrong
                        .push(format!("fails and is not listed: {name}: {result}"));
                }
            }
        }
    }
    let absent = listed.keys().filter(|name| !seen.contains(name.as_str()));
    suite
        .wrong
        .extend(absent.map(|name| format!("is listed and did not run: {name}")));
    if suite.passed == 0 {
        suite.wrong.push("no case passed".to_owned());
    }
    Ok(suite)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str =
        "# comment\n\nrk3399 a:fails fails # why\nrk3399,imx8mq a:slow_* may # why\n\
                        imx8mq a:other fails # why\n";

    fn wrong(lines: &[&str], board: &str) -> Vec<String> {
        judge(lines, LIST, board).unwrap().wrong
    }

    #[test]
    fn what_fails_is_listed() {
        let lines = [
            "case a:one passed",
            "case a:fails failed: no",
            "case a:slow_rk3399 passed",
            "case a:three skipped: no board",
            "other line",
        ];
        let suite = judge(&lines, LIST, "rk3399").unwrap();
        assert_eq!((suite.passed, suite.failed), (2, 1));
        assert_eq!(suite.wrong, [""; 0]);
    }

    #[test]
    fn differences_from_the_list_are_found() {
        let lines = [
            "case a:one passed",
            "case a:fails failed: no",
            "case a:slow_rk3399 passed",
        ];
        let with = |line| wrong(&[&lines[..], &[line]].concat(), "rk3399");
        assert_eq!(
            with("case a:two failed: x"),
            ["fails and is not listed: a:two: failed: x"]
        );
        assert_eq!(
            with("case a:two broken: x"),
            ["fails and is not listed: a:two: broken: x"]
        );
        assert_eq!(
            with("case a:fails passed"),
            ["is listed and passes: a:fails"]
        );
        assert_eq!(
            wrong(&lines[..2], "rk3399"),
            ["is listed and did not run: a:slow_rk3399"]
        );
        // Of another board others are listed.
        assert_eq!(
            wrong(
                &["case a:one passed", "case a:slow_imx8mq failed"],
                "imx8mq"
            ),
            ["is listed and did not run: a:other"]
        );
    }

    #[test]
    fn a_suite_that_did_not_run_is_wrong() {
        assert_eq!(judge(&[], "", "rk3399").unwrap().wrong, ["no case passed"]);
        assert_eq!(
            judge(&["case a:b failed: x"], "rk3399 a:b fails # x\n", "rk3399")
                .unwrap()
                .wrong,
            ["no case passed"]
        );
    }

    #[test]
    fn a_list_has_reasons() {
        for list in [
            "rk3399 a:b fails\n",
            "rk3399 a:b # x\n",
            "rk3399 a:b sometimes # x\n",
        ] {
            assert!(judge(&[], list, "rk3399").is_err(), "{list}");
        }
    }
}
