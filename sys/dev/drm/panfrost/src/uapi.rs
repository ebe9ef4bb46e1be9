// SPDX-License-Identifier: BSD-2-Clause
//! The user ABI of driver version 1.6 (include/uapi/drm/panfrost_drm.h).

use drmkpi::uapi_struct;

uapi_struct! {
    /// `struct drm_panfrost_submit`. Clients that were built with the header of a version before
    /// 1.5 leave the last two fields out.
    pub struct Submit {
        /// GPU address of the first job of the chain.
        jc: u64,
        /// User address of the handles of the syncobjs to wait for.
        in_syncs: u64,
        /// How many.
        in_sync_count: u32,
        /// The syncobj that receives the job's fence; 0 for none.
        out_sync: u32,
        /// User address of the handles of the BOs that the job uses.
        bo_handles: u64,
        /// How many.
        bo_handle_count: u32,
        /// FS 1: a fragment job; CYCLE_COUNT 2: the cycle counter runs meanwhile.
        requirements: u32,
        /// The context; 0 for the default one.
        jm_ctx_handle: u32,
        /// Must be zero.
        pad: u32,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_wait_bo`.
    pub struct WaitBo {
        /// The BO.
        handle: u32,
        /// Must be zero.
        pad: u32,
        /// Absolute, ns.
        timeout_ns: i64,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_create_bo`.
    pub struct CreateBo {
        /// Bytes.
        size: u32,
        /// NOEXEC 1, HEAP 2, WB_MMAP 4.
        flags: u32,
        /// The new BO.
        handle: u32,
        /// Must be zero.
        pad: u32,
        /// Its GPU address.
        offset: u64,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_mmap_bo`.
    pub struct MmapBo {
        /// The BO.
        handle: u32,
        /// Must be zero.
        flags: u32,
        /// The offset to pass to mmap(2).
        offset: u64,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_get_param`.
    pub struct GetParam {
        /// The number of the parameter.
        param: u32,
        /// Must be zero.
        pad: u32,
        /// Its value.
        value: u64,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_get_bo_offset`.
    pub struct GetBoOffset {
        /// The BO.
        handle: u32,
        /// Ignored, as on Linux.
        pad: u32,
        /// Its GPU address.
        offset: u64,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_perfcnt_enable`.
    pub struct PerfcntEnable {
        /// 0 or 1.
        enable: u32,
        /// The counter set, on Bifrost.
        counterset: u32,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_perfcnt_dump`.
    pub struct PerfcntDump {
        /// User address of the buffer.
        buf_ptr: u64,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_madvise`.
    pub struct Madvise {
        /// The BO.
        handle: u32,
        /// WILLNEED 0, DONTNEED 1.
        madv: u32,
        /// 1 if its contents are preserved, 0 if they were purged.
        retained: u32,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_set_label_bo`.
    pub struct SetLabelBo {
        /// The BO.
        handle: u32,
        /// Must be zero.
        pad: u32,
        /// User address of a string, or 0.
        label: u64,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_jm_ctx_create`.
    pub struct JmCtxCreate {
        /// The new context.
        handle: u32,
        /// LOW 0, MEDIUM 1, HIGH 2.
        priority: u32,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_jm_ctx_destroy`.
    pub struct JmCtxDestroy {
        /// The context.
        handle: u32,
        /// Must be zero.
        pad: u32,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_bo_sync_op`.
    pub struct BoSyncOp {
        /// The BO.
        handle: u32,
        /// CPU_CACHE_FLUSH 0, CPU_CACHE_FLUSH_AND_INVALIDATE 1.
        kind: u32,
        /// The first byte.
        offset: u32,
        /// Bytes.
        size: u32,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_sync_bo`.
    pub struct SyncBo {
        /// User address of the operations.
        ops: u64,
        /// How many.
        op_count: u32,
        /// Must be zero.
        pad: u32,
    }
}

uapi_struct! {
    /// `struct drm_panfrost_query_bo_info`.
    pub struct QueryBoInfo {
        /// The BO.
        handle: u32,
        /// IS_IMPORTED 1.
        extra_flags: u32,
        /// The flags that it was created with.
        create_flags: u32,
        /// Set to zero.
        pad: u32,
    }
}
