// SPDX-License-Identifier: BSD-2-Clause
//! Handles, global names and mmap(2) of GEM objects.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/drm_gem.c, drm_gem_shmem_helper.c, drm_vma_manager.c; the
//! function is named in each description. Objects are panfrost's, for want of a driver-independent
//! way to make one.

use atf::drm::{Node, BAD_ADDRESS};
use atf::process::{eventually, fork, Exit};
use atf::{case, require, require_eq, require_errno, require_ok, Ctx, Sys};
use uapi::core::{GemClose, GemFlink, GemOpen, GEM_CLOSE, GEM_FLINK, GEM_OPEN};
use uapi::panfrost::{BO_HEAP, BO_NOEXEC};

const PAGE: usize = 4096;
const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;

fn flink(node: &Node, handle: u32) -> Sys<u32> {
    let mut arg = GemFlink { handle, name: 0 };
    node.ioctl(GEM_FLINK, &mut arg).map(|_| arg.name)
}

fn open(node: &Node, name: u32) -> Sys<(u32, u64)> {
    let mut arg = GemOpen {
        name,
        ..GemOpen::default()
    };
    node.ioctl(GEM_OPEN, &mut arg)
        .map(|_| (arg.handle, arg.size))
}

fn render() -> Node {
    require_ok!(Node::render())
}

fn close(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(4096, 0));
    require_eq!(node.live_handles(), [bo.handle]);
    require_ok!(node.gem_close(bo.handle));
    require_errno!(node.gem_close(bo.handle), libc::EINVAL);
    require_eq!(node.live_handles(), []);
}

fn close_errors(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(4096, 0));
    for handle in [0, bo.handle + 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        require_errno!(node.gem_close(handle), libc::EINVAL);
    }
    require_errno!(other.gem_close(bo.handle), libc::EINVAL);
    require_eq!(node.live_handles(), [bo.handle]);
    // The padding is not checked.
    require_ok!(node.ioctl(
        GEM_CLOSE,
        &mut GemClose {
            handle: bo.handle,
            pad: 7
        }
    ));
}

fn handles_are_of_a_file(_: &Ctx) {
    let (node, other) = (render(), render());
    let bos: Vec<_> = (0..20).map(|_| require_ok!(node.bo(4096, 0))).collect();
    let mut handles: Vec<_> = bos.iter().map(|bo| bo.handle).collect();
    handles.sort_unstable();
    handles.dedup();
    require_eq!(handles.len(), 20);
    require!(handles[0] != 0, "0 is no handle");
    require_eq!(other.live_handles(), []);
    let copy = require_ok!(node.duplicate());
    require_eq!(copy.live_handles(), handles, "a duplicate is the same file");
}

fn names(_: &Ctx) {
    let (node, other) = (require_ok!(Node::card()), require_ok!(Node::card()));
    let bo = require_ok!(node.bo(5000, 0));
    let name = require_ok!(flink(&node, bo.handle));
    require!(name != 0);
    require_eq!(flink(&node, bo.handle), Ok(name), "an object has one name");
    let (handle, size) = require_ok!(open(&other, name));
    require_eq!(size, 8192, "whole pages");
    require_eq!(flink(&other, handle), Ok(name));
    let map = require_ok!(bo.map());
    map.write_u32(0, 0x1234_5678);
    let offset = require_ok!(other.map_offset(handle));
    require_eq!(
        require_ok!(other.map(offset, PAGE)).read_u32(0),
        0x1234_5678
    );
    // Each open makes a new handle.
    let (again, _) = require_ok!(open(&other, name));
    require!(again != handle);
    require_ok!(other.gem_close(handle));
    require_eq!(
        require_ok!(other.map(require_ok!(other.map_offset(again)), PAGE)).read_u32(0),
        0x1234_5678
    );
}

fn names_end(_: &Ctx) {
    let (node, other) = (require_ok!(Node::card()), require_ok!(Node::card()));
    let bo = require_ok!(node.bo(4096, 0));
    let name = require_ok!(flink(&node, bo.handle));
    let (handle, _) = require_ok!(open(&other, name));
    drop(bo);
    let (second, _) = require_ok!(open(&other, name));
    require_ok!(other.gem_close(second));
    require_ok!(other.gem_close(handle));
    require_errno!(open(&other, name), libc::ENOENT);
    // A file that is closed takes its handles with it.
    let bo = require_ok!(other.bo(4096, 0));
    let name = require_ok!(flink(&other, bo.handle));
    std::mem::forget(bo);
    drop(other);
    require!(eventually(|| open(&node, name)
        .map(|(handle, _)| node.gem_close(handle))
        .is_err()));
    require_errno!(open(&node, name), libc::ENOENT);
}

fn name_errors(_: &Ctx) {
    let (node, render) = (require_ok!(Node::card()), render());
    for handle in [0, 1, u32::MAX] {
        require_errno!(flink(&node, handle), libc::ENOENT);
        require_errno!(open(&node, handle), libc::ENOENT);
    }
    let bo = require_ok!(render.bo(4096, 0));
    require_errno!(flink(&render, bo.handle), libc::EACCES);
    require_errno!(open(&render, 1), libc::EACCES);
    require_errno!(node.ioctl_raw(GEM_FLINK.code(), BAD_ADDRESS), libc::EFAULT);
    require_errno!(node.ioctl_raw(GEM_OPEN.code(), BAD_ADDRESS), libc::EFAULT);
    require_eq!(node.live_handles(), []);
}

fn map(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(3 * PAGE as u32, 0));
    let offset = require_ok!(node.map_offset(bo.handle));
    require!(offset != 0 && offset % PAGE as u64 == 0, "{offset:#x}");
    require_eq!(node.map_offset(bo.handle), Ok(offset), "the offset stays");
    let first = require_ok!(node.map(offset, 3 * PAGE));
    require!(
        first.read(0, 3 * PAGE).iter().all(|byte| *byte == 0),
        "memory starts as zeroes"
    );
    first.write_u32(2 * PAGE + 4, 77);
    let part = require_ok!(node.map(offset, PAGE));
    first.write_u32(8, 78);
    require_eq!(part.read_u32(8), 78, "the first page of the same memory");
    drop(part);
    let whole = require_ok!(node.map(offset, 3 * PAGE));
    require_eq!(whole.read_u32(2 * PAGE + 4), 77);
    let read_only = require_ok!(node.map_as(offset, PAGE, libc::PROT_READ, libc::MAP_SHARED));
    require_eq!(read_only.read_u32(8), 78);
}

fn map_errors(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(2 * PAGE as u32, 0));
    let offset = require_ok!(node.map_offset(bo.handle));
    let page = PAGE as u64;
    require_errno!(node.map(offset, 3 * PAGE), libc::EINVAL);
    require_errno!(node.map(offset + page, PAGE), libc::EINVAL);
    require_errno!(node.map(offset + 2 * page, PAGE), libc::EINVAL);
    require_errno!(node.map(offset - page, PAGE), libc::EINVAL);
    require_errno!(node.map(0, PAGE), libc::EINVAL);
    require_errno!(node.map(offset, 0), libc::EINVAL);
    require_errno!(node.map(offset + 1, PAGE), libc::EINVAL);
    require_errno!(node.map(1 << 50, PAGE), libc::EINVAL);
}

fn map_rounding(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32 + 1, 0));
    let offset = require_ok!(node.map_offset(bo.handle));
    let map = require_ok!(node.map(offset, 2 * PAGE));
    map.write_u32(2 * PAGE - 4, 5);
    require_eq!(require_ok!(node.map(offset, PAGE + 1)).read(PAGE, 1), [0]);
}

fn map_private(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let offset = require_ok!(node.map_offset(bo.handle));
    require_errno!(
        node.map_as(offset, PAGE, READ_WRITE, libc::MAP_PRIVATE),
        libc::EINVAL
    );
    require_errno!(
        node.map_as(offset, PAGE, libc::PROT_READ, libc::MAP_PRIVATE),
        libc::EINVAL
    );
}

fn map_foreign(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let offset = require_ok!(node.map_offset(bo.handle));
    require_errno!(other.map(offset, PAGE), libc::EACCES);
    let fd = require_ok!(node.export(bo.handle, libc::O_CLOEXEC));
    let handle = require_ok!(other.import(&fd));
    require_ok!(other.map(offset, PAGE));
    require_ok!(other.gem_close(handle));
    require_errno!(other.map(offset, PAGE), libc::EACCES);
}

fn map_after_close(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let offset = require_ok!(node.map_offset(bo.handle));
    drop(bo);
    require_errno!(node.map(offset, PAGE), libc::EINVAL);
}

fn map_keeps_the_object(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let offset = require_ok!(node.map_offset(bo.handle));
    let map = require_ok!(node.map(offset, PAGE));
    map.write_u32(0, 42);
    drop(bo);
    // Its memory must not be another's now.
    let next = require_ok!(node.bo(PAGE as u32, 0));
    require_ok!(next.map()).write_u32(0, 43);
    require_eq!(map.read_u32(0), 42);
}

fn map_offset_of_closed(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let offset = require_ok!(node.map_offset(bo.handle));
    let map = require_ok!(node.map(offset, PAGE));
    drop(bo);
    // Linux keeps the object's place for as long as it is mapped, and says EACCES; here the place
    // goes with the last handle. Either way the file gets no second mapping, and the first stays.
    require_errno!(node.map(offset, PAGE), libc::EINVAL);
    require_eq!(map.read_u32(0), 0);
}

fn map_outlives_the_file(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let map = require_ok!(bo.map());
    std::mem::forget(bo);
    drop(node);
    map.write_u32(0, 42);
    require_eq!(map.read_u32(0), 42);
}

fn map_heap(_: &Ctx) {
    let node = render();
    let heap = require_ok!(node.bo(2 << 20, BO_HEAP | BO_NOEXEC));
    require_errno!(node.map_offset(heap.handle), libc::EINVAL);
}

fn map_in_child(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let map = require_ok!(bo.map());
    map.write_u32(0, 1);
    let mut child = require_ok!(fork(|| {
        // The mapping and the file are both inherited.
        assert_eq!(map.read_u32(0), 1);
        map.write_u32(4, 2);
        require_ok!(bo.map()).write_u32(8, 3);
        0
    }));
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
    require_eq!([map.read_u32(4), map.read_u32(8)], [2, 3]);
    require_eq!(
        node.live_handles(),
        [bo.handle],
        "the child's end closed nothing"
    );
}

fn main() {
    let cases = [
        case!(
            "close",
            "drm_gem_handle_delete: a closed handle is EINVAL",
            close
        ),
        case!(
            "close_errors",
            "drm_gem_handle_delete: EINVAL for unknown and foreign handles",
            close_errors
        ),
        case!(
            "handles_are_of_a_file",
            "drm_gem_handle_create_tail: handles are of one file",
            handles_are_of_a_file
        ),
        case!(
            "names",
            "drm_gem_flink_ioctl, drm_gem_open_ioctl: one name, a new handle each time",
            names
        )
        .require_user("root"),
        case!(
            "names_end",
            "drm_gem_object_handle_free: ENOENT when the last handle is gone",
            names_end
        )
        .require_user("root"),
        case!(
            "name_errors",
            "drm_gem_flink_ioctl, drm_gem_open_ioctl: ENOENT, EACCES, EFAULT",
            name_errors
        ),
        case!(
            "map",
            "drm_gem_mmap: whole and in part, shared memory of zeroes",
            map
        ),
        case!(
            "map_errors",
            "drm_vma_offset_exact_lookup_locked: EINVAL for wrong places and lengths",
            map_errors
        ),
        case!(
            "map_rounding",
            "drm_gem_shmem_create: sizes are whole pages",
            map_rounding
        ),
        case!(
            "map_private",
            "drm_gem_shmem_mmap: EINVAL for copy on write",
            map_private
        ),
        case!(
            "map_foreign",
            "drm_vma_node_is_allowed: EACCES without a handle",
            map_foreign
        ),
        case!(
            "map_after_close",
            "drm_gem_mmap: EINVAL when the object is gone",
            map_after_close
        ),
        case!(
            "map_keeps_the_object",
            "drm_gem_vm_open: a mapping keeps the object",
            map_keeps_the_object
        ),
        case!(
            "map_offset_of_closed",
            "drm_vma_node_revoke: no mapping of what was closed",
            map_offset_of_closed
        ),
        case!(
            "map_outlives_the_file",
            "drm_gem_vm_open: a mapping outlives its file",
            map_outlives_the_file
        ),
        case!(
            "map_heap",
            "panfrost_ioctl_mmap_bo: EINVAL for a heap",
            map_heap
        ),
        case!(
            "map_in_child",
            "drm_gem_shmem_vm_open: mappings and handles of a forked child",
            map_in_child
        ),
    ];
    atf::main(&cases.map(|case| case.board("rk3399").timeout(30)));
}
