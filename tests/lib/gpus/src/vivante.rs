// SPDX-License-Identifier: BSD-2-Clause
//! The model of a Vivante core as a device of a world.
//!
//! An idle front end polls its ring, so the model always has a next event. Here the interval is
//! long: see [`IDLE_POLL_NS`].

use super::adapter::Adapter;
use super::frame::Frame;
use super::imx::Core;
use crate::inject::{Planted, When};
use drm_os_host::{Dma, Hardware};
use models::vivante::{self, Injection, Variant, IRQ};
use models::Vivante;
use std::any::Any;

/// The interval in ns in which an idle front end reads its ring. Hardware reads it every 30 us or
/// so, which would keep the host's processor busy.
const IDLE_POLL_NS: u64 = 200_000;

/// The size of the register window in bytes.
pub(crate) fn window(variant: Variant) -> u32 {
    Vivante::new(variant).window()
}

/// The fault of this model for one of `--inject`; None if the model does not support it.
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

/// Identifies a picture: the address of its copy, and which part of which image it is.
type Mark = (usize, [u32; 5]);

fn mark(frame: &vivante::Frame) -> Mark {
    let part = [frame.va, frame.x, frame.y, frame.width, frame.height];
    (frame.pixels.as_ptr() as usize, part)
}

/// The model in a world, with the faults that are not armed yet.
pub(crate) struct VivanteHardware {
    model: Vivante,
    planted: Vec<(When, Injection)>,
    /// The last picture, and the time when it was first found.
    last: Option<(Mark, u64)>,
}

impl VivanteHardware {
    pub(crate) fn new(core: &Core) -> VivanteHardware {
        let mut model = Vivante::new(core.variant);
        model.set_idle_poll(IDLE_POLL_NS);
        model.set_core_clock(core.core_hz());
        VivanteHardware {
            model,
            planted: Vec::new(),
            last: None,
        }
    }

    /// Called after each call that may have advanced the model.
    fn look(&mut self, now: u64) {
        let mark = self.model.last_frame().map(mark);
        if self.last.map(|(seen, _)| seen) != mark {
            self.last = mark.map(|mark| (mark, now));
        }
    }

    /// The last picture and its time.
    pub(crate) fn last_frame(&self) -> Option<(u64, Frame)> {
        let (_, at) = self.last?;
        Some((at, self.model.last_frame()?.into()))
    }

    pub(crate) fn model(&mut self) -> &mut Vivante {
        &mut self.model
    }

    /// Keeps a fault until it is armed; returns whether the model supports the kind of fault.
    pub(crate) fn plant(&mut self, planted: Planted) -> bool {
        let what = translate(planted.what);
        self.planted.extend(what.map(|what| (planted.when, what)));
        what.is_some()
    }

    /// Arms the faults whose condition is met. No register is written when a job starts: "after n
    /// jobs" means that n events have been raised, one at the end of each job.
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
        let value = self.model.mmio_read(&mut Adapter(bus), now, off);
        self.look(now);
        value
    }

    fn mmio_write(&mut self, bus: &mut dyn Dma, now: u64, off: u32, val: u32) {
        self.arm(bus, now);
        self.model.mmio_write(&mut Adapter(bus), now, off, val);
        self.look(now);
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
        self.look(now);
    }

    fn set_power(&mut self, bus: &mut dyn Dma, now: u64, on: bool) {
        self.model.set_power(&mut Adapter(bus), now, on);
        self.look(now);
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::imx::BOARDS;
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

    /// A core of a board.
    fn core(board: usize, core: usize) -> VivanteHardware {
        VivanteHardware::new(&BOARDS[board].cores[core])
    }

    /// HW: etnaviv.md 2.2, 2.3: MODEL and REVISION.
    #[test]
    fn the_boards_cores_are_in_their_windows() {
        for (board, n, model, revision) in [
            (0, 0, 0x7000, 0x6214),
            (1, 0, 0x2000, 0x5108),
            (1, 1, 0x320, 0x5007),
            (2, 0, 0x2000, 0xffff_5450),
        ] {
            let mut hardware = core(board, n);
            let bus = &mut NoBus;
            hardware.set_power(bus, 0, false);
            assert_eq!(
                hardware.mmio_read(bus, 0, 0x20),
                0,
                "without power there is nothing"
            );
            hardware.set_power(bus, 0, true);
            assert_eq!(hardware.mmio_read(bus, 0, 0x20), model);
            assert_eq!(hardware.mmio_read(bus, 0, 0x24), revision);
        }
    }

    #[test]
    fn planted_faults_wait_for_their_time() {
        let mut hardware = core(0, 0);
        hardware.set_power(&mut NoBus, 0, true);
        assert!(hardware.plant(Planted {
            core: 0,
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
        let mut hardware = core(1, 1);
        for what in [
            models::Injection::GpuFault,
            models::Injection::LoseIrq { line: 1 },
            models::Injection::HangJobsAt {
                first: 0,
                last: 1 << 32,
            },
        ] {
            let (core, when) = (0, When::Now);
            assert!(!hardware.plant(Planted { core, when, what }), "{what:?}");
        }
        assert!(hardware.planted.is_empty());
    }
}
