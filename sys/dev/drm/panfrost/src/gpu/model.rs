// SPDX-License-Identifier: BSD-2-Clause
//! The table of supported models. A new model is a new row.
//!
//! Bifrost products are matched by `id & 0xF00F`: the bits in between tell variants apart, not models.

use crate::gpu::features::Features;
use crate::gpu::issues::Issues;
use drmkpi::util::errno::{Result, ENODEV};

/// One supported model.
pub(crate) struct Model {
    /// Its short name, "t860" for a Mali-T860.
    pub(crate) name: &'static str,
    /// Product number, variants masked off.
    pub(crate) id: u32,
    /// What it can do.
    pub(crate) features: Features,
    /// What is wrong with every revision.
    issues: Issues,
    /// What is wrong with some: (low half of GPU_ID, issues).
    revisions: &'static [(u32, Issues)],
}

/// HW: product numbers, features and issues as Linux 6.1's panfrost has them.
static MODELS: [Model; 5] = [
    Model {
        name: "t720",
        id: 0x720,
        features: Features::MIDGARD_V4,
        issues: Issues::I10649
            .union(Issues::I10797)
            .union(Issues::I10883)
            .union(Issues::I11056)
            .union(Issues::TMIX_8438),
        revisions: &[],
    },
    Model {
        name: "t760",
        id: 0x750,
        features: Features::MIDGARD_V5,
        issues: Issues::MIDGARD_V5,
        revisions: &[
            (0x0000, T760_EARLY),
            (0x0010, T760_EARLY),
            (0x0020, T760_EARLY),
            (0x0030, Issues::T76X_3542),
        ],
    },
    Model {
        name: "t860",
        id: 0x860,
        features: Features::MIDGARD_V5,
        issues: Issues::MIDGARD_V5,
        revisions: &[],
    },
    Model {
        name: "g52",
        id: 0x7002,
        features: Features::BIFROST.union(Features::IDVS_GROUP_SIZE),
        issues: Issues::empty(),
        revisions: &[],
    },
    Model {
        name: "g31",
        id: 0x7003,
        features: Features::BIFROST.union(Features::TLS_HASHING),
        issues: Issues::empty(),
        revisions: &[(0x1000, Issues::TGOX_R1_1234)],
    },
];

/// T760 r0p0 to r0p2.
const T760_EARLY: Issues = Issues::I11020
    .union(Issues::I11024)
    .union(Issues::T76X_3542);

/// The status nibble of a revision: variants of one release.
const STATUS_MASK: u32 = 0xF;

/// The product number without what tells variants apart.
const fn masked(product: u32) -> u32 {
    match product & 0xF000 {
        0 => product,
        _ => product & 0xF00F,
    }
}

impl Model {
    /// The row for this product number (high half of GPU_ID).
    ///
    /// # Errors
    ///
    /// ENODEV when the model is not in the table.
    pub(crate) fn find(product: u32) -> Result<&'static Model> {
        MODELS
            .iter()
            .find(|m| m.id == masked(product))
            .ok_or(ENODEV)
    }

    /// What is wrong with this revision (low half of GPU_ID): the row for it, or for its release.
    pub(crate) fn issues(&self, revision: u32) -> Issues {
        let row = |rev| {
            self.revisions
                .iter()
                .find(|(r, _)| *r == rev)
                .map(|(_, issues)| *issues)
        };
        let special = row(revision)
            .or_else(|| row(revision & !STATUS_MASK))
            .unwrap_or(Issues::empty());
        Issues::ALL_MODELS | self.issues | special
    }

    /// Whether it is Bifrost or later, not Midgard.
    pub(crate) fn is_bifrost(&self) -> bool {
        self.id >= 0x1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(product: u32) -> Option<&'static str> {
        Model::find(product).ok().map(|m| m.name)
    }

    #[test]
    fn products_are_found_and_variants_are_masked() {
        assert_eq!(name(0x720), Some("t720"));
        assert_eq!(name(0x750), Some("t760"));
        assert_eq!(name(0x860), Some("t860"));
        assert_eq!(name(0x7002), Some("g52"));
        assert_eq!(name(0x7402), Some("g52"));
        assert_eq!(name(0x7093), Some("g31"));
    }

    #[test]
    fn unknown_products_are_refused() {
        // Mesa's and Arm's numbers of GPUs that this driver was not written for, and what a dead bus reads as.
        for product in [
            0x0, 0x760, 0x861, 0x6000, 0x6956, 0x7004, 0x9001, 0xA867, 0xFFFF,
        ] {
            assert_eq!(name(product), None, "{product:#x}");
        }
    }

    #[test]
    fn revisions_fall_back_to_their_release() {
        let t760 = Model::find(0x750).unwrap();
        assert_eq!(
            t760.issues(0x0030),
            Issues::ALL_MODELS | Issues::MIDGARD_V5 | Issues::T76X_3542
        );
        assert_eq!(t760.issues(0x0033), t760.issues(0x0030));
        assert!(t760.issues(0x0011).contains(Issues::I11024));
        assert_eq!(t760.issues(0x1000), Issues::ALL_MODELS | Issues::MIDGARD_V5);
        let g31 = Model::find(0x7003).unwrap();
        assert_eq!(
            g31.issues(0x1000),
            Issues::ALL_MODELS | Issues::TGOX_R1_1234
        );
        assert_eq!(g31.issues(0x0000), Issues::ALL_MODELS);
    }

    #[test]
    fn the_rk3399_has_what_its_board_trace_needs() {
        // An RK3399's T860 is r2p0.
        let t860 = Model::find(0x860).unwrap();
        let issues = t860.issues(0x2000);
        assert!(
            issues.contains(Issues::I9435 | Issues::I10883 | Issues::T76X_3953 | Issues::TMIX_8438)
        );
        assert!(!issues.contains(Issues::I10649));
        assert!(!t860.is_bifrost() && t860.features.contains(Features::JOBCHAIN_DISAMBIGUATION));
    }

    #[test]
    fn bifrost_reduces_flushes_and_midgard_does_not() {
        for m in &MODELS {
            assert_eq!(
                m.is_bifrost(),
                m.features.contains(Features::FLUSH_REDUCTION),
                "{}",
                m.name
            );
            assert_eq!(
                m.is_bifrost(),
                m.features.contains(Features::AARCH64_MMU),
                "{}",
                m.name
            );
        }
    }
}
