// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv_drm.h, driver 1.4.
#![expect(
    missing_docs,
    reason = "each structure is named after its uapi one, where the fields are defined"
)]

use crate::plain::structures;
use crate::request::requests;

requests! {
    b'd', "ETNAVIV_";
    GET_PARAM: iowr<Param> = 0x40;
    /// A number reserved for an ioctl that was never added.
    SET_PARAM: io<()> = 0x41;
    GEM_NEW: iowr<GemNew> = 0x42;
    GEM_INFO: iowr<GemInfo> = 0x43;
    GEM_CPU_PREP: iow<CpuPrep> = 0x44;
    GEM_CPU_FINI: iow<CpuFini> = 0x45;
    GEM_SUBMIT: iowr<GemSubmit> = 0x46;
    WAIT_FENCE: iow<WaitFence> = 0x47;
    GEM_USERPTR: iowr<GemUserptr> = 0x48;
    GEM_WAIT: iow<GemWait> = 0x49;
    PM_QUERY_DOM: iowr<PmDomain> = 0x4a;
    PM_QUERY_SIG: iowr<PmSignal> = 0x4b;
}

pub const PARAM_GPU_MODEL: u32 = 0x01;
pub const PARAM_GPU_REVISION: u32 = 0x02;
pub const PARAM_GPU_FEATURES_0: u32 = 0x03;
pub const PARAM_GPU_STREAM_COUNT: u32 = 0x10;
pub const PARAM_SOFTPIN_START_ADDR: u32 = 0x1b;
pub const PARAM_GPU_ECO_ID: u32 = 0x1e;
pub const BO_CACHED: u32 = 0x1_0000;
pub const BO_WC: u32 = 0x2_0000;
pub const BO_UNCACHED: u32 = 0x4_0000;
/// Not through the linear window of an MMUv1.
pub const BO_FORCE_MMU: u32 = 0x10_0000;
pub const PREP_READ: u32 = 1;
pub const PREP_WRITE: u32 = 2;
pub const PREP_NOSYNC: u32 = 4;
pub const SUBMIT_BO_READ: u32 = 1;
pub const SUBMIT_BO_WRITE: u32 = 2;
pub const PM_PROCESS_PRE: u32 = 1;
pub const PM_PROCESS_POST: u32 = 2;
/// Bytes of the structure of 1.0, which ends after `stream`.
pub const SUBMIT_1_0_BYTES: u32 = 48;
/// Bytes of the structure of 1.1, which ends after `fence_fd`.
pub const SUBMIT_1_1_BYTES: u32 = 56;
pub const PIPE_3D: u32 = 0;
pub const PIPE_2D: u32 = 1;
pub const PIPE_VG: u32 = 2;
pub const SUBMIT_NO_IMPLICIT: u32 = 1;
pub const SUBMIT_FENCE_FD_IN: u32 = 2;
pub const SUBMIT_FENCE_FD_OUT: u32 = 4;
pub const SUBMIT_SOFTPIN: u32 = 8;
pub const WAIT_NONBLOCK: u32 = 1;
pub const USERPTR_READ: u32 = 1;
pub const USERPTR_WRITE: u32 = 2;

structures! {
    /// `drm_etnaviv_timespec`: an absolute time on CLOCK_MONOTONIC; the nanoseconds may exceed a
    /// second.
    pub struct Timespec: 16 {
        pub tv_sec: i64,
        pub tv_nsec: i64,
    }

    /// `drm_etnaviv_param`; `pipe` is the number of a core.
    pub struct Param: 16 {
        pub pipe: u32,
        pub param: u32,
        pub value: u64,
    }

    /// `drm_etnaviv_gem_new`.
    pub struct GemNew: 16 {
        pub size: u64,
        pub flags: u32,
        pub handle: u32,
    }

    /// `drm_etnaviv_gem_info`; returns the offset for mmap(2) in `offset`.
    pub struct GemInfo: 16 {
        pub handle: u32,
        pub pad: u32,
        pub offset: u64,
    }

    /// `drm_etnaviv_gem_cpu_prep`.
    pub struct CpuPrep: 24 {
        pub handle: u32,
        pub op: u32,
        pub timeout: Timespec,
    }

    /// `drm_etnaviv_gem_cpu_fini`.
    pub struct CpuFini: 8 {
        pub handle: u32,
        pub flags: u32,
    }

    /// `drm_etnaviv_gem_submit_reloc`: the word at byte `submit_offset` is replaced by an address
    /// in buffer `reloc_idx`.
    pub struct SubmitReloc: 24 {
        pub submit_offset: u32,
        pub reloc_idx: u32,
        pub reloc_offset: u64,
        pub flags: u32,
        pub pad: u32,
    }

    /// `drm_etnaviv_gem_submit_bo`; `presumed` is the address with softpin.
    pub struct SubmitBo: 16 {
        pub flags: u32,
        pub handle: u32,
        pub presumed: u64,
    }

    /// `drm_etnaviv_gem_submit_pmr`; `read_offset` counts words.
    pub struct SubmitPmr: 20 {
        pub flags: u32,
        pub domain: u8,
        pub pad: u8,
        pub signal: u16,
        pub sequence: u32,
        pub read_offset: u32,
        pub read_idx: u32,
    }

    /// `drm_etnaviv_gem_submit` since 1.2.
    pub struct GemSubmit: 72 {
        pub fence: u32,
        pub pipe: u32,
        pub exec_state: u32,
        pub nr_bos: u32,
        pub nr_relocs: u32,
        pub stream_size: u32,
        pub bos: u64,
        pub relocs: u64,
        pub stream: u64,
        pub flags: u32,
        pub fence_fd: i32,
        pub pmrs: u64,
        pub nr_pmrs: u32,
        pub pad: u32,
    }

    /// `drm_etnaviv_wait_fence`.
    pub struct WaitFence: 32 {
        pub pipe: u32,
        pub fence: u32,
        pub flags: u32,
        pub pad: u32,
        pub timeout: Timespec,
    }

    /// `drm_etnaviv_gem_userptr`.
    pub struct GemUserptr: 24 {
        pub user_ptr: u64,
        pub user_size: u64,
        pub flags: u32,
        pub handle: u32,
    }

    /// `drm_etnaviv_gem_wait`.
    pub struct GemWait: 32 {
        pub pipe: u32,
        pub handle: u32,
        pub flags: u32,
        pub pad: u32,
        pub timeout: Timespec,
    }

    /// `drm_etnaviv_pm_domain`; `iter` is the index of a domain and returns the next one, 0xff
    /// after the last.
    pub struct PmDomain: 72 {
        pub pipe: u32,
        pub iter: u8,
        pub id: u8,
        pub nr_signals: u16,
        pub name: [u8; 64],
    }

    /// `drm_etnaviv_pm_signal`; `iter` as for a domain, 0xffff after the last.
    pub struct PmSignal: 76 {
        pub pipe: u32,
        pub domain: u8,
        pub pad: u8,
        pub iter: u16,
        pub id: u16,
        pub name: [u8; 64],
    }
}
