// SPDX-License-Identifier: BSD-2-Clause
//! A panic of Rust code is a panic of the kernel: it says where and why, in the words of `core`.
// UNSAFETY: calls one function of drm_os.h, which the crates below keep to themselves.
#![expect(unsafe_code, reason = "calls drm_os_panic")]

use core::ffi::c_char;
use core::fmt::{self, Write};
use core::panic::PanicInfo;

extern "C" {
    fn drm_os_panic(msg: *const c_char, len: usize) -> !;
}

/// What fits of a text, on the stack: whoever panics may hold any lock, and the stack may be nearly used up.
struct Message {
    text: [u8; 256],
    len: usize,
}

impl Write for Message {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let room = self.text.get_mut(self.len..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(s.bytes()) {
            *to = from;
            self.len = self.len.saturating_add(1);
        }
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut message = Message {
        text: [0; 256],
        len: 0,
    };
    // On one line, unlike PanicInfo itself. A Message takes everything and drops what does not fit.
    if let Some(place) = info.location() {
        let _ = write!(message, "{place}: ");
    }
    let _ = write!(message, "{}", info.message());
    // SAFETY: the first `len` bytes of the text are there; C reads no more and does not come back.
    unsafe { drm_os_panic(message.text.as_ptr().cast(), message.len) }
}
