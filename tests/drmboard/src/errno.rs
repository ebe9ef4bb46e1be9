// SPDX-License-Identifier: BSD-2-Clause
//! Translates FreeBSD's error numbers, which the kernel code uses, to Linux's, which programs
//! expect.

use crate::proto::RESTART;
use drm_os_host::sys;

/// (FreeBSD, Linux), every error that drm_os.h names.
const TABLE: &[(u32, i32)] = &[
    (sys::DRM_OS_EPERM, libc::EPERM),
    (sys::DRM_OS_ENOENT, libc::ENOENT),
    (sys::DRM_OS_EINTR, libc::EINTR),
    (sys::DRM_OS_EIO, libc::EIO),
    (sys::DRM_OS_ENXIO, libc::ENXIO),
    (sys::DRM_OS_E2BIG, libc::E2BIG),
    (sys::DRM_OS_EBADF, libc::EBADF),
    (sys::DRM_OS_ENOMEM, libc::ENOMEM),
    (sys::DRM_OS_EACCES, libc::EACCES),
    (sys::DRM_OS_EFAULT, libc::EFAULT),
    (sys::DRM_OS_EBUSY, libc::EBUSY),
    (sys::DRM_OS_EEXIST, libc::EEXIST),
    (sys::DRM_OS_ENODEV, libc::ENODEV),
    (sys::DRM_OS_EINVAL, libc::EINVAL),
    (sys::DRM_OS_EMFILE, libc::EMFILE),
    (sys::DRM_OS_ENOTTY, libc::ENOTTY),
    (sys::DRM_OS_ENOSPC, libc::ENOSPC),
    (sys::DRM_OS_ERANGE, libc::ERANGE),
    (sys::DRM_OS_EAGAIN, libc::EAGAIN),
    (sys::DRM_OS_EALREADY, libc::EALREADY),
    (sys::DRM_OS_EOPNOTSUPP, libc::EOPNOTSUPP),
    (sys::DRM_OS_ETIMEDOUT, libc::ETIMEDOUT),
    (sys::DRM_OS_ENOSYS, libc::ENOSYS),
    (sys::DRM_OS_EOVERFLOW, libc::EOVERFLOW),
    (sys::DRM_OS_ECANCELED, libc::ECANCELED),
    (sys::DRM_OS_ETIME, libc::ETIME),
];

/// The Linux number; EIO for errors that drm_os.h does not name, [`RESTART`] for ERESTART.
pub(crate) fn to_linux(error: i32) -> i32 {
    if error == sys::DRM_OS_ERESTART {
        return RESTART;
    }
    TABLE
        .iter()
        .find(|(bsd, _)| i64::from(*bsd) == i64::from(error))
        .map_or(libc::EIO, |(_, linux)| *linux)
}

/// The name of a Linux error that [`to_linux`] returns, for messages.
pub(crate) fn describe(error: i32) -> String {
    std::io::Error::from_raw_os_error(error).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_two_systems() {
        // FreeBSD: sys/sys/errno.h. Linux: asm-generic/errno-base.h and errno.h.
        for (bsd, linux) in [
            (1, 1),
            (2, 2),
            (4, 4),
            (6, 6),
            (9, 9),
            (12, 12),
            (14, 14),
            (16, 16),
            (19, 19),
            (22, 22),
            (25, 25),
            (28, 28),
            (34, 34),
            (35, 11),
            (37, 114),
            (45, 95),
            (60, 110),
            (78, 38),
            (84, 75),
            (85, 125),
            (1062, 62),
            (-1, RESTART),
        ] {
            assert_eq!(to_linux(bsd), linux, "FreeBSD {bsd}");
        }
    }

    #[test]
    fn unknown_is_eio_and_no_number_occurs_twice() {
        assert_eq!(to_linux(9999), libc::EIO);
        for (i, (bsd, linux)) in TABLE.iter().enumerate() {
            assert!(
                TABLE[i + 1..].iter().all(|(b, l)| b != bsd && l != linux),
                "{bsd} {linux}"
            );
        }
    }
}
