// SPDX-License-Identifier: BSD-2-Clause
//! PRIME: buffers as dma-bufs, between files and processes, and what a dma-buf itself can do.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/drm_prime.c and drivers/dma-buf/dma-buf.c; the function is
//! named in each description.

mod contents;
mod fences;
mod handles;

use atf::drm::Node;
use atf::{case, require_ok, Sys};
use contents::{cpu_access, map, map_errors, map_read_only, other_requests, set_name, size};
use fences::{
    busy, export_sync_file, import_earlier_sync_file, import_sync_file, poll, shared_fences,
};
use handles::{
    close_order, descriptor_flags, export_errors, heap, import_errors, other_file, other_process,
    self_import,
};
use uapi::dma_buf;

const PAGE: usize = 4096;
const CLOEXEC_RDWR: i32 = libc::O_CLOEXEC | libc::O_RDWR;

fn render() -> Node {
    require_ok!(Node::render())
}

fn sync(fd: &Node, flags: u64) -> Sys<i32> {
    fd.ioctl(dma_buf::SYNC, &mut dma_buf::Sync { flags })
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
