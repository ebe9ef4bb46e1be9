// SPDX-License-Identifier: BSD-2-Clause
//! What is wrong with a model or a revision of it, as far as the driver cares. The names are Arm's.

use bitflags::bitflags;

bitflags! {
    /// Known errata.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Issues: u32 {
        /// The pause buffer of the load/store pipe must be off.
        const I8443 = 1 << 0;
        /// A soft stop ends only when four queued compute tasks have ended.
        const I9435 = 1 << 1;
        /// Occlusion query discard must be off.
        const I10327 = 1 << 2;
        /// Cached translations can be stale: jobs must start with the MMU's START_MMU.
        const I10649 = 1 << 3;
        /// Compilers work around a texture gradient bug that a configuration bit must reveal.
        const I10797 = 1 << 4;
        /// The interrupt at the end of a job is lost now and then.
        const I10883 = 1 << 5;
        /// A race corrupts tile lists.
        const I11020 = 1 << 6;
        /// The write buffer corrupts tile lists.
        const I11024 = 1 << 7;
        /// The pause buffer can hang fragment jobs.
        const I11035 = 1 << 8;
        /// Cores cannot be switched one by one.
        const I11056 = 1 << 9;
        /// A hard-stopped fragment job that writes AFBC leaves state that only a soft reset clears.
        const T76X_3542 = 1 << 10;
        /// The tiler's clock must stay on, or the GPU stalls.
        const T76X_3953 = 1 << 11;
        /// A hard stop close after a soft stop may be reported as STOPPED.
        const TMIX_8438 = 1 << 12;
        /// Attribute checks must be left as they are.
        const GPUCORE_1619 = 1 << 13;
        /// Protected mode leaks through the L2.
        const TGOX_R1_1234 = 1 << 14;
        /// The varying algorithm bit must be set.
        const TTRX_2968_TTRX_3162 = 1 << 15;
        /// A bus fault of an occlusion query hangs later fragment jobs: reset.
        const TTRX_3076 = 1 << 16;

        /// What every model has.
        const ALL_MODELS = Self::I9435.bits();
        /// What all fifth generation Midgards have.
        const MIDGARD_V5 = Self::I10883.bits() | Self::T76X_3953.bits() | Self::TMIX_8438.bits();
    }
}
