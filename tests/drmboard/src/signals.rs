// SPDX-License-Identifier: BSD-2-Clause
//! The signals of this process while a program runs: those that are passed on, and the wait for its
//! end.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::Duration;

/// Signals that are passed on to the program.
const FORWARDED: [libc::c_int; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// The process attributes that the program gets unchanged.
#[derive(Clone, Copy)]
pub(crate) struct Before {
    mask: libc::sigset_t,
    files: libc::rlimit,
}

impl Before {
    /// Called in a child between fork and exec: restores the attributes, and has the child killed
    /// when drmboard ends.
    ///
    /// # Errors
    /// None; the calls cannot fail.
    pub(crate) fn restore(&self) -> io::Result<()> {
        // SAFETY: system calls on values of this process.
        unsafe {
            libc::sigprocmask(libc::SIG_SETMASK, &self.mask, std::ptr::null_mut());
            libc::setrlimit(libc::RLIMIT_NOFILE, &self.files);
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        }
        Ok(())
    }
}

/// Raises the limit of descriptors to the maximum: each buffer, file and client uses some.
fn raise_files() -> libc::rlimit {
    let mut before = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: plain system calls on a local.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut before);
        let all = libc::rlimit {
            rlim_cur: before.rlim_max,
            ..before
        };
        libc::setrlimit(libc::RLIMIT_NOFILE, &all);
    }
    before
}

/// Blocked signals that are waited for. Created before any thread, so that all threads block them.
pub(crate) struct Signals {
    set: libc::sigset_t,
    before: Before,
}

impl Signals {
    pub(crate) fn block() -> Signals {
        // SAFETY: sigset_t is plain data, filled by the calls.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            let mut mask: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            for signal in FORWARDED.into_iter().chain([libc::SIGCHLD]) {
                libc::sigaddset(&mut set, signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut mask);
            Signals {
                set,
                before: Before {
                    mask,
                    files: raise_files(),
                },
            }
        }
    }

    /// The attributes for the program.
    pub(crate) fn before(&self) -> Before {
        self.before
    }

    /// The next signal that asks this process to end, within `time`.
    pub(crate) fn next(&self, time: Duration) -> Option<libc::c_int> {
        let time = libc::timespec {
            tv_sec: time.as_secs() as libc::time_t,
            tv_nsec: time.subsec_nanos().into(),
        };
        // SAFETY: the set is valid; information about the sender is not requested.
        let signal = unsafe { libc::sigtimedwait(&self.set, std::ptr::null_mut(), &time) };
        FORWARDED.contains(&signal).then_some(signal)
    }

    /// Waits for the program, passing signals on to its group. Its exit code, or 128 + signal.
    ///
    /// # Errors
    ///
    /// The error of waitpid.
    pub(crate) fn wait(&self, child: &mut Child) -> io::Result<u8> {
        let group = child.id() as i32;
        let terminal = Terminal::lend(group);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            let mut signal = 0;
            // SAFETY: the set is valid; SIGCHLD is in it and blocked, so no end of the child is
            // missed.
            unsafe { libc::sigwait(&self.set, &mut signal) };
            if FORWARDED.contains(&signal) {
                // SAFETY: the group of our own child, which is not reaped.
                unsafe { libc::kill(-group, signal) };
            }
        };
        drop(terminal);
        Ok(status
            .code()
            .or(status.signal().map(|signal| 128 + signal))
            .unwrap_or(1) as u8)
    }
}

/// The terminal on stdin. The program is its foreground process group while it runs.
struct Terminal(Option<i32>);

impl Terminal {
    fn lend(group: i32) -> Terminal {
        // SAFETY: plain system calls. A background process that sets the group gets SIGTTOU,
        // ignored meanwhile.
        unsafe {
            let before = libc::tcgetpgrp(0);
            if before < 0 || before != libc::getpgrp() {
                return Terminal(None);
            }
            libc::signal(libc::SIGTTOU, libc::SIG_IGN);
            libc::tcsetpgrp(0, group);
            Terminal(Some(before))
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            // SAFETY: plain system calls.
            unsafe {
                libc::tcsetpgrp(0, before);
                libc::signal(libc::SIGTTOU, libc::SIG_DFL);
            }
        }
    }
}
