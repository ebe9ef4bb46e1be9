// SPDX-License-Identifier: BSD-2-Clause
//! QEMU as a process: its start, and the wait for its end.

use crate::launch::Signals;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How the machine ended.
pub(crate) enum End {
    PoweredOff,
    Failed(ExitStatus),
    TimedOut,
    /// The signal ended this process.
    Signalled(libc::c_int),
}

/// Starts the machine, its console on this process's standard output, and waits for its end.
///
/// # Errors
///
/// A message: the command cannot be run.
pub(crate) fn run(mut command: Command, timeout: Duration) -> Result<End, String> {
    let signals = Signals::block();
    let before = signals.before();
    // SAFETY: only system calls that are safe between fork and exec.
    unsafe { command.pre_exec(move || before.restore()) };
    let child = command.stdin(Stdio::null()).spawn();
    let mut child =
        child.map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    wait(&mut child, timeout, &signals)
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
