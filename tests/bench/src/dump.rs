// SPDX-License-Identifier: BSD-2-Clause
//! What callgrind writes down (Callgrind Format Specification, version 1): instructions by function
//! and line.

/// The crates that are the kernel module.
const OURS: [&str; 5] = ["drmkpi", "drm_sched", "iommu_pmap", "panfrost", "etnaviv"];

/// Instructions of all functions. The line "totals:" is that of all threads, "summary:" from the
/// second dump on is not.
pub fn total(dump: &str) -> Option<u64> {
    let sum = dump
        .lines()
        .find_map(|line| line.strip_prefix("totals: "))?;
    sum.trim().parse().ok()
}

/// Instructions of the functions of the kernel module's crates, with what the compiler has inlined
/// into them: not of functions of core or of the C library that they call.
///
/// # Errors
/// The line that is none of a dump.
pub fn ours(dump: &str) -> Result<u64, String> {
    let mut names = Vec::new();
    let (mut sum, mut counted, mut skip) = (0, false, false);
    for line in dump.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            counted = is_ours(name_of(&mut names, name).ok_or(line)?);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            name_of(&mut names, name).ok_or(line)?;
        } else if line.starts_with("calls=") {
            // The next line is what the callee cost.
            skip = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let mut words = line.split(' ');
            let cost = words.nth(1).map_or(Ok(0), str::parse::<u64>);
            let cost = cost.map_err(|_| line)?;
            if counted && !std::mem::take(&mut skip) {
                sum += cost;
            }
            skip = false;
        }
    }
    Ok(sum)
}

/// The name of `(NUMBER) NAME`, or of `(NUMBER)` if that was given a name before.
fn name_of<'a>(names: &mut Vec<(&'a str, &'a str)>, text: &'a str) -> Option<&'a str> {
    let (number, name) = text.strip_prefix('(')?.split_once(')')?;
    if let Some(name) = name.strip_prefix(' ') {
        names.push((number, name));
        return Some(name);
    }
    let known = names.iter().find(|(known, _)| *known == number);
    known.map(|(_, name)| *name)
}

/// Whether a path in a function's name begins with one of our crates; `test_board::panfrost` does
/// not.
fn is_ours(name: &str) -> bool {
    OURS.iter().any(|ours| {
        name.match_indices(ours).any(|(at, _)| {
            let before = name[..at].chars().next_back();
            let inside = before.is_some_and(|c| c.is_alphanumeric() || "_:".contains(c));
            !inside && name[at + ours.len()..].starts_with("::")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "\
version: 1
creator: callgrind-3.19.0
pid: 1
positions: line
events: Ir
summary: 3

fl=(1) /x/job.rs
fn=(1) panfrost::job::start::h0123
16 5
fi=(2) /core/slice.rs
+3 7
fe=(1)
cfn=(2) drmkpi::os::now::h0
calls=2 9
* 1000
* 1

fn=(3) <test_board::panfrost::Client as core::fmt::Debug>::fmt
4 50

fn=(2)
9 11

fn=(4) core::ptr::drop_in_place<etnaviv::bo::Bo>
1 2

totals: 76
";

    #[test]
    fn costs_of_our_functions_are_added_without_those_of_what_they_call() {
        assert_eq!(ours(DUMP), Ok(5 + 7 + 1 + 11 + 2));
        assert_eq!(total(DUMP), Some(76));
    }

    #[test]
    fn what_is_no_dump_is_refused() {
        assert_eq!(ours("fn=(1)\n1 2\n"), Err("fn=(1)".into()));
        assert_eq!(ours("1 x\n"), Err("1 x".into()));
        assert_eq!(total("summary: 3\n"), None);
    }

    #[test]
    fn names_are_judged_by_where_their_paths_begin() {
        for name in [
            "<drm_sched::Queue<T> as X>::f",
            "iommu_pmap::map",
            "&etnaviv::x",
        ] {
            assert!(is_ours(name), "{name}");
        }
        let others = [
            "test_board::etnaviv::x",
            "models::panfrost",
            "my_drmkpi::x",
            "panfrost_x::y",
        ];
        for name in others {
            assert!(!is_ours(name), "{name}");
        }
    }
}
