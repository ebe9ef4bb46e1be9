// SPDX-License-Identifier: BSD-2-Clause
//! FreeBSD's error numbers: positive, never zero. The host translates them to Linux's for its
//! users. `os` compares them with drm_os.h.

use core::num::NonZeroI32;

/// A FreeBSD error number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(NonZeroI32);

/// The result of almost every function here.
pub type Result<T> = core::result::Result<T, Errno>;

macro_rules! errnos {
    ($($name:ident = $value:expr, $doc:literal;)*) => {
        $(
            #[doc = $doc]
            pub const $name: Errno = Errno::of($value);
        )*

        impl core::fmt::Debug for Errno {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match *self {
                    $($name => f.write_str(stringify!($name)),)*
                    Errno(n) => write!(f, "errno {n}"),
                }
            }
        }
    };
}

/// The number, as kernel messages print it; intro(2) lists them.
impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "error {}", self.get())
    }
}

impl Errno {
    const fn of(value: i32) -> Errno {
        match NonZeroI32::new(value) {
            Some(n) => Errno(n),
            None => Errno(NonZeroI32::MIN),
        }
    }

    /// The number as C functions return it.
    pub const fn get(self) -> i32 {
        self.0.get()
    }

    /// The result of a C function that returns 0 for success.
    pub fn check(code: i32) -> Result<()> {
        match NonZeroI32::new(code) {
            None => Ok(()),
            Some(n) => Err(Errno(n)),
        }
    }

    /// The result for C: 0 for success.
    pub fn code(result: Result<()>) -> i32 {
        match result {
            Ok(()) => 0,
            Err(e) => e.get(),
        }
    }
}

/// The call was interrupted and is to be restarted (FreeBSD's ERESTART).
pub const ERESTART: Errno = Errno::of(-1);

errnos! {
    EPERM = 1, "Operation not permitted.";
    ENOENT = 2, "No such object.";
    EINTR = 4, "Interrupted by a signal.";
    EIO = 5, "The device does not respond.";
    ENXIO = 6, "The device is detached.";
    E2BIG = 7, "Argument too long.";
    EBADF = 9, "Bad file descriptor.";
    ENOMEM = 12, "Out of memory, or over the limit.";
    EACCES = 13, "Permission denied.";
    EFAULT = 14, "Bad address.";
    EBUSY = 16, "In use.";
    EEXIST = 17, "Exists already.";
    ENODEV = 19, "Not supported by the device.";
    EINVAL = 22, "Invalid argument.";
    EMFILE = 24, "Too many open files.";
    ENOTTY = 25, "No such ioctl for this file.";
    ENOSPC = 28, "No room left.";
    ERANGE = 34, "Result too large.";
    EAGAIN = 35, "Try again.";
    EALREADY = 37, "Given twice.";
    EOPNOTSUPP = 45, "Not supported by this driver.";
    ETIMEDOUT = 60, "Timed out.";
    ENOSYS = 78, "Not implemented.";
    EOVERFLOW = 84, "Value too large.";
    ECANCELED = 85, "Cancelled.";
    ETIME = 1062, "Timer expired (Linux's ETIME; on FreeBSD ETIMEDOUT).";
}
