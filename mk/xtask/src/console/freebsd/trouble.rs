// SPDX-License-Identifier: BSD-2-Clause
//! Messages of FreeBSD's kernel that a console must not have.

use crate::console::pattern;

/// Messages of the kernel, and of a module that leaks, which a console must not have.
const TROUBLE: [&str; 20] = [
    "*panic*",
    "*lock order reversal*",
    "*KDB*",
    "*Witness*",
    "*witness*",
    "*WITNESS*",
    "Fatal*",
    "*fatal trap*",
    "*Sleeping thread*",
    "*Sleeping on*",
    "*acquiring * with the following*",
    "*leaked memory*",
    "*was not empty*",
    "*still busy*",
    "*still in use*",
    "*kldunload: *Device busy*",
    "*link_elf: symbol*",
    "*undefined symbol*",
    "*unknown ioctl*",
    "*vm_fault failed*",
];

/// Lines with which WITNESS and others announce themselves.
const HARMLESS: [&str; 5] = [
    "WARNING: WITNESS option enabled*",
    "WARNING: DIAGNOSTIC*",
    "VT(*",
    "KDB: debugger backends*",
    "KDB: current backend*",
];

/// The lines of a console that are trouble.
pub(super) fn lines(text: &str) -> Vec<String> {
    let is_one_of = |line: &str, all: &[&str]| all.iter().any(|p| pattern::is(p, line));
    let lines = text
        .lines()
        .filter(|l| is_one_of(l, &TROUBLE) && !is_one_of(l, &HARMLESS));
    lines.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::freebsd::tests::{steps, wrong};

    #[test]
    fn trouble_of_each_kind_is_found() {
        let all = [
            "panic: vm_fault",
            "lock order reversal:",
            "KDB: enter: panic",
            "Witness list not locked",
            "witness_unlock: not locked",
            "WITNESS: unable to allocate a new witness object",
            "Fatal data abort:",
            "kernel: fatal trap 12",
            "Sleeping thread (tid 100068, pid 61) owns a non-sleepable lock",
            "Sleeping on \"drm\" with the following non-sleepable locks held:",
            "acquiring duplicate lock of same type with the following non-sleepable locks held:",
            "Warning: memory type drmkpi leaked memory on destroy (1 allocations).",
            "Freed UMA keg (drmkpi) was not empty (1 items).",
            "drmkpi: still busy",
            "drmkpi: still in use",
            "kldunload: can't unload file: Device busy",
            "link_elf: symbol drm_os_x undefined",
            "undefined symbol drm_os_x",
            "linux: pid 9 (a): unknown ioctl 0x1",
            "vm_fault failed: ffff",
        ];
        for line in all {
            assert_eq!(lines(&format!("a\n{line}\nb\n")), [line]);
            let text = steps("load") + "gles_clear: frames 1 ok\n" + line + "\n";
            let wrong = wrong("rk3399", "boots", &text);
            assert_eq!(wrong, [format!("the console: {line}")]);
        }
        for pattern in TROUBLE {
            assert!(
                all.iter().any(|line| pattern::is(pattern, line)),
                "{pattern}"
            );
        }
    }

    #[test]
    fn announcements_are_no_lines() {
        for line in [
            "WARNING: WITNESS option enabled, expect reduced performance.",
            "KDB: debugger backends: ddb",
            "KDB: current backend: ddb",
            "VT(efifb): resolution 1x1",
            "gles_clear: Fatal as it may be",
        ] {
            assert_eq!(lines(line), [""; 0]);
        }
    }
}
