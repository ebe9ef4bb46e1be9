// SPDX-License-Identifier: BSD-2-Clause
//! What a dma-buf itself can do: mmap(2), lseek(2), and requests but those for fences.

use super::{render, sync, CLOEXEC_RDWR, PAGE};
use atf::drm::{Node, BAD_ADDRESS};
use atf::{require_eq, require_errno, require_ok, Ctx, Sys};
use std::os::fd::AsRawFd;
use uapi::dma_buf;
use uapi::sync_file::FILE_INFO;

fn seek(fd: &Node, offset: i64, whence: i32) -> Sys<i64> {
    // SAFETY: lseek takes any numbers.
    match unsafe { libc::lseek(fd.as_raw_fd(), offset, whence) } {
        -1 => Err(atf::Errno::last()),
        at => Ok(at),
    }
}

pub(super) fn map(_: &Ctx) {
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

pub(super) fn map_errors(_: &Ctx) {
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

pub(super) fn map_read_only(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, libc::O_CLOEXEC));
    require_ok!(fd.map_as(0, PAGE, libc::PROT_READ, libc::MAP_SHARED));
    require_errno!(fd.map(0, PAGE), libc::EACCES);
}

pub(super) fn size(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(5000, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require_eq!(seek(&fd, 0, libc::SEEK_END), Ok(8192));
    require_eq!(seek(&fd, 0, libc::SEEK_SET), Ok(0));
    require_errno!(seek(&fd, 0, libc::SEEK_CUR), libc::EINVAL);
    require_errno!(seek(&fd, 1, libc::SEEK_SET), libc::EINVAL);
    require_errno!(seek(&fd, -4096, libc::SEEK_END), libc::EINVAL);
}

pub(super) fn cpu_access(_: &Ctx) {
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

pub(super) fn other_requests(_: &Ctx) {
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

pub(super) fn set_name(_: &Ctx) {
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
