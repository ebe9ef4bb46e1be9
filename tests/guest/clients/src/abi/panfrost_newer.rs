// SPDX-License-Identifier: BSD-2-Clause
//! Calls that panfrost got from 1.4 to 1.6: labels, job-manager contexts, buffers that are mapped
//! cached.
//!
//! A priority that the caller may not have, or that does not exist, is never asked for: Linux 7.2
//! dereferences a null pointer when it refuses one.

use super::spec::Class;
use super::specs::pan;
use super::state::{Stream, CONTEXTS};
use super::stream::Arg;

/// The longest label that is taken, with its terminator.
const LABEL: usize = 4096;

impl Stream {
    /// One of the newer calls.
    pub fn pan_newer(&mut self, f: usize) {
        match self.rng.below(100) {
            0..20 => self.pan_label(f),
            20..40 => self.pan_context_create(f),
            40..50 => self.pan_context_destroy(f),
            50..80 => self.pan_sync(f),
            _ => self.pan_query(f),
        }
    }

    fn pan_label(&mut self, f: usize) {
        let handle = self.gem(f);
        let pad = self.rng.pick(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let arg = Arg::new(&pan::SET_LABEL_BO)
            .put("handle", handle)
            .num("pad", pad);
        let string = |len: usize| {
            let mut bytes = vec![b'x'; len];
            bytes.push(0);
            bytes
        };
        let arg = match self.rng.below(10) {
            0..2 => arg.put("label", (0, "null".into())),
            2 => arg.put("label", (0x1000, "low".into())),
            3 => arg.put("label", (self.arena.guard() as u64, "guard".into())),
            n => {
                let len = [0, 1, 16, 100, LABEL - 1, LABEL][n - 4];
                arg.region("label", string(len), format!("{len} bytes"))
            }
        };
        self.call(f, arg);
    }

    /// A handle of a context, mostly a good one: 0 is the default context of each file.
    pub fn context(&mut self, f: usize) -> (u64, String) {
        let nth = self.rng.below(CONTEXTS);
        match self.rng.below(100) {
            0..5 => (0x00f0_0d00, "never".to_string()),
            5..40 => (0, "0".to_string()),
            _ => {
                let handle = u64::from(self.files[f].contexts[nth]);
                let name = self.names.get(Class::Context, f, handle);
                name.map_or((0, "0".to_string()), |name| (handle, name.to_string()))
            }
        }
    }

    fn pan_context_create(&mut self, f: usize) {
        let priority = self.rng.pick(&[0, 1, 1, 2]);
        let priority = if self.unprivileged { 1 } else { priority };
        let nth = self.rng.below(CONTEXTS);
        let arg = Arg::new(&pan::JM_CTX_CREATE).num("priority", priority);
        if let Some(handle) = self.call(f, arg).get("handle") {
            let old = std::mem::replace(&mut self.files[f].contexts[nth], handle as u32);
            let gone = self.names.get(Class::Context, f, u64::from(old)).is_some();
            if gone && u64::from(old) != handle {
                let _ = self.silently(f, &pan::JM_CTX_DESTROY, &[("handle", u64::from(old))]);
                self.names.forget(Class::Context, f, u64::from(old));
            }
        }
    }

    fn pan_context_destroy(&mut self, f: usize) {
        let handle = self.context(f);
        let pad = self.rng.pick(&[0, 0, 0, 0, 1]);
        let arg = Arg::new(&pan::JM_CTX_DESTROY)
            .put("handle", handle.clone())
            .num("pad", pad);
        if self.call(f, arg).error == 0 {
            self.names.forget(Class::Context, f, handle.0);
        }
    }

    fn pan_sync(&mut self, f: usize) {
        let count = self.rng.pick(&[0, 1, 1, 1, 2, 3]);
        let (mut bytes, mut text) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (handle, name) = self.gem(f);
            let kind = self.rng.pick(&[0, 0, 0, 1, 1, 1, 2]);
            let offset = self.rng.pick(&[0, 0, 0, 4, 4096, 0xffff_f000]);
            let size = self.rng.pick(&[0, 1, 64, 4096, 8192, 0xffff_ffff]);
            for word in [handle as u32, kind, offset, size] {
                bytes.extend(word.to_ne_bytes());
            }
            text.push(format!("{name}:{kind}:{offset:#x}+{size:#x}"));
        }
        let pad = self.rng.pick(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let mut arg = Arg::new(&pan::SYNC_BO)
            .num("op_count", count)
            .num("pad", pad)
            .region("ops", bytes, format!("[{}]", text.join(" ")));
        match self.rng.below(20) {
            0 => arg = arg.put("ops", (0x1000, "low".into())),
            1 => arg = arg.put("ops", (0, "null".into())),
            _ => {}
        }
        self.call(f, arg);
    }

    fn pan_query(&mut self, f: usize) {
        let handle = self.gem(f);
        let pad = self.rng.pick(&[0, 0, 0, 0, 1]);
        let arg = Arg::new(&pan::QUERY_BO_INFO)
            .put("handle", handle)
            .num("pad", pad);
        self.call(f, arg);
    }
}
