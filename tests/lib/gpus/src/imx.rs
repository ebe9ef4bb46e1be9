// SPDX-License-Identifier: BSD-2-Clause
//! The boards with Vivante GPUs, all of NXP's i.MX family: their device trees and memory.
//!
//! The OpenVG core of the i.MX6 (gpu@2204000), which no client uses, is left out.

use super::vivante;
use drm_os_host::Node;
use models::vivante::Variant;

/// One board.
pub(crate) struct Board {
    pub(crate) name: &'static str,
    pub(crate) driver: &'static str,
    /// In the order of the device tree.
    pub(crate) cores: &'static [Core],
    /// The address of RAM, and its largest number of pages. Addresses of these GPUs' front ends and
    /// page tables have 32 bits; those of memory have more with MMUv2, and the board with most RAM
    /// has some above 4 GiB.
    pub(crate) ram: (u64, u64),
    /// Names and values of the tunables with which the driver attaches to the board's GPU.
    pub(crate) tunables: &'static [(&'static str, u64)],
}

/// One core.
pub(crate) struct Core {
    pub(crate) variant: Variant,
    name: &'static str,
    /// Their names, and their rates in MHz.
    clocks: &'static [(&'static str, u64)],
}

/// HW: imx8mq.dtsi, gpu@38000000: 256 KiB window; one interrupt, which has no name there; clocks
/// core, shader, bus and reg, at their assigned rates; a power domain, no reset. RAM from 1 GiB on.
const IMX8MQ: Board = Board {
    name: "imx8mq",
    driver: "etnaviv",
    cores: &[Core {
        variant: Variant::Gc7000L,
        name: "gpu@38000000",
        clocks: &[("core", 800), ("shader", 800), ("bus", 800), ("reg", 400)],
    }],
    ram: (0x4000_0000, 0x10_0000),
    tunables: &[],
};

/// HW: imx6qdl.dtsi, gpu@130000 and gpu@134000: 16 KiB windows; interrupts 9 and 10, which have no
/// names there; clocks bus, core and, of the 3D core, shader; both in the power domain PU; no
/// resets. Rates: clk-imx6q.c makes the core clocks those of mmdc_ch0_axi (528 MHz) and
/// pll3_usb_otg (480), the shader's that of pll2_pfd1_594m; the bus clocks come from axi (264)
/// after reset. RAM: i.MX6DQ reference manual, memory map: 3.75 GiB from 0x10000000 on.
const IMX6Q: Board = Board {
    name: "imx6q",
    driver: "etnaviv",
    cores: &[
        Core {
            variant: Variant::Gc2000,
            name: "gpu@130000",
            clocks: &[("bus", 264), ("core", 528), ("shader", 594)],
        },
        GC320,
    ],
    ram: (0x1000_0000, 0xf_0000),
    tunables: &[("etnaviv_mmuv1", 1)],
};

const GC320: Core = Core {
    variant: Variant::Gc320,
    name: "gpu@134000",
    clocks: &[("bus", 264), ("core", 480)],
};

/// The i.MX6Q's device tree with the other 3D core of the i.MX6QP, at the same rates. There is no
/// model of the revision of its 2D core.
const IMX6QP: Board = Board {
    name: "imx6qp",
    cores: &[Core {
        variant: Variant::Gc3000,
        ..IMX6Q.cores[0]
    }],
    tunables: &[],
    ..IMX6Q
};

pub(crate) const BOARDS: &[Board] = &[IMX8MQ, IMX6Q, IMX6QP];

impl Core {
    /// The rate in Hz of the clock by which the core counts.
    pub(crate) fn core_hz(&self) -> u64 {
        let core = self.clocks.iter().find(|(name, _)| *name == "core");
        core.map_or(0, |(_, mhz)| mhz * 1_000_000)
    }

    /// The properties of the device tree. None of these GPUs snoops.
    pub(crate) fn node(&self) -> Node {
        let clock = |(name, mhz): &(&str, u64)| ((*name).to_owned(), mhz * 1_000_000);
        Node {
            name: self.name.into(),
            compatible: vec!["vivante,gc".into()],
            mmio_len: vivante::window(self.variant),
            irqs: vec!["gpu".into()],
            clocks: self.clocks.iter().map(clock).collect(),
            regulators: Vec::new(),
            resets: Vec::new(),
            power_domain: true,
            coherent: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HW: the device trees.
    #[test]
    fn windows_and_clocks_are_those_of_the_device_trees() {
        let all = |board: &Board| -> Vec<_> {
            let nodes = board.cores.iter().map(Core::node);
            nodes
                .map(|node| {
                    let clocks: Vec<_> = node.clocks.into_iter().map(|(name, _)| name).collect();
                    (node.name, node.mmio_len, clocks.join(" "))
                })
                .collect()
        };
        let expect = |name: &str, len, clocks: &str| (name.to_owned(), len, clocks.to_owned());
        assert_eq!(
            all(&BOARDS[0]),
            [expect("gpu@38000000", 0x4_0000, "core shader bus reg")]
        );
        let imx6 = [
            expect("gpu@130000", 0x4000, "bus core shader"),
            expect("gpu@134000", 0x4000, "bus core"),
        ];
        assert_eq!(all(&BOARDS[1]), imx6);
        assert_eq!(all(&BOARDS[2]), imx6[..1]);
        assert_eq!(
            BOARDS[1].cores.iter().map(Core::core_hz).sum::<u64>(),
            1_008_000_000
        );
    }

    #[test]
    fn ram_ends_where_it_does_on_the_boards() {
        for board in BOARDS {
            let above = if board.name == "imx8mq" { 1 << 30 } else { 0 };
            assert_eq!(
                board.ram.0 + board.ram.1 * 4096,
                (1 << 32) + above,
                "{}",
                board.name
            );
        }
    }
}
