// SPDX-License-Identifier: BSD-2-Clause
//! The feature bits of a core that the driver depends on.
//!
//! Clients are given the feature words unchanged. The driver uses some of their bits, whose
//! positions are from rnndb `common.xml`.

use bitflags::bitflags;

/// Feature words of a core: major, then minor 0 to 11.
pub type Words = [u32; 13];

bitflags! {
    /// Abilities of a core.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Features: u32 {
        /// Fast clear.
        const FAST_CLEAR = 1 << 0;
        /// It has a 3D pipe.
        const PIPE_3D = 1 << 1;
        /// It has a 2D pipe.
        const PIPE_2D = 1 << 2;
        /// It has a vector graphics pipe.
        const PIPE_VG = 1 << 3;
        /// Front end 2.0, which has other commands on cores for vector graphics.
        const FE20 = 1 << 4;
        /// Minor features 1 to 5 and the specification registers exist.
        const MORE_MINOR_FEATURES = 1 << 5;
        /// Memory controller 2.0: accesses to tile status use the base of the linear window, too.
        const MC20 = 1 << 6;
        /// Hierarchical Z.
        const HZ = 1 << 7;
        /// The pixel engine may be gated in spite of `HZ`.
        const PE_GATING_FIXED = 1 << 8;
        /// HALTI0.
        const HALTI0 = 1 << 9;
        /// The MMU is of version 2.
        const MMU_V2 = 1 << 10;
        /// Its frequency is scaled by its clocks, not by FSCALE.
        const DYNAMIC_FREQUENCY_SCALING = 1 << 11;
        /// Primitive assembly may be gated.
        const BUG_FIXES12 = 1 << 12;
        /// HALTI5.
        const HALTI5 = 1 << 13;
        /// It has a blit engine, through which tile status is flushed.
        const BLT_ENGINE = 1 << 14;
        /// Security states exist.
        const BIT_SECURITY = 1 << 15;
        /// The secure registers are accessible by AHB.
        const SECURITY_AHB = 1 << 16;
        /// Fences have 64 bits.
        const FENCE_64BIT = 1 << 17;
    }
}

/// The word and the bit of each feature.
const PLACES: [(Features, usize, u32); 18] = [
    (Features::FAST_CLEAR, 0, 0),
    (Features::PIPE_3D, 0, 2),
    (Features::PIPE_2D, 0, 9),
    (Features::PIPE_VG, 0, 26),
    (Features::FE20, 0, 28),
    (Features::MORE_MINOR_FEATURES, 1, 21),
    (Features::MC20, 1, 22),
    (Features::HZ, 1, 27),
    (Features::PE_GATING_FIXED, 2, 9),
    (Features::HALTI0, 2, 23),
    (Features::MMU_V2, 2, 28),
    (Features::DYNAMIC_FREQUENCY_SCALING, 3, 14),
    (Features::BUG_FIXES12, 4, 15),
    (Features::HALTI5, 6, 29),
    (Features::BLT_ENGINE, 6, 31),
    (Features::BIT_SECURITY, 8, 21),
    (Features::SECURITY_AHB, 11, 14),
    (Features::FENCE_64BIT, 12, 2),
];

impl Features {
    /// The features whose bits are set in `words`.
    pub fn of(words: &Words) -> Features {
        let set = |(_, word, bit): &&(Features, usize, u32)| {
            // OVERFLOW: none, for all bits in PLACES are below 32.
            let mask = 1u32.wrapping_shl(*bit);
            words.get(*word).is_some_and(|word| word & mask != 0)
        };
        PLACES
            .iter()
            .filter(set)
            .fold(Features::empty(), |sum, (feature, ..)| sum.union(*feature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_one_place() {
        let mut all = Features::empty();
        for (feature, word, bit) in PLACES {
            let mut words = Words::default();
            assert_eq!(Features::of(&words), Features::empty());
            if let Some(word) = words.get_mut(word) {
                *word = 1 << bit;
            }
            assert_eq!(Features::of(&words), feature);
            assert!(!all.intersects(feature));
            all |= feature;
        }
        assert_eq!(all, Features::all());
        assert_eq!(Features::of(&[u32::MAX; 13]), Features::all());
    }
}
