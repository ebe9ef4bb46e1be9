// SPDX-License-Identifier: BSD-2-Clause
//! The machine that a program file is for, and whether a library can be preloaded into it.

use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{LittleEndian, ReadCache};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Machines that a board serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    X86_64,
    Aarch64,
}

/// The kind of a program file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Dynamic(Machine),
    /// No PT_INTERP: nothing can be preloaded.
    Static(Machine),
    /// Starts with `#!`: an interpreter of the host runs it.
    Script,
    /// An ELF file for another machine: its e_machine.
    Foreign(u16),
    NotAProgram,
}

/// Checks `path`.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn kind(path: &Path) -> io::Result<Kind> {
    let mut file = File::open(path)?;
    let mut head = Vec::with_capacity(20);
    file.by_ref().take(20).read_to_end(&mut head)?;
    if head.starts_with(b"#!") {
        return Ok(Kind::Script);
    }
    if head.len() < 20 || !head.starts_with(&elf::ELFMAG) {
        return Ok(Kind::NotAProgram);
    }
    // The same place in files of 32 and of 64 bits.
    let machine = [head[18], head[19]];
    let machine = match (head[4], head[5], u16::from_le_bytes(machine)) {
        (elf::ELFCLASS64, elf::ELFDATA2LSB, elf::EM_X86_64) => Machine::X86_64,
        (elf::ELFCLASS64, elf::ELFDATA2LSB, elf::EM_AARCH64) => Machine::Aarch64,
        (_, elf::ELFDATA2LSB, other) => return Ok(Kind::Foreign(other)),
        (_, _, other) => return Ok(Kind::Foreign(other.swap_bytes())),
    };
    let data = ReadCache::new(file);
    let segments = FileHeader64::<LittleEndian>::parse(&data)
        .and_then(|header| header.program_headers(LittleEndian, &data));
    Ok(match segments {
        Ok(all) if all.iter().any(|s| s.p_type(LittleEndian) == elf::PT_INTERP) => {
            Kind::Dynamic(machine)
        }
        Ok(_) => Kind::Static(machine),
        Err(_) => Kind::NotAProgram,
    })
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
            head[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
            head[18] = machine;
            head[20] = 1;
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
