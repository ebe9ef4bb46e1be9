// SPDX-License-Identifier: BSD-2-Clause
//! Patterns of whole lines: `*` is any text, `{n}` a number, anything else is itself.

const NUMBER: &str = "{n}";

/// What the wildcards of `pattern` stand for, in their order, if `line` has that form.
pub(super) fn find<'a>(pattern: &str, line: &'a str) -> Option<Vec<&'a str>> {
    let mut found = Vec::new();
    fits(pattern, line, &mut found).then_some(found)
}

/// Whether `line` has the form of `pattern`.
pub(super) fn is(pattern: &str, line: &str) -> bool {
    find(pattern, line).is_some()
}

/// Whether some part of `line` has the form of `pattern`.
pub(super) fn has(pattern: &str, line: &str) -> bool {
    is(&format!("*{pattern}*"), line)
}

fn fits<'a>(pattern: &str, line: &'a str, found: &mut Vec<&'a str>) -> bool {
    let (literal, wildcard, rest) = match (pattern.find('*'), pattern.find(NUMBER)) {
        (None, None) => return line == pattern,
        (Some(at), number) if number.is_none_or(|n| at < n) => {
            (&pattern[..at], "*", &pattern[at + 1..])
        }
        (_, number) => {
            let at = number.unwrap_or_default();
            (&pattern[..at], NUMBER, &pattern[at + NUMBER.len()..])
        }
    };
    let Some(line) = line.strip_prefix(literal) else {
        return false;
    };
    let digits = line
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(line.len());
    let ends: Vec<usize> = match wildcard {
        // All digits belong to the number.
        NUMBER if digits == 0 => return false,
        NUMBER => vec![digits],
        _ => line
            .char_indices()
            .map(|(at, _)| at)
            .chain([line.len()])
            .collect(),
    };
    for end in ends {
        let so_far = found.len();
        found.push(&line[..end]);
        if fits(rest, &line[end..], found) {
            return true;
        }
        found.truncate(so_far);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_of_the_whole_line() {
        assert_eq!(find("share 333x77 ok", "share 333x77 ok"), Some(vec![]));
        assert_eq!(find("share", "share 333x77 ok"), None);
        assert!(has("333x77", "share 333x77 ok"));
        assert!(!has("333x78", "share 333x77 ok"));
    }

    #[test]
    fn wildcards_stand_for_text_and_numbers() {
        assert_eq!(
            find("guest: EBUSY {n} times", "guest: EBUSY 17 times"),
            Some(vec!["17"])
        );
        assert_eq!(find("guest: EBUSY {n} times", "guest: EBUSY  times"), None);
        assert_eq!(
            find("dev.*.0.jobs: {n}", "dev.panfrost.0.jobs: 4"),
            Some(vec!["panfrost", "4"])
        );
        assert_eq!(
            find("*chains={n} *", "model a chains=12 b"),
            Some(vec!["model a ", "12", "b"])
        );
        assert_eq!(find("a*b*c", "abbc"), Some(vec!["", "b"]));
        assert_eq!(find("{n}", "12a"), None);
        assert_eq!(find("x{n}0", "x10"), None);
        assert!(has(
            "panfrost *: js fault, * status=X, ",
            "<3> panfrost a: js fault, js=0, status=X, head"
        ));
    }
}
