// SPDX-License-Identifier: BSD-2-Clause
//! The panfrost user ABI up to driver 1.6. Names of structures and fields are the uapi's, in Rust's
//! case.
#![expect(
    missing_docs,
    reason = "each structure is named after its uapi one, where the fields are defined"
)]

use super::{iow, iowr, Request};

const DRM: u8 = b'd';

/// `drm_panfrost_submit` since 1.5.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Submit {
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
pub const SUBMIT: Request<Submit> = iow(DRM, 0x40);

/// `drm_panfrost_submit` before 1.5, which older Mesa sends for ever.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Submit40 {
    pub jc: u64,
    pub in_syncs: u64,
    pub in_sync_count: u32,
    pub out_sync: u32,
    pub bo_handles: u64,
    pub bo_handle_count: u32,
    pub requirements: u32,
}
pub const SUBMIT_40: Request<Submit40> = iow(DRM, 0x40);
/// The job is a fragment job.
pub const REQ_FS: u32 = 1;
/// The job reads the cycle counter (since 1.3).
pub const REQ_CYCLE_COUNT: u32 = 2;

/// `drm_panfrost_wait_bo`; the timeout is absolute.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct WaitBo {
    pub handle: u32,
    pub pad: u32,
    pub timeout_ns: i64,
}
pub const WAIT_BO: Request<WaitBo> = iow(DRM, 0x41);

/// `drm_panfrost_create_bo`; `offset` comes back as the GPU address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct CreateBo {
    pub size: u32,
    pub flags: u32,
    pub handle: u32,
    pub pad: u32,
    pub offset: u64,
}
pub const CREATE_BO: Request<CreateBo> = iowr(DRM, 0x42);
pub const BO_NOEXEC: u32 = 1;
pub const BO_HEAP: u32 = 2;
pub const BO_WB_MMAP: u32 = 4;

/// `drm_panfrost_mmap_bo`; `offset` comes back as what mmap(2) takes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MmapBo {
    pub handle: u32,
    pub flags: u32,
    pub offset: u64,
}
pub const MMAP_BO: Request<MmapBo> = iowr(DRM, 0x43);

/// `drm_panfrost_get_param`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct GetParam {
    pub param: u32,
    pub pad: u32,
    pub value: u64,
}
pub const GET_PARAM: Request<GetParam> = iowr(DRM, 0x44);
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

/// `drm_panfrost_get_bo_offset`: the GPU address of a buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct GetBoOffset {
    pub handle: u32,
    pub pad: u32,
    pub offset: u64,
}
pub const GET_BO_OFFSET: Request<GetBoOffset> = iowr(DRM, 0x45);

/// `drm_panfrost_perfcnt_enable` (an ioctl that Linux calls unstable).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PerfcntEnable {
    pub enable: u32,
    pub counterset: u32,
}
pub const PERFCNT_ENABLE: Request<PerfcntEnable> = iow(DRM, 0x46);

/// `drm_panfrost_perfcnt_dump` (an ioctl that Linux calls unstable).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PerfcntDump {
    pub buf_ptr: u64,
}
pub const PERFCNT_DUMP: Request<PerfcntDump> = iow(DRM, 0x47);

/// `drm_panfrost_madvise`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Madvise {
    pub handle: u32,
    pub madv: u32,
    pub retained: u32,
}
pub const MADVISE: Request<Madvise> = iowr(DRM, 0x48);
pub const MADV_WILLNEED: u32 = 0;
pub const MADV_DONTNEED: u32 = 1;

/// `drm_panfrost_set_label_bo`; a label of 0 clears it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SetLabelBo {
    pub handle: u32,
    pub pad: u32,
    pub label: u64,
}
pub const SET_LABEL_BO: Request<SetLabelBo> = iowr(DRM, 0x49);

/// `drm_panfrost_jm_ctx_create`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct JmCtxCreate {
    pub handle: u32,
    pub priority: u32,
}
pub const JM_CTX_CREATE: Request<JmCtxCreate> = iowr(DRM, 0x4a);
pub const JM_CTX_PRIORITY_LOW: u32 = 0;
pub const JM_CTX_PRIORITY_MEDIUM: u32 = 1;
pub const JM_CTX_PRIORITY_HIGH: u32 = 2;

/// `drm_panfrost_jm_ctx_destroy`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct JmCtxDestroy {
    pub handle: u32,
    pub pad: u32,
}
pub const JM_CTX_DESTROY: Request<JmCtxDestroy> = iowr(DRM, 0x4b);

/// `drm_panfrost_bo_sync_op`: one range of one buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct BoSyncOp {
    pub handle: u32,
    pub kind: u32,
    pub offset: u32,
    pub size: u32,
}
pub const SYNC_CPU_CACHE_FLUSH: u32 = 0;
pub const SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE: u32 = 1;

/// `drm_panfrost_sync_bo`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncBo {
    pub ops: u64,
    pub op_count: u32,
    pub pad: u32,
}
pub const SYNC_BO: Request<SyncBo> = iowr(DRM, 0x4c);

/// `drm_panfrost_query_bo_info`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct QueryBoInfo {
    pub handle: u32,
    pub extra_flags: u32,
    pub create_flags: u32,
    pub pad: u32,
}
pub const QUERY_BO_INFO: Request<QueryBoInfo> = iowr(DRM, 0x4d);
pub const BO_IS_IMPORTED: u32 = 1;

const _: () = {
    assert!(size_of::<Submit>() == 48);
    assert!(size_of::<Submit40>() == 40);
    assert!(size_of::<WaitBo>() == 16);
    assert!(size_of::<CreateBo>() == 24);
    assert!(size_of::<MmapBo>() == 16);
    assert!(size_of::<GetParam>() == 16);
    assert!(size_of::<GetBoOffset>() == 16);
    assert!(size_of::<PerfcntEnable>() == 8);
    assert!(size_of::<PerfcntDump>() == 8);
    assert!(size_of::<Madvise>() == 12);
    assert!(size_of::<SetLabelBo>() == 16);
    assert!(size_of::<JmCtxCreate>() == 8);
    assert!(size_of::<JmCtxDestroy>() == 8);
    assert!(size_of::<BoSyncOp>() == 16);
    assert!(size_of::<SyncBo>() == 16);
    assert!(size_of::<QueryBoInfo>() == 16);
};
