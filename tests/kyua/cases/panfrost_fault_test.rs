// SPDX-License-Identifier: BSD-2-Clause
//! panfrost: jobs that fault, heaps that grow, jobs that never end, and clients that are killed.
//!
//! Expected: Linux, drivers/gpu/drm/panfrost/panfrost_job.c and panfrost_mmu.c; the function is
//! named in each description. A failed job's fence carries its error since Linux 6.4
//! (drm_sched_job_done, drm_sched_fence_finished).

use atf::drm::client::{Syncobj, Work};
use atf::drm::{deadline_ns, now_ns, Node};
use atf::mali::{Chain, Image, NO_SUCH_JOB};
use atf::process::{channel, fork, Exit};
use atf::{case, require, require_eq, require_errno, require_ok, Ctx};
use std::time::Duration;
use uapi::panfrost::*;

/// Jobs that do nothing, long enough to be observed while they run.
const LONG: usize = 20_000;
const BLOCK: u64 = 2 << 20;
/// In the window, where these tests never have a buffer.
const NOWHERE: u64 = 0xf000_0000;

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

fn unmapped_chain(_: &Ctx) {
    let (node, other) = (render(), render());
    for requirements in [0, REQ_FS] {
        let status = run(
            &node,
            &Work {
                jc: NOWHERE,
                requirements,
                ..Work::default()
            },
        );
        require!(status < 0, "status {status}");
        require_well(&node);
    }
    require_well(&other);
}

fn unmapped_target(_: &Ctx) {
    let node = render();
    let target = require_ok!(node.bo(4096, BO_NOEXEC));
    let map = require_ok!(target.map());
    for at in [0, 8] {
        map.write_u64(at, u64::MAX);
    }
    let mut chain = require_ok!(Chain::new(&node, 4));
    chain
        .write_zero(target.va)
        .write_zero(NOWHERE)
        .write_zero(target.va + 8);
    let status = run(&node, &chain.work());
    require!(status < 0, "status {status}");
    require_eq!(map.read(0, 8), [0; 8], "what came before it happened");
    require_eq!(map.read(8, 8), [0xff; 8], "what came after it did not");
    require_well(&node);
}

fn closed_buffer(_: &Ctx) {
    let node = render();
    let target = require_ok!(node.bo(4096, BO_NOEXEC));
    let mut chain = require_ok!(Chain::new(&node, 4));
    chain.write_zero(target.va);
    require_eq!(run(&node, &chain.work()), 1);
    drop(target);
    let status = run(&node, &chain.work());
    require!(status < 0, "status {status}");
    require_well(&node);
}

fn other_files_memory(_: &Ctx) {
    let (node, other) = (render(), render());
    // At an address at which the faulting file has nothing.
    let spacer = require_ok!(other.bo(64 << 20, BO_NOEXEC | BO_HEAP));
    let target = require_ok!(other.bo(4096, BO_NOEXEC));
    let map = require_ok!(target.map());
    map.write_u64(0, u64::MAX);
    let mut chain = require_ok!(Chain::new(&node, 1));
    require!(chain.head() != target.va && spacer.va != target.va);
    let free = node
        .live_handles()
        .iter()
        .all(|handle| node.bo_offset(*handle) != Ok(target.va));
    require!(free, "{:#x} is in use in both files", target.va);
    let status = run(&node, &chain.write_zero(target.va).work());
    require!(status < 0, "status {status}");
    require_eq!(map.read(0, 8), [0xff; 8]);
    require_well(&other);
}

fn bad_descriptors(_: &Ctx) {
    let node = render();
    let mut unknown = require_ok!(Chain::new(&node, 4));
    unknown.null(1).job(NO_SUCH_JOB, &[]);
    let mut wrong_slot = require_ok!(Chain::new(&node, 16));
    wrong_slot.clear(
        Image {
            va: NOWHERE,
            width: 16,
            height: 16,
        },
        0,
    );
    let mut crooked = require_ok!(Chain::new(&node, 4));
    crooked.null(2);
    for work in [
        unknown.work(),
        // A fragment job in the slot that does not take it.
        wrong_slot.work(),
        Work {
            jc: crooked.head() + 8,
            ..Work::default()
        },
    ] {
        let status = run(&node, &work);
        require!(status < 0, "{work:?} gave {status}");
        require_well(&node);
    }
}

fn next_jobs_run(_: &Ctx) {
    let (node, other) = (render(), render());
    let mut good = require_ok!(Chain::new(&node, 1));
    let good = good.null(1).work();
    let outs: Vec<Syncobj<'_>> = (0..10).map(|_| require_ok!(node.syncobj(0))).collect();
    for out in &outs {
        require_ok!(other.submit(&Work {
            jc: NOWHERE,
            ..Work::default()
        }));
        require_ok!(node.submit(&Work {
            out_sync: out.handle,
            ..good
        }));
    }
    for (i, out) in outs.iter().enumerate() {
        require_ok!(out.wait(soon(), 0));
        require_eq!(out.status(), Ok(1), "job {i}");
    }
    require_well(&other);
}

fn next_jobs_of_the_file_run(_: &Ctx) {
    let node = render();
    let mut good = require_ok!(Chain::new(&node, 1));
    let good = good.null(1).work();
    let outs: Vec<Syncobj<'_>> = (0..12).map(|_| require_ok!(node.syncobj(0))).collect();
    for (i, out) in outs.iter().enumerate() {
        let jc = if i % 4 == 0 { NOWHERE } else { good.jc };
        require_ok!(node.submit(&Work {
            jc,
            out_sync: out.handle,
            ..good
        }));
    }
    for (i, out) in outs.iter().enumerate() {
        require_ok!(out.wait(soon(), 0));
        let status = require_ok!(out.status());
        match i % 4 {
            0 => require!(status < 0, "bad job {i} ended with {status}"),
            // The hardware may have had it already, and its address space is the one that was
            // switched off; Linux starts it again without switching that on.
            1 => {}
            _ => require_eq!(status, 1, "job {i}"),
        }
    }
    require_well(&node);
}

fn others_go_on(_: &Ctx) {
    let (node, other) = (render(), render());
    let mut long = require_ok!(Chain::new(&other, LONG));
    long.null(LONG);
    let out = require_ok!(other.syncobj(0));
    require_ok!(other.submit(&Work {
        out_sync: out.handle,
        ..long.work()
    }));
    // Faults in the other slot while the long chain runs.
    for _ in 0..3 {
        let status = run(
            &node,
            &Work {
                jc: NOWHERE,
                requirements: REQ_FS,
                ..Work::default()
            },
        );
        require!(status < 0, "status {status}");
    }
    require_ok!(out.wait(soon(), 0));
    require_eq!((out.status(), long.last_status()), (Ok(1), 1));
}

fn wait_bo_after_fault(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(4096, BO_NOEXEC));
    let bos = [bo.handle];
    require_ok!(node.submit(&Work {
        jc: NOWHERE,
        bos: &bos,
        ..Work::default()
    }));
    // A wait is for the end, however it is.
    require_eq!(bo.wait(soon()), Ok(0));
}

fn failed_dependency(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(4096, BO_NOEXEC));
    let bos = [bo.handle];
    let first = require_ok!(node.syncobj(0));
    require_ok!(node.submit(&Work {
        jc: NOWHERE,
        bos: &bos,
        out_sync: first.handle,
        ..Work::default()
    }));
    let mut chain = require_ok!(Chain::new(&node, 1));
    let in_syncs = [first.handle];
    // A dependency has ended when it failed, too.
    require_eq!(
        run(
            &node,
            &Work {
                bos: &bos,
                in_syncs: &in_syncs,
                ..chain.null(1).work()
            }
        ),
        1
    );
    require!(require_ok!(first.status()) < 0);
}

fn heap_grows(_: &Ctx) {
    let node = render();
    let heap = require_ok!(node.bo(8 * BLOCK as u32, BO_HEAP | BO_NOEXEC));
    let mut chain = require_ok!(Chain::new(&node, 16));
    // Both ends, both sides of each 2 MiB boundary, and one place twice.
    chain
        .write_zero(heap.va)
        .write_zero(heap.va + 8 * BLOCK - 8)
        .write_zero(heap.va + 16);
    for block in [2, 5] {
        chain
            .write_zero(heap.va + block * BLOCK - 8)
            .write_zero(heap.va + block * BLOCK);
    }
    let bos = [heap.handle, chain.handle()];
    require_eq!(
        run(
            &node,
            &Work {
                bos: &bos,
                ..chain.work()
            }
        ),
        1
    );
    require_eq!(chain.last_status(), 1);
    require_eq!(run(&node, &chain.work()), 1, "again, with the memory there");
    require_ok!(heap.wait(0));
    require_well(&node);
}

fn heap_of_two_slots(_: &Ctx) {
    let node = render();
    let heap = require_ok!(node.bo(4 * BLOCK as u32, BO_HEAP | BO_NOEXEC));
    let mut jobs = require_ok!(Chain::new(&node, 4));
    jobs.write_zero(heap.va + BLOCK)
        .write_zero(heap.va + 3 * BLOCK);
    let mut fragment = require_ok!(Chain::new(&node, 16));
    fragment.clear(
        Image {
            va: heap.va + 2 * BLOCK - 4096,
            width: 16,
            height: 128,
        },
        7,
    );
    let outs = [require_ok!(node.syncobj(0)), require_ok!(node.syncobj(0))];
    require_ok!(node.submit(&Work {
        out_sync: outs[0].handle,
        ..jobs.work()
    }));
    require_ok!(node.submit(&Work {
        out_sync: outs[1].handle,
        ..fragment.fragment_work()
    }));
    for out in &outs {
        require_ok!(out.wait(soon(), 0));
        require_eq!(out.status(), Ok(1));
    }
}

fn heap_ends(_: &Ctx) {
    let node = render();
    let heap = require_ok!(node.bo(100, BO_HEAP | BO_NOEXEC));
    let mut chain = require_ok!(Chain::new(&node, 1));
    require_eq!(
        run(&node, &chain.write_zero(heap.va + BLOCK - 8).work()),
        1,
        "rounded up to 2 MiB"
    );
    let mut chain = require_ok!(Chain::new(&node, 1));
    let status = run(&node, &chain.write_zero(heap.va + 8 * BLOCK).work());
    require!(status < 0, "status {status}");
    require_well(&node);
}

fn heap_of_two_files(_: &Ctx) {
    let (node, other) = (render(), render());
    let heap = require_ok!(node.bo(2 * BLOCK as u32, BO_HEAP | BO_NOEXEC));
    let fd = require_ok!(node.export(heap.handle, libc::O_CLOEXEC));
    let theirs = require_ok!(other.import(&fd));
    let va = require_ok!(other.bo_offset(theirs));
    let mut ours = require_ok!(Chain::new(&node, 1));
    require_eq!(run(&node, &ours.write_zero(heap.va).work()), 1);
    let mut chain = require_ok!(Chain::new(&other, 2));
    require_eq!(
        run(&other, &chain.write_zero(va).write_zero(va + BLOCK).work()),
        1
    );
}

/// A chain whose only job is its own successor.
fn endless(node: &Node) -> Chain<'_> {
    require_ok!(Chain::endless(node))
}

fn timeout(_: &Ctx) {
    let (node, other) = (render(), render());
    let chain = endless(&node);
    let out = require_ok!(node.syncobj(0));
    let start = now_ns();
    require_ok!(node.submit(&Work {
        out_sync: out.handle,
        ..chain.work()
    }));
    // JOB_TIMEOUT_MS is 500.
    require_errno!(out.wait(deadline_ns(200), 0), libc::ETIME);
    require_ok!(out.wait(soon(), 0));
    let ran = (now_ns() - start) / 1_000_000;
    require!((400..3000).contains(&ran), "stopped after {ran} ms");
    let status = require_ok!(out.status());
    require_eq!(status, -libc::ETIMEDOUT);
    require_well(&node);
    require_well(&other);
}

fn timeout_spares_others(_: &Ctx) {
    let (node, other) = (render(), render());
    let chain = endless(&node);
    require_ok!(node.submit(&chain.work()));
    let mut waiting = require_ok!(Chain::new(&other, 1));
    // After the endless chain in the same slot: it must run after the reset.
    require_eq!(run(&other, &waiting.null(1).work()), 1);
    require_eq!(waiting.last_status(), 1);
}

fn close_while_running(_: &Ctx) {
    let other = render();
    for long in [true, false] {
        let node = render();
        let chain = if long {
            let mut chain = require_ok!(Chain::new(&node, LONG));
            chain.null(LONG);
            chain
        } else {
            endless(&node)
        };
        for _ in 0..3 {
            require_ok!(node.submit(&chain.work()));
        }
        drop(chain);
        drop(node);
        let start = now_ns();
        require_well(&other);
        require!(
            now_ns() - start < 3_000_000_000,
            "a dead client's jobs block others"
        );
    }
}

fn killed_client(_: &Ctx) {
    let node = render();
    let (ours, theirs) = require_ok!(channel());
    let mut child = require_ok!(fork(move || {
        let node = render();
        let mut chain = require_ok!(Chain::new(&node, LONG));
        chain.null(LONG);
        let bos = [chain.handle()];
        for _ in 0..3 {
            require_ok!(node.submit(&Work {
                bos: &bos,
                ..chain.work()
            }));
        }
        require_ok!(theirs.send(b"busy", None));
        let _ = chain.wait(i64::MAX);
        std::thread::sleep(Duration::from_secs(10));
        0
    }));
    require_ok!(ours.receive(&mut [0; 8]));
    let mut long = require_ok!(Chain::new(&node, 1000));
    let out = require_ok!(node.syncobj(0));
    require_ok!(node.submit(&Work {
        out_sync: out.handle,
        ..long.null(1000).work()
    }));
    require_ok!(child.kill(libc::SIGKILL));
    require_eq!(
        require_ok!(child.wait_for(Duration::from_secs(2))),
        Some(Exit::Signal(libc::SIGKILL))
    );
    require_ok!(out.wait(soon(), 0));
    require_eq!((out.status(), long.last_status()), (Ok(1), 1));
    require_well(&node);
}

fn killed_with_shared_buffer(_: &Ctx) {
    let (ours, theirs) = require_ok!(channel());
    let mut child = require_ok!(fork(move || {
        let node = render();
        let bo = require_ok!(node.bo(4096, BO_NOEXEC));
        let fd = require_ok!(node.export(bo.handle, libc::O_CLOEXEC | libc::O_RDWR));
        let mut chain = require_ok!(Chain::new(&node, LONG));
        let bos = [bo.handle];
        require_ok!(node.submit(&Work {
            bos: &bos,
            ..chain.null(LONG).work()
        }));
        require_ok!(theirs.send(b"shared", Some(std::os::fd::AsFd::as_fd(&fd))));
        std::thread::sleep(Duration::from_secs(10));
        0
    }));
    let (_, fd) = require_ok!(ours.receive(&mut [0; 8]));
    let node = render();
    let handle = require_ok!(node.import(&fd.unwrap()));
    require_ok!(child.kill(libc::SIGKILL));
    require_ok!(child.wait());
    // The dead client's fence must end, one way or the other.
    require_ok!(node.wait_bo(handle, soon()));
    let mut chain = require_ok!(Chain::new(&node, 1));
    let va = require_ok!(node.bo_offset(handle));
    let bos = [handle];
    require_eq!(
        run(
            &node,
            &Work {
                bos: &bos,
                ..chain.write_zero(va).work()
            }
        ),
        1
    );
}

fn inherited_file(_: &Ctx) {
    let node = render();
    let target = require_ok!(node.bo(4096, BO_NOEXEC));
    let map = require_ok!(target.map());
    map.write_u64(0, u64::MAX);
    let mut child = require_ok!(fork(|| {
        let mut chain = require_ok!(Chain::new(&node, 1));
        require_eq!(run(&node, &chain.write_zero(target.va).work()), 1);
        0
    }));
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
    require_eq!(map.read(0, 8), [0; 8]);
    require_well(&node);
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
