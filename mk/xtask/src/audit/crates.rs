// SPDX-License-Identifier: BSD-2-Clause
//! The audits of the kernel crates: their object code for this machine, their sources.

use super::code::{Frames, FRAME_LIMIT};
use super::disassembly::Function;
use super::{disassembled, panics, read, unsafe_code, Audits};
use std::collections::BTreeSet;
use std::path::Path;

/// What C offers the kernel crates.
const HEADER: &str = "sys/dev/drm/kpi/include/drm_os.h";

/// Functions that compilers call by themselves.
const COMPILER: [&str; 5] = ["memcpy", "memmove", "memset", "memcmp", "bcmp"];

/// The code of a generic crate is in the object of a crate that uses it.
const GENERIC: (&str, [&str; 3]) = ("panfrost", ["iommu_pmap", "drm_sched", "drmkpi"]);

/// Crates whose stack frames and undefined symbols count.
const DRIVERS: [&str; 3] = ["drmkpi", "panfrost", "etnaviv"];

/// The bytes that an x86_64 function reserves at once.
fn reserved(function: &Function) -> u64 {
    let bytes = |operands: &[&str], mnemonic: &str| match (mnemonic, operands) {
        ("sub", [n, "%rsp"]) => u64::from_str_radix(n.strip_prefix("$0x")?, 16).ok(),
        _ => None,
    };
    let all = function.code.iter();
    all.filter_map(|i| bytes(&i.operands(), &i.mnemonic))
        .max()
        .unwrap_or(0)
}

fn frames(functions: &[Function]) -> Frames {
    let mut frames = Frames::default();
    for function in functions {
        frames.add(&function.name, reserved(function), FRAME_LIMIT);
    }
    frames
}

/// The names that a C header has before a parenthesis, outside of comments.
fn functions_of(header: &str) -> BTreeSet<&str> {
    let code = header.split("/*").enumerate().map(|(n, part)| match n {
        0 => part,
        _ => part.split_once("*/").map_or("", |(_, code)| code),
    });
    let mut names = BTreeSet::new();
    for part in code {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for (at, _) in part.match_indices('(') {
            let before = &part[..at];
            names.insert(before.rsplit(|c| !is_name(c)).next().unwrap_or_default());
        }
    }
    names
}

/// The undefined symbols that are neither a compiler's nor Rust's nor in the header.
fn unknown_symbols<'a>(undefined: &'a str, header: &BTreeSet<&str>) -> Vec<&'a str> {
    let is_known = |s: &&str| {
        COMPILER.contains(s) || s.starts_with("_R") || s.starts_with("_ZN") || header.contains(s)
    };
    let symbols = undefined
        .lines()
        .filter_map(|line| line.split_whitespace().last());
    symbols.filter(|s| !is_known(s)).collect()
}

/// How many functions have `generic` in their names.
fn instances(functions: &[Function], generic: &str) -> usize {
    let path = format!("{generic}::");
    functions.iter().filter(|f| f.name.contains(&path)).count()
}

/// Judges the crates of which `dir/CRATE` has `code`, made by objdump -dr, and `undefined`, by nm.
pub(crate) fn run(dir: &Path) -> Result<(), String> {
    let mut audits = Audits::default();
    let places = unsafe_code::find()?;
    let sum = format!(
        "unsafe code outside of {}: {} places",
        unsafe_code::ISLANDS.join(" "),
        places.len()
    );
    audits.limit(&sum, &places, 0);
    let code = |name: &str| disassembled(&dir.join(name).join("code"));
    let user = code(GENERIC.0)?;
    for generic in GENERIC.1 {
        let what = format!("{generic}: functions in the object of {}", GENERIC.0);
        audits.least(&what, instances(&user, generic));
    }
    for (name, allowed) in panics::ALLOWED {
        let calls = panics::calls(&code(name)?);
        audits.limit(
            &format!("panics: {name}: {} calls", calls.len()),
            &calls,
            allowed,
        );
    }
    for name in DRIVERS {
        let frames = frames(&code(name)?);
        audits.report(
            &format!(
                "stack frames of {name} over {FRAME_LIMIT} bytes (largest: {} bytes in {})",
                frames.largest, frames.function
            ),
            &frames.findings,
        );
    }
    let text = read(Path::new(HEADER))?;
    let header = functions_of(&text);
    for name in DRIVERS {
        let undefined = read(&dir.join(name).join("undefined"))?;
        let unknown = unknown_symbols(&undefined, &header);
        let unknown: Vec<String> = unknown.into_iter().map(str::to_owned).collect();
        audits.report(
            &format!("undefined symbols of {name} not in drm_os.h"),
            &unknown,
        );
    }
    audits.end("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::disassembly::parse;

    #[test]
    fn a_frame_is_what_one_instruction_reserves() {
        let code = "0 <a>:\n 0:\tsub    $0x10,%rsp\n 4:\tsub    $0x801,%rsp\n\
                    0 <b>:\n 0:\tsub    $0x800,%rsp\n 4:\tsub    $0x900,%rax\n 8:\tsub %rax,%rsp\n";
        let found = frames(&parse(code).unwrap());
        assert_eq!((found.largest, found.function.as_str()), (2049, "a"));
        assert_eq!(found.findings, ["a: 2049 bytes"]);
    }

    #[test]
    fn symbols_are_declared_in_the_header() {
        let header = functions_of(
            "/* drm_os_old(9) was here. */\nint drm_os_a(int n);\n\
             void\n*drm_os_b(void (*cb)(void));\n",
        );
        let unknown = |undefined| unknown_symbols(undefined, &header);
        let known = "drm_os_a\n  U drm_os_b\nmemcpy\n_ZN4core3fmtE\n_RNvC3foo\n";
        assert_eq!(unknown(known), [""; 0]);
        assert_eq!(
            unknown("drm_os\ndrm_os_old\nmalloc\n"),
            ["drm_os", "drm_os_old", "malloc"]
        );
    }

    #[test]
    fn instances_are_counted_by_path() {
        let code = parse("<<drm_sched::Queue<panfrost::Job>>::push>:\n<my_drm_sched_fn>:\n");
        assert_eq!(instances(&code.unwrap(), "drm_sched"), 1);
    }
}
