// SPDX-License-Identifier: BSD-2-Clause
//! Calls for syncobjs.

use super::spec::Class;
use super::specs::*;
use super::state::{Kind, Obj, Stream, SYNCS};
use super::stream::{Arg, Done};
use super::times::far;

impl Stream {
    pub(super) fn syncobj_create(&mut self, f: usize) {
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
    pub(super) fn keep_sync(&mut self, f: usize, slot: usize, handle: u32) {
        let syncs = &mut self.files[f].syncs;
        syncs
            .iter_mut()
            .filter(|old| **old == handle)
            .for_each(|old| *old = 0);
        syncs[slot] = handle;
    }

    /// Linux 6.1 has no syncobjs for etnaviv; where there are some, none stays.
    pub(super) fn no_syncobj(&mut self, f: usize) {
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

    pub(super) fn syncobj_destroy(&mut self, f: usize) {
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

    pub(super) fn syncobj_fd(&mut self, f: usize) {
        // Of panfrost's versions, those that know 2 (a point) are from 1.6 on.
        let unknown = if self.minor >= 6 { 2 } else { 4 };
        let flags = self.number(&[0, 1, 1, unknown]);
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

    pub(super) fn syncobj_array(&mut self, f: usize) {
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

    /// Calls for points, which no driver of Linux here has: none that changes a syncobj.
    pub(super) fn timeline(&mut self, f: usize) {
        let never = || (0x00f0_0d00, "never".to_string());
        let points = (vec![0u8; 32], String::new());
        let arg = match self.rng.below(4) {
            0 => Arg::new(&SYNCOBJ_TRANSFER)
                .put("src_handle", never())
                .put("dst_handle", never()),
            1 => Arg::new(&SYNCOBJ_TIMELINE_SIGNAL)
                .array("handles", &[never()])
                .num("count_handles", 1)
                .region("points", points.0, points.1),
            n => {
                let spec = [&SYNCOBJ_TIMELINE_WAIT, &SYNCOBJ_QUERY][n - 2];
                let arg = Arg::new(spec).region("points", points.0, points.1);
                self.handles(f, arg)
            }
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
