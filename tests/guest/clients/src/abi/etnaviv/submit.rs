// SPDX-License-Identifier: BSD-2-Clause
//! Small submits for GC7000L: fills by the blit engine at addresses of the client's choice.
//!
//! HW: rnndb cmdstream.xml; the fill is a BLT clear as Mesa makes it (etnaviv_blt.c).

use super::{split, WC};
use crate::abi::memory::Map;
use crate::abi::spec::Class;
use crate::abi::specs::etna::*;
use crate::abi::state::{Kind, Kit as AnyKit, Obj, Stream};
use crate::abi::stream::{field, Arg, Done};
use crate::abi::times::far;

/// A buffer that submits fill.
#[derive(Debug)]
pub struct Kit {
    handle: u64,
    map: Map,
}

const VA: u32 = 0x1000_0000;
const BEFORE: u32 = 0x5a5a_5a5a;
const SOFTPIN: u64 = 8;
const FENCE_IN: u64 = 2;
const FENCE_OUT: u64 = 4;
const NOP: [u32; 2] = [0x1800_0000, 0];

fn state(address: u32, value: u32) -> [u32; 2] {
    [0x0801_0000 | (address / 4), value]
}

/// Fills 16 x 8 words.
fn fill(va: u32, value: u32) -> Vec<u32> {
    [
        (0x140b8, 1),
        (0x14064, 0x180),
        (0x14024, 6 << 21 | 64),
        (0x14028, 0x0041_c800),
        (0x14018, va),
        (0x1402c, 0),
        (0x14030, 8 << 16 | 16),
        (0x14044, value),
        (0x14048, value),
        (0x1404c, u32::MAX),
        (0x14050, u32::MAX),
        (0x140ac, 3),
        (0x14060, 1),
        (0x140ac, 3),
        (0x140b8, 0),
    ]
    .into_iter()
    .flat_map(|(address, value)| state(address, value))
    .collect()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// A `drm_etnaviv_gem_submit_bo`.
fn named(flags: u32, handle: u64, presumed: u64) -> Vec<u8> {
    let mut bytes = words(&[flags, handle as u32]);
    bytes.extend(presumed.to_ne_bytes());
    bytes
}

impl Stream {
    fn etna_make(&mut self, f: usize) -> Result<Kit, i32> {
        let made = self.silently(f, &GEM_NEW, &[("size", 4096), ("flags", WC)])?;
        let handle = field(&GEM_NEW, &made, "handle");
        self.claim(Class::Gem, f, handle);
        let place = self.silently(f, &GEM_INFO, &[("handle", handle)])?;
        let offset = field(&GEM_INFO, &place, "offset");
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let map = Map::new(self.files[f].fd, offset, 4096, prot, libc::MAP_SHARED)?;
        Ok(Kit { handle, map })
    }

    fn etna_kit(&mut self, f: usize) -> Option<Kit> {
        match std::mem::replace(&mut self.files[f].kit, AnyKit::Broken) {
            AnyKit::Etnaviv(kit) => Some(kit),
            AnyKit::None => {
                let made = self.etna_make(f);
                made.map_err(|error| self.line(&format!("no kit: {error}")))
                    .ok()
            }
            _ => None,
        }
    }

    pub(super) fn etna_submit(&mut self, f: usize) {
        let Some(kit) = self.etna_kit(f) else {
            return;
        };
        for at in (0..4096).step_by(4) {
            kit.map.write(at, BEFORE);
        }
        let value = 0x1000_0000 | self.seq as u32;
        let (stream, text) = match self.rng.below(40) {
            0..16 => (fill(VA, value), "fill"),
            16..20 => (
                [fill(VA, value), fill(VA + 512, value + 1)].concat(),
                "fill2",
            ),
            20..26 => (NOP.to_vec(), "nop"),
            26..28 => (Vec::new(), "empty"),
            28 => (NOP.repeat(300), "nops"),
            29 => (NOP.repeat(16385), "nops over 128 KiB"),
            30 if self.alone => (vec![0xf800_0000, 0], "no such command"),
            31 if self.alone => (state(0x0600, 0).to_vec(), "forbidden state"),
            _ => (fill(VA, value), "fill"),
        };
        let mut stream_size = stream.len() as u64 * 4;
        if self.rng.percent(4) && self.alone {
            stream_size = self.rng.pick(&[1, 2, 4, 7, 12]).min(stream_size);
        }
        let mut flags = SOFTPIN;
        if self.rng.percent(6) {
            flags = self.rng.pick(&[0, 1, 9, 16, 24, 0x8000_0000]);
        }
        // Without addresses of the client's choice there is no knowing where a fill goes.
        let (stream, text) = if flags & SOFTPIN == 0 {
            (NOP.to_vec(), "nop")
        } else {
            (stream, text)
        };
        stream_size = stream_size.min(stream.len() as u64 * 4);
        let mut fence_in = (u64::from(u32::MAX), "-1".to_string());
        if self.rng.percent(20) {
            flags |= FENCE_OUT;
        }
        if self.rng.percent(15) {
            flags |= FENCE_IN;
            fence_in = self.fd(Kind::SyncFile);
        }
        let (bos, names) = self.etna_bos(f, kit.handle);
        let pipe = if self.rng.percent(90) { 0 } else { self.pipe() };
        let exec = if self.rng.percent(92) || !self.alone {
            0
        } else {
            self.rng.pick(&[1, 2, 3, 0xff])
        };
        let nr_bos = bos.len() as u64 / 16;
        let mut arg = Arg::new(&GEM_SUBMIT)
            .num("fence", 0x5555_5555)
            .num("pipe", pipe)
            .num("exec_state", exec)
            .num("nr_bos", nr_bos)
            .region("bos", bos, names)
            .region("stream", words(&stream), text.to_string())
            .num("stream_size", stream_size)
            .num("flags", flags)
            .put("fence_fd", fence_in);
        match self.rng.below(40) {
            0 => arg = arg.put("bos", (0x1000, "low".into())),
            1 => arg = arg.put("stream", (0, "null".into())),
            2 => {
                arg = arg
                    .num("nr_relocs", 1)
                    .region("relocs", vec![0; 24], "zero".into())
            }
            3 => {
                arg = arg
                    .num("nr_relocs", 1)
                    .put("relocs", (0x1000, "low".into()))
            }
            4 | 5 => arg = self.etna_counter(arg),
            6 => arg = arg.num("nr_pmrs", 1).put("pmrs", (0x1000, "low".into())),
            7 if self.alone => arg = arg.num("nr_bos", 0),
            8 => arg = arg.num("pad", 1),
            _ => {}
        }
        if !self.alone {
            arg = arg.whole();
        }
        let done = self.call(f, arg);
        // What not every kernel takes leaves nothing that later calls name.
        let stays = exec == 0 && stream_size == stream.len() as u64 * 4 && !text.contains(' ');
        self.etna_submitted(f, &kit, &done, flags & FENCE_OUT != 0, stays);
        self.files[f].kit = AnyKit::Etnaviv(kit);
    }

    /// A sync_file of a submit that does nothing.
    pub fn etna_sync_file(&mut self, f: usize) {
        let arg = Arg::new(&GEM_SUBMIT)
            .num("fence", 0x5555_5555)
            .region("stream", words(&NOP), "nop".into())
            .num("stream_size", 8)
            .num("flags", SOFTPIN | FENCE_OUT)
            .put("fence_fd", (u64::from(u32::MAX), "-1".into()));
        let done = self.call(f, arg.whole());
        self.etna_drain(f);
        if let Some(fence) = done.get("fence") {
            self.fences[0] = fence as u32;
        }
        if let Some(fd) = done.get("fence_fd") {
            self.keep(fd, Kind::SyncFile, Obj::default());
        }
    }

    /// The buffers of a submit: the kit's at its address, and others, right and wrong.
    fn etna_bos(&mut self, f: usize, kit: u64) -> (Vec<u8>, String) {
        let (flags, presumed, text) = match self.rng.below(30) {
            0 => (0, u64::from(VA), "kit flags=0"),
            1 => (4, u64::from(VA), "kit flags=4"),
            2 => (3, 0, "kit at 0"),
            3 => (3, u64::from(VA) + 8, "kit odd"),
            4 => (3, 1 << 40, "kit at 1<<40"),
            // No other good address: Linux refuses one until it has cleaned up after the last
            // submit.
            5 => (3, 0xffff_ffff_ffff_f000, "kit last page"),
            6 => (3, 1 << 32, "kit at 1<<32"),
            7..9 => (1, u64::from(VA), "kit read"),
            _ => (3, u64::from(VA), "kit"),
        };
        let mut all = vec![(named(flags, kit, presumed), text.to_string())];
        for i in 0..self.rng.pick(&[0, 0, 0, 1, 1, 2]) {
            let (handle, name) = self.gem(f);
            // Far from the others, at an address that is this object's for ever; or in their way.
            let live = self.names.get(Class::Gem, f, handle).is_some();
            let id = if live {
                self.object(f, handle).id as u64
            } else {
                0
            };
            let va = match self.rng.below(12) {
                0 => u64::from(VA),
                _ => 0x2000_0000 + id * 0x20_0000,
            };
            let at = if i == 0 { 0 } else { all.len() };
            all.insert(at, (named(3, handle, va), format!("{name}@{va:#x}")));
        }
        let names: Vec<_> = all.iter().map(|(_, name)| name.as_str()).collect();
        let names = format!("[{}]", names.join(" "));
        (
            all.into_iter().flat_map(|(bytes, _)| bytes).collect(),
            names,
        )
    }

    fn etna_counter(&mut self, arg: Arg) -> Arg {
        // flags, domain and signal, sequence, offset in words, buffer.
        let (flags, domain, signal, offset, buffer, text) = match self.rng.below(7) {
            0 => (1, 0, 0, 4, 0, "good"),
            1 => (0, 0, 0, 4, 0, "flags=0"),
            2 => (8, 0, 0, 4, 0, "flags=8"),
            3 => (1, 99, 0, 4, 0, "domain=99"),
            4 => (1, 0, 99, 4, 0, "signal=99"),
            5 => (1, 0, 0, 4, 99, "buffer=99"),
            _ => (1, 0, 0, 0, 0, "offset=0"),
        };
        let bytes = words(&[flags, domain | signal << 16, 1, offset, buffer]);
        arg.num("nr_pmrs", 1)
            .region("pmrs", bytes, text.to_string())
    }

    fn etna_submitted(&mut self, f: usize, kit: &Kit, done: &Done, out: bool, stays: bool) {
        if done.error != 0 && done.error != libc::EFAULT {
            return;
        }
        if let Some(fence) = done.get("fence").filter(|_| stays) {
            let n = self.rng.below(self.fences.len());
            self.fences[n] = fence as u32;
        }
        self.etna_drain(f);
        let filled = |at: usize| {
            (at..at + 512)
                .step_by(4)
                .filter(|at| kit.map.read(*at) != BEFORE)
                .count()
        };
        let (first, second, rest) = (filled(0), filled(512), filled(1024));
        let word = kit.map.read(8);
        self.line(&format!("filled = {first} {second} {rest} {word:#x}"));
        if let Some(fd) = done.get("fence_fd").filter(|_| out) {
            self.fence_status(fd);
            if stays {
                self.keep(fd, Kind::SyncFile, Obj::default());
            } else {
                self.close_fd(fd);
            }
        }
    }

    /// Waits for all that this file has submitted: a core does the work of a file in order.
    fn etna_drain(&mut self, f: usize) {
        let stream = words(&NOP);
        let at = stream.as_ptr() as u64;
        let fields = [("stream", at), ("stream_size", 8), ("flags", SOFTPIN)];
        let waited = self.silently(f, &GEM_SUBMIT, &fields).and_then(|done| {
            let fence = field(&GEM_SUBMIT, &done, "fence");
            let (sec, nsec) = split(far());
            self.silently(
                f,
                &WAIT_FENCE,
                &[("fence", fence), ("tv_sec", sec.0), ("tv_nsec", nsec.0)],
            )
        });
        if let Err(error) = waited {
            self.line(&format!("drain = {error}"));
        }
    }
}
