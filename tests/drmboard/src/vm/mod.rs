// SPDX-License-Identifier: BSD-2-Clause
//! `drmboard vm`: runs the machine of crate `guest_machine`. The drivers of this project do not run
//! in it, unless the guest loads them. See docs/crosscheck.md and docs/vmtest.md.

mod options;
mod process;

use guest_machine::{tree, Config, Machine, Qemu, Report};
use options::Options;
use process::End;
use std::ffi::OsString;
use std::path::PathBuf;
use std::{fs, io};

/// Exit status after the time limit, as of timeout(1).
const TIMED_OUT: u8 = 124;
/// Exit status if the machine ended and the guest had not set one.
const NO_STATUS: u8 = 125;

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

/// Runs the command line after `vm`. Returns the exit status.
///
/// # Errors
///
/// A message: the machine was not started.
pub(crate) fn main(args: impl Iterator<Item = OsString>) -> Result<u8, String> {
    let options = Options::parse(args)?;
    let scratch = Scratch::new()?;
    let config = Config {
        report: Some(scratch.file("report")),
        ..options.config
    };
    // Reports the errors that the library in QEMU would find, before QEMU is started. The trace is
    // created there.
    Machine::new(&Config {
        trace: None,
        ..config.clone()
    })?;
    let machine = Qemu::new(&config, &options.guest)?;
    let blob = tree::build(&scratch.0, &machine, &config.board, config.power)?;
    let end = process::run(
        machine.command(&config, &blob),
        options.limits,
        &mut io::stdout(),
    )?;
    let report = Report::read(&scratch.file("report"));
    if options.stats {
        report.lines.iter().for_each(|line| println!("{line}"));
    }
    for error in &report.errors {
        eprintln!("drmboard: {error}");
    }
    Ok(match (end, report.exit) {
        (End::TimedOut, _) => {
            eprintln!(
                "drmboard: the guest did not power off within {} s",
                options.limits.total.as_secs()
            );
            TIMED_OUT
        }
        (End::Silent, _) => {
            eprintln!(
                "drmboard: the guest wrote nothing for {} s",
                options.limits.silence.as_secs()
            );
            TIMED_OUT
        }
        // The exit status that a shell has for a program that a signal ended.
        (End::Signalled(signal), _) => {
            eprintln!("drmboard: the machine was ended by signal {signal}");
            u8::try_from(128 + signal).unwrap_or(u8::MAX)
        }
        (End::Failed(status), _) => {
            eprintln!("drmboard: QEMU ended with {status}");
            NO_STATUS
        }
        (End::PoweredOff, None) => {
            eprintln!("drmboard: the guest powered off without setting an exit status");
            NO_STATUS
        }
        (End::PoweredOff, Some(code)) => code,
    })
}
