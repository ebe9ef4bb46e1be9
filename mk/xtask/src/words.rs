// SPDX-License-Identifier: BSD-2-Clause
//! The words and the width of tracked text.
//!
//! Two lists belong to it. `mk/words/allowed` names what may stay, each line with its reason.
//! `mk/words/left` has the number of findings of each directory that is not rewritten yet; a number
//! may only become smaller, and has to be written down when it does (`xtask words --write`).

use crate::prose::{self, Phrase};
use crate::tree;
use std::collections::BTreeMap;

/// The widest line, in columns.
const WIDTH: usize = 100;
/// What an exception, and a finding, of the width is called.
const WIDE: &str = "width";
/// Findings of a directory that are printed unasked.
const SHOWN: usize = 30;
const ALLOWED: &str = "mk/words/allowed";
const LEFT: &str = "mk/words/left";

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

/// The directory that a file is counted in: two levels, in sys/ five.
fn directory(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let depth = if parts[0] == "sys" { 5 } else { 2 };
    let dirs = &parts[..parts.len().saturating_sub(1).min(depth)];
    match dirs {
        [] => ".".to_owned(),
        dirs => dirs.join("/"),
    }
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

/// Words and wide lines of a directory.
type Counts = BTreeMap<String, [usize; 2]>;

fn count(found: &[Finding]) -> Counts {
    let mut counts = Counts::new();
    for finding in found {
        let entry = counts.entry(directory(&finding.path)).or_default();
        entry[usize::from(finding.what == WIDE)] += 1;
    }
    counts
}

fn read_left(list: &str) -> Result<Counts, String> {
    let read = |line: &str| {
        let parts: Vec<&str> = line.split_whitespace().collect();
        match parts[..] {
            [dir, words, wide] => Some((dir.to_owned(), [words.parse().ok()?, wide.parse().ok()?])),
            _ => None,
        }
    };
    lines(list)
        .map(|line| read(line).ok_or_else(|| format!("{LEFT}: not DIRECTORY WORDS WIDE: {line}")))
        .collect()
}

/// What differs between the numbers written down and those found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Difference {
    /// Directories with more findings than were there.
    more: Vec<String>,
    /// Directories with fewer, whose number has to be written down.
    fewer: Vec<String>,
}

fn compare(left: &Counts, found: &Counts) -> Difference {
    let mut difference = Difference::default();
    let dirs: std::collections::BTreeSet<&String> = left.keys().chain(found.keys()).collect();
    for dir in dirs {
        let [was, is] = [left, found].map(|c| c.get(dir).copied().unwrap_or_default());
        if is[0] > was[0] || is[1] > was[1] {
            difference.more.push(dir.clone());
        } else if is != was {
            difference.fewer.push(dir.clone());
        }
    }
    difference
}

fn all_findings() -> Result<Vec<Finding>, String> {
    let phrases = Phrase::list(PHRASES);
    let mut found: Vec<Finding> = tree::files()?
        .iter()
        .flat_map(|(path, text)| check(path, text, &phrases))
        .collect();
    except(&mut found, &list(ALLOWED)?)?;
    Ok(found)
}

fn list(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))
}

/// Prints every finding below `prefix`.
pub fn print(prefix: &str) -> Result<(), String> {
    print_all(&all_findings()?, |finding| finding.path.starts_with(prefix));
    Ok(())
}

fn print_all(found: &[Finding], wanted: impl Fn(&Finding) -> bool) {
    for f in found.iter().filter(|f| wanted(f)) {
        println!("{}:{}: {} ({})", f.path, f.line, f.what, f.instead);
    }
}

/// Writes the numbers down. Fails, and writes nothing, if one of them grew.
pub fn write() -> Result<(), String> {
    let found = all_findings()?;
    let counts = count(&found);
    let old = list(LEFT)?;
    let difference = compare(&read_left(&old)?, &counts);
    if !difference.more.is_empty() {
        return report(&found, &difference);
    }
    let mut text: String = old
        .lines()
        .filter(|l| l.starts_with('#'))
        .fold(String::new(), |text, line| text + line + "\n");
    for (dir, [words, wide]) in &counts {
        text += &format!("{dir} {words} {wide}\n");
    }
    std::fs::write(LEFT, text).map_err(|e| format!("{LEFT}: {e}"))
}

fn report(found: &[Finding], difference: &Difference) -> Result<(), String> {
    for dir in &difference.more {
        println!(
            "{dir}: more findings than {LEFT} has: `cargo run -p xtask -- words --list {dir}`"
        );
        let here: Vec<&Finding> = found
            .iter()
            .filter(|f| directory(&f.path) == *dir)
            .collect();
        // Where it should be clean, every finding is the new one.
        if here.len() <= SHOWN {
            print_all(found, |f| directory(&f.path) == *dir);
        }
    }
    for dir in &difference.fewer {
        println!(
            "{dir}: fewer findings than {LEFT} has: run `cargo run -p xtask -- words --write`"
        );
    }
    match difference.more.len() + difference.fewer.len() {
        0 => Ok(()),
        n => Err(format!("{n} directories differ from {LEFT}")),
    }
}

/// Compares the tree with both lists.
pub fn run() -> Result<(), String> {
    let found = all_findings()?;
    report(&found, &compare(&read_left(&list(LEFT)?)?, &count(&found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(path: &str, text: &str) -> Vec<String> {
        let found = check(path, text, &Phrase::list(PHRASES));
        found.into_iter().map(|f| f.what).collect()
    }

    fn counts(dirs: &[(&str, [usize; 2])]) -> Counts {
        dirs.iter().map(|(d, n)| ((*d).to_owned(), *n)).collect()
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

    #[test]
    fn a_number_may_not_grow_and_a_smaller_one_is_written_down() {
        let left = counts(&[("docs", [2, 1]), ("mk", [1, 0])]);
        assert_eq!(compare(&left, &left), Difference::default());
        let more = compare(&left, &counts(&[("docs", [1, 2]), ("mk", [1, 0])]));
        assert_eq!(more.more, ["docs"]);
        let fewer = compare(&left, &counts(&[("docs", [2, 1])]));
        assert_eq!((fewer.more.len(), fewer.fewer), (0, vec!["mk".to_owned()]));
        let new = compare(
            &left,
            &counts(&[("docs", [2, 1]), ("mk", [1, 0]), ("ports", [1, 0])]),
        );
        assert_eq!(new.more, ["ports"]);
        assert_eq!(read_left("# c\ndocs 2 1\nmk 1 0\n"), Ok(left));
        assert!(read_left("docs two 1").is_err());
    }

    #[test]
    fn files_are_counted_by_directory() {
        assert_eq!(directory("README.md"), ".");
        assert_eq!(directory("tests/os/src/a.rs"), "tests/os");
        assert_eq!(
            directory("sys/dev/drm/kpi/src/os/a.rs"),
            "sys/dev/drm/kpi/src"
        );
        assert_eq!(directory("sys/arm64/iommu/src/a.rs"), "sys/arm64/iommu/src");
    }
}
