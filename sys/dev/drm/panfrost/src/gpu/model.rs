// SPDX-License-Identifier: BSD-2-Clause
//! The table of supported models. A new model needs a new row.
//!
//! Bifrost products are matched by `id & 0xF00F`: the other bits distinguish variants of a model.

use crate::gpu::features::Features;
use crate::gpu::issues::Issues;
use drmkpi::util::errno::{Result, ENODEV};

/// One supported model.
pub(crate) struct Model {
    /// Its short name, "t860" for a Mali-T860.
    pub(crate) name: &'static str,
    /// Product number, variants masked off.
    pub(crate) id: u32,
    /// Its abilities.
    pub(crate) features: Features,
    /// The errata of all revisions.
    issues: Issues,
    /// The errata of some: (low half of GPU_ID, errata).
    revisions: &'static [(u32, Issues)],
}

/// HW: product numbers, features and issues as Linux 6.1's panfrost has them, but for the second
/// number of the G57, which newer versions have.
static MODELS: [Model; 16] = [
    Model {
        name: "t604",
        id: 0x600,
        features: Features::MIDGARD_V4,
        issues: Issues::I10649
            .union(Issues::I10883)
            .union(Issues::I11020)
            .union(Issues::I11035)
            .union(Issues::I11056)
            .union(Issues::TMIX_8438),
        revisions: &[(0x0001, Issues::I8443.union(Issues::GPUCORE_1619))],
    },
    Model {
        name: "t620",
        id: 0x620,
        features: Features::MIDGARD_V4,
        issues: Issues::I10649
            .union(Issues::I10883)
            .union(Issues::I11056)
            .union(Issues::TMIX_8438),
        revisions: &[(0x0010, T620_R0P1), (0x1000, T620_R1P0)],
    },
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
        name: "t820",
        id: 0x820,
        features: Features::MIDGARD_V5,
        issues: Issues::MIDGARD_V5,
        revisions: &[],
    },
    Model {
        name: "t830",
        id: 0x830,
        features: Features::MIDGARD_V5,
        issues: Issues::MIDGARD_V5,
        revisions: &[],
    },
    Model {
        name: "t860",
        id: 0x860,
        features: Features::MIDGARD_V5,
        issues: Issues::MIDGARD_V5,
        revisions: &[],
    },
    Model {
        name: "t880",
        id: 0x880,
        features: Features::MIDGARD_V5,
        issues: Issues::MIDGARD_V5,
        revisions: &[],
    },
    Model {
        name: "g71",
        id: 0x6000,
        features: Features::BIFROST,
        issues: Issues::TMIX_8438,
        revisions: &[(0x0001, Issues::T76X_3953)],
    },
    Model {
        name: "g72",
        id: 0x6001,
        features: Features::BIFROST,
        issues: Issues::empty(),
        revisions: &[],
    },
    Model {
        name: "g51",
        id: 0x7000,
        features: Features::BIFROST,
        issues: Issues::empty(),
        revisions: &[],
    },
    Model {
        name: "g76",
        id: 0x7001,
        features: Features::BIFROST
            .union(Features::TLS_HASHING)
            .union(Features::IDVS_GROUP_SIZE),
        issues: Issues::empty(),
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
    Model {
        name: "g57",
        id: 0x9001,
        features: Features::VALHALL_JM,
        issues: Issues::TTRX_2968_TTRX_3162.union(Issues::TTRX_3076),
        revisions: &[],
    },
    Model {
        name: "g57",
        id: 0x9003,
        features: Features::VALHALL_JM,
        issues: Issues::TTRX_2968_TTRX_3162.union(Issues::TTRX_3076),
        revisions: &[],
    },
];

/// T620 r0p1.
const T620_R0P1: Issues = T620_R1P0.union(Issues::I10327).union(Issues::I11035);
/// T620 r1p0.
const T620_R1P0: Issues = Issues::I11020.union(Issues::I11024);

/// T760 r0p0 to r0p2.
const T760_EARLY: Issues = Issues::I11020
    .union(Issues::I11024)
    .union(Issues::T76X_3542);

/// The status bits of a revision, which distinguish variants of one release.
const STATUS_MASK: u32 = 0xF;

/// The product number without the bits that distinguish variants.
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
    /// ENODEV if the model is not in the table.
    pub(crate) fn find(product: u32) -> Result<&'static Model> {
        MODELS
            .iter()
            .find(|m| m.id == masked(product))
            .ok_or(ENODEV)
    }

    /// The errata of a revision (low half of GPU_ID): those of all revisions, and those in the row
    /// for this revision, or for its release.
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
        assert_eq!(name(0x9093), Some("g57"));
    }

    #[test]
    fn each_model_is_found_by_its_number() {
        for model in &MODELS {
            assert!(core::ptr::eq(Model::find(model.id).unwrap(), model));
        }
    }

    #[test]
    fn unknown_products_are_refused() {
        // Numbers of no GPU or of one without a job manager (0xA867), and what a bus without a
        // device reads.
        for product in [
            0x0, 0x760, 0x861, 0x6006, 0x6956, 0x7004, 0x9002, 0xA867, 0xFFFF,
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
    fn revisions_of_the_first_midgards() {
        let early = |product, revision| {
            let of = Model::find(product).unwrap().issues(revision);
            let pause = of.intersects(Issues::I8443 | Issues::I11035);
            let queries = of.contains(Issues::I10327);
            let tile_lists = of.contains(Issues::I11024);
            (pause, queries, tile_lists)
        };
        assert_eq!(early(0x600, 0x0001), (true, false, false));
        assert_eq!(early(0x600, 0x1000), (true, false, false));
        assert_eq!(early(0x620, 0x0010), (true, true, true));
        assert_eq!(early(0x620, 0x1000), (false, false, true));
        assert_eq!(early(0x620, 0x1010), (false, false, false));
        let t604 = Model::find(0x600).unwrap();
        assert!(t604.issues(0x0001).contains(Issues::GPUCORE_1619));
        assert!(!t604.issues(0x0000).contains(Issues::GPUCORE_1619));
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
