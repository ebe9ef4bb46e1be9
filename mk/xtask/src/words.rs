// SPDX-License-Identifier: BSD-2-Clause
//! The words and the width of tracked text. `mk/words/allowed` lists the exceptions, each with its
//! reason.

use crate::prose::{self, Phrase};
use crate::tree;

/// The widest line, in columns.
const WIDTH: usize = 100;
/// What an exception, and a finding, of the width is called.
const WIDE: &str = "width";
const ALLOWED: &str = "mk/words/allowed";

/// Phrases that are refused, and what the field says.
const PHRASES: &[(&str, &str)] = &[
    (
        "whoever|whomever",
        "the caller, the holder, the thread that ...",
    ),
    (
        "nobody|somebody|anybody|everybody",
        "no thread, a client, each caller",
    ),
    ("the answer is", "returns"),
    ("is the answer", "is returned"),
    (
        "is|are|was|were|be over",
        "completed, signalled, ended; exceeds",
    ),
    ("has|have|had seen", "observed, received"),
    ("had better", "should"),
    ("at its end", "when it completes; at the end of"),
    ("is|are no more", "no longer exists, is freed"),
    ("any more", "no longer"),
    ("for good", "permanently"),
    ("in the way", "blocks, prevents"),
    ("behind", "after, below, that backs"),
    (
        "look|looks|looked|looking at|for|into|after",
        "reads, checks, searches",
    ),
    (
        "tell|tells|told|telling",
        "reports, notifies, distinguishes",
    ),
    ("have|has|had to do with", "concerns"),
    ("the like", "and similar"),
    ("the other way round", "the reverse"),
    ("what is what", "which is which"),
    ("throw|throws|thrown out", "revoked, closed"),
    ("is|are|be|was|were due", "pending, scheduled"),
    ("once more", "again"),
    ("anew", "again, from the start"),
];

/// A finding: a phrase, or a line that is too wide.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    what: String,
    instead: String,
}

/// A line of the list of exceptions.
struct Allowed {
    path: String,
    what: String,
    used: bool,
}

impl Allowed {
    /// `PATH: WHAT: REASON`; PATH may end with `/` and names all files below then, WHAT is a
    /// phrase as it is written in the text, `width`, or `*` for everything.
    fn read(line: &str) -> Result<Self, String> {
        let parts: Vec<&str> = line.splitn(3, ": ").map(str::trim).collect();
        match parts[..] {
            [path, what, reason] if !path.is_empty() && !what.is_empty() && !reason.is_empty() => {
                Ok(Self {
                    path: path.to_owned(),
                    what: what.to_owned(),
                    used: false,
                })
            }
            _ => Err(format!("{ALLOWED}: not PATH: WHAT: REASON: {line}")),
        }
    }

    fn covers(&self, finding: &Finding) -> bool {
        let path = match self.path.ends_with('/') {
            true => finding.path.starts_with(&self.path),
            false => finding.path == self.path,
        };
        path && (self.what == "*" || self.what == finding.what)
    }
}

/// The lines of a list that are neither empty nor comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

/// Columns of a line, with tab stops of eight as in style(9).
fn columns(line: &str) -> usize {
    line.chars().fold(0, |at, c| match c {
        '\t' => at / 8 * 8 + 8,
        _ => at + 1,
    })
}

/// Whether a line may be as wide as it is: tables of Markdown and addresses cannot be broken.
fn may_be_wide(path: &str, line: &str) -> bool {
    let body = line.trim_start_matches(|c: char| c.is_whitespace() || "/!".contains(c));
    let tables = [".md", ".rs"].iter().any(|end| path.ends_with(end));
    line.contains("://") || (tables && body.starts_with('|') && !body.starts_with("||"))
}

/// All findings of one file.
fn check(path: &str, text: &str, phrases: &[Phrase]) -> Vec<Finding> {
    let finding = |line, what: &str, instead: &str| Finding {
        path: path.to_owned(),
        line,
        what: what.to_owned(),
        instead: instead.to_owned(),
    };
    let mut found: Vec<Finding> = prose::find(text, phrases)
        .into_iter()
        .map(|hit| finding(hit.line, &hit.what, hit.instead))
        .collect();
    for (n, line) in text.lines().enumerate() {
        if columns(line) > WIDTH && !may_be_wide(path, line) {
            found.push(finding(n + 1, WIDE, "at most 100 columns"));
        }
    }
    found
}

/// Takes what is allowed out of `found`; an error for an exception that excepts nothing.
fn except(found: &mut Vec<Finding>, list: &str) -> Result<(), String> {
    let mut allowed: Vec<Allowed> = lines(list).map(Allowed::read).collect::<Result<_, _>>()?;
    found.retain(|finding| {
        let mut kept = true;
        for entry in allowed.iter_mut().filter(|entry| entry.covers(finding)) {
            entry.used = true;
            kept = false;
        }
        kept
    });
    match allowed.iter().find(|entry| !entry.used) {
        Some(entry) => Err(format!(
            "{ALLOWED}: nothing is excepted by {}: {}",
            entry.path, entry.what
        )),
        None => Ok(()),
    }
}

fn all_findings() -> Result<Vec<Finding>, String> {
    let phrases = Phrase::list(PHRASES);
    let mut found: Vec<Finding> = tree::files()?
        .iter()
        .flat_map(|(path, text)| check(path, text, &phrases))
        .collect();
    let allowed = std::fs::read_to_string(ALLOWED).map_err(|e| format!("{ALLOWED}: {e}"))?;
    except(&mut found, &allowed)?;
    Ok(found)
}

/// Prints the findings in files whose path begins with `prefix`; an error if there are any.
pub fn run(prefix: &str) -> Result<(), String> {
    let mut found = all_findings()?;
    found.retain(|finding| finding.path.starts_with(prefix));
    for f in &found {
        println!("{}:{}: {} ({})", f.path, f.line, f.what, f.instead);
    }
    match found.len() {
        0 => Ok(()),
        n => Err(format!("{n} refused words and wide lines")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(path: &str, text: &str) -> Vec<String> {
        let found = check(path, text, &Phrase::list(PHRASES));
        found.into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn phrases_are_found_in_comments_strings_names_and_documents() {
        assert_eq!(whats("a.rs", "// Jobs that are over."), ["are over"]);
        assert_eq!(whats("a.rs", "fn nobody_waits() {}"), ["nobody"]);
        assert_eq!(
            whats("a.c", "printf(\"%s had better go\", x);"),
            ["had better"]
        );
        assert_eq!(whats("a.md", "Whoever waits"), ["whoever"]);
        assert_eq!(
            whats("a.4", "The answer is\n.Er EINVAL ."),
            ["the answer is"]
        );
        assert_eq!(
            whats("a.rs", "// The job is overdue. Over there it is."),
            [""; 0]
        );
    }

    #[test]
    fn wide_lines_are_found_but_for_tables_and_addresses() {
        let wide = "x".repeat(101);
        assert_eq!(whats("a.rs", &wide), [WIDE]);
        assert_eq!(whats("a.rs", &"x".repeat(100)), [""; 0]);
        assert_eq!(whats("a.rs", &"ä".repeat(100)), [""; 0]);
        assert_eq!(whats("a.c", &format!("\t{}", "x".repeat(93))), [WIDE]);
        assert_eq!(whats("a.md", &format!("| {wide}")), [""; 0]);
        assert_eq!(whats("a.rs", &format!("    /// | {wide}")), [""; 0]);
        assert_eq!(whats("a.rs", &format!("|| {wide}")), [WIDE]);
        assert_eq!(whats("a.c", &format!("| {wide}")), [WIDE]);
        assert_eq!(whats("a.rs", &format!("// https://{wide}")), [""; 0]);
    }

    #[test]
    fn exceptions_have_a_reason_and_except_something() {
        let found = || check("a/b.rs", "// nobody is behind", &Phrase::list(PHRASES));
        let left = |list: &str| {
            let mut found = found();
            except(&mut found, list).map(|()| found.len())
        };
        assert_eq!(left(""), Ok(2));
        assert_eq!(left("a/b.rs: nobody: a user's name\n"), Ok(1));
        assert_eq!(left("a/: *: generated"), Ok(0));
        assert!(left("a/b.rs: nobody").is_err());
        assert!(left("a/b.rs: somebody: is not there").is_err());
        assert!(left("b.rs: nobody: another file").is_err());
    }
}
