// SPDX-License-Identifier: BSD-2-Clause
//! What a device says of itself, and how any ioctl is taken: VERSION, GET_UNIQUE, GET_CLIENT,
//! GET_STATS, capabilities, SET_VERSION; unknown numbers, argument sizes, directions and bad
//! pointers.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/drm_ioctl.c; the function is named in each description.

mod arguments;
mod identity;
mod numbers;

use arguments::{
    bad_argument, directions, longer_argument, read_only_argument, shorter_argument, wrong_group,
};
use atf::drm::Node;
use atf::{case, require_ok};
use identity::{
    get_cap, get_cap_of_modes, get_cap_of_timelines, get_client, get_stats, get_unique,
    get_unique_of_each_master, set_client_cap, set_version, set_version_failure, version,
    version_fault, version_truncated,
};
use numbers::{numbers_master, numbers_render, numbers_second, numbers_unprivileged};

const BOARD: &str = "rk3399";

fn nodes() -> [Node; 2] {
    [require_ok!(Node::card()), require_ok!(Node::render())]
}

fn main() {
    let cases = [
        case!(
            "version",
            "drm_version: lengths, then texts without NUL",
            version
        ),
        case!(
            "version_truncated",
            "drm_copy_field: short, absent and huge buffers",
            version_truncated
        ),
        case!(
            "version_fault",
            "drm_copy_field: EFAULT for each text",
            version_fault
        ),
        case!(
            "get_unique",
            "drm_getunique, drm_set_busid: the bus name after SET_VERSION 1.1",
            get_unique
        ),
        case!(
            "get_unique_of_each_master",
            "drm_getunique: the name belongs to the master",
            get_unique_of_each_master
        ),
        case!(
            "set_version",
            "drm_setversion: what is taken and what is EINVAL",
            set_version
        ),
        case!(
            "set_version_failure",
            "differs from drm_setversion: a refused call changes nothing, not even its argument",
            set_version_failure
        ),
        case!(
            "get_client",
            "drm_getclient: only client 0, which is the caller",
            get_client
        ),
        case!("get_stats", "drm_getstats: all zero", get_stats),
        case!("get_cap", "drm_getcap: what a render driver has", get_cap),
        case!(
            "get_cap_of_timelines",
            "drm_getcap: a driver with timelines",
            get_cap_of_timelines
        ),
        case!(
            "get_cap_of_modes",
            "drm_getcap: EOPNOTSUPP for what is about modes or unknown",
            get_cap_of_modes
        ),
        case!(
            "set_client_cap",
            "drm_setclientcap: EOPNOTSUPP; EACCES on the render node",
            set_client_cap
        ),
        case!(
            "numbers_render",
            "drm_ioctl, drm_ioctl_permit: every number on the render node",
            numbers_render
        )
        .require_user("root"),
        case!(
            "numbers_master",
            "drm_ioctl: every number, as master",
            numbers_master
        )
        .require_user("root"),
        case!(
            "numbers_second",
            "drm_ioctl_permit: every number on a second primary file",
            numbers_second
        )
        .require_user("root"),
        case!(
            "numbers_unprivileged",
            "drm_ioctl_permit: every number, as master and as stranger without privileges",
            numbers_unprivileged
        )
        .require_user("root"),
        case!(
            "wrong_group",
            "drm_ioctl: ENOTTY for requests that are not DRM's",
            wrong_group
        ),
        case!(
            "shorter_argument",
            "drm_ioctl: an older structure is zero-extended",
            shorter_argument
        ),
        case!(
            "longer_argument",
            "differs from drm_ioctl: a newer structure must end in zeroes, else EINVAL",
            longer_argument
        ),
        case!(
            "directions",
            "drm_ioctl: the direction in the code decides what is copied",
            directions
        ),
        case!(
            "bad_argument",
            "drm_ioctl: EFAULT before anything else",
            bad_argument
        ),
        case!(
            "read_only_argument",
            "drm_ioctl: EFAULT when the answer cannot be written",
            read_only_argument
        ),
    ];
    atf::main(&cases.map(|case| case.board(BOARD).timeout(30)));
}
