// SPDX-License-Identifier: BSD-2-Clause
//! Forms of the text of the project's files: licence lines, paths of one machine, messages of the
//! kernel, names in the manual pages.

use crate::tree;
use std::collections::BTreeSet;

const LICENCE: &str = "SPDX-License-Identifier: BSD-2-Clause";

/// Trees of one developer's or builder's machine.
const MACHINE: [&str; 3] = ["work", "root", "home"];

/// Where the manual pages are.
const MANUALS: &str = "share/man/man4/";

type Files = [(String, String)];

/// Whether a file has to name its licence: programs, scripts and what builds them.
fn is_source(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_manual = extension.len() == 1 && ("1"..="9").contains(&extension);
    if extension == "md" || path == "mk/README" {
        return false;
    }
    let extensions = [
        "rs", "c", "h", "S", "sh", "lua", "dtso", "dtsi", "awk", "mk",
    ];
    extensions.contains(&extension)
        || is_manual
        || name == "Cargo.toml"
        || name.ends_with("Kyuafile")
        || name.ends_with("Makefile")
        || path.starts_with("mk/")
        || path.starts_with(".ci/")
}

/// Files without a licence in their first lines.
fn unlicensed(files: &Files) -> Vec<String> {
    let is_licensed = |text: &str| text.lines().take(3).any(|line| line.contains(LICENCE));
    let bad = files
        .iter()
        .filter(|(path, text)| is_source(path) && !is_licensed(text));
    bad.map(|(path, _)| format!("{path}: no SPDX line"))
        .collect()
}

/// Whether a line has a path of one machine: not the end of a longer path or of a word.
fn has_machine_path(line: &str) -> bool {
    MACHINE.iter().any(|tree| {
        let path = format!("/{tree}/");
        line.match_indices(&path).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|c| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
        })
    })
}

/// Whether a line prints as Rust's Debug does, such as `Some(3)`: a `?` at the end of a format, or
/// the macro for it. Kernel messages are for people.
fn has_debug_output(line: &str) -> bool {
    let is_format = |(at, _): (usize, &str)| {
        let inside = line[at + 1..].split('}').next().unwrap_or_default();
        let (argument, format) = inside.split_once(':').unwrap_or((inside, ""));
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.".contains(c);
        let is_flag = |c: char| c == '#' || c.is_ascii_alphanumeric();
        argument.chars().all(is_name)
            && format
                .strip_suffix('?')
                .is_some_and(|flags| flags.chars().all(is_flag))
            && line[at..].contains('}')
    };
    let is_macro = |(at, _): (usize, &str)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_ascii_alphanumeric() || c == '_'))
    };
    line.match_indices('{').any(is_format) || line.match_indices("dbg!").any(is_macro)
}

/// Whether a file of the kernel's has messages; tests may print what they like.
fn has_messages(path: &str) -> bool {
    let is_test =
        path.contains("/tests/") || ["_test.rs", "_tests.rs"].iter().any(|t| path.ends_with(t));
    path.starts_with("sys/") && path.ends_with(".rs") && !is_test
}

/// The lines of some files that `is_bad`, as `PATH:LINE: TEXT`.
fn lines(
    files: &Files,
    is_judged: impl Fn(&str) -> bool,
    is_bad: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| is_judged(path)) {
        let bad = (1..).zip(text.lines()).filter(|(_, line)| is_bad(line));
        found.extend(bad.map(|(n, line)| format!("{path}:{n}: {}", line.trim())));
    }
    found
}

fn is_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

/// The names that follow `start` in a text.
fn names_after<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let rest = text
        .match_indices(start)
        .map(|(at, _)| &text[at + start.len()..]);
    let names = rest.map(|r| r.split(|c| !is_name(c)).next().unwrap_or_default());
    names.filter(|name| !name.is_empty()).collect()
}

/// The name in an arm `N => (c"NAME", ...)` or `N => Some((c"NAME", ...))`.
fn statistic(line: &str) -> Option<&str> {
    let (number, value) = line.trim().split_once(" => ")?;
    if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let value = value
        .strip_prefix("Some")
        .unwrap_or(value)
        .trim_start_matches('(');
    Some(value.strip_prefix("c\"")?.split_once('"')?.0)
}

/// The part of a text from a line with `from` to the next line that is `to`.
fn part<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).map_or("", |at| &text[at..]);
    start.split(&format!("\n{to}\n")).next().unwrap_or_default()
}

/// Every tunable and every statistic, as a manual page has to name it.
fn sysctls(files: &Files) -> Result<BTreeSet<String>, String> {
    let kpi = "sys/dev/drm/kpi";
    let text = |path: &str| {
        let file = files.iter().find(|(p, _)| *p == format!("{kpi}/{path}"));
        let text = file.map(|(_, text)| text.as_str());
        text.ok_or_else(|| format!("{kpi}/{path} is not there"))
    };
    let mut tunables = BTreeSet::new();
    let is_code = |path: &str| path.ends_with(".rs") || path.ends_with(".c");
    for (_, text) in files
        .iter()
        .filter(|(p, _)| p.starts_with("sys/dev/drm/") && is_code(p))
    {
        for start in ["tunable(c\"", "hw.drmkpi."] {
            let names = names_after(text, start).into_iter();
            tunables.extend(names.map(|name| format!("hw.drmkpi.{name}")));
        }
    }
    let drivers = text("src/drm/stats.rs")?.lines().filter_map(statistic);
    let all = part(text("src/entry.rs")?, "fn stat<", "}")
        .lines()
        .filter_map(statistic);
    let statistics: BTreeSet<String> = drivers
        .chain(all)
        .map(|name| format!("dev.DRIVER.N.{name}"))
        .collect();
    if tunables.is_empty() || statistics.is_empty() {
        return Err("no tunables, or no statistics, are found".to_owned());
    }
    let dumps = text("freebsd/drm_sysctl.c")?;
    let dumps = ["dump", "dump_clear"]
        .into_iter()
        .filter(|n| dumps.contains(&format!("OID_AUTO, \"{n}\",")));
    let dumps = dumps.map(|name| format!("dev.etnaviv.N.{name}"));
    Ok(tunables
        .into_iter()
        .chain(statistics)
        .chain(dumps)
        .collect())
}

/// Tunables and statistics that no manual page has a paragraph of.
fn unnamed(files: &Files) -> Result<Vec<String>, String> {
    let pages = files.iter().filter(|(path, _)| path.starts_with(MANUALS));
    let paragraphs: BTreeSet<&str> = pages
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| line.strip_prefix(".It Va "))
        .collect();
    let absent = sysctls(files)?
        .into_iter()
        .filter(|name| !paragraphs.contains(name.as_str()));
    Ok(absent
        .map(|name| format!("{name} is in no manual page"))
        .collect())
}

fn report(found: &[String]) -> Result<(), String> {
    found.iter().for_each(|line| println!("{line}"));
    match found.len() {
        0 => Ok(()),
        n => Err(format!("{n} to mend")),
    }
}

/// `xtask forms WHAT`.
pub(crate) fn run(what: &str) -> Result<(), String> {
    let files = tree::files()?;
    report(&match what {
        "licences" => unlicensed(&files),
        "paths" => lines(&files, |_| true, has_machine_path),
        "debug-output" => lines(&files, has_messages, has_debug_output),
        "manual-names" => unnamed(&files)?,
        _ => return Err(format!("no forms {what}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        owned.collect()
    }

    #[test]
    fn sources_name_their_licence_in_their_first_lines() {
        let spdx = format!("#!/bin/sh\n# {LICENCE}\n");
        let late = format!("a\nb\nc\n# {LICENCE}\n");
        let found = unlicensed(&files(&[
            ("a/b.rs", &spdx),
            ("a/c.rs", ""),
            ("a/d.c", &late),
            ("a/drm.4", ""),
            ("mk/words/left", ""),
            ("Cargo.toml", ""),
            ("a/README.md", ""),
            ("mk/README", ""),
            ("a/data.bin.txt", ""),
        ]));
        let expected = ["a/c.rs", "a/d.c", "a/drm.4", "mk/words/left", "Cargo.toml"];
        assert_eq!(found, expected.map(|path| format!("{path}: no SPDX line")));
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        for tree in MACHINE {
            assert!(has_machine_path(&format!("/{tree}/x")));
            assert!(has_machine_path(&format!("a=\"/{tree}/x\"")));
            assert!(!has_machine_path(&format!("target/fresh/{tree}/x")));
            assert!(!has_machine_path(&format!("${{x}}./{tree}/x")));
            assert!(!has_machine_path(&format!("/{tree}er/x")));
        }
    }

    #[test]
    fn debug_output_is_found() {
        for bad in [
            "\"{:?}\"",
            "\"{a:#x?}\"",
            "\"{0:?} {b}\"",
            "\"{self.a:?}\"",
            "dbg!(a)",
        ] {
            assert!(has_debug_output(bad), "{bad}");
        }
        for right in [
            "\"{a}\"",
            "\"{:x}\"",
            "if a { b::c()? }",
            "{ a: b? }",
            "xdbg!()",
            "{:?",
        ] {
            assert!(!has_debug_output(right), "{right}");
        }
        assert!(has_messages("sys/a/src/b.rs"));
        for test in [
            "sys/a/tests/b.rs",
            "sys/a/src/b_tests.rs",
            "tests/a.rs",
            "sys/a.c",
        ] {
            assert!(!has_messages(test), "{test}");
        }
        let tree = files(&[
            ("sys/a.rs", "a\n  \"{b:?}\"\n"),
            ("tests/a.rs", "\"{b:?}\""),
        ]);
        assert_eq!(
            lines(&tree, has_messages, has_debug_output),
            ["sys/a.rs:2: \"{b:?}\""]
        );
    }

    #[test]
    fn every_sysctl_is_in_a_manual_page() {
        let kpi = |path: &str| format!("sys/dev/drm/kpi/{path}");
        let stats = (
            kpi("src/drm/stats.rs"),
            "    0 => (c\"jobs\", &a),\n    12 => (c\"late\", &a),\n",
        );
        let entry = (
            kpi("src/entry.rs"),
            "fn other() {\n    0 => Some((c\"not\", a)),\n}\nfn stat<D>() {\n    \
             0 => Some((c\"mem\", a)),\n}\nfn more() {\n    1 => Some((c\"no\", a)),\n}\n",
        );
        let c = (
            kpi("freebsd/drm_sysctl.c"),
            "OID_AUTO, \"dump\",\n\"hw.drmkpi.debug\"\n",
        );
        let tunable = ("sys/dev/drm/a.rs".to_owned(), "tunable(c\"limit\")");
        let with = |page: &str| {
            let page = (format!("{MANUALS}drmkpi.4"), page);
            let all = [&stats, &entry, &c, &tunable, &page];
            let all: Vec<(&str, &str)> = all.iter().map(|(p, t)| (p.as_str(), *t)).collect();
            unnamed(&files(&all)).unwrap()
        };
        let names = [
            "hw.drmkpi.debug",
            "hw.drmkpi.limit",
            "dev.DRIVER.N.jobs",
            "dev.DRIVER.N.late",
            "dev.DRIVER.N.mem",
            "dev.etnaviv.N.dump",
        ];
        let page: String = names
            .iter()
            .map(|name| format!(".It Va {name}\n"))
            .collect();
        assert_eq!(with(&page), [""; 0]);
        for name in names {
            let page = page.replace(&format!("{name}\n"), "x\n");
            assert_eq!(with(&page), [format!("{name} is in no manual page")]);
        }
        assert!(unnamed(&files(&[])).is_err());
    }
}
