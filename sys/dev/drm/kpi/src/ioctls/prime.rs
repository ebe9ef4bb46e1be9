// SPDX-License-Identifier: BSD-2-Clause
//! Objects as descriptors (PRIME).

use crate::drm::driver::{Call, Driver};
use crate::os::FdFlags;
use crate::util::errno::{Result, EINVAL};
use crate::util::uapi::PrimeHandle;

/// DRM_CLOEXEC and DRM_RDWR, which are Linux's O_CLOEXEC and O_RDWR.
const CLOEXEC: u32 = 0o2_000_000;
const RDWR: u32 = 2;
/// FreeBSD's O_CLOEXEC: a native client's DRM_CLOEXEC.
const CLOEXEC_FREEBSD: u32 = 0x0010_0000;

pub(super) fn handle_to_fd<D: Driver>(call: &Call<'_, D>, arg: &mut PrimeHandle) -> Result<()> {
    if arg.flags & !(CLOEXEC | CLOEXEC_FREEBSD | RDWR) != 0 {
        return Err(EINVAL);
    }
    let mut flags = FdFlags::empty();
    flags.set(
        FdFlags::CLOEXEC,
        arg.flags & (CLOEXEC | CLOEXEC_FREEBSD) != 0,
    );
    flags.set(FdFlags::WRITE, arg.flags & RDWR != 0);
    arg.fd = call.export(arg.handle, flags)?;
    Ok(())
}

pub(super) fn fd_to_handle<D: Driver>(call: &Call<'_, D>, arg: &mut PrimeHandle) -> Result<()> {
    arg.handle = call.import(call.caller, arg.fd)?;
    Ok(())
}
