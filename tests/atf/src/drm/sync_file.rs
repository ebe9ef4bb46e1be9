// SPDX-License-Identifier: BSD-2-Clause
//! Requests that a sync_file descriptor and a dma-buf descriptor take. Names are the uapi's, in
//! Rust's case.
#![expect(
    missing_docs,
    reason = "each structure is named after its uapi one, where the fields are defined"
)]

use super::{iow, iowr, Request};

const SYNC: u8 = b'>';

/// `sync_merge_data`: two fences in, a new descriptor out.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MergeData {
    pub name: [u8; 32],
    pub fd2: i32,
    pub fence: i32,
    pub flags: u32,
    pub pad: u32,
}
pub const MERGE: Request<MergeData> = iowr(SYNC, 3);

/// `sync_fence_info`: one fence of a sync_file; `status` is 1 signalled, 0 active, negative an
/// error.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct FenceInfo {
    pub obj_name: [u8; 32],
    pub driver_name: [u8; 32],
    pub status: i32,
    pub flags: u32,
    pub timestamp_ns: u64,
}

/// `sync_file_info`; with `num_fences` 0 only the count comes back.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct FileInfo {
    pub name: [u8; 32],
    pub status: i32,
    pub flags: u32,
    pub num_fences: u32,
    pub pad: u32,
    pub sync_fence_info: u64,
}
pub const FILE_INFO: Request<FileInfo> = iowr(SYNC, 4);

/// `dma_buf_sync`: brackets CPU access to a dma-buf.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct DmaBufSync {
    pub flags: u64,
}
pub const DMA_BUF_SYNC: Request<DmaBufSync> = iow(b'b', 0);
pub const DMA_BUF_SYNC_READ: u64 = 1;
pub const DMA_BUF_SYNC_WRITE: u64 = 2;
pub const DMA_BUF_SYNC_END: u64 = 4;

/// `dma_buf_export_sync_file`: the fences of a dma-buf as a new descriptor;
/// `dma_buf_import_sync_file` is the same with the descriptor going in.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct DmaBufFences {
    pub flags: u32,
    pub fd: i32,
}
pub const DMA_BUF_EXPORT_SYNC_FILE: Request<DmaBufFences> = iowr(b'b', 2);
pub const DMA_BUF_IMPORT_SYNC_FILE: Request<DmaBufFences> = iow(b'b', 3);
/// `DMA_BUF_SET_NAME_B`; the argument is the string itself.
pub const DMA_BUF_SET_NAME: Request<[u8; 8]> = iow(b'b', 1);

const _: () = {
    assert!(size_of::<DmaBufFences>() == 8);
    assert!(size_of::<MergeData>() == 48);
    assert!(size_of::<FenceInfo>() == 80);
    assert!(size_of::<FileInfo>() == 56);
    assert!(size_of::<DmaBufSync>() == 8);
};
