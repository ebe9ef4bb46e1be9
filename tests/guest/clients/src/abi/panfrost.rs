// SPDX-License-Identifier: BSD-2-Clause
//! Calls of panfrost, and small jobs for Mali-T860: chains of jobs that do nothing, write
//! zeroes, or fault.
//!
//! HW: Mesa genxml v5.xml: "Job Header", "Write Value Job Payload".

use super::memory::Map;
use super::spec::Class;
use super::specs::{pan, SYNCOBJ_CREATE, SYNCOBJ_HANDLE_TO_FD, SYNCOBJ_WAIT};
use super::state::{Kit as AnyKit, Obj, Stream};
use super::stream::{field, Arg};
use super::times::far;

/// A buffer for chains, a buffer that jobs write to, and a syncobj.
#[derive(Debug)]
pub struct Kit {
    chain: Buffer,
    target: Buffer,
    sync: u64,
}

#[derive(Debug)]
struct Buffer {
    handle: u64,
    va: u64,
    map: Map,
}

const NULL: u32 = 1;
const WRITE_VALUE: u32 = 2;
const ZEROES: u32 = 3;
const BEFORE: u32 = 0x5a5a_5a5a;
/// Where a chain begins that is only waited for.
const DRAIN: usize = 3072;

impl Stream {
    /// One call of panfrost.
    pub fn panfrost(&mut self, f: usize) {
        if self.minor >= 6 && self.rng.percent(25) {
            return self.pan_newer(f);
        }
        match self.rng.below(100) {
            0..16 => self.pan_create(f),
            16..24 => self.pan_param(f),
            24..36 => self.pan_mmap(f),
            36..44 => self.pan_offset(f),
            44..54 => self.pan_wait(f),
            54..62 => self.pan_madvise(f),
            62..66 => self.pan_perfcnt(f),
            66..78 => self.map_object(f),
            _ => self.pan_submit(f),
        }
    }

    fn pan_create(&mut self, f: usize) {
        let slot = self.free_slot(f);
        // A version before 1.6 does not know what is 4 here.
        let newer: &[u64] = if self.minor >= 6 { &[4, 5, 5, 6] } else { &[] };
        let flags = [&[0, 0, 0, 1, 1, 3, 3, 2, 7, 8], newer].concat();
        let mut flags = self.number(&flags);
        let size = self.rng.pick(&[
            4096, 4096, 8192, 1, 4095, 4097, 65536, 0x20_0000, 0x20_1000, 0, 0x100_0000,
        ]);
        if size == 0x100_0000 {
            // Only what gets its memory later may be large.
            flags |= 3;
        }
        let pad = self.rng.pick(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let arg = Arg::new(&pan::CREATE_BO)
            .num("size", size)
            .num("flags", flags)
            .num("pad", pad);
        let done = self.call(f, arg);
        let heap = flags & 2 != 0;
        let size = if heap {
            size.next_multiple_of(0x20_0000)
        } else {
            size
        };
        let object = Obj {
            size,
            ..Obj::default()
        };
        self.adopt(f, slot, done.get("handle"), object);
        let va = done.get("offset").unwrap_or(0);
        self.files[f].objects[slot].va = va;
    }

    fn pan_param(&mut self, f: usize) {
        // Later versions have more of them.
        let param = self.rng.below(if self.minor >= 6 { 48 } else { 41 }) as u64;
        let param = self.number(&[param]);
        let pad = self.rng.pick(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        self.call(
            f,
            Arg::new(&pan::GET_PARAM)
                .num("param", param)
                .num("pad", pad),
        );
    }

    fn pan_mmap(&mut self, f: usize) {
        let handle = self.gem(f);
        let flags = self.rng.pick(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let done = self.call(
            f,
            Arg::new(&pan::MMAP_BO)
                .put("handle", handle.clone())
                .num("flags", flags),
        );
        if let Some(cookie) = done.get("offset") {
            self.learn(f, handle.0, |o| o.cookie = cookie);
        }
    }

    fn pan_offset(&mut self, f: usize) {
        let handle = self.gem(f);
        let pad = self.rng.pick(&[0, 0, 0, 0, 1]);
        let done = self.call(
            f,
            Arg::new(&pan::GET_BO_OFFSET)
                .put("handle", handle.clone())
                .num("pad", pad),
        );
        if let Some(va) = done.get("offset") {
            self.learn(f, handle.0, |o| o.va = va);
        }
    }

    fn pan_wait(&mut self, f: usize) {
        let handle = self.gem(f);
        let pad = self.rng.pick(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let timeout = self.time(true);
        self.call(
            f,
            Arg::new(&pan::WAIT_BO)
                .put("handle", handle)
                .num("pad", pad)
                .put("timeout_ns", timeout),
        );
    }

    fn pan_madvise(&mut self, f: usize) {
        let handle = self.gem(f);
        let madv = self.number(&[0, 1, 0, 1, 2]);
        self.call(
            f,
            Arg::new(&pan::MADVISE)
                .put("handle", handle)
                .num("madv", madv)
                .num("retained", 9),
        );
    }

    fn pan_perfcnt(&mut self, f: usize) {
        let arg = if self.rng.percent(60) {
            let (enable, set) = (self.rng.pick(&[0, 1]), self.rng.pick(&[0, 1]));
            Arg::new(&pan::PERFCNT_ENABLE)
                .num("enable", enable)
                .num("counterset", set)
        } else {
            Arg::new(&pan::PERFCNT_DUMP).put("buf_ptr", (0x1000, "low".into()))
        };
        self.call(f, arg);
    }

    fn pan_buffer(&mut self, f: usize) -> Result<Buffer, i32> {
        let made = self.silently(f, &pan::CREATE_BO, &[("size", 4096), ("flags", 1)])?;
        let handle = field(&pan::CREATE_BO, &made, "handle");
        self.claim(Class::Gem, f, handle);
        let place = self.silently(f, &pan::MMAP_BO, &[("handle", handle)])?;
        let offset = field(&pan::MMAP_BO, &place, "offset");
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        Ok(Buffer {
            handle,
            va: field(&pan::CREATE_BO, &made, "offset"),
            map: Map::new(self.files[f].fd, offset, 4096, prot, libc::MAP_SHARED)?,
        })
    }

    fn pan_make(&mut self, f: usize) -> Result<Kit, i32> {
        let (chain, target) = (self.pan_buffer(f)?, self.pan_buffer(f)?);
        let made = self.silently(f, &SYNCOBJ_CREATE, &[])?;
        let sync = field(&SYNCOBJ_CREATE, &made, "handle");
        self.claim(Class::Sync, f, sync);
        Ok(Kit {
            chain,
            target,
            sync,
        })
    }

    fn pan_kit(&mut self, f: usize) -> Option<Kit> {
        match std::mem::replace(&mut self.files[f].kit, AnyKit::Broken) {
            AnyKit::Panfrost(kit) => Some(kit),
            AnyKit::None => {
                let made = self.pan_make(f);
                made.map_err(|error| self.line(&format!("no kit: {error}")))
                    .ok()
            }
            _ => None,
        }
    }

    fn pan_submit(&mut self, f: usize) {
        let Some(kit) = self.pan_kit(f) else {
            return;
        };
        let (jc, jobs) = self.pan_chain(&kit);
        let fragment = self.rng.percent(10);
        let mut requirements = u64::from(fragment);
        if self.rng.percent(6) {
            let known: &[u64] = if self.minor >= 3 { &[2, 3] } else { &[] };
            requirements = self.rng.pick(&[&[0x8000_0000, 4], known].concat());
        }
        let mut bos = vec![(kit.chain.handle, "chain".to_string())];
        for _ in 0..self.rng.pick(&[0, 0, 1, 2]) {
            let bo = if self.rng.percent(30) {
                (kit.target.handle, "target".to_string())
            } else {
                self.gem(f)
            };
            bos.insert(self.rng.below(bos.len() + 1), bo);
        }
        let mut syncs = Vec::new();
        for _ in 0..self.rng.pick(&[0, 0, 0, 1, 2]) {
            syncs.push(self.sync(f));
        }
        let out = match self.rng.below(10) {
            0..4 => (0, "0".to_string()),
            4 => (0xffff, "never".to_string()),
            5..8 => (kit.sync, "kit".to_string()),
            _ => self.sync(f),
        };
        let context = match self.minor >= 5 && self.rng.percent(60) {
            true => Some(self.context(f)),
            false => None,
        };
        let arg = match &context {
            Some(context) => {
                let pad = self.rng.pick(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
                let arg = Arg::new(&pan::SUBMIT_48).put("jm_ctx_handle", context.clone());
                arg.num("pad", pad)
            }
            None => Arg::new(&pan::SUBMIT),
        };
        let mut arg = arg
            .put("jc", jc)
            .put("out_sync", out.clone())
            .num("requirements", requirements)
            .num("in_sync_count", syncs.len() as u64)
            .num("bo_handle_count", bos.len() as u64)
            .array("in_syncs", &syncs)
            .array("bo_handles", &bos);
        match self.rng.below(30) {
            0 => arg = arg.put("in_syncs", (0x1000, "low".into())),
            1 => arg = arg.put("bo_handles", (0, "null".into())),
            2 => arg = arg.num("bo_handle_count", 0x4000_0001),
            3 => arg = arg.num("bo_handle_count", 0),
            _ => {}
        }
        self.rng.next();
        let done = self.call(f, arg);
        if done.error == 0 || done.error == libc::EFAULT {
            // The context may have been cut off.
            self.pan_drain(f, &kit, 0);
            let context = context.map_or(0, |(handle, _)| handle);
            if self.names.get(Class::Context, f, context).is_some() {
                self.pan_drain(f, &kit, context);
            }
            let words: Vec<_> = jobs
                .iter()
                .map(|at| format!("{:#x}", kit.chain.map.read(*at)))
                .collect();
            let target: Vec<_> = [0, 8, 12, 64]
                .map(|at| format!("{:x}", kit.target.map.read(at)))
                .to_vec();
            self.line(&format!(
                "jobs = {} target {}",
                words.join(" "),
                target.join(" ")
            ));
            if out.1 == "kit" {
                self.wait_sync(f, kit.sync, "kit");
                let arg = Arg::new(&SYNCOBJ_HANDLE_TO_FD).put("handle", (kit.sync, "kit".into()));
                if let Some(fd) = self.call(f, arg.num("flags", 1).whole()).get("fd") {
                    self.fence_status(fd);
                    self.close_fd(fd);
                }
            }
        }
        self.files[f].kit = AnyKit::Panfrost(kit);
    }

    /// Waits for all jobs of a context in both slots: the queues are in order.
    fn pan_drain(&mut self, f: usize, kit: &Kit, context: u64) {
        for slot in [0, 1] {
            write_job(&kit.chain.map, DRAIN, NULL, &[]);
            let sync = self
                .silently(f, &SYNCOBJ_CREATE, &[])
                .map(|made| field(&SYNCOBJ_CREATE, &made, "handle"));
            let result = sync.and_then(|sync| {
                let jc = kit.chain.va + DRAIN as u64;
                let mut fields = vec![("jc", jc), ("out_sync", sync), ("requirements", slot)];
                let spec = match context {
                    0 => &pan::SUBMIT,
                    _ => {
                        fields.push(("jm_ctx_handle", context));
                        &pan::SUBMIT_48
                    }
                };
                self.silently(f, spec, &fields)?;
                let handles = (sync as u32).to_ne_bytes();
                let at = handles.as_ptr() as u64;
                let waited = self.silently(
                    f,
                    &SYNCOBJ_WAIT,
                    &[
                        ("handles", at),
                        ("count_handles", 1),
                        ("timeout_nsec", far().0),
                    ],
                );
                self.silently(f, &super::specs::SYNCOBJ_DESTROY, &[("handle", sync)])?;
                waited
            });
            if let Err(error) = result {
                self.line(&format!("drain = {error}"));
            }
        }
    }

    /// Writes a chain; gives the address to submit, and where the jobs lie.
    fn pan_chain(&mut self, kit: &Kit) -> ((u64, String), Vec<usize>) {
        for at in (0..4096).step_by(4) {
            kit.chain.map.write(at, 0);
        }
        for at in (0..128).step_by(4) {
            kit.target.map.write(at, BEFORE);
        }
        let to = |va: u64| vec![va as u32, (va >> 32) as u32, ZEROES, 0, 0, 0];
        let target = kit.target.va;
        let null = (NULL, Vec::new());
        let (text, jobs): (&str, Vec<(u32, Vec<u32>)>) = match self.rng.below(40) {
            0..8 => ("null", vec![null]),
            8..12 => ("null3", vec![null.clone(), null.clone(), null]),
            12..20 => ("write", vec![(WRITE_VALUE, to(target))]),
            20..24 => (
                "write2",
                vec![(WRITE_VALUE, to(target)), (WRITE_VALUE, to(target + 64))],
            ),
            24..26 => ("badtype", vec![(63, Vec::new())]),
            26..28 => (
                "null+badtype+write",
                vec![null, (63, Vec::new()), (WRITE_VALUE, to(target))],
            ),
            28..30 => ("write-unmapped", vec![(WRITE_VALUE, to(0x7fff_f000))]),
            30..32 => ("write-null", vec![(WRITE_VALUE, to(0))]),
            32 => (
                "badvalue",
                vec![(WRITE_VALUE, vec![target as u32, 0, 99, 0, 0, 0])],
            ),
            _ => ("none", vec![]),
        };
        let mut at = Vec::new();
        for (i, (kind, payload)) in jobs.iter().enumerate() {
            write_job(&kit.chain.map, i * 64, *kind, payload);
            if i > 0 {
                let va = kit.chain.va + i as u64 * 64;
                kit.chain.map.write((i - 1) * 64 + 24, va as u32);
                kit.chain.map.write((i - 1) * 64 + 28, (va >> 32) as u32);
            }
            at.push(i * 64);
        }
        let head = kit.chain.va;
        let jc = match (text, self.rng.below(5)) {
            ("none", 0) => (0, "0"),
            ("none", 1) => (0x7fff_f000, "unmapped"),
            ("none", 2) => (u64::MAX - 63, "max"),
            ("none", 3) => (64, "low"),
            _ => (head, text),
        };
        ((jc.0, jc.1.to_string()), at)
    }
}

/// A job without a successor. Bit 0 of word 4: 64-bit pointers.
fn write_job(map: &Map, at: usize, kind: u32, payload: &[u32]) {
    for (i, word) in [0, 0, 0, 0, 1 | kind << 1, 0, 0, 0]
        .iter()
        .chain(payload)
        .enumerate()
    {
        map.write(at + i * 4, *word);
    }
}
