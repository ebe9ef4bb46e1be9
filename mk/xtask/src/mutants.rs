// SPDX-License-Identifier: BSD-2-Clause
//! The table of faults planted in the models, and which checks detect each (docs/crosscheck.md).

use crate::results;
use std::path::Path;

/// What the name of a row begins with in which no fault is planted.
const NO_FAULT: &str = "no-fault-";

/// The exit status of timeout(1).
const TIMED_OUT: &str = "124";

/// What a program of tests that ended with `status` found: how many cases failed, `-` if none.
fn rated(status: &str, log: &str) -> String {
    match (results::failed_cases(log), status) {
        (0, "0") => "-".to_owned(),
        (0, TIMED_OUT) => "no end".to_owned(),
        (0, _) => "died".to_owned(),
        (n, _) => n.to_string(),
    }
}

/// Prints that.
pub(crate) fn rate(status: &str, log: &Path) -> Result<(), String> {
    println!("{}", rated(status, &results::read(log)?));
    Ok(())
}

/// A row of the table: a fault, and what each kind of checks found.
struct Row<'a> {
    name: &'a str,
    found: &'a [&'a str],
}

impl<'a> Row<'a> {
    /// `fields` are name, description, and what was found; `-` is nothing, `.` not tried.
    fn new(fields: &'a [&'a str]) -> Result<Self, String> {
        match fields {
            [name, _, found @ ..] if found.len() == 4 && found.iter().all(|f| !f.is_empty()) => {
                Ok(Self { name, found })
            }
            _ => Err(format!("not a row of the table: {}", fields.join(" | "))),
        }
    }

    fn is_detected(&self) -> bool {
        self.found.iter().any(|f| *f != "-" && *f != ".")
    }

    fn is_without_fault(&self) -> bool {
        self.name.starts_with(NO_FAULT)
    }
}

/// Prints a row. Checks that fail without a fault are an error.
pub(crate) fn row(fields: &[&str]) -> Result<(), String> {
    let row = Row::new(fields)?;
    println!("| {} |", fields.join(" | "));
    match row.is_without_fault() && row.is_detected() {
        true => Err("checks fail without a fault".to_owned()),
        false => Ok(()),
    }
}

/// The faults of a table that nothing detects.
fn undetected(table: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let rows = table
        .lines()
        .filter_map(|l| l.strip_prefix("| ")?.strip_suffix(" |"));
    for line in rows {
        let fields: Vec<&str> = line.split(" | ").collect();
        let row = Row::new(&fields)?;
        if !row.is_detected() && !row.is_without_fault() {
            names.push(row.name.to_owned());
        }
    }
    Ok(names)
}

/// An error if nothing detects some fault of a table.
pub(crate) fn end(table: &Path) -> Result<(), String> {
    match undetected(&results::read(table)?)? {
        names if names.is_empty() => Ok(()),
        names => Err(format!("not noticed by anything: {}", names.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_rated_by_its_cases_and_its_end() {
        let log = "test a ... FAILED\ntest b ... ok\ntests/x:c  ->  failed: y  [0.1s]\n\
                   tests/x:d  ->  broken: y  [0.1s]\ntests/x:e  ->  passed  [0.1s]\n";
        assert_eq!(rated("101", log), "3");
        assert_eq!(rated("0", "test b ... ok\n"), "-");
        assert_eq!(rated("124", "test b ... ok\n"), "no end");
        assert_eq!(rated("101", "error: could not compile\n"), "died");
        assert_eq!(rated("124", "test b ... FAILED\n"), "1");
    }

    #[test]
    fn a_fault_is_detected_by_any_check() {
        for (found, detected) in [
            (["-", "-", "-", "-"], false),
            (["-", "-", "-", "."], false),
            (["3", "-", "-", "-"], true),
            (["-", "died", "-", "."], true),
            (["-", "-", "no end", "-"], true),
            (["-", "-", "-", "clients"], true),
        ] {
            let fields = [&["mali-x", "what"][..], &found[..]].concat();
            assert_eq!(
                Row::new(&fields).unwrap().is_detected(),
                detected,
                "{found:?}"
            );
            assert!(row(&fields).is_ok());
            let without = [&["no-fault-mali", "none"][..], &found[..]].concat();
            assert_eq!(row(&without).is_err(), detected, "{found:?}");
        }
    }

    #[test]
    fn faults_that_nothing_detects_are_named() {
        let table = "| no-fault-mali | none | - | - | - | - |\n| mali-a | x | 1 | - | - | - |\n\
                     | mali-b | x | - | - | - | - |\n| mali-c | x | . | . | . | - |\n";
        assert_eq!(undetected(table).unwrap(), ["mali-b", "mali-c"]);
        assert!(undetected("| mali-a | x | 1 | - | - |\n").is_err());
        assert!(undetected("| mali-a | x | 1 | - | - |  |\n").is_err());
    }
}
