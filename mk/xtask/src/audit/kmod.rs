// SPDX-License-Identifier: BSD-2-Clause
//! The audits of drmkpi.ko (docs/kmod.md).

use super::code::{self, FRAME_LIMIT};
use super::{disassembled, panics, read, Audits};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The symbols of the kernel that the module may want.
const LIST: &str = "sys/modules/drmkpi/kernel_symbols.txt";

/// Relocations that the arm64 kernel's linker knows, without those of code that is not
/// position-independent.
const RELOCATIONS: [&str; 5] = [
    "R_AARCH64_NONE",
    "R_AARCH64_RELATIVE",
    "R_AARCH64_ABS64",
    "R_AARCH64_GLOB_DAT",
    "R_AARCH64_JUMP_SLOT",
];

/// A module has more than so many instructions: with fewer the audits would have judged nothing.
const INSTRUCTIONS: usize = 1000;

/// Symbols, one a line.
fn symbols(text: &str) -> BTreeSet<&str> {
    text.lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect()
}

/// The list of symbols that a module may want.
#[derive(Debug, PartialEq, Eq)]
struct Listed<'a> {
    comments: Vec<&'a str>,
    /// What every module may want.
    plain: BTreeSet<&'a str>,
    /// What a module with the options of an INVARIANTS kernel may want, too.
    debug: BTreeSet<&'a str>,
}

impl<'a> Listed<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let mut listed = Self {
            comments: Vec::new(),
            plain: BTreeSet::new(),
            debug: BTreeSet::new(),
        };
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                _ if line.starts_with('#') => listed.comments.push(line),
                [] => {}
                [symbol] => _ = listed.plain.insert(symbol),
                [symbol, "debug"] => _ = listed.debug.insert(symbol),
                _ => return Err(format!("not SYMBOL [debug]: {line}")),
            }
        }
        Ok(listed)
    }

    /// What is wanted and may not be.
    fn refused(&self, wanted: &BTreeSet<&str>, debug: bool) -> Vec<String> {
        let listed = |s: &&&str| self.plain.contains(*s) || (debug && self.debug.contains(*s));
        wanted
            .iter()
            .filter(|s| !listed(s))
            .map(|s| (*s).to_owned())
            .collect()
    }

    /// The text of the list with `plain` in place of what is there.
    fn with(&self, plain: BTreeSet<&str>) -> String {
        let debug = self.debug.iter().map(|symbol| format!("{symbol} debug"));
        let symbols: BTreeSet<String> = plain.into_iter().map(str::to_owned).chain(debug).collect();
        let comments = self.comments.iter().map(|c| (*c).to_owned());
        let lines = comments.chain(symbols);
        lines.fold(String::new(), |text, line| text + &line + "\n")
    }
}

/// The kinds of relocations that `llvm-readelf -rW` printed, with how many there are of each.
fn relocations(text: &str) -> BTreeMap<&str, usize> {
    let mut kinds = BTreeMap::new();
    let third = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2));
    for kind in third.filter(|word| word.starts_with("R_")) {
        *kinds.entry(kind).or_insert(0) += 1;
    }
    kinds
}

fn unknown_relocations(kinds: &BTreeMap<&str, usize>) -> Vec<String> {
    let unknown = kinds.iter().filter(|(kind, _)| !RELOCATIONS.contains(kind));
    unknown.map(|(kind, n)| format!("{n} {kind}")).collect()
}

/// Whether what `llvm-readelf -n` printed says that every indirect branch ends at a landing pad.
fn has_bti(notes: &str) -> bool {
    let features = notes
        .lines()
        .filter_map(|line| line.split_once("aarch64 feature:"));
    features
        .flat_map(|(_, list)| list.split(','))
        .any(|feature| feature.trim() == "BTI")
}

/// Judges the module of which `dir/audit` has:
///
/// | file | made by |
/// |---|---|
/// | `code`, `rust-code` | llvm-objdump, of drmkpi.ko.full and of rust.o |
/// | `wanted` | llvm-nm -u |
/// | `relocations`, `notes` | llvm-readelf -rW and -n |
///
/// `kernels` are pairs: the name of a kernel, and the file of the symbols that it exports.
pub(crate) fn run(dir: &Path, kernels: &[&str], update: bool) -> Result<(), String> {
    let work = dir.join("audit");
    let functions = disassembled(&work.join("code"))?;
    if functions.iter().map(|f| f.code.len()).sum::<usize>() <= INSTRUCTIONS {
        return Err(format!("no code in {}", dir.display()));
    }
    let debug = read(&dir.join("flavour")).is_ok_and(|flavour| flavour.trim() == "debug");
    let mut audits = Audits::default();
    wanted_symbols(
        &mut audits,
        &read(&work.join("wanted"))?,
        kernels,
        debug,
        update,
    )?;

    let rust = disassembled(&work.join("rust-code"))?;
    audits.report("x18 in Rust", &code::instructions(&rust, code::has_x18));
    audits.report(
        "x18 but as the pointer to struct pcpu",
        &code::instructions(&functions, code::misuses_x18),
    );
    audits.report(
        "floating point and SIMD registers",
        &code::instructions(&functions, code::has_floating_point),
    );
    let frames = code::frames(&functions, FRAME_LIMIT);
    audits.report(
        &format!(
            "stack frames over {FRAME_LIMIT} bytes (largest: {} bytes in {})",
            frames.largest, frames.function
        ),
        &frames.findings,
    );

    let text = read(&work.join("relocations"))?;
    let kinds = relocations(&text);
    if kinds.is_empty() {
        return Err(format!("no relocations in {}", dir.display()));
    }
    audits.report(
        "relocations that the kernel's linker does not know",
        &unknown_relocations(&kinds),
    );
    let no_bti = match has_bti(&read(&work.join("notes"))?) {
        true => Vec::new(),
        false => vec!["no BTI in .note.gnu.property".to_owned()],
    };
    audits.report("code without BTI", &no_bti);
    let panics = panics::calls(&functions);
    audits.limit(
        &format!("panics: {} calls in the module", panics.len()),
        &panics,
        panics::ALLOWED.iter().map(|(_, n)| n).sum(),
    );
    audits.end(&format!("{}: ", dir.join("drmkpi.ko").display()))
}

/// Undefined symbols: all in the list, and exported by every kernel that is named.
fn wanted_symbols(
    audits: &mut Audits,
    wanted: &str,
    kernels: &[&str],
    debug: bool,
    update: bool,
) -> Result<(), String> {
    let wanted = symbols(wanted);
    if wanted.is_empty() {
        return Err("the module wants no symbol of the kernel's".to_owned());
    }
    let text = read(Path::new(LIST))?;
    let mut listed = Listed::parse(&text).map_err(|e| format!("{LIST}: {e}"))?;
    let mut exported = String::new();
    for pair in kernels.chunks(2) {
        let [kernel, file] = pair else {
            return Err("KERNEL and its FILE of symbols expected".to_owned());
        };
        exported = read(Path::new(file))?;
        let has = symbols(&exported);
        let missing: Vec<String> = wanted.difference(&has).map(|s| (*s).to_owned()).collect();
        let what = format!("undefined symbols that {kernel} does not export");
        audits.report(&what, &missing);
    }
    if update {
        if kernels.is_empty() || debug {
            return Err("UPDATE takes KERNEL, and a module without INVARIANTS".to_owned());
        }
        let plain = wanted.intersection(&symbols(&exported)).copied().collect();
        std::fs::write(LIST, listed.with(plain)).map_err(|e| format!("{LIST}: {e}"))?;
        listed.plain = wanted.intersection(&symbols(&exported)).copied().collect();
    }
    audits.report(
        &format!("undefined symbols not in {LIST} ({} wanted)", wanted.len()),
        &listed.refused(&wanted, debug),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &str = "# comment\n_sx_assert debug\nmalloc\nfree\n";

    #[test]
    fn a_symbol_is_in_the_list() {
        let listed = Listed::parse(SYMBOLS).unwrap();
        let refused = |wanted: &str, debug| listed.refused(&symbols(wanted), debug);
        assert_eq!(refused("free\nmalloc\n", false), [""; 0]);
        assert_eq!(refused("free\nmalloc2\n", false), ["malloc2"]);
        assert_eq!(refused("_sx_assert\n", false), ["_sx_assert"]);
        assert_eq!(refused("_sx_assert\n", true), [""; 0]);
        assert!(Listed::parse("malloc free\n").is_err());
    }

    #[test]
    fn the_list_is_rewritten_with_its_comments_and_the_lines_kept_by_hand() {
        let listed = Listed::parse(SYMBOLS).unwrap();
        assert_eq!(
            listed.with(symbols("malloc\natomic\n")),
            "# comment\n_sx_assert debug\natomic\nmalloc\n"
        );
    }

    #[test]
    fn relocations_are_those_of_the_kernel() {
        let text = "\nRelocation section '.rela.dyn' at offset 0x3268 contains 3 entries:\n    \
            Offset   Info             Type               Symbol's Value  Symbol's Name\n\
            00af230  0000000000000403 R_AARCH64_RELATIVE                af310\n\
            00af238  0000000000000403 R_AARCH64_RELATIVE                8a34\n\
            00af240  0000000800000402 R_AARCH64_JUMP_SLOT 0000000000000000 malloc + 0\n";
        let kinds = relocations(text);
        assert_eq!(kinds.values().sum::<usize>(), 3);
        assert_eq!(unknown_relocations(&kinds), [""; 0]);
        let tls = "00af240  0000000800000407 R_AARCH64_TLSDESC 0000000000000000 x + 0\n";
        assert_eq!(
            unknown_relocations(&relocations(tls)),
            ["1 R_AARCH64_TLSDESC"]
        );
        assert!(relocations("no relocations\n").is_empty());
    }

    #[test]
    fn the_note_says_bti() {
        assert!(has_bti("    Properties:    aarch64 feature: BTI, PAC\n"));
        assert!(!has_bti("    Properties:    aarch64 feature: PAC\n"));
        assert!(!has_bti(""));
    }
}
