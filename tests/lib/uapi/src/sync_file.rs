// SPDX-License-Identifier: BSD-2-Clause
//! sync_file.h: requests of a sync_file.
#![expect(
    missing_docs,
    reason = "each structure is named after its uapi one, where the fields are defined"
)]

use crate::plain::structures;
use crate::request::requests;

requests! {
    b'>', "SYNC_";
    MERGE: iowr<MergeData> = 3;
    FILE_INFO: iowr<FileInfo> = 4;
    SET_DEADLINE: iow<SetDeadline> = 5;
}

structures! {
    /// `sync_merge_data`: two fences, and the new descriptor that is returned.
    pub struct MergeData: 48 {
        pub name: [u8; 32],
        pub fd2: i32,
        pub fence: i32,
        pub flags: u32,
        pub pad: u32,
    }

    /// `sync_fence_info`: one fence of a sync_file; `status` is 1 signalled, 0 active, negative an
    /// error.
    pub struct FenceInfo: 80 {
        pub obj_name: [u8; 32],
        pub driver_name: [u8; 32],
        pub status: i32,
        pub flags: u32,
        pub timestamp_ns: u64,
    }

    /// `sync_file_info`; with `num_fences` 0 it returns only the count.
    pub struct FileInfo: 56 {
        pub name: [u8; 32],
        pub status: i32,
        pub flags: u32,
        pub num_fences: u32,
        pub pad: u32,
        pub sync_fence_info: u64,
    }

    /// `sync_set_deadline`.
    pub struct SetDeadline: 16 {
        pub deadline_ns: u64,
        pub pad: u64,
    }
}
