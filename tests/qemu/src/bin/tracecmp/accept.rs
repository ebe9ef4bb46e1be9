// SPDX-License-Identifier: BSD-2-Clause
//! The file of accepted differences: `BOARD PHASE +|- ACCESS # REASON`, one a line; BOARD may be several names with commas between.
//! A line that is met twice in a phase is there twice.

/// The lines for one board that have not been met.
#[derive(Debug)]
pub(crate) struct List(Vec<(String, String)>);

impl List {
    /// # Errors
    /// A sentence: a line without its parts, or without a reason.
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
            if why.is_empty() || !difference.starts_with(['+', '-']) {
                return Err(format!("no reason, or no side: {line}"));
            }
            if boards.split(',').any(|name| name == board) {
                all.push((phase.to_owned(), difference.to_owned()));
            }
        }
        Ok(List(all))
    }

    /// Whether the difference is listed; a line is good for one.
    pub(crate) fn take(&mut self, phase: &str, difference: &str) -> bool {
        let at = self.0.iter().position(|(p, d)| p == phase && d == difference);
        at.map(|at| self.0.remove(at)).is_some()
    }

    /// What was not met.
    pub(crate) fn left(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|(phase, difference)| format!("{phase} {difference}"))
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
