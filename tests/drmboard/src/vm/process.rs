// SPDX-License-Identifier: BSD-2-Clause
//! QEMU as a process: its start, and the wait for its end.

use crate::signals::Signals;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// How the machine ended.
#[derive(Debug)]
pub(crate) enum End {
    PoweredOff,
    Failed(ExitStatus),
    TimedOut,
    /// It wrote nothing for too long.
    Silent,
    /// The signal ended this process.
    Signalled(libc::c_int),
}

/// How long a machine may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From its start to its end.
    pub(crate) total: Duration,
    /// Without output on its console. A guest that works is never so long silent, however slow a
    /// busy host makes it.
    pub(crate) silence: Duration,
}

/// Starts the machine, copies its console to `out`, and waits for its end.
///
/// # Errors
///
/// A message: the command cannot be run.
pub(crate) fn run(
    mut command: Command,
    limits: Limits,
    out: &mut (dyn Write + Send),
) -> Result<End, String> {
    let signals = Signals::block();
    let before = signals.before();
    // SAFETY: only system calls that are safe between fork and exec.
    unsafe { command.pre_exec(move || before.restore()) };
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child =
        child.map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let console = child.stdout.take();
    let said = Mutex::new(Instant::now());
    thread::scope(|scope| {
        // It returns when QEMU, which has the other end, has ended.
        scope.spawn(|| console.map(|console| copy(console, out, &said)));
        wait(&mut child, limits, &signals, &said)
    })
}

/// Copies a console, and notes when there was something to copy.
fn copy(mut console: impl Read, out: &mut dyn Write, said: &Mutex<Instant>) {
    let mut buffer = [0; 4096];
    loop {
        match console.read(&mut buffer) {
            Ok(0) => return,
            Ok(len) => {
                if let Ok(mut said) = said.lock() {
                    *said = Instant::now();
                }
                // Without a reader the machine runs on; its exit status is still of use.
                let _ = out.write_all(&buffer[..len]).and_then(|()| out.flush());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Waits for the end of QEMU, and ends it after a time limit or on a signal to this process. On
/// SIGTERM QEMU ends as after a power-off: trace and picture are written.
fn wait(
    child: &mut Child,
    limits: Limits,
    signals: &Signals,
    said: &Mutex<Instant>,
) -> Result<End, String> {
    let pid = i32::try_from(child.id()).map_err(|error| error.to_string())?;
    let began = Instant::now();
    let mut why = None;
    let mut killed_at = None;
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(why.unwrap_or(match status.success() {
                true => End::PoweredOff,
                false => End::Failed(status),
            }));
        }
        let signal = signals.next(Duration::from_millis(20));
        let silent = said.lock().map_or(Duration::ZERO, |said| said.elapsed());
        let end = match signal {
            Some(signal) => Some(End::Signalled(signal)),
            None if began.elapsed() > limits.total => Some(End::TimedOut),
            None if silent > limits.silence => Some(End::Silent),
            None => None,
        };
        // A machine that has been asked to end has five seconds, or until a second signal.
        let with = match (end, killed_at) {
            (Some(end), None) => {
                why = Some(end);
                libc::SIGTERM
            }
            (_, Some(at)) if signal.is_some() || Instant::now() > at => libc::SIGKILL,
            _ => continue,
        };
        killed_at = Some(Instant::now() + Duration::from_secs(5));
        // SAFETY: a signal to a child of ours that was not waited for.
        unsafe { libc::kill(pid, with) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a shell's script as a machine of which more is not asked.
    fn ends(script: &str, total_ms: u64, silence_ms: u64) -> (End, String) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let limits = Limits {
            total: Duration::from_millis(total_ms),
            silence: Duration::from_millis(silence_ms),
        };
        let mut out = Vec::new();
        let end = run(command, limits, &mut out).unwrap();
        (end, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_machine_may_be_slow_but_not_silent() {
        let slow = "for n in 1 2 3 4 5 6; do sleep 0.2; echo $n; done";
        let (end, said) = ends(slow, 60_000, 1_000);
        assert!(matches!(end, End::PoweredOff), "{end:?}");
        assert_eq!(said, "1\n2\n3\n4\n5\n6\n");
        let (end, said) = ends("echo up; exec sleep 60", 60_000, 300);
        assert!(matches!(end, End::Silent), "{end:?}");
        assert_eq!(said, "up\n");
    }

    #[test]
    fn a_machine_that_never_ends_is_ended() {
        let busy = "while :; do echo x; sleep 0.05; done";
        let (end, _) = ends(busy, 500, 60_000);
        assert!(matches!(end, End::TimedOut), "{end:?}");
    }
}
