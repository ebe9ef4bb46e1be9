// SPDX-License-Identifier: BSD-2-Clause
//! panfrost: SUBMIT. Every error, and jobs that do what they should in the order in which they
//! should.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/panfrost/panfrost_drv.c and panfrost_job.c (driver 1.2);
//! the function is named in each description. The only constant that a v5 job can write to memory
//! is zero, so memory starts as something else.

mod effects;
mod errors;
mod order;

use atf::drm::{deadline_ns, Node};
use atf::{case, require_ok};
use effects::{across_pages, clears_image, writes_value};
use errors::{
    absurd_counts, bo_handles, bo_twice, failure_changes_nothing, job_errors, newer_form,
    order_of_errors, sync_errors,
};
use order::{
    buffers_may_be_closed, implicit_sync, implicit_sync_of_files, in_order, in_sync_is_out_sync,
    in_syncs, many, out_sync, primary_node, unordered,
};

const FILLED: u32 = 0xdead_beef;
const PIXEL: u32 = 0x4433_2211;

fn render() -> Node {
    require_ok!(Node::render())
}

fn soon() -> i64 {
    deadline_ns(5000)
}

fn main() {
    let cases = [
        case!(
            "bo_handles",
            "drm_gem_objects_lookup: ENOENT, EFAULT",
            bo_handles
        ),
        case!(
            "bo_twice",
            "drm_gem_lock_reservations: EALREADY for a buffer named twice",
            bo_twice
        ),
        case!(
            "absurd_counts",
            "drm_gem_objects_lookup, panfrost_copy_in_sync: ENOMEM",
            absurd_counts
        ),
        case!(
            "job_errors",
            "panfrost_ioctl_submit: EINVAL for no job and unknown requirements",
            job_errors
        ),
        case!(
            "sync_errors",
            "panfrost_copy_in_sync: ENODEV, ENOENT, EINVAL, EFAULT",
            sync_errors
        ),
        case!(
            "order_of_errors",
            "panfrost_ioctl_submit: which of several errors is reported",
            order_of_errors
        ),
        case!(
            "failure_changes_nothing",
            "panfrost_ioctl_submit: no fence, handle, descriptor or byte after a refusal",
            failure_changes_nothing
        ),
        case!(
            "newer_form",
            "differs from drm_ioctl: what driver 1.5 appended must be zero",
            newer_form
        ),
        case!(
            "writes_value",
            "panfrost_job_run: a chain runs to its end, and WAIT_BO sees it",
            writes_value
        ),
        case!(
            "across_pages",
            "panfrost_mmu_map: small and large pages",
            across_pages
        ),
        case!(
            "clears_image",
            "panfrost_job_get_slot: a fragment job",
            clears_image
        ),
        case!(
            "out_sync",
            "drm_syncobj_replace_fence: the job's fence in place of the old one",
            out_sync
        ),
        case!(
            "in_syncs",
            "panfrost_copy_in_sync: a job waits for fences",
            in_syncs
        ),
        case!(
            "in_sync_is_out_sync",
            "panfrost_ioctl_submit: the old fence is waited for",
            in_sync_is_out_sync
        ),
        case!(
            "unordered",
            "panfrost_job_get_slot: what names nothing in common waits for nothing",
            unordered
        ),
        case!(
            "implicit_sync",
            "panfrost_acquire_object_fences: a job waits for its buffers",
            implicit_sync
        ),
        case!(
            "implicit_sync_of_files",
            "panfrost_acquire_object_fences: also for those of another file's jobs",
            implicit_sync_of_files
        ),
        case!(
            "in_order",
            "drm_sched_entity_push_job: jobs of a slot end in order",
            in_order
        ),
        case!(
            "many",
            "panfrost_job_push: more jobs than the hardware holds",
            many
        ),
        case!(
            "buffers_may_be_closed",
            "panfrost_job_cleanup: a job holds its buffers",
            buffers_may_be_closed
        ),
        case!(
            "primary_node",
            "DRM_RENDER_ALLOW: the same on the primary node",
            primary_node
        ),
    ];
    atf::main(&cases.map(|case| case.board("rk3399").timeout(30)));
}
