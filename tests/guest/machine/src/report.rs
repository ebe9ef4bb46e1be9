// SPDX-License-Identifier: BSD-2-Clause
//! The report of a machine that has ended, which [`crate::Machine::finish`] writes in QEMU, as the
//! program that started QEMU reads it.

use std::fs;
use std::path::Path;

/// What the library in QEMU reports.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The lines to print.
    pub lines: Vec<String>,
    /// The guest's exit status, at most 255.
    pub exit: Option<u8>,
    /// What could not be written.
    pub errors: Vec<String>,
}

impl Report {
    /// Reads a file. Without one the machine did not end in order, and the report is empty.
    #[must_use]
    pub fn read(path: &Path) -> Report {
        let mut report = Report::default();
        for line in fs::read_to_string(path).unwrap_or_default().lines() {
            match line.split_once(' ') {
                Some(("exit", code)) => {
                    let code = code.parse::<u32>().ok();
                    report.exit = code.map(|code| u8::try_from(code).unwrap_or(u8::MAX));
                }
                Some(("error", text)) => report.errors.push(text.to_owned()),
                _ => report.lines.push(line.to_owned()),
            }
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_taken_apart() {
        let path = std::env::temp_dir().join(format!("guest-report-{}", std::process::id()));
        fs::write(&path, "exit 3\nmodel gpu@1 chains=4\nerror no picture\n").unwrap();
        let report = Report::read(&path);
        assert_eq!(report.lines, ["model gpu@1 chains=4"]);
        assert_eq!((report.exit, report.errors.len()), (Some(3), 1));
        fs::write(&path, "exit 256\n").unwrap();
        assert_eq!(Report::read(&path).exit, Some(255), "not 0");
        fs::remove_file(&path).unwrap();
        assert_eq!(Report::read(&path), Report::default());
    }
}
