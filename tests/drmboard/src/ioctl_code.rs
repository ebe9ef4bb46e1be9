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
        let table = match (self.group() as u8, self.nr()) {
            (b'd', 0x40..=0x9f) => match driver {
                "panfrost" => uapi::panfrost::NAMES,
                "etnaviv" => uapi::etnaviv::NAMES,
                _ => &[],
            },
            (b'd', 0xa0..=0xbe) => MODE,
            (b'd', _) => uapi::core::NAMES,
            (b'b', _) => uapi::dma_buf::NAMES,
            (b'>', _) => uapi::sync_file::NAMES,
            _ => &[],
        };
        table
            .iter()
            .find(|(nr, _)| *nr == self.nr())
            .map_or("?", |(_, name)| name)
    }
}

/// Requests of displays, which crate `uapi` does not have: include/uapi/drm/drm.h.
const MODE: &[(u32, &str)] = &[
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
        assert_eq!(Code(0xc010_64b2).name(""), "MODE_CREATE_DUMB");
        assert_eq!(Code(0xc008_64bf).name(""), "SYNCOBJ_CREATE");
    }
}
