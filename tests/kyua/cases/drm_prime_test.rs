// SPDX-License-Identifier: BSD-2-Clause
//! PRIME: buffers as dma-bufs, between files and processes, and what a dma-buf itself can do.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/drm_prime.c and drivers/dma-buf/dma-buf.c; the function is
//! named in each description.

use atf::drm::{deadline_ns, Node, BAD_ADDRESS};
use atf::mali::Chain;
use atf::process::{channel, fork, open_descriptors, Exit};
use atf::{case, require, require_eq, require_errno, require_ok, Ctx, Sys};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use uapi::core::{PrimeHandle, PRIME_HANDLE_TO_FD, SYNCOBJ_CREATE_SIGNALED};
use uapi::dma_buf;
use uapi::panfrost::{BO_HEAP, BO_NOEXEC};
use uapi::sync_file::{FileInfo, FILE_INFO};

const PAGE: usize = 4096;
/// Jobs that do nothing, long enough to be observed while they run.
const LONG: usize = 20_000;
const CLOEXEC_RDWR: i32 = libc::O_CLOEXEC | libc::O_RDWR;

fn render() -> Node {
    require_ok!(Node::render())
}

fn sync(fd: &Node, flags: u64) -> Sys<i32> {
    fd.ioctl(dma_buf::SYNC, &mut dma_buf::Sync { flags })
}

fn seek(fd: &Node, offset: i64, whence: i32) -> Sys<i64> {
    // SAFETY: lseek takes any numbers.
    match unsafe { libc::lseek(fd.as_raw_fd(), offset, whence) } {
        -1 => Err(atf::Errno::last()),
        at => Ok(at),
    }
}

fn self_import(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require_eq!(node.import(&fd), Ok(bo.handle));
    require_eq!(node.import(&fd), Ok(bo.handle), "however often");
    let second = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require_eq!(
        node.import(&second),
        Ok(bo.handle),
        "by whichever descriptor"
    );
    require_eq!(node.live_handles(), [bo.handle]);
    require_ok!(node.gem_close(bo.handle));
    require_eq!(node.live_handles(), []);
    // It counts as one handle, and the dma-buf brings it back.
    let handle = require_ok!(node.import(&fd));
    require_eq!(node.live_handles(), [handle]);
    require_ok!(node.gem_close(handle));
}

fn other_file(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    let handle = require_ok!(other.import(&fd));
    require_eq!(
        other.import(&fd),
        Ok(handle),
        "one handle in the other file too"
    );
    let ours = require_ok!(bo.map());
    let theirs = require_ok!(other.map(require_ok!(other.map_offset(handle)), PAGE));
    ours.write_u32(0, 1);
    theirs.write_u32(4, 2);
    require_eq!((theirs.read_u32(0), ours.read_u32(4)), (1, 2));
    // Exported again it is the same dma-buf.
    let again = require_ok!(other.export(handle, CLOEXEC_RDWR));
    require_eq!(node.import(&again), Ok(bo.handle));
    // On the GPU each file has it at its own address.
    require!(require_ok!(other.bo_offset(handle)) >= 32 << 20);
    require_ok!(other.gem_close(handle));
    require_eq!(ours.read_u32(4), 2);
}

fn close_order(_: &Ctx) {
    let (node, other) = (render(), render());
    // Maker's handle first, then the descriptor, then the importer's.
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    require_ok!(bo.map()).write_u32(0, 11);
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    drop(bo);
    let handle = require_ok!(other.import(&fd));
    drop(fd);
    let map = require_ok!(other.map(require_ok!(other.map_offset(handle)), PAGE));
    require_eq!(map.read_u32(0), 11);
    require_ok!(other.gem_close(handle));
    // Maker's file first.
    let maker = render();
    let bo = require_ok!(maker.bo(PAGE as u32, 0));
    require_ok!(bo.map()).write_u32(0, 12);
    let fd = require_ok!(maker.export(bo.handle, CLOEXEC_RDWR));
    std::mem::forget(bo);
    drop(maker);
    require_eq!(require_ok!(fd.map(0, PAGE)).read_u32(0), 12);
    let handle = require_ok!(other.import(&fd));
    drop(fd);
    require_ok!(other.gem_close(handle));
    require_eq!(
        map.read_u32(0),
        11,
        "the mapping is the last that holds the first buffer"
    );
}

fn other_process(_: &Ctx) {
    let (ours, theirs) = require_ok!(channel());
    let mut child = require_ok!(fork(move || {
        let (_, fd) = require_ok!(theirs.receive(&mut [0; 8]));
        let fd = Node::from(fd.unwrap());
        let node = render();
        let handle = require_ok!(node.import(&fd));
        let map = require_ok!(node.map(require_ok!(node.map_offset(handle)), PAGE));
        assert_eq!(map.read_u32(0), 21);
        map.write_u32(4, 22);
        require_ok!(theirs.send(b"written", None));
        // Waits until the parent has given everything up.
        require_ok!(theirs.receive(&mut [0; 8]));
        assert_eq!(map.read_u32(4), 22);
        0
    }));
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let map = require_ok!(bo.map());
    map.write_u32(0, 21);
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require_ok!(ours.send(b"dma-buf", Some(fd.as_fd())));
    require_ok!(ours.receive(&mut [0; 8]));
    require_eq!(map.read_u32(4), 22);
    drop((fd, map, bo));
    drop(node);
    require_ok!(ours.send(b"gone", None));
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
}

fn map(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(3 * PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    let ours = require_ok!(bo.map());
    ours.write_u32(PAGE, 31);
    let whole = require_ok!(fd.map(0, 3 * PAGE));
    require_eq!(whole.read_u32(PAGE), 31);
    whole.write_u32(2 * PAGE, 32);
    require_eq!(ours.read_u32(2 * PAGE), 32);
    drop(bo);
    drop(ours);
    require_eq!(require_ok!(fd.map(0, PAGE)).read_u32(0), 0);
    require_eq!(whole.read_u32(2 * PAGE), 32);
}

fn map_errors(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(2 * PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require_errno!(fd.map(0, 3 * PAGE), libc::EINVAL);
    require_errno!(fd.map(PAGE as u64, 2 * PAGE), libc::EINVAL);
    require_errno!(fd.map(2 * PAGE as u64, PAGE), libc::EINVAL);
    require_errno!(fd.map(0, 0), libc::EINVAL);
    let private = fd.map_as(0, PAGE, libc::PROT_READ, libc::MAP_PRIVATE);
    require_errno!(private, libc::EINVAL);
}

fn map_read_only(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, libc::O_CLOEXEC));
    require_ok!(fd.map_as(0, PAGE, libc::PROT_READ, libc::MAP_SHARED));
    require_errno!(fd.map(0, PAGE), libc::EACCES);
}

fn size(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(5000, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require_eq!(seek(&fd, 0, libc::SEEK_END), Ok(8192));
    require_eq!(seek(&fd, 0, libc::SEEK_SET), Ok(0));
    require_errno!(seek(&fd, 0, libc::SEEK_CUR), libc::EINVAL);
    require_errno!(seek(&fd, 1, libc::SEEK_SET), libc::EINVAL);
    require_errno!(seek(&fd, -4096, libc::SEEK_END), libc::EINVAL);
}

fn cpu_access(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    for access in [
        dma_buf::SYNC_READ,
        dma_buf::SYNC_WRITE,
        dma_buf::SYNC_READ | dma_buf::SYNC_WRITE,
    ] {
        require_ok!(sync(&fd, access));
        require_ok!(sync(&fd, access | dma_buf::SYNC_END));
    }
    for bad in [
        0,
        dma_buf::SYNC_END,
        8 | dma_buf::SYNC_READ,
        1 << 32 | dma_buf::SYNC_READ,
        u64::MAX,
    ] {
        require_errno!(sync(&fd, bad), libc::EINVAL);
    }
    require_errno!(
        fd.ioctl_raw(dma_buf::SYNC.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

fn other_requests(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    let mut arg = [0u64; 8];
    let at = arg.as_mut_ptr() as usize;
    for code in [
        uapi::core::VERSION.code(),
        FILE_INFO.code(),
        // Group 'b': a number that there is not, and SYNC with another size.
        0x4008_6263,
        0x4010_6200,
    ] {
        require_errno!(fd.ioctl_raw(code, at), libc::ENOTTY);
    }
}

fn busy(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    let handles = [bo.handle];
    let mut work = chain.work();
    work.bos = &handles;
    require_ok!(node.submit(&work));
    require_errno!(bo.wait(0), libc::EBUSY);
    require_ok!(sync(&fd, dma_buf::SYNC_READ));
    require_ok!(bo.wait(0));
    require_eq!(chain.last_status(), 1, "begin waits for the job");
}

/// The fences of `fd` for a reader (1) or a writer (2).
fn fences_of(fd: &Node, flags: u32) -> Sys<Node> {
    let mut arg = dma_buf::Fences { flags, fd: -1 };
    fd.ioctl(dma_buf::EXPORT_SYNC_FILE, &mut arg)?;
    // SAFETY: the descriptor is new and has no other owner.
    Ok(Node::from(unsafe { OwnedFd::from_raw_fd(arg.fd) }))
}

fn status(fences: &Node) -> i32 {
    let mut info = FileInfo::default();
    require_ok!(fences.ioctl(FILE_INFO, &mut info));
    info.status
}

fn export_sync_file(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    for flags in [1, 2, 3] {
        require_eq!(status(&require_ok!(fences_of(&fd, flags))), 1, "idle");
    }
    for bad in [0, 4, 5, 8, u32::MAX] {
        require_errno!(fences_of(&fd, bad), libc::EINVAL);
    }
    let handles = [bo.handle];
    let mut work = chain.work();
    work.bos = &handles;
    require_ok!(node.submit(&work));
    // Jobs of panfrost write to their buffers.
    let waits = [1, 2].map(|flags| require_ok!(fences_of(&fd, flags)));
    require_eq!(waits.each_ref().map(status), [0, 0], "busy");
    require!(require_ok!(waits[0].poll(libc::POLLIN, 5000)));
    require_ok!(bo.wait(deadline_ns(5000)));
    require_eq!(waits.each_ref().map(status), [1, 1], "idle again");
    require_errno!(
        fd.ioctl_raw(dma_buf::EXPORT_SYNC_FILE.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

fn import_sync_file(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let busy = require_ok!(node.syncobj(0));
    let mut work = chain.work();
    work.out_sync = busy.handle;
    require_ok!(node.submit(&work));
    let fence = require_ok!(busy.sync_file());
    let (reads, writes) = (
        require_ok!(node.bo(PAGE as u32, 0)),
        require_ok!(node.bo(PAGE as u32, 0)),
    );
    let import = |bo: u32, flags: u32, fd: i32| {
        let buffer = require_ok!(node.export(bo, CLOEXEC_RDWR));
        let done = buffer.ioctl(
            dma_buf::IMPORT_SYNC_FILE,
            &mut dma_buf::Fences { flags, fd },
        );
        done.map(|_| buffer)
    };
    let fd = fence.as_raw_fd();
    for bad in [0, 4, 6, u32::MAX] {
        require_errno!(import(reads.handle, bad, fd), libc::EINVAL);
    }
    require_errno!(import(reads.handle, 1, -1), libc::EINVAL);
    require_ok!(reads.wait(0));
    // A reader is waited for by writers only.
    let read = require_ok!(import(reads.handle, 1, fd));
    let written = require_ok!(import(writes.handle, 3, fd));
    require_eq!(status(&require_ok!(fences_of(&read, 1))), 1);
    require_eq!(status(&require_ok!(fences_of(&read, 2))), 0);
    require_eq!(status(&require_ok!(fences_of(&written, 1))), 0);
    require_errno!(writes.wait(0), libc::EBUSY);
    require_ok!(writes.wait(deadline_ns(5000)));
    require_eq!(status(&fence), 1);
    require_ok!(reads.wait(0));
}

/// A buffer whose job goes on does not become idle by an earlier fence of the same timeline.
fn import_earlier_sync_file(_: &Ctx) {
    let node = render();
    let mut earlier = require_ok!(Chain::new(&node, LONG));
    earlier.null(LONG);
    let endless = require_ok!(Chain::endless(&node));
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let out = require_ok!(node.syncobj(0));
    let mut work = earlier.work();
    work.out_sync = out.handle;
    require_ok!(node.submit(&work));
    let fence = require_ok!(out.sync_file());
    let handles = [bo.handle];
    let mut work = endless.work();
    work.bos = &handles;
    require_ok!(node.submit(&work));
    let buffer = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    let fd = fence.as_raw_fd();
    require_ok!(buffer.ioctl(
        dma_buf::IMPORT_SYNC_FILE,
        &mut dma_buf::Fences { flags: 3, fd }
    ));
    require!(require_ok!(fence.poll(libc::POLLIN, 5000)));
    require_errno!(bo.wait(0), libc::EBUSY);
    require_ok!(bo.wait(deadline_ns(10_000)));
}

fn set_name(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    let mut name = *b"picture\0";
    require_ok!(fd.ioctl(dma_buf::SET_NAME_B.with(), &mut name));
    require_errno!(
        fd.ioctl_raw(dma_buf::SET_NAME_B.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

fn poll(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require!(require_ok!(fd.poll(libc::POLLIN, 0)), "idle");
    let handles = [bo.handle];
    let mut work = chain.work();
    work.bos = &handles;
    require_ok!(node.submit(&work));
    // That it is not readable meanwhile cannot be seen on drmboard, whose sockets stay readable
    // once they were.
    require_ok!(bo.wait(deadline_ns(5000)));
    require!(require_ok!(fd.poll(libc::POLLIN, 0)), "idle again");
    require_eq!(chain.last_status(), 1);
}

fn shared_fences(_: &Ctx) {
    let (node, other) = (render(), render());
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    let handle = require_ok!(other.import(&fd));
    let handles = [bo.handle];
    let mut work = chain.work();
    work.bos = &handles;
    require_ok!(node.submit(&work));
    require_errno!(other.wait_bo(handle, 0), libc::EBUSY);
    require_ok!(other.wait_bo(handle, deadline_ns(2000)));
    require_ok!(bo.wait(0));
}

fn descriptor_flags(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    // SAFETY: F_GETFD takes no argument.
    let flags = |fd: &Node| unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) };
    require_eq!(
        flags(&require_ok!(node.export(bo.handle, libc::O_CLOEXEC))),
        libc::FD_CLOEXEC
    );
    require_eq!(flags(&require_ok!(node.export(bo.handle, 0))), 0);
    require_eq!(
        flags(&require_ok!(node.export(bo.handle, CLOEXEC_RDWR))),
        libc::FD_CLOEXEC
    );
}

fn export_errors(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let before = open_descriptors();
    for flags in [1, 4, libc::O_NONBLOCK, libc::O_CLOEXEC | 1, i32::MIN] {
        require_errno!(node.export(bo.handle, flags), libc::EINVAL);
        // Flags are checked before the handle.
        require_errno!(node.export(0, flags), libc::EINVAL);
    }
    for handle in [0, bo.handle + 1, u32::MAX] {
        require_errno!(node.export(handle, libc::O_CLOEXEC), libc::ENOENT);
    }
    let mut arg = PrimeHandle {
        handle: bo.handle + 1,
        flags: 0,
        fd: 77,
    };
    require_errno!(node.ioctl(PRIME_HANDLE_TO_FD, &mut arg), libc::ENOENT);
    require_eq!(arg.fd, 77);
    require_errno!(
        node.ioctl_raw(PRIME_HANDLE_TO_FD.code(), BAD_ADDRESS),
        libc::EFAULT
    );
    require_eq!(open_descriptors(), before);
}

/// A number that is no descriptor.
struct Number(i32);

impl AsRawFd for Number {
    fn as_raw_fd(&self) -> i32 {
        self.0
    }
}

fn import_errors(_: &Ctx) {
    let node = render();
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let others = [
        require_ok!(Node::open("/dev/null")),
        require_ok!(node.duplicate()),
        require_ok!(signalled.export()),
        require_ok!(signalled.sync_file()),
    ];
    for other in &others {
        require_errno!(node.import(other), libc::EINVAL);
    }
    for number in [-1, 9999, i32::MIN] {
        require_errno!(node.import(&Number(number)), libc::EBADF);
    }
    require_eq!(node.live_handles(), []);
}

fn heap(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(2 << 20, BO_HEAP | BO_NOEXEC));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require_eq!(node.import(&fd), Ok(bo.handle));
    let handle = require_ok!(other.import(&fd));
    require_errno!(other.map_offset(handle), libc::EINVAL);
}

fn main() {
    let cases = [
        case!(
            "self_import",
            "drm_gem_prime_fd_to_handle: the file's own handle comes back",
            self_import
        ),
        case!(
            "other_file",
            "drm_gem_prime_import: another file of the device shares the memory",
            other_file
        ),
        case!(
            "close_order",
            "drm_gem_dmabuf_release: handles, descriptors, files closed in any order",
            close_order
        ),
        case!(
            "other_process",
            "drm_gem_prime_fd_to_handle: another process, by SCM_RIGHTS",
            other_process
        ),
        case!(
            "map",
            "drm_gem_dmabuf_mmap: the same memory, also after the handle is closed",
            map
        ),
        case!(
            "map_errors",
            "dma_buf_mmap_internal: EINVAL beyond the size; no copy on write",
            map_errors
        ),
        case!(
            "map_read_only",
            "dma_buf_fd: EACCES to write through a descriptor without O_RDWR",
            map_read_only
        ),
        case!(
            "size",
            "dma_buf_llseek: the size at the end, EINVAL elsewhere",
            size
        ),
        case!(
            "cpu_access",
            "dma_buf_ioctl: flags of DMA_BUF_IOCTL_SYNC",
            cpu_access
        ),
        case!("other_requests", "dma_buf_ioctl: ENOTTY", other_requests),
        case!(
            "busy",
            "dma_buf_begin_cpu_access: waits for the jobs of the buffer",
            busy
        ),
        case!(
            "export_sync_file",
            "dma_buf_export_sync_file: what readers and writers wait for; EINVAL",
            export_sync_file
        ),
        case!(
            "import_sync_file",
            "dma_buf_import_sync_file: others wait for it; EINVAL",
            import_sync_file
        ),
        case!(
            "import_earlier_sync_file",
            "dma_resv_add_fence: the later of one timeline stays",
            import_earlier_sync_file
        ),
        case!("set_name", "dma_buf_set_name: EFAULT", set_name),
        case!(
            "poll",
            "dma_buf_poll: readable when the jobs of the buffer have ended",
            poll
        ),
        case!(
            "shared_fences",
            "dma_resv is the buffer's: another file waits for the same jobs",
            shared_fences
        ),
        case!(
            "descriptor_flags",
            "drm_gem_prime_handle_to_fd: DRM_CLOEXEC",
            descriptor_flags
        ),
        case!(
            "export_errors",
            "drm_prime_handle_to_fd_ioctl: EINVAL for flags, ENOENT for handles",
            export_errors
        ),
        case!(
            "import_errors",
            "dma_buf_get: EBADF, EINVAL for what is no dma-buf",
            import_errors
        ),
        case!(
            "heap",
            "panfrost_gem_open: a heap in another file of the device",
            heap
        ),
    ];
    atf::main(&cases.map(|case| case.board("rk3399").timeout(30)));
}
