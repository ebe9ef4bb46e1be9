// SPDX-License-Identifier: BSD-2-Clause
//! Dispatch of ioctls. The order of the checks is that of drm_ioctl() and drm_ioctl_permit() of
//! Linux 6.1.

use super::table;
use crate::alloc::Arc;
use crate::drm::device::Device;
use crate::drm::driver::{Call, Driver};
use crate::drm::file::File;
use crate::drm::ioctl::{Access, Ioctl, DRIVER_BASE, DRIVER_END, GROUP};
use crate::os::{Caller, NodeKind, NodeOps, UserMapping};
use crate::util::errno::{Result, EACCES, EINVAL, ENOTTY, ENXIO};
use crate::util::int_conv::usize_of_u32;
use core::marker::PhantomData;

/// The files of a driver's nodes.
pub(crate) struct Files<D: Driver>(PhantomData<D>);

impl<D: Driver> NodeOps for Files<D> {
    type Device = Device<D>;
    type File = File<D>;

    fn open(device: Arc<Device<D>>, kind: NodeKind, caller: &Caller<'_>) -> Result<Arc<File<D>>> {
        device.check()?;
        File::open(device, kind, caller)
    }

    fn close(file: &File<D>) {
        file.close();
    }

    fn ioctl(
        file: &File<D>,
        caller: &Caller<'_>,
        group: u32,
        nr: u32,
        data: &mut [u8],
    ) -> Result<()> {
        file.count_ioctl();
        dispatch(&Call { file, caller }, group, nr, data)
    }

    fn mmap(file: &File<D>, offset: u64, len: u64) -> Result<UserMapping> {
        file.device().check()?;
        file.mmap(offset, len)
    }
}

fn find<D: Driver>(nr: u32) -> Result<&'static Ioctl<D>> {
    if (DRIVER_BASE..DRIVER_END).contains(&nr) {
        let index = nr.checked_sub(DRIVER_BASE).ok_or(EINVAL)?;
        D::IOCTLS.get(usize_of_u32(index)).ok_or(EINVAL)
    } else {
        table::find::<D>(nr).ok_or(EINVAL)
    }
}

fn permit<D: Driver>(access: Access, call: &Call<'_, D>) -> Result<()> {
    let file = call.file;
    let refused = (access.root && !call.caller.privileged())
        || (access.auth && !file.is_render() && !file.is_authenticated())
        || (access.master && !file.is_current_master())
        || (!access.render && file.is_render());
    if refused {
        Err(EACCES)
    } else {
        Ok(())
    }
}

/// Calls ioctl `nr` of `group` with the user's structure in `data`.
///
/// # Errors
///
/// ENOTTY for another group, EINVAL for an unknown number or a longer structure that is not zero
/// after the fields of this version, ENXIO if the device is detached, EACCES, and the errors of the
/// ioctl.
fn dispatch<D: Driver>(call: &Call<'_, D>, group: u32, nr: u32, data: &mut [u8]) -> Result<()> {
    if group != GROUP {
        return Err(ENOTTY);
    }
    if call.device().is_gone() {
        return Err(ENXIO);
    }
    let ioctl = find::<D>(nr)?;
    let tail = data.get(ioctl.size..).unwrap_or_default();
    if ioctl.size != 0 && tail.iter().any(|b| *b != 0) {
        return Err(EINVAL);
    }
    permit(ioctl.access, call)?;
    // So a client at its limit can use the memory that its own ended jobs held, and a client that
    // has waited for a fence finds that memory free.
    D::settle(call.file.driver());
    let done = (ioctl.run)(call, data);
    D::settle(call.file.driver());
    done
}
