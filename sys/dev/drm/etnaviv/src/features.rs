// SPDX-License-Identifier: BSD-2-Clause
//! What a core can do, as far as the driver cares.
//!
//! Clients get the feature words as they are; the driver looks at a few of their bits, each with its place in rnndb `common.xml`.

use bitflags::bitflags;

/// Feature words of a core: major, then minor 0 to 11.
pub type Words = [u32; 13];

bitflags! {
    /// Abilities of a core.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Features: u32 {
        /// Fast clear.
        const FAST_CLEAR = 1 << 0;
        /// It draws in 3D.
        const PIPE_3D = 1 << 1;
        /// It draws in 2D.
        const PIPE_2D = 1 << 2;
        /// It draws vectors.
        const PIPE_VG = 1 << 3;
        /// Front end 2.0, whose commands are others on cores that draw vectors.
        const FE20 = 1 << 4;
        /// Minor features 1 to 5 and the specification registers exist.
        const MORE_MINOR_FEATURES = 1 << 5;
        /// Memory controller 2.0: tile status goes through the linear window like everything else.
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
        /// The blit engine is there, and tile status is flushed through it.
        const BLT_ENGINE = 1 << 14;
        /// Security states exist.
        const BIT_SECURITY = 1 << 15;
        /// The secure registers are reached by AHB.
        const SECURITY_AHB = 1 << 16;
        /// Fences have 64 bits.
        const FENCE_64BIT = 1 << 17;
    }
}

/// Word and bit of each.
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
    /// What is set in the words.
    pub fn of(words: &Words) -> Features {
        let set = |(_, word, bit): &&(Features, usize, u32)| {
            words
                .get(*word)
                .is_some_and(|word| word.wrapping_shr(*bit) & 1 != 0)
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
