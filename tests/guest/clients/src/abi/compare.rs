// SPDX-License-Identifier: BSD-2-Clause
//! Compares two transcripts, with a list of accepted differences.
//!
//! A line of the list is `CALL | ANSWER OF THE FIRST | ANSWER OF THE SECOND | REASON`; in patterns
//! `*` stands for anything. A line of a transcript is a call and its answer, with ` = ` between
//! them. A difference that no line of the list allows fails, and so does a line that allowed none.

use std::collections::HashMap;
use std::fmt::Write as _;

/// An accepted difference.
#[derive(Debug)]
struct Accepted {
    call: String,
    first: String,
    second: String,
    line: usize,
    seen: usize,
}

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Found {
    /// Lines compared.
    pub lines: usize,
    /// Differences that the list allows.
    pub accepted: usize,
    /// Differences that it does not, and lines of it that allowed none.
    pub wrong: usize,
    /// What to print.
    pub text: String,
}

/// True when `text` is what the pattern says.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            let before: &str = before;
            match rest.find(before) {
                Some(at) => rest = &rest[at + before.len()..],
                None => return false,
            }
        }
    }
    match last {
        Some(last) => rest.ends_with(last),
        None => rest.is_empty(),
    }
}

fn list(text: &str) -> Result<Vec<Accepted>, String> {
    let mut all = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let parts: Vec<_> = line.split(" | ").map(str::trim).collect();
        let [call, first, second, reason] = parts[..] else {
            return Err(format!(
                "line {}: not CALL | FIRST | SECOND | REASON",
                i + 1
            ));
        };
        if reason.is_empty() {
            return Err(format!("line {}: no reason", i + 1));
        }
        all.push(Accepted {
            call: call.to_string(),
            first: first.to_string(),
            second: second.to_string(),
            line: i + 1,
            seen: 0,
        });
    }
    Ok(all)
}

/// A line's place (`EPOCH.CALL`, and which of several lines of it), its call and its answer.
fn parts(line: &str) -> (&str, &str, &str) {
    let (place, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (call, answer) = rest.rsplit_once(" = ").unwrap_or((rest, ""));
    (place, call, answer)
}

/// A line's place, and which of several lines of it.
type Place<'a> = (&'a str, usize);

/// The places in order, and the call and the answer of each.
fn by_place(text: &str) -> (Vec<Place<'_>>, HashMap<Place<'_>, (&str, &str)>) {
    let mut order = Vec::new();
    let mut lines = HashMap::new();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (place, call, answer) = parts(line);
        let nth = seen.entry(place).or_default();
        order.push((place, *nth));
        lines.insert((place, *nth), (call, answer));
        *nth += 1;
    }
    (order, lines)
}

/// Compares.
///
/// # Errors
/// The list cannot be understood.
pub fn compare(first: &str, second: &str, accept: &str) -> Result<Found, String> {
    let mut accepted = list(accept)?;
    let (order, ours) = by_place(first);
    let (others, theirs) = by_place(second);
    let mut found = Found::default();
    let rest = others.iter().filter(|place| !ours.contains_key(*place));
    for place in order.iter().chain(rest) {
        found.lines += 1;
        let (a, b) = (ours.get(place), theirs.get(place));
        if a == b {
            continue;
        }
        let missing = &("", "missing");
        let ((call, one), (call2, two)) = (a.unwrap_or(missing), b.unwrap_or(missing));
        let is = |e: &&mut Accepted| {
            (matches(&e.call, call) || matches(&e.call, call2))
                && matches(&e.first, one)
                && matches(&e.second, two)
        };
        if let Some(entry) = accepted.iter_mut().find(is) {
            entry.seen += 1;
            found.accepted += 1;
            continue;
        }
        found.wrong += 1;
        let _ = writeln!(found.text, "{} {call}\n  first:  {one}", place.0);
        if call != call2 && b.is_some() && a.is_some() {
            let _ = writeln!(found.text, "  second called {call2}");
        }
        let _ = writeln!(found.text, "  second: {two}");
    }
    for entry in &accepted {
        if entry.seen == 0 {
            found.wrong += 1;
            let _ = writeln!(
                found.text,
                "line {} of the list allowed nothing: {}",
                entry.line, entry.call
            );
        } else {
            let _ = writeln!(
                found.text,
                "line {}: {} times: {}",
                entry.line, entry.seen, entry.call
            );
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        assert!(
            matches("a*c", "abc")
                && matches("*", "")
                && matches("a*b*c", "a1b2bc")
                && matches("abc", "abc")
        );
        assert!(!matches("a*c", "abd") && !matches("abc", "abcd") && !matches("a*b*c", "acb"));
    }

    #[test]
    fn a_difference_is_listed_or_wrong() {
        let (a, b) = (
            "1.1 f0 X {} = 0 {}\n1.2 f0 Y {} = 0 {}\n",
            "1.1 f0 X {} = 0 {}\n1.2 f0 Y {} = 22 {}\n",
        );
        let wrong = |accept: &str| compare(a, b, accept).expect("a list").wrong;
        assert_eq!(wrong(""), 1);
        assert_eq!(wrong("* Y * | 0 * | 22 * | because\n"), 0);
        // A line that allows nothing is wrong too.
        assert_eq!(
            wrong("* Y * | 0 * | 22 * | because\n* X * | 0 * | 22 * | because\n"),
            1
        );
        assert_eq!(
            compare(a, a, "* Y * | 0 * | 22 * | because\n")
                .expect("a list")
                .wrong,
            1
        );
        assert!(compare(a, b, "no reason\n").is_err());
    }
}
