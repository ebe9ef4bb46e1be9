// SPDX-License-Identifier: BSD-2-Clause
//! Power of the GPU's own cores, behind the SoC's power domain: level 2 cache, shader cores, tiler.

use crate::gpu::control::Identity;
use crate::regs::gpu::{Cores, L2, SHADER, TILER};
use crate::regs::{poll, Regs};
use drmkpi::os::Os;
use drmkpi::util::errno::{Errno, ETIMEDOUT};

/// Between two looks at cores on their way.
const STEP_NS: u64 = 10_000;
/// HW: Linux's bounds, here and below.
const L2_ON_TIMEOUT_NS: u64 = 20_000_000;
const SHADER_ON_TIMEOUT_NS: u64 = 20_000_000;
const TILER_ON_TIMEOUT_NS: u64 = 1_000_000;
const OFF_STEP_NS: u64 = 1_000;
const OFF_TIMEOUT_NS: u64 = 2_000_000;

/// The cores that did not change their power state in time. As an errno: ETIMEDOUT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stuck {
    /// Level 2 cache.
    L2,
    /// Shader cores.
    Shader,
    /// Tiler.
    Tiler,
}

impl core::fmt::Display for Stuck {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Stuck::L2 => "level 2 cache",
            Stuck::Shader => "shader cores",
            Stuck::Tiler => "tiler",
        })
    }
}

impl From<Stuck> for Errno {
    fn from(_: Stuck) -> Errno {
        ETIMEDOUT
    }
}

/// The cores to power.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    l2: u64,
    shader: u64,
    tiler: u64,
}

impl Plan {
    /// Shader cores, as a job's affinity names them.
    pub(crate) fn shader(&self) -> u64 {
        self.shader
    }

    /// All cores of the first core group, which is all there are where there is one group.
    ///
    /// Groups are coherent among themselves only through memory, and the user ABI cannot name one; so the others
    /// stay off. The bits of `l2_present` are the first cores of each group.
    pub(crate) fn first_group(id: &Identity) -> Plan {
        let mask = match id.l2_present {
            1 => u64::MAX,
            l2 => !l2.wrapping_sub(1) & l2.wrapping_sub(2),
        };
        Plan {
            l2: id.l2_present & mask,
            shader: id.shader_present & mask,
            tiler: id.tiler_present,
        }
    }

    /// All cores: what must be off before the clock stops, whatever had been on.
    pub(crate) fn all(id: &Identity) -> Plan {
        Plan {
            l2: id.l2_present,
            shader: id.shader_present,
            tiler: id.tiler_present,
        }
    }
}

/// Powers the cores of `plan`: the cache first, which all others need. Spins for up to 41 ms.
///
/// # Errors
///
/// The first kind that did not come up; what came up before stays up.
pub(crate) fn power_on(regs: &Regs, os: Os, plan: &Plan) -> Result<(), Stuck> {
    up(regs, os, &L2, plan.l2, L2_ON_TIMEOUT_NS).map_err(|_| Stuck::L2)?;
    up(regs, os, &SHADER, plan.shader, SHADER_ON_TIMEOUT_NS).map_err(|_| Stuck::Shader)?;
    up(regs, os, &TILER, plan.tiler, TILER_ON_TIMEOUT_NS).map_err(|_| Stuck::Tiler)
}

/// Takes the power from the cores of `plan`, the cache last. Spins for up to 6 ms.
///
/// # Errors
///
/// The first kind that was still on its way; the others were switched off all the same.
pub(crate) fn power_off(regs: &Regs, os: Os, plan: &Plan) -> Result<(), Stuck> {
    let shader = down(regs, os, &SHADER, plan.shader).map_err(|_| Stuck::Shader);
    let tiler = down(regs, os, &TILER, plan.tiler).map_err(|_| Stuck::Tiler);
    let l2 = down(regs, os, &L2, plan.l2).map_err(|_| Stuck::L2);
    shader.and(tiler).and(l2)
}

fn up(
    regs: &Regs,
    os: Os,
    cores: &Cores,
    mask: u64,
    timeout_ns: u64,
) -> drmkpi::util::errno::Result<()> {
    cores.power_on.write_mask(regs, mask);
    poll(os, STEP_NS, timeout_ns, || {
        cores.ready.read_used(regs, mask) & mask == mask
    })
}

fn down(regs: &Regs, os: Os, cores: &Cores, mask: u64) -> drmkpi::util::errno::Result<()> {
    cores.power_off.write_mask(regs, mask);
    poll(os, OFF_STEP_NS, OFF_TIMEOUT_NS, || {
        cores.transition.read_used(regs, mask) == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::control::tests::RK3399;

    fn first(l2_present: u64, shader_present: u64) -> (u64, u64) {
        let plan = Plan::first_group(&Identity {
            l2_present,
            shader_present,
            ..RK3399
        });
        (plan.l2, plan.shader)
    }

    #[test]
    fn one_group_uses_all_cores() {
        assert_eq!(first(0x1, 0xF), (0x1, 0xF));
        assert_eq!(first(0x1, u64::MAX), (0x1, u64::MAX));
    }

    #[test]
    fn more_groups_leave_all_but_the_first_off() {
        assert_eq!(first(0x11, 0xFF), (0x1, 0x0F));
        assert_eq!(first(0x5, 0xF), (0x1, 0x3));
    }

    #[test]
    fn no_cache_means_no_cores() {
        assert_eq!(first(0x0, 0xF), (0x0, 0x0));
    }

    #[test]
    fn off_means_all_of_them() {
        let id = Identity {
            l2_present: 0x11,
            shader_present: 0xFF,
            ..RK3399
        };
        assert_eq!(
            Plan::all(&id),
            Plan {
                l2: 0x11,
                shader: 0xFF,
                tiler: 0x1
            }
        );
    }
}
