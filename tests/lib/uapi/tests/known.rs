// SPDX-License-Identifier: BSD-2-Clause
//! Codes and sizes as Linux has them, written as numbers: those that a tracer prints for Linux
//! programs, and those that the uapi headers give on a 64-bit machine.
//!
//! Catches: a wrong direction, number or size, fields in a wrong order, and padding that is decoded
//! as a field.

use uapi::{core, dma_buf, etnaviv, panfrost, sync_file, Field, Plain};

#[test]
fn codes_of_drm() {
    for (code, known) in [
        (core::VERSION.code(), 0xc040_6400),
        (core::GET_UNIQUE.code(), 0xc010_6401),
        (core::GET_MAGIC.code(), 0x8004_6402),
        (core::GET_CLIENT.code(), 0xc028_6405),
        (core::GET_STATS.code(), 0x80f8_6406),
        (core::SET_VERSION.code(), 0xc010_6407),
        (core::GEM_CLOSE.code(), 0x4008_6409),
        (core::GEM_FLINK.code(), 0xc008_640a),
        (core::GEM_OPEN.code(), 0xc010_640b),
        (core::GET_CAP.code(), 0xc010_640c),
        (core::SET_CLIENT_CAP.code(), 0x4010_640d),
        (core::AUTH_MAGIC.code(), 0x4004_6411),
        (core::SET_MASTER.code(), 0x0000_641e),
        (core::DROP_MASTER.code(), 0x0000_641f),
        (core::PRIME_HANDLE_TO_FD.code(), 0xc00c_642d),
        (core::PRIME_FD_TO_HANDLE.code(), 0xc00c_642e),
        (core::SYNCOBJ_CREATE.code(), 0xc008_64bf),
        (core::SYNCOBJ_DESTROY.code(), 0xc008_64c0),
        (core::SYNCOBJ_HANDLE_TO_FD.code(), 0xc010_64c1),
        (core::SYNCOBJ_FD_TO_HANDLE.code(), 0xc010_64c2),
        (core::SYNCOBJ_WAIT.code(), 0xc020_64c3),
        (core::SYNCOBJ_RESET.code(), 0xc010_64c4),
        (core::SYNCOBJ_SIGNAL.code(), 0xc010_64c5),
        (core::SYNCOBJ_TIMELINE_WAIT.code(), 0xc028_64ca),
        (core::SYNCOBJ_QUERY.code(), 0xc018_64cb),
        (core::SYNCOBJ_TRANSFER.code(), 0xc020_64cc),
        (core::SYNCOBJ_TIMELINE_SIGNAL.code(), 0xc018_64cd),
        (core::SYNCOBJ_HANDLE_TO_FD_24.code(), 0xc018_64c1),
        (core::SYNCOBJ_FD_TO_HANDLE_24.code(), 0xc018_64c2),
        (core::SYNCOBJ_WAIT_40.code(), 0xc028_64c3),
        (core::SYNCOBJ_TIMELINE_WAIT_48.code(), 0xc030_64ca),
    ] {
        assert_eq!(code, known, "{code:#x}, known {known:#x}");
    }
    assert_eq!(core::NAMES.len(), 27);
}

#[test]
fn codes_of_panfrost() {
    for (code, known) in [
        (panfrost::SUBMIT_40.code(), 0x4028_6440),
        (panfrost::SUBMIT.code(), 0x4030_6440),
        (panfrost::WAIT_BO.code(), 0x4010_6441),
        (panfrost::CREATE_BO.code(), 0xc018_6442),
        (panfrost::MMAP_BO.code(), 0xc010_6443),
        (panfrost::GET_PARAM.code(), 0xc010_6444),
        (panfrost::GET_BO_OFFSET.code(), 0xc010_6445),
        (panfrost::PERFCNT_ENABLE.code(), 0x4008_6446),
        (panfrost::PERFCNT_DUMP.code(), 0x4008_6447),
        (panfrost::MADVISE.code(), 0xc00c_6448),
        (panfrost::SET_LABEL_BO.code(), 0xc010_6449),
        (panfrost::JM_CTX_CREATE.code(), 0xc008_644a),
        (panfrost::JM_CTX_DESTROY.code(), 0xc008_644b),
        (panfrost::SYNC_BO.code(), 0xc010_644c),
        (panfrost::QUERY_BO_INFO.code(), 0xc010_644d),
    ] {
        assert_eq!(code, known, "{code:#x}, known {known:#x}");
    }
    assert_eq!(panfrost::NAMES.len(), 14);
    assert_eq!(size_of::<panfrost::BoSyncOp>(), 16);
}

#[test]
fn codes_of_etnaviv() {
    for (code, known) in [
        (etnaviv::GET_PARAM.code(), 0xc010_6440),
        (etnaviv::SET_PARAM.code(), 0x0000_6441),
        (etnaviv::GEM_NEW.code(), 0xc010_6442),
        (etnaviv::GEM_INFO.code(), 0xc010_6443),
        (etnaviv::GEM_CPU_PREP.code(), 0x4018_6444),
        (etnaviv::GEM_CPU_FINI.code(), 0x4008_6445),
        (etnaviv::GEM_SUBMIT.code(), 0xc048_6446),
        (etnaviv::WAIT_FENCE.code(), 0x4020_6447),
        (etnaviv::GEM_USERPTR.code(), 0xc018_6448),
        (etnaviv::GEM_WAIT.code(), 0x4020_6449),
        (etnaviv::PM_QUERY_DOM.code(), 0xc048_644a),
        (etnaviv::PM_QUERY_SIG.code(), 0xc04c_644b),
    ] {
        assert_eq!(code, known, "{code:#x}, known {known:#x}");
    }
    assert_eq!(etnaviv::NAMES.len(), 12);
    assert_eq!(size_of::<etnaviv::SubmitBo>(), 16);
    assert_eq!(size_of::<etnaviv::SubmitReloc>(), 24);
    assert_eq!(size_of::<etnaviv::SubmitPmr>(), 20);
}

#[test]
fn codes_of_sync_files_and_dma_bufs() {
    for (code, known) in [
        (sync_file::MERGE.code(), 0xc030_3e03),
        (sync_file::FILE_INFO.code(), 0xc038_3e04),
        (sync_file::SET_DEADLINE.code(), 0x4010_3e05),
        (dma_buf::SYNC.code(), 0x4008_6200),
        (dma_buf::SET_NAME_A.code(), 0x4004_6201),
        (dma_buf::SET_NAME_B.code(), 0x4008_6201),
        (dma_buf::EXPORT_SYNC_FILE.code(), 0xc008_6202),
        (dma_buf::IMPORT_SYNC_FILE.code(), 0x4008_6203),
    ] {
        assert_eq!(code, known, "{code:#x}, known {known:#x}");
    }
    assert_eq!(sync_file::NAMES.len(), 3);
    assert_eq!(dma_buf::NAMES.len(), 5);
    assert_eq!(size_of::<sync_file::FenceInfo>(), 80);
}

fn offset(fields: &[Field], name: &str) -> usize {
    let field = fields.iter().find(|field| field.name == name);
    field.expect("the field exists").offset
}

/// For each structure whose size does not change if two fields are swapped, the offset of a field
/// far from its beginning.
#[test]
fn fields_lie_where_the_headers_put_them() {
    for (fields, name, known) in [
        (core::Version::FIELDS, "name", 24),
        (core::Version::FIELDS, "desc", 56),
        (core::Client::FIELDS, "magic", 24),
        (core::SyncobjWait::FIELDS, "count_handles", 16),
        (core::SyncobjWait::FIELDS, "first_signaled", 24),
        (core::SyncobjTimelineWait::FIELDS, "timeout_nsec", 16),
        (core::SyncobjTimelineWait::FIELDS, "flags", 28),
        (core::SyncobjWait40::FIELDS, "flags", 20),
        (core::SyncobjTimelineWait48::FIELDS, "timeout_nsec", 16),
        (core::SyncobjTimelineWait48::FIELDS, "flags", 28),
        (core::SyncobjTransfer::FIELDS, "dst_point", 16),
        (panfrost::CreateBo::FIELDS, "handle", 8),
        (panfrost::Submit::FIELDS, "out_sync", 20),
        (panfrost::Submit::FIELDS, "bo_handles", 24),
        (panfrost::Submit::FIELDS, "requirements", 36),
        (panfrost::Submit40::FIELDS, "out_sync", 20),
        (panfrost::Submit40::FIELDS, "requirements", 36),
        (panfrost::Madvise::FIELDS, "retained", 8),
        (etnaviv::GemNew::FIELDS, "handle", 12),
        (etnaviv::GemSubmit::FIELDS, "stream", 40),
        (etnaviv::GemSubmit::FIELDS, "fence_fd", 52),
        (etnaviv::GemSubmit::FIELDS, "nr_pmrs", 64),
        (etnaviv::SubmitReloc::FIELDS, "reloc_offset", 8),
        (etnaviv::SubmitPmr::FIELDS, "read_offset", 12),
        (etnaviv::PmSignal::FIELDS, "name", 10),
        (sync_file::MergeData::FIELDS, "fence", 36),
        (sync_file::FileInfo::FIELDS, "num_fences", 40),
        (sync_file::FenceInfo::FIELDS, "timestamp_ns", 72),
    ] {
        assert_eq!(offset(fields, name), known, "{name}");
    }
}

#[test]
fn structures_are_their_bytes() {
    let signal = etnaviv::PmSignal {
        pipe: 0x0403_0201,
        domain: 5,
        pad: 6,
        iter: 0x0807,
        id: 0x0a09,
        name: std::array::from_fn(|i| 11 + i as u8),
    };
    let bytes = signal.to_bytes();
    assert!(bytes[..74].iter().zip(1..).all(|(byte, n)| *byte == n));
    assert_eq!(bytes[74..], [0, 0], "padding");
    assert_eq!(etnaviv::PmSignal::load(&bytes), signal);

    let prep = etnaviv::CpuPrep {
        handle: 1,
        op: 2,
        timeout: etnaviv::Timespec {
            tv_sec: -1,
            tv_nsec: 3,
        },
    };
    let words: Vec<u8> = [1i32, 2, -1, -1, 3, 0]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    assert_eq!(prep.to_bytes(), words);
    assert_eq!(etnaviv::CpuPrep::load(&words), prep);
}
