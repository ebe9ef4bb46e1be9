// SPDX-License-Identifier: BSD-2-Clause
//! QEMU's command line.

use crate::config::Config;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One instruction takes one nanosecond, an idle processor does not wait in real time, and all
/// other sources of randomness are off.
const COUNTING: &str = "-icount shift=0,sleep=off -rtc base=2024-01-01,clock=vm";

/// The kind of kernel, which determines the form of its command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Os {
    /// Linux.
    Linux,
    /// FreeBSD.
    FreeBsd,
}

/// What the machine consists of besides the GPU, and what runs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The image of the kernel.
    pub kernel: PathBuf,
    /// The first file system of Linux.
    pub initrd: Option<PathBuf>,
    /// The image of the disk /dev/vda (FreeBSD: /dev/vtbd0), which is read-only.
    pub root: Option<PathBuf>,
    /// The kind of the kernel.
    pub os: Os,
    /// More arguments of the kernel's command line; for FreeBSD, variables of its environment.
    pub append: String,
    /// Number of processors.
    pub cpus: u64,
}

/// A machine that is not started yet.
pub struct Qemu {
    args: Vec<OsString>,
    kernel: Vec<OsString>,
    library: PathBuf,
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
    /// # Errors
    ///
    /// A message: the library for QEMU is not there.
    pub fn new(config: &Config, guest: &Guest) -> Result<Qemu, String> {
        let ram = format!("{}M", config.ram_mib);
        let words = |line: &str| {
            line.split_whitespace()
                .map(OsString::from)
                .collect::<Vec<_>>()
        };
        let mut args = words(
            "-machine virt,gic-version=3 -cpu cortex-a57 -nic none -display none -monitor none \
                -no-reboot -m",
        );
        args.extend([ram.into(), "-smp".into(), guest.cpus.to_string().into()]);
        if let Some(root) = &guest.root {
            let mut drive = OsString::from("if=none,id=root,format=raw,read-only=on,file=");
            drive.push(root);
            args.extend(["-drive".into(), drive]);
            args.extend(words("-device virtio-blk-device,drive=root"));
        }
        if config.count.is_some() {
            // These options determine the device tree, too.
            args.extend(words("-seed 1"));
        }
        let append = command_line(guest.os, &guest.append);
        let mut kernel: Vec<OsString> = vec!["-serial".into(), "stdio".into(), "-kernel".into()];
        kernel.push(guest.kernel.clone().into());
        kernel.extend(["-append".into(), append.into()]);
        if let Some(initrd) = &guest.initrd {
            kernel.extend(["-initrd".into(), initrd.clone().into()]);
        }
        let library = library()?;
        if config.count.is_some() {
            kernel.extend(words(COUNTING));
            // An option's comma is doubled.
            let path = library.to_str().ok_or("the library's path is not UTF-8")?;
            kernel.extend(["-plugin".into(), path.replace(',', ",,").into()]);
        }
        Ok(Qemu {
            args,
            kernel,
            library,
        })
    }

    /// Writes the device tree that the machine would give its kernel, without our nodes.
    ///
    /// # Errors
    ///
    /// A message: QEMU failed.
    pub fn dump_tree(&self, to: &Path) -> Result<(), String> {
        let mut dump = OsString::from("dumpdtb=");
        dump.push(to);
        let mut command = Command::new(program());
        let command = command.args(&self.args).arg("-machine").arg(dump);
        let output = command
            .output()
            .map_err(|error| format!("{}: {error}", program().to_string_lossy()))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "QEMU: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }

    /// The command that runs the machine, with its console on standard output. `tree` is its device
    /// tree.
    #[must_use]
    pub fn command(&self, config: &Config, tree: &Path) -> Command {
        let mut command = Command::new(program());
        command
            .args(&self.args)
            .args(&self.kernel)
            .arg("-dtb")
            .arg(tree);
        command
            .envs(config.to_env())
            .env("LD_PRELOAD", &self.library);
        command
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
