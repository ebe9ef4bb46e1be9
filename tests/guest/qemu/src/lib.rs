// SPDX-License-Identifier: BSD-2-Clause
//! A shared object for LD_PRELOAD: it adds a board's GPU to the `virt` machine of an unmodified
//! qemu-system-aarch64.
//!
//! Debian's QEMU is built with modules and therefore exports its functions; they are looked up by
//! name when the object is loaded, so that it has no effect on other processes, which inherit
//! LD_PRELOAD. `Machine` of crate guest_machine runs the models; this crate connects it to QEMU.
//! `drmboard vm` starts QEMU with it.
//!
//! QEMU calls all callbacks with its big lock held, so no thread ever waits for the mutex around
//! the machine.

#![warn(missing_docs)]

mod count;
mod device;
mod qemu;

use guest_machine::Config;
use std::ffi::{c_int, c_void};

/// Runs before QEMU's main.
extern "C" fn load() {
    let Some(qemu) = qemu::Qemu::find() else {
        return;
    };
    match Config::from_env() {
        Ok(config) => device::add_when_ready(qemu, config),
        Err(why) => die(&why),
    }
}

#[used]
#[link_section = ".init_array"]
static LOAD: extern "C" fn() = load;

/// Ends QEMU: without the GPU the machine is useless.
fn die(why: &str) -> ! {
    eprintln!("qemu_board: {why}");
    std::process::exit(1)
}

/// QEMU's `Notifier`: a callback and its place in a list (include/qemu/notify.h).
#[repr(C)]
struct Notifier {
    notify: extern "C" fn(*mut Notifier, *mut c_void),
    node: [*mut c_void; 2],
}

impl Notifier {
    /// A notifier that is never freed.
    fn leak(notify: extern "C" fn(*mut Notifier, *mut c_void)) -> *mut Notifier {
        let node = [std::ptr::null_mut(); 2];
        Box::into_raw(Box::new(Notifier { notify, node }))
    }
}

/// QEMU's `qemu_irq` and others that are only handed back.
type Handle = *mut c_void;
/// `QEMU_CLOCK_VIRTUAL`.
const VIRTUAL: c_int = 1;
