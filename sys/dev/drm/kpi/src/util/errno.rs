// SPDX-License-Identifier: BSD-2-Clause
//! Error numbers: FreeBSD's, positive, never zero. They meet a user only at the edge of the system
//! (`ffi.rs`), where the host turns them into Linux's.

use crate::os::bindings as c;
use core::num::NonZeroI32;

/// A FreeBSD error number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(NonZeroI32);

/// What almost everything here returns.
pub type Result<T> = core::result::Result<T, Errno>;

macro_rules! errnos {
    ($($name:ident = $value:expr, $doc:literal;)*) => {
        $(
            #[doc = $doc]
            pub const $name: Errno = Errno::from_const($value);
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

/// As kernel messages have it: the number, for intro(2) to be looked up in.
impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "error {}", self.get())
    }
}

impl Errno {
    #[expect(
        clippy::as_conversions,
        reason = "bindgen types positive defines u32; all are below 2000"
    )]
    const fn from_const(value: u32) -> Errno {
        Errno::from_i32_const(value as i32)
    }

    const fn from_i32_const(value: i32) -> Errno {
        match NonZeroI32::new(value) {
            Some(n) => Errno(n),
            None => Errno(NonZeroI32::MIN),
        }
    }

    /// The number as C functions return it.
    pub const fn get(self) -> i32 {
        self.0.get()
    }

    /// What a C function's int result means: 0 is success.
    pub fn check(code: i32) -> Result<()> {
        match NonZeroI32::new(code) {
            None => Ok(()),
            Some(n) => Err(Errno(n)),
        }
    }

    /// The int that C functions return for `result`.
    pub fn code(result: Result<()>) -> i32 {
        match result {
            Ok(()) => 0,
            Err(e) => e.get(),
        }
    }
}

/// The call was interrupted and is to be restarted (FreeBSD's ERESTART).
pub const ERESTART: Errno = Errno::from_i32_const(c::DRM_OS_ERESTART);

errnos! {
    EPERM = c::DRM_OS_EPERM, "Operation not permitted.";
    ENOENT = c::DRM_OS_ENOENT, "No such object.";
    EINTR = c::DRM_OS_EINTR, "Interrupted by a signal.";
    EIO = c::DRM_OS_EIO, "The device does not answer.";
    ENXIO = c::DRM_OS_ENXIO, "The device is gone.";
    E2BIG = c::DRM_OS_E2BIG, "Argument too long.";
    EBADF = c::DRM_OS_EBADF, "Bad file descriptor.";
    ENOMEM = c::DRM_OS_ENOMEM, "Out of memory, or over the limit.";
    EACCES = c::DRM_OS_EACCES, "Permission denied.";
    EFAULT = c::DRM_OS_EFAULT, "Bad address.";
    EBUSY = c::DRM_OS_EBUSY, "In use.";
    EEXIST = c::DRM_OS_EEXIST, "Exists already.";
    ENODEV = c::DRM_OS_ENODEV, "Not supported by the device.";
    EINVAL = c::DRM_OS_EINVAL, "Invalid argument.";
    EMFILE = c::DRM_OS_EMFILE, "Too many open files.";
    ENOTTY = c::DRM_OS_ENOTTY, "No such request for this file.";
    ENOSPC = c::DRM_OS_ENOSPC, "No room left.";
    ERANGE = c::DRM_OS_ERANGE, "Result too large.";
    EAGAIN = c::DRM_OS_EAGAIN, "Try again.";
    EALREADY = c::DRM_OS_EALREADY, "Named twice.";
    EOPNOTSUPP = c::DRM_OS_EOPNOTSUPP, "Not supported by this driver.";
    ETIMEDOUT = c::DRM_OS_ETIMEDOUT, "Timed out.";
    ENOSYS = c::DRM_OS_ENOSYS, "Not offered.";
    EOVERFLOW = c::DRM_OS_EOVERFLOW, "Value too large.";
    ECANCELED = c::DRM_OS_ECANCELED, "Cancelled.";
    ETIME = c::DRM_OS_ETIME, "Timer expired (Linux's ETIME; FreeBSD answers ETIMEDOUT).";
}
