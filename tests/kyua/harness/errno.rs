// SPDX-License-Identifier: BSD-2-Clause
//! Errors of system calls as the number that the kernel gave.

use std::fmt;

/// A positive errno of this machine, as `libc` names them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

/// What a system call gives.
pub type Sys<T> = Result<T, Errno>;

impl Errno {
    /// The errno of the last failed call of this thread.
    pub fn last() -> Errno {
        Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // std appends "(os error N)", so the number is there too.
        write!(f, "{}", std::io::Error::from_raw_os_error(self.0))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Errno {}

/// Whether Linux programs are guests of a FreeBSD kernel here: vmtest says so.
pub(crate) fn on_freebsd() -> bool {
    std::env::var_os("DRMBOARD_GUEST").is_some_and(|guest| guest == "freebsd")
}

/// Turns the -1 convention of C calls into a `Result`.
pub(crate) fn check(ret: i32) -> Sys<i32> {
    if ret < 0 {
        Err(Errno::last())
    } else {
        Ok(ret)
    }
}
