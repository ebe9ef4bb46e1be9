// SPDX-License-Identifier: BSD-2-Clause
//! A core: probe, reset, initialisation, suspend and resume.

use super::*;

impl Driver {
    pub(super) fn probe(variant: Variant) -> Driver {
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

    pub(super) fn is_v1(variant: Variant) -> bool {
        matches!(variant, Variant::Gc2000 | Variant::Gc320)
    }

    pub(super) fn secure(&self) -> bool {
        self.variant == Variant::Gc7000L
    }

    pub(super) fn pipe(&self) -> u32 {
        u32::from(self.variant == Variant::Gc320)
    }

    pub(super) fn reset(&mut self) {
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
    pub(super) fn update_clock(&mut self) {
        if Driver::is_v1(self.variant) {
            let control = self.rig.rd(0x0) & !0x1fc | CLOCK;
            self.rig.wr(0x0, control | 1 << 9);
            self.rig.wr(0x0, control);
        }
    }

    pub(super) fn init(&mut self) {
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

    pub(super) fn restore_mmu(&mut self) {
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

    pub(super) fn gate(&mut self, on: bool) {
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

    /// Ends the ring, with flushes.
    pub(super) fn suspend(&mut self) {
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

    pub(super) fn resume(&mut self) {
        let now = self.rig.now;
        self.rig.gpu.set_clock(&mut self.rig.board, now, true);
        self.update_clock();
        self.init();
        self.start();
    }
}
