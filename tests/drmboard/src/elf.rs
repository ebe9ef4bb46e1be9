// SPDX-License-Identifier: BSD-2-Clause
//! Which machine a program file is for, and whether it can be preloaded into at all.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Machines that a board serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    X86_64,
    Aarch64,
}

/// What a file is, to the loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Dynamic(Machine),
    /// No PT_INTERP: nothing can be preloaded.
    Static(Machine),
    /// Starts with `#!`: runs by an interpreter of the host.
    Script,
    /// An ELF file for another machine: its e_machine.
    Foreign(u16),
    NotAProgram,
}

const PT_INTERP: u32 = 3;
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;

/// Checks `path`. Offsets are those of the System V gABI, 64-bit.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn kind(path: &Path) -> io::Result<Kind> {
    let mut file = File::open(path)?;
    let mut head = Vec::with_capacity(64);
    file.by_ref().take(64).read_to_end(&mut head)?;
    if head.starts_with(b"#!") {
        return Ok(Kind::Script);
    }
    if head.len() < 64 || !head.starts_with(b"\x7fELF") {
        return Ok(Kind::NotAProgram);
    }
    let half = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let machine = match (head[4], head[5], half(18)) {
        (2, 1, EM_X86_64) => Machine::X86_64,
        (2, 1, EM_AARCH64) => Machine::Aarch64,
        (_, 1, other) => return Ok(Kind::Foreign(other)),
        (_, _, other) => return Ok(Kind::Foreign(other.swap_bytes())),
    };
    let phoff = u64::from_le_bytes(head[32..40].try_into().unwrap());
    let (size, count) = (u64::from(half(54)), u64::from(half(56)));
    for i in 0..count {
        let mut kind = [0u8; 4];
        file.seek(SeekFrom::Start(phoff.saturating_add(i * size)))?;
        if file.read_exact(&mut kind).is_err() {
            return Ok(Kind::NotAProgram);
        }
        if u32::from_le_bytes(kind) == PT_INTERP {
            return Ok(Kind::Dynamic(machine));
        }
    }
    Ok(Kind::Static(machine))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguishes_programs() {
        let own = std::env::current_exe().unwrap();
        let here = if cfg!(target_arch = "aarch64") {
            Machine::Aarch64
        } else {
            Machine::X86_64
        };
        assert_eq!(kind(&own).unwrap(), Kind::Dynamic(here));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/elf.rs");
        assert_eq!(kind(&source).unwrap(), Kind::NotAProgram);
        assert!(kind(Path::new("/nonexistent")).is_err());
    }

    #[test]
    fn static_and_foreign_headers() {
        let dir = std::env::temp_dir().join(format!("drmboard-elf-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let write = |name: &str, machine: u8| {
            let mut head = vec![0u8; 120];
            head[..6].copy_from_slice(b"\x7fELF\x02\x01");
            head[18] = machine;
            head[32] = 64;
            head[54] = 56;
            head[56] = 1;
            head[64] = 1;
            let path = dir.join(name);
            std::fs::write(&path, head).unwrap();
            path
        };
        assert_eq!(
            kind(&write("static", 183)).unwrap(),
            Kind::Static(Machine::Aarch64)
        );
        assert_eq!(kind(&write("riscv", 243)).unwrap(), Kind::Foreign(243));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
