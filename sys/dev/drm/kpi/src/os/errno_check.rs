// SPDX-License-Identifier: BSD-2-Clause
//! Compares the error numbers of `util::errno` with those of drm_os.h at compile time.

use super::bindings as c;
use crate::util::errno as e;

macro_rules! same {
    ($($ours:ident $theirs:ident;)*) => {
        $(const _: () = assert!(e::$ours.get().unsigned_abs() == c::$theirs);)*
    };
}

const _: () = assert!(e::ERESTART.get() == c::DRM_OS_ERESTART);
same! {
    EPERM DRM_OS_EPERM;
    ENOENT DRM_OS_ENOENT;
    EINTR DRM_OS_EINTR;
    EIO DRM_OS_EIO;
    ENXIO DRM_OS_ENXIO;
    E2BIG DRM_OS_E2BIG;
    EBADF DRM_OS_EBADF;
    ENOMEM DRM_OS_ENOMEM;
    EACCES DRM_OS_EACCES;
    EFAULT DRM_OS_EFAULT;
    EBUSY DRM_OS_EBUSY;
    EEXIST DRM_OS_EEXIST;
    ENODEV DRM_OS_ENODEV;
    EINVAL DRM_OS_EINVAL;
    EMFILE DRM_OS_EMFILE;
    ENOTTY DRM_OS_ENOTTY;
    ENOSPC DRM_OS_ENOSPC;
    ERANGE DRM_OS_ERANGE;
    EAGAIN DRM_OS_EAGAIN;
    EALREADY DRM_OS_EALREADY;
    EOPNOTSUPP DRM_OS_EOPNOTSUPP;
    ETIMEDOUT DRM_OS_ETIMEDOUT;
    ENOSYS DRM_OS_ENOSYS;
    EOVERFLOW DRM_OS_EOVERFLOW;
    ECANCELED DRM_OS_ECANCELED;
    ETIME DRM_OS_ETIME;
}
