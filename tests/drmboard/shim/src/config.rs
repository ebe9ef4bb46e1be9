// SPDX-License-Identifier: BSD-2-Clause
//! The configuration, from the environment at the time when the library was loaded. A program may
//! change its environment later; its children get these values (see `exec`).

use crate::control::Raw;
use libc::c_char;
use std::cell::UnsafeCell;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

/// Names of the variables, in the order of [`Config::values`].
pub(crate) const NAMES: [&CStr; 6] = [
    c"DRMBOARD_SOCKET",
    c"DRMBOARD_BOARD",
    c"DRMBOARD_SHIM_DIR",
    c"DRMBOARD_QEMU",
    c"DRMBOARD_SYSROOT",
    c"LD_PRELOAD",
];
const SOCKET: usize = 0;
const SHIM_DIR: usize = 2;
const QEMU: usize = 3;
const SYSROOT: usize = 4;

/// The longest value; a longer one counts as unset.
const MAX: usize = 1024;

pub(crate) struct Config {
    values: [[u8; MAX]; NAMES.len()],
    lens: [usize; NAMES.len()],
}

struct Cell(UnsafeCell<Config>);
// SAFETY: written only by the thread that moved STATE from 0 to 1, read only after it is 2.
unsafe impl Sync for Cell {}

static CONFIG: Cell = Cell(UnsafeCell::new(Config {
    values: [[0; MAX]; NAMES.len()],
    lens: [0; NAMES.len()],
}));
static STATE: AtomicU32 = AtomicU32::new(0);

impl Config {
    /// Abstract name of the listener, without its leading zero byte.
    pub(crate) fn socket(&self) -> &[u8] {
        self.value(SOCKET)
    }
    pub(crate) fn shim_dir(&self) -> &[u8] {
        self.value(SHIM_DIR)
    }
    pub(crate) fn qemu(&self) -> &[u8] {
        self.value(QEMU)
    }
    pub(crate) fn sysroot(&self) -> &[u8] {
        self.value(SYSROOT)
    }
    /// The value of `NAMES[index]`, empty if unset.
    pub(crate) fn value(&self, index: usize) -> &[u8] {
        &self.values[index][..self.lens[index]]
    }
}

/// The configuration; read from the environment by the first call.
pub(crate) fn get() -> &'static Config {
    if STATE.load(Ordering::Acquire) != 2 {
        if STATE
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
        {
            // SAFETY: this thread alone won the exchange.
            let config = unsafe { &mut *CONFIG.0.get() };
            for (i, name) in NAMES.iter().enumerate() {
                // SAFETY: NUL-ended name; the value is copied before anyone can change the
                // environment.
                let value = unsafe { libc::getenv(name.as_ptr()) };
                if !value.is_null() {
                    // SAFETY: getenv gives a NUL-ended string.
                    let bytes = unsafe { CStr::from_ptr(value) }.to_bytes();
                    if bytes.len() < MAX {
                        config.values[i][..bytes.len()].copy_from_slice(bytes);
                        config.lens[i] = bytes.len();
                    }
                }
            }
            STATE.store(2, Ordering::Release);
        } else {
            while STATE.load(Ordering::Acquire) != 2 {
                std::hint::spin_loop();
            }
        }
    }
    // SAFETY: STATE is 2: nothing writes to it from then on.
    unsafe { &*CONFIG.0.get() }
}

extern "C" {
    static program_invocation_short_name: *const c_char;
}

/// The program's name, at most 64 bytes. Under qemu-user /proc would name QEMU instead.
pub(crate) fn program_name() -> Raw {
    // SAFETY: glibc sets the pointer before any constructor runs.
    let name = unsafe { program_invocation_short_name };
    if name.is_null() {
        return Raw::NONE;
    }
    // SAFETY: a NUL-ended string of the C library.
    let len = unsafe { CStr::from_ptr(name) }.to_bytes().len().min(64);
    Raw {
        at: name.cast_mut().cast(),
        len,
    }
}

extern "C" fn load() {
    get();
}

#[used]
#[link_section = ".init_array"]
static LOAD: extern "C" fn() = load;
