// SPDX-License-Identifier: BSD-2-Clause
//! The abilities of a model that the driver depends on.

use bitflags::bitflags;

bitflags! {
    /// Abilities of a model.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Features: u32 {
        /// Stop commands can select a job by its chain flag; without this a slot is given one job.
        const JOBCHAIN_DISAMBIGUATION = 1 << 0;
        /// Cores may be powered on while others are being powered off.
        const PWRON_DURING_PWROFF_TRANS = 1 << 1;
        /// The slots' extended affinity register exists.
        const XAFFINITY = 1 << 2;
        /// Fourth generation: counters are laid out by core group.
        const V4 = 1 << 3;
        /// The flush at the start of a job is skipped if there was one since the submit.
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
        /// Valhall with a job manager (G57).
        const VALHALL_JM = (Self::BIFROST.bits() & !Self::THREAD_GROUP_SPLIT.bits())
            | Self::IDVS_GROUP_SIZE.bits();
    }
}

impl Features {
    /// The number of jobs that may be in a slot at once.
    ///
    /// HW: every slot has room for two, but only with chain flags does a stop affect the right one.
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
    fn only_models_with_chain_flags_take_two_jobs() {
        assert_eq!(Features::MIDGARD_V4.slot_depth(), 1);
        assert_eq!(Features::MIDGARD_V5.slot_depth(), 2);
        assert_eq!(Features::BIFROST.slot_depth(), 2);
    }
}
