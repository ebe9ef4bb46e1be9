// SPDX-License-Identifier: BSD-2-Clause
//! posix_spawn, and the variadic exec functions.

use crate::exec::{active, execv, execve, execvp, plan, search, Plan};
use libc::{c_char, c_int, c_void, pid_t};

type Spawn = unsafe extern "C" fn(
    *mut pid_t,
    *const c_char,
    *const c_void,
    *const c_void,
    *const *const c_char,
    *const *const c_char,
) -> c_int;

/// posix_spawn(3).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn posix_spawn(
    pid: *mut pid_t,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's arguments, then the plan's own arrays.
    unsafe {
        let next = next!(c"posix_spawn": Spawn);
        if !active() || path.is_null() {
            return next(pid, path, actions, attributes, argv, envp);
        }
        let mut new = Plan::new();
        match plan(&mut new, path, argv, envp) {
            Ok(()) => next(pid, new.path(), actions, attributes, new.argv(), new.envp()),
            Err(error) => error,
        }
    }
}

/// posix_spawnp(3).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn posix_spawnp(
    pid: *mut pid_t,
    file: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's arguments.
    unsafe {
        if !active() || file.is_null() {
            return next!(c"posix_spawnp": Spawn)(pid, file, actions, attributes, argv, envp);
        }
        let mut out = [0u8; 4096];
        match search(file, &mut out) {
            Ok(path) => posix_spawn(pid, path, actions, attributes, argv, envp),
            Err(error) => error,
        }
    }
}

/// execle: the environment follows the NULL that ends the arguments.
unsafe extern "C" fn execve_after(path: *const c_char, argv: *const *const c_char) -> c_int {
    let mut at = argv;
    // SAFETY: the argument list of execle(3) has a NULL and then the environment.
    unsafe {
        while !at.read().is_null() {
            at = at.add(1);
        }
        execve(path, argv, at.add(1).read().cast())
    }
}

/// Converts a variadic exec to one with an array: the arguments in registers are stored below those
/// that the caller put on the stack, which makes one array of them.
macro_rules! listed {
    ($($name:ident => $target:path),*) => {$(
        /// The variadic form.
        ///
        /// # Safety
        /// As in C.
        #[no_mangle]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name(path: *const c_char, first: *const c_char) -> c_int {
            #[cfg(target_arch = "x86_64")]
            std::arch::naked_asm!(
                "pop r11",
                "push r9",
                "push r8",
                "push rcx",
                "push rdx",
                "push rsi",
                "mov rsi, rsp",
                "push r11",
                "call {target}",
                "pop r11",
                "add rsp, 40",
                "push r11",
                "ret",
                target = sym $target,
            );
            #[cfg(target_arch = "aarch64")]
            std::arch::naked_asm!(
                "sub sp, sp, #80",
                "stp x29, x30, [sp]",
                "str x1, [sp, #24]",
                "stp x2, x3, [sp, #32]",
                "stp x4, x5, [sp, #48]",
                "stp x6, x7, [sp, #64]",
                "mov x29, sp",
                "add x1, sp, #24",
                "bl {target}",
                "ldp x29, x30, [sp]",
                "add sp, sp, #80",
                "ret",
                target = sym $target,
            );
        }
    )*};
}
listed!(execl => execv, execlp => execvp, execle => execve_after);
