// SPDX-License-Identifier: BSD-2-Clause
//! What arm64 kernel code must not hold.

use super::disassembly::{Function, Instruction};

/// The largest frame, in bytes: a kernel stack has 16 KiB.
pub(super) const FRAME_LIMIT: u64 = 2048;

/// The instructions that `is_bad`, each as `FUNCTION, MNEMONIC, OPERANDS` separated by tabs.
pub(super) fn instructions(
    functions: &[Function],
    is_bad: impl Fn(&Instruction) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    for function in functions {
        let bad = function.code.iter().filter(|i| is_bad(i));
        found.extend(bad.map(|i| format!("{}\t{i}", function.name)));
    }
    found
}

fn is_x18(word: &str) -> bool {
    word == "x18" || word == "w18"
}

pub(super) fn has_x18(instruction: &Instruction) -> bool {
    instruction.words().any(is_x18)
}

/// x18 holds the pointer to the CPU's struct pcpu. C loads and stores by it, without writing it
/// back, and takes addresses from it; nothing else may be done with it.
pub(super) fn misuses_x18(instruction: &Instruction) -> bool {
    if !has_x18(instruction) {
        return false;
    }
    let mnemonic = instruction.mnemonic.as_str();
    let is_access = ["ldr", "str", "ldur", "stur"]
        .iter()
        .any(|m| mnemonic.starts_with(m));
    let is_immediate = |part: &str| part.strip_prefix('#').is_some_and(|n| number(n).is_some());
    let is_place = |part: &str| match part.strip_prefix("[x18").and_then(|p| p.strip_suffix(']')) {
        Some("") => true,
        Some(offset) => offset.strip_prefix(", ").is_some_and(is_immediate),
        None => false,
    };
    let is_value = |part: &str| is_general(part) && !is_x18(part);
    let is_allowed = match instruction.operands()[..] {
        [value, place] if is_access => is_value(value) && is_place(place),
        [a, b, place] if mnemonic == "ldp" || mnemonic == "stp" => {
            is_value(a) && is_value(b) && is_place(place)
        }
        [to, "x18", ref rest @ ..] if mnemonic == "mov" || mnemonic == "add" => {
            let is_constant = match *rest {
                [] => true,
                [n] | [n, "lsl #12"] => is_immediate(n),
                _ => false,
            };
            to.starts_with('x') && is_value(to) && is_constant
        }
        _ => false,
    };
    !is_allowed
}

/// Whether a word is the name of a general register: x0 to x30, w0 to w30, xzr, wzr.
fn is_general(word: &str) -> bool {
    let name = word.strip_prefix(['x', 'w']).unwrap_or_default();
    name == "zr" || is_digits(name)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

/// Registers of floating point, SIMD and SVE, and their status: they hold the values of a user
/// process.
pub(super) fn has_floating_point(instruction: &Instruction) -> bool {
    instruction.words().any(|word| {
        word.strip_prefix(|c| "bhsdqvzp".contains(c))
            .is_some_and(is_digits)
            || ["FPCR", "FPSR"]
                .iter()
                .any(|r| r.eq_ignore_ascii_case(word))
    })
}

/// A number as assembly has it.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// What one instruction does to the stack pointer.
#[derive(Debug, PartialEq, Eq)]
enum Stack {
    /// Takes so many bytes.
    Taken(u64),
    /// Takes what is not known before it runs.
    Unknown,
    Nothing,
}

fn stack(instruction: &Instruction) -> Stack {
    let operands = instruction.operands();
    let constant = |text: &str| text.strip_prefix('#').and_then(number);
    match (instruction.mnemonic.as_str(), &operands[..]) {
        ("sub", ["sp", "sp", n]) => constant(n).map_or(Stack::Unknown, Stack::Taken),
        ("sub", ["sp", "sp", n, "lsl #12"]) => constant(n)
            .and_then(|n| n.checked_mul(4096))
            .map_or(Stack::Unknown, Stack::Taken),
        ("sub", ["sp", "sp", ..]) => Stack::Unknown,
        // The frame pointer is where the stack was when the function began.
        ("mov" | "add" | "sub", ["sp", "x29"]) => Stack::Nothing,
        ("mov" | "add" | "sub" | "and", ["sp", "x29", n, ..]) if n.starts_with('#') => {
            Stack::Nothing
        }
        ("mov" | "add" | "sub" | "and", ["sp", from, ..]) if from.starts_with('x') => {
            Stack::Unknown
        }
        _ => {
            let before = operands
                .iter()
                .find_map(|o| number(o.strip_prefix("[sp, #-")?.strip_suffix("]!")?));
            before.map_or(Stack::Nothing, Stack::Taken)
        }
    }
}

/// What functions take of a stack.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Frames that are too large or of unknown size.
    pub(super) findings: Vec<String>,
    pub(super) largest: u64,
    /// The function that has it.
    pub(super) function: String,
}

/// Adds up what each function takes of the stack in constants.
pub(super) fn frames(functions: &[Function], limit: u64) -> Frames {
    let mut frames = Frames::default();
    for function in functions {
        let mut sum = 0_u64;
        for instruction in &function.code {
            match stack(instruction) {
                Stack::Taken(n) => sum = sum.saturating_add(n),
                Stack::Unknown => frames.findings.push(format!(
                    "{}: a frame of unknown size: {instruction}",
                    function.name
                )),
                Stack::Nothing => {}
            }
        }
        frames.add(&function.name, sum, limit);
    }
    frames
}

impl Frames {
    pub(super) fn add(&mut self, function: &str, bytes: u64, limit: u64) {
        if bytes > self.largest {
            self.largest = bytes;
            self.function = function.to_owned();
        }
        if bytes > limit {
            self.findings.push(format!("{function}: {bytes} bytes"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::disassembly::parse;

    fn functions(code: &[&str]) -> Vec<Function> {
        parse(&format!("<f>:\n\t{}\n", code.join("\n\t"))).unwrap()
    }

    fn bad(is_bad: fn(&Instruction) -> bool, code: &str) -> bool {
        let found = instructions(&functions(&[code]), is_bad);
        assert!(found.iter().all(|f| f.starts_with("f\t")));
        !found.is_empty()
    }

    #[test]
    fn x18_may_be_a_base_of_loads_stores_and_addresses() {
        for right in [
            "ldr\tx0, [x18]",
            "ldr\tw8, [x18, #0x38]",
            "str\txzr, [x18, #8]",
            "ldur\tx1, [x18, #0x8]",
            "ldp\tx0, x1, [x18, #0x10]",
            "stp\tx0, xzr, [x18]",
            "mov\tx0, x18",
            "add\tx0, x18, #0x8",
            "add\tx0, x18, #0x1, lsl #12",
            "ldr\tx18x, [x0]",
        ] {
            assert!(!bad(misuses_x18, right), "{right}");
        }
    }

    #[test]
    fn x18_may_not_be_written_nor_stored_nor_anything_else() {
        for wrong in [
            "mov\tx18, x0",
            "mov\tw18, w0",
            "mov\tw0, w18",
            "add\tx18, x18, #0x8",
            "add\tx0, x18, x1",
            "add\tx0, x1, x18",
            "str\tx18, [x0]",
            "ldr\tx18, [x0]",
            "ldr\tx18, [x18]",
            "ldr\tx0, [x18, #8]!",
            "ldr\tx0, [x18], #8",
            "ldr\tx0, [x18, x1]",
            "ldp\tx0, x18, [sp]",
            "stp\tx18, x0, [x18]",
            "ldp\tx0, x1, [x18, #0x10]!",
            "ldr\td0, [x18]",
            "blr\tx18",
            "mrs\tx18, TPIDR_EL1",
        ] {
            assert!(bad(misuses_x18, wrong), "{wrong}");
            assert!(bad(has_x18, wrong), "{wrong}");
        }
        assert!(!bad(has_x18, "mov\tx1, #0x18"));
    }

    #[test]
    fn floating_point_is_found_in_operands() {
        for wrong in [
            "fmov\td0, xzr",
            "ld1\t{ v3.16b }, [x0]",
            "ld1\t{v3.16b}, [x0]",
            "stp\tq0, q1, [sp]",
            "ldr\ts7, [x0]",
            "ptrue\tp0.b",
            "ldr\tz0, [x0]",
            "mrs\tx0, FPCR",
            "msr\tfpsr, x0",
        ] {
            assert!(bad(has_floating_point, wrong), "{wrong}");
        }
        for right in [
            "mov\tx0, #0xd0",
            "b.eq\t0xb0 <b0>",
            "bl\t0xd0 <d0>",
            "msr\tDAIFSet, #0x2",
            "sub\tsp, sp, #0x10",
            "prfm\tpldl1keep, [x0]",
            "bti\tc",
        ] {
            assert!(!bad(has_floating_point, right), "{right}");
        }
    }

    #[test]
    fn a_frame_is_the_sum_of_what_is_taken() {
        let code = functions(&[
            "stp\tx29, x30, [sp, #-0x20]!",
            "str\tx19, [sp, #-16]!",
            "sub\tsp, sp, #0x7, lsl #12",
            "sub\tsp, sp, #0x10",
            "stp\tx0, x1, [sp, #0x10]",
            "add\tsp, sp, #0x10",
            "ldp\tx29, x30, [sp], #0x20",
        ]);
        let found = frames(&code, 28736);
        assert_eq!((found.largest, found.function.as_str()), (28736, "f"));
        assert_eq!(found.findings, [""; 0]);
        assert_eq!(frames(&code, 28735).findings, ["f: 28736 bytes"]);
    }

    #[test]
    fn functions_of_one_name_have_a_frame_each() {
        let two = parse("<f>:\n\tsub\tsp, sp, #0x10\n<f>:\n\tsub\tsp, sp, #0x20\n").unwrap();
        assert_eq!(frames(&two, FRAME_LIMIT).largest, 32);
    }

    #[test]
    fn a_frame_of_unknown_size_is_found() {
        for wrong in [
            "sub\tsp, sp, x8",
            "sub\tsp, sp, x8, lsl #3",
            "mov\tsp, x9",
            "sub\tsp, x9, #0x10",
            "and\tsp, x9, #0xfffffffffffffff0",
            "add\tsp, x29, x3",
        ] {
            let found = frames(&functions(&[wrong]), FRAME_LIMIT);
            assert_eq!(
                found.findings,
                [format!("f: a frame of unknown size: {wrong}")]
            );
        }
        for right in [
            "mov\tsp, x29",
            "sub\tsp, x29, #0x10",
            "mov\tx29, sp",
            "add\tx0, sp, x1",
        ] {
            assert!(
                frames(&functions(&[right]), FRAME_LIMIT)
                    .findings
                    .is_empty(),
                "{right}"
            );
        }
    }
}
