// SPDX-License-Identifier: BSD-2-Clause
//! panfrost: CREATE_BO, GET_BO_OFFSET, MMAP_BO, WAIT_BO and MADVISE.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/panfrost/panfrost_drv.c, panfrost_gem.c, panfrost_mmu.c;
//! the function is named in each description.

mod create_bo;
mod madvise;
mod wait_bo;

use atf::drm::Node;
use atf::{case, require_ok};
use create_bo::{
    addresses, addresses_come_back, create, create_errors, create_too_large, executable_buffers,
    get_bo_offset, large_buffers, mmap_bo,
};
use madvise::{
    madvise_errors, madvise_keeps, madvise_of_shared, madvise_of_two_handles, madvise_purged,
    out_of_memory,
};
use wait_bo::{
    close_while_busy, wait_busy, wait_errors, wait_for_ever, wait_idle, wait_interrupted,
};

const PAGE: u64 = 4096;
/// What the board of `madvise_purged` and `out_of_memory` has.
const SMALL_BOARD: &[&str] = &[
    "--set",
    "ram_mib=64",
    // What is tried here is RAM, not what a user may have of it.
    "--set",
    "user_mem_limit=1073741824",
    "--set",
    "device_mem_limit=1073741824",
];

fn render() -> Node {
    require_ok!(Node::render())
}

fn main() {
    let cases = [
        case!(
            "create",
            "panfrost_ioctl_create_bo: flags and answers",
            create
        ),
        case!(
            "create_errors",
            "panfrost_ioctl_create_bo: EINVAL for size 0, padding, flags",
            create_errors
        ),
        case!(
            "create_too_large",
            "drm_mm_insert_node_generic: ENOSPC when the window is full",
            create_too_large
        ),
        case!(
            "addresses",
            "panfrost_gem_open: places in 32 MiB to 4 GiB that do not overlap",
            addresses
        ),
        case!(
            "large_buffers",
            "panfrost_gem_open: 2 MiB alignment from 2 MiB on",
            large_buffers
        ),
        case!(
            "executable_buffers",
            "panfrost_gem_open, panfrost_drm_mm_color_adjust: aligned to their size, within 16 MiB",
            executable_buffers
        ),
        case!(
            "addresses_come_back",
            "panfrost_gem_teardown_mapping: closing gives the place back",
            addresses_come_back
        ),
        case!(
            "get_bo_offset",
            "panfrost_ioctl_get_bo_offset: ENOENT",
            get_bo_offset
        ),
        case!(
            "mmap_bo",
            "panfrost_ioctl_mmap_bo: EINVAL for flags and heaps, ENOENT",
            mmap_bo
        ),
        case!(
            "wait_idle",
            "panfrost_ioctl_wait_bo: 0 whatever the timeout",
            wait_idle
        ),
        case!(
            "wait_errors",
            "panfrost_ioctl_wait_bo: EINVAL for padding, ENOENT",
            wait_errors
        ),
        case!(
            "wait_busy",
            "panfrost_ioctl_wait_bo: EBUSY past, ETIMEDOUT at the deadline, then 0",
            wait_busy
        ),
        case!(
            "wait_for_ever",
            "drm_timeout_abs_to_jiffies: the largest timeout",
            wait_for_ever
        ),
        case!(
            "wait_interrupted",
            "dma_resv_wait_timeout: EINTR",
            wait_interrupted
        ),
        case!(
            "close_while_busy",
            "panfrost_job_cleanup: a job keeps the mapping",
            close_while_busy
        ),
        case!(
            "madvise_keeps",
            "panfrost_ioctl_madvise: retained without memory pressure",
            madvise_keeps
        ),
        case!(
            "madvise_errors",
            "panfrost_ioctl_madvise: ENOENT",
            madvise_errors
        ),
        case!(
            "madvise_purged",
            "panfrost_gem_purge: retained is 0 when the memory was taken",
            madvise_purged
        )
        .drmboard(SMALL_BOARD, |_| {}),
        case!(
            "out_of_memory",
            "drm_gem_shmem_get_pages: ENOMEM, and nothing changed",
            out_of_memory
        )
        .drmboard(SMALL_BOARD, |_| {}),
        case!(
            "madvise_of_shared",
            "panfrost_ioctl_madvise: EINVAL to give up what two files have",
            madvise_of_shared
        ),
        case!(
            "madvise_of_two_handles",
            "panfrost_ioctl_madvise: EINVAL with two handles",
            madvise_of_two_handles
        )
        .require_user("root"),
    ];
    atf::main(&cases.map(|case| case.board("rk3399").timeout(30)));
}
