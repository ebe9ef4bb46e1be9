// SPDX-License-Identifier: BSD-2-Clause
//! The etnaviv user ABI, driver 1.4. Names of structures and fields are the uapi's, in Rust's case.
#![expect(
    missing_docs,
    reason = "each structure is named after its uapi one, where the fields are defined"
)]

use crate::drm::{deadline_ns, io, iow, iowr, Request};

const DRM: u8 = b'd';

/// `drm_etnaviv_timespec`: an absolute time on CLOCK_MONOTONIC; the nanoseconds may be more than a
/// second.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Timespec {
    pub tv_sec: i64,
    pub tv_nsec: i64,
}

impl Timespec {
    /// The time that lies `ms` milliseconds ahead.
    pub fn after_ms(ms: i64) -> Timespec {
        let ns = deadline_ns(ms);
        Timespec {
            tv_sec: ns / 1_000_000_000,
            tv_nsec: ns % 1_000_000_000,
        }
    }

    /// Late enough for every job of a test.
    pub fn soon() -> Timespec {
        Timespec::after_ms(10_000)
    }
}

/// `drm_etnaviv_param`; `pipe` is the number of a core.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Param {
    pub pipe: u32,
    pub param: u32,
    pub value: u64,
}
pub const GET_PARAM: Request<Param> = iowr(DRM, 0x40);
pub const PARAM_GPU_MODEL: u32 = 0x01;
pub const PARAM_GPU_REVISION: u32 = 0x02;
pub const PARAM_GPU_FEATURES_0: u32 = 0x03;
pub const PARAM_GPU_STREAM_COUNT: u32 = 0x10;
pub const PARAM_SOFTPIN_START_ADDR: u32 = 0x1b;
pub const PARAM_GPU_ECO_ID: u32 = 0x1e;
/// A number that was kept for an ioctl that never came.
pub const SET_PARAM: Request<()> = io(DRM, 0x41);

/// `drm_etnaviv_gem_new`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct GemNew {
    pub size: u64,
    pub flags: u32,
    pub handle: u32,
}
pub const GEM_NEW: Request<GemNew> = iowr(DRM, 0x42);
pub const BO_CACHED: u32 = 0x1_0000;
pub const BO_WC: u32 = 0x2_0000;
pub const BO_UNCACHED: u32 = 0x4_0000;
/// No shortcut through the linear window of an MMUv1.
pub const BO_FORCE_MMU: u32 = 0x10_0000;

/// `drm_etnaviv_gem_info`; `offset` comes back as what mmap(2) takes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct GemInfo {
    pub handle: u32,
    pub pad: u32,
    pub offset: u64,
}
pub const GEM_INFO: Request<GemInfo> = iowr(DRM, 0x43);

/// `drm_etnaviv_gem_cpu_prep`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuPrep {
    pub handle: u32,
    pub op: u32,
    pub timeout: Timespec,
}
pub const CPU_PREP: Request<CpuPrep> = iow(DRM, 0x44);
pub const PREP_READ: u32 = 1;
pub const PREP_WRITE: u32 = 2;
pub const PREP_NOSYNC: u32 = 4;

/// `drm_etnaviv_gem_cpu_fini`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuFini {
    pub handle: u32,
    pub flags: u32,
}
pub const CPU_FINI: Request<CpuFini> = iow(DRM, 0x45);

/// `drm_etnaviv_gem_submit_reloc`: the word at byte `submit_offset` becomes an address in buffer
/// `reloc_idx`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SubmitReloc {
    pub submit_offset: u32,
    pub reloc_idx: u32,
    pub reloc_offset: u64,
    pub flags: u32,
    pub pad: u32,
}

/// `drm_etnaviv_gem_submit_bo`; `presumed` is the address with softpin.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SubmitBo {
    pub flags: u32,
    pub handle: u32,
    pub presumed: u64,
}
pub const SUBMIT_BO_READ: u32 = 1;
pub const SUBMIT_BO_WRITE: u32 = 2;

/// `drm_etnaviv_gem_submit_pmr`; `read_offset` counts words.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SubmitPmr {
    pub flags: u32,
    pub domain: u8,
    pub pad: u8,
    pub signal: u16,
    pub sequence: u32,
    pub read_offset: u32,
    pub read_idx: u32,
}
pub const PM_PROCESS_PRE: u32 = 1;
pub const PM_PROCESS_POST: u32 = 2;

/// `drm_etnaviv_gem_submit` since 1.2.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct GemSubmit {
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
pub const GEM_SUBMIT: Request<GemSubmit> = iowr(DRM, 0x46);
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

/// `drm_etnaviv_wait_fence`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct WaitFence {
    pub pipe: u32,
    pub fence: u32,
    pub flags: u32,
    pub pad: u32,
    pub timeout: Timespec,
}
pub const WAIT_FENCE: Request<WaitFence> = iow(DRM, 0x47);
pub const WAIT_NONBLOCK: u32 = 1;

/// `drm_etnaviv_gem_userptr`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct GemUserptr {
    pub user_ptr: u64,
    pub user_size: u64,
    pub flags: u32,
    pub handle: u32,
}
pub const GEM_USERPTR: Request<GemUserptr> = iowr(DRM, 0x48);
pub const USERPTR_READ: u32 = 1;
pub const USERPTR_WRITE: u32 = 2;

/// `drm_etnaviv_gem_wait`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct GemWait {
    pub pipe: u32,
    pub handle: u32,
    pub flags: u32,
    pub pad: u32,
    pub timeout: Timespec,
}
pub const GEM_WAIT: Request<GemWait> = iow(DRM, 0x49);

/// `drm_etnaviv_pm_domain`; `iter` goes in as an index and comes back as the next one, 0xff after
/// the last.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PmDomain {
    pub pipe: u32,
    pub iter: u8,
    pub id: u8,
    pub nr_signals: u16,
    pub name: [u8; 64],
}
pub const PM_QUERY_DOM: Request<PmDomain> = iowr(DRM, 0x4a);

/// `drm_etnaviv_pm_signal`; `iter` as that of a domain, 0xffff after the last.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PmSignal {
    pub pipe: u32,
    pub domain: u8,
    pub pad: u8,
    pub iter: u16,
    pub id: u16,
    pub name: [u8; 64],
}
pub const PM_QUERY_SIG: Request<PmSignal> = iowr(DRM, 0x4b);

/// The first number that driver 1.4 has no ioctl for.
pub const BEYOND: Request<()> = io(DRM, 0x4c);

const _: () = {
    assert!(size_of::<Param>() == 16);
    assert!(size_of::<GemNew>() == 16);
    assert!(size_of::<GemInfo>() == 16);
    assert!(size_of::<CpuPrep>() == 24);
    assert!(size_of::<CpuFini>() == 8);
    assert!(size_of::<SubmitReloc>() == 24);
    assert!(size_of::<SubmitBo>() == 16);
    assert!(size_of::<SubmitPmr>() == 20);
    assert!(size_of::<GemSubmit>() == 72);
    assert!(size_of::<WaitFence>() == 32);
    assert!(size_of::<GemUserptr>() == 24);
    assert!(size_of::<GemWait>() == 32);
    assert!(size_of::<PmDomain>() == 72);
    assert!(size_of::<PmSignal>() == 76);
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes as the uapi header gives them on Linux.
    #[test]
    fn codes_are_those_that_linux_programs_send() {
        assert_eq!(GET_PARAM.code(), 0xc010_6440);
        assert_eq!(GEM_NEW.code(), 0xc010_6442);
        assert_eq!(GEM_INFO.code(), 0xc010_6443);
        assert_eq!(CPU_PREP.code(), 0x4018_6444);
        assert_eq!(CPU_FINI.code(), 0x4008_6445);
        assert_eq!(GEM_SUBMIT.code(), 0xc048_6446);
        assert_eq!(WAIT_FENCE.code(), 0x4020_6447);
        assert_eq!(GEM_USERPTR.code(), 0xc018_6448);
        assert_eq!(GEM_WAIT.code(), 0x4020_6449);
        assert_eq!(PM_QUERY_DOM.code(), 0xc048_644a);
        assert_eq!(PM_QUERY_SIG.code(), 0xc04c_644b);
    }
}
