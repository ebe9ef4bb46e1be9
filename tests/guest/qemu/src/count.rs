// SPDX-License-Identifier: BSD-2-Clause
//! Counts the guest's instructions: this library is a TCG plugin, too, with QEMU's option
//! `-plugin`.
//!
//! Each instruction is counted by its address, which distinguishes privileged from user code. QEMU
//! counts an instruction just before it executes it, so a register access comes after its own
//! instruction was counted.
//!
//! HW: include/qemu/qemu-plugin.h of QEMU 7.2, version 1 of the interface (2 and later count by
//! processor).

use crate::qemu::symbol;
use guest_machine::config;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::fmt::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::OnceLock;

/// The counts. Only QEMU writes here, in the one thread that executes code.
static mut COUNTS: [u64; 3] = [0; 3];

/// User code: the lower half of the addresses.
const USER: usize = 0;
/// The kernel itself.
const KERNEL: usize = 1;
/// The kernel's modules.
const MODULE: usize = 2;

/// The address range of the modules. The processor's thread both writes it and translates code, so
/// no memory ordering is needed.
struct Modules {
    start: AtomicU64,
    end: AtomicU64,
    /// The halves of the start address that the guest has written.
    reported: AtomicU64,
}

/// HW: Documentation/arm64/memory.rst of Linux 6.1: with 48 bits of address and `nokaslr` the 128
/// MiB below the kernel's image, at 0xffff_8000_0800_0000, are the modules'. The guest's script
/// checks it. FreeBSD loads a module at any free address of the kernel's map (its image is at
/// 0xffff_0000_0000_0000), so its script writes the address.
static MODULES: Modules = Modules::new(0xffff_8000_0000_0000..0xffff_8000_0800_0000);

impl Modules {
    const fn new(range: Range<u64>) -> Modules {
        Modules {
            start: AtomicU64::new(range.start),
            end: AtomicU64::new(range.end),
            reported: AtomicU64::new(0),
        }
    }

    /// The guest wrote into the mailbox.
    fn report(&self, register: u32, value: u32) {
        const LOW: u64 = 0xffff_ffff;
        let reported = self.reported.load(Relaxed);
        let value = u64::from(value);
        match register {
            config::MAIL_MODULE_LOW => self.reported.store(reported & !LOW | value, Relaxed),
            config::MAIL_MODULE_HIGH => self.reported.store(reported & LOW | value << 32, Relaxed),
            config::MAIL_MODULE_LENGTH => {
                self.start.store(reported, Relaxed);
                self.end.store(reported.saturating_add(value), Relaxed);
            }
            _ => (),
        }
    }

    /// The counter for an instruction at an address.
    fn class(&self, address: u64) -> usize {
        match address {
            _ if (self.start.load(Relaxed)..self.end.load(Relaxed)).contains(&address) => MODULE,
            0x8000_0000_0000_0000.. => KERNEL,
            _ => USER,
        }
    }
}

/// The guest wrote the address of its module into the mailbox.
pub(crate) fn report(register: u32, value: u32) {
    MODULES.report(register, value);
}

/// The content of a line of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// The guest wrote into the mailbox.
    Mark,
    /// An interrupt line goes up.
    Rise,
    /// An interrupt line goes down.
    Fall,
}

/// `NS mark|rise|fall VALUE USER KERNEL MODULE` for each, in a file that is written at the end.
pub(crate) struct Log {
    path: PathBuf,
    lines: String,
}

impl Log {
    pub(crate) fn new(path: PathBuf) -> Log {
        Log {
            path,
            lines: String::new(),
        }
    }

    pub(crate) fn note(&mut self, now: u64, what: What, value: u64) {
        let what = match what {
            What::Mark => "mark",
            What::Rise => "rise",
            What::Fall => "fall",
        };
        // SAFETY: three words that are read while the thread that executes code is in this call, or
        // has not the lock that is held.
        let [user, kernel, module] = unsafe { (&raw const COUNTS).read_volatile() };
        let _ = writeln!(self.lines, "{now} {what} {value} {user} {kernel} {module}");
    }

    pub(crate) fn write(&self) -> std::io::Result<()> {
        std::fs::write(&self.path, &self.lines)
    }
}

/// The plugin interface's functions.
struct Plugin {
    instructions: unsafe extern "C" fn(*const c_void) -> usize,
    instruction: unsafe extern "C" fn(*const c_void, usize) -> *mut c_void,
    address: unsafe extern "C" fn(*const c_void) -> u64,
    execute_inline: unsafe extern "C" fn(*mut c_void, c_int, *mut c_void, u64),
}

type TranslatedFn = unsafe extern "C" fn(u64, *mut c_void);
type OnTranslation = unsafe extern "C" fn(u64, TranslatedFn);

static PLUGIN: OnceLock<Plugin> = OnceLock::new();

impl Plugin {
    fn find() -> Option<Plugin> {
        // SAFETY: the types are those of QEMU's header.
        unsafe {
            Some(Plugin {
                instructions: std::mem::transmute::<
                    *mut c_void,
                    unsafe extern "C" fn(*const c_void) -> usize,
                >(symbol("qemu_plugin_tb_n_insns")?),
                instruction: std::mem::transmute::<
                    *mut c_void,
                    unsafe extern "C" fn(*const c_void, usize) -> *mut c_void,
                >(symbol("qemu_plugin_tb_get_insn")?),
                address: std::mem::transmute::<
                    *mut c_void,
                    unsafe extern "C" fn(*const c_void) -> u64,
                >(symbol("qemu_plugin_insn_vaddr")?),
                execute_inline: std::mem::transmute::<
                    *mut c_void,
                    unsafe extern "C" fn(*mut c_void, c_int, *mut c_void, u64),
                >(symbol(
                    "qemu_plugin_register_vcpu_insn_exec_inline",
                )?),
            })
        }
    }
}

/// Called when a block of code is translated: adds a count to each of its instructions.
unsafe extern "C" fn translated(_: u64, block: *mut c_void) {
    const ADD_U64: c_int = 0;
    let Some(plugin) = PLUGIN.get() else { return };
    // SAFETY: QEMU's block, valid in this call.
    for n in 0..unsafe { (plugin.instructions)(block) } {
        // SAFETY: an index below the number of instructions, and what it gives.
        unsafe {
            let instruction = (plugin.instruction)(block, n);
            let counter = (&raw mut COUNTS)
                .cast::<u64>()
                .add(MODULES.class((plugin.address)(instruction)));
            (plugin.execute_inline)(instruction, ADD_U64, counter.cast(), 1);
        }
    }
}

/// The version of the plugin interface.
#[export_name = "qemu_plugin_version"]
pub static VERSION: c_uint = 1;

/// Called by QEMU when the plugin is loaded; 0 is success.
#[export_name = "qemu_plugin_install"]
pub extern "C" fn install(id: u64, _: *const c_void, _: c_int, _: *const *const c_char) -> c_int {
    let (Some(plugin), Some(register)) = (
        Plugin::find(),
        symbol("qemu_plugin_register_vcpu_tb_trans_cb"),
    ) else {
        eprintln!("qemu_board: this QEMU has not the plugin interface of 7.2");
        return 1;
    };
    if PLUGIN.set(plugin).is_err() {
        return 1;
    }
    // SAFETY: the type is that of QEMU's header; the callback is there for as long as the process.
    unsafe { std::mem::transmute::<*mut c_void, OnTranslation>(register)(id, translated) };
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_distinguish_code() {
        let class = |address| MODULES.class(address);
        assert_eq!(class(0x0000_ffff_8800_0000), USER);
        assert_eq!(class(0xffff_8000_0800_0000), KERNEL);
        assert_eq!(class(0xffff_8000_07ff_fffc), MODULE);
        assert_eq!(class(0xffff_8000_0000_0000), MODULE);
        assert_eq!(class(0xffff_0000_4000_0000), KERNEL);
    }

    #[test]
    fn a_guest_reports_its_module() {
        let modules = Modules::new(0xffff_8000_0000_0000..0xffff_8000_0800_0000);
        let at = 0xffff_0000_a123_4000;
        for (low, high) in [(0xffff_f000, 0xffff_ffff), (0xa123_4000, 0xffff_0000)] {
            modules.report(config::MAIL_MODULE_LOW, low);
            modules.report(config::MAIL_MODULE_HIGH, high);
            modules.report(config::MAIL_MARK, 7);
            modules.report(config::MAIL_MODULE_LENGTH, 0x5000);
        }
        let classes = [at - 4, at, at + 0x4ffc, at + 0x5000].map(|address| modules.class(address));
        assert_eq!(classes, [KERNEL, MODULE, MODULE, KERNEL]);
        assert_eq!(
            modules.class(0xffff_8000_0000_0000),
            KERNEL,
            "no longer Linux's"
        );
        modules.report(config::MAIL_MODULE_LOW, 0);
        assert_eq!(modules.class(at), MODULE, "the length makes it valid");
    }
}
