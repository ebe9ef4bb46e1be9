// SPDX-License-Identifier: BSD-2-Clause
//! Calls of DRM core: who the driver is, masters and magic, GEM names, PRIME; and numbers that mean
//! nothing here.

use super::spec::Class;
use super::specs::*;
use super::state::{Driver, Kind, Obj, Stream};
use super::stream::Arg;

impl Stream {
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
}
