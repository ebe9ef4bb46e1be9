// SPDX-License-Identifier: BSD-2-Clause
//! `drmboard vm`: QEMU's `virt` machine with a board's GPU on its bus, for a kernel with its own
//! driver.
//!
//! QEMU is Debian's, unmodified; crate `qemu_board` (tests/guest/qemu) is preloaded into it and
//! puts the models on the bus. The drivers of this project do not run in it, unless the guest loads
//! them. See docs/crosscheck.md and docs/vmtest.md.

pub mod config;
mod guest;
mod machine;
mod options;
mod power;
mod tree;

pub use config::Config;
pub use machine::{Machine, Platform};

use options::Options;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// A temporary directory, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, String> {
        let path = std::env::temp_dir().join(format!("drmboard-vm-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Scratch(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The content of the library's report: the lines to print, the guest's exit status, and errors.
fn read_report(path: &Path) -> (Vec<String>, Option<u8>, Vec<String>) {
    let (mut lines, mut exit, mut errors) = (Vec::new(), None, Vec::new());
    // Without a report the machine did not end in order, and there is no exit status either.
    for line in fs::read_to_string(path).unwrap_or_default().lines() {
        match line.split_once(' ') {
            Some(("exit", code)) => {
                exit = code
                    .parse::<u32>()
                    .ok()
                    .map(|code| u8::try_from(code).unwrap_or(u8::MAX))
            }
            Some(("error", text)) => errors.push(text.to_owned()),
            _ => lines.push(line.to_owned()),
        }
    }
    (lines, exit, errors)
}

/// Runs the command line after `vm`. Returns the exit status.
///
/// # Errors
///
/// A message: the machine was not started.
pub(crate) fn main(args: impl Iterator<Item = OsString>) -> Result<u8, String> {
    let options = Options::parse(args)?;
    let scratch = Scratch::new()?;
    let config = Config {
        board: options.board.clone(),
        ram_mib: options.ram_mib,
        trace: options.trace.clone(),
        png: options.png.clone(),
        report: Some(scratch.file("report")),
        count: options.count.clone(),
        inject: options.inject.clone(),
        power: options.power,
        work_scale: options.work_scale,
    };
    // Reports the errors that the library in QEMU would find, before QEMU is started. The trace is
    // created there.
    Machine::new(&Config {
        trace: None,
        ..config.clone()
    })?;
    let machine = guest::Qemu::new(&options)?;
    let blob = tree::build(&scratch.0, &machine, &options.board, options.power)?;
    let end = machine.run(&config, &blob)?;
    let (lines, exit, errors) = read_report(&scratch.file("report"));
    if options.stats {
        lines.iter().for_each(|line| println!("{line}"));
    }
    errors
        .iter()
        .for_each(|error| eprintln!("drmboard: {error}"));
    Ok(match (end, exit) {
        (guest::End::TimedOut, _) => {
            eprintln!(
                "drmboard: the guest did not power off within {} s",
                options.timeout.as_secs()
            );
            guest::TIMED_OUT
        }
        // The exit status that a shell has for a program that a signal ended.
        (guest::End::Signalled(signal), _) => {
            eprintln!("drmboard: the machine was ended by signal {signal}");
            u8::try_from(128 + signal).unwrap_or(u8::MAX)
        }
        (guest::End::Failed(status), _) => {
            eprintln!("drmboard: QEMU ended with {status}");
            guest::NO_STATUS
        }
        (guest::End::PoweredOff, None) => {
            eprintln!("drmboard: the guest powered off without setting an exit status");
            guest::NO_STATUS
        }
        (guest::End::PoweredOff, Some(code)) => code,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_taken_apart() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.file("report-test");
        fs::write(&path, "exit 3\nmodel gpu@1 chains=4\nerror no picture\n").unwrap();
        let (lines, exit, errors) = read_report(&path);
        assert_eq!((lines.len(), exit, errors.len()), (1, Some(3), 1));
        fs::write(&path, "exit 256\n").unwrap();
        assert_eq!(read_report(&path).1, Some(255), "not 0");
        assert_eq!(read_report(&scratch.file("none")).1, None);
    }
}
