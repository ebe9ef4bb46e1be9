// SPDX-License-Identifier: BSD-2-Clause
//! What a model can do, as far as the driver cares.

use bitflags::bitflags;

bitflags! {
    /// Abilities of a model.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Features: u32 {
        /// Stop commands can name a job by its chain mark; without it only one job is given to a slot.
        const JOBCHAIN_DISAMBIGUATION = 1 << 0;
        /// Cores may be switched on while others are going down.
        const PWRON_DURING_PWROFF_TRANS = 1 << 1;
        /// The slots' extended affinity register exists.
        const XAFFINITY = 1 << 2;
        /// Fourth generation: counters are laid out by core group.
        const V4 = 1 << 3;
        /// A job need not flush what was flushed since it was built.
        const FLUSH_REDUCTION = 1 << 4;
        /// Protected content.
        const PROTECTED_MODE = 1 << 5;
        /// The coherency registers exist.
        const COHERENCY_REG = 1 << 6;
        /// The MMU walks AArch64 tables and reports atomic accesses; TRANSCFG exists.
        const AARCH64_MMU = 1 << 7;
        /// Thread local storage can be spread by a hash.
        const TLS_HASHING = 1 << 8;
        /// Thread groups can be split.
        const THREAD_GROUP_SPLIT = 1 << 9;
        /// The vertex group size of the job manager can be set.
        const IDVS_GROUP_SIZE = 1 << 10;

        /// Midgard's fourth generation (T720).
        const MIDGARD_V4 = Self::V4.bits() | Self::THREAD_GROUP_SPLIT.bits();
        /// Midgard's fifth (T760, T860).
        const MIDGARD_V5 = Self::JOBCHAIN_DISAMBIGUATION.bits()
            | Self::PWRON_DURING_PWROFF_TRANS.bits()
            | Self::XAFFINITY.bits()
            | Self::THREAD_GROUP_SPLIT.bits();
        /// What all Bifrost models share.
        const BIFROST = Self::MIDGARD_V5.bits()
            | Self::FLUSH_REDUCTION.bits()
            | Self::PROTECTED_MODE.bits()
            | Self::COHERENCY_REG.bits()
            | Self::AARCH64_MMU.bits();
    }
}

impl Features {
    /// Jobs that may be in a slot at once.
    ///
    /// HW: every slot has room for two, but only a chain mark makes sure that a stop hits the right one.
    pub(crate) fn slot_depth(self) -> u8 {
        match self.contains(Features::JOBCHAIN_DISAMBIGUATION) {
            true => 2,
            false => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_models_with_a_chain_mark_take_two_jobs() {
        assert_eq!(Features::MIDGARD_V4.slot_depth(), 1);
        assert_eq!(Features::MIDGARD_V5.slot_depth(), 2);
        assert_eq!(Features::BIFROST.slot_depth(), 2);
    }
}
