// SPDX-License-Identifier: BSD-2-Clause
//! Calls of etnaviv 1.4.

mod submit;

pub use submit::Kit;

use super::spec::Class;
use super::specs::etna::*;
use super::state::{Obj, Stream};
use super::stream::{Arg, Done};
use super::times::far;

const WC: u64 = 0x2_0000;
/// In the CPU's caches.
pub const CACHED: u64 = 0x1_0000;

/// Seconds and nanoseconds of an absolute time.
fn split((ns, text): (u64, String)) -> ((u64, String), (u64, String)) {
    let ns = ns as i64;
    let (sec, nsec) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    ((sec as u64, text), (nsec as u64, String::new()))
}

impl Stream {
    /// One call of etnaviv.
    pub fn etnaviv(&mut self, f: usize) {
        match self.rng.below(100) {
            0..14 => self.etna_new(f),
            14..22 => self.etna_param(f),
            22..32 => self.etna_info(f),
            32..44 => self.etna_cpu(f),
            44..52 => self.etna_wait(f),
            52..60 => self.etna_perfmon(f),
            60..66 => self.etna_userptr(f),
            66..78 => self.map_object(f),
            _ => self.etna_submit(f),
        }
    }

    fn etna_new(&mut self, f: usize) {
        let slot = self.free_slot(f);
        let flags = self.number(&[
            WC,
            WC,
            0x1_0000,
            0x4_0000,
            0x10_0000 | WC,
            0,
            0x3_0000,
            0x8_0000,
            0x20_0000 | WC,
            1,
        ]);
        let size = self.rng.pick(&[
            4096,
            4096,
            8192,
            1,
            4097,
            65536,
            0,
            1 << 32,
            1 << 32 | 4096,
            0xffff_ffff,
            1 << 63,
        ]);
        let done = self.call(f, Arg::new(&GEM_NEW).num("size", size).num("flags", flags));
        if self.discard(f, &done, size) {
            return;
        }
        let object = Obj {
            size,
            cached: flags & 0xf_0000 == CACHED,
            ..Obj::default()
        };
        self.adopt(f, slot, done.get("handle"), object);
    }

    /// Linux 6.1 takes 32 bits of a size and makes objects without a page, of which it crashes
    /// later: they are closed at once.
    fn discard(&mut self, f: usize, done: &Done, size: u64) -> bool {
        let whole = (1..=0xffff_f000).contains(&size) && !done.spoilt;
        if let Some(handle) = done.get("handle").filter(|_| !whole) {
            // Its failure would show in a later line.
            let _ = self.silently(f, &super::specs::GEM_CLOSE, &[("handle", handle)]);
            self.close_gem(f, handle);
        }
        !whole
    }

    fn pipe(&mut self) -> u64 {
        self.rng.pick(&[0, 0, 0, 0, 0, 0, 0, 1, 3, 4, 0xffff_ffff])
    }

    fn etna_param(&mut self, f: usize) {
        let (pipe, param) = (self.pipe(), self.rng.below(0x22) as u64);
        let param = self.number(&[param]);
        self.call(
            f,
            Arg::new(&GET_PARAM)
                .num("pipe", pipe)
                .num("param", param)
                .num("value", 3),
        );
    }

    fn etna_info(&mut self, f: usize) {
        let handle = self.gem(f);
        let pad = self.rng.pick(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let done = self.call(
            f,
            Arg::new(&GEM_INFO)
                .put("handle", handle.clone())
                .num("pad", pad),
        );
        if let Some(cookie) = done.get("offset") {
            self.learn(f, handle.0, |o| o.cookie = cookie);
        }
    }

    /// A time in two fields. Negative and huge ones too.
    fn etna_time(&mut self, arg: Arg) -> Arg {
        let time = self.time(true);
        let (sec, nsec) = match time.1.as_str() {
            // Later than anything, but not so late that Linux 6.1 computes a time in the past; with
            // more than a second of ns.
            "max" => (
                (4_000_000, "late".to_string()),
                (5_000_000_000, "5e9".to_string()),
            ),
            _ => split(time),
        };
        arg.put("tv_sec", sec).put("tv_nsec", nsec)
    }

    fn etna_cpu(&mut self, f: usize) {
        let handle = self.gem(f);
        if self.object(f, handle.0).cached {
            // Only in the right order and with a direction: the rest crashes Linux 6.1.
            let op = self.rng.pick(&[1, 2, 3, 5, 6, 7]);
            let arg = Arg::new(&GEM_CPU_PREP)
                .put("handle", handle.clone())
                .num("op", op);
            let (sec, nsec) = split(far());
            if self
                .call(f, arg.put("tv_sec", sec).put("tv_nsec", nsec).whole())
                .error
                == 0
            {
                self.call(f, Arg::new(&GEM_CPU_FINI).put("handle", handle).whole());
            }
            return;
        }
        if self.rng.percent(60) {
            let op = self.number(&[1, 2, 3, 5, 6, 7, 0, 4, 8]);
            let arg = Arg::new(&GEM_CPU_PREP).put("handle", handle).num("op", op);
            let arg = self.etna_time(arg);
            self.call(f, arg);
        } else {
            let flags = self.rng.pick(&[0, 0, 0, 0, 1]);
            self.call(
                f,
                Arg::new(&GEM_CPU_FINI)
                    .put("handle", handle)
                    .num("flags", flags),
            );
        }
    }

    fn etna_wait(&mut self, f: usize) {
        let pipe = self.pipe();
        let flags = self.number(&[0, 0, 1, 1, 2]);
        if self.rng.percent(50) {
            let handle = self.gem(f);
            let arg = Arg::new(&GEM_WAIT)
                .num("pipe", pipe)
                .put("handle", handle)
                .num("flags", flags);
            let arg = self.etna_time(arg);
            self.call(f, arg);
        } else {
            let fence = u64::from(self.rng.pick(&self.fences.clone()));
            let fence = match self.names.get(Class::Fence, 0, fence) {
                Some(name) => (fence, name.to_string()),
                None => (0x7fff_ffff, "never".to_string()),
            };
            let arg = Arg::new(&WAIT_FENCE)
                .num("pipe", pipe)
                .put("fence", fence)
                .num("flags", flags);
            let arg = self.etna_time(arg);
            self.call(f, arg);
        }
    }

    fn etna_perfmon(&mut self, f: usize) {
        let pipe = self.pipe();
        let domain = self.rng.below(16) as u64;
        let domain = self.rng.pick(&[0, 1, 2, domain, domain, 255]);
        if self.rng.percent(50) {
            self.call(
                f,
                Arg::new(&PM_QUERY_DOM)
                    .num("pipe", pipe)
                    .num("iter", domain)
                    .num("id", 0x55),
            );
        } else {
            let iter = self.rng.pick(&[0, 1, 2, 3, 5, 10, 63, 0xffff]);
            let arg = Arg::new(&PM_QUERY_SIG)
                .num("pipe", pipe)
                .num("domain", domain)
                .num("iter", iter)
                .num("id", 0x5555);
            self.call(f, arg);
        }
    }

    fn etna_userptr(&mut self, f: usize) {
        let slot = self.free_slot(f);
        let flags = self.number(&[1, 2, 3, 3, 0, 4]);
        let page = self.arena.guard() as u64 - 16384;
        let (address, text) = match self.rng.below(10) {
            0 => (page + 8, "odd"),
            1 => (0, "null"),
            2 => (self.read_only.tail(16384) as u64, "readonly"),
            3 => (self.arena.guard() as u64, "guard"),
            4 => (0xffff_8000_0000_0000, "kernel"),
            _ => (page, "page"),
        };
        let size = self.rng.pick(&[4096, 4096, 8192, 0, 100, 1 << 32, 20480]);
        let arg = Arg::new(&GEM_USERPTR)
            .put("user_ptr", (address, text.to_string()))
            .num("user_size", size)
            .num("flags", flags);
        let done = self.call(f, arg);
        // Memory that is not there is an object on some kernels, of which nothing good comes.
        let good = if text == "page" { size } else { 0 };
        if self.discard(f, &done, if good > 16384 { 0 } else { good }) {
            return;
        }
        let object = Obj {
            size,
            cached: true,
            user: true,
            ..Obj::default()
        };
        self.adopt(f, slot, done.get("handle"), object);
    }
}
