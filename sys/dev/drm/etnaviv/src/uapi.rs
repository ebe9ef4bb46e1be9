// SPDX-License-Identifier: BSD-2-Clause
//! The user ABI of driver version 1.4 (include/uapi/drm/etnaviv_drm.h).

use drmkpi::uapi_struct;

uapi_struct! {
    /// `struct drm_etnaviv_param`.
    pub struct Param {
        /// Which core.
        pipe: u32,
        /// Which parameter.
        param: u32,
        /// Its value.
        value: u64,
    }
}

uapi_struct! {
    /// `struct drm_etnaviv_gem_new`.
    pub struct GemNew {
        /// Bytes.
        size: u64,
        /// Cache and map flags.
        flags: u32,
        /// The new object.
        handle: u32,
    }
}

uapi_struct! {
    /// `struct drm_etnaviv_gem_info`.
    pub struct GemInfo {
        /// The object.
        handle: u32,
        /// Must be zero.
        pad: u32,
        /// The offset to pass to mmap(2).
        offset: u64,
    }
}

uapi_struct! {
    /// `struct drm_etnaviv_gem_cpu_prep`.
    pub struct CpuPrep {
        /// The object.
        handle: u32,
        /// READ 1, WRITE 2, NOSYNC 4.
        op: u32,
        /// Absolute time-out: seconds.
        tv_sec: i64,
        /// And nanoseconds, not necessarily below a second.
        tv_nsec: i64,
    }
}

uapi_struct! {
    /// `struct drm_etnaviv_gem_cpu_fini`.
    pub struct CpuFini {
        /// The object.
        handle: u32,
        /// Must be zero.
        flags: u32,
    }
}

uapi_struct! {
    /// `struct drm_etnaviv_gem_submit_bo`.
    pub struct SubmitBo {
        /// READ 1, WRITE 2.
        flags: u32,
        /// The object.
        handle: u32,
        /// Its GPU address, chosen by the client.
        presumed: u64,
    }
}

uapi_struct! {
    /// `struct drm_etnaviv_gem_submit_reloc`.
    pub struct SubmitReloc {
        /// Byte offset into the stream of the word to be replaced.
        submit_offset: u32,
        /// Which of the submit's objects.
        reloc_idx: u32,
        /// Byte offset into the object.
        reloc_offset: u64,
        /// Must be zero.
        flags: u32,
        /// Fills up to 8 bytes.
        pad: u32,
    }
}

uapi_struct! {
    /// `struct drm_etnaviv_gem_submit_pmr`.
    pub struct SubmitPmr {
        /// PRE 1, POST 2.
        flags: u32,
        /// The domain, by its index in the pipe of the submit.
        domain: u8,
        /// Ignored.
        pad: u8,
        /// Which signal of the domain.
        signal: u16,
        /// Written to the first word of the object after all counters.
        sequence: u32,
        /// Where the value goes, in words.
        read_offset: u32,
        /// Which of the submit's objects.
        read_idx: u32,
    }
}

uapi_struct! {
    /// `struct drm_etnaviv_gem_userptr`.
    pub struct GemUserptr {
        /// Address of the memory.
        user_ptr: u64,
        /// Bytes of it.
        user_size: u64,
        /// READ 1, WRITE 2.
        flags: u32,
        /// The new object.
        handle: u32,
    }
}

uapi_struct! {
    /// `struct drm_etnaviv_pm_domain`.
    pub struct PmDomain {
        /// Which core.
        pipe: u32,
        /// Which domain is asked for, and the next one, or 255.
        iter: u8,
        /// Its number.
        id: u8,
        /// How many signals it has.
        nr_signals: u16,
        /// Its name, and the rest of it.
        name: [u8; 32],
        /// Ends with 0.
        name_rest: [u8; 32],
    }
}

uapi_struct! {
    /// `struct drm_etnaviv_pm_signal`.
    pub struct PmSignal {
        /// Which core.
        pipe: u32,
        /// Which domain.
        domain: u8,
        /// Ignored.
        pad: u8,
        /// Which signal is asked for, and the next one, or 65535.
        iter: u16,
        /// Its number: 16 bits.
        id: u16,
        /// Its name, and the rest of it.
        name: [u8; 32],
        /// Ends with 0.
        name_rest: [u8; 32],
        /// Fills up to 4 bytes.
        end: u16,
    }
}

uapi_struct! {
    /// `struct drm_etnaviv_gem_submit`.
    pub struct GemSubmit {
        /// The fence.
        fence: u32,
        /// Which core.
        pipe: u32,
        /// PIPE_3D 0, 2D 1, VG 2.
        exec_state: u32,
        /// How many objects.
        nr_bos: u32,
        /// How many relocations.
        nr_relocs: u32,
        /// Bytes of the stream.
        stream_size: u32,
        /// User address of the objects.
        bos: u64,
        /// User address of the relocations.
        relocs: u64,
        /// User address of the stream.
        stream: u64,
        /// NO_IMPLICIT 1, FENCE_FD_IN 2, FENCE_FD_OUT 4, SOFTPIN 8.
        flags: u32,
        /// The descriptor in or out.
        fence_fd: i32,
        /// User address of the counter requests.
        pmrs: u64,
        /// How many.
        nr_pmrs: u32,
        /// Padding.
        pad: u32,
    }
}

uapi_struct! {
    /// `struct drm_etnaviv_wait_fence`, and, with a handle in place of the fence, `struct
    /// drm_etnaviv_gem_wait`.
    pub struct Wait {
        /// Which core.
        pipe: u32,
        /// The fence, or the object.
        what: u32,
        /// NONBLOCK 1.
        flags: u32,
        /// Ignored.
        pad: u32,
        /// Absolute time-out: seconds.
        tv_sec: i64,
        /// And nanoseconds.
        tv_nsec: i64,
    }
}
