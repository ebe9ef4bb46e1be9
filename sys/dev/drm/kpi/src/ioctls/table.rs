// SPDX-License-Identifier: BSD-2-Clause
//! The table of the ioctls that every driver has.

use super::{auth, gem, prime, syncobj, timeline, unsupported, version};
use crate::drm::driver::Driver;
use crate::drm::ioctl::{Ioctl, ANY, AUTH, MASTER, RENDER};
use crate::drm_ioctl;
use crate::util::uapi::{
    Auth, Cap, Client, GemClose, GemFlink, GemOpen, PrimeHandle, SetVersion, Stats, SyncobjArray,
    SyncobjCreate, SyncobjHandle, SyncobjTimelineArray, SyncobjTimelineWait, SyncobjTransfer,
    SyncobjWait, Unique, Version,
};

/// An ioctl without a structure.
macro_rules! bare {
    ($nr:literal, $access:expr, $run:expr) => {
        Ioctl {
            nr: $nr,
            size: 0,
            access: $access,
            run: $run,
        }
    };
}

/// The ioctl with a number outside of the drivers' range.
pub(super) fn find<D: Driver>(nr: u32) -> Option<&'static Ioctl<D>> {
    let mut all = table::<D>().iter().chain(unsupported::table::<D>());
    all.find(|ioctl| ioctl.nr == nr)
}

/// The supported ioctls, most frequent first.
fn table<D: Driver>() -> &'static [Ioctl<D>] {
    const {
        &[
            drm_ioctl!(0x4008_6409, GemClose, RENDER, gem::close),
            drm_ioctl!(0xc028_64c3, SyncobjWait, RENDER, syncobj::wait),
            drm_ioctl!(0xc018_64c1, SyncobjHandle, RENDER, syncobj::handle_to_fd),
            drm_ioctl!(0xc018_64c2, SyncobjHandle, RENDER, syncobj::fd_to_handle),
            drm_ioctl!(0xc008_64bf, SyncobjCreate, RENDER, syncobj::create),
            drm_ioctl!(0xc008_64c0, SyncobjCreate, RENDER, syncobj::destroy),
            drm_ioctl!(0xc010_64c4, SyncobjArray, RENDER, syncobj::reset),
            drm_ioctl!(0xc010_64c5, SyncobjArray, RENDER, syncobj::signal),
            drm_ioctl!(0xc030_64ca, SyncobjTimelineWait, RENDER, timeline::wait),
            drm_ioctl!(0xc018_64cb, SyncobjTimelineArray, RENDER, timeline::query),
            drm_ioctl!(0xc020_64cc, SyncobjTransfer, RENDER, timeline::transfer),
            drm_ioctl!(0xc018_64cd, SyncobjTimelineArray, RENDER, timeline::signal),
            drm_ioctl!(0xc00c_642d, PrimeHandle, RENDER, prime::handle_to_fd),
            drm_ioctl!(0xc00c_642e, PrimeHandle, RENDER, prime::fd_to_handle),
            drm_ioctl!(0xc040_6400, Version, RENDER, version::version),
            drm_ioctl!(0xc010_640c, Cap, RENDER, version::get_cap),
            drm_ioctl!(0xc010_6401, Unique, ANY, version::get_unique),
            drm_ioctl!(0x8004_6402, Auth, ANY, auth::get_magic),
            drm_ioctl!(0xc028_6405, Client, ANY, version::get_client),
            drm_ioctl!(0x80f8_6406, Stats, ANY, |_, _| Ok(())),
            drm_ioctl!(0xc010_6407, SetVersion, MASTER, version::set_version),
            drm_ioctl!(0xc008_640a, GemFlink, AUTH, gem::flink),
            drm_ioctl!(0xc010_640b, GemOpen, AUTH, gem::open),
            drm_ioctl!(0x4004_6411, Auth, MASTER, auth::auth_magic),
            bare!(0x1e, ANY, |call, _| auth::set_master(call)),
            bare!(0x1f, ANY, |call, _| auth::drop_master(call)),
        ]
    }
}
