// SPDX-License-Identifier: BSD-2-Clause
//! panfrost_drm.h, up to driver 1.6.
#![expect(
    missing_docs,
    reason = "each structure is named after its uapi one, where the fields are defined"
)]

use crate::plain::structures;
use crate::request::requests;

requests! {
    b'd', "PANFROST_";
    SUBMIT: iow<Submit> = 0x40;
    WAIT_BO: iow<WaitBo> = 0x41;
    CREATE_BO: iowr<CreateBo> = 0x42;
    MMAP_BO: iowr<MmapBo> = 0x43;
    GET_PARAM: iowr<GetParam> = 0x44;
    GET_BO_OFFSET: iowr<GetBoOffset> = 0x45;
    PERFCNT_ENABLE: iow<PerfcntEnable> = 0x46;
    PERFCNT_DUMP: iow<PerfcntDump> = 0x47;
    MADVISE: iowr<Madvise> = 0x48;
    SET_LABEL_BO: iowr<SetLabelBo> = 0x49;
    JM_CTX_CREATE: iowr<JmCtxCreate> = 0x4a;
    JM_CTX_DESTROY: iowr<JmCtxDestroy> = 0x4b;
    SYNC_BO: iowr<SyncBo> = 0x4c;
    QUERY_BO_INFO: iowr<QueryBoInfo> = 0x4d;
}

/// The job is a fragment job.
pub const REQ_FS: u32 = 1;
/// The job reads the cycle counter (since 1.3).
pub const REQ_CYCLE_COUNT: u32 = 2;
pub const BO_NOEXEC: u32 = 1;
pub const BO_HEAP: u32 = 2;
pub const BO_WB_MMAP: u32 = 4;
pub const PARAM_GPU_PROD_ID: u32 = 0;
pub const PARAM_GPU_REVISION: u32 = 1;
pub const PARAM_SHADER_PRESENT: u32 = 2;
pub const PARAM_AS_PRESENT: u32 = 6;
pub const PARAM_JS_PRESENT: u32 = 7;
pub const PARAM_L2_FEATURES: u32 = 8;
pub const PARAM_TILER_FEATURES: u32 = 10;
pub const PARAM_MEM_FEATURES: u32 = 11;
pub const PARAM_MMU_FEATURES: u32 = 12;
pub const PARAM_TEXTURE_FEATURES0: u32 = 18;
pub const PARAM_JS_FEATURES0: u32 = 22;
pub const PARAM_NR_CORE_GROUPS: u32 = 38;
pub const PARAM_THREAD_TLS_ALLOC: u32 = 39;
pub const PARAM_AFBC_FEATURES: u32 = 40;
pub const PARAM_SYSTEM_TIMESTAMP: u32 = 41;
pub const PARAM_SYSTEM_TIMESTAMP_FREQUENCY: u32 = 42;
pub const PARAM_ALLOWED_JM_CTX_PRIORITIES: u32 = 43;
pub const PARAM_SELECTED_COHERENCY: u32 = 44;
pub const MADV_WILLNEED: u32 = 0;
pub const MADV_DONTNEED: u32 = 1;
pub const JM_CTX_PRIORITY_LOW: u32 = 0;
pub const JM_CTX_PRIORITY_MEDIUM: u32 = 1;
pub const JM_CTX_PRIORITY_HIGH: u32 = 2;
pub const SYNC_CPU_CACHE_FLUSH: u32 = 0;
pub const SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE: u32 = 1;
pub const BO_IS_IMPORTED: u32 = 1;

structures! {
    /// `drm_panfrost_submit` since 1.5.
    pub struct Submit: 48 {
        pub jc: u64,
        pub in_syncs: u64,
        pub in_sync_count: u32,
        pub out_sync: u32,
        pub bo_handles: u64,
        pub bo_handle_count: u32,
        pub requirements: u32,
        pub jm_ctx_handle: u32,
        pub pad: u32,
    }

    /// `drm_panfrost_submit` before 1.5; older versions of Mesa send it.
    pub struct Submit40: 40 {
        pub jc: u64,
        pub in_syncs: u64,
        pub in_sync_count: u32,
        pub out_sync: u32,
        pub bo_handles: u64,
        pub bo_handle_count: u32,
        pub requirements: u32,
    }

    /// `drm_panfrost_wait_bo`; the timeout is absolute.
    pub struct WaitBo: 16 {
        pub handle: u32,
        pub pad: u32,
        pub timeout_ns: i64,
    }

    /// `drm_panfrost_create_bo`; returns the GPU address in `offset`.
    pub struct CreateBo: 24 {
        pub size: u32,
        pub flags: u32,
        pub handle: u32,
        pub pad: u32,
        pub offset: u64,
    }

    /// `drm_panfrost_mmap_bo`; returns the offset for mmap(2) in `offset`.
    pub struct MmapBo: 16 {
        pub handle: u32,
        pub flags: u32,
        pub offset: u64,
    }

    /// `drm_panfrost_get_param`.
    pub struct GetParam: 16 {
        pub param: u32,
        pub pad: u32,
        pub value: u64,
    }

    /// `drm_panfrost_get_bo_offset`: the GPU address of a buffer.
    pub struct GetBoOffset: 16 {
        pub handle: u32,
        pub pad: u32,
        pub offset: u64,
    }

    /// `drm_panfrost_perfcnt_enable` (an ioctl that Linux calls unstable).
    pub struct PerfcntEnable: 8 {
        pub enable: u32,
        pub counterset: u32,
    }

    /// `drm_panfrost_perfcnt_dump` (an ioctl that Linux calls unstable).
    pub struct PerfcntDump: 8 {
        pub buf_ptr: u64,
    }

    /// `drm_panfrost_madvise`.
    pub struct Madvise: 12 {
        pub handle: u32,
        pub madv: u32,
        pub retained: u32,
    }

    /// `drm_panfrost_set_label_bo`; a label of 0 clears it.
    pub struct SetLabelBo: 16 {
        pub handle: u32,
        pub pad: u32,
        pub label: u64,
    }

    /// `drm_panfrost_jm_ctx_create`.
    pub struct JmCtxCreate: 8 {
        pub handle: u32,
        pub priority: u32,
    }

    /// `drm_panfrost_jm_ctx_destroy`.
    pub struct JmCtxDestroy: 8 {
        pub handle: u32,
        pub pad: u32,
    }

    /// `drm_panfrost_bo_sync_op`: one range of one buffer.
    pub struct BoSyncOp: 16 {
        pub handle: u32,
        pub kind: u32,
        pub offset: u32,
        pub size: u32,
    }

    /// `drm_panfrost_sync_bo`.
    pub struct SyncBo: 16 {
        pub ops: u64,
        pub op_count: u32,
        pub pad: u32,
    }

    /// `drm_panfrost_query_bo_info`.
    pub struct QueryBoInfo: 16 {
        pub handle: u32,
        pub extra_flags: u32,
        pub create_flags: u32,
        pub pad: u32,
    }
}

/// SUBMIT of programs for versions before 1.5.
pub const SUBMIT_40: crate::Request<Submit40> = SUBMIT.with();
