// SPDX-License-Identifier: BSD-2-Clause
//! dma-buf.h: requests of a dma-buf.
#![expect(
    missing_docs,
    reason = "each structure is named after its uapi one, where the fields are defined"
)]

use crate::plain::structures;
use crate::request::requests;

requests! {
    b'b', "DMA_BUF_";
    SYNC: iow<Sync> = 0;
    EXPORT_SYNC_FILE: iowr<Fences> = 2;
    IMPORT_SYNC_FILE: iow<Fences> = 3;
    SET_NAME_B: iow<NameB> = 1;
    SET_NAME_A: iow<NameA> = 1;
}

pub const SYNC_READ: u64 = 1;
pub const SYNC_WRITE: u64 = 2;
pub const SYNC_END: u64 = 4;

structures! {
    /// `dma_buf_sync`: brackets CPU access to a dma-buf.
    pub struct Sync: 8 {
        pub flags: u64,
    }

    /// `dma_buf_export_sync_file`: returns the fences of a dma-buf as a new descriptor;
    /// `dma_buf_import_sync_file` has the same layout, with a descriptor to import.
    pub struct Fences: 8 {
        pub flags: u32,
        pub fd: i32,
    }

    /// Size in the code of an early `DMA_BUF_SET_NAME`; the argument is the string itself.
    pub struct NameA: 4 {
        pub name: u32,
    }

    /// Size in the code of `DMA_BUF_SET_NAME`; the argument is the string itself.
    pub struct NameB: 8 {
        pub name: u64,
    }
}
