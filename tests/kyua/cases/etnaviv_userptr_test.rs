// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: GEM_USERPTR, memory of a process as a buffer.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/etnaviv/etnaviv_drv.c and etnaviv_gem.c; the function is
//! named in each description. Linux takes pages when they are first needed and with the right to
//! write to them, whatever was asked for; here the process hears at once that there is no memory,
//! and what it may only read the GPU may only read.

use atf::etnaviv::{soon, Bo, Board, Client, Pages, FILL_WORDS};
use atf::{etnaviv_cases, require, require_eq, require_errno, require_ok, Errno};
use uapi::etnaviv::*;

const PAGE: usize = 4096;
const BEFORE: u32 = 0x5a5a_5a5a;
const FILLED: u32 = 0x1234_5678;
const READ_WRITE: u32 = USERPTR_READ | USERPTR_WRITE;

fn open(board: &'static Board) -> Client {
    require_ok!(Client::open(board))
}

fn pages(count: usize) -> Pages {
    let pages = require_ok!(Pages::new(count * PAGE));
    (0..count * PAGE)
        .step_by(4)
        .for_each(|at| pages.write_u32(at, BEFORE));
    pages
}

fn import<'a>(client: &'a Client, pages: &Pages, count: usize, flags: u32) -> Bo<'a> {
    require_ok!(client.userptr(pages.address(), (count * PAGE) as u64, flags))
}

fn words_are(pages: &Pages, at: usize, value: u32) -> bool {
    (0..FILL_WORDS).all(|word| pages.read_u32(at + 4 * word) == value)
}

fn flags(board: &'static Board) {
    let client = open(board);
    let memory = pages(1);
    for flags in [0, 4, USERPTR_READ | 4, 8, 1 << 31, u32::MAX] {
        let mut arg = GemUserptr {
            user_ptr: memory.address() as u64,
            user_size: PAGE as u64,
            flags,
            handle: 77,
        };
        require_errno!(client.node.ioctl(GEM_USERPTR, &mut arg), libc::EINVAL);
        require_eq!(arg.handle, 77);
    }
    for flags in [USERPTR_READ, USERPTR_WRITE, READ_WRITE] {
        let bo = import(&client, &memory, 1, flags);
        require!(bo.handle != 0);
    }
}

fn alignment(board: &'static Board) {
    let client = open(board);
    let memory = pages(4);
    let (at, page) = (memory.address(), PAGE as u64);
    for (address, size) in [
        (at + 1, page),
        (at + 4, page),
        (at + 2048, page),
        (at, 1),
        (at, page - 1),
        (at, page + 4),
        (at, 2048),
        (at + 64, page - 64),
        // Linux makes a buffer of no pages.
        (at, 0),
        // More than 32 bits, whose lower ones are a good size.
        (at, 1 << 32),
        (at, (1 << 32) + page),
        (at, 1 << 63),
        (at, 0u64.wrapping_sub(page)),
    ] {
        require_errno!(client.userptr(address, size, READ_WRITE), libc::EINVAL);
        require_errno!(client.userptr(address, size, USERPTR_READ), libc::EINVAL);
    }
    // It is checked before what is there.
    require_errno!(client.userptr(PAGE + 1, page, READ_WRITE), libc::EINVAL);
}

fn no_memory(board: &'static Board) {
    let client = open(board);
    let memory = pages(4);
    let page = PAGE as u64;
    for flags in [USERPTR_READ, USERPTR_WRITE, READ_WRITE] {
        for address in [
            0,
            PAGE,
            // Not a process's, and over the end of all.
            1 << 63,
            0usize.wrapping_sub(PAGE),
            0usize.wrapping_sub(2 * PAGE),
        ] {
            require_errno!(client.userptr(address, page, flags), libc::EFAULT);
            require_errno!(client.userptr(address, 4 * page, flags), libc::EFAULT);
        }
    }
    require_ok!(memory.protect(libc::PROT_NONE));
    for flags in [USERPTR_READ, USERPTR_WRITE, READ_WRITE] {
        require_errno!(client.userptr(memory.address(), page, flags), libc::EFAULT);
    }
    // A hole in the midst.
    let memory = pages(4);
    // SAFETY: the page is part of that memory, which nothing refers to.
    let unmapped = unsafe { libc::munmap((memory.address() + 2 * PAGE) as *mut _, PAGE) };
    require_eq!(unmapped, 0);
    for flags in [USERPTR_READ, READ_WRITE] {
        require_errno!(
            client.userptr(memory.address(), 4 * page, flags),
            libc::EFAULT
        );
        require_ok!(client.userptr(memory.address(), 2 * page, flags));
    }
    // Something else may be in the hole by now, so it is not given back with the rest.
    std::mem::forget(memory);
}

fn may_not_write(board: &'static Board) {
    let client = open(board);
    let memory = pages(2);
    require_ok!(memory.protect(libc::PROT_READ));
    let page = PAGE as u64;
    for flags in [USERPTR_WRITE, READ_WRITE] {
        require_errno!(client.userptr(memory.address(), page, flags), libc::EFAULT);
    }
    require_ok!(client.userptr(memory.address(), 2 * page, USERPTR_READ));
    require_eq!(memory.read_u32(0), BEFORE);
}

fn gpu_writes(board: &'static Board) {
    let client = open(board);
    for core in board.cores {
        let memory = pages(3);
        let bo = import(&client, &memory, 3, READ_WRITE);
        for (round, at) in [512, PAGE, 3 * PAGE - 512].into_iter().enumerate() {
            let value = FILLED + round as u32;
            let work = client.work_on(core).fill(&bo, at as u32, value);
            require_eq!(client.run(&work), Ok(1));
            require_ok!(client.cpu_prep(bo.handle, PREP_READ, soon()));
            require!(words_are(&memory, at, value), "{} at {at:#x}", core.name);
            require_ok!(client.cpu_fini(bo.handle, 0));
        }
        let others = (0..3 * PAGE)
            .step_by(4)
            .filter(|at| memory.read_u32(*at) != BEFORE);
        require_eq!(others.count(), 3 * FILL_WORDS);
    }
}

fn gpu_reads(board: &'static Board) {
    let client = open(board);
    for flags in [USERPTR_READ, READ_WRITE] {
        let memory = pages(2);
        let bo = import(&client, &memory, 2, flags);
        let copy = require_ok!(client.bo(PAGE as u64));
        let map = require_ok!(copy.map());
        for round in 0..3 {
            // After the import: the GPU sees the memory, and no copy of it.
            require_ok!(client.cpu_prep(bo.handle, PREP_WRITE, soon()));
            for word in 0..FILL_WORDS {
                memory.write_u32(PAGE + 4 * word, FILLED + round + word as u32);
            }
            require_ok!(client.cpu_fini(bo.handle, 0));
            let work = client
                .work()
                .names_for(&bo, SUBMIT_BO_READ)
                .copy((&bo, PAGE as u32), (&copy, 1024));
            require_eq!(client.run(&work), Ok(1));
            for word in 0..FILL_WORDS {
                let expected = FILLED + round + word as u32;
                require_eq!(map.read_u32(1024 + 4 * word), expected, "word {word}");
            }
        }
        require_eq!(memory.read_u32(0), BEFORE);
    }
}

fn gpu_reads_read_only(board: &'static Board) {
    let client = open(board);
    let memory = pages(1);
    require_ok!(memory.protect(libc::PROT_READ));
    let bo = import(&client, &memory, 1, USERPTR_READ);
    let copy = require_ok!(client.bo(PAGE as u64));
    let map = require_ok!(copy.map());
    let work = client
        .work()
        .names_for(&bo, SUBMIT_BO_READ)
        .copy((&bo, 512), (&copy, 0));
    require_eq!(client.run(&work), Ok(1));
    require!((0..FILL_WORDS).all(|word| map.read_u32(4 * word) == BEFORE));
}

/// What a process may only read, and what it lets the GPU only read, the GPU does not write to,
/// whatever a submit says.
fn gpu_may_not_write(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    for prot in [libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE] {
        let memory = pages(1);
        require_ok!(memory.protect(prot));
        let bo = import(&client, &memory, 1, USERPTR_READ);
        for access in [SUBMIT_BO_READ, SUBMIT_BO_READ | SUBMIT_BO_WRITE] {
            let work = client.work().names_for(&bo, access).fill(&bo, 512, FILLED);
            match client.run(&work) {
                // The MMU says so.
                Ok(status) => require!(status < 0, "status {status}"),
                // A caller that announces a write gets the error at once.
                Err(Errno(errno)) => {
                    require!(
                        access & SUBMIT_BO_WRITE != 0 && errno == libc::EINVAL,
                        "errno {errno}"
                    );
                }
            }
            require_ok!(client.cpu_prep(bo.handle, PREP_READ, soon()));
            require!((0..PAGE).step_by(4).all(|at| memory.read_u32(at) == BEFORE));
            require_ok!(client.cpu_fini(bo.handle, 0));
        }
    }
    require_eq!((client.is_well(), other.is_well()), (Ok(true), Ok(true)));
}

/// HW: an MMUv1 cannot distinguish reading from writing, so the GPU gets no memory that its owner
/// may not write to.
fn read_only_without_mmuv2(board: &'static Board) {
    let client = open(board);
    let memory = pages(1);
    let page = PAGE as u64;
    require_ok!(memory.protect(libc::PROT_READ));
    for flags in [USERPTR_READ, USERPTR_WRITE, READ_WRITE] {
        require_errno!(client.userptr(memory.address(), page, flags), libc::EFAULT);
    }
    require_ok!(memory.protect(libc::PROT_READ | libc::PROT_WRITE));
    require_ok!(client.userptr(memory.address(), page, USERPTR_READ));
    require!((0..PAGE).step_by(4).all(|at| memory.read_u32(at) == BEFORE));
}

/// Nor does the kernel, on behalf of who may only read.
fn no_counters_in_read_only(board: &'static Board) {
    let client = open(board);
    let memory = pages(1);
    let bo = import(&client, &memory, 1, USERPTR_READ);
    let request = SubmitPmr {
        flags: PM_PROCESS_POST,
        // HI TOTAL_CYCLES.
        signal: 2,
        sequence: FILLED,
        read_offset: 2,
        ..SubmitPmr::default()
    };
    let work = client.work().nop().counter(&bo, request);
    require_errno!(client.submit(&work), libc::EINVAL);
    require_eq!(client.is_well(), Ok(true));
    require_ok!(client.cpu_prep(bo.handle, PREP_READ, soon()));
    require!((0..PAGE).step_by(4).all(|at| memory.read_u32(at) == BEFORE));
}

fn no_mmap(board: &'static Board) {
    let client = open(board);
    let memory = pages(2);
    for flags in [USERPTR_READ, READ_WRITE] {
        let bo = import(&client, &memory, 2, flags);
        for len in [PAGE, 2 * PAGE] {
            let map = client
                .gem_info(bo.handle)
                .and_then(|offset| client.node.map(offset, len));
            require_errno!(map, libc::EINVAL);
        }
    }
    require_eq!(memory.read_u32(0), BEFORE);
}

fn waits(board: &'static Board) {
    let client = open(board);
    let memory = pages(1);
    let bo = import(&client, &memory, 1, READ_WRITE);
    let pipe = board.core().pipe;
    for op in [0, PREP_READ, PREP_WRITE, PREP_READ | PREP_WRITE] {
        require_ok!(client.cpu_prep(bo.handle, op | PREP_NOSYNC, Timespec::default()));
        require_ok!(client.cpu_fini(bo.handle, 0));
    }
    require_ok!(client.submit(&client.work().names(&bo).hang()));
    require_errno!(
        client.cpu_prep(bo.handle, PREP_READ | PREP_NOSYNC, Timespec::default()),
        libc::EBUSY
    );
    require_errno!(
        client.gem_wait(pipe, bo.handle, WAIT_NONBLOCK, Timespec::default()),
        libc::EBUSY
    );
    require_ok!(client.gem_wait(pipe, bo.handle, 0, soon()));
}

/// The GPU has the pages, whatever becomes of the mapping and of the handle.
fn memory_may_go(board: &'static Board) {
    let client = open(board);
    for _ in 0..3 {
        let memory = pages(2);
        let bo = import(&client, &memory, 2, READ_WRITE);
        let work = client.work().fill(&bo, 0, FILLED);
        let (fence, _fd) = require_ok!(client.start(&work));
        drop(memory);
        drop(bo);
        require_ok!(client.wait_fence(work.pipe, fence, 0, soon()));
        require_eq!(client.is_well(), Ok(true));
    }
}

fn two_of_one_memory(board: &'static Board) {
    let client = open(board);
    let memory = pages(2);
    let [first, second] = [0; 2].map(|_| import(&client, &memory, 2, READ_WRITE));
    require!(first.handle != second.handle);
    for (n, bo) in [&first, &second].into_iter().enumerate() {
        let work = client.work().fill(bo, n as u32 * 4096, FILLED + n as u32);
        require_eq!(client.run(&work), Ok(1));
        require_ok!(client.cpu_prep(bo.handle, PREP_READ, soon()));
        require!(words_are(&memory, n * PAGE, FILLED + n as u32));
        require_ok!(client.cpu_fini(bo.handle, 0));
    }
}

fn main() {
    atf::main(&etnaviv_cases! {
        flags [imx8mq imx6q imx6qp] "etnaviv_ioctl_gem_userptr: EINVAL for no and for unknown \
            flags";
        alignment [imx8mq imx6q] "etnaviv_ioctl_gem_userptr: EINVAL for what is not whole pages of \
            at most 4 GiB";
        no_memory [imx8mq imx6q] "differs from etnaviv_gem_userptr_get_pages: EFAULT at once where \
            there is no memory";
        may_not_write [imx8mq imx6qp] "differs from etnaviv_gem_userptr_get_pages: EFAULT for \
            writing to memory that is for reading";
        gpu_writes [imx8mq imx6q imx6qp] "etnaviv_gem_new_userptr: the GPU writes to the process's \
            memory";
        gpu_reads [imx8mq imx6q imx6qp] "etnaviv_gem_new_userptr: the GPU reads what the process \
            writes later";
        gpu_reads_read_only [imx8mq imx6qp] "etnaviv_gem_new_userptr: the GPU reads what the \
            process may only read";
        gpu_may_not_write [imx8mq imx6qp] "differs from etnaviv_iommu_map_gem: memory for reading \
            is not written to";
        read_only_without_mmuv2 [imx6q] "differs from etnaviv_gem_userptr_get_pages: EFAULT where \
            the MMU does not keep the GPU from writing";
        no_counters_in_read_only [imx8mq imx6qp] "differs from submit_perfmon_validate: EINVAL for \
            counters in memory for reading";
        no_mmap [imx8mq imx6q] "etnaviv_gem_userptr_mmap_obj: EINVAL for mmap(2)";
        waits [imx8mq imx6q] "etnaviv_gem_cpu_prep: as with any other buffer";
        memory_may_go [imx8mq imx6q imx6qp] "etnaviv_gem_userptr_release: the pages stay until the \
            work is done";
        two_of_one_memory [imx8mq imx6q] "etnaviv_gem_new_userptr: two buffers of the same memory";
    });
}
