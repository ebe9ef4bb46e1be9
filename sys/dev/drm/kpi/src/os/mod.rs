// SPDX-License-Identifier: BSD-2-Clause
//! Safe types for the functions of `drm_os.h`. One of the three places where unsafe code is
//! allowed. A wrapper adds ownership and lifetimes, but no policy.
// UNSAFETY: every function here calls C.
#![expect(unsafe_code, reason = "calls drm_os.h")]

#[expect(
    non_camel_case_types,
    unreachable_pub,
    dead_code,
    reason = "made by bindgen; documented in drm_os.h"
)]
pub(crate) mod bindings;
mod caller;
mod condvar;
mod cred;
mod device;
mod errno_check;
mod file;
mod from_c;
mod irq;
mod lock;
mod log_limit;
mod mmio;
mod node;
mod object;
mod page;
mod page_run;
mod pool;
mod power;
mod task;

pub use caller::{Caller, UserSlice, Words};
pub use condvar::Condvar;
pub(crate) use cred::Cred;
pub use device::Dev;
pub use file::FdFlags;
pub use irq::Irq;
pub use lock::{Mtx, MtxGuard, Sx, SxGuard};
pub use log_limit::LogLimit;
pub use mmio::Mmio;
pub use node::NodeKind;
pub use object::{KernelMap, MemAttr, Object, UserMapping};
pub use page::{Page, PageView};
pub use page_run::PageRun;
pub use pool::Pooled;
pub use power::{Clk, Regulator, Reset};
pub use task::{Task, TaskQueue};

pub(crate) use file::{FileRef, NewFile, PlainFile, Waker};
pub(crate) use from_c::argument;
pub(crate) use node::{Node, NodeOps};

use bindings as c;
use core::fmt::Write;

/// The deadline that never comes.
pub const NEVER: u64 = u64::MAX;

/// Bytes in a page.
pub const PAGE_SIZE: u64 = 4096;

/// An instance of the operating system: the only one on FreeBSD, one per world on the host.
///
/// # Invariants
///
/// The instance outlives every value made with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Os(*mut c::drm_os);

// SAFETY: the C side locks for itself.
unsafe impl Send for Os {}
// SAFETY: as above.
unsafe impl Sync for Os {}

/// The direction of cache maintenance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncDir {
    /// The CPU wrote, the device will read.
    ForDevice,
    /// The device wrote, the CPU will read.
    ForCpu,
}

impl SyncDir {
    fn raw(self) -> u32 {
        match self {
            SyncDir::ForDevice => c::DRM_OS_SYNC_FOR_DEVICE,
            SyncDir::ForCpu => c::DRM_OS_SYNC_FOR_CPU,
        }
    }
}

/// The severity of a log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Something failed that should not.
    Error,
    /// A client or the device misbehaved; the driver coped.
    Warning,
    /// Information.
    Info,
}

impl Os {
    /// Wraps an instance of C.
    ///
    /// # Safety
    ///
    /// `raw` outlives every value made with the result.
    pub(crate) unsafe fn from_raw(raw: *mut c::drm_os) -> Os {
        // INVARIANT: as the caller promises.
        Os(raw)
    }

    /// The instance of a world, for unit tests, which keep the world alive.
    #[cfg(test)]
    pub(crate) fn of_world(world: &drm_os_host::World) -> Os {
        Os(world.as_raw().cast())
    }

    pub(crate) fn as_ptr(self) -> *mut c::drm_os {
        self.0
    }

    /// The monotonic clock, in ns.
    pub fn now(self) -> u64 {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_now(self.0) }
    }

    /// The frequency of the CPUs' timer, in Hz.
    pub fn timer_hz(self) -> u64 {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_timer_hz(self.0) }
    }

    /// Spins for about `ns` ns; for a few microseconds at most.
    pub fn delay(self, ns: u64) {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_delay(self.0, ns) }
    }

    /// Sleeps for at least `ns` ns.
    pub fn sleep(self, ns: u64) {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_sleep(self.0, ns) }
    }

    /// The size of RAM in bytes.
    pub fn physmem(self) -> u64 {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_physmem(self.0) }
    }

    /// A number that is never returned again.
    pub fn unique(self) -> u64 {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_unique(self.0) }
    }

    /// A tunable, or `value` if it is not set.
    pub fn tunable(self, name: &'static core::ffi::CStr, value: u64) -> u64 {
        // SAFETY: live by the invariant; the name is static.
        unsafe { c::drm_os_tunable(self.0, name.as_ptr(), value) }
    }
}

/// A line of text on the stack, which is cut if it is too long.
struct Line {
    text: [u8; 240],
    len: usize,
}

impl Line {
    fn of(args: core::fmt::Arguments<'_>) -> Line {
        let mut line = Line {
            text: [0; 240],
            len: 0,
        };
        // A Line takes everything; formatting integers and strings cannot fail.
        let _ = line.write_fmt(args);
        line
    }
}

impl Write for Line {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let (end, size) = (self.len.checked_add(s.len()), self.text.len());
        let end = end.map_or(size, |end| end.min(size));
        let room = self.text.get_mut(self.len..end).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(s.as_bytes()) {
            *to = *from;
        }
        self.len = end;
        Ok(())
    }
}

fn log(os: *mut c::drm_os, dev: *mut c::drm_os_dev, level: Level, args: core::fmt::Arguments<'_>) {
    let line = Line::of(args);
    let level = match level {
        Level::Error => c::DRM_OS_LOG_ERR,
        Level::Warning => c::DRM_OS_LOG_WARNING,
        Level::Info => c::DRM_OS_LOG_INFO,
    };
    // SAFETY: the handles are live or null as C allows, the text is `len` bytes long.
    unsafe { c::drm_os_log(os, dev, level, line.text.as_ptr().cast(), line.len) }
}

/// Panics: an invariant does not hold.
pub(crate) fn fatal(why: &str) -> ! {
    panicked(format_args!("{why}"))
}

/// Panics with a message of one line, which is cut if it is too long. For panic handlers; callable
/// with any lock held.
pub fn panicked(why: core::fmt::Arguments<'_>) -> ! {
    let line = Line::of(why);
    // SAFETY: the text is `len` bytes long.
    unsafe { c::drm_os_panic(line.text.as_ptr().cast(), line.len) };
    // C does not return, which bindgen does not express.
    loop {
        core::hint::spin_loop();
    }
}
