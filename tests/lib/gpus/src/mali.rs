// SPDX-License-Identifier: BSD-2-Clause
//! Boards with a Mali GPU, and the model as a device of a world.
//!
//! `rk3399` is the RK3399's node; the other rows are the same board with another GPU, for tests of
//! the differences between GPUs.

use super::adapter::Adapter;
use crate::inject::{Planted, When};
use drm_os_host::{Dma, Hardware, Node};
use models::{Mali, Variant};
use std::any::Any;

/// A board: its name and its GPU.
pub(crate) struct MaliBoard {
    pub(crate) name: &'static str,
    pub(crate) driver: &'static str,
    pub(crate) variant: Variant,
    compatible: &'static [&'static str],
}

/// HW: Documentation/devicetree/bindings/gpu/arm,mali-midgard.yaml and arm,mali-bifrost.yaml.
pub(crate) const BOARDS: &[MaliBoard] = &[
    row(
        "rk3399",
        Variant::T860,
        &["rockchip,rk3399-mali", "arm,mali-t860"],
    ),
    row(
        "mali-t720",
        Variant::T720,
        &["allwinner,sun50i-h6-mali", "arm,mali-t720"],
    ),
    row(
        "mali-t760",
        Variant::T760,
        &["rockchip,rk3288-mali", "arm,mali-t760"],
    ),
    row(
        "mali-g31",
        Variant::G31,
        &["rockchip,px30-mali", "arm,mali-bifrost"],
    ),
    row(
        "mali-g52",
        Variant::G52,
        &["rockchip,rk3568-mali", "arm,mali-bifrost"],
    ),
];

const fn row(
    name: &'static str,
    variant: Variant,
    compatible: &'static [&'static str],
) -> MaliBoard {
    MaliBoard {
        name,
        driver: "panfrost",
        variant,
        compatible,
    }
}

/// HW: rk3399.dtsi, gpu@ff9a0000: 64 KiB window, interrupts job, mmu, gpu; one clock without a name
/// (ACLK_GPU), to which the node here gives one, at the rate of the second operating point; supply
/// "mali"; a power domain.
pub(crate) fn node(board: &MaliBoard) -> Node {
    Node {
        name: "gpu@ff9a0000".into(),
        compatible: board.compatible.iter().map(|c| (*c).to_owned()).collect(),
        mmio_len: 0x1_0000,
        irqs: ["job", "mmu", "gpu"].map(String::from).into(),
        clocks: vec![("aclk_gpu".into(), 297_000_000)],
        regulators: vec!["mali".into()],
        resets: Vec::new(),
        power_domain: true,
        coherent: false,
    }
}

/// The model in a world, with the faults that are not armed yet.
pub(crate) struct MaliHardware {
    model: Mali,
    planted: Vec<Planted>,
}

impl MaliHardware {
    pub(crate) fn new(variant: Variant) -> MaliHardware {
        MaliHardware {
            model: Mali::new(variant),
            planted: Vec::new(),
        }
    }

    pub(crate) fn model(&mut self) -> &mut Mali {
        &mut self.model
    }

    pub(crate) fn plant(&mut self, planted: Planted) {
        self.planted.push(planted);
    }

    /// Arms the faults whose condition is met. Called before each register write, so that a fault
    /// "after n chains" is armed before the write that starts the next chain.
    fn arm(&mut self, bus: &mut dyn Dma, now: u64) {
        if self.planted.is_empty() {
            return;
        }
        // The model's last poll was earlier: events without a delay happen at the current time.
        self.model.poll(&mut Adapter(bus), now);
        let chains: u64 = self.model.stats().chains.iter().sum();
        let model = &mut self.model;
        self.planted.retain(|planted| {
            let due = match planted.when {
                When::Now => true,
                When::Chains(n) => chains >= n,
                When::Time(ns) => now >= ns,
            };
            if due {
                model.inject(planted.what);
            }
            !due
        });
    }
}

impl Hardware for MaliHardware {
    fn mmio_read(&mut self, bus: &mut dyn Dma, now: u64, off: u32) -> u32 {
        self.model.mmio_read(&mut Adapter(bus), now, off)
    }

    fn mmio_write(&mut self, bus: &mut dyn Dma, now: u64, off: u32, val: u32) {
        self.arm(bus, now);
        self.model.mmio_write(&mut Adapter(bus), now, off, val);
    }

    fn next_event(&self) -> Option<u64> {
        let planted = self
            .planted
            .iter()
            .filter_map(|planted| match planted.when {
                When::Time(ns) => Some(ns),
                When::Now | When::Chains(_) => None,
            });
        planted.chain(self.model.next_event()).min()
    }

    fn poll(&mut self, bus: &mut dyn Dma, now: u64) {
        self.arm(bus, now);
        self.model.poll(&mut Adapter(bus), now);
    }

    fn set_power(&mut self, bus: &mut dyn Dma, now: u64, on: bool) {
        self.model.set_power(&mut Adapter(bus), now, on);
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoBus;
    impl Dma for NoBus {
        fn read(&mut self, _: u64, _: &mut [u8]) -> Result<(), drm_os_host::NoMemory> {
            Err(drm_os_host::NoMemory)
        }
        fn write(&mut self, _: u64, _: &[u8]) -> Result<(), drm_os_host::NoMemory> {
            Err(drm_os_host::NoMemory)
        }
        fn irq(&mut self, _: usize, _: bool) {}
    }

    #[test]
    fn every_row_has_its_own_name_and_gpu() {
        let mut ids = Vec::new();
        for (i, board) in BOARDS.iter().enumerate() {
            assert!(BOARDS[i + 1..].iter().all(|other| other.name != board.name));
            let mut hardware = MaliHardware::new(board.variant);
            hardware.set_power(&mut NoBus, 0, true);
            // HW: GPU_ID is register 0; its upper half is the product.
            ids.push(hardware.mmio_read(&mut NoBus, 0, 0) >> 16);
        }
        assert_eq!(ids[0], 0x0860);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), BOARDS.len());
    }

    #[test]
    fn planted_faults_wait_for_their_time() {
        let mut hardware = MaliHardware::new(Variant::T860);
        hardware.set_power(&mut NoBus, 0, true);
        hardware.plant(Planted {
            core: 0,
            when: When::Time(5_000),
            what: models::Injection::GpuFault,
        });
        assert_eq!(hardware.next_event(), Some(5_000));
        hardware.poll(&mut NoBus, 4_999);
        assert_eq!(hardware.model.stats().injected, 0);
        hardware.poll(&mut NoBus, 5_000);
        hardware.poll(&mut NoBus, 5_001);
        assert_eq!(hardware.model.stats().injected, 1);
        assert_eq!(hardware.next_event(), None);
    }
}
