// SPDX-License-Identifier: BSD-2-Clause
//! The modelled GPUs: identity registers and the descriptor generation.
//!
//! Only the T860 row was read from silicon; the other rows are what public kernel logs of the named
//! boards print, and the model does not depend on their exact bits.

/// GPUs that the model supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Mali-T720 MP2 r1p1, as in Allwinner H6. Single-target framebuffer descriptors, no job
    /// chain disambiguation.
    T720,
    /// Mali-T760 MP4 r1p0, as in Rockchip RK3288.
    T760,
    /// Mali-T860 MP4 r2p0, as in Rockchip RK3399.
    T860,
    /// Mali-G31 MP2 r0p0, as in Rockchip PX30.
    G31,
    /// Mali-G52 MC1 r1p0, as in Rockchip RK356x.
    G52,
}

/// Generation of the in-memory descriptors, numbered as in Mesa's genxml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Arch {
    /// T600, T620, T720.
    V4,
    /// T760 to T880.
    V5,
    /// G31, G51, G52, G76: Mesa's pan_arch() is the top nibble of the product id.
    V7,
}

/// Read-only registers of one GPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) arch: Arch,
    pub(crate) gpu_id: u32,
    pub(crate) l2_features: u32,
    pub(crate) core_features: u32,
    pub(crate) tiler_features: u32,
    pub(crate) mem_features: u32,
    pub(crate) mmu_features: u32,
    pub(crate) as_present: u32,
    pub(crate) shader_present: u64,
    pub(crate) max_threads: u32,
    pub(crate) thread_features: u32,
    pub(crate) coherency_features: u32,
    /// Whether slot stop commands 4 to 7 work.
    pub(crate) chain_disambiguation: bool,
}

/// Job slots 0 to 2. HW: panfrost.md 2.3 (JS_PRESENT 0x7).
pub(crate) const JS_PRESENT: u32 = 0x7;

/// Job types each slot takes, bit n = job type n of Mesa's "Job Type": slot 0 null, write
/// value, cache flush and fragment; slot 1 everything but fragment; slot 2 no tiler.
/// HW: panfrost.md 2.5 (use of the slots); value as published in Arm's register model.
pub(crate) const JS_FEATURES: [u32; 3] = [0x20e, 0x1fe, 0x7e];

/// Compressed formats: ETC2 and ASTC.
/// HW: Mesa pan_props.c panfrost_query_compressed_formats "factory default".
pub(crate) const TEXTURE_FEATURES: [u32; 4] = [0x00fe_001e, 0x0000_ffff, 0x9f81_ffff, 0];

impl Identity {
    pub(crate) fn of(variant: Variant) -> Identity {
        // HW: panfrost.md 2.3 "RK3399 T860 register oracle".
        let t860 = Identity {
            arch: Arch::V5,
            gpu_id: 0x0860_2000,
            l2_features: 0x0712_0206,
            core_features: 0,
            tiler_features: 0x809,
            mem_features: 0x1,
            mmu_features: 0x2830,
            as_present: 0xff,
            shader_present: 0xf,
            // HW: Mesa pan_props.c panfrost_max_thread_count: 256 on v4 and v5.
            max_threads: 256,
            thread_features: 0x0a04_0400,
            coherency_features: 0,
            chain_disambiguation: true,
        };
        // HW: Mesa pan_props.c panfrost_model_list for product ids; features by board logs.
        match variant {
            Variant::T720 => Identity {
                arch: Arch::V4,
                gpu_id: 0x0720_1010,
                l2_features: 0x0711_0206,
                mmu_features: 0x2821,
                as_present: 0xf,
                shader_present: 0x3,
                chain_disambiguation: false,
                ..t860
            },
            Variant::T760 => Identity {
                gpu_id: 0x0750_1000,
                l2_features: 0x0713_0206,
                ..t860
            },
            Variant::T860 => t860,
            Variant::G31 | Variant::G52 => Identity {
                arch: Arch::V7,
                gpu_id: if variant == Variant::G31 {
                    0x7093_0000
                } else {
                    0x7402_1000
                },
                l2_features: 0x0711_0206,
                core_features: 0x2,
                tiler_features: 0x209,
                mmu_features: 0x2823,
                shader_present: 0x1,
                // HW: Mesa pan_props.c: 768 on v7, 512 on G31.
                max_threads: if variant == Variant::G31 { 512 } else { 768 },
                coherency_features: 0x1,
                ..t860
            },
        }
    }

    /// Width of a virtual address. HW: panfrost.md 2.1 (MMU_FEATURES bits 7:0).
    pub(crate) fn va_bits(&self) -> u32 {
        self.mmu_features & 0xff
    }

    /// Width of a physical address. HW: panfrost.md 2.1 (MMU_FEATURES bits 15:8).
    pub(crate) fn pa_bits(&self) -> u32 {
        (self.mmu_features >> 8) & 0xff
    }
}
