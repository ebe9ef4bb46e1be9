// SPDX-License-Identifier: BSD-2-Clause
//! Ioctls of Linux that a render-only driver does not support, with their results: drm_ioctl.c of
//! Linux 6.1 without legacy drivers. Permissions are checked first.

use crate::drm::driver::Driver;
use crate::drm::ioctl::{Access, Ioctl, ANY, AUTH, MASTER, ROOT};
use crate::util::errno::{EINVAL, ENOSYS, EOPNOTSUPP};

macro_rules! results {
    ($(($nr:literal, $access:expr, $result:expr)),* $(,)?) => {
        const { &[$(Ioctl { nr: $nr, size: 0, access: $access, run: |_, _| $result }),*] }
    };
}

const MASTER_ROOT: Access = Access {
    root: true,
    ..MASTER
};
const AUTH_ROOT: Access = Access { root: true, ..AUTH };

/// The table.
pub(super) fn table<D: Driver>() -> &'static [Ioctl<D>] {
    results![
        (0x03, MASTER_ROOT, Err(EINVAL)),
        (0x04, ANY, Err(EINVAL)),
        (0x08, ANY, Ok(())),
        (0x0d, ANY, Err(EOPNOTSUPP)),
        (0x10, ROOT, Err(EINVAL)),
        (0x12, ROOT, Ok(())),
        (0x13, ROOT, Ok(())),
        (0x14, ROOT, Err(EINVAL)),
        (0x15, ROOT, Err(EINVAL)),
        (0x16, ROOT, Err(EINVAL)),
        (0x17, ROOT, Err(EINVAL)),
        (0x18, AUTH, Err(EINVAL)),
        (0x19, AUTH, Err(EINVAL)),
        (0x1a, AUTH, Err(EINVAL)),
        (0x1b, AUTH, Err(EINVAL)),
        (0x1c, ROOT, Err(EINVAL)),
        (0x1d, AUTH, Err(EINVAL)),
        (0x20, AUTH_ROOT, Err(EINVAL)),
        (0x21, ROOT, Err(EINVAL)),
        (0x22, ROOT, Err(EINVAL)),
        (0x23, AUTH, Err(EINVAL)),
        (0x24, ROOT, Err(EINVAL)),
        (0x25, ROOT, Err(EINVAL)),
        (0x26, AUTH, Err(EINVAL)),
        (0x27, ROOT, Ok(())),
        (0x28, ROOT, Ok(())),
        (0x29, AUTH, Err(EINVAL)),
        (0x2a, AUTH, Err(EINVAL)),
        (0x2b, AUTH, Err(EINVAL)),
        (0x2c, AUTH, Ok(())),
        (0x38, ROOT, Err(EINVAL)),
        (0x39, ROOT, Err(EINVAL)),
        (0x3a, ANY, Err(EOPNOTSUPP)),
        (0x3b, ANY, Err(EOPNOTSUPP)),
        (0x3c, ANY, Err(EOPNOTSUPP)),
        (0x3f, ROOT, Ok(())),
        (0xa0, ANY, Err(EOPNOTSUPP)),
        (0xa1, ANY, Err(EOPNOTSUPP)),
        (0xa2, MASTER, Err(EOPNOTSUPP)),
        (0xa3, MASTER, Err(EOPNOTSUPP)),
        (0xa4, ANY, Err(EOPNOTSUPP)),
        (0xa5, MASTER, Err(EOPNOTSUPP)),
        (0xa6, ANY, Err(EOPNOTSUPP)),
        (0xa7, ANY, Err(EOPNOTSUPP)),
        (0xa8, MASTER, Ok(())),
        (0xa9, MASTER, Ok(())),
        (0xaa, ANY, Err(EOPNOTSUPP)),
        (0xab, MASTER, Err(EOPNOTSUPP)),
        (0xac, ANY, Err(EOPNOTSUPP)),
        (0xad, ANY, Err(EOPNOTSUPP)),
        (0xae, ANY, Err(EOPNOTSUPP)),
        (0xaf, ANY, Err(EOPNOTSUPP)),
        (0xb0, MASTER, Err(EOPNOTSUPP)),
        (0xb1, MASTER, Err(EOPNOTSUPP)),
        (0xb2, ANY, Err(ENOSYS)),
        (0xb3, ANY, Err(ENOSYS)),
        (0xb4, ANY, Err(ENOSYS)),
        (0xb5, ANY, Err(EOPNOTSUPP)),
        (0xb6, ANY, Err(EOPNOTSUPP)),
        (0xb7, MASTER, Err(EOPNOTSUPP)),
        (0xb8, ANY, Err(EOPNOTSUPP)),
        (0xb9, ANY, Err(EOPNOTSUPP)),
        (0xba, MASTER, Err(EOPNOTSUPP)),
        (0xbb, MASTER, Err(EOPNOTSUPP)),
        (0xbc, MASTER, Err(EOPNOTSUPP)),
        (0xbd, ANY, Err(EOPNOTSUPP)),
        (0xbe, ANY, Err(EOPNOTSUPP)),
        (0xc6, MASTER, Err(EOPNOTSUPP)),
        (0xc7, MASTER, Err(EOPNOTSUPP)),
        (0xc8, MASTER, Err(EOPNOTSUPP)),
        (0xc9, MASTER, Err(EOPNOTSUPP)),
        (0xce, ANY, Err(EINVAL)),
    ]
}
