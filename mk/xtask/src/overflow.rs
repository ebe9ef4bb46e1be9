// SPDX-License-Identifier: BSD-2-Clause
//! Arithmetic that wraps or saturates says why: a comment `// OVERFLOW:` on its line or above it.
//!
//! Directories of drivers that do not do so yet are listed. The list may only get shorter: an entry
//! in which nothing is left fails, too.

use std::path::{Path, PathBuf};

/// Directories where lines without a reason are still allowed.
const EXEMPT: [&str; 4] = [
    "sys/dev/drm/etnaviv/src",
    "sys/dev/drm/kpi/src/resources.rs",
    "sys/dev/drm/kpi/src/runner",
    "sys/dev/drm/panfrost/src",
];

/// What a method of such arithmetic begins with.
const METHODS: [&str; 2] = ["wrapping_", "saturating_"];

/// The numbers of the lines of `text`, from 1, that wrap or saturate without a reason. The first
/// line of a comment that stands directly above a statement, or above the first line of a chain of
/// calls that the method is in, gives one. Modules of tests are left out.
fn unexplained(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    // Whether a reason was given that still holds.
    let mut explained = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line == "#[cfg(test)]" {
            break;
        }
        if let Some(comment) = line.strip_prefix("//") {
            explained |= comment.trim_start().starts_with("OVERFLOW:");
            continue;
        }
        let code = line.split("//").next().unwrap_or_default();
        let here = line.contains("// OVERFLOW:");
        if METHODS.iter().any(|m| code.contains(m)) && !explained && !here {
            found.push(number);
        }
        // A reason is for one statement: up to a semicolon, a brace or the end of an arm.
        if code.trim_end().ends_with([';', '{', '}', ',']) || code.trim().is_empty() {
            explained = false;
        }
    }
    found
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let say = |e| format!("{}: {e}", dir.display());
    for entry in dir.read_dir().map_err(say)? {
        let path = entry.map_err(say)?.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "tests") {
                sources(&path, found)?;
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// Checks all sources below sys/ but tests.
pub(crate) fn run() -> Result<(), String> {
    let mut files = Vec::new();
    sources(Path::new("sys"), &mut files)?;
    files.sort();
    let (mut bad, mut left) = (0_usize, [0_usize; EXEMPT.len()]);
    for file in files {
        let text =
            std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let found = unexplained(&text);
        if let Some(i) = EXEMPT.iter().position(|dir| file.starts_with(dir)) {
            left[i] += found.len();
            continue;
        }
        bad += found.len();
        for line in found {
            println!(
                "{}:{line}: wraps or saturates without // OVERFLOW:",
                file.display()
            );
        }
    }
    for (dir, left) in EXEMPT.iter().zip(left) {
        if left == 0 {
            println!("{dir}: nothing is left there, take it off the list");
            bad += 1;
        }
    }
    match bad {
        0 => Ok(()),
        n => Err(format!("{n} to mend")),
    }
}

#[cfg(test)]
mod tests {
    use super::unexplained;

    #[test]
    fn a_reason_is_on_the_line_or_directly_above() {
        assert_eq!(unexplained("let a = b.wrapping_add(1);"), [1]);
        assert!(unexplained("// OVERFLOW: why\nlet a = b.wrapping_add(1);").is_empty());
        assert!(unexplained("let a = b.wrapping_add(1); // OVERFLOW: why").is_empty());
        assert_eq!(unexplained("// Adds.\nlet a = b.saturating_add(1);"), [2]);
        // In a doc comment it is prose.
        assert!(unexplained("/// With wrapping_add.").is_empty());
    }

    #[test]
    fn a_reason_is_for_one_statement() {
        let text = "// OVERFLOW: why\na = a.wrapping_add(1);\nb = b.wrapping_add(1);";
        assert_eq!(unexplained(text), [3]);
        let text =
            "// OVERFLOW: why,\n// in two lines\nlet a = b\n    .len()\n    .saturating_sub(1);";
        assert!(unexplained(text).is_empty());
        let text = "// OVERFLOW: why\n\na = a.wrapping_add(1);";
        assert_eq!(unexplained(text), [3]);
    }

    #[test]
    fn tests_of_a_module_are_left_out() {
        assert!(unexplained("#[cfg(test)]\nmod tests {\n    a.wrapping_mul(3);\n}").is_empty());
    }
}
