// SPDX-License-Identifier: BSD-2-Clause
//! Sync objects: every ioctl, every wait, and descriptors of both kinds.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/drm_syncobj.c; the function is named in each description.
//! Timelines are those of newer Linux, and of a driver that has them.

mod descriptors;
mod objects;
mod point_waits;
mod points;
mod waits;

use atf::drm::Node;
use atf::{case, require_ok};
use descriptors::{export, export_errors, export_to_process, fences_travel, import_errors};
use objects::{
    array_errors, create, destroy, handles_are_not_buffers, newer_structures, other_requests,
    reset_and_signal,
};
use point_waits::{
    point_threads, point_wait, point_wait_available, point_wait_errors, point_wait_for_jobs,
    point_wait_for_submit,
};
use points::{
    binary_of_points, point_errors, point_files, point_order, point_signal, transfer,
    transfer_errors, transfer_flags, transfer_for_submit,
};
use waits::{
    killed_waiter, newer_waits, wait_absurd_count, wait_any_and_all, wait_deadline, wait_errors,
    wait_for_job, wait_for_submit, wait_for_submit_of_all, wait_for_submitted_job,
    wait_interrupted, wait_of_empty,
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
        case!(
            "newer_waits",
            "drm_syncobj_wait_ioctl of Linux 6.6: no handles, deadlines",
            newer_waits
        ),
        case!(
            "point_signal",
            "drm_syncobj_timeline_signal_ioctl, drm_syncobj_query_ioctl: in order",
            point_signal
        ),
        case!(
            "point_order",
            "dma_fence_chain_init: points that are not larger than the last",
            point_order
        ),
        case!(
            "point_errors",
            "drm_syncobj_timeline_signal_ioctl, drm_syncobj_query_ioctl: errors",
            point_errors
        ),
        case!(
            "binary_of_points",
            "drm_syncobj_replace_fence: binary ioctls of a timeline",
            binary_of_points
        ),
        case!(
            "transfer",
            "drm_syncobj_transfer_ioctl: to points and from points",
            transfer
        ),
        case!(
            "transfer_errors",
            "drm_syncobj_transfer_ioctl: EINVAL, ENOENT, and nothing changed",
            transfer_errors
        ),
        case!(
            "transfer_flags",
            "drm_syncobj_find_fence of newer Linux: EINVAL for other flags",
            transfer_flags
        ),
        case!(
            "transfer_for_submit",
            "drm_syncobj_find_fence: waits for the point",
            transfer_for_submit
        ),
        case!(
            "point_files",
            "drm_syncobj_handle_to_fd_ioctl of Linux 6.16: sync_files of points",
            point_files
        ),
        case!(
            "point_wait",
            "drm_syncobj_timeline_wait_ioctl: which one is reported",
            point_wait
        ),
        case!(
            "point_wait_errors",
            "drm_syncobj_timeline_wait_ioctl: EINVAL, ENOENT, EFAULT, ENOMEM",
            point_wait_errors
        ),
        case!(
            "point_wait_for_submit",
            "drm_syncobj_add_point: woken by that point only",
            point_wait_for_submit
        ),
        case!(
            "point_wait_available",
            "drm_syncobj_array_wait_timeout: WAIT_AVAILABLE",
            point_wait_available
        ),
        case!(
            "point_wait_for_jobs",
            "dma_fence_chain_find_seqno: points of jobs",
            point_wait_for_jobs
        ),
        case!(
            "point_threads",
            "threads that signal and wait for points of one timeline",
            point_threads
        ),
        case!(
            "newer_structures",
            "differs from drm_ioctl: newer fields must be zero, else EINVAL",
            newer_structures
        ),
    ];
    atf::main(&cases.map(|case| case.board("rk3399").timeout(30)));
}
