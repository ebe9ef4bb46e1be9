// SPDX-License-Identifier: BSD-2-Clause
//! Instructions that a piece of code executes in user space.
//!
//! Either perf_event_open(2) counts them, or this process runs under callgrind, to which client
//! requests say where to count: instruction sequences without effect on a processor (valgrind.h and
//! callgrind.h of Valgrind 3.19). What lies between two counted pieces then runs several times
//! faster than what is counted.

use crate::dump;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the dumps' path in the environment of a process under callgrind.
const DUMPS: &str = "BENCH_CALLGRIND";

/// Counts instructions.
pub enum Counter {
    /// By the processor.
    Processor(OwnedFd),
    /// By callgrind: where its dumps go, and how many there are.
    Callgrind(PathBuf, u32),
}

impl Counter {
    /// What this process can count with; `None` where the processor's counters are out of reach and
    /// callgrind is not there.
    pub fn find() -> Option<Counter> {
        match std::env::var_os(DUMPS) {
            Some(path) => Some(Counter::Callgrind(path.into(), 0)),
            None => processor().ok().map(Counter::Processor),
        }
    }

    /// Instructions in `f`, of this thread and of those made since the counter was, and a few of
    /// the counting itself.
    ///
    /// # Panics
    /// If the counter cannot be read.
    pub fn count(&mut self, f: impl FnOnce()) -> u64 {
        match self {
            Counter::Processor(fd) => {
                let before = read(fd);
                f();
                read(fd) - before
            }
            Counter::Callgrind(path, dumps) => {
                dump::total(&dumped(path, dumps, f)).expect("a dump has a sum")
            }
        }
    }

    /// Instructions in `f`: of the kernel module's crates, and all. `None` if the processor counts,
    /// which does not say whose they are.
    ///
    /// # Panics
    /// If callgrind's dump cannot be read.
    pub fn count_ours(&mut self, f: impl FnOnce()) -> Option<[u64; 2]> {
        let Counter::Callgrind(path, dumps) = self else {
            return None;
        };
        let dump = dumped(path, dumps, f);
        let ours = dump::ours(&dump).expect("a dump");
        Some([ours, dump::total(&dump).expect("a dump has a sum")])
    }
}

/// What callgrind writes about `f`. The file is deleted.
fn dumped(path: &Path, dumps: &mut u32, f: impl FnOnce()) -> String {
    request(START_INSTRUMENTATION);
    request(ZERO_STATS);
    f();
    request(DUMP_STATS);
    request(STOP_INSTRUMENTATION);
    *dumps += 1;
    let mut dump = path.as_os_str().to_owned();
    dump.push(format!(".{dumps}"));
    let text = std::fs::read_to_string(&dump).expect("callgrind has written a dump");
    std::fs::remove_file(&dump).expect("the dump is ours");
    text
}

/// A command that runs this program with `args` below callgrind, where [`Counter::find`] succeeds.
/// Dumps go to `directory`.
///
/// # Errors
/// Of finding this program and of making the directory.
pub fn under_callgrind(directory: &Path, args: &[&str]) -> io::Result<Command> {
    std::fs::create_dir_all(directory)?;
    let dumps = directory.join(format!("callgrind.{}", std::process::id()));
    let mut option = OsString::from("--callgrind-out-file=");
    option.push(&dumps);
    let mut command = Command::new("valgrind");
    command.args(["-q", "--tool=callgrind", "--instr-atstart=no"]);
    command
        .arg(option)
        .arg(std::env::current_exe()?)
        .args(args)
        .env(DUMPS, dumps);
    Ok(command)
}

fn processor() -> io::Result<OwnedFd> {
    // HW: perf_event_attr of version 0 is 64 bytes: type, size, config, period, sample type, read
    // format, flags, ...
    let mut attr = [0u64; 8];
    const HARDWARE: u64 = 0;
    const INSTRUCTIONS: u64 = 1;
    const INHERIT: u64 = 1 << 1;
    const EXCLUDE_KERNEL: u64 = 1 << 5;
    const EXCLUDE_HYPERVISOR: u64 = 1 << 6;
    attr[0] = HARDWARE | 64 << 32;
    attr[1] = INSTRUCTIONS;
    attr[5] = INHERIT | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR;
    // SAFETY: the structure is as long as it says; this thread, any processor, no group, closed on
    // exec.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, attr.as_ptr(), 0, -1, -1, 8) };
    match i32::try_from(fd) {
        // SAFETY: the descriptor is new and has no other owner.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn read(fd: &OwnedFd) -> u64 {
    let mut count = 0u64;
    // SAFETY: count has room for the eight bytes of a counter.
    let got = unsafe { libc::read(fd.as_raw_fd(), (&raw mut count).cast(), 8) };
    assert_eq!(got, 8, "the counter cannot be read");
    count
}

/// Client requests of callgrind.h: the tool's number is 'C', 'T'.
const DUMP_STATS: usize = 0x4354_0000;
const ZERO_STATS: usize = DUMP_STATS + 1;
const START_INSTRUMENTATION: usize = DUMP_STATS + 4;
const STOP_INSTRUMENTATION: usize = DUMP_STATS + 5;

/// Makes a client request; nothing happens on a bare processor.
#[cfg(target_arch = "x86_64")]
fn request(code: usize) {
    let args = [code, 0, 0, 0, 0, 0];
    // SAFETY: the rotations add up to full turns and the exchange is of a register with itself.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") args.as_ptr(), inout("rdx") 0usize => _,
        );
    }
}

/// Makes a client request; nothing happens on a bare processor.
#[cfg(target_arch = "aarch64")]
fn request(code: usize) {
    let args = [code, 0, 0, 0, 0, 0];
    // SAFETY: the rotations add up to full turns and the last instruction changes nothing.
    unsafe {
        std::arch::asm!(
            "ror x12, x12, #3", "ror x12, x12, #13", "ror x12, x12, #51", "ror x12, x12, \
                #61", "orr x10, x10, x10",
            in("x4") args.as_ptr(), inout("x3") 0usize => _,
        );
    }
}
