// SPDX-License-Identifier: BSD-2-Clause
//! The quality-of-service generator between the RK3399's GPU and its interconnect, which is in the
//! GPU's power domain.
//!
//! HW: rk3399.dtsi qos@ffae0000 (32 bytes); Linux pm_domains.c, the registers that it saves: 0x08
//! priority, 0x0c mode, 0x10 bandwidth, 0x14 saturation, 0x18 external control; TF-A's pmu.h: 0x00
//! and 0x04 are identity and revision. No public document has their values after a reset: zero
//! here.

/// Bytes of the window.
pub(super) const LEN: u32 = 0x20;
const FIRST: u32 = 0x08;
const COUNT: usize = 5;

/// The registers.
#[derive(Clone, Debug, Default)]
pub(super) struct Qos {
    values: [u32; COUNT],
    /// Values at the time power was removed; `None` after the GPU has been used again.
    before: Option<[u32; COUNT]>,
}

fn index(offset: u32) -> Option<usize> {
    let index = usize::try_from(offset.checked_sub(FIRST)? / 4).ok()?;
    (offset.is_multiple_of(4) && index < COUNT).then_some(index)
}

impl Qos {
    /// Values set by firmware; they are not zero, so that their loss is visible.
    pub(super) fn of_firmware() -> Qos {
        Qos {
            values: [0x8000_0202, 3, 0x320, 0x20, 0],
            before: None,
        }
    }

    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        match offset {
            // Identity and revision.
            0x00 | 0x04 => Some(0),
            _ => index(offset).map(|n| self.values[n]),
        }
    }

    pub(super) fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        self.values[index(offset)?] = value;
        Some(())
    }

    /// Called when power is removed.
    pub(super) fn lose(&mut self) {
        // If the values were lost before and not restored, the earlier ones remain the expected
        // ones.
        self.before.get_or_insert(self.values);
        self.values = [0; COUNT];
    }

    /// Called when the GPU is used. Returns whether the settings are those before power was
    /// removed; only the first call after power on compares.
    pub(super) fn restored(&mut self) -> bool {
        self.before
            .take()
            .is_none_or(|before| before == self.values)
    }
}
