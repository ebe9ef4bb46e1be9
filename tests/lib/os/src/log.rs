// SPDX-License-Identifier: BSD-2-Clause
//! The log: a ring of lines, also written to descriptor 2 when `DRM_OS_LOG` is set in the
//! environment.

use crate::device::Dev;
use crate::sys;
use crate::trace::Trace;
use crate::util::{fatal, lk, raw_line};
use crate::world::Inner;
use std::collections::VecDeque;
use std::ffi::c_char;
use std::sync::{Mutex, OnceLock};

const LINES: usize = 4096;

#[derive(Default)]
pub(crate) struct Log {
    lines: Mutex<VecDeque<String>>,
}

fn mirrored() -> bool {
    static SET: OnceLock<bool> = OnceLock::new();
    *SET.get_or_init(|| std::env::var_os("DRM_OS_LOG").is_some())
}

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        lk(&self.lines).iter().cloned().collect()
    }

    fn push(&self, line: String) {
        let mut l = lk(&self.lines);
        if l.len() == LINES {
            l.pop_front();
        }
        l.push_back(line);
    }
}

unsafe fn text(msg: *const c_char, len: usize) -> String {
    if msg.is_null() || len == 0 {
        return String::new();
    }
    // SAFETY: the header promises len bytes.
    String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(msg.cast(), len) }).into_owned()
}

pub(crate) mod exports {
    use super::*;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_log(
        os: *mut sys::drm_os,
        dev: *mut sys::drm_os_dev,
        level: u32,
        msg: *const c_char,
        len: usize,
    ) {
        let w = Inner::of(os);
        let text = text(msg, len);
        let dev = if dev.is_null() {
            None
        } else {
            Some(Dev::of(dev).name.clone())
        };
        let line = match &dev {
            Some(d) => format!("<{level}> {d}: {text}"),
            None => format!("<{level}> {text}"),
        };
        if mirrored() {
            let t = w.now();
            raw_line(&format!(
                "[{:6}.{:06}] {line}",
                t / 1_000_000_000,
                t / 1000 % 1_000_000
            ));
        }
        w.log.push(line);
        w.tracer.emit(|| Trace::Log {
            t: w.now(),
            dev,
            level,
            text,
        });
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_panic(msg: *const c_char, len: usize) {
        fatal(&format!("panic: {}", text(msg, len)));
    }
}
