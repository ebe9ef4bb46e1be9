// SPDX-License-Identifier: BSD-2-Clause
//! The driver-independent part of the DRM user ABI. Names of structures and fields are the uapi's,
//! in Rust's case.
#![expect(
    missing_docs,
    reason = "each structure is named after its uapi one, where the fields are defined"
)]

use super::{io, ior, iow, iowr, Request};

const DRM: u8 = b'd';

/// `drm_version`: lengths in, lengths and texts out.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Version {
    pub version_major: i32,
    pub version_minor: i32,
    pub version_patchlevel: i32,
    pub pad: u32,
    pub name_len: u64,
    pub name: u64,
    pub date_len: u64,
    pub date: u64,
    pub desc_len: u64,
    pub desc: u64,
}
pub const VERSION: Request<Version> = iowr(DRM, 0x00);

/// `drm_unique`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Unique {
    pub unique_len: u64,
    pub unique: u64,
}
pub const GET_UNIQUE: Request<Unique> = iowr(DRM, 0x01);

/// `drm_auth`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Auth {
    pub magic: u32,
}
pub const GET_MAGIC: Request<Auth> = ior(DRM, 0x02);
pub const AUTH_MAGIC: Request<Auth> = iow(DRM, 0x11);

/// `drm_client`: index in, one client out.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Client {
    pub idx: i32,
    pub auth: i32,
    pub pid: u64,
    pub uid: u64,
    pub magic: u64,
    pub iocs: u64,
}
pub const GET_CLIENT: Request<Client> = iowr(DRM, 0x05);

/// `drm_stats`: 15 pairs of value and kind.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    pub count: u64,
    pub data: [[u64; 2]; 15],
}
pub const GET_STATS: Request<Stats> = ior(DRM, 0x06);

/// `drm_set_version`: -1 asks without setting.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SetVersion {
    pub drm_di_major: i32,
    pub drm_di_minor: i32,
    pub drm_dd_major: i32,
    pub drm_dd_minor: i32,
}
pub const SET_VERSION: Request<SetVersion> = iowr(DRM, 0x07);

/// `drm_gem_close`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct GemClose {
    pub handle: u32,
    pub pad: u32,
}
pub const GEM_CLOSE: Request<GemClose> = iow(DRM, 0x09);

/// `drm_gem_flink`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct GemFlink {
    pub handle: u32,
    pub name: u32,
}
pub const GEM_FLINK: Request<GemFlink> = iowr(DRM, 0x0a);

/// `drm_gem_open`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct GemOpen {
    pub name: u32,
    pub handle: u32,
    pub size: u64,
}
pub const GEM_OPEN: Request<GemOpen> = iowr(DRM, 0x0b);

/// `drm_get_cap` and, in the other direction, `drm_set_client_cap`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Cap {
    pub capability: u64,
    pub value: u64,
}
pub const GET_CAP: Request<Cap> = iowr(DRM, 0x0c);
pub const SET_CLIENT_CAP: Request<Cap> = iow(DRM, 0x0d);
pub const CAP_DUMB_BUFFER: u64 = 0x1;
pub const CAP_PRIME: u64 = 0x5;
pub const CAP_TIMESTAMP_MONOTONIC: u64 = 0x6;
pub const CAP_CURSOR_WIDTH: u64 = 0x8;
pub const CAP_CURSOR_HEIGHT: u64 = 0x9;
pub const CAP_ADDFB2_MODIFIERS: u64 = 0x10;
pub const CAP_SYNCOBJ: u64 = 0x13;
pub const CAP_SYNCOBJ_TIMELINE: u64 = 0x14;
pub const PRIME_CAP_IMPORT: u64 = 1;
pub const PRIME_CAP_EXPORT: u64 = 2;

pub const SET_MASTER: Request<()> = io(DRM, 0x1e);
pub const DROP_MASTER: Request<()> = io(DRM, 0x1f);

/// `drm_prime_handle`; `flags` takes O_CLOEXEC and O_RDWR.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PrimeHandle {
    pub handle: u32,
    pub flags: u32,
    pub fd: i32,
}
pub const PRIME_HANDLE_TO_FD: Request<PrimeHandle> = iowr(DRM, 0x2d);
pub const PRIME_FD_TO_HANDLE: Request<PrimeHandle> = iowr(DRM, 0x2e);

/// `drm_syncobj_create`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncobjCreate {
    pub handle: u32,
    pub flags: u32,
}
pub const SYNCOBJ_CREATE: Request<SyncobjCreate> = iowr(DRM, 0xbf);
pub const SYNCOBJ_CREATE_SIGNALED: u32 = 1;

/// `drm_syncobj_destroy`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncobjDestroy {
    pub handle: u32,
    pub pad: u32,
}
pub const SYNCOBJ_DESTROY: Request<SyncobjDestroy> = iowr(DRM, 0xc0);

/// `drm_syncobj_handle` as it was before it grew a timeline point.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncobjHandle {
    pub handle: u32,
    pub flags: u32,
    pub fd: i32,
    pub pad: u32,
}
pub const SYNCOBJ_HANDLE_TO_FD: Request<SyncobjHandle> = iowr(DRM, 0xc1);
pub const SYNCOBJ_FD_TO_HANDLE: Request<SyncobjHandle> = iowr(DRM, 0xc2);
/// Export or import a sync_file instead of the syncobj itself.
pub const SYNCOBJ_SYNC_FILE: u32 = 1;

/// `drm_syncobj_wait`; `timeout_nsec` is absolute on CLOCK_MONOTONIC.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncobjWait {
    pub handles: u64,
    pub timeout_nsec: i64,
    pub count_handles: u32,
    pub flags: u32,
    pub first_signaled: u32,
    pub pad: u32,
}
pub const SYNCOBJ_WAIT: Request<SyncobjWait> = iowr(DRM, 0xc3);
pub const SYNCOBJ_WAIT_ALL: u32 = 1;
pub const SYNCOBJ_WAIT_FOR_SUBMIT: u32 = 2;
pub const SYNCOBJ_WAIT_AVAILABLE: u32 = 4;

/// `drm_syncobj_array`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncobjArray {
    pub handles: u64,
    pub count_handles: u32,
    pub pad: u32,
}
pub const SYNCOBJ_RESET: Request<SyncobjArray> = iowr(DRM, 0xc4);
pub const SYNCOBJ_SIGNAL: Request<SyncobjArray> = iowr(DRM, 0xc5);

/// `drm_syncobj_timeline_wait`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncobjTimelineWait {
    pub handles: u64,
    pub points: u64,
    pub timeout_nsec: i64,
    pub count_handles: u32,
    pub flags: u32,
    pub first_signaled: u32,
    pub pad: u32,
}
pub const SYNCOBJ_TIMELINE_WAIT: Request<SyncobjTimelineWait> = iowr(DRM, 0xca);

/// `drm_syncobj_timeline_array`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncobjTimelineArray {
    pub handles: u64,
    pub points: u64,
    pub count_handles: u32,
    pub flags: u32,
}
pub const SYNCOBJ_QUERY: Request<SyncobjTimelineArray> = iowr(DRM, 0xcb);
pub const SYNCOBJ_TIMELINE_SIGNAL: Request<SyncobjTimelineArray> = iowr(DRM, 0xcd);

/// `drm_syncobj_transfer`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncobjTransfer {
    pub src_handle: u32,
    pub dst_handle: u32,
    pub src_point: u64,
    pub dst_point: u64,
    pub flags: u32,
    pub pad: u32,
}
pub const SYNCOBJ_TRANSFER: Request<SyncobjTransfer> = iowr(DRM, 0xcc);

const _: () = {
    assert!(size_of::<Version>() == 64);
    assert!(size_of::<Unique>() == 16);
    assert!(size_of::<Auth>() == 4);
    assert!(size_of::<Client>() == 40);
    assert!(size_of::<Stats>() == 248);
    assert!(size_of::<SetVersion>() == 16);
    assert!(size_of::<GemClose>() == 8);
    assert!(size_of::<GemFlink>() == 8);
    assert!(size_of::<GemOpen>() == 16);
    assert!(size_of::<Cap>() == 16);
    assert!(size_of::<PrimeHandle>() == 12);
    assert!(size_of::<SyncobjCreate>() == 8);
    assert!(size_of::<SyncobjDestroy>() == 8);
    assert!(size_of::<SyncobjHandle>() == 16);
    assert!(size_of::<SyncobjWait>() == 32);
    assert!(size_of::<SyncobjArray>() == 16);
    assert!(size_of::<SyncobjTimelineWait>() == 40);
    assert!(size_of::<SyncobjTimelineArray>() == 24);
    assert!(size_of::<SyncobjTransfer>() == 32);
};
