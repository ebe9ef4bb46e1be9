// SPDX-License-Identifier: BSD-2-Clause
//! QEMU's functions, by name, with the types of its 7.2 headers; the types of those used here are
//! the same from 5.0 to 10.0.

use crate::{Handle, Notifier};
use std::ffi::{c_char, c_int, c_uint, c_void, CString};

/// `MemoryRegionOps` (include/exec/memory.h).
#[repr(C)]
pub(crate) struct Ops {
    pub(crate) read: extern "C" fn(*mut c_void, u64, c_uint) -> u64,
    pub(crate) write: extern "C" fn(*mut c_void, u64, u64, c_uint),
    pub(crate) read_with_attrs: *const c_void,
    pub(crate) write_with_attrs: *const c_void,
    /// 2: little.
    pub(crate) endianness: c_int,
    pub(crate) valid: Valid,
    pub(crate) done: Done,
}

/// Accesses that the device accepts; others are bus errors.
#[repr(C)]
pub(crate) struct Valid {
    pub(crate) min: c_uint,
    pub(crate) max: c_uint,
    pub(crate) unaligned: bool,
    pub(crate) accepts: *const c_void,
}

/// Accesses that the callbacks implement.
#[repr(C)]
pub(crate) struct Done {
    pub(crate) min: c_uint,
    pub(crate) max: c_uint,
    pub(crate) unaligned: bool,
}

/// Room for a `MemoryRegion` or a `QEMUTimer`, whose layouts are unknown here: they have 272 and 48
/// bytes.
#[repr(C, align(64))]
pub(crate) struct Opaque([u8; 4096]);

impl Opaque {
    /// Zeroed memory that is never freed.
    pub(crate) fn leak() -> *mut c_void {
        Box::into_raw(Box::new(Opaque([0; 4096]))).cast()
    }
}

macro_rules! functions {
    ($($name:ident: fn($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        /// The functions.
        #[derive(Clone, Copy)]
        pub(crate) struct Qemu {
            $(pub(crate) $name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)*
            /// `AddressSpace address_space_memory`.
            pub(crate) address_space_memory: Address,
        }

        impl Qemu {
            /// Finds all functions; None in a process that is not QEMU.
            pub(crate) fn find() -> Option<Qemu> {
                Some(Qemu {
                    $($name: {
                        type Function = unsafe extern "C" fn($($arg),*) $(-> $ret)?;
                        let found = symbol(stringify!($name))?;
                        // SAFETY: the type is that of QEMU's header.
                        unsafe { std::mem::transmute::<*mut c_void, Function>(found) }
                    },)*
                    address_space_memory: Address(symbol("address_space_memory")?),
                })
            }
        }
    };
}

/// An object of QEMU that is never freed.
#[derive(Clone, Copy)]
pub(crate) struct Address(pub(crate) *mut c_void);

// SAFETY: it is only handed to QEMU's functions, with the big lock held.
unsafe impl Send for Address {}

functions! {
    qemu_add_machine_init_done_notifier: fn(*mut Notifier);
    qemu_add_exit_notifier: fn(*mut Notifier);
    get_system_memory: fn() -> Handle;
    memory_region_init_io: fn(Handle, Handle, *const Ops, *mut c_void, *const c_char, u64);
    memory_region_add_subregion_overlap: fn(Handle, u64, Handle, c_int);
    object_resolve_path_type: fn(*const c_char, *const c_char, *mut bool) -> Handle;
    qdev_get_gpio_in: fn(Handle, c_int) -> Handle;
    qemu_set_irq: fn(Handle, c_int);
    qemu_allocate_irq: fn(extern "C" fn(*mut c_void, c_int, c_int), *mut c_void, c_int) -> Handle;
    qdev_connect_gpio_out: fn(Handle, c_int, Handle);
    timer_init_full:
        fn(Handle, Handle, c_int, c_int, c_int, extern "C" fn(*mut c_void), *mut c_void);
    timer_mod_ns: fn(Handle, i64);
    timer_del: fn(Handle);
    qemu_clock_get_ns: fn(c_int) -> i64;
    cpu_disable_ticks: fn();
    cpu_enable_ticks: fn();
    // The attributes are a structure of at most eight bytes, passed in one register; bit 0 is
    // `unspecified`.
    address_space_rw: fn(Handle, u64, u64, *mut c_void, u64, bool) -> u32;
}

pub(crate) fn symbol(name: &str) -> Option<*mut c_void> {
    let name = CString::new(name).ok()?;
    // SAFETY: a string that ends with a zero.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}
