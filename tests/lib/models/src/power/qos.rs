// SPDX-License-Identifier: BSD-2-Clause
//! The quality-of-service generator between the RK3399's GPU and its interconnect, which the GPU's
//! power domain feeds.
//!
//! HW: rk3399.dtsi qos@ffae0000 (32 bytes); Linux pm_domains.c, the registers that it saves: 0x08
//! priority, 0x0c mode, 0x10 bandwidth, 0x14 saturation, 0x18 external control; TF-A's pmu.h: 0x00
//! and 0x04 are identity and revision. What they are after a reset is in no public document: zero
//! here.

/// Bytes of the window.
pub(super) const LEN: u32 = 0x20;
const FIRST: u32 = 0x08;
const COUNT: usize = 5;

/// The registers.
#[derive(Clone, Debug, Default)]
pub(super) struct Qos {
    values: [u32; COUNT],
    /// What they were when power went, until the GPU is used again.
    before: Option<[u32; COUNT]>,
}

fn index(offset: u32) -> Option<usize> {
    let index = usize::try_from(offset.checked_sub(FIRST)? / 4).ok()?;
    (offset.is_multiple_of(4) && index < COUNT).then_some(index)
}

impl Qos {
    /// As firmware sets them up, so that it shows when they are lost.
    pub(super) fn of_firmware() -> Qos {
        Qos {
            values: [0x8000_0202, 3, 0x320, 0x20, 0],
            before: None,
        }
    }

    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        match offset {
            // The generator's identity.
            0x00 | 0x04 => Some(0),
            _ => index(offset).map(|n| self.values[n]),
        }
    }

    pub(super) fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        self.values[index(offset)?] = value;
        Some(())
    }

    /// Power is taken.
    pub(super) fn lose(&mut self) {
        // What was not put back before is what ought to be there.
        self.before.get_or_insert(self.values);
        self.values = [0; COUNT];
    }

    /// The GPU is used: whether the settings are those of before. The question is asked once.
    pub(super) fn restored(&mut self) -> bool {
        self.before
            .take()
            .is_none_or(|before| before == self.values)
    }
}
