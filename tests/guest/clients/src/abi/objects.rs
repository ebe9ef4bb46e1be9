// SPDX-License-Identifier: BSD-2-Clause
//! New objects: the places that keep them, and good ones to begin with.

use super::etnaviv::CACHED;
use super::spec::Class;
use super::specs::*;
use super::state::{Driver, Kind, Obj, Stream};
use super::stream::Arg;

impl Stream {
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
}
