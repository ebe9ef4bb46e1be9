// SPDX-License-Identifier: BSD-2-Clause
//! Calls of core's functions that panic.

use super::disassembly::Function;

/// How many calls the object code of each crate may have; a number may only go down. The one call
/// in each driver is in the text parser that bitflags gives every type; nothing of ours calls that.
pub(super) const ALLOWED: [(&str, usize); 4] = [
    ("iommu_pmap", 0),
    ("drmkpi", 0),
    ("panfrost", 1),
    ("etnaviv", 1),
];

/// Functions that panic, as the beginnings of their demangled names.
const PANICS: [&str; 7] = [
    "core::panicking",
    "core::slice::index",
    "core::str::slice_error",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
    "core::cell::panic",
];

fn panics(name: &str) -> bool {
    PANICS.iter().any(|panic| name.starts_with(panic))
}

/// A call of a function that panics, or of a method of a type in such a module.
fn is_call(target: &str) -> bool {
    panics(target.strip_prefix('<').unwrap_or(target))
}

/// The calls, each as `FUNCTION calls FUNCTION`, but for those within the functions that panic.
pub(super) fn calls(functions: &[Function]) -> Vec<String> {
    let mut found = Vec::new();
    for function in functions.iter().filter(|f| !panics(&f.name)) {
        let targets = function.code.iter().filter_map(|i| i.target.as_ref());
        for target in targets.chain(&function.relocations).filter(|t| is_call(t)) {
            found.push(format!("{} calls {target}", function.name));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::disassembly::parse;

    #[test]
    fn calls_are_found_by_target_and_by_relocation() {
        let code = "<a>:\n\t\tbl\t0x48 <core::panicking::panic>\n\
                    \t\tadrp\tx0, 0x48 <<core::cell::panic::X as Y>::z+0x8>\n\
                    \t\tbl\t0x48 <core::option::unwrap>\n\
                    <b>:\n\t\t\t5: R_X86_64_PLT32\tcore::result::unwrap_failed-0x4\n";
        assert_eq!(
            calls(&parse(code).unwrap()),
            [
                "a calls core::panicking::panic",
                "a calls <core::cell::panic::X as Y>::z",
                "b calls core::result::unwrap_failed"
            ]
        );
    }

    #[test]
    fn what_panics_may_call_what_panics() {
        let code = "<core::panicking::panic>:\n\t\tbl\t0x48 <core::panicking::panic_fmt>\n";
        assert!(calls(&parse(code).unwrap()).is_empty());
    }
}
