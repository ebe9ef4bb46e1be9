// SPDX-License-Identifier: BSD-2-Clause
//! The steps of Linux 6.1's etnaviv driver against the model, register by register and word by
//! word: probe, first start, jobs, sync points with counters, suspend, resume with and without
//! power, a hang and its recovery. The model must count no error in any of them.
//!
//! HW: etnaviv.md 2.5 to 2.12, 4; the order of writes is that of Linux 6.1 etnaviv_gpu.c,
//! etnaviv_buffer.c, etnaviv_iommu*.c, etnaviv_perfmon.c and etnaviv_sched.c.

use crate::common::*;
use models::vivante::{Injection, Variant};

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
    fn probe(variant: Variant) -> Driver {
        let mut rig = Rig::cold(variant);
        // Identity: every core but a GC500 has all the registers read here.
        assert_ne!(rig.rd(0x18) >> 24, 1);
        for offset in [
            0x28, 0x20, 0x24, 0x30, 0xa8, 0xe8, 0x1c, 0x34, 0x74, 0x84, 0x88, 0x94, 0xa0,
        ] {
            rig.rd(offset);
        }
        let ring = rig.alloc(1);
        let streams = rig.alloc(32);
        let tables = match Driver::is_v1(variant) {
            true => [rig.alloc(512); 2],
            false => [rig.tables(), rig.tables()],
        };
        let mut driver = Driver {
            rig,
            variant,
            ring,
            at: 0,
            wait: 0,
            exec_state: None,
            tables,
            client: 0,
            streams,
            jobs: 0,
        };
        if Driver::is_v1(variant) {
            let safe = driver.rig.safe as u32;
            driver.rig.fill(tables[0], 2 << 20, safe);
        } else {
            for table in tables {
                driver.rig.map(table, RING_VA as u32, ring, 1, PRESENT);
                driver
                    .rig
                    .map(table, RING_VA as u32 + 0x1000, streams, 32, PRESENT);
            }
        }
        driver.reset();
        driver.init();
        driver
    }

    fn is_v1(variant: Variant) -> bool {
        matches!(variant, Variant::Gc2000 | Variant::Gc320)
    }

    fn secure(&self) -> bool {
        self.variant == Variant::Gc7000L
    }

    fn pipe(&self) -> u32 {
        u32::from(self.variant == Variant::Gc320)
    }

    /// Address of a byte of the ring, for the front end.
    fn va(&self, at: u64) -> u64 {
        match Driver::is_v1(self.variant) {
            true => self.ring - BASE + at,
            false => RING_VA + at,
        }
    }

    fn stream_va(&self) -> u64 {
        let first = match Driver::is_v1(self.variant) {
            true => self.streams - BASE,
            false => RING_VA + 0x1000,
        };
        first + self.jobs * 4096
    }

    fn reset(&mut self) {
        let secure = self.secure();
        let rig = &mut self.rig;
        rig.wr(0x0, CLOCK | 1 << 9);
        rig.wr(0x0, CLOCK);
        rig.wr(0x0, CLOCK | ISOLATE);
        match secure {
            true => rig.wr(0x3a8, 1),
            false => rig.wr(0x0, CLOCK | ISOLATE | 1 << 12),
        }
        rig.wait(10_000);
        rig.wr(0x0, CLOCK | ISOLATE);
        rig.wr(0x0, CLOCK);
        assert_eq!(rig.rd(0x4) & 1, 1, "FE");
        let control = rig.rd(0x0);
        assert_eq!(control >> 16 & 3, 3, "3D and 2D");
        rig.wr(0x0, control | DEBUG_OFF);
        self.update_clock();
        self.exec_state = None;
    }

    /// Cores without dynamic frequency scaling set their clock scale in a register.
    fn update_clock(&mut self) {
        if Driver::is_v1(self.variant) {
            let control = self.rig.rd(0x0) & !0x1fc | CLOCK;
            self.rig.wr(0x0, control | 1 << 9);
            self.rig.wr(0x0, control);
        }
    }

    fn init(&mut self) {
        let (variant, secure) = (self.variant, self.secure());
        let rig = &mut self.rig;
        let mut change = |offset: u32, clear: u32, set: u32| {
            let value = rig.rd(offset);
            rig.wr(offset, value & !clear | set);
        };
        if variant == Variant::Gc320 {
            change(0x414, 0xff, 0x0c);
        }
        change(POWER_CONTROLS, 0, 1);
        change(0x104, 0, 0x3_0000);
        if variant == Variant::Gc2000 {
            change(0x480, 0xff, 1);
        }
        if secure {
            change(0x3a8, 0, 2);
        }
        change(0x10c, 0, 1 << 18);
        rig.wr(0x8, 0x2200);
        rig.wr(0x14, !0);
    }

    fn put(&mut self, stream: Stream) {
        let (ring, at) = (self.ring, self.at);
        self.rig.put(ring + at, &stream.0);
        self.at += 4 * stream.0.len() as u64;
    }

    /// Reserves contiguous 64-bit words; returns the offset of the first.
    fn reserve(&mut self, words: u64) -> u64 {
        if self.at + words * 8 > 4096 {
            self.at = 0;
        }
        self.at
    }

    /// Executes the words at the beginning of the ring by physical address, to END.
    fn configure(&mut self, stream: Stream) {
        self.at = 0;
        let (ring, len) = (self.ring, stream.len());
        self.put(stream);
        self.rig.start(ring, len);
        for _ in 0..100 {
            if self.rig.is_idle() {
                return;
            }
            self.rig.wait(5_000);
        }
        panic!("not idle");
    }

    fn restore_mmu(&mut self) {
        let table = self.tables[self.client];
        let (safe, pta, client) = (self.rig.safe, self.rig.pta, self.client);
        match self.variant {
            Variant::Gc2000 | Variant::Gc320 => {
                for base in [0x418, 0x41c, 0x420, 0x424, 0x428] {
                    self.rig.wr(base, BASE as u32);
                }
                for register in [0x400, 0x404, 0x408, 0x40c, 0x410] {
                    self.rig.wr(register, table as u32);
                }
            }
            Variant::Gc3000 => {
                if self.rig.rd(0x18c) & 1 != 0 {
                    return;
                }
                let stream = Stream::new().state(0x3800, 0).state(0x184, table as u32);
                self.configure(stream.state(0x180, safe as u32).sync(FE, PE).end());
                self.rig.wr(0x18c, 1);
            }
            Variant::Gc7000L => {
                if self.rig.rd(0x388) & 1 != 0 {
                    return;
                }
                for (n, table) in self.tables.into_iter().enumerate() {
                    self.rig.set_pta(n as u64, table);
                }
                for (register, value) in [
                    (0x38c, pta),
                    (0x390, pta >> 32),
                    (0x394, 1),
                    (0x398, safe),
                    (0x39c, safe),
                    (0x3a0, (safe >> 32) << 16 | safe >> 32),
                ] {
                    self.rig.wr(register, value as u32);
                }
                self.configure(Stream::new().state(0x1ac, client as u32).end());
                self.rig.wr(0x388, 1);
            }
        }
    }

    fn start(&mut self) {
        self.restore_mmu();
        self.at = 0;
        self.idle_loop();
        self.rig.start(self.va(0), 2);
    }

    fn idle_loop(&mut self) {
        self.wait = self.at;
        let back = self.va(self.at);
        // 30 us.
        self.put(
            Stream::new()
                .wait(if self.secure() { 24_000 } else { 16_000 })
                .link(2, back),
        );
    }

    /// Replaces the WAIT of the idle loop by another command, its argument first.
    fn replace_wait(&mut self, wait: u64, header: u32, argument: u64) {
        let at = self.ring + wait;
        self.rig.w32(at + 4, argument as u32);
        self.rig.w32(at, header);
    }

    /// BLT's part of a flush and of a stall.
    fn blt_flush(&self, stream: Stream) -> Stream {
        match (self.secure(), self.pipe()) {
            (true, _) => stream.state(0x140b8, 1).state(0x140ac, 1).state(0x140b8, 0),
            (false, 0) => stream.state(0x1650, 1),
            _ => stream,
        }
    }

    fn blt_sync(&self, stream: Stream) -> Stream {
        if self.secure() {
            stream.sync_blt()
        } else {
            stream
        }
    }

    /// Queues a client's stream, after the commands of a VM switch if it needs one.
    fn queue(&mut self, client: usize, user: Stream, event: u32) {
        let wait = self.wait;
        let switch_mmu = self.client != client && !Driver::is_v1(self.variant);
        self.client = client;
        self.jobs += 1;
        let (mut target, mut words) = (self.stream_va(), user.len() + 1);
        if switch_mmu || self.exec_state != Some(self.pipe()) {
            let mut before = Stream::new();
            if Driver::is_v1(self.variant) {
                before = before.state(0x3810, 0x1f);
            } else {
                if switch_mmu && self.secure() {
                    before = before.state(0x1ac, client as u32);
                }
                let table = if self.secure() {
                    0
                } else {
                    self.tables[client] as u32
                };
                before = before.state(0x184, 8 | 0x10 | table).sync(FE, PE);
            }
            if self.exec_state != Some(self.pipe()) {
                before = before
                    .state(0x380c, 0)
                    .sync(FE, PE)
                    .state(0x3800, self.pipe());
                self.exec_state = Some(self.pipe());
            }
            let before = before.link(words, target);
            words = before.len();
            target = self.reserve(u64::from(words));
            target = self.va(target);
            self.put(before);
        }
        let flush = if self.pipe() == 1 { 8 } else { 0x23 };
        let after = self
            .blt_flush(Stream::new().state(0x380c, flush))
            .sync(FE, PE);
        let after = self.blt_sync(after).event(event, FROM_PE);
        let back = self.reserve(u64::from(after.len()) + 2);
        let user = user.link(after.len() + 2, self.va(back));
        let at = self.streams + self.jobs * 4096;
        self.rig.put(at, &user.0);
        self.put(after);
        self.idle_loop();
        self.replace_wait(wait, 0x4000_0000 | words, target);
    }

    fn queue_sync_point(&mut self, event: u32) {
        let wait = self.wait;
        let target = self.reserve(4);
        let target = self.va(target);
        self.put(Stream::new().event(event, FROM_PE).end());
        self.idle_loop();
        self.replace_wait(wait, 0x4000_0004, target);
    }

    /// Advances the time to the next interrupt; returns its causes.
    fn interrupt(&mut self) -> u32 {
        for _ in 0..1000 {
            if self.rig.board.line {
                return self.rig.ack();
            }
            self.rig.run(10_000);
        }
        0
    }

    /// Does the work of a sync point, then lets the front end continue two bytes further.
    fn sync_point(&mut self, work: impl FnOnce(&mut Driver)) {
        let at = self.rig.rd(0x664);
        work(self);
        self.rig.start(u64::from(at) + 2, 2);
    }

    fn gate(&mut self, on: bool) {
        let power = self.rig.rd(POWER_CONTROLS) & !1;
        let control = self.rig.rd(0x0) & !DEBUG_OFF;
        match on {
            false => {
                self.rig.wr(POWER_CONTROLS, power);
                self.rig.wr(0x0, control);
            }
            true => {
                self.rig.wr(0x0, control | DEBUG_OFF);
                self.rig.wr(POWER_CONTROLS, power | 1);
            }
        }
    }

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

    /// Ends the ring, with flushes.
    fn suspend(&mut self) {
        let wait = self.wait;
        if self.exec_state.is_none() {
            self.replace_wait(wait, 0x1000_0000, 0);
        } else {
            let flush = if self.pipe() == 1 { 8 } else { 0x57 };
            let mut end = self.blt_sync(Stream::new().sync(FE, PE));
            end = self.blt_flush(end.state(0x380c, flush)).sync(FE, PE);
            let end = self.blt_sync(end).end();
            let target = self.reserve(u64::from(end.len()));
            let target = self.va(target);
            let words = end.len();
            self.put(end);
            self.replace_wait(wait, 0x4000_0000 | words, target);
        }
        self.rig.run(200_000);
        assert!(self.rig.is_idle());
        self.exec_state = None;
        let now = self.rig.now;
        self.rig.gpu.set_clock(&mut self.rig.board, now, false);
    }

    fn resume(&mut self) {
        let now = self.rig.now;
        self.rig.gpu.set_clock(&mut self.rig.board, now, true);
        self.update_clock();
        self.init();
        self.start();
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
