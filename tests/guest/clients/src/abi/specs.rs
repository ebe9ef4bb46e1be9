// SPDX-License-Identifier: BSD-2-Clause
//! The ioctls that are called, and what their fields are about.
#![allow(missing_docs, reason = "each is named after its uapi one")]

use super::spec::spec;
use uapi::{core, dma_buf, sync_file};

spec!(VERSION, core::VERSION: Int Int Int Num Num Ptr Num Ptr Num Ptr);
spec!(GET_UNIQUE, core::GET_UNIQUE: Num Ptr);
spec!(GET_MAGIC, core::GET_MAGIC: Magic);
spec!(GET_CLIENT, core::GET_CLIENT: Int Int Pid Num Num Num);
spec!(GET_STATS, core::GET_STATS: Num Text);
spec!(SET_VERSION, core::SET_VERSION: Int Int Int Int);
spec!(GEM_CLOSE, core::GEM_CLOSE: Gem Num);
spec!(GEM_FLINK, core::GEM_FLINK: Gem Flink);
spec!(GEM_OPEN, core::GEM_OPEN: Flink Gem Num);
spec!(GET_CAP, core::GET_CAP: Num Num);
spec!(SET_CLIENT_CAP, core::SET_CLIENT_CAP: Num Num);
spec!(AUTH_MAGIC, core::AUTH_MAGIC: Magic);
spec!(SET_MASTER, core::SET_MASTER);
spec!(DROP_MASTER, core::DROP_MASTER);
spec!(PRIME_HANDLE_TO_FD, core::PRIME_HANDLE_TO_FD: Gem Num Fd);
spec!(PRIME_FD_TO_HANDLE, core::PRIME_FD_TO_HANDLE: Gem Num Fd);
spec!(SYNCOBJ_CREATE, core::SYNCOBJ_CREATE: Sync Num);
spec!(SYNCOBJ_DESTROY, core::SYNCOBJ_DESTROY: Sync Num);
spec!(SYNCOBJ_HANDLE_TO_FD, core::SYNCOBJ_HANDLE_TO_FD: Sync Num Fd Num);
spec!(SYNCOBJ_FD_TO_HANDLE, core::SYNCOBJ_FD_TO_HANDLE: Sync Num Fd Num);
spec!(SYNCOBJ_WAIT, core::SYNCOBJ_WAIT: Ptr Int Num Num Num Num);
spec!(SYNCOBJ_RESET, core::SYNCOBJ_RESET: Ptr Num Num);
spec!(SYNCOBJ_SIGNAL, core::SYNCOBJ_SIGNAL: Ptr Num Num);
spec!(SYNCOBJ_TIMELINE_WAIT, core::SYNCOBJ_TIMELINE_WAIT: Ptr Ptr Int Num Num Num Num);
spec!(SYNCOBJ_QUERY, core::SYNCOBJ_QUERY: Ptr Ptr Num Num);
spec!(SYNCOBJ_TRANSFER, core::SYNCOBJ_TRANSFER: Sync Sync Num Num Num Num);
spec!(SYNCOBJ_TIMELINE_SIGNAL, core::SYNCOBJ_TIMELINE_SIGNAL: Ptr Ptr Num Num);

spec!(SYNC_MERGE, sync_file::MERGE: Text Fd Fd Num Num);
spec!(SYNC_FILE_INFO, sync_file::FILE_INFO: Text Int Num Num Num Ptr);
spec!(SYNC_SET_DEADLINE, sync_file::SET_DEADLINE: Num Num);
spec!(DMA_BUF_SYNC, dma_buf::SYNC: Num);
spec!(DMA_BUF_SET_NAME_A, dma_buf::SET_NAME_A: Num);
spec!(DMA_BUF_SET_NAME_B, dma_buf::SET_NAME_B: Ptr);
spec!(DMA_BUF_EXPORT_SYNC_FILE, dma_buf::EXPORT_SYNC_FILE: Num Fd);
spec!(DMA_BUF_IMPORT_SYNC_FILE, dma_buf::IMPORT_SYNC_FILE: Num Fd);

/// panfrost 1.6.
pub mod pan {
    use super::spec;
    use uapi::panfrost;

    spec!(SUBMIT, panfrost::SUBMIT_40: Va Ptr Num Sync Ptr Num Num);
    spec!(SUBMIT_48, panfrost::SUBMIT: Va Ptr Num Sync Ptr Num Num Context Num);
    spec!(WAIT_BO, panfrost::WAIT_BO: Gem Num Int);
    spec!(CREATE_BO, panfrost::CREATE_BO: Num Num Gem Num Va);
    spec!(MMAP_BO, panfrost::MMAP_BO: Gem Num Cookie);
    spec!(GET_PARAM, panfrost::GET_PARAM: Num Num Num);
    spec!(GET_BO_OFFSET, panfrost::GET_BO_OFFSET: Gem Num Va);
    spec!(PERFCNT_ENABLE, panfrost::PERFCNT_ENABLE: Num Num);
    spec!(PERFCNT_DUMP, panfrost::PERFCNT_DUMP: Ptr);
    spec!(MADVISE, panfrost::MADVISE: Gem Num Num);
    spec!(SET_LABEL_BO, panfrost::SET_LABEL_BO: Gem Num Ptr);
    spec!(JM_CTX_CREATE, panfrost::JM_CTX_CREATE: Context Num);
    spec!(JM_CTX_DESTROY, panfrost::JM_CTX_DESTROY: Context Num);
    spec!(SYNC_BO, panfrost::SYNC_BO: Ptr Num Num);
    spec!(QUERY_BO_INFO, panfrost::QUERY_BO_INFO: Gem Num Num Num);
}

/// etnaviv 1.4.
pub mod etna {
    use super::spec;
    use uapi::etnaviv;

    spec!(GET_PARAM, etnaviv::GET_PARAM: Num Num Num);
    spec!(GEM_NEW, etnaviv::GEM_NEW: Num Num Gem);
    spec!(GEM_INFO, etnaviv::GEM_INFO: Gem Num Cookie);
    spec!(GEM_CPU_PREP, etnaviv::GEM_CPU_PREP: Gem Num Int Int);
    spec!(GEM_CPU_FINI, etnaviv::GEM_CPU_FINI: Gem Num);
    spec!(GEM_SUBMIT, etnaviv::GEM_SUBMIT:
        Fence Num Num Num Num Num Ptr Ptr Ptr Num Fd Ptr Num Num);
    spec!(WAIT_FENCE, etnaviv::WAIT_FENCE: Num Fence Num Num Int Int);
    spec!(GEM_USERPTR, etnaviv::GEM_USERPTR: Ptr Num Num Gem);
    spec!(GEM_WAIT, etnaviv::GEM_WAIT: Num Gem Num Num Int Int);
    spec!(PM_QUERY_DOM, etnaviv::PM_QUERY_DOM: Num Num Num Num Text);
    spec!(PM_QUERY_SIG, etnaviv::PM_QUERY_SIG: Num Num Num Num Num Text);
}
