// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: fences. WAIT_FENCE, descriptors in and out of GEM_SUBMIT, and the order that buffers
//! give to work.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/etnaviv/etnaviv_gem_submit.c and etnaviv_gpu.c; the
//! function is named in each description.

use atf::drm::Node;
use atf::etnaviv::{after_ms, filled, soon, status, Bo, Board, Client, Work, SLOW_BYTES};
use atf::process::{fork, open_descriptors, Exit};
use atf::{etnaviv_cases, require, require_eq, require_errno, require_ok};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use uapi::etnaviv::*;

const PAGE: u64 = 4096;
const PAST: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};
const FIRST: u32 = 0x1111_1111;
const SECOND: u32 = 0x2222_2222;

fn open(board: &'static Board) -> Client {
    require_ok!(Client::open(board))
}

/// Work that takes its time, on its way.
struct Slow<'a> {
    bo: Bo<'a>,
    pipe: u32,
    fence: u32,
    fd: Node,
}

impl<'a> Slow<'a> {
    fn start(client: &'a Client) -> Slow<'a> {
        let bo = require_ok!(client.bo(SLOW_BYTES));
        let work = client.work().slow(&bo, FIRST);
        let (fence, fd) = require_ok!(client.start(&work));
        Slow {
            bo,
            pipe: work.pipe,
            fence,
            fd,
        }
    }
}

fn wait_fence(board: &'static Board) {
    let client = open(board);
    let slow = Slow::start(&client);
    let wait = |flags, timeout| client.wait_fence(slow.pipe, slow.fence, flags, timeout);
    for timeout in [PAST, soon()] {
        require_errno!(wait(WAIT_NONBLOCK, timeout), libc::EBUSY);
    }
    for timeout in [
        PAST,
        Timespec {
            tv_sec: i64::MIN,
            tv_nsec: 0,
        },
        after_ms(0),
        after_ms(2),
    ] {
        require_errno!(wait(0, timeout), libc::ETIMEDOUT);
    }
    let far = Timespec {
        tv_sec: i64::MAX,
        tv_nsec: i64::MAX,
    };
    require_ok!(wait(0, far));
    // From here on the time does not matter.
    for timeout in [PAST, soon(), far] {
        require_ok!(wait(0, timeout));
        require_ok!(wait(WAIT_NONBLOCK, timeout));
    }
}

fn wait_fence_errors(board: &'static Board) {
    let client = open(board);
    let slow = Slow::start(&client);
    for flags in [2, WAIT_NONBLOCK | 2, 1 << 31, u32::MAX] {
        require_errno!(
            client.wait_fence(slow.pipe, slow.fence, flags, PAST),
            libc::EINVAL
        );
        // Flags come before the core.
        require_errno!(client.wait_fence(3, slow.fence, flags, PAST), libc::EINVAL);
    }
    for pipe in board.missing_pipes() {
        require_errno!(
            client.wait_fence(pipe, slow.fence, WAIT_NONBLOCK, PAST),
            libc::ENXIO
        );
    }
    for pipe in [4, 5, u32::MAX] {
        require_errno!(
            client.wait_fence(pipe, slow.fence, WAIT_NONBLOCK, PAST),
            libc::EINVAL
        );
    }
    let mut arg = WaitFence {
        pipe: slow.pipe,
        fence: slow.fence,
        flags: WAIT_NONBLOCK,
        pad: u32::MAX,
        timeout: PAST,
    };
    require_errno!(client.node.ioctl(WAIT_FENCE, &mut arg), libc::EBUSY);
    require_ok!(client.wait_fence(slow.pipe, slow.fence, 0, soon()));
}

fn unknown_fence(board: &'static Board) {
    let client = open(board);
    // Before there was any.
    require_ok!(client.wait_fence(board.core().pipe, 12345, 0, PAST));
    let slow = Slow::start(&client);
    for fence in [
        slow.fence.wrapping_add(1),
        slow.fence.wrapping_add(1 << 20),
        slow.fence.wrapping_sub(1),
        i32::MAX as u32,
        1 << 31,
        u32::MAX,
    ] {
        // It may have ended long ago.
        require_ok!(client.wait_fence(slow.pipe, fence, 0, PAST));
        require_ok!(client.wait_fence(slow.pipe, fence, WAIT_NONBLOCK, PAST));
    }
    require_ok!(client.wait_fence(slow.pipe, slow.fence, 0, soon()));
}

fn in_order(board: &'static Board) {
    let client = open(board);
    let bo = require_ok!(client.bo(PAGE));
    let slow = Slow::start(&client);
    let fences: Vec<u32> = (0..20)
        .map(|n| require_ok!(client.submit(&client.work().fill(&bo, 0, n))).fence)
        .collect();
    let mut different = fences.clone();
    different.sort_unstable();
    different.dedup();
    require_eq!(different.len(), 20);
    require!(!fences.contains(&slow.fence));
    // The last stands for all before it.
    require_ok!(client.wait_fence(slow.pipe, fences[19], 0, soon()));
    for fence in fences.iter().chain([&slow.fence]) {
        require_ok!(client.wait_fence(slow.pipe, *fence, WAIT_NONBLOCK, PAST));
    }
    require!(filled(&require_ok!(bo.map()), 0, 19));
}

fn fd_out(board: &'static Board) {
    let client = open(board);
    let before = open_descriptors();
    let slow = Slow::start(&client);
    require_eq!(open_descriptors(), before + 1);
    // SAFETY: F_GETFD takes any descriptor.
    let flags = unsafe { libc::fcntl(slow.fd.as_raw_fd(), libc::F_GETFD) };
    require_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    require_eq!(status(&slow.fd), Ok(0));
    require_eq!(slow.fd.poll(libc::POLLIN, 0), Ok(false));
    require_eq!(slow.fd.poll(libc::POLLIN, 10_000), Ok(true));
    require_eq!(status(&slow.fd), Ok(1));
    require_ok!(client.wait_fence(slow.pipe, slow.fence, WAIT_NONBLOCK, PAST));
    let map = require_ok!(slow.bo.map());
    require_eq!(
        (map.read_u32(0), map.read_u32(map.len() - 4)),
        (FIRST, FIRST)
    );
}

fn fd_in(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    let slow = Slow::start(&client);
    let seen = require_ok!(slow.bo.map());
    let target = require_ok!(other.bo(PAGE));
    let map = require_ok!(target.map());
    let mut work = other
        .work()
        .fill(&target, 0, SECOND)
        .flags(SUBMIT_FENCE_FD_IN);
    work.fence_fd = slow.fd.as_raw_fd();
    let (fence, fd) = require_ok!(other.start(&work));
    // What went in is still the caller's.
    require!(fd.as_raw_fd() != slow.fd.as_raw_fd());
    require_ok!(other.wait_fence(work.pipe, fence, 0, soon()));
    require_eq!((status(&slow.fd), status(&fd)), (Ok(1), Ok(1)));
    require_eq!(seen.read_u32(seen.len() - 4), FIRST, "one after the other");
    require!(filled(&map, 0, SECOND));
    // A fence that has signalled holds nothing up, and the descriptor may go at once.
    work = other
        .work()
        .fill(&target, 512, SECOND)
        .flags(SUBMIT_FENCE_FD_IN);
    work.fence_fd = fd.as_raw_fd();
    let fence = require_ok!(other.submit(&work)).fence;
    drop(fd);
    require_ok!(other.wait_fence(work.pipe, fence, 0, soon()));
    require!(filled(&map, 512, SECOND));
}

fn fd_in_errors(board: &'static Board) {
    let client = open(board);
    let target = require_ok!(client.bo(PAGE));
    let map = require_ok!(target.map());
    let good = client
        .work()
        .fill(&target, 0, SECOND)
        .flags(SUBMIT_FENCE_FD_IN);
    let pair = match UnixStream::pair() {
        Ok(pair) => pair,
        Err(error) => panic!("socketpair: {error}"),
    };
    let socket = Node::from(OwnedFd::from(pair.0));
    let dma_buf = require_ok!(client.node.export(target.handle, libc::O_CLOEXEC));
    let closed = require_ok!(client.node.duplicate()).as_raw_fd();
    for fd in [
        -1,
        -2,
        i32::MIN,
        i32::MAX,
        closed,
        client.node.as_raw_fd(),
        socket.as_raw_fd(),
        dma_buf.as_raw_fd(),
    ] {
        let mut work = good.clone();
        work.fence_fd = fd;
        require_errno!(client.submit(&work), libc::EINVAL);
        // The descriptor of the failed request is not leaked.
        let before = open_descriptors();
        require_errno!(
            client.submit(&work.flags(SUBMIT_FENCE_FD_OUT)),
            libc::EINVAL
        );
        require_eq!(open_descriptors(), before);
    }
    require_eq!(map.read_u32(0), 0);
    // Without the flag it is not checked.
    let mut work = client.work().fill(&target, 0, SECOND);
    work.fence_fd = socket.as_raw_fd();
    require_eq!(client.run(&work), Ok(1));
}

fn no_descriptor_left(board: &'static Board) {
    let client = open(board);
    let target = require_ok!(client.bo(PAGE));
    let map = require_ok!(target.map());
    let work = client.work().fill(&target, 0, SECOND);
    let mut child = require_ok!(fork(|| {
        // A virtual board needs a descriptor of its own for a new process.
        require_ok!(client.wait_fence(work.pipe, 12345, 0, PAST));
        // No number below the limit is free.
        let limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: limit is a place to read from.
        require_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
        require_errno!(
            client.submit(&work.clone().flags(SUBMIT_FENCE_FD_OUT)),
            libc::EMFILE
        );
        0
    }));
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
    require_ok!(client.gem_wait(work.pipe, target.handle, 0, soon()));
    require_eq!(map.read_u32(0), 0, "it did not run");
    require_eq!(client.run(&work), Ok(1));
}

/// Work of two files on one buffer: the second waits for the first, by the buffer alone.
fn implicit(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    let slow = Slow::start(&client);
    let fd = require_ok!(client.node.export(slow.bo.handle, libc::O_CLOEXEC));
    let theirs = other.adopt(require_ok!(other.node.import(&fd)), SLOW_BYTES);
    let map = require_ok!(theirs.map());
    let work = other.work().fill(&theirs, 0, SECOND);
    require_eq!(other.run(&work), Ok(1));
    require_eq!(status(&slow.fd), Ok(1));
    require!(filled(&map, 0, SECOND));
    require_eq!(map.read_u32(map.len() - 4), FIRST);
}

fn no_implicit(board: &'static Board) {
    let client = open(board);
    let bo = require_ok!(client.bo(SLOW_BYTES));
    let work = client.work().slow(&bo, FIRST).flags(SUBMIT_NO_IMPLICIT);
    let fence = require_ok!(client.submit(&work)).fence;
    // It waits for no other, but others wait for it.
    require_errno!(
        client.cpu_prep(bo.handle, PREP_READ | PREP_NOSYNC, PAST),
        libc::EBUSY
    );
    require_errno!(
        client.gem_wait(work.pipe, bo.handle, WAIT_NONBLOCK, PAST),
        libc::EBUSY
    );
    let after = client.work().fill(&bo, 0, SECOND);
    require_eq!(client.run(&after), Ok(1));
    require_ok!(client.wait_fence(work.pipe, fence, WAIT_NONBLOCK, PAST));
    let map = require_ok!(bo.map());
    require!(filled(&map, 0, SECOND));
    require_eq!(map.read_u32(map.len() - 4), FIRST);
}

fn many(board: &'static Board) {
    let clients = [open(board), open(board)];
    let bos = [0, 1].map(|n: usize| require_ok!(clients[n].bo(PAGE)));
    let works = [0, 1].map(|n: usize| clients[n].work().fill(&bos[n], 0, FIRST + n as u32));
    let mut last = [0; 2];
    for round in 0..300 {
        let n = round % 2;
        last[n] = require_ok!(clients[n].submit(&works[n])).fence;
    }
    for n in 0..2 {
        require_ok!(clients[n].wait_fence(works[n].pipe, last[n], 0, soon()));
        require!(filled(&require_ok!(bos[n].map()), 0, FIRST + n as u32));
    }
}

fn buffers_may_be_closed(board: &'static Board) {
    let client = open(board);
    let slow = Slow::start(&client);
    let Slow {
        bo,
        pipe,
        fence,
        fd,
    } = slow;
    let map = require_ok!(bo.map());
    drop(bo);
    require_eq!(status(&fd), Ok(0));
    require_ok!(client.wait_fence(pipe, fence, 0, soon()));
    require_eq!(status(&fd), Ok(1));
    require_eq!(map.read_u32(map.len() - 4), FIRST);
    require_eq!(client.is_well(), Ok(true));
}

fn file_may_be_closed(board: &'static Board) {
    let client = open(board);
    let fd = {
        let Slow { bo, fd, .. } = Slow::start(&client);
        drop(bo);
        fd
    };
    drop(client);
    // Whether it still runs is not said, but that its fence ends.
    require_eq!(fd.poll(libc::POLLIN, 10_000), Ok(true));
    require!(require_ok!(status(&fd)) != 0);
    require_eq!(open(board).is_well(), Ok(true));
}

fn killed_client(board: &'static Board) {
    let bystander = open(board);
    for _ in 0..3 {
        let mut child = require_ok!(fork(|| {
            let client = open(board);
            let bo = require_ok!(client.bo(SLOW_BYTES));
            let work: Work = client.work().slow(&bo, FIRST);
            for _ in 0..6 {
                require_ok!(client.submit(&work));
            }
            // SAFETY: SIGKILL to itself.
            unsafe { libc::raise(libc::SIGKILL) };
            0
        }));
        require_eq!(require_ok!(child.wait()), Exit::Signal(libc::SIGKILL));
        require_eq!(bystander.is_well(), Ok(true));
    }
}

fn main() {
    atf::main(&etnaviv_cases! {
        wait_fence [imx8mq imx6q imx6qp] "etnaviv_gpu_wait_fence_interruptible: EBUSY, ETIMEDOUT, \
            and the end";
        wait_fence_errors [imx8mq imx6q imx6qp] "etnaviv_ioctl_wait_fence: EINVAL, ENXIO, and \
            their order";
        unknown_fence [imx8mq imx6q] "etnaviv_gpu_wait_fence_interruptible: an unknown number \
            counts as signalled";
        in_order [imx8mq imx6q] "drm_sched_entity_push_job: work of a file ends in order";
        fd_out [imx8mq imx6q imx6qp] "sync_file_create: a descriptor that says when the work has \
            ended";
        fd_in [imx8mq imx6q imx6qp] "sync_file_get_fence: work waits for another file's";
        fd_in_errors [imx8mq imx6q] "sync_file_get_fence: EINVAL for what is no sync_file";
        no_descriptor_left [imx8mq] "etnaviv_ioctl_gem_submit: EMFILE, and nothing runs";
        implicit [imx8mq imx6q imx6qp] "submit_fence_sync: work waits for its buffers";
        no_implicit [imx8mq imx6q] "submit_attach_object_fences: others wait for work that waits \
            for no other";
        many [imx8mq imx6q imx6qp] "etnaviv_sched_push_job: more work than the hardware holds";
        buffers_may_be_closed [imx8mq imx6q imx6qp] "submit_cleanup: work holds its buffers";
        file_may_be_closed [imx8mq imx6q] "etnaviv_postclose: the fence of a closed file's work \
            ends";
        killed_client [imx8mq imx6q imx6qp] "drm_sched_entity_flush: a killed client affects no \
            other";
    });
}
