// SPDX-License-Identifier: BSD-2-Clause
//! The modules of a crate and the modules that each of them names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::visit::Visit;

/// Module -> modules of the same crate that its code names, tests left out.
pub type Names = BTreeMap<String, BTreeSet<String>>;

/// Reads all files below `dir`, the `src` of a crate.
pub fn read(dir: &Path) -> Result<Names, String> {
    let mut files = BTreeMap::new();
    collect(dir, dir, &mut files)?;
    let modules: BTreeSet<String> = files.keys().cloned().collect();
    files
        .into_iter()
        .map(|(module, text)| {
            let named = named(&module, &text, &modules).map_err(|e| format!("{module}: {e}"))?;
            Ok((module, named))
        })
        .collect()
}

fn collect(root: &Path, dir: &Path, files: &mut BTreeMap<String, String>) -> Result<(), String> {
    let read = |e: std::io::Error| format!("{}: {e}", dir.display());
    for entry in std::fs::read_dir(dir).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text =
                std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            if let Some(module) = module_of(path.strip_prefix(root).unwrap_or(&path)) {
                files.insert(module, text);
            }
        }
    }
    Ok(())
}

/// `a/b.rs` and `a/b/mod.rs` are `a::b`; the root and files of tests are nothing.
fn module_of(path: &Path) -> Option<String> {
    let parts: Vec<&str> = path.iter().filter_map(|p| p.to_str()).collect();
    let (last, dirs) = parts.split_last()?;
    let stem = last.strip_suffix(".rs")?;
    let mut parts = dirs.to_vec();
    if stem != "mod" {
        parts.push(stem);
    }
    let is_root = parts.is_empty() || parts == ["lib"];
    (!is_root && !stem.ends_with("tests")).then(|| parts.join("::"))
}

/// The modules that the code of `module` names.
pub fn named(
    module: &str,
    text: &str,
    modules: &BTreeSet<String>,
) -> Result<BTreeSet<String>, syn::Error> {
    let mut visitor = Paths {
        module,
        modules,
        found: BTreeSet::new(),
    };
    visitor.visit_file(&syn::parse_file(text)?);
    visitor.found.remove(module);
    Ok(visitor.found)
}

struct Paths<'a> {
    module: &'a str,
    modules: &'a BTreeSet<String>,
    found: BTreeSet<String>,
}

impl Paths<'_> {
    /// Notes the longest part of a path that is a module.
    fn note(&mut self, path: &[String]) {
        let (mut full, rest): (Vec<&str>, &[String]) = match path.split_first() {
            Some((first, rest)) if first == "crate" => (Vec::new(), rest),
            Some((first, _)) if first == "super" => {
                let ups = path.iter().take_while(|p| *p == "super").count();
                let mut at: Vec<&str> = self.module.split("::").collect();
                at.truncate(at.len().saturating_sub(ups));
                (at, &path[ups..])
            }
            _ => return,
        };
        full.extend(rest.iter().map(String::as_str));
        while !full.is_empty() {
            let name = full.join("::");
            if self.modules.contains(&name) {
                self.found.insert(name);
                return;
            }
            full.pop();
        }
    }

    fn tree(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.tree(prefix, &path.tree);
                prefix.pop();
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.tree(prefix, tree))
            }
            syn::UseTree::Name(name) => self.leaf(prefix, &name.ident),
            syn::UseTree::Rename(name) => self.leaf(prefix, &name.ident),
            syn::UseTree::Glob(_) => self.note(prefix),
        }
    }

    fn leaf(&mut self, prefix: &mut Vec<String>, name: &syn::Ident) {
        prefix.push(name.to_string());
        self.note(prefix);
        prefix.pop();
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    let is_cfg_test = |a: &syn::Attribute| {
        a.path().is_ident("cfg") && a.parse_args::<syn::Ident>().is_ok_and(|i| i == "test")
    };
    attributes.iter().any(is_cfg_test)
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.tree(&mut Vec::new(), &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.note(&parts);
        syn::visit::visit_path(self, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(module: &str, text: &str) -> Vec<String> {
        let modules = ["a", "a::b", "a::c", "d"].map(str::to_owned).into();
        named(module, text, &modules).unwrap().into_iter().collect()
    }

    #[test]
    fn uses_and_paths_are_found() {
        assert_eq!(
            names("d", "use crate::a::{b::X, c, Y};"),
            ["a", "a::b", "a::c"]
        );
        assert_eq!(
            names("d", "fn f() -> crate::a::b::X { crate::a::c::g() }"),
            ["a::b", "a::c"]
        );
        assert_eq!(
            names("a::b", "use super::c::X; use super::super::d::Y;"),
            ["a::c", "d"]
        );
        assert_eq!(names("a::b", "use core::mem; use self::x;"), [""; 0]);
    }

    #[test]
    fn tests_are_not_and_neither_are_exports_of_children() {
        assert_eq!(
            names("d", "#[cfg(test)] mod tests { use crate::a::b; }"),
            [""; 0]
        );
        assert_eq!(names("a", "mod b; pub use b::X;"), [""; 0]);
        assert_eq!(names("a", "pub use crate::d::X;"), ["d"]);
    }

    #[test]
    fn files_are_modules() {
        let module = |p: &str| module_of(Path::new(p));
        assert_eq!(module("a/mod.rs").as_deref(), Some("a"));
        assert_eq!(module("a/b.rs").as_deref(), Some("a::b"));
        assert_eq!(module("lib.rs"), None);
        assert_eq!(module("a/b_tests.rs"), None);
    }
}
