// SPDX-License-Identifier: BSD-2-Clause
//! Differences of two forms of a phase, access by access.

use crate::phase::Phases;

/// The smallest difference of two forms: `- ACCESS` for an access that only `stock` has, `+ ACCESS`
/// for one that only `ours` has.
///
/// Longest common subsequence by dynamic programming: forms have at most a hundred accesses.
pub(crate) fn forms(stock: &[String], ours: &[String]) -> Vec<String> {
    let (rows, columns) = (stock.len(), ours.len());
    let mut longest = vec![vec![0usize; columns + 1]; rows + 1];
    for i in (0..rows).rev() {
        for j in (0..columns).rev() {
            longest[i][j] = match stock[i] == ours[j] {
                true => longest[i + 1][j + 1] + 1,
                false => longest[i + 1][j].max(longest[i][j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut found = Vec::new();
    while i < rows || j < columns {
        if i < rows && j < columns && stock[i] == ours[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == columns || (i < rows && longest[i + 1][j] >= longest[i][j + 1]) {
            found.push(format!("- {}", stock[i]));
            i += 1;
        } else {
            found.push(format!("+ {}", ours[j]));
            j += 1;
        }
    }
    found
}

/// Compares our most frequent form of a phase with the stock driver's nearest form. A phase that
/// only one of them has is one difference.
pub(crate) fn phase(stock: &Phases, ours: &Phases, phase: &str) -> Vec<String> {
    let Some(usual) = ours.usual(phase) else {
        return vec!["- phase".into()];
    };
    let nearest = stock
        .all(phase)
        .map(|form| forms(form, usual))
        .min_by_key(Vec::len);
    nearest.unwrap_or_else(|| vec!["+ phase".into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn differences_are_the_fewest() {
        assert_eq!(forms(&words("a b c"), &words("a b c")), words(""));
        assert_eq!(
            forms(&words("a b c"), &words("a x c d")),
            ["- b", "+ x", "+ d"]
        );
        assert_eq!(forms(&words("a b"), &words("b a")).len(), 2, "order counts");
        assert_eq!(forms(&[], &words("a")), ["+ a"]);
    }
}
