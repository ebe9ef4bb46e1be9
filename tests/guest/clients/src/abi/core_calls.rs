// SPDX-License-Identifier: BSD-2-Clause
//! Calls of DRM core: who the driver is, masters and magic, GEM names, PRIME, syncobjs; and numbers
//! that mean nothing here.

use super::etnaviv::CACHED;
use super::spec::Class;
use super::specs::*;
use super::state::{Driver, Kind, Obj, Stream, SYNCS};
use super::stream::{Arg, Done};

/// Absolute times in the past: a wait does not wait.
pub const PAST: &[(i64, &str)] = &[(0, "0"), (1, "1"), (-1, "-1"), (i64::MIN, "min")];

fn now() -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a place to write to.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// The time by which every job of these calls has ended.
pub fn far() -> (u64, String) {
    ((now() + 20_000_000_000) as u64, "far".to_string())
}

/// A time shortly from now: a wait for what never comes ends.
pub fn soon() -> (u64, String) {
    ((now() + 2_000_000) as u64, "soon".to_string())
}

impl Stream {
    /// A time: past, soon or far.
    pub fn time(&mut self, may_be_far: bool) -> (u64, String) {
        match self.rng.below(10) {
            0..4 => {
                let (value, text) = self.rng.pick(PAST);
                (value as u64, text.to_string())
            }
            4..8 if may_be_far => far(),
            8 if may_be_far => (i64::MAX as u64, "max".to_string()),
            _ => soon(),
        }
    }

    /// One call of DRM core.
    pub fn core(&mut self, f: usize) {
        match self.rng.below(100) {
            0..5 => self.version(f),
            5..7 => self.unique(f),
            7..9 => self.client(f),
            9..13 => self.set_version(f),
            13..19 => self.caps(f),
            19..25 => self.auth(f),
            25..31 => self.unknown(f),
            31..43 => self.names_of_objects(f),
            43..48 => self.close(f),
            48..63 => self.prime(f),
            63..93 if self.driver == Driver::Etnaviv => self.no_syncobj(f),
            63..70 => self.syncobj_create(f),
            70..73 => self.syncobj_destroy(f),
            73..84 => self.syncobj_fd(f),
            84..97 => self.syncobj_array(f),
            _ => self.timeline(f),
        }
    }

    fn version(&mut self, f: usize) {
        let mut arg = Arg::new(&VERSION);
        for (len, at) in [
            ("name_len", "name"),
            ("date_len", "date"),
            ("desc_len", "desc"),
        ] {
            let room = self.rng.pick(&[0usize, 1, 3, 8, 64]);
            arg = arg.num(len, room as u64);
            arg = match self.rng.below(12) {
                0 => arg.put(at, (0, "null".into())),
                1 => arg.put(at, (0x1000, "low".into())),
                _ => arg.region(at, vec![b'.'; room], String::new()),
            };
        }
        self.call(f, arg);
    }

    fn unique(&mut self, f: usize) {
        let room = self.rng.pick(&[0usize, 4, 64]);
        let arg = Arg::new(&GET_UNIQUE).num("unique_len", room as u64);
        let arg = match self.rng.below(8) {
            0 => arg.put("unique", (0, "null".into())),
            1 => arg.put("unique", (0x1000, "low".into())),
            _ => arg.region("unique", vec![b'.'; room], String::new()),
        };
        self.call(f, arg);
    }

    fn client(&mut self, f: usize) {
        let arg = if self.rng.percent(60) {
            let idx = self.rng.pick(&[0, 0, 0, 1, 2, u64::MAX]);
            Arg::new(&GET_CLIENT).num("idx", idx).num("magic", 7)
        } else {
            Arg::new(&GET_STATS).num("count", 9)
        };
        self.call(f, arg);
    }

    fn set_version(&mut self, f: usize) {
        let m = u64::MAX;
        let arg = Arg::new(&SET_VERSION)
            .num("drm_di_major", self.rng.pick(&[1, 1, 1, m, 0, 2]))
            .num("drm_di_minor", self.rng.pick(&[0, 1, 4, 5, m]))
            .num("drm_dd_major", self.rng.pick(&[1, 1, m, m, 0, 2]))
            .num("drm_dd_minor", self.rng.pick(&[0, 1, 2, 5, m]));
        self.call(f, arg);
    }

    fn caps(&mut self, f: usize) {
        let spec = if self.rng.percent(75) {
            &GET_CAP
        } else {
            &SET_CLIENT_CAP
        };
        let capability = self.rng.below(0x18) as u64;
        let capability = self.number(&[capability, 5, 6, 0x13, 0x14]);
        let value = self.number(&[0, 1, 2]);
        self.call(
            f,
            Arg::new(spec)
                .num("capability", capability)
                .num("value", value),
        );
    }

    fn auth(&mut self, f: usize) {
        let n = self.rng.below(self.magics.len());
        match self.rng.below(10) {
            0..4 => {
                let done = self.call(f, Arg::new(&GET_MAGIC));
                if let Some(magic) = done.get("magic") {
                    self.magics[n] = magic as u32;
                }
            }
            4..7 => {
                let magic = u64::from(self.magics[n]);
                let magic = match self.names.get(Class::Magic, 0, magic) {
                    Some(name) => (magic, name.to_string()),
                    None => (0x7fff, "never".to_string()),
                };
                self.call(f, Arg::new(&AUTH_MAGIC).put("magic", magic));
            }
            7..9 => {
                self.call(f, Arg::new(&SET_MASTER));
            }
            _ => {
                self.call(f, Arg::new(&DROP_MASTER));
            }
        }
    }

    /// A number that means nothing to a driver without modes, or nothing at all.
    fn unknown(&mut self, f: usize) {
        let mut nr = self.rng.below(256) as u32;
        let drivers = match self.driver {
            Driver::Panfrost => 0x40..0x49,
            Driver::Etnaviv => 0x40..0x4c,
        };
        while uapi::core::NAMES.iter().any(|(known, _)| *known == nr)
            || drivers.contains(&nr) && nr != 0x41
            || drivers == (0x40..0x49) && nr == 0x41
        {
            nr = (nr + 1) & 0xff;
        }
        let dir = self.rng.pick(&[3, 3, 3, 0, 1, 2]);
        let size = self.rng.pick(&[32, 32, 0, 4, 16]);
        let on = format!("f{f} nr {nr:#x} dir {dir} size {size}");
        let fd = self.files[f].fd;
        let address = self.arena.put(&[0; 64]);
        // SAFETY: the arena has room for what the code names.
        let ret = unsafe { libc::ioctl(fd, uapi::code(dir, b'd', nr as u8, size) as _, address) };
        let error = if ret < 0 { super::memory::errno() } else { 0 };
        let after = self.arena.take(64);
        self.line(&format!(
            "{on} {} = {error} {}",
            "IOCTL",
            super::stream::lossy(&after)
        ));
    }

    fn names_of_objects(&mut self, f: usize) {
        self.prune_flinks();
        if self.rng.percent(50) {
            let handle = self.gem(f);
            let object = self.object(f, handle.0);
            let done = self.call(f, Arg::new(&GEM_FLINK).put("handle", handle));
            if let Some(name) = done.get("name") {
                self.flinks.push((name as u32, object));
            }
            return;
        }
        let n = self.rng.below(4);
        let slot = self.free_slot(f);
        self.prune_flinks();
        let (name, object) = match self.flinks.get(n.min(self.flinks.len().saturating_sub(1))) {
            Some((name, object)) if n < 3 => (u64::from(*name), *object),
            _ => (0x00f0_0d00, Obj::default()),
        };
        let text = self
            .names
            .get(Class::Flink, 0, name)
            .unwrap_or("never")
            .to_string();
        let done = self.call(
            f,
            Arg::new(&GEM_OPEN)
                .put("name", (name, text))
                .num("handle", 0x5a),
        );
        self.adopt(f, slot, done.get("handle"), object);
    }

    /// A place for a new object; what was there is closed.
    pub fn free_slot(&mut self, f: usize) -> usize {
        let slot = self.rng.below(super::state::OBJECTS);
        if self.live(f, slot) {
            let handle = u64::from(self.files[f].objects[slot].handle);
            if self.silently(f, &GEM_CLOSE, &[("handle", handle)]).is_err() {
                self.line("a live handle could not be closed");
            }
            self.close_gem(f, handle);
        }
        slot
    }

    /// Keeps a new object, or a handle of one that is known.
    pub fn adopt(&mut self, f: usize, slot: usize, handle: Option<u64>, object: Obj) {
        if let Some(handle) = handle {
            let id = if object.id == 0 { self.seq } else { object.id };
            // A stale place with this number shall not come to life again: another kernel takes
            // another number.
            let new = self.names.get(Class::Gem, f, handle) == Some(&format!("h{}", self.seq));
            let stale = |o: &&mut Obj| u64::from(o.handle) == handle && new;
            self.files[f]
                .objects
                .iter_mut()
                .filter(stale)
                .for_each(|o| *o = Obj::default());
            self.files[f].objects[slot] = Obj {
                handle: handle as u32,
                id,
                va: 0,
                cookie: 0,
                ..object
            };
        }
    }

    /// A good object in a place of its own.
    pub fn make_object(&mut self, f: usize, slot: usize) {
        let slot = slot % super::state::OBJECTS;
        let size = self.rng.pick(&[4096, 8192, 65536]);
        let (spec, flags) = match self.driver {
            Driver::Panfrost => (&pan::CREATE_BO, self.rng.pick(&[0, 1])),
            Driver::Etnaviv => (&etna::GEM_NEW, self.rng.pick(&[CACHED, 0x2_0000, 0x4_0000])),
        };
        let arg = Arg::new(spec).num("flags", flags);
        let done = self.call(f, arg.num("size", size).whole());
        let object = Obj {
            size,
            cached: self.driver == Driver::Etnaviv && flags == CACHED,
            ..Obj::default()
        };
        self.adopt(f, slot, done.get("handle"), object);
        if self.driver == Driver::Panfrost {
            self.files[f].objects[slot].va = done.get("offset").unwrap_or(0);
        }
    }

    /// A good syncobj, half of the time with a fence.
    pub fn make_sync(&mut self, f: usize, n: usize) {
        if self.driver == Driver::Etnaviv {
            return self.make_object(f, n);
        }
        let flags = self.rng.pick(&[0, 1]);
        let done = self.call(f, Arg::new(&SYNCOBJ_CREATE).num("flags", flags).whole());
        if let Some(handle) = done.get("handle") {
            self.keep_sync(f, n % 2, handle as u32);
        }
    }

    /// A good dma-buf.
    pub fn make_dma_buf(&mut self, f: usize) {
        let object = self.files[f].objects[1];
        let name = self
            .names
            .get(Class::Gem, f, u64::from(object.handle))
            .unwrap_or("none")
            .to_string();
        let arg = Arg::new(&PRIME_HANDLE_TO_FD)
            .put("handle", (u64::from(object.handle), name))
            .num("flags", 0o2_000_002)
            .whole();
        if let Some(fd) = self.call(f, arg).get("fd") {
            self.keep(fd, Kind::DmaBuf, object);
        }
    }

    /// A good sync_file, by a syncobj or by a submit.
    pub fn make_sync_file(&mut self, f: usize) {
        if self.driver == Driver::Etnaviv {
            return self.etna_sync_file(f);
        }
        let made = self.call(f, Arg::new(&SYNCOBJ_CREATE).num("flags", 1).whole());
        let Some(handle) = made.get("handle") else {
            return;
        };
        let name = self.names.name(Class::Sync, f, handle, self.seq);
        self.keep_sync(f, 2, handle as u32);
        let arg = Arg::new(&SYNCOBJ_HANDLE_TO_FD)
            .put("handle", (handle, name))
            .num("flags", 1)
            .whole();
        if let Some(fd) = self.call(f, arg).get("fd") {
            self.keep(fd, Kind::SyncFile, Obj::default());
        }
    }

    fn close(&mut self, f: usize) {
        let handle = self.gem(f);
        let pad = self.rng.pick(&[0, 0, 0, 1]);
        let done = self.call(
            f,
            Arg::new(&GEM_CLOSE)
                .put("handle", handle.clone())
                .num("pad", pad),
        );
        if done.error == 0 {
            self.close_gem(f, handle.0);
        }
    }

    fn prime(&mut self, f: usize) {
        if self.rng.percent(50) {
            let handle = self.gem(f);
            let flags = self.number(&[0, 0o2_000_000, 2, 0o2_000_002, 1, 4, 0o4000]);
            let object = self.object(f, handle.0);
            let arg = Arg::new(&PRIME_HANDLE_TO_FD)
                .put("handle", handle)
                .num("flags", flags)
                .num("fd", self.rng.clone().pick(&[0, u64::MAX]));
            let done = self.call(f, arg);
            if let Some(fd) = done.get("fd") {
                if object.user {
                    self.close_fd(fd);
                } else {
                    self.keep(fd, Kind::DmaBuf, object);
                }
            }
            return;
        }
        let fd = self.fd(Kind::DmaBuf);
        let slot = self.free_slot(f);
        let flags = self.rng.pick(&[0, 0, 0, 3]);
        let object = self
            .fds
            .iter()
            .flatten()
            .find(|d| d.fd as u64 == fd.0)
            .map_or(Obj::default(), |d| d.object);
        let done = self.call(
            f,
            Arg::new(&PRIME_FD_TO_HANDLE)
                .put("fd", fd)
                .num("flags", flags),
        );
        self.adopt(f, slot, done.get("handle"), object);
    }

    fn syncobj_create(&mut self, f: usize) {
        let slot = self.rng.below(SYNCS);
        let old = u64::from(self.files[f].syncs[slot]);
        if self.names.get(Class::Sync, f, old).is_some() {
            if self
                .silently(f, &SYNCOBJ_DESTROY, &[("handle", old)])
                .is_err()
            {
                self.line("a live syncobj could not be destroyed");
            }
            self.names.forget(Class::Sync, f, old);
        }
        let flags = self.number(&[0, 0, 1, 1, 2]);
        let done = self.call(f, Arg::new(&SYNCOBJ_CREATE).num("flags", flags));
        if let Some(handle) = done.get("handle") {
            self.keep_sync(f, slot, handle as u32);
        }
    }

    /// Keeps a new syncobj. A stale place with its number shall not come to life again.
    fn keep_sync(&mut self, f: usize, slot: usize, handle: u32) {
        let syncs = &mut self.files[f].syncs;
        syncs
            .iter_mut()
            .filter(|old| **old == handle)
            .for_each(|old| *old = 0);
        syncs[slot] = handle;
    }

    /// Linux 6.1 has no syncobjs for etnaviv; where there are some, none stays.
    fn no_syncobj(&mut self, f: usize) {
        match self.rng.below(4) {
            0 => {
                let done = self.call(f, Arg::new(&SYNCOBJ_CREATE).whole());
                if let Some(handle) = done.get("handle") {
                    // Its failure would show in a later call.
                    let _ = self.silently(f, &SYNCOBJ_DESTROY, &[("handle", handle)]);
                    self.names.forget(Class::Sync, f, handle);
                }
            }
            1 => {
                self.call(f, Arg::new(&SYNCOBJ_DESTROY).num("handle", 0x5555));
            }
            2 => {
                self.call(f, Arg::new(&SYNCOBJ_WAIT).num("count_handles", 1));
            }
            _ => self.timeline(f),
        }
    }

    fn syncobj_destroy(&mut self, f: usize) {
        let handle = self.sync(f);
        let pad = self.rng.pick(&[0, 0, 0, 1]);
        let done = self.call(
            f,
            Arg::new(&SYNCOBJ_DESTROY)
                .put("handle", handle.clone())
                .num("pad", pad),
        );
        if done.error == 0 {
            self.names.forget(Class::Sync, f, handle.0);
        }
    }

    fn syncobj_fd(&mut self, f: usize) {
        let flags = self.number(&[0, 1, 1, 2]);
        let pad = self.rng.pick(&[0, 0, 0, 0, 0, 1]);
        if self.rng.percent(50) {
            let handle = self.sync(f);
            let arg = Arg::new(&SYNCOBJ_HANDLE_TO_FD)
                .put("handle", handle)
                .num("flags", flags)
                .num("pad", pad);
            let done = self.call(f, arg);
            if let Some(fd) = done.get("fd") {
                // flags may have been cut off, or not been read.
                let kind = if flags & 1 != 0 {
                    Kind::SyncFile
                } else {
                    Kind::Syncobj
                };
                self.keep(fd, kind, Obj::default());
            }
            return;
        }
        let fd = self.fd(if flags & 1 != 0 {
            Kind::SyncFile
        } else {
            Kind::Syncobj
        });
        let handle = if flags & 1 != 0 {
            self.sync(f)
        } else {
            (0, "0".to_string())
        };
        let slot = self.rng.below(SYNCS);
        let arg = Arg::new(&SYNCOBJ_FD_TO_HANDLE)
            .put("handle", handle.clone())
            .put("fd", fd)
            .num("flags", flags)
            .num("pad", pad);
        let done = self.call(f, arg);
        if let Some(new) = done.get("handle").filter(|new| *new != handle.0) {
            let old = u64::from(self.files[f].syncs[slot]);
            if self.names.get(Class::Sync, f, old).is_some() {
                // Its failure would show in the next line that names it.
                let _ = self.silently(f, &SYNCOBJ_DESTROY, &[("handle", old)]);
                self.names.forget(Class::Sync, f, old);
            }
            self.keep_sync(f, slot, new as u32);
        }
    }

    /// An array of handles at `handles`, and its length at `count`.
    fn handles(&mut self, f: usize, mut arg: Arg) -> Arg {
        let count = self.rng.pick(&[1usize, 1, 1, 2, 3, 0]);
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.sync(f));
        }
        let reported = if self.rng.percent(96) {
            count as u64
        } else {
            0
        };
        arg = arg.num("count_handles", reported);
        match self.rng.below(20) {
            0 => arg.put("handles", (0x1000, "low".into())),
            1 => arg.put("handles", (0, "null".into())),
            2 => {
                // The last handle lies where nothing is.
                let at = self.arena.guard() - 4 * count.saturating_sub(1);
                arg.put("handles", (at as u64, "guard".into()))
            }
            _ => arg.array("handles", &items),
        }
    }

    fn syncobj_array(&mut self, f: usize) {
        let pad = self.rng.pick(&[0, 0, 0, 0, 0, 0, 0, 1]);
        match self.rng.below(10) {
            0..6 => {
                let flags = self.number(&[0, 0, 1, 1, 2, 3, 4, 8]);
                // What no fence is in yet may never get one.
                let timeout = self.time(flags & 2 == 0);
                let arg = Arg::new(&SYNCOBJ_WAIT)
                    .num("flags", flags)
                    .put("timeout_nsec", timeout)
                    .num("pad", pad);
                let arg = self.handles(f, arg).num("first_signaled", 0x55);
                self.call(f, arg);
            }
            6..8 => {
                let arg = self.handles(f, Arg::new(&SYNCOBJ_RESET).num("pad", pad));
                self.call(f, arg);
            }
            _ => {
                let arg = self.handles(f, Arg::new(&SYNCOBJ_SIGNAL).num("pad", pad));
                self.call(f, arg);
            }
        }
    }

    fn timeline(&mut self, f: usize) {
        let points = (vec![0u8; 32], String::new());
        let spec = self.rng.pick(&[
            &SYNCOBJ_TIMELINE_WAIT,
            &SYNCOBJ_QUERY,
            &SYNCOBJ_TIMELINE_SIGNAL,
        ]);
        let arg = if self.rng.percent(25) {
            let (src, dst) = (self.sync(f), self.sync(f));
            Arg::new(&SYNCOBJ_TRANSFER)
                .put("src_handle", src)
                .put("dst_handle", dst)
        } else {
            let arg = Arg::new(spec).region("points", points.0, points.1);
            self.handles(f, arg)
        };
        self.call(f, arg);
    }

    /// Waits for a call that fills a syncobj, if nothing else waits for it.
    pub fn wait_sync(&mut self, f: usize, handle: u64, name: &str) -> Done {
        let arg = Arg::new(&SYNCOBJ_WAIT)
            .array("handles", &[(handle, name.to_string())])
            .num("count_handles", 1)
            .put("timeout_nsec", far());
        self.call(f, arg.whole())
    }
}
