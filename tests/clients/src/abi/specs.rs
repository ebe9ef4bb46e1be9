// SPDX-License-Identifier: BSD-2-Clause
//! The ioctls, from the uapi headers: drm.h, panfrost_drm.h, etnaviv_drm.h, sync_file.h, dma-buf.h.
#![allow(
    missing_docs,
    reason = "each is named after its uapi one, where the fields are defined"
)]

use super::spec::{spec, R, W};

const RW: u32 = R | W;
const D: u8 = b'd';

spec!(VERSION, RW, D, 0x00, major: 4 Int, minor: 4 Int, patch: 4 Int, pad: 4 Num, name_len: 8 Num,
    name: 8 Ptr, date_len: 8 Num,
    date: 8 Ptr, desc_len: 8 Num, desc: 8 Ptr);
spec!(GET_UNIQUE, RW, D, 0x01, unique_len: 8 Num, unique: 8 Ptr);
spec!(GET_MAGIC, R, D, 0x02, magic: 4 Magic);
spec!(GET_CLIENT, RW, D, 0x05, idx: 4 Int, auth: 4 Int, pid: 8 Pid, uid: 8 Num, magic: 8 Num,
    iocs: 8 Num);
spec!(GET_STATS, R, D, 0x06, count: 8 Num, data: 240 Text);
spec!(SET_VERSION, RW, D, 0x07, di_major: 4 Int, di_minor: 4 Int, dd_major: 4 Int, dd_minor: 4 Int);
spec!(GEM_CLOSE, W, D, 0x09, handle: 4 Gem, pad: 4 Num);
spec!(GEM_FLINK, RW, D, 0x0a, handle: 4 Gem, name: 4 Flink);
spec!(GEM_OPEN, RW, D, 0x0b, name: 4 Flink, handle: 4 Gem, size: 8 Num);
spec!(GET_CAP, RW, D, 0x0c, capability: 8 Num, value: 8 Num);
spec!(SET_CLIENT_CAP, W, D, 0x0d, capability: 8 Num, value: 8 Num);
spec!(AUTH_MAGIC, W, D, 0x11, magic: 4 Magic);
spec!(SET_MASTER, 0, D, 0x1e);
spec!(DROP_MASTER, 0, D, 0x1f);
spec!(PRIME_HANDLE_TO_FD, RW, D, 0x2d, handle: 4 Gem, flags: 4 Num, fd: 4 Fd);
spec!(PRIME_FD_TO_HANDLE, RW, D, 0x2e, handle: 4 Gem, flags: 4 Num, fd: 4 Fd);
spec!(SYNCOBJ_CREATE, RW, D, 0xbf, handle: 4 Sync, flags: 4 Num);
spec!(SYNCOBJ_DESTROY, RW, D, 0xc0, handle: 4 Sync, pad: 4 Num);
spec!(SYNCOBJ_HANDLE_TO_FD, RW, D, 0xc1, handle: 4 Sync, flags: 4 Num, fd: 4 Fd, pad: 4 Num);
spec!(SYNCOBJ_FD_TO_HANDLE, RW, D, 0xc2, handle: 4 Sync, flags: 4 Num, fd: 4 Fd, pad: 4 Num);
spec!(SYNCOBJ_WAIT, RW, D, 0xc3, handles: 8 Ptr, timeout: 8 Int, count: 4 Num, flags: 4 Num,
    first_signaled: 4 Num, pad: 4 Num);
spec!(SYNCOBJ_RESET, RW, D, 0xc4, handles: 8 Ptr, count: 4 Num, pad: 4 Num);
spec!(SYNCOBJ_SIGNAL, RW, D, 0xc5, handles: 8 Ptr, count: 4 Num, pad: 4 Num);
spec!(SYNCOBJ_TIMELINE_WAIT, RW, D, 0xca, handles: 8 Ptr, points: 8 Ptr, timeout: 8 Int,
    count: 4 Num, flags: 4 Num,
    first_signaled: 4 Num, pad: 4 Num);
spec!(SYNCOBJ_QUERY, RW, D, 0xcb, handles: 8 Ptr, points: 8 Ptr, count: 4 Num, flags: 4 Num);
spec!(SYNCOBJ_TRANSFER, RW, D, 0xcc, src: 4 Sync, dst: 4 Sync, src_point: 8 Num, dst_point: 8 Num,
    flags: 4 Num, pad: 4 Num);
spec!(SYNCOBJ_TIMELINE_SIGNAL, RW, D, 0xcd, handles: 8 Ptr, points: 8 Ptr, count: 4 Num,
    flags: 4 Num);

spec!(SYNC_MERGE, RW, b'>', 3, name: 32 Text, fd2: 4 Fd, fence: 4 Fd, flags: 4 Num, pad: 4 Num);
spec!(SYNC_FILE_INFO, RW, b'>', 4, name: 32 Text, status: 4 Int, flags: 4 Num, num_fences: 4 Num,
    pad: 4 Num, infos: 8 Ptr);
spec!(SYNC_SET_DEADLINE, W, b'>', 5, deadline: 8 Num, pad: 8 Num);
spec!(DMA_BUF_SYNC, W, b'b', 0, flags: 8 Num);
spec!(DMA_BUF_SET_NAME_A, W, b'b', 1, name: 4 Num);
spec!(DMA_BUF_SET_NAME_B, W, b'b', 1, name: 8 Ptr);
spec!(DMA_BUF_EXPORT_SYNC_FILE, RW, b'b', 2, flags: 4 Num, fd: 4 Fd);
spec!(DMA_BUF_IMPORT_SYNC_FILE, W, b'b', 3, flags: 4 Num, fd: 4 Fd);

/// panfrost 1.2.
pub mod pan {
    use super::{spec, D, RW, W};
    spec!(SUBMIT, W, D, 0x40, jc: 8 Va, in_syncs: 8 Ptr, in_sync_count: 4 Num, out_sync: 4 Sync,
    bo_handles: 8 Ptr,
        bo_handle_count: 4 Num, requirements: 4 Num);
    spec!(WAIT_BO, W, D, 0x41, handle: 4 Gem, pad: 4 Num, timeout: 8 Int);
    spec!(CREATE_BO, RW, D, 0x42, size: 4 Num, flags: 4 Num, handle: 4 Gem, pad: 4 Num,
    offset: 8 Va);
    spec!(MMAP_BO, RW, D, 0x43, handle: 4 Gem, flags: 4 Num, offset: 8 Cookie);
    spec!(GET_PARAM, RW, D, 0x44, param: 4 Num, pad: 4 Num, value: 8 Num);
    spec!(GET_BO_OFFSET, RW, D, 0x45, handle: 4 Gem, pad: 4 Num, offset: 8 Va);
    spec!(PERFCNT_ENABLE, W, D, 0x46, enable: 4 Num, counterset: 4 Num);
    spec!(PERFCNT_DUMP, W, D, 0x47, buf_ptr: 8 Ptr);
    spec!(MADVISE, RW, D, 0x48, handle: 4 Gem, madv: 4 Num, retained: 4 Num);
}

/// etnaviv 1.4.
pub mod etna {
    use super::{spec, D, RW, W};
    spec!(GET_PARAM, RW, D, 0x40, pipe: 4 Num, param: 4 Num, value: 8 Num);
    spec!(GEM_NEW, RW, D, 0x42, size: 8 Num, flags: 4 Num, handle: 4 Gem);
    spec!(GEM_INFO, RW, D, 0x43, handle: 4 Gem, pad: 4 Num, offset: 8 Cookie);
    spec!(CPU_PREP, W, D, 0x44, handle: 4 Gem, op: 4 Num, sec: 8 Int, nsec: 8 Int);
    spec!(CPU_FINI, W, D, 0x45, handle: 4 Gem, flags: 4 Num);
    spec!(GEM_SUBMIT, RW, D, 0x46, fence: 4 Fence, pipe: 4 Num, exec_state: 4 Num, nr_bos: 4 Num,
    nr_relocs: 4 Num,
        stream_size: 4 Num, bos: 8 Ptr, relocs: 8 Ptr, stream: 8 Ptr, flags: 4 Num,
    fence_fd: 4 Fd, pmrs: 8 Ptr, nr_pmrs: 4 Num,
        pad: 4 Num);
    spec!(WAIT_FENCE, W, D, 0x47, pipe: 4 Num, fence: 4 Fence, flags: 4 Num, pad: 4 Num,
    sec: 8 Int, nsec: 8 Int);
    spec!(GEM_USERPTR, RW, D, 0x48, user_ptr: 8 Ptr, user_size: 8 Num, flags: 4 Num, handle: 4 Gem);
    spec!(GEM_WAIT, W, D, 0x49, pipe: 4 Num, handle: 4 Gem, flags: 4 Num, pad: 4 Num, sec: 8 Int,
    nsec: 8 Int);
    spec!(PM_QUERY_DOM, RW, D, 0x4a, pipe: 4 Num, iter: 1 Num, id: 1 Num, nr_signals: 2 Num,
    name: 64 Text);
    spec!(PM_QUERY_SIG, RW, D, 0x4b, pipe: 4 Num, domain: 1 Num, pad: 1 Num, iter: 2 Num,
    id: 2 Num, name: 64 Text, end: 2 Num);
}
