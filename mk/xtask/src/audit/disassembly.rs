// SPDX-License-Identifier: BSD-2-Clause
//! Disassembly as `llvm-objdump -d --no-show-raw-insn --no-leading-addr` (arm64) and `objdump -dr
//! --no-show-raw-insn` (this machine) print it, both with `-C`.

/// A function, by its demangled name. Two functions may have the same name.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) code: Vec<Instruction>,
    /// What its relocations name, without addends.
    pub(super) relocations: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Instruction {
    pub(super) mnemonic: String,
    /// Without comments and without the names of targets.
    pub(super) operands: String,
    /// The symbol that an address in the operands belongs to, without an offset.
    pub(super) target: Option<String>,
}

impl Instruction {
    /// The operands, separated: `x0, [sp, #8]` is two.
    pub(super) fn operands(&self) -> Vec<&str> {
        let mut depth = 0_i32;
        let separates = |c: char| {
            match c {
                '[' | '{' => depth += 1,
                ']' | '}' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        };
        let parts = self.operands.split(separates).map(str::trim);
        parts.filter(|part| !part.is_empty()).collect()
    }

    /// The names of registers and the numbers in the operands.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        let words = self
            .operands
            .split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words.filter(|word| !word.is_empty())
    }
}

impl std::fmt::Display for Instruction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\t{}", self.mnemonic, self.operands)
    }
}

/// # Errors
/// The first line that is none of those that a disassembler is known to print.
pub(super) fn parse(text: &str) -> Result<Vec<Function>, String> {
    let mut functions: Vec<Function> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let odd = || format!("line {number} of the disassembly is not understood: {line}");
        if let Some(name) = header(line) {
            functions.push(Function {
                name: name.to_owned(),
                code: Vec::new(),
                relocations: Vec::new(),
            });
        } else if !is_beside_code(line) {
            let function = functions.last_mut().ok_or_else(odd)?;
            match relocation(line) {
                Some(symbol) => function.relocations.push(symbol.to_owned()),
                None => function.code.push(instruction(line).ok_or_else(odd)?),
            }
        }
    }
    Ok(functions)
}

/// The name in `<NAME>:` or `ADDRESS <NAME>:`.
fn header(line: &str) -> Option<&str> {
    let (address, rest) = line.split_at(line.find('<')?);
    let is_address = address.trim_end().chars().all(|c| c.is_ascii_hexdigit());
    rest.strip_prefix('<')?
        .strip_suffix(">:")
        .filter(|_| is_address)
}

/// Whether a line has no code: the name of the file or of a section, or zeroes that are left out.
fn is_beside_code(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || line == "..."
        || line.starts_with("Disassembly of section ")
        || line.contains("file format ")
}

/// The symbol of a line `ADDRESS: R_TYPE SYMBOL+ADDEND`.
fn relocation(line: &str) -> Option<&str> {
    let (_, rest) = line.trim().split_once(": ")?;
    let (kind, symbol) = rest.split_once(char::is_whitespace)?;
    kind.starts_with("R_")
        .then(|| without_offset(symbol.trim()))
}

/// `symbol` without a last `+0x10` or `-0x4`.
fn without_offset(symbol: &str) -> &str {
    let is_hex = |digits: &str| {
        let hex = digits.strip_prefix("0x").unwrap_or_default();
        !hex.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit())
    };
    match symbol.rfind(['+', '-']) {
        Some(at) if is_hex(&symbol[at + 1..]) => &symbol[..at],
        _ => symbol,
    }
}

fn instruction(line: &str) -> Option<Instruction> {
    let (address, code) = line.split_once('\t')?;
    let digits = address.trim().trim_end_matches(':');
    if !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let code = code.split("//").next().unwrap_or_default().trim();
    let (mnemonic, rest) = code.split_once(char::is_whitespace).unwrap_or((code, ""));
    let (operands, target) = match rest.split_once('<') {
        Some((operands, target)) => (operands, Some(target.trim_end().strip_suffix('>')?)),
        None => (rest, None),
    };
    (!mnemonic.is_empty()).then(|| Instruction {
        mnemonic: mnemonic.to_owned(),
        operands: operands.trim().to_owned(),
        target: target.map(|name| without_offset(name).to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arm64_of_llvm_objdump() {
        let text = "\ndrmkpi.ko.full:\tfile format elf64-littleaarch64\n\n\
                    Disassembly of section .text:\n\n\
                    <<a::B as core::fmt::Debug>::fmt>:\n\
                    \x20              \tsub\tsp, sp, #0x1, lsl #12   // =0x1000\n\
                    \x20              \tldr\tx0, [x1, #0x8]\n\
                    \x20              \tbl\t0x48 <core::panicking::panic+0x48>\n\
                    \x20              \tret\n\
                    \t\t...\n\
                    \n<b>:\n\
                    \x20              \tb\t0x10 <<a::B>::c>\n";
        let functions = parse(text).unwrap();
        let names: Vec<_> = functions.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["<a::B as core::fmt::Debug>::fmt", "b"]);
        let code = &functions[0].code;
        assert_eq!(code[0].operands(), ["sp", "sp", "#0x1", "lsl #12"]);
        assert_eq!(code[1].operands(), ["x0", "[x1, #0x8]"]);
        assert_eq!(code[1].words().collect::<Vec<_>>(), ["x0", "x1", "0x8"]);
        assert_eq!(code[2].target.as_deref(), Some("core::panicking::panic"));
        assert_eq!(
            (code[2].mnemonic.as_str(), code[2].operands.as_str()),
            ("bl", "0x48")
        );
        assert_eq!(
            (code[3].mnemonic.as_str(), code[3].operands.as_str()),
            ("ret", "")
        );
        assert_eq!(functions[1].code[0].target.as_deref(), Some("<a::B>::c"));
    }

    #[test]
    fn x86_64_of_objdump_with_relocations() {
        let text = "lib.o:     file format elf64-x86-64\n\n\n\
                    Disassembly of section .text.a:\n\n\
                    0000000000000000 <a::b>:\n\
                    \x20  0:\tsub    $0x18,%rsp\n\
                    \x20  4:\tcall   9 <a::b+0x9>\n\
                    \t\t\t5: R_X86_64_PLT32\tcore::panicking::panic-0x4\n\
                    \x20  9:\tret\n";
        let functions = parse(text).unwrap();
        assert_eq!(functions.len(), 1);
        assert_eq!(functions[0].code.len(), 3);
        assert_eq!(functions[0].code[0].operands(), ["$0x18", "%rsp"]);
        assert_eq!(functions[0].relocations, ["core::panicking::panic"]);
    }

    #[test]
    fn another_text_is_refused() {
        assert!(parse("error: no such file").is_err());
        assert!(parse("<f>:\nsomething else\n")
            .unwrap_err()
            .contains("line 2"));
        assert!(parse("\tret\n").is_err());
    }
}
