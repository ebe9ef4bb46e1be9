// SPDX-License-Identifier: BSD-2-Clause
//! Linux ioctl request codes taken apart, and the names of the requests for the trace.
//!
//! Linux: nr in bits 0-7, group in 8-15, size in 16-29, direction in 30-31, 1 = the program writes
//! (copied in), 2 = it reads (copied out). FreeBSD has both bits elsewhere and swapped, so only
//! (group, nr, size) goes on.

/// A request code as a Linux program passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u32);

impl Code {
    pub(crate) fn nr(self) -> u32 {
        self.0 & 0xff
    }
    pub(crate) fn group(self) -> u32 {
        self.0 >> 8 & 0xff
    }
    pub(crate) fn size(self) -> usize {
        (self.0 >> 16 & 0x3fff) as usize
    }
    /// The argument is copied in.
    pub(crate) fn copies_in(self) -> bool {
        self.0 >> 30 & 1 != 0
    }
    /// The argument is copied out.
    pub(crate) fn copies_out(self) -> bool {
        self.0 >> 31 != 0
    }

    /// The request's name without its DRM_IOCTL_ prefix, or "?". `driver` names the requests 0x40
    /// to 0x9f.
    pub(crate) fn name(self, driver: &str) -> &'static str {
        let table: &[(u32, &str)] = match (self.group() as u8, self.nr()) {
            (b'd', 0x40..=0x9f) => match driver {
                "panfrost" => PANFROST,
                "etnaviv" => ETNAVIV,
                _ => &[],
            },
            (b'd', _) => CORE,
            (b'b', _) => DMA_BUF,
            (b'>', _) => SYNC,
            _ => &[],
        };
        table
            .iter()
            .find(|(nr, _)| *nr == self.nr())
            .map_or("?", |(_, name)| name)
    }
}

/// include/uapi/drm/drm.h.
const CORE: &[(u32, &str)] = &[
    (0x00, "VERSION"),
    (0x01, "GET_UNIQUE"),
    (0x02, "GET_MAGIC"),
    (0x05, "GET_CLIENT"),
    (0x06, "GET_STATS"),
    (0x07, "SET_VERSION"),
    (0x09, "GEM_CLOSE"),
    (0x0a, "GEM_FLINK"),
    (0x0b, "GEM_OPEN"),
    (0x0c, "GET_CAP"),
    (0x0d, "SET_CLIENT_CAP"),
    (0x11, "AUTH_MAGIC"),
    (0x1e, "SET_MASTER"),
    (0x1f, "DROP_MASTER"),
    (0x2d, "PRIME_HANDLE_TO_FD"),
    (0x2e, "PRIME_FD_TO_HANDLE"),
    (0xa0, "MODE_GETRESOURCES"),
    (0xa1, "MODE_GETCRTC"),
    (0xa2, "MODE_SETCRTC"),
    (0xa6, "MODE_GETENCODER"),
    (0xa7, "MODE_GETCONNECTOR"),
    (0xaf, "MODE_RMFB"),
    (0xb0, "MODE_PAGE_FLIP"),
    (0xb2, "MODE_CREATE_DUMB"),
    (0xb3, "MODE_MAP_DUMB"),
    (0xb4, "MODE_DESTROY_DUMB"),
    (0xb5, "MODE_GETPLANERESOURCES"),
    (0xb6, "MODE_GETPLANE"),
    (0xb8, "MODE_ADDFB2"),
    (0xb9, "MODE_OBJ_GETPROPERTIES"),
    (0xbf, "SYNCOBJ_CREATE"),
    (0xc0, "SYNCOBJ_DESTROY"),
    (0xc1, "SYNCOBJ_HANDLE_TO_FD"),
    (0xc2, "SYNCOBJ_FD_TO_HANDLE"),
    (0xc3, "SYNCOBJ_WAIT"),
    (0xc4, "SYNCOBJ_RESET"),
    (0xc5, "SYNCOBJ_SIGNAL"),
    (0xca, "SYNCOBJ_TIMELINE_WAIT"),
    (0xcb, "SYNCOBJ_QUERY"),
    (0xcc, "SYNCOBJ_TRANSFER"),
    (0xcd, "SYNCOBJ_TIMELINE_SIGNAL"),
];

/// include/uapi/drm/panfrost_drm.h.
const PANFROST: &[(u32, &str)] = &[
    (0x40, "PANFROST_SUBMIT"),
    (0x41, "PANFROST_WAIT_BO"),
    (0x42, "PANFROST_CREATE_BO"),
    (0x43, "PANFROST_MMAP_BO"),
    (0x44, "PANFROST_GET_PARAM"),
    (0x45, "PANFROST_GET_BO_OFFSET"),
    (0x46, "PANFROST_PERFCNT_ENABLE"),
    (0x47, "PANFROST_PERFCNT_DUMP"),
    (0x48, "PANFROST_MADVISE"),
];

/// include/uapi/drm/etnaviv_drm.h.
const ETNAVIV: &[(u32, &str)] = &[
    (0x40, "ETNAVIV_GET_PARAM"),
    (0x42, "ETNAVIV_GEM_NEW"),
    (0x43, "ETNAVIV_GEM_INFO"),
    (0x44, "ETNAVIV_GEM_CPU_PREP"),
    (0x45, "ETNAVIV_GEM_CPU_FINI"),
    (0x46, "ETNAVIV_GEM_SUBMIT"),
    (0x47, "ETNAVIV_WAIT_FENCE"),
    (0x48, "ETNAVIV_GEM_USERPTR"),
    (0x49, "ETNAVIV_GEM_WAIT"),
    (0x4a, "ETNAVIV_PM_QUERY_DOM"),
    (0x4b, "ETNAVIV_PM_QUERY_SIG"),
];

/// include/uapi/linux/dma-buf.h.
const DMA_BUF: &[(u32, &str)] = &[
    (0, "DMA_BUF_SYNC"),
    (1, "DMA_BUF_SET_NAME"),
    (2, "DMA_BUF_EXPORT_SYNC_FILE"),
    (3, "DMA_BUF_IMPORT_SYNC_FILE"),
];

/// include/uapi/linux/sync_file.h.
const SYNC: &[(u32, &str)] = &[
    (3, "SYNC_MERGE"),
    (4, "SYNC_FILE_INFO"),
    (5, "SYNC_SET_DEADLINE"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_linux_codes_apart() {
        // Codes as a Mesa client issued them.
        let submit = Code(0x4028_6440);
        assert_eq!(
            (submit.group(), submit.nr(), submit.size()),
            (0x64, 0x40, 40)
        );
        assert!(submit.copies_in() && !submit.copies_out());
        assert_eq!(submit.name("panfrost"), "PANFROST_SUBMIT");
        assert_eq!(submit.name("etnaviv"), "ETNAVIV_GET_PARAM");
        let version = Code(0xc040_6400);
        assert_eq!(
            (version.nr(), version.size(), version.name("panfrost")),
            (0, 64, "VERSION")
        );
        assert!(version.copies_in() && version.copies_out());
        assert_eq!(Code(0x0000_6501).name("panfrost"), "?");
        assert_eq!(Code(0xc030_3e03).name(""), "SYNC_MERGE");
        assert_eq!(Code(0x4008_6200).name(""), "DMA_BUF_SYNC");
    }
}
