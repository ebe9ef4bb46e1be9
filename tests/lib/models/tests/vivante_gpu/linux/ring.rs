// SPDX-License-Identifier: BSD-2-Clause
//! The ring: the idle loop, jobs and sync points.

use super::*;

impl Driver {
    /// Address of a byte of the ring, for the front end.
    pub(super) fn va(&self, at: u64) -> u64 {
        match Driver::is_v1(self.variant) {
            true => self.ring - BASE + at,
            false => RING_VA + at,
        }
    }

    pub(super) fn stream_va(&self) -> u64 {
        let first = match Driver::is_v1(self.variant) {
            true => self.streams - BASE,
            false => RING_VA + 0x1000,
        };
        first + self.jobs * 4096
    }

    pub(super) fn put(&mut self, stream: Stream) {
        let (ring, at) = (self.ring, self.at);
        self.rig.put(ring + at, &stream.0);
        self.at += 4 * stream.0.len() as u64;
    }

    /// Reserves contiguous 64-bit words; returns the offset of the first.
    pub(super) fn reserve(&mut self, words: u64) -> u64 {
        if self.at + words * 8 > 4096 {
            self.at = 0;
        }
        self.at
    }

    /// Executes the words at the beginning of the ring by physical address, to END.
    pub(super) fn configure(&mut self, stream: Stream) {
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

    pub(super) fn start(&mut self) {
        self.restore_mmu();
        self.at = 0;
        self.idle_loop();
        self.rig.start(self.va(0), 2);
    }

    pub(super) fn idle_loop(&mut self) {
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
    pub(super) fn replace_wait(&mut self, wait: u64, header: u32, argument: u64) {
        let at = self.ring + wait;
        self.rig.w32(at + 4, argument as u32);
        self.rig.w32(at, header);
    }

    /// BLT's part of a flush and of a stall.
    pub(super) fn blt_flush(&self, stream: Stream) -> Stream {
        match (self.secure(), self.pipe()) {
            (true, _) => stream.state(0x140b8, 1).state(0x140ac, 1).state(0x140b8, 0),
            (false, 0) => stream.state(0x1650, 1),
            _ => stream,
        }
    }

    pub(super) fn blt_sync(&self, stream: Stream) -> Stream {
        if self.secure() {
            stream.sync_blt()
        } else {
            stream
        }
    }

    /// Queues a client's stream, after the commands of a VM switch if it needs one.
    pub(super) fn queue(&mut self, client: usize, user: Stream, event: u32) {
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

    pub(super) fn queue_sync_point(&mut self, event: u32) {
        let wait = self.wait;
        let target = self.reserve(4);
        let target = self.va(target);
        self.put(Stream::new().event(event, FROM_PE).end());
        self.idle_loop();
        self.replace_wait(wait, 0x4000_0004, target);
    }

    /// Advances the time to the next interrupt; returns its causes.
    pub(super) fn interrupt(&mut self) -> u32 {
        for _ in 0..1000 {
            if self.rig.board.line {
                return self.rig.ack();
            }
            self.rig.run(10_000);
        }
        0
    }

    /// Does the work of a sync point, then lets the front end continue two bytes further.
    pub(super) fn sync_point(&mut self, work: impl FnOnce(&mut Driver)) {
        let at = self.rig.rd(0x664);
        work(self);
        self.rig.start(u64::from(at) + 2, 2);
    }
}
