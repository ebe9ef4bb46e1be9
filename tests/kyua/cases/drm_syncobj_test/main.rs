// SPDX-License-Identifier: BSD-2-Clause
//! Sync objects: every ioctl, every wait, and descriptors of both kinds.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/drm_syncobj.c; the function is named in each description.
//! The driver has no timelines.

mod descriptors;
mod objects;
mod waits;

use atf::drm::Node;
use atf::{case, require_ok};
use descriptors::{export, export_errors, export_to_process, fences_travel, import_errors};
use objects::{
    array_errors, create, destroy, handles_are_not_buffers, newer_structures, other_requests,
    reset_and_signal, timelines,
};
use waits::{
    killed_waiter, wait_absurd_count, wait_any_and_all, wait_deadline, wait_errors, wait_for_job,
    wait_for_submit, wait_for_submit_of_all, wait_for_submitted_job, wait_interrupted,
    wait_of_empty,
};

/// Jobs that do nothing, long enough to be observed while they run.
const LONG: usize = 20_000;
const UNKNOWN: u32 = 77;

fn render() -> Node {
    require_ok!(Node::render())
}

fn main() {
    let cases = [
        case!(
            "create",
            "drm_syncobj_create_ioctl: empty, signalled, EINVAL for other flags",
            create
        ),
        case!(
            "destroy",
            "drm_syncobj_destroy_ioctl: EINVAL for padding and unknown handles",
            destroy
        ),
        case!(
            "handles_are_not_buffers",
            "drm_syncobj_get_handle: a table of its own",
            handles_are_not_buffers
        ),
        case!(
            "wait_errors",
            "drm_syncobj_wait_ioctl: EINVAL, ENOENT, EFAULT",
            wait_errors
        ),
        case!(
            "wait_absurd_count",
            "drm_syncobj_array_find: ENOMEM for more than memory",
            wait_absurd_count
        ),
        case!(
            "wait_of_empty",
            "drm_syncobj_array_wait_timeout: EINVAL without a fence",
            wait_of_empty
        ),
        case!(
            "wait_any_and_all",
            "drm_syncobj_array_wait_timeout: which one is reported",
            wait_any_and_all
        ),
        case!(
            "wait_deadline",
            "drm_timeout_abs_to_jiffies: ETIME at and after the deadline",
            wait_deadline
        ),
        case!(
            "wait_for_submit",
            "drm_syncobj_fence_add_wait: woken by another thread",
            wait_for_submit
        ),
        case!(
            "wait_for_submit_of_all",
            "drm_syncobj_array_wait_timeout: all, later",
            wait_for_submit_of_all
        ),
        case!(
            "wait_for_job",
            "drm_syncobj_replace_fence: the fence of a job",
            wait_for_job
        ),
        case!(
            "wait_for_submitted_job",
            "drm_syncobj_wait_ioctl: a job submitted later",
            wait_for_submitted_job
        ),
        case!(
            "wait_interrupted",
            "drm_syncobj_array_wait_timeout: EINTR",
            wait_interrupted
        ),
        case!(
            "killed_waiter",
            "a waiter that is killed is gone at once",
            killed_waiter
        ),
        case!(
            "reset_and_signal",
            "drm_syncobj_reset_ioctl, drm_syncobj_signal_ioctl",
            reset_and_signal
        ),
        case!(
            "array_errors",
            "drm_syncobj_array_find: EINVAL, EFAULT, ENOENT, and nothing changed",
            array_errors
        ),
        case!(
            "export",
            "drm_syncobj_get_fd: the same object by other handles",
            export
        ),
        case!(
            "export_to_process",
            "drm_syncobj_fd_to_handle: the same object in another process",
            export_to_process
        ),
        case!(
            "export_errors",
            "drm_syncobj_handle_to_fd_ioctl: EINVAL, ENOENT, and nothing changed",
            export_errors
        ),
        case!(
            "import_errors",
            "drm_syncobj_fd_to_handle_ioctl: EINVAL, ENOENT, and nothing changed",
            import_errors
        ),
        case!(
            "fences_travel",
            "drm_syncobj_import_sync_file_fence: a job's fence in another file",
            fences_travel
        ),
        case!(
            "other_requests",
            "drm_syncobj_file_fops: ENOTTY, ENODEV",
            other_requests
        ),
        case!("timelines", "EOPNOTSUPP for all of timelines", timelines),
        case!(
            "newer_structures",
            "differs from drm_ioctl: newer fields must be zero, else EINVAL",
            newer_structures
        ),
    ];
    atf::main(&cases.map(|case| case.board("rk3399").timeout(30)));
}
