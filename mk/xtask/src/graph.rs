// SPDX-License-Identifier: BSD-2-Clause
//! Circles of a graph.

use crate::source::Names;
use std::collections::{BTreeMap, BTreeSet};

/// The sets of modules each of which is reached from all others of the set; sets of one are left
/// out.
pub fn circles(names: &Names) -> Vec<BTreeSet<String>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> = names
        .keys()
        .map(|m| (m.as_str(), reached(names, m)))
        .collect();
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for (module, reached) in &reach {
        if seen.contains(module) || !reached.contains(module) {
            continue;
        }
        let circle: BTreeSet<&str> = reached
            .iter()
            .copied()
            .filter(|other| reach.get(other).is_some_and(|r| r.contains(module)))
            .collect();
        seen.extend(circle.iter().copied());
        circles.push(circle.into_iter().map(str::to_owned).collect());
    }
    circles
}

/// The modules that `from` names, those that these name, and so on.
fn reached<'a>(names: &'a Names, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut left = vec![from];
    while let Some(module) = left.pop() {
        for next in names.get(module).into_iter().flatten() {
            if reached.insert(next.as_str()) {
                left.push(next);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(arrows: &[(&str, &[&str])]) -> Names {
        let set = |to: &&[&str]| to.iter().map(|t| (*t).to_owned()).collect();
        arrows
            .iter()
            .map(|(from, to)| ((*from).to_owned(), set(to)))
            .collect()
    }

    #[test]
    fn circles_of_any_length_are_found() {
        let names = graph(&[
            ("a", &["b"]),
            ("b", &["c"]),
            ("c", &["a", "d"]),
            ("d", &[]),
            ("e", &["a"]),
        ]);
        let circles = circles(&names);
        assert_eq!(circles.len(), 1);
        assert_eq!(circles[0].iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_tree_has_none() {
        assert!(circles(&graph(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])).is_empty());
    }
}
