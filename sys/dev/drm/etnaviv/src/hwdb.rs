// SPDX-License-Identifier: BSD-2-Clause
//! The table of cores whose registers do not describe them completely, and the quirks of cores.
//!
//! Feature words 6 to 11 are in no register: a core that has them needs a row.

use bitflags::bitflags;

use crate::features::{Features, Words};
use crate::identity::{Identity, Ids, Specs};
use crate::regs::pm;

/// A row: a core.
pub struct Row {
    model: u32,
    revision: u32,
    /// `None` matches every value, here and below.
    product_id: Option<u32>,
    customer_id: Option<u32>,
    eco_id: Option<u32>,
    /// Its feature words.
    pub words: Words,
    /// Its sizes.
    pub specs: Specs,
}

static ROWS: [Row; 1] = [
    // GC7000L of the i.MX 8M Quad.
    Row {
        model: 0x7000,
        revision: 0x6214,
        product_id: None,
        customer_id: None,
        eco_id: None,
        words: [
            0xe028_7cad,
            0xc179_9eff,
            0xfefb_fad9,
            0xeb9d_4fbf,
            0xedff_fced,
            0xdb0d_afc7,
            0xbb5a_c333,
            0xfc8e_e200,
            0x03fb_fa6f,
            0x00ef_0ef0,
            0x0edb_f03c,
            0x9004_4250,
            0x0000_0024,
        ],
        specs: Specs {
            stream_count: 16,
            register_max: 64,
            thread_count: 1024,
            vertex_cache_size: 16,
            shader_core_count: 4,
            pixel_pipes: 2,
            vertex_output_buffer_size: 1024,
            buffer_size: 0,
            instruction_count: 512,
            num_constants: 320,
            num_varyings: 16,
        },
    },
];

/// The row of a core.
pub fn find(ids: &Ids) -> Option<&'static Row> {
    let same = |want: Option<u32>, is: u32| want.is_none_or(|want| want == is);
    ROWS.iter().find(|row| {
        (row.model, row.revision) == (ids.model, ids.revision)
            && same(row.product_id, ids.product_id)
            && same(row.customer_id, ids.customer_id)
            && same(row.eco_id, ids.eco_id)
    })
}

bitflags! {
    /// Deviations from what the driver does for most cores.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Quirks: u32 {
        /// Modules that stall are not gated.
        const NO_STALL_GATING = 1 << 0;
        /// The texture unit is not gated; otherwise the GPU hangs.
        const NO_TX_GATING = 1 << 1;
        /// Setup and rasteriser are not gated.
        const NO_SE_RA_GATING = 1 << 2;
        /// The shaders' execution units are not gated.
        const NO_SH_EU_GATING = 1 << 3;
        /// The buses of front end and textures have to be set up.
        const BUS_CONFIG = 1 << 4;
        /// Bit 23 of the pulse eater is set.
        const PULSE_EATER_23 = 1 << 5;
        /// Bit 17 of the pulse eater is set in place of bit 16.
        const PULSE_EATER_17 = 1 << 6;
        /// The 2D core's memory has to be set up.
        const MEMORY_DEBUG = 1 << 7;
        /// A position takes two varyings, so there is one less.
        const VARYING_LESS = 1 << 8;
        /// Cycles are counted by the memory controller.
        const MC_CYCLES = 1 << 9;
        /// Modules that do not exist are reported as busy.
        const NAMED_IDLE_BITS = 1 << 10;
    }
}

/// Every revision.
const ANY: u32 = u32::MAX;

/// Model, revision, quirks. A core has the quirks of all rows that match. Source: Linux.
static QUIRKS: [(u32, u32, Quirks); 30] = [
    (0x0300, ANY, Quirks::NAMED_IDLE_BITS),
    (0x0320, 0x5007, Quirks::MEMORY_DEBUG),
    (0x0320, 0x5220, Quirks::MEMORY_DEBUG),
    (0x0600, ANY, Quirks::NAMED_IDLE_BITS),
    (0x0880, 0x5106, Quirks::VARYING_LESS),
    (0x0880, 0x5107, Quirks::VARYING_LESS),
    (0x0880, ANY, Quirks::MC_CYCLES),
    (0x1000, 0x5039, Quirks::PULSE_EATER_17),
    (0x1000, 0x5040, Quirks::PULSE_EATER_17),
    (0x1500, 0x5246, Quirks::VARYING_LESS),
    (0x2000, 0x5108, Quirks::NO_TX_GATING),
    (0x2000, 0x5108, Quirks::BUS_CONFIG),
    (0x2000, 0x5108, Quirks::VARYING_LESS),
    (0x2000, ANY, Quirks::MC_CYCLES),
    (0x2100, 0x5108, Quirks::VARYING_LESS),
    (0x2100, ANY, Quirks::MC_CYCLES),
    (0x2200, 0x5244, Quirks::VARYING_LESS),
    (0x3000, 0x5435, Quirks::VARYING_LESS),
    (0x4000, 0x5208, Quirks::PULSE_EATER_23),
    (0x4000, 0x5208, Quirks::VARYING_LESS),
    (0x4000, 0x5222, Quirks::PULSE_EATER_23),
    (0x4000, 0x5222, Quirks::NO_TX_GATING),
    (0x4000, 0x5222, Quirks::VARYING_LESS),
    (0x4000, 0x5245, Quirks::VARYING_LESS),
    (0x5000, 0x5434, Quirks::VARYING_LESS),
    (
        0x7000,
        0x6202,
        Quirks::NO_TX_GATING.union(Quirks::NO_SE_RA_GATING),
    ),
    (0x7000, 0x6203, Quirks::NO_TX_GATING),
    (0x8000, 0x7200, Quirks::NO_SH_EU_GATING),
    (0x8000, 0x8002, Quirks::NO_SH_EU_GATING),
    (0x9200, 0x6304, Quirks::NO_SH_EU_GATING),
];

/// The quirks of a core.
pub fn quirks(model: u32, revision: u32) -> Quirks {
    let matches = |row: &&(u32, u32, Quirks)| row.0 == model && (row.1 == revision || row.1 == ANY);
    let found = QUIRKS
        .iter()
        .filter(matches)
        .fold(Quirks::empty(), |sum, row| sum.union(row.2));
    match revision {
        0x4301 | 0x4302 => found.union(Quirks::NO_STALL_GATING),
        _ => found,
    }
}

/// The bits that are set in POWER_CONTROLS (0x100) and in MODULE_CONTROLS (0x104) for clock gating.
pub fn clock_gating(core: &Identity) -> (u32, u32) {
    let (model, revision) = (core.ids.model, core.ids.revision);
    let quirks = quirks(model, revision);
    let power = match quirks.contains(Quirks::NO_STALL_GATING) {
        true => pm::ENABLE_MODULE_CLOCK_GATING | pm::DISABLE_STALL_MODULE_CLOCK_GATING,
        false => pm::ENABLE_MODULE_CLOCK_GATING,
    };
    let mut modules = pm::NO_GATING_RA_HZ | pm::NO_GATING_RA_EZ;
    if model >= 0x400 && model != 0x420 && !core.features.contains(Features::BUG_FIXES12) {
        modules |= pm::NO_GATING_PA;
    }
    if revision < 0x5000
        && core.features.contains(Features::HZ)
        && !core.features.contains(Features::PE_GATING_FIXED)
    {
        modules |= pm::NO_GATING_PE;
    }
    if revision < 0x5422 {
        modules |= pm::UNKNOWN_15;
    }
    if quirks.contains(Quirks::NO_TX_GATING) {
        modules |= pm::NO_GATING_TX;
    }
    if quirks.contains(Quirks::NO_SE_RA_GATING) {
        modules |= pm::NO_GATING_SE | pm::NO_GATING_RA;
    }
    if quirks.contains(Quirks::NO_SH_EU_GATING) {
        modules |= pm::NO_GATING_SH_EU;
    }
    (power, modules)
}

/// The value to be written to PULSE_EATER (0x10c); `read` is its current value.
pub fn pulse_eater(core: &Identity, read: u32) -> u32 {
    if core.ids.revision > 0x5420 && core.features.contains(Features::PIPE_3D) {
        return (read | pm::PULSE_EATER_NO_DFS | pm::PULSE_EATER_17) & !pm::PULSE_EATER_16;
    }
    let quirks = quirks(core.ids.model, core.ids.revision);
    let mut value = pm::PULSE_EATER_DEFAULT;
    if quirks.contains(Quirks::PULSE_EATER_23) {
        value |= pm::PULSE_EATER_23;
    }
    if quirks.contains(Quirks::PULSE_EATER_17) {
        value = (value & !pm::PULSE_EATER_16) | pm::PULSE_EATER_17;
    }
    value
}

/// The bits of IDLE_STATE (0x004) from FE to TX.
const IDLE_FE_TO_TX: u32 = 0xff;
/// The bit of IDLE_STATE that reports a bus in low power, and has no meaning for idleness.
const IDLE_AXI_LOW_POWER: u32 = 1 << 31;

/// The bits of IDLE_STATE (0x004) that are all set when the core is idle.
pub fn idle_mask(core: &Identity) -> u32 {
    match quirks(core.ids.model, core.ids.revision).contains(Quirks::NAMED_IDLE_BITS) {
        true => IDLE_FE_TO_TX,
        false => !IDLE_AXI_LOW_POWER,
    }
}
