// SPDX-License-Identifier: BSD-2-Clause
//! Boards with a Vivante GPU, and the model as a device of a world.
//!
//! The one thing to know: an idle front end polls its ring, so the model always has a next event. Here it is asked
//! to look rarely: see [`IDLE_POLL_NS`].

use super::adapter::Adapter;
use crate::inject::{Planted, When};
use drm_os_host::{Dma, Hardware, Node};
use models::vivante::{Injection, Variant, IRQ};
use models::Vivante;
use std::any::Any;

/// How often the idle front end looks at its ring, ns. Silicon: every 30 us or so; the host's processor would be
/// busy with nothing else.
const IDLE_POLL_NS: u64 = 200_000;

/// One board: its name, and the GPU that differs.
pub(crate) struct VivanteBoard {
    pub(crate) name: &'static str,
    pub(crate) driver: &'static str,
    pub(crate) variant: Variant,
}

pub(crate) const BOARDS: &[VivanteBoard] = &[VivanteBoard {
    name: "imx8mq",
    driver: "etnaviv",
    variant: Variant::Gc7000L,
}];

/// HW: the i.MX8MQ has its RAM from 1 GiB on; the front end's first addresses and the slave page tables have 32 bits,
/// so no more of it than fits below 4 GiB.
pub(crate) const RAM: (u64, u64) = (0x4000_0000, 0xc_0000);

/// HW: imx8mq.dtsi, gpu@38000000: 256 KiB window; one interrupt, which has no name there; clocks core, shader, bus
/// and reg, at their assigned rates; a power domain, no reset. The i.MX8MQ's GPU does not snoop.
pub(crate) fn node(_: &VivanteBoard) -> Node {
    let clock = |name: &str, mhz: u64| (name.to_owned(), mhz * 1_000_000);
    Node {
        name: "gpu@38000000".into(),
        compatible: vec!["vivante,gc".into()],
        mmio_len: 0x4_0000,
        irqs: vec!["gpu".into()],
        clocks: vec![
            clock("core", 800),
            clock("shader", 800),
            clock("bus", 800),
            clock("reg", 400),
        ],
        regulators: Vec::new(),
        resets: Vec::new(),
        power_domain: true,
        coherent: false,
    }
}

/// What a fault of `--inject` is for this model; None if it has none of the kind.
fn translate(what: models::Injection) -> Option<Injection> {
    use models::Injection as Any;
    Some(match what {
        Any::HangNextJob { slot: 0 } => Injection::HangNextJob,
        Any::HangJobsAt { first, last } => Injection::HangJobsAt {
            first: u32::try_from(first).ok()?,
            last: u32::try_from(last).ok()?,
        },
        Any::PageFaultAtAccess(n) => Injection::MmuExceptionAt(n),
        Any::BusErrorAt(n) => Injection::BusErrorAt(n),
        Any::LoseIrq { line: IRQ } => Injection::LoseIrq,
        Any::LateIrq { line: IRQ, ns } => Injection::LateIrq { ns },
        Any::SpuriousIrq { line: IRQ } => Injection::SpuriousIrq,
        Any::ResetStuck => Injection::ResetStuck,
        _ => return None,
    })
}

/// The model in a world, with the faults that wait for their time.
pub(crate) struct VivanteHardware {
    model: Vivante,
    planted: Vec<(When, Injection)>,
}

impl VivanteHardware {
    pub(crate) fn new(variant: Variant) -> VivanteHardware {
        let mut model = Vivante::new(variant);
        model.set_idle_poll(IDLE_POLL_NS);
        VivanteHardware {
            model,
            planted: Vec::new(),
        }
    }

    pub(crate) fn model(&mut self) -> &mut Vivante {
        &mut self.model
    }

    /// Keeps a fault until it is due; the answer is whether the model has faults of the kind.
    pub(crate) fn plant(&mut self, planted: Planted) -> bool {
        let what = translate(planted.what);
        self.planted.extend(what.map(|what| (planted.when, what)));
        what.is_some()
    }

    /// Arms what is due. There is no write to a register when a job starts: "after n jobs" is when n events have
    /// been raised, one at the end of each job.
    fn arm(&mut self, bus: &mut dyn Dma, now: u64) {
        if self.planted.is_empty() {
            return;
        }
        self.model.poll(&mut Adapter(bus), now);
        let events: u64 = self.model.stats().events.iter().sum();
        let model = &mut self.model;
        self.planted.retain(|(when, what)| {
            let due = match *when {
                When::Now => true,
                When::Chains(n) => events >= n,
                When::Time(ns) => now >= ns,
            };
            if due {
                model.inject(*what);
            }
            !due
        });
    }
}

impl Hardware for VivanteHardware {
    fn mmio_read(&mut self, bus: &mut dyn Dma, now: u64, off: u32) -> u32 {
        self.model.mmio_read(&mut Adapter(bus), now, off)
    }

    fn mmio_write(&mut self, bus: &mut dyn Dma, now: u64, off: u32, val: u32) {
        self.arm(bus, now);
        self.model.mmio_write(&mut Adapter(bus), now, off, val);
    }

    fn next_event(&self) -> Option<u64> {
        let planted = self.planted.iter().filter_map(|(when, _)| match when {
            When::Time(ns) => Some(*ns),
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

    /// HW: etnaviv.md 2.2, 2.3: MODEL and REVISION.
    #[test]
    fn the_boards_gpu_is_in_its_window() {
        let board = &BOARDS[0];
        let mut hardware = VivanteHardware::new(board.variant);
        assert_eq!(hardware.model().window(), node(board).mmio_len);
        hardware.set_power(&mut NoBus, 0, false);
        assert_eq!(
            hardware.mmio_read(&mut NoBus, 0, 0x20),
            0,
            "without power there is nothing"
        );
        hardware.set_power(&mut NoBus, 0, true);
        assert_eq!(hardware.mmio_read(&mut NoBus, 0, 0x20), 0x7000);
        assert_eq!(hardware.mmio_read(&mut NoBus, 0, 0x24), 0x6214);
    }

    #[test]
    fn planted_faults_wait_for_their_time() {
        let mut hardware = VivanteHardware::new(Variant::Gc7000L);
        hardware.set_power(&mut NoBus, 0, true);
        assert!(hardware.plant(Planted {
            when: When::Time(5_000),
            what: models::Injection::SpuriousIrq { line: 0 },
        }));
        assert_eq!(hardware.next_event(), Some(5_000));
        hardware.poll(&mut NoBus, 4_999);
        assert_eq!(hardware.model.stats().injected, 0);
        hardware.poll(&mut NoBus, 5_000);
        hardware.poll(&mut NoBus, 5_001);
        assert_eq!(hardware.model.stats().injected, 1);
    }

    #[test]
    fn faults_of_other_gpus_are_refused() {
        let mut hardware = VivanteHardware::new(Variant::Gc7000L);
        for what in [
            models::Injection::GpuFault,
            models::Injection::LoseIrq { line: 1 },
            models::Injection::HangJobsAt {
                first: 0,
                last: 1 << 32,
            },
        ] {
            let when = When::Now;
            assert!(!hardware.plant(Planted { when, what }), "{what:?}");
        }
        assert!(hardware.planted.is_empty());
    }
}
