// SPDX-License-Identifier: BSD-2-Clause
//! drm.h: the ABI of all drivers.
#![expect(
    missing_docs,
    reason = "each structure is named after its uapi one, where the fields are defined"
)]

use crate::plain::structures;
use crate::request::requests;

requests! {
    b'd', "";
    VERSION: iowr<Version> = 0x00;
    GET_UNIQUE: iowr<Unique> = 0x01;
    GET_MAGIC: ior<Auth> = 0x02;
    AUTH_MAGIC: iow<Auth> = 0x11;
    GET_CLIENT: iowr<Client> = 0x05;
    GET_STATS: ior<Stats> = 0x06;
    SET_VERSION: iowr<SetVersion> = 0x07;
    GEM_CLOSE: iow<GemClose> = 0x09;
    GEM_FLINK: iowr<GemFlink> = 0x0a;
    GEM_OPEN: iowr<GemOpen> = 0x0b;
    GET_CAP: iowr<Cap> = 0x0c;
    SET_CLIENT_CAP: iow<Cap> = 0x0d;
    SET_MASTER: io<()> = 0x1e;
    DROP_MASTER: io<()> = 0x1f;
    PRIME_HANDLE_TO_FD: iowr<PrimeHandle> = 0x2d;
    PRIME_FD_TO_HANDLE: iowr<PrimeHandle> = 0x2e;
    SYNCOBJ_CREATE: iowr<SyncobjCreate> = 0xbf;
    SYNCOBJ_DESTROY: iowr<SyncobjDestroy> = 0xc0;
    SYNCOBJ_HANDLE_TO_FD: iowr<SyncobjHandle> = 0xc1;
    SYNCOBJ_FD_TO_HANDLE: iowr<SyncobjHandle> = 0xc2;
    SYNCOBJ_WAIT: iowr<SyncobjWait> = 0xc3;
    SYNCOBJ_RESET: iowr<SyncobjArray> = 0xc4;
    SYNCOBJ_SIGNAL: iowr<SyncobjArray> = 0xc5;
    SYNCOBJ_TIMELINE_WAIT: iowr<SyncobjTimelineWait> = 0xca;
    SYNCOBJ_QUERY: iowr<SyncobjTimelineArray> = 0xcb;
    SYNCOBJ_TIMELINE_SIGNAL: iowr<SyncobjTimelineArray> = 0xcd;
    SYNCOBJ_TRANSFER: iowr<SyncobjTransfer> = 0xcc;
}

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
pub const SYNCOBJ_CREATE_SIGNALED: u32 = 1;
/// Export or import a sync_file instead of the syncobj itself.
pub const SYNCOBJ_SYNC_FILE: u32 = 1;
/// The sync_file is that of a point.
pub const SYNCOBJ_TIMELINE: u32 = 2;
pub const SYNCOBJ_WAIT_ALL: u32 = 1;
pub const SYNCOBJ_WAIT_FOR_SUBMIT: u32 = 2;
pub const SYNCOBJ_WAIT_AVAILABLE: u32 = 4;
pub const SYNCOBJ_WAIT_DEADLINE: u32 = 8;
pub const SYNCOBJ_QUERY_LAST_SUBMITTED: u32 = 1;

/// SYNCOBJ_HANDLE_TO_FD of newer programs.
pub const SYNCOBJ_HANDLE_TO_FD_24: crate::Request<SyncobjHandle24> = SYNCOBJ_HANDLE_TO_FD.with();
/// SYNCOBJ_FD_TO_HANDLE of newer programs.
pub const SYNCOBJ_FD_TO_HANDLE_24: crate::Request<SyncobjHandle24> = SYNCOBJ_FD_TO_HANDLE.with();
/// SYNCOBJ_WAIT of newer programs.
pub const SYNCOBJ_WAIT_40: crate::Request<SyncobjWait40> = SYNCOBJ_WAIT.with();
/// SYNCOBJ_TIMELINE_WAIT of newer programs.
pub const SYNCOBJ_TIMELINE_WAIT_48: crate::Request<SyncobjTimelineWait48> =
    SYNCOBJ_TIMELINE_WAIT.with();

structures! {
    /// `drm_version`: lengths in, lengths and texts out.
    pub struct Version: 64 {
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

    /// `drm_unique`.
    pub struct Unique: 16 {
        pub unique_len: u64,
        pub unique: u64,
    }

    /// `drm_auth`.
    pub struct Auth: 4 {
        pub magic: u32,
    }

    /// `drm_client`: index in, one client out.
    pub struct Client: 40 {
        pub idx: i32,
        pub auth: i32,
        pub pid: u64,
        pub uid: u64,
        pub magic: u64,
        pub iocs: u64,
    }

    /// `drm_stats`: 15 pairs of value and kind.
    pub struct Stats: 248 {
        pub count: u64,
        pub data: [[u64; 2]; 15],
    }

    /// `drm_set_version`: -1 queries without setting.
    pub struct SetVersion: 16 {
        pub drm_di_major: i32,
        pub drm_di_minor: i32,
        pub drm_dd_major: i32,
        pub drm_dd_minor: i32,
    }

    /// `drm_gem_close`.
    pub struct GemClose: 8 {
        pub handle: u32,
        pub pad: u32,
    }

    /// `drm_gem_flink`.
    pub struct GemFlink: 8 {
        pub handle: u32,
        pub name: u32,
    }

    /// `drm_gem_open`.
    pub struct GemOpen: 16 {
        pub name: u32,
        pub handle: u32,
        pub size: u64,
    }

    /// `drm_get_cap` and, in the other direction, `drm_set_client_cap`.
    pub struct Cap: 16 {
        pub capability: u64,
        pub value: u64,
    }

    /// `drm_prime_handle`; `flags` takes O_CLOEXEC and O_RDWR.
    pub struct PrimeHandle: 12 {
        pub handle: u32,
        pub flags: u32,
        pub fd: i32,
    }

    /// `drm_syncobj_create`.
    pub struct SyncobjCreate: 8 {
        pub handle: u32,
        pub flags: u32,
    }

    /// `drm_syncobj_destroy`.
    pub struct SyncobjDestroy: 8 {
        pub handle: u32,
        pub pad: u32,
    }

    /// `drm_syncobj_handle` in its first version, without a timeline point.
    pub struct SyncobjHandle: 16 {
        pub handle: u32,
        pub flags: u32,
        pub fd: i32,
        pub pad: u32,
    }

    /// `drm_syncobj_handle` with a timeline point.
    pub struct SyncobjHandle24: 24 {
        pub handle: u32,
        pub flags: u32,
        pub fd: i32,
        pub pad: u32,
        pub point: u64,
    }

    /// `drm_syncobj_wait` in its first version; `timeout_nsec` is absolute on CLOCK_MONOTONIC.
    pub struct SyncobjWait: 32 {
        pub handles: u64,
        pub timeout_nsec: i64,
        pub count_handles: u32,
        pub flags: u32,
        pub first_signaled: u32,
        pub pad: u32,
    }

    /// `drm_syncobj_wait` with a deadline.
    pub struct SyncobjWait40: 40 {
        pub handles: u64,
        pub timeout_nsec: i64,
        pub count_handles: u32,
        pub flags: u32,
        pub first_signaled: u32,
        pub pad: u32,
        pub deadline_nsec: u64,
    }

    /// `drm_syncobj_array`.
    pub struct SyncobjArray: 16 {
        pub handles: u64,
        pub count_handles: u32,
        pub pad: u32,
    }

    /// `drm_syncobj_timeline_wait` in its first version.
    pub struct SyncobjTimelineWait: 40 {
        pub handles: u64,
        pub points: u64,
        pub timeout_nsec: i64,
        pub count_handles: u32,
        pub flags: u32,
        pub first_signaled: u32,
        pub pad: u32,
    }

    /// `drm_syncobj_timeline_wait` with a deadline.
    pub struct SyncobjTimelineWait48: 48 {
        pub handles: u64,
        pub points: u64,
        pub timeout_nsec: i64,
        pub count_handles: u32,
        pub flags: u32,
        pub first_signaled: u32,
        pub pad: u32,
        pub deadline_nsec: u64,
    }

    /// `drm_syncobj_timeline_array`.
    pub struct SyncobjTimelineArray: 24 {
        pub handles: u64,
        pub points: u64,
        pub count_handles: u32,
        pub flags: u32,
    }

    /// `drm_syncobj_transfer`.
    pub struct SyncobjTransfer: 32 {
        pub src_handle: u32,
        pub dst_handle: u32,
        pub src_point: u64,
        pub dst_point: u64,
        pub flags: u32,
        pub pad: u32,
    }
}
