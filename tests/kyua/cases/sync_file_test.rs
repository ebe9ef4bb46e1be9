// SPDX-License-Identifier: BSD-2-Clause
//! sync_files: poll, merge and information.
//!
//! Expected: Linux 6.1, drivers/dma-buf/sync_file.c and dma-fence-unwrap.c; the function is named
//! in each description.

use atf::drm::{now_ns, Node, BAD_ADDRESS};
use atf::mali::Chain;
use atf::process::open_descriptors;
use atf::{case, require, require_eq, require_errno, require_ok, Ctx, Sys};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use uapi::core::SYNCOBJ_CREATE_SIGNALED;
use uapi::sync_file::*;

/// Jobs that do nothing, long enough to be observed while they run.
const LONG: usize = 20_000;

fn render() -> Node {
    require_ok!(Node::render())
}

fn signalled(node: &Node) -> Node {
    require_ok!(require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED)).sync_file())
}

/// Submits the chain; gives its fence.
fn start(node: &Node, chain: &Chain<'_>) -> Node {
    let out = require_ok!(node.syncobj(0));
    let mut work = chain.work();
    work.out_sync = out.handle;
    require_ok!(node.submit(&work));
    require_ok!(out.sync_file())
}

fn long_chain(node: &Node) -> Chain<'_> {
    let mut chain = require_ok!(Chain::new(node, LONG));
    chain.null(LONG);
    chain
}

fn info(fd: &Node) -> FileInfo {
    let mut arg = FileInfo::default();
    require_ok!(fd.ioctl(FILE_INFO, &mut arg));
    arg
}

fn fences(fd: &Node, room: usize) -> Sys<Vec<FenceInfo>> {
    let mut list = vec![FenceInfo::default(); room];
    let mut arg = FileInfo {
        num_fences: room as u32,
        sync_fence_info: list.as_mut_ptr() as u64,
        ..FileInfo::default()
    };
    fd.ioctl(FILE_INFO, &mut arg)?;
    list.truncate(arg.num_fences as usize);
    Ok(list)
}

fn merge(first: &Node, second: &Node, name: &[u8]) -> Sys<Node> {
    let mut arg = MergeData {
        fd2: second.as_raw_fd(),
        fence: -1,
        ..MergeData::default()
    };
    arg.name[..name.len()].copy_from_slice(name);
    first.ioctl(MERGE, &mut arg)?;
    // SAFETY: the descriptor is new and has no other owner.
    Ok(Node::from(unsafe { OwnedFd::from_raw_fd(arg.fence) }))
}

fn readable(fd: &Node, timeout_ms: i32) -> bool {
    require_ok!(fd.poll(libc::POLLIN, timeout_ms))
}

fn poll(_: &Ctx) {
    let node = render();
    require!(readable(&signalled(&node), 0));
    let chain = long_chain(&node);
    let fd = start(&node, &chain);
    require!(!readable(&fd, 0));
    require!(!readable(&fd, 5));
    require!(readable(&fd, 5000));
    require_eq!(chain.last_status(), 1);
    require!(readable(&fd, 0));
}

fn status(_: &Ctx) {
    let node = render();
    let chain = long_chain(&node);
    let before = now_ns();
    let fd = start(&node, &chain);
    require_eq!((info(&fd).status, info(&fd).num_fences), (0, 1));
    let active = require_ok!(fences(&fd, 1));
    require_eq!(
        (active[0].status, active[0].timestamp_ns, active[0].flags),
        (0, 0, 0)
    );
    require!(readable(&fd, 5000));
    require_eq!(info(&fd).status, 1);
    let over = require_ok!(fences(&fd, 4));
    require_eq!((over.len(), over[0].status), (1, 1));
    let when = over[0].timestamp_ns as i64;
    require!(before < when && when <= now_ns(), "{before} < {when}");
    for name in [info(&fd).name, over[0].driver_name, over[0].obj_name] {
        require!(name[0] != 0 && name[31] == 0, "{name:?}");
    }
}

fn info_errors(_: &Ctx) {
    let node = render();
    let fd = signalled(&node);
    let call = |mut arg: FileInfo| fd.ioctl(FILE_INFO, &mut arg);
    require_errno!(
        call(FileInfo {
            flags: 1,
            ..FileInfo::default()
        }),
        libc::EINVAL
    );
    require_errno!(
        call(FileInfo {
            pad: 1,
            ..FileInfo::default()
        }),
        libc::EINVAL
    );
    let bad = BAD_ADDRESS as u64;
    require_errno!(
        call(FileInfo {
            num_fences: 1,
            sync_fence_info: bad,
            ..FileInfo::default()
        }),
        libc::EFAULT
    );
    require_errno!(fd.ioctl_raw(FILE_INFO.code(), BAD_ADDRESS), libc::EFAULT);
    // Without room no pointer is needed.
    require_ok!(call(FileInfo {
        sync_fence_info: bad,
        ..FileInfo::default()
    }));
}

/// Two running chains of different files, so of different timelines, and their fences.
struct Two<'a> {
    chains: [Chain<'a>; 2],
    fds: [Node; 2],
}

fn two<'a>(nodes: &'a [Node; 2]) -> Two<'a> {
    let chains = [long_chain(&nodes[0]), long_chain(&nodes[1])];
    let fds = [start(&nodes[0], &chains[0]), start(&nodes[1], &chains[1])];
    Two { chains, fds }
}

fn merge_two(_: &Ctx) {
    let nodes = [render(), render()];
    let two = two(&nodes);
    let both = require_ok!(merge(&two.fds[0], &two.fds[1], b"both of them"));
    require_eq!(&info(&both).name[..13], b"both of them\0");
    require_eq!((info(&both).num_fences, info(&both).status), (2, 0));
    require_errno!(fences(&both, 1), libc::EINVAL);
    require_eq!(require_ok!(fences(&both, 2)).len(), 2);
    require!(!readable(&both, 0));
    require!(readable(&both, 10_000));
    // Readable when all have ended, and the others are what they were.
    require_eq!(
        [two.chains[0].last_status(), two.chains[1].last_status()],
        [1, 1]
    );
    require_eq!(
        [info(&two.fds[0]).num_fences, info(&both).status as u32],
        [1, 1]
    );
}

fn merge_same_timeline(_: &Ctx) {
    let node = render();
    let chains = [long_chain(&node), long_chain(&node)];
    let fds = [start(&node, &chains[0]), start(&node, &chains[1])];
    for (a, b) in [(0, 1), (1, 0)] {
        let both = require_ok!(merge(&fds[a], &fds[b], b""));
        require_eq!(
            info(&both).num_fences,
            1,
            "the later fence stands for the earlier"
        );
        require!(readable(&both, 10_000));
        require_eq!(chains[1].last_status(), 1);
    }
}

fn merge_with_itself(_: &Ctx) {
    let node = render();
    let chain = long_chain(&node);
    let fd = start(&node, &chain);
    let both = require_ok!(merge(&fd, &fd, b"twice"));
    require_eq!(info(&both).num_fences, 1);
    drop(fd);
    require!(readable(&both, 5000));
    require_eq!(chain.last_status(), 1);
}

fn merge_of_signalled(_: &Ctx) {
    let node = render();
    let over = signalled(&node);
    let merged = require_ok!(merge(&over, &signalled(&node), b"over"));
    require_eq!((info(&merged).num_fences, info(&merged).status), (1, 1));
    require!(readable(&merged, 0));
    // One that has ended adds nothing to one that is not.
    let chain = long_chain(&node);
    let merged = require_ok!(merge(&over, &start(&node, &chain), b"one"));
    require_eq!((info(&merged).num_fences, info(&merged).status), (1, 0));
    require!(readable(&merged, 5000));
}

/// Merges of merges of a fence that fails and one that ends well; kept in a syncobj, as clients
/// keep them.
fn merge_nested(_: &Ctx) {
    const LEVELS: usize = 200;
    let nodes = [render(), render()];
    // It ends when it has run for too long; the other waits for it.
    let endless = require_ok!(Chain::endless(&nodes[0]));
    let mut chain = require_ok!(Chain::new(&nodes[1], 1));
    chain.null(1);
    let first = start(&nodes[0], &endless);
    let waits = require_ok!(nodes[1].syncobj(0));
    require_ok!(nodes[1].syncobj_import_fence(waits.handle, &first));
    let out = require_ok!(nodes[1].syncobj(0));
    let mut work = chain.work();
    let in_syncs = [waits.handle];
    (work.in_syncs, work.out_sync) = (&in_syncs, out.handle);
    require_ok!(nodes[1].submit(&work));
    let second = require_ok!(out.sync_file());
    let kept = require_ok!(nodes[0].syncobj(0));
    let mut last = require_ok!(merge(&first, &second, b""));
    for level in 0..LEVELS {
        let other = if level % 2 == 0 { &first } else { &second };
        let merged = require_ok!(merge(&last, other, b""));
        require_ok!(nodes[0].syncobj_import_fence(kept.handle, &merged));
        last = require_ok!(kept.sync_file());
    }
    require_eq!((info(&last).num_fences, info(&last).status), (2, 0));
    require!(readable(&last, 10_000));
    let mut statuses = require_ok!(fences(&last, 2))
        .iter()
        .map(|f| f.status)
        .collect::<Vec<_>>();
    statuses.sort();
    require!(statuses[0] < 0 && statuses[1] == 1, "{statuses:?}");
    require_eq!(
        (info(&last).status, require_ok!(kept.status())),
        (statuses[0], statuses[0])
    );
}

fn merge_name(_: &Ctx) {
    let node = render();
    let fd = signalled(&node);
    let merged = require_ok!(merge(&fd, &fd, &[b'n'; 32]));
    let name = info(&merged).name;
    require_eq!((&name[..31], name[31]), (&[b'n'; 31][..], 0));
}

fn merge_errors(_: &Ctx) {
    let node = render();
    let fd = signalled(&node);
    let object = require_ok!(require_ok!(node.syncobj(0)).export());
    let null = require_ok!(Node::open("/dev/null"));
    let before = open_descriptors();
    let good = MergeData {
        fd2: fd.as_raw_fd(),
        fence: 7,
        ..MergeData::default()
    };
    for (arg, errno) in [
        (MergeData { flags: 1, ..good }, libc::EINVAL),
        (MergeData { pad: 1, ..good }, libc::EINVAL),
        (MergeData { fd2: -1, ..good }, libc::ENOENT),
        (MergeData { fd2: 9999, ..good }, libc::ENOENT),
        (
            MergeData {
                fd2: node.as_raw_fd(),
                ..good
            },
            libc::ENOENT,
        ),
        (
            MergeData {
                fd2: object.as_raw_fd(),
                ..good
            },
            libc::ENOENT,
        ),
        (
            MergeData {
                fd2: null.as_raw_fd(),
                ..good
            },
            libc::ENOENT,
        ),
    ] {
        let mut arg = arg;
        match fd.ioctl(MERGE, &mut arg) {
            Err(got) if got.0 == errno => {}
            other => panic!("{arg:?} gave {other:?}, expected {errno}"),
        }
        require_eq!(arg.fence, 7);
    }
    require_errno!(fd.ioctl_raw(MERGE.code(), BAD_ADDRESS), libc::EFAULT);
    require_eq!(open_descriptors(), before);
}

fn other_requests(_: &Ctx) {
    let node = render();
    let fd = signalled(&node);
    let mut arg = [0u64; 16];
    for code in [
        uapi::core::VERSION.code(),
        uapi::dma_buf::SYNC.code(),
        // A number that there is not, and both requests with another size.
        0xc030_3e63,
        MERGE.code() + (8 << 16),
        FILE_INFO.code() - (8 << 16),
    ] {
        require_errno!(fd.ioctl_raw(code, arg.as_mut_ptr() as usize), libc::ENOTTY);
    }
    require_errno!(fd.map(0, 4096), libc::ENODEV);
}

fn deadline(_: &Ctx) {
    let node = render();
    let chain = long_chain(&node);
    for fd in [start(&node, &chain), signalled(&node)] {
        for deadline_ns in [0, 1, now_ns() as u64, u64::MAX] {
            let mut arg = SetDeadline {
                deadline_ns,
                pad: 0,
            };
            require_ok!(fd.ioctl(SET_DEADLINE, &mut arg));
            arg.pad = 1;
            require_errno!(fd.ioctl(SET_DEADLINE, &mut arg), libc::EINVAL);
        }
        require_errno!(fd.ioctl_raw(SET_DEADLINE.code(), BAD_ADDRESS), libc::EFAULT);
        let other_size = SET_DEADLINE.code() + (8 << 16);
        let mut arg = [0u64; 3];
        let at = arg.as_mut_ptr() as usize;
        require_errno!(fd.ioctl_raw(other_size, at), libc::ENOTTY);
        require!(readable(&fd, 10_000));
        require_eq!(info(&fd).status, 1);
    }
}

fn outlives_its_file(_: &Ctx) {
    let node = render();
    let fd = signalled(&node);
    drop(node);
    require_eq!(info(&fd).status, 1);
    require!(readable(&fd, 0));
}

fn main() {
    let cases = [
        case!(
            "poll",
            "sync_file_poll: readable when the job has ended",
            poll
        ),
        case!(
            "status",
            "sync_file_ioctl_fence_info: active, then signalled with its time",
            status
        ),
        case!(
            "info_errors",
            "sync_file_ioctl_fence_info: EINVAL, EFAULT",
            info_errors
        ),
        case!(
            "merge_two",
            "sync_file_ioctl_merge: both fences; EINVAL when there is no room for them",
            merge_two
        ),
        case!(
            "merge_same_timeline",
            "dma_fence_unwrap_merge: the later of one timeline",
            merge_same_timeline
        ),
        case!(
            "merge_with_itself",
            "dma_fence_unwrap_merge: one fence stays one",
            merge_with_itself
        ),
        case!(
            "merge_of_signalled",
            "dma_fence_unwrap_merge: signalled fences are left out",
            merge_of_signalled
        ),
        case!(
            "merge_nested",
            "dma_fence_unwrap_merge: merges of merges have the fences of all; one that fails fails \
                them",
            merge_nested
        ),
        case!(
            "merge_name",
            "sync_file_ioctl_merge: a name of 31 bytes",
            merge_name
        ),
        case!(
            "merge_errors",
            "sync_file_ioctl_merge: EINVAL, ENOENT, EFAULT, and nothing changed",
            merge_errors
        ),
        case!(
            "other_requests",
            "sync_file_ioctl: ENOTTY; no mmap",
            other_requests
        ),
        case!(
            "deadline",
            "sync_file_ioctl_set_deadline (Linux 6.6): a hint, which changes no result",
            deadline
        ),
        case!(
            "outlives_its_file",
            "sync_file_release: a fence outlives the device file",
            outlives_its_file
        ),
    ];
    atf::main(&cases.map(|case| case.board("rk3399").timeout(30)));
}
