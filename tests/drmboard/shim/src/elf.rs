// SPDX-License-Identifier: BSD-2-Clause
//! The machine that a program file is for.

use libc::{c_char, c_int};

/// The kind of a file, by its header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Aarch64,
    /// Any other ELF file, a script, or something the kernel will refuse.
    Other,
    /// Not readable, or missing.
    Missing,
}

/// `e_machine` of arm64 in the ELF header (System V gABI).
const EM_AARCH64: u8 = 183;

/// # Safety
/// `path` is a NUL-ended string.
pub(crate) unsafe fn program(path: *const c_char) -> Program {
    let mut head = [0u8; 20];
    // SAFETY: plain system calls; head is valid for the read.
    let n = unsafe {
        let fd = libc::syscall(
            libc::SYS_openat,
            libc::AT_FDCWD,
            path,
            libc::O_RDONLY | libc::O_CLOEXEC,
            0,
        ) as c_int;
        if fd < 0 {
            return Program::Missing;
        }
        let n = libc::syscall(libc::SYS_read, fd, head.as_mut_ptr(), head.len());
        crate::control::close(fd);
        n
    };
    // 64-bit, little endian; e_machine is at offset 18.
    if n == 20
        && head[..6] == [0x7f, b'E', b'L', b'F', 2, 1]
        && head[18] == EM_AARCH64
        && head[19] == 0
    {
        Program::Aarch64
    } else {
        Program::Other
    }
}
