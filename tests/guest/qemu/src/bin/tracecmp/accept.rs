// SPDX-License-Identifier: BSD-2-Clause
//! The file of accepted differences: `BOARD PHASE +|- ACCESS # REASON`, one a line; BOARD may be
//! several names with commas between. An access that differs twice in a phase has two lines. `~+`
//! and `~-` are for differences that do not occur in every run.

/// The lines for one board whose differences have not occurred.
#[derive(Debug)]
pub(crate) struct List(Vec<Line>);

#[derive(Debug)]
struct Line {
    phase: String,
    difference: String,
    /// Whether the difference must occur.
    always: bool,
}

impl List {
    /// # Errors
    ///
    /// A message: a line lacks a part, or its reason.
    pub(crate) fn parse(board: &str, text: &str) -> Result<List, String> {
        let mut all = Vec::new();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let parts = line.split_once(" # ").and_then(|(what, why)| {
                let mut words = what.trim().splitn(3, ' ');
                Some((words.next()?, words.next()?, words.next()?, why.trim()))
            });
            let Some((boards, phase, difference, why)) = parts else {
                return Err(format!("not BOARD PHASE +|- ACCESS # REASON: {line}"));
            };
            let (difference, always) = match difference.strip_prefix('~') {
                Some(sometimes) => (sometimes, false),
                None => (difference, true),
            };
            if why.is_empty() || !difference.starts_with(['+', '-']) {
                return Err(format!("no reason, or no side: {line}"));
            }
            if boards.split(',').any(|name| name == board) {
                all.push(Line {
                    phase: phase.to_owned(),
                    difference: difference.to_owned(),
                    always,
                });
            }
        }
        Ok(List(all))
    }

    /// Whether the difference is listed; each line accepts one.
    pub(crate) fn take(&mut self, phase: &str, difference: &str) -> bool {
        let is_it = |line: &Line| line.phase == phase && line.difference == difference;
        let at = self.0.iter().position(is_it);
        at.map(|at| self.0.remove(at)).is_some()
    }

    /// The lines whose differences did not occur.
    pub(crate) fn left(&self) -> Vec<String> {
        let left = self.0.iter().filter(|line| line.always);
        left.map(|line| format!("{} {}", line.phase, line.difference))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_good_for_one_difference() {
        let text = "# why\n\na,b reset + w 0001 2 # because\nb reset - phase # not on a\n";
        let mut list = List::parse("a", text).unwrap();
        assert!(!list.take("submit", "+ w 0001 2"));
        assert_eq!(list.left(), ["reset + w 0001 2"]);
        assert!(list.take("reset", "+ w 0001 2"));
        assert!(!list.take("reset", "+ w 0001 2"));
        assert!(list.left().is_empty());
    }

    #[test]
    fn what_occurs_sometimes_need_not_occur() {
        let mut list = List::parse("a", "a reset ~+ w 0001 2 # now and then").unwrap();
        assert!(list.left().is_empty());
        assert!(list.take("reset", "+ w 0001 2"));
        assert!(!list.take("reset", "+ w 0001 2"));
    }

    #[test]
    fn a_reason_is_needed() {
        for bad in [
            "a reset + w 1 2",
            "a reset + w 1 2 # ",
            "a reset w 1 # x",
            "a # x",
        ] {
            assert!(List::parse("a", bad).is_err(), "{bad}");
        }
    }
}
