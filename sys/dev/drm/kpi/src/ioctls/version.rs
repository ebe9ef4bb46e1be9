// SPDX-License-Identifier: BSD-2-Clause
//! Name, version and capabilities of the driver.

use crate::drm::driver::{Call, Driver};
use crate::os::UserSlice;
use crate::util::errno::{Result, EINVAL, EOPNOTSUPP};
use crate::util::int_conv::u64_of;
use crate::util::uapi::{Cap, Client, SetVersion, Unique, Version};
use core::ffi::CStr;

/// Copies as much of a name as the user has room for and stores its complete length.
fn copy_name<D: Driver>(call: &Call<'_, D>, name: &CStr, len: &mut u64, to: u64) -> Result<()> {
    let bytes = name.to_bytes();
    let room = core::mem::replace(len, u64_of(bytes.len()));
    if to == 0 {
        return Ok(());
    }
    UserSlice::new(to, room).write(call.caller, bytes)
}

pub(super) fn version<D: Driver>(call: &Call<'_, D>, arg: &mut Version) -> Result<()> {
    arg.version_major = D::INFO.major;
    arg.version_minor = D::INFO.minor;
    arg.version_patchlevel = D::INFO.patchlevel;
    copy_name(call, D::INFO.name, &mut arg.name_len, arg.name)?;
    copy_name(call, D::INFO.date, &mut arg.date_len, arg.date)?;
    copy_name(call, D::INFO.desc, &mut arg.desc_len, arg.desc)
}

/// The bus name: empty until the master asks for interface 1.1 or later with SET_VERSION.
pub(super) fn get_unique<D: Driver>(call: &Call<'_, D>, arg: &mut Unique) -> Result<()> {
    let mut buffer = [0; 48];
    let name = call.file.bus_name(&mut buffer);
    let room = core::mem::replace(&mut arg.unique_len, u64_of(name.len()));
    if room < u64_of(name.len()) {
        return Ok(());
    }
    UserSlice::new(arg.unique, room).write(call.caller, name)
}

/// Linux's overflowuid.
const OVERFLOW_UID: u64 = 65534;

/// As in Linux, the only client is the caller, with index 0.
pub(super) fn get_client<D: Driver>(call: &Call<'_, D>, arg: &mut Client) -> Result<()> {
    if arg.idx != 0 {
        return Err(EINVAL);
    }
    let auth = i32::from(call.file.is_authenticated());
    let pid = u64::try_from(call.caller.pid()).unwrap_or(0);
    *arg = Client {
        idx: 0,
        auth,
        pid,
        uid: OVERFLOW_UID,
        ..Client::default()
    };
    Ok(())
}

/// The interface version of the DRM core.
const DI_MAJOR: i32 = 1;
const DI_MINOR: i32 = 4;

/// Checks interface and driver versions (-1 for any) and stores the actual ones.
pub(super) fn set_version<D: Driver>(call: &Call<'_, D>, arg: &mut SetVersion) -> Result<()> {
    let good = |major: i32, minor: i32, have: i32, most: i32| {
        major == -1 || (major == have && (0..=most).contains(&minor))
    };
    if !good(arg.di_major, arg.di_minor, DI_MAJOR, DI_MINOR)
        || !good(arg.dd_major, arg.dd_minor, D::INFO.major, D::INFO.minor)
    {
        return Err(EINVAL);
    }
    if arg.di_major == DI_MAJOR && arg.di_minor >= 1 {
        call.file.show_bus_name()?;
    }
    *arg = SetVersion {
        di_major: DI_MAJOR,
        di_minor: DI_MINOR,
        dd_major: D::INFO.major,
        dd_minor: D::INFO.minor,
    };
    Ok(())
}

const CAP_PRIME: u64 = 0x5;
const CAP_TIMESTAMP_MONOTONIC: u64 = 0x6;
const CAP_SYNCOBJ: u64 = 0x13;
const CAP_SYNCOBJ_TIMELINE: u64 = 0x14;
/// Import 1, export 2.
const PRIME_BOTH: u64 = 3;

pub(super) fn get_cap<D: Driver>(_call: &Call<'_, D>, arg: &mut Cap) -> Result<()> {
    arg.value = match arg.capability {
        CAP_PRIME => PRIME_BOTH,
        CAP_TIMESTAMP_MONOTONIC | CAP_SYNCOBJ | CAP_SYNCOBJ_TIMELINE => 1,
        // The others are about modes.
        _ => return Err(EOPNOTSUPP),
    };
    Ok(())
}
