// SPDX-License-Identifier: BSD-2-Clause
//! panfrost: jobs that fault, heaps that grow, jobs that never end, and clients that are killed.
//!
//! Expected: Linux, drivers/gpu/drm/panfrost/panfrost_job.c and panfrost_mmu.c; the function is
//! named in each description. A failed job's fence carries its error since Linux 6.4
//! (drm_sched_job_done, drm_sched_fence_finished).

mod endless;
mod faults;
mod heaps;

use atf::drm::client::Work;
use atf::drm::{deadline_ns, Node};
use atf::mali::{Chain, Image};
use atf::{case, require_eq, require_ok};
use endless::{
    close_while_running, inherited_file, killed_client, killed_with_shared_buffer, timeout,
    timeout_spares_others,
};
use faults::{
    bad_descriptors, closed_buffer, failed_dependency, next_jobs_of_the_file_run, next_jobs_run,
    other_files_memory, others_go_on, unmapped_chain, unmapped_target, wait_bo_after_fault,
};
use heaps::{heap_ends, heap_grows, heap_of_two_files, heap_of_two_slots};
use uapi::panfrost::*;

/// Jobs that do nothing, long enough to be observed while they run.
const LONG: usize = 20_000;

fn render() -> Node {
    require_ok!(Node::render())
}

fn soon() -> i64 {
    deadline_ns(5000)
}

/// Runs the work to its end; gives its fence's status.
fn run(node: &Node, work: &Work<'_>) -> i32 {
    let out = require_ok!(node.syncobj(0));
    require_ok!(node.submit(&Work {
        out_sync: out.handle,
        ..*work
    }));
    require_ok!(out.wait(soon(), 0));
    require_ok!(out.status())
}

/// A file is well when a job of each slot does its work.
fn require_well(node: &Node) {
    let target = require_ok!(node.bo(4096, BO_NOEXEC));
    let map = require_ok!(target.map());
    map.write_u64(8, u64::MAX);
    let mut chain = require_ok!(Chain::new(node, 4));
    require_eq!(
        run(node, &chain.null(1).write_zero(target.va + 8).work()),
        1
    );
    require_eq!(map.read(8, 8), [0; 8]);
    let mut chain = require_ok!(Chain::new(node, 16));
    chain.clear(
        Image {
            va: target.va,
            width: 16,
            height: 16,
        },
        0x0102_0304,
    );
    require_eq!(run(node, &chain.fragment_work()), 1);
    require_eq!(map.read_u32(0), 0x0102_0304);
}

fn main() {
    let cases = [
        case!(
            "unmapped_chain",
            "panfrost_mmu_irq_handler_thread: the job fails, its file and others go on",
            unmapped_chain
        ),
        case!(
            "unmapped_target",
            "panfrost_job_handle_err: a fault in the midst of a chain",
            unmapped_target
        ),
        case!(
            "closed_buffer",
            "panfrost_mmu_unmap: a closed buffer is out of the GPU's reach",
            closed_buffer
        ),
        case!(
            "other_files_memory",
            "panfrost_mmu_ctx_create: files have address spaces of their own",
            other_files_memory
        ),
        case!(
            "bad_descriptors",
            "panfrost_job_handle_err: jobs that the hardware refuses",
            bad_descriptors
        ),
        case!(
            "next_jobs_run",
            "panfrost_job_handle_irq: good jobs between another file's bad ones",
            next_jobs_run
        ),
        case!(
            "next_jobs_of_the_file_run",
            "panfrost_mmu_as_get: good jobs between bad ones of the same file",
            next_jobs_of_the_file_run
        ),
        case!(
            "others_go_on",
            "panfrost_exception_needs_reset: a fault takes no other slot down",
            others_go_on
        ),
        case!(
            "wait_bo_after_fault",
            "dma_resv_wait_timeout: 0 for a job that failed",
            wait_bo_after_fault
        ),
        case!(
            "failed_dependency",
            "drm_sched_entity_pop_job: a failed dependency has ended",
            failed_dependency
        ),
        case!(
            "heap_grows",
            "panfrost_mmu_map_fault_addr: memory where the GPU writes",
            heap_grows
        ),
        case!(
            "heap_of_two_slots",
            "panfrost_mmu_map_fault_addr: faults of two slots",
            heap_of_two_slots
        ),
        case!(
            "heap_ends",
            "panfrost_gem_create: a heap is whole blocks of 2 MiB, and no more",
            heap_ends
        ),
        case!(
            "heap_of_two_files",
            "panfrost_mmu_map_fault_addr: one heap in two files",
            heap_of_two_files
        ),
        case!(
            "timeout",
            "panfrost_job_timedout: an endless job is stopped and failed",
            timeout
        ),
        case!(
            "timeout_spares_others",
            "panfrost_reset: jobs after an endless one run",
            timeout_spares_others
        ),
        case!(
            "close_while_running",
            "panfrost_job_close: a closed file's jobs end",
            close_while_running
        ),
        case!(
            "killed_client",
            "panfrost_job_close: a killed client affects no other",
            killed_client
        ),
        case!(
            "killed_with_shared_buffer",
            "drm_sched_entity_flush: the fence of a killed client's buffer ends",
            killed_with_shared_buffer
        ),
        case!(
            "inherited_file",
            "a forked child may use its parent's file",
            inherited_file
        ),
    ];
    atf::main(&cases.map(|case| case.board("rk3399").timeout(30)));
}
