// SPDX-License-Identifier: BSD-2-Clause
//! Configuration registers that must not keep their reset values. A reset undoes them: [`apply`] belongs between
//! every reset and the power-on that follows.
//!
//! L2_MMU_CONFIG is left alone: its fields throttle outstanding bus accesses, differ from model to model, and are
//! off after reset. (Early Linux zeroed them; 6.1 does not touch them.)

use crate::gpu::control::Identity;
use crate::gpu::features::Features;
use crate::gpu::issues::Issues;
use crate::gpu::model::Model;
use crate::regs::gpu as reg;
use crate::regs::Regs;

/// SHADER_CONFIG: occlusion queries are never discarded.
const SC_SDC_DISABLE_OQ_DISCARD: u32 = 1 << 6;
/// SHADER_CONFIG: any attribute type may be loaded and stored (T76x, T8xx).
const SC_LS_ALLOW_ATTR_TYPES: u32 = 1 << 16;
/// SHADER_CONFIG: no pause buffer in the load/store pipe (T60x, T62x); the bit has two meanings.
const SC_LS_PAUSEBUFFER_DISABLE: u32 = 1 << 16;
/// SHADER_CONFIG: thread local storage is spread by a hash.
const SC_TLS_HASH_ENABLE: u32 = 1 << 17;
/// SHADER_CONFIG: attribute types are not checked (T6xx, T72x).
const SC_LS_ATTR_CHECK_DISABLE: u32 = 1 << 18;
/// SHADER_CONFIG: texture gradient flags are honoured.
const SC_ENABLE_TEXGRD_FLAGS: u32 = 1 << 25;
/// SHADER_CONFIG: the other varying algorithm.
const SC_VAR_ALGORITHM: u32 = 1 << 29;
/// TILER_CONFIG: the tiler's clock is never gated.
const TC_CLOCK_GATE_OVERRIDE: u32 = 1 << 0;
/// JM_CONFIG: jobs are throttled as little as possible (bits 8:3).
const JM_JOB_THROTTLE_LIMIT_MAX: u32 = 0x3F << 3;
/// JM_CONFIG: default vertex group size (bits 21:16).
const JM_IDVS_GROUP_SIZE_DEFAULT: u32 = 0xF << 16;
/// PWR_OVERRIDE1 of Amlogic's parts; without it they do not run. Not documented.
const AMLOGIC_PWR_OVERRIDE1: u32 = 0xFFF | (0x20 << 16);

/// Who put the GPU into the SoC, where that matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Integration {
    /// Nobody special.
    Plain,
    /// Amlogic.
    Amlogic,
}

/// What to set in each configuration register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Quirks {
    shader: u32,
    tiler: u32,
    jm: u32,
    integration: Integration,
}

/// What this GPU needs.
pub(crate) fn quirks(model: &Model, id: &Identity, integration: Integration) -> Quirks {
    let issues = model.issues(id.revision);
    let on = |condition: bool, bits: u32| match condition {
        true => bits,
        false => 0,
    };
    let issue = |which: Issues, bits: u32| on(issues.intersects(which), bits);
    let feature = |which: Features, bits: u32| on(model.features.intersects(which), bits);
    let attributes = match model.id {
        _ if issues.contains(Issues::GPUCORE_1619) => 0,
        ..0x750 => SC_LS_ATTR_CHECK_DISABLE,
        0x750..=0x880 => SC_LS_ALLOW_ATTR_TYPES,
        _ => 0,
    };
    Quirks {
        shader: issue(Issues::I8443 | Issues::I11035, SC_LS_PAUSEBUFFER_DISABLE)
            | issue(Issues::I10327, SC_SDC_DISABLE_OQ_DISCARD)
            | issue(Issues::I10797, SC_ENABLE_TEXGRD_FLAGS)
            | attributes
            | issue(Issues::TTRX_2968_TTRX_3162, SC_VAR_ALGORITHM)
            | feature(Features::TLS_HASHING, SC_TLS_HASH_ENABLE),
        tiler: issue(Issues::T76X_3953, TC_CLOCK_GATE_OVERRIDE),
        jm: on(
            matches!(model.id, 0x860 | 0x880) && id.revision >= 0x2000,
            JM_JOB_THROTTLE_LIMIT_MAX,
        ) | feature(Features::IDVS_GROUP_SIZE, JM_IDVS_GROUP_SIZE_DEFAULT),
        integration,
    }
}

/// Writes them, in the stock driver's order: shader and job manager only if there is something to set, the
/// tiler's on top of what it holds.
pub(crate) fn apply(regs: &Regs, quirks: &Quirks) {
    if quirks.shader != 0 {
        reg::SHADER_CONFIG.write(regs, quirks.shader);
    }
    let tiler = reg::TILER_CONFIG.read(regs);
    reg::TILER_CONFIG.write(regs, tiler | quirks.tiler);
    if quirks.jm != 0 {
        reg::JM_CONFIG.write(regs, quirks.jm);
    }
    if quirks.integration == Integration::Amlogic {
        reg::PWR_KEY.write(regs, reg::PWR_KEY_UNLOCK);
        reg::PWR_OVERRIDE1.write(regs, AMLOGIC_PWR_OVERRIDE1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::control::tests::RK3399;

    fn of(product: u32, revision: u32) -> (u32, u32, u32) {
        let id = Identity {
            product,
            revision,
            ..RK3399
        };
        let q = quirks(Model::find(product).unwrap(), &id, Integration::Plain);
        (q.shader, q.tiler, q.jm)
    }

    #[test]
    fn the_rk3399_gets_what_the_stock_driver_writes() {
        assert_eq!(of(0x860, 0x2000), (0x1_0000, 0x1, 0x1F8));
    }

    #[test]
    fn throttling_depends_on_the_revision() {
        assert_eq!(of(0x860, 0x1010), (0x1_0000, 0x1, 0));
    }

    #[test]
    fn other_models() {
        assert_eq!(of(0x720, 0x0010), (0x204_0000, 0, 0));
        assert_eq!(of(0x750, 0x1000), (0x1_0000, 0x1, 0));
        assert_eq!(of(0x7402, 0x1000), (0, 0, 0xF_0000));
        assert_eq!(of(0x7093, 0x0000), (0x2_0000, 0, 0));
    }
}
