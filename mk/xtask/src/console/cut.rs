// SPDX-License-Identifier: BSD-2-Clause
//! The guest's own lines on a console that its kernel writes to as well.
//!
//! A program's line leaves the UART character by character, and the kernel's messages do not wait
//! for its end: a message may be in the middle of a line, with the rest of that on a line of its
//! own, or a line may be in the middle of a message.

/// How many lines of the kernel may be between the two parts of a line.
const BETWEEN: usize = 4;

/// Whether one of `lines` is `wanted`, which is not empty, or they have all of it, cut by messages.
pub(super) fn says(lines: &[&str], wanted: &str) -> bool {
    let is_here = |(at, line): (usize, &&str)| {
        let after = &lines[at + 1..];
        line.ends_with(wanted) || is_cut(line, &after[..after.len().min(BETWEEN)], wanted)
    };
    lines.iter().enumerate().any(is_here)
}

/// Whether `line` has the first part of `wanted` and then a message, and one of the lines `after`
/// it is the rest.
fn is_cut(line: &str, after: &[&str], wanted: &str) -> bool {
    let cuts = wanted.char_indices().map(|(at, _)| at).skip(1);
    cuts.chain([wanted.len()]).any(|at| {
        let (first, rest) = wanted.split_at(at);
        let Some(message) = line.strip_prefix(first) else {
            return false;
        };
        // `ended with 12` is not `ended with 1`, with a message `2`.
        let is_digit = |c: char| c.is_ascii_digit();
        let is_number = first.ends_with(is_digit) || rest.starts_with(is_digit);
        !(is_number && message.starts_with(is_digit)) && after.contains(&rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: &str = "guest: unload ended with 0";

    fn says_it(text: &str) -> bool {
        says(&text.lines().collect::<Vec<_>>(), WANTED)
    }

    #[test]
    fn a_message_may_cut_a_line() {
        for text in [
            "a\nguest: unload ended with 0\nb",
            "guest: unloapanfrost0: detached\nd ended with 0",
            "gpanfrost0: detached\ndrm0: detached\nuest: unload ended with 0\n",
            "guest: unload ended with panfrost0: detached\n0\n",
            "guest: unload ended with 0panfrost0: detached\n\nguest: end 0",
            "panfrost0: deguest: unload ended with 0\ntached",
        ] {
            assert!(says_it(text), "{text}");
        }
    }

    #[test]
    fn all_of_a_line_has_to_be_there() {
        for text in [
            "",
            "guest: unload ended with 1",
            "guest: unload ended with 01\n\n",
            "guest: unload ended with 1\n0\n",
            "guest: load ended with 0",
            "guest: unload ended with\n",
            "guest: unloapanfrost0: detached\nd ended with",
            "guest: unloapanfrost0: detached\nd ended with 1",
            "guest: unloapanfrost0: detached\n1\n2\n3\n4\nd ended with 0",
            "d ended with 0\nguest: unloapanfrost0: detached",
            // The end of it was in the console's buffer when the machine went off.
            "guest: unloaWaiting (max 60 seconds) to stop... d ended withdone\nUptime: 53s",
        ] {
            assert!(!says_it(text), "{text}");
        }
    }
}
