// SPDX-License-Identifier: BSD-2-Clause
//! A toy device, short names for C calls, and a helper to observe how a process dies.
#![allow(dead_code, reason = "each test program uses a part")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "calls of drm_os.h as C makes them, with handles that the test made"
)]

use drm_os_host::{sys, Config, Device, Dma, Hardware, Node, World};
use std::any::Any;
use std::ffi::{c_void, CStr};
use std::io::Read;
use std::os::fd::FromRawFd;

pub const TIMER: u32 = 0x04;
pub const STATUS: u32 = 0x08;
pub const CLEAR: u32 = 0x0c;
pub const SRC: u32 = 0x10;
pub const DST: u32 = 0x18;
pub const COPY: u32 = 0x20;
pub const MMIO_LEN: usize = 0x100;

pub const ST_TIMER: u32 = 1;
pub const ST_COPIED: u32 = 2;
pub const ST_BAD: u32 = 4;

/// A timer that raises line 0, and a copy engine.
pub struct Toy {
    pub regs: [u32; 64],
    pub fires: Option<u64>,
    pub on: bool,
    pub power_changes: u32,
}

impl Default for Toy {
    fn default() -> Toy {
        Toy {
            regs: [0; 64],
            fires: None,
            on: false,
            power_changes: 0,
        }
    }
}

impl Toy {
    fn pair(&self, off: u32) -> u64 {
        let i = off as usize / 4;
        u64::from(self.regs[i]) | u64::from(self.regs[i + 1]) << 32
    }

    fn raise(&mut self, bus: &mut dyn Dma, bits: u32) {
        self.regs[STATUS as usize / 4] |= bits;
        bus.irq(0, self.regs[STATUS as usize / 4] != 0);
    }
}

impl Hardware for Toy {
    fn mmio_read(&mut self, _bus: &mut dyn Dma, _now: u64, off: u32) -> u32 {
        self.regs[off as usize / 4]
    }

    fn mmio_write(&mut self, bus: &mut dyn Dma, now: u64, off: u32, val: u32) {
        match off {
            TIMER => self.fires = Some(now + u64::from(val)),
            CLEAR => {
                self.regs[STATUS as usize / 4] &= !val;
                bus.irq(0, self.regs[STATUS as usize / 4] != 0);
            }
            COPY => {
                let mut buf = vec![0; val as usize];
                let r = bus
                    .read(self.pair(SRC), &mut buf)
                    .and_then(|()| bus.write(self.pair(DST), &buf));
                self.raise(bus, if r.is_ok() { ST_COPIED } else { ST_BAD });
            }
            _ => self.regs[off as usize / 4] = val,
        }
    }

    fn next_event(&self) -> Option<u64> {
        self.fires
    }

    fn poll(&mut self, bus: &mut dyn Dma, now: u64) {
        if self.fires.is_some_and(|t| t <= now) {
            self.fires = None;
            self.raise(bus, ST_TIMER);
        }
    }

    fn set_power(&mut self, _bus: &mut dyn Dma, _now: u64, on: bool) {
        self.on = on;
        self.power_changes += 1;
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

pub fn node() -> Node {
    Node {
        name: "toy0".into(),
        compatible: vec!["acme,toy-2".into(), "acme,toy".into()],
        mmio_len: MMIO_LEN as u32,
        irqs: vec!["event".into(), "spare".into()],
        ..Node::default()
    }
}

pub fn virtual_toy(cfg: Config) -> (World, Device) {
    let w = World::new(cfg);
    let d = w.add_device(node(), Box::<Toy>::default());
    (w, d)
}

pub fn with_toy<R>(d: &Device, f: impl FnOnce(&mut Toy) -> R) -> R {
    d.with_hardware(|hw| f(hw.as_any().downcast_mut::<Toy>().unwrap()))
}

/// Calls a C function that stores a handle; returns the handle or the error.
pub fn make<T>(f: impl FnOnce(*mut *mut T) -> i32) -> Result<*mut T, i32> {
    let mut p = std::ptr::null_mut();
    match f(&mut p) {
        0 => Ok(p),
        e => {
            assert!(p.is_null(), "a call that fails stores nothing");
            Err(e)
        }
    }
}

pub fn mtx(w: &World, name: &CStr) -> *mut sys::drm_os_mtx {
    make(|p| unsafe { sys::drm_os_mtx_create(w.as_raw(), name.as_ptr(), p) }).unwrap()
}

pub fn sx(w: &World, name: &CStr) -> *mut sys::drm_os_sx {
    make(|p| unsafe { sys::drm_os_sx_create(w.as_raw(), name.as_ptr(), p) }).unwrap()
}

pub fn cv(w: &World, name: &CStr) -> *mut sys::drm_os_cv {
    make(|p| unsafe { sys::drm_os_cv_create(w.as_raw(), name.as_ptr(), p) }).unwrap()
}

pub fn queue(w: &World, name: &CStr) -> *mut sys::drm_os_taskqueue {
    let urgent = sys::DRM_OS_QUEUE_URGENT;
    make(|p| unsafe { sys::drm_os_taskqueue_create(w.as_raw(), name.as_ptr(), urgent, p) }).unwrap()
}

pub fn task<T>(
    q: *mut sys::drm_os_taskqueue,
    f: unsafe extern "C" fn(*mut c_void),
    arg: &T,
) -> *mut sys::drm_os_task {
    let arg = std::ptr::from_ref(arg).cast_mut().cast();
    make(|p| unsafe { sys::drm_os_task_create(q, Some(f), arg, p) }).unwrap()
}

pub fn mmio(d: &Device) -> *mut sys::drm_os_mmio {
    make(|p| unsafe { sys::drm_os_mmio_map(d.as_raw(), std::ptr::null(), MMIO_LEN, p) }).unwrap()
}

pub fn irq<T>(d: &Device, f: unsafe extern "C" fn(*mut c_void), arg: &T) -> *mut sys::drm_os_irq {
    let arg = std::ptr::from_ref(arg).cast_mut().cast();
    make(|p| unsafe { sys::drm_os_irq_setup(d.as_raw(), c"event".as_ptr(), Some(f), arg, p) })
        .unwrap()
}

pub fn object(d: &Device, pages: u64, attr: u32) -> *mut sys::drm_os_object {
    make(|p| unsafe { sys::drm_os_object_create(d.as_raw(), pages * 4096, attr, p) }).unwrap()
}

pub fn wire(o: *mut sys::drm_os_object, first: u64, count: usize) -> Result<Vec<u64>, i32> {
    let mut pa = vec![0; count];
    match unsafe { sys::drm_os_object_wire(o, first, count as u64, pa.as_mut_ptr()) } {
        0 => Ok(pa),
        e => Err(e),
    }
}

pub fn page(d: &Device) -> u64 {
    let mut pa = 0;
    assert_eq!(unsafe { sys::drm_os_page_alloc(d.as_raw(), &mut pa) }, 0);
    pa
}

pub fn kva(d: &Device, pa: u64) -> *mut u8 {
    let p = unsafe { sys::drm_os_page_kva(d.as_raw(), pa) };
    assert!(!p.is_null());
    p.cast()
}

/// Makes the toy copy; returns the status bits that this raised.
pub fn copy(m: *mut sys::drm_os_mmio, src: u64, dst: u64, len: u32) -> u32 {
    unsafe {
        for (reg, pa) in [(SRC, src), (DST, dst)] {
            sys::drm_os_mmio_write4(m, reg, pa as u32);
            sys::drm_os_mmio_write4(m, reg + 4, (pa >> 32) as u32);
        }
        sys::drm_os_mmio_write4(m, COPY, len);
        let st = sys::drm_os_mmio_read4(m, STATUS);
        sys::drm_os_mmio_write4(m, CLEAR, st);
        st
    }
}

/// Runs `f` in a child. Returns the signal that ended it (0 if `f` returned), and what it wrote to
/// standard error.
///
/// A fork may happen while another thread of the harness holds a lock of the standard library, and
/// the child then hangs on that lock; it is stopped and started again.
pub fn child(f: impl Fn()) -> (i32, String) {
    for _ in 0..4 {
        let r = child_once(&f);
        if r.0 != libc::SIGALRM {
            return r;
        }
    }
    panic!("the child hangs, and hangs again");
}

fn child_once(f: impl Fn()) -> (i32, String) {
    let mut fds = [0; 2];
    assert_eq!(unsafe { libc::pipe(fds.as_mut_ptr()) }, 0);
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        unsafe {
            libc::dup2(fds[1], 2);
            libc::close(fds[0]);
            libc::close(fds[1]);
            libc::setrlimit(
                libc::RLIMIT_CORE,
                &libc::rlimit {
                    rlim_cur: 0,
                    rlim_max: 0,
                },
            );
            libc::alarm(8);
        }
        // The world reports the error itself; the default hook takes locks that may be held since
        // the fork.
        std::panic::set_hook(Box::new(|_| ()));
        // A panic that could unwind to the harness would run the rest of the tests in the child.
        let r = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
        unsafe {
            if r.is_err() {
                libc::abort();
            }
            libc::_exit(0);
        }
    }
    unsafe { libc::close(fds[1]) };
    let mut text = Vec::new();
    unsafe { std::fs::File::from_raw_fd(fds[0]) }
        .read_to_end(&mut text)
        .unwrap();
    let mut status = 0;
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    let signal = if libc::WIFSIGNALED(status) {
        libc::WTERMSIG(status)
    } else {
        0
    };
    (signal, String::from_utf8_lossy(&text).into_owned())
}

/// Checks that `f` is fatal and that its report contains all of `words`.
#[track_caller]
pub fn dies(words: &[&str], f: impl Fn()) {
    let (signal, text) = child(f);
    assert_eq!(signal, libc::SIGABRT, "{text}");
    for w in words {
        assert!(text.contains(w), "no \"{w}\" in: {text}");
    }
}
