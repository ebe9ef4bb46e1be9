// SPDX-License-Identifier: BSD-2-Clause
//! QEMU as a process: its command line, and the wait for its end.

use super::config::Config;
use super::options::{Options, Os};
use crate::launch::Signals;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Exit status after the time limit, as of timeout(1).
pub(crate) const TIMED_OUT: u8 = 124;
/// Exit status if the machine ended and the guest had not set one.
pub(crate) const NO_STATUS: u8 = 125;

/// One instruction takes one nanosecond, an idle processor does not wait in real time, and all
/// other sources of randomness are off.
const COUNTING: &str = "-icount shift=0,sleep=off -rtc base=2024-01-01,clock=vm";

/// How the machine ended.
pub(crate) enum End {
    PoweredOff,
    Failed(ExitStatus),
    TimedOut,
    /// The signal ended this process.
    Signalled(libc::c_int),
}

/// A machine that is not started yet.
pub(crate) struct Qemu {
    args: Vec<OsString>,
    kernel: Vec<OsString>,
    library: PathBuf,
    timeout: Duration,
}

/// The QEMU program: `DRMBOARD_QEMU`, or the one on PATH.
fn program() -> OsString {
    std::env::var_os("DRMBOARD_QEMU").unwrap_or_else(|| "qemu-system-aarch64".into())
}

/// The library for QEMU: `DRMBOARD_QEMU_BOARD`, or the one next to this program.
fn library() -> Result<PathBuf, String> {
    let path = match std::env::var_os("DRMBOARD_QEMU_BOARD") {
        Some(path) => path.into(),
        None => {
            let this = std::env::current_exe().map_err(|error| error.to_string())?;
            this.with_file_name("libqemu_board.so")
        }
    };
    // ld.so ignores a missing library without an error.
    if !path.is_file() {
        return Err(format!(
            "there is no {}: build crate qemu_board",
            path.display()
        ));
    }
    std::path::absolute(path).map_err(|error| error.to_string())
}

impl Qemu {
    pub(crate) fn new(options: &Options) -> Result<Qemu, String> {
        let ram = format!("{}M", options.ram_mib);
        let words = |line: &str| {
            line.split_whitespace()
                .map(OsString::from)
                .collect::<Vec<_>>()
        };
        let mut args = words(
            "-machine virt,gic-version=3 -cpu cortex-a57 -nic none -display none -monitor none \
                -no-reboot -m",
        );
        args.extend([ram.into(), "-smp".into(), options.cpus.to_string().into()]);
        if let Some(root) = &options.root {
            let mut drive = OsString::from("if=none,id=root,format=raw,read-only=on,file=");
            drive.push(root);
            args.extend(["-drive".into(), drive]);
            args.extend(words("-device virtio-blk-device,drive=root"));
        }
        if options.count.is_some() {
            // These options determine the device tree, too.
            args.extend(words("-seed 1"));
        }
        let append = command_line(options.os, &options.append);
        let mut kernel: Vec<OsString> = vec!["-serial".into(), "stdio".into(), "-kernel".into()];
        kernel.push(options.kernel.clone().into());
        kernel.extend(["-append".into(), append.into()]);
        if let Some(initrd) = &options.initrd {
            kernel.extend(["-initrd".into(), initrd.clone().into()]);
        }
        let library = library()?;
        if options.count.is_some() {
            kernel.extend(words(COUNTING));
            // An option's comma is doubled.
            let path = library.to_str().ok_or("the library's path is not UTF-8")?;
            kernel.extend(["-plugin".into(), path.replace(',', ",,").into()]);
        }
        Ok(Qemu {
            args,
            kernel,
            library,
            timeout: options.timeout,
        })
    }

    /// Writes the device tree that the machine would give its kernel, without our nodes.
    pub(crate) fn dump_tree(&self, to: &Path) -> Result<(), String> {
        let mut dump = OsString::from("dumpdtb=");
        dump.push(to);
        let mut command = Command::new(program());
        let command = command.args(&self.args).arg("-machine").arg(dump);
        let output = command.output().map_err(not_started)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "QEMU: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }

    /// Starts the machine, its console on this process's standard output, and waits for its end.
    pub(crate) fn run(&self, config: &Config, tree: &Path) -> Result<End, String> {
        let mut command = Command::new(program());
        command
            .args(&self.args)
            .args(&self.kernel)
            .arg("-dtb")
            .arg(tree);
        command
            .envs(config.to_env())
            .env("LD_PRELOAD", &self.library);
        let signals = Signals::block();
        let before = signals.before();
        // SAFETY: only system calls that are safe between fork and exec.
        unsafe { command.pre_exec(move || before.restore()) };
        let mut child = command.stdin(Stdio::null()).spawn().map_err(not_started)?;
        wait(&mut child, self.timeout, &signals)
    }
}

/// The kernel's arguments besides `more`: its console, and to power off on a panic. FreeBSD finds
/// its console in the device tree, takes variables of its environment after the word `FreeBSD:`,
/// and mounts the first disk as its root.
fn command_line(os: Os, more: &str) -> String {
    match os {
        Os::Linux => format!("console=ttyAMA0 panic=-1 {more}"),
        Os::FreeBsd => format!(
            "FreeBSD: vfs.root.mountfrom=cd9660:/dev/vtbd0 kern.panic_reboot_wait_time=0 \
                debug.debugger_on_panic=0 {more}"
        ),
    }
}

fn not_started(error: std::io::Error) -> String {
    format!("{}: {error}", program().to_string_lossy())
}

/// Waits for the end of QEMU, and ends it after the time limit or on a signal to this process. On
/// SIGTERM QEMU ends as after a power-off: trace and picture are written.
fn wait(child: &mut Child, timeout: Duration, signals: &Signals) -> Result<End, String> {
    let pid = i32::try_from(child.id()).map_err(|error| error.to_string())?;
    let mut until = Instant::now() + timeout;
    let mut why = None;
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(why.unwrap_or(match status.success() {
                true => End::PoweredOff,
                false => End::Failed(status),
            }));
        }
        let signal = signals.next(Duration::from_millis(20));
        if Instant::now() > until || signal.is_some() {
            // SAFETY: a signal to a child of ours that was not waited for.
            unsafe {
                libc::kill(
                    pid,
                    if why.is_some() {
                        libc::SIGKILL
                    } else {
                        libc::SIGTERM
                    },
                )
            };
            why = why.or(Some(signal.map_or(End::TimedOut, End::Signalled)));
            until = Instant::now() + Duration::from_secs(5);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_power_off_when_they_panic() {
        assert_eq!(
            command_line(Os::Linux, "a=b"),
            "console=ttyAMA0 panic=-1 a=b"
        );
        let freebsd = command_line(Os::FreeBsd, "a=b");
        assert!(freebsd.starts_with("FreeBSD: "), "{freebsd}");
        assert!(freebsd.contains("kern.panic_reboot_wait_time=0") && freebsd.ends_with(" a=b"));
    }
}
