// SPDX-License-Identifier: BSD-2-Clause
//! exec: keeps children on the board.
//!
//! Without binfmt_misc the kernel cannot start an arm64 program, so the arguments are prefixed with
//! `qemu-aarch64 -L SYSROOT -0 ARGV0 -E LD_PRELOAD=...`. The library for the right machine is
//! preloaded in any case, and variables that the shim needs are added if the program removed them.
//! All memory is on the stack, as a child of vfork shares its parent's heap. `system`, `popen` and
//! `fexecve` are not interposed.

use crate::config::{self, NAMES};
use crate::control::fail;
use crate::elf::{program, Program};
use libc::{c_char, c_int};
use std::ffi::CStr;
use std::ptr::null;

/// The largest number of arguments, and of variables, of a program that is started by a program on
/// the board.
const MAX_STRINGS: usize = 2048;
/// Bytes for the strings that are added.
const MAX_TEXT: usize = 12 * 1024;
const MACHINE: &str = if cfg!(target_arch = "aarch64") {
    "aarch64"
} else {
    "x86_64"
};

/// NUL-ended strings and NULL-ended pointer arrays for one exec.
pub(crate) struct Plan {
    text: [u8; MAX_TEXT],
    used: usize,
    argv: [*const c_char; MAX_STRINGS],
    args: usize,
    envp: [*const c_char; MAX_STRINGS],
    vars: usize,
    path: *const c_char,
}

impl Plan {
    pub(crate) const fn new() -> Plan {
        Plan {
            text: [0; MAX_TEXT],
            used: 0,
            argv: [null(); MAX_STRINGS],
            args: 0,
            envp: [null(); MAX_STRINGS],
            vars: 0,
            path: null(),
        }
    }
    pub(crate) fn path(&self) -> *const c_char {
        self.path
    }
    pub(crate) fn argv(&self) -> *const *const c_char {
        self.argv.as_ptr()
    }
    pub(crate) fn envp(&self) -> *const *const c_char {
        self.envp.as_ptr()
    }

    /// Stores the parts as one string.
    fn store(&mut self, parts: &[&[u8]]) -> Result<*const c_char, c_int> {
        let start = self.used;
        for part in parts {
            let end = self.used + part.len();
            self.text
                .get_mut(self.used..end)
                .ok_or(libc::E2BIG)?
                .copy_from_slice(part);
            self.used = end;
        }
        *self.text.get_mut(self.used).ok_or(libc::E2BIG)? = 0;
        self.used += 1;
        Ok(self.text[start..].as_ptr().cast())
    }
    fn arg(&mut self, arg: *const c_char) -> Result<(), c_int> {
        // The last element stays NULL.
        if self.args + 1 >= MAX_STRINGS {
            return Err(libc::E2BIG);
        }
        self.argv[self.args] = arg;
        self.args += 1;
        Ok(())
    }
    fn var(&mut self, var: *const c_char) -> Result<(), c_int> {
        if self.vars + 1 >= MAX_STRINGS {
            return Err(libc::E2BIG);
        }
        self.envp[self.vars] = var;
        self.vars += 1;
        Ok(())
    }
}

/// The items of a NULL-ended array; none for NULL.
unsafe fn items(array: *const *const c_char) -> impl Iterator<Item = *const c_char> {
    let mut at = array;
    std::iter::from_fn(move || {
        if at.is_null() {
            return None;
        }
        // SAFETY: the array goes on until its NULL.
        let item = unsafe { at.read() };
        if item.is_null() {
            return None;
        }
        // SAFETY: within the array, as `item` was not its end.
        at = unsafe { at.add(1) };
        Some(item)
    })
}

/// The path of an arm64 program on the host: below the sysroot if it exists there, else as given.
unsafe fn host_path(plan: &mut Plan, path: *const c_char) -> Result<*const c_char, c_int> {
    // SAFETY: a NUL-ended string.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    if bytes.first() == Some(&b'/') && !bytes.starts_with(config::get().sysroot()) {
        let mark = plan.used;
        let below = plan.store(&[config::get().sysroot(), bytes])?;
        // SAFETY: plain system call.
        if unsafe { libc::syscall(libc::SYS_faccessat, libc::AT_FDCWD, below, libc::F_OK) } == 0 {
            return Ok(below);
        }
        plan.used = mark;
    }
    Ok(path)
}

/// The value of LD_PRELOAD for `machine`: this library, then the program's other libraries.
fn preload(
    plan: &mut Plan,
    prefix: &[u8],
    machine: &str,
    had: &[u8],
) -> Result<*const c_char, c_int> {
    let dir = config::get().shim_dir();
    let start = plan.store(&[
        prefix,
        dir,
        b"/",
        machine.as_bytes(),
        b"/libdrmboard_shim.so",
    ])?;
    for other in had
        .split(|c| *c == b':' || *c == b' ')
        .filter(|o| !o.is_empty() && !o.ends_with(b"/libdrmboard_shim.so"))
    {
        plan.used -= 1;
        plan.store(&[b":", other])?;
    }
    Ok(start)
}

/// Finds the program and the arguments with which `path` is started.
///
/// # Safety
/// Arguments as of execve(2).
pub(crate) unsafe fn plan(
    plan: &mut Plan,
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> Result<(), c_int> {
    let config = config::get();
    let mut had: &[u8] = b"";
    // SAFETY: a NULL-ended array of strings.
    for var in unsafe { items(envp) } {
        // SAFETY: a NUL-ended string.
        let bytes = unsafe { CStr::from_ptr(var) }.to_bytes();
        if let Some(value) = bytes.strip_prefix(b"LD_PRELOAD=") {
            had = value;
        }
        let name = bytes.split(|c| *c == b'=').next().unwrap_or(bytes);
        if !NAMES.iter().any(|ours| ours.to_bytes() == name) {
            plan.var(var)?;
        }
    }
    for (i, name) in NAMES
        .iter()
        .enumerate()
        .filter(|(_, name)| **name != c"LD_PRELOAD")
    {
        if !config.value(i).is_empty() {
            let var = plan.store(&[name.to_bytes(), b"=", config.value(i)])?;
            plan.var(var)?;
        }
    }
    // SAFETY: the caller's strings.
    let host = unsafe { host_path(plan, path) }?;
    let mut rest = 0;
    // SAFETY: a NUL-ended string.
    if !config.qemu().is_empty() && unsafe { program(host) } == Program::Aarch64 {
        plan.path = plan.store(&[config.qemu()])?;
        plan.arg(plan.path)?;
        plan.arg(c"-L".as_ptr())?;
        let sysroot = plan.store(&[config.sysroot()])?;
        plan.arg(sysroot)?;
        // SAFETY: as above.
        if let Some(name) = unsafe { items(argv) }.next() {
            plan.arg(c"-0".as_ptr())?;
            plan.arg(name)?;
            rest = 1;
        }
        plan.arg(c"-E".as_ptr())?;
        let preload = preload(plan, b"LD_PRELOAD=", "aarch64", had)?;
        plan.arg(preload)?;
        plan.arg(host)?;
    } else {
        plan.path = path;
        // A program for this machine, or a script: the kernel of an arm64 guest is the host's.
        let machine = if config.qemu().is_empty() {
            MACHINE
        } else {
            "x86_64"
        };
        let preload = preload(plan, b"LD_PRELOAD=", machine, had)?;
        plan.var(preload)?;
    }
    // SAFETY: as above.
    for arg in unsafe { items(argv) }.skip(rest) {
        plan.arg(arg)?;
    }
    Ok(())
}

/// True when this process belongs to a board at all.
pub(crate) fn active() -> bool {
    !config::get().socket().is_empty() && !config::get().shim_dir().is_empty()
}

type Execve =
    unsafe extern "C" fn(*const c_char, *const *const c_char, *const *const c_char) -> c_int;

/// execve(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn execve(
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> c_int {
    // SAFETY: its type in the C library.
    let next = unsafe { next!(c"execve": Execve) };
    if !active() || path.is_null() {
        // SAFETY: the caller's arguments.
        return unsafe { next(path, argv, envp) };
    }
    let mut new = Plan::new();
    // SAFETY: the caller's arguments, then the plan's own arrays.
    unsafe {
        match plan(&mut new, path, argv, envp) {
            Ok(()) => next(new.path(), new.argv(), new.envp()),
            Err(error) => fail(error),
        }
    }
}

extern "C" {
    static environ: *const *const c_char;
}

/// execv(3).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn execv(path: *const c_char, argv: *const *const c_char) -> c_int {
    // SAFETY: the caller's arguments.
    unsafe { execve(path, argv, environ) }
}

/// The file that execvp(3) executes for `file`: `file` itself if it contains a slash, else the
/// first executable on PATH. The directories of PATH are tried below the sysroot, too.
///
/// # Safety
/// `file` is a NUL-ended string.
pub(crate) unsafe fn search(
    file: *const c_char,
    out: &mut [u8; 4096],
) -> Result<*const c_char, c_int> {
    // SAFETY: the caller passes a string.
    let name = unsafe { CStr::from_ptr(file) }.to_bytes();
    if name.contains(&b'/') {
        return Ok(file);
    }
    // SAFETY: getenv gives NULL or a string.
    let path = unsafe {
        let path = libc::getenv(c"PATH".as_ptr());
        if path.is_null() {
            c"/bin:/usr/bin"
        } else {
            CStr::from_ptr(path)
        }
    };
    let mut error = libc::ENOENT;
    for root in [b"".as_slice(), config::get().sysroot()] {
        for dir in path.to_bytes().split(|c| *c == b':') {
            let dir = if dir.is_empty() { b".".as_slice() } else { dir };
            let mut used = 0;
            let mut fits = true;
            for part in [root, dir, b"/", name, b"\0"] {
                match out.get_mut(used..used + part.len()) {
                    Some(to) => to.copy_from_slice(part),
                    None => fits = false,
                }
                used += part.len();
            }
            let runs = |path: *const u8| {
                // SAFETY: called with a NUL-terminated path only.
                unsafe { libc::syscall(libc::SYS_faccessat, libc::AT_FDCWD, path, libc::X_OK) == 0 }
            };
            // It ends with NUL if it fits.
            if fits && runs(out.as_ptr().cast()) {
                return Ok(out.as_ptr().cast());
            }
            if crate::control::errno() == libc::EACCES {
                error = libc::EACCES;
            }
        }
    }
    Err(error)
}

/// execvpe(3).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn execvpe(
    file: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> c_int {
    if !active() || file.is_null() {
        type Execvpe = Execve;
        // SAFETY: the caller's arguments.
        return unsafe { next!(c"execvpe": Execvpe)(file, argv, envp) };
    }
    let mut out = [0u8; 4096];
    // SAFETY: the caller's arguments.
    unsafe {
        match search(file, &mut out) {
            Ok(path) => execve(path, argv, envp),
            Err(error) => fail(error),
        }
    }
}

/// execvp(3).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn execvp(file: *const c_char, argv: *const *const c_char) -> c_int {
    // SAFETY: the caller's arguments.
    unsafe { execvpe(file, argv, environ) }
}
