// SPDX-License-Identifier: BSD-2-Clause
//! panfrost: CREATE_BO, GET_BO_OFFSET, MMAP_BO, WAIT_BO and MADVISE.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/panfrost/panfrost_drv.c, panfrost_gem.c, panfrost_mmu.c;
//! the function is named in each description.

use atf::drm::{deadline_ns, now_ns, Node, BAD_ADDRESS};
use atf::mali::Chain;
use atf::process::{fork, Exit};
use atf::{case, require, require_eq, require_errno, require_ok, Ctx, Sys};
use uapi::core::{GemFlink, GemOpen, GEM_FLINK, GEM_OPEN};
use uapi::panfrost::*;

const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// What clients may be given: panfrost_mmu_ctx_create.
const WINDOW: std::ops::Range<u64> = 32 * MIB..4 * GIB;
/// Jobs that do nothing, long enough to be observed while they run.
const LONG: usize = 20_000;

fn render() -> Node {
    require_ok!(Node::render())
}

fn create_raw(node: &Node, mut arg: CreateBo) -> Sys<CreateBo> {
    node.ioctl(CREATE_BO, &mut arg).map(|_| arg)
}

fn create(_: &Ctx) {
    let node = render();
    for flags in [0, BO_NOEXEC, BO_NOEXEC | BO_HEAP] {
        let bo = require_ok!(node.bo(PAGE as u32, flags));
        require!(
            bo.handle != 0 && WINDOW.contains(&bo.va),
            "flags {flags}: {bo:?}"
        );
        require_eq!(bo.va % PAGE, 0);
        require_eq!(node.bo_offset(bo.handle), Ok(bo.va));
    }
    // What the caller left in the answers does not matter.
    let arg = CreateBo {
        size: 1,
        handle: 99,
        offset: 99,
        ..CreateBo::default()
    };
    let answer = require_ok!(create_raw(&node, arg));
    require_eq!(node.live_handles(), [answer.handle]);
}

fn create_errors(_: &Ctx) {
    let node = render();
    let good = CreateBo {
        size: PAGE as u32,
        handle: 77,
        offset: 78,
        ..CreateBo::default()
    };
    for bad in [
        CreateBo { size: 0, ..good },
        CreateBo {
            size: 0,
            flags: BO_NOEXEC,
            ..good
        },
        CreateBo { pad: 1, ..good },
        CreateBo {
            flags: BO_HEAP,
            ..good
        },
        CreateBo {
            flags: BO_WB_MMAP,
            ..good
        },
        CreateBo {
            flags: BO_WB_MMAP | BO_NOEXEC,
            ..good
        },
        CreateBo { flags: 8, ..good },
        CreateBo {
            flags: 1 << 31,
            ..good
        },
        CreateBo {
            flags: u32::MAX,
            ..good
        },
    ] {
        let mut arg = bad;
        match node.ioctl(CREATE_BO, &mut arg) {
            Err(atf::Errno(libc::EINVAL)) => {}
            other => panic!("{bad:?} gave {other:?}"),
        }
        require_eq!((arg.handle, arg.offset), (77, 78));
    }
    require_errno!(node.ioctl_raw(CREATE_BO.code(), BAD_ADDRESS), libc::EFAULT);
    require_eq!(node.live_handles(), []);
}

fn create_too_large(_: &Ctx) {
    let node = render();
    // More than the window; a heap, so that no memory is asked for first.
    let arg = CreateBo {
        size: u32::MAX,
        flags: BO_NOEXEC | BO_HEAP,
        ..CreateBo::default()
    };
    require_errno!(create_raw(&node, arg), libc::ENOSPC);
    require_eq!(node.live_handles(), []);
    let half = require_ok!(node.bo(2 * GIB as u32, BO_NOEXEC | BO_HEAP));
    require_errno!(node.bo(2 * GIB as u32, BO_NOEXEC | BO_HEAP), libc::ENOSPC);
    drop(half);
    require_ok!(node.bo(2 * GIB as u32, BO_NOEXEC | BO_HEAP));
}

fn addresses(_: &Ctx) {
    let node = render();
    let sizes = [1, PAGE, PAGE + 1, 3 * PAGE, 64 << 10, MIB];
    let mut ranges = Vec::new();
    let mut bos = Vec::new();
    for size in sizes.into_iter().cycle().take(60) {
        let bo = require_ok!(node.bo(size as u32, BO_NOEXEC));
        ranges.push(bo.va..bo.va + size.next_multiple_of(PAGE));
        bos.push(bo);
    }
    ranges.sort_by_key(|range| range.start);
    require!(
        ranges.first().unwrap().start >= WINDOW.start && ranges.last().unwrap().end <= WINDOW.end
    );
    for pair in ranges.windows(2) {
        require!(pair[0].end <= pair[1].start, "{pair:x?} overlap");
    }
    // Another file's addresses are its own affair.
    let other = render();
    require!(WINDOW.contains(&require_ok!(other.bo(PAGE as u32, 0)).va));
}

fn large_buffers(_: &Ctx) {
    let node = render();
    let _odd = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    let bos: Vec<_> = [2 * MIB, 3 * MIB, 2 * MIB + PAGE]
        .into_iter()
        .map(|size| require_ok!(node.bo(size as u32, BO_NOEXEC)))
        .collect();
    for bo in &bos {
        require_eq!(bo.va % (2 * MIB), 0, "{bo:?}");
    }
    let heap = require_ok!(node.bo(PAGE as u32, BO_NOEXEC | BO_HEAP));
    require_eq!(heap.va % (2 * MIB), 0, "a heap is 2 MiB at least");
}

fn executable_buffers(_: &Ctx) {
    let node = render();
    let mut bos = Vec::new();
    for size in [PAGE, 64 << 10, 16 << 10, MIB, PAGE, 4 * MIB, 16 * MIB]
        .into_iter()
        .cycle()
        .take(28)
    {
        let bo = require_ok!(node.bo(size as u32, 0));
        require_eq!(bo.va % size, 0, "{bo:?}");
        let last = bo.va + size - 1;
        require_eq!(
            bo.va / (16 * MIB),
            last / (16 * MIB),
            "{bo:?} crosses 16 MiB"
        );
        require!(bo.va + size < WINDOW.end, "{bo:?} ends at 4 GiB");
        bos.push(bo);
    }
}

fn addresses_come_back(_: &Ctx) {
    let node = render();
    // Two thirds of the window each time: every one must have given its place back.
    for _ in 0..8 {
        let bo = require_ok!(node.bo((3 * GIB - 64 * MIB) as u32, BO_NOEXEC | BO_HEAP));
        require_ok!(node.gem_close(bo.handle));
    }
}

fn get_bo_offset(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    for handle in [0, bo.handle + 1, u32::MAX] {
        require_errno!(node.bo_offset(handle), libc::ENOENT);
    }
    require_errno!(other.bo_offset(bo.handle), libc::ENOENT);
    let mut arg = GetBoOffset {
        handle: bo.handle + 1,
        pad: 0,
        offset: 9,
    };
    require_errno!(node.ioctl(GET_BO_OFFSET, &mut arg), libc::ENOENT);
    require_eq!(arg.offset, 9);
    // The padding is not checked.
    let mut arg = GetBoOffset {
        handle: bo.handle,
        pad: 5,
        offset: 0,
    };
    require_ok!(node.ioctl(GET_BO_OFFSET, &mut arg));
    require_eq!(arg.offset, bo.va);
    require_errno!(
        node.ioctl_raw(GET_BO_OFFSET.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

fn mmap_bo(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let heap = require_ok!(node.bo(PAGE as u32, BO_HEAP | BO_NOEXEC));
    for handle in [0, heap.handle + 1, u32::MAX] {
        require_errno!(node.map_offset(handle), libc::ENOENT);
    }
    require_errno!(other.map_offset(bo.handle), libc::ENOENT);
    require_errno!(node.map_offset(heap.handle), libc::EINVAL);
    for flags in [1, 1 << 31] {
        let mut arg = MmapBo {
            handle: bo.handle,
            flags,
            offset: 9,
        };
        require_errno!(node.ioctl(MMAP_BO, &mut arg), libc::EINVAL);
        // Flags are checked before the handle.
        arg.handle = 0;
        require_errno!(node.ioctl(MMAP_BO, &mut arg), libc::EINVAL);
        require_eq!(arg.offset, 9);
    }
    require_errno!(node.ioctl_raw(MMAP_BO.code(), BAD_ADDRESS), libc::EFAULT);
}

fn wait_idle(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    for timeout in [0, 1, -1, i64::MIN, i64::MAX, now_ns(), deadline_ns(1000)] {
        require_eq!(bo.wait(timeout), Ok(0), "timeout {timeout}");
    }
}

fn wait_errors(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    for handle in [0, bo.handle + 1, u32::MAX] {
        require_errno!(node.wait_bo(handle, 0), libc::ENOENT);
    }
    require_errno!(other.wait_bo(bo.handle, 0), libc::ENOENT);
    for handle in [bo.handle, 0] {
        let mut arg = WaitBo {
            handle,
            pad: 1,
            timeout_ns: 0,
        };
        require_errno!(node.ioctl(WAIT_BO, &mut arg), libc::EINVAL);
    }
    require_errno!(node.ioctl_raw(WAIT_BO.code(), BAD_ADDRESS), libc::EFAULT);
}

/// Submits a long chain that has `bo`.
fn occupy<'a>(node: &'a Node, bo: u32) -> Chain<'a> {
    let mut chain = require_ok!(Chain::new(node, LONG));
    chain.null(LONG);
    let handles = [bo, chain.handle()];
    let mut work = chain.work();
    work.bos = &handles;
    require_ok!(node.submit(&work));
    chain
}

fn wait_busy(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let chain = occupy(&node, bo.handle);
    for past in [0, 1, -1, i64::MIN, now_ns() - 1] {
        require_errno!(bo.wait(past), libc::EBUSY);
    }
    let start = now_ns();
    require_errno!(bo.wait(deadline_ns(5)), libc::ETIMEDOUT);
    require!(now_ns() - start >= 5_000_000);
    require_ok!(bo.wait(deadline_ns(5000)));
    require_eq!(chain.last_status(), 1);
    require_ok!(chain.wait(0));
}

fn wait_for_ever(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let chain = occupy(&node, bo.handle);
    require_ok!(bo.wait(i64::MAX));
    require_eq!(chain.last_status(), 1);
}

extern "C" fn ignore(_: i32) {}

fn wait_interrupted(_: &Ctx) {
    let mut child = require_ok!(fork(|| {
        let node = render();
        let bo = require_ok!(node.bo(PAGE as u32, 0));
        let _chain = occupy(&node, bo.handle);
        // SAFETY: all zero is a valid sigaction: no flags, so no restart.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = ignore as extern "C" fn(i32) as usize;
        let timer = libc::itimerval {
            it_interval: libc::timeval {
                tv_sec: 0,
                tv_usec: 0,
            },
            it_value: libc::timeval {
                tv_sec: 0,
                tv_usec: 5_000,
            },
        };
        // SAFETY: both structures live through the calls.
        unsafe {
            libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
            libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
        }
        require_errno!(bo.wait(deadline_ns(5000)), libc::EINTR);
        require_ok!(bo.wait(deadline_ns(5000)));
        0
    }));
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
}

fn close_while_busy(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    let (handle, va) = (bo.handle, bo.va);
    let chain = occupy(&node, handle);
    require_ok!(node.gem_close(handle));
    require_errno!(node.wait_bo(handle, 0), libc::ENOENT);
    // The job holds the mapping, so no other buffer gets the address yet.
    let next = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    require!(next.va != va);
    require_ok!(chain.wait(deadline_ns(5000)));
    require_eq!(chain.last_status(), 1);
}

fn madvise(node: &Node, handle: u32, madv: u32) -> Sys<u32> {
    let mut arg = Madvise {
        handle,
        madv,
        retained: 9,
    };
    node.ioctl(MADVISE, &mut arg).map(|_| arg.retained)
}

fn madvise_keeps(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    let map = require_ok!(bo.map());
    map.write_u32(0, 51);
    for madv in [
        MADV_WILLNEED,
        MADV_DONTNEED,
        MADV_DONTNEED,
        MADV_WILLNEED,
        MADV_WILLNEED,
    ] {
        require_eq!(madvise(&node, bo.handle, madv), Ok(1), "advice {madv}");
    }
    require_eq!(map.read_u32(0), 51, "without pressure nothing is lost");
    // An unneeded buffer can still be closed.
    require_eq!(madvise(&node, bo.handle, MADV_DONTNEED), Ok(1));
    require_ok!(node.gem_close(bo.handle));
}

fn madvise_errors(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    for madv in [MADV_WILLNEED, MADV_DONTNEED] {
        for handle in [0, bo.handle + 1, u32::MAX] {
            require_errno!(madvise(&node, handle, madv), libc::ENOENT);
        }
        require_errno!(madvise(&other, bo.handle, madv), libc::ENOENT);
    }
    require_errno!(node.ioctl_raw(MADVISE.code(), BAD_ADDRESS), libc::EFAULT);
}

fn madvise_of_shared(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    let fd = require_ok!(node.export(bo.handle, libc::O_CLOEXEC));
    let handle = require_ok!(other.import(&fd));
    require_errno!(madvise(&node, bo.handle, MADV_DONTNEED), libc::EINVAL);
    require_errno!(madvise(&other, handle, MADV_DONTNEED), libc::EINVAL);
    require_eq!(madvise(&node, bo.handle, MADV_WILLNEED), Ok(1));
    require_ok!(other.gem_close(handle));
    require_eq!(madvise(&node, bo.handle, MADV_DONTNEED), Ok(1));
}

fn madvise_of_two_handles(_: &Ctx) {
    let node = require_ok!(Node::card());
    let bo = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    let mut name = GemFlink {
        handle: bo.handle,
        name: 0,
    };
    require_ok!(node.ioctl(GEM_FLINK, &mut name));
    let mut second = GemOpen {
        name: name.name,
        ..GemOpen::default()
    };
    require_ok!(node.ioctl(GEM_OPEN, &mut second));
    // Each handle is a mapping of its own.
    require_errno!(madvise(&node, bo.handle, MADV_DONTNEED), libc::EINVAL);
    require_ok!(node.gem_close(second.handle));
    require_eq!(madvise(&node, bo.handle, MADV_DONTNEED), Ok(1));
}

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
const PART: u32 = 20 << 20;

fn madvise_purged(_: &Ctx) {
    let node = render();
    let idle = require_ok!(node.bo(PART, BO_NOEXEC));
    let used = require_ok!(node.bo(PART, BO_NOEXEC));
    let map = require_ok!(used.map());
    map.write_u32(0, 61);
    require_eq!(madvise(&node, idle.handle, MADV_DONTNEED), Ok(1));
    // More than there is, unless the idle one gives way.
    let third = require_ok!(node.bo(PART, BO_NOEXEC));
    let fourth = require_ok!(node.bo(PART / 2, BO_NOEXEC));
    require_eq!(map.read_u32(0), 61);
    for madv in [MADV_WILLNEED, MADV_WILLNEED, MADV_DONTNEED] {
        require_eq!(madvise(&node, idle.handle, madv), Ok(0), "advice {madv}");
    }
    for bo in [&used, &third, &fourth] {
        require_eq!(madvise(&node, bo.handle, MADV_WILLNEED), Ok(1));
    }
    require_ok!(node.gem_close(idle.handle));
}

fn out_of_memory(_: &Ctx) {
    let node = render();
    let used = require_ok!(node.bo(PART, BO_NOEXEC));
    require_ok!(used.map()).write_u32(0, 62);
    let mut arg = CreateBo {
        size: 80 << 20,
        flags: BO_NOEXEC,
        handle: 7,
        offset: 8,
        ..CreateBo::default()
    };
    require_errno!(node.ioctl(CREATE_BO, &mut arg), libc::ENOMEM);
    require_eq!(
        (arg.handle, arg.offset, node.live_handles()),
        (7, 8, vec![used.handle])
    );
    require_eq!(require_ok!(used.map()).read_u32(0), 62);
    // All of it came back.
    let rest = require_ok!(node.bo(PART, BO_NOEXEC));
    require_ok!(rest.map()).write_u32(0, 63);
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
