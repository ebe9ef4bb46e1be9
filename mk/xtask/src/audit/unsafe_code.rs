// SPDX-License-Identifier: BSD-2-Clause
//! Unsafe code of the kernel's Rust, which is in a few islands only.

use crate::tree;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;

/// The beginnings of the paths below sys/ that may have it. drivers.rs has the two symbols by which
/// C finds the drivers' tables, and no other code.
pub(super) const ISLANDS: [&str; 4] = [
    "sys/dev/drm/kpi/src/entry",
    "sys/dev/drm/kpi/src/os",
    "sys/dev/drm/kpi/src/alloc",
    "sys/modules/drmkpi/src/drivers.rs",
];

/// Words of unsafe code: a block, function, impl or attribute; a symbol by a name of its own, which
/// takes the place of any other of that name; assembly, which may define one.
const WORDS: [&str; 5] = [
    "unsafe",
    "no_mangle",
    "export_name",
    "link_section",
    "global_asm",
];
/// The lint against unsafe code, which may only be turned on.
const LINT: &str = "unsafe_code";

/// The numbers of the lines with a word of unsafe code, in code and in bodies of macros.
fn lines(text: &str) -> Result<BTreeSet<usize>, String> {
    let tokens: TokenStream = text.parse().map_err(|e| format!("{e}"))?;
    let mut found = BTreeSet::new();
    walk(tokens, false, &mut found);
    Ok(found)
}

fn walk(tokens: TokenStream, lint_is_denied: bool, found: &mut BTreeSet<usize>) {
    let mut denies = false;
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                let name = word.to_string();
                if WORDS.contains(&name.as_str()) || (name == LINT && !lint_is_denied) {
                    found.insert(word.span().start().line);
                }
                denies = name == "deny" || name == "forbid";
            }
            TokenTree::Group(group) => {
                walk(group.stream(), denies, found);
                denies = false;
            }
            _ => denies = false,
        }
    }
}

/// Every place outside of the islands, as `PATH:LINE: TEXT`.
pub(super) fn find() -> Result<Vec<String>, String> {
    let mut places = Vec::new();
    for (path, text) in tree::files()? {
        let is_island = ISLANDS.iter().any(|island| path.starts_with(island));
        if !path.starts_with("sys/") || !path.ends_with(".rs") || is_island {
            continue;
        }
        for number in lines(&text).map_err(|e| format!("{path}: {e}"))? {
            let line = text.lines().nth(number - 1).unwrap_or_default();
            places.push(format!("{path}:{number}: {}", line.trim()));
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::lines;

    fn found(text: &str) -> Vec<usize> {
        lines(text).unwrap().into_iter().collect()
    }

    #[test]
    fn unsafe_code_is_found_in_every_form() {
        for text in [
            "fn f() { unsafe { g() } }",
            "let a = b / unsafe { *c };",
            "g(\"a\", unsafe { h() });",
            "unsafe fn f() {}",
            "unsafe impl Send for A {}",
            "unsafe extern \"C\" { fn f(); }",
            "#[unsafe(no_mangle)] fn f() {}",
            "#[no_mangle] fn f() {}",
            "#[link_section = \"a\"] static A: u8 = 0;",
            "#[allow(unsafe_code)] mod a;",
            "#![expect(unsafe_code, reason = \"none\")]",
            "macro_rules! m { () => { unsafe { f() } } }",
            "core::arch::global_asm!(\"nop\");",
        ] {
            assert_eq!(found(&format!("\n{text}\n")), [2], "{text}");
        }
    }

    #[test]
    fn words_in_comments_texts_and_names_are_not_code() {
        for text in [
            "// unsafe { }",
            "/// unsafe { }\nfn f() {}",
            "const A: &str = \"unsafe { }\";",
            "#![deny(unsafe_op_in_unsafe_fn)]",
            "#![forbid(unsafe_code)]",
            "#![deny(missing_docs, unsafe_code)]",
            "fn not_unsafe() {}",
        ] {
            assert_eq!(found(text), [0; 0], "{text}");
        }
    }

    #[test]
    fn what_is_not_rust_is_an_error() {
        assert!(lines("fn f( {").is_err());
    }
}
