// SPDX-License-Identifier: BSD-2-Clause
//! The steps of Linux 6.1's etnaviv driver against the model, register by register and word by
//! word: probe, first start, jobs, sync points with counters, suspend, resume with and without
//! power, a hang and its recovery. The model must count no error in any of them.
//!
//! HW: etnaviv.md 2.5 to 2.12, 4; the order of writes is that of Linux 6.1 etnaviv_gpu.c,
//! etnaviv_buffer.c, etnaviv_iommu*.c, etnaviv_perfmon.c and etnaviv_sched.c.

use crate::common::*;
use models::vivante::{Injection, Variant};

mod gpu;
mod ring;

const ALL: [Variant; 4] = [
    Variant::Gc7000L,
    Variant::Gc3000,
    Variant::Gc2000,
    Variant::Gc320,
];

const POWER_CONTROLS: u32 = 0x100;
const CLOCK: u32 = 64 << 2;
const DEBUG_OFF: u32 = 1 << 11;
const ISOLATE: u32 = 1 << 19;
/// Address of the ring in the clients' VMs, on MMUv2.
const RING_VA: u64 = 0x1000;
/// Window base of MMUv1: RAM, aligned to 128 MiB.
const BASE: u64 = RAM;

/// A driver's state for one core.
struct Driver {
    rig: Rig,
    variant: Variant,
    ring: u64,
    /// Offset in the ring for the next words, and of the WAIT of the idle loop, in bytes.
    at: u64,
    wait: u64,
    exec_state: Option<u32>,
    /// First-level tables of two clients; MMUv1 has one table.
    tables: [u64; 2],
    client: usize,
    /// Streams of jobs, one page each, and the address of the first one for clients.
    streams: u64,
    jobs: u64,
}

impl Driver {
    /// Work that a job of this core can do; selects the counter of its pixels.
    fn work(&mut self) -> Stream {
        match self.variant {
            Variant::Gc320 => {
                let image = self.rig.alloc(1) - BASE;
                Stream::new()
                    .state(0x1228, image as u32)
                    .state(0x122c, 64)
                    .state(0x1234, 6)
                    .state(0x1264, 16 << 16 | 16)
                    .raw(&[0x2000_0100, 0, 0, 16 << 16 | 16])
            }
            // Four triangles, with shaders on HALTI5.
            _ => {
                let code = self.stream_va() as u32;
                let stream = Stream::new().state(0x86c, code).state(0x1028, code);
                stream.raw(&[0x2800_0000, 4, 0, 4])
            }
        }
    }

    fn pixels(&mut self) -> u32 {
        let select = if self.pipe() == 1 {
            0x000b_0000
        } else {
            0x0002_0000
        };
        let pipes = if self.pipe() == 1 { 1 } else { 2 };
        let control = self.rig.rd(0x0) & !0xf0_0000;
        let mut sum = 0;
        for pipe in 0..pipes {
            self.rig.wr(0x0, control | pipe << 20);
            self.rig.wr(0x470, select);
            sum += self.rig.rd(0x454);
        }
        self.rig.wr(0x0, control);
        sum
    }

    /// A job between two sync points that count its pixels.
    fn counted_job(&mut self) -> u32 {
        let work = self.work();
        let client = self.client;
        self.queue_sync_point(1);
        self.queue(client, work, 0);
        self.queue_sync_point(2);
        let (mut before, mut after) = (0, 0);
        assert_eq!(self.interrupt(), 1 << 1);
        self.sync_point(|driver| {
            driver.gate(false);
            before = driver.pixels();
        });
        let mut causes = self.interrupt();
        if causes == 1 {
            causes |= self.interrupt();
        }
        assert_eq!(causes, 1 | 1 << 2);
        self.sync_point(|driver| {
            after = driver.pixels();
            driver.gate(true);
        });
        after - before
    }
}

#[test]
fn jobs_and_sync_points() {
    for variant in ALL {
        let mut driver = Driver::probe(variant);
        driver.rig.assert_clean();
        driver.start();
        for job in 0..40 {
            let work = driver.work();
            driver.queue(job % 2, work, job as u32 % 30);
            if driver.jobs == 31 {
                driver.jobs = 0;
            }
            assert_eq!(
                driver.interrupt(),
                1 << (job % 30),
                "{variant:?}, job {job}"
            );
            // Only the front end is busy when the driver decides to suspend.
            assert_eq!(driver.rig.rd(0x4) | 1, 0x7fff_ffff);
        }
        driver.jobs = 0;
        // 16 x 16 pixels, or the count that the model has for four triangles.
        let pixels = 256;
        for _ in 0..3 {
            assert_eq!(driver.counted_job(), pixels, "{variant:?}");
        }
        driver.rig.assert_clean();
    }
}

#[test]
fn suspend_and_resume() {
    for variant in ALL {
        let mut driver = Driver::probe(variant);
        driver.start();
        driver.suspend();
        driver.resume();
        let on = if variant == Variant::Gc7000L {
            0x388
        } else {
            0x18c
        };
        for power_lost in [false, true, false, true] {
            let work = driver.work();
            driver.queue(0, work, 3);
            assert_eq!(driver.interrupt(), 1 << 3, "{variant:?}");
            driver.suspend();
            let now = driver.rig.now;
            if power_lost {
                driver.rig.gpu.set_power(&mut driver.rig.board, now, false);
                driver
                    .rig
                    .gpu
                    .set_power(&mut driver.rig.board, now + 1000, true);
                driver.rig.now += 1000;
            }
            driver
                .rig
                .gpu
                .set_clock(&mut driver.rig.board, now + 1000, true);
            driver.rig.now += 1000;
            if !Driver::is_v1(variant) {
                // The driver reads here whether its MMU is still set up.
                assert_eq!(driver.rig.rd(on) & 1, u32::from(!power_lost), "{variant:?}");
            }
            driver.resume();
        }
        assert_eq!(
            driver.rig.gpu.stats().cut_off,
            0,
            "{variant:?}: it had ended the ring"
        );
        driver.rig.assert_clean();
    }
}

/// HW: the register traces of Linux 6.1 on this model (docs/crosscheck.md): no clock is turned off
/// before the front end has reached END.
#[test]
fn a_ring_that_was_not_ended_is_cut_off() {
    for (variant, power) in [(Variant::Gc7000L, true), (Variant::Gc2000, false)] {
        let mut driver = Driver::probe(variant);
        driver.start();
        let now = driver.rig.now;
        let take = |driver: &mut Driver| match power {
            true => driver.rig.gpu.set_power(&mut driver.rig.board, now, false),
            false => driver.rig.gpu.set_clock(&mut driver.rig.board, now, false),
        };
        take(&mut driver);
        assert_eq!(driver.rig.gpu.stats().cut_off, 1, "{variant:?}");
        take(&mut driver);
        assert_eq!(driver.rig.gpu.stats().cut_off, 1, "{variant:?}: once");
    }
}

#[test]
fn a_hang_is_seen_dumped_and_recovered() {
    // HW: Linux 6.1 etnaviv_dump.c.
    let dumped = [
        0x0c, 0x00, 0x04, 0x08, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2c, 0x34, 0x38, 0x70, 0x100,
        0x104, 0x108, 0x10c, 0x400, 0x404, 0x408, 0x40c, 0x410, 0x414, 0x418, 0x41c, 0x420, 0x424,
        0x428, 0x42c, 0x480, 0x65c, 0x660, 0x664, 0x668, 0x66c, 0x670,
    ];
    for variant in ALL {
        let mut driver = Driver::probe(variant);
        driver.start();
        for round in 0..3 {
            driver.rig.gpu.inject(Injection::HangNextJob);
            let work = driver.work();
            driver.queue(0, work, 5);
            assert_eq!(driver.interrupt(), 0);
            let at = driver.rig.rd(0x664);
            driver.rig.run(500_000_000);
            assert_eq!(driver.rig.rd(0x664), at, "{variant:?}: no progress");
            for register in dumped {
                driver.rig.rd(register);
            }
            driver.reset();
            driver.init();
            driver.start();
            let work = driver.work();
            driver.queue(0, work, 6);
            assert_eq!(driver.interrupt(), 1 << 6, "{variant:?}, round {round}");
        }
        driver.rig.assert_clean();
        assert_eq!(driver.rig.gpu.stats().resets, 4);
    }
}

#[test]
fn a_fault_halts_until_the_reset() {
    for variant in [Variant::Gc7000L, Variant::Gc3000] {
        let mut driver = Driver::probe(variant);
        driver.start();
        // A query result for an address that is not mapped.
        let bad = Stream::new()
            .state(0x3824, 0x0500_0040)
            .state(0x3830, 0x01df_5e76);
        driver.queue(0, bad, 4);
        assert_eq!(driver.interrupt(), 1 << 30);
        let (status, address) = if variant == Variant::Gc7000L {
            (0x384, 0x380)
        } else {
            (0x188, 0x190)
        };
        assert_eq!(driver.rig.rd(status), 1, "the first level has no entry");
        assert_eq!(driver.rig.rd(address), 0x0500_0040);
        let at = driver.rig.rd(0x664);
        driver.rig.run(1_000_000);
        assert_eq!((driver.rig.rd(0x664), driver.rig.ack()), (at, 0));
        driver.reset();
        assert_eq!((driver.rig.rd(status), driver.rig.rd(address)), (0, 0));
        driver.init();
        driver.start();
        let work = driver.work();
        driver.queue(1, work, 6);
        assert_eq!(driver.interrupt(), 1 << 6);
        assert_eq!(driver.rig.gpu.stats().protocol_error_count(), 0);
    }
}
