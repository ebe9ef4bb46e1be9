// SPDX-License-Identifier: BSD-2-Clause
//! Windows of registers that record writes, and the sequences that run on them.

use crate::result;
use std::{collections::BTreeMap, ffi::c_void};

type Arg = *mut c_void;

/// `struct drm_reg_io`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Io {
    read: extern "C" fn(Arg, u32) -> u32,
    write: extern "C" fn(Arg, u32, u32),
    modify: extern "C" fn(Arg, u32, u32, u32),
    delay: extern "C" fn(Arg, u32),
    arg: Arg,
}

/// Number of settings of one arbiter.
pub const QOS_REGS: usize = 5;

#[repr(C)]
struct CQos {
    io: Io,
    regs: [u32; QOS_REGS],
    saved: i32,
}

extern "C" {
    fn rk3399_gpu_up(pmu: *const Io, qos: *mut CQos, nqos: u32) -> i32;
    fn rk3399_gpu_down(pmu: *const Io, qos: *mut CQos, nqos: u32) -> i32;
    fn imx8mq_gpu_claim(gpc: *const Io);
    fn imx8mq_gpu_up(gpc: *const Io) -> i32;
    fn imx8mq_gpu_down(gpc: *const Io) -> i32;
}

/// A write on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// Which window: 0 the controller, 1 the arbiter.
    pub window: usize,
    /// Offset in it.
    pub off: u32,
    /// The new value of the register.
    pub val: u32,
}

/// Two windows of registers, and the behaviour of their hardware.
pub struct Bus {
    /// The registers; absent ones are 0.
    pub regs: [BTreeMap<u32, u32>; 2],
    /// All writes.
    pub writes: Vec<Write>,
    /// The time that was waited for, in microseconds.
    pub waited_us: u32,
    /// Runs after each write.
    pub react: fn(&mut Bus, Write),
}

struct Handle {
    bus: *mut Bus,
    window: usize,
}

impl Bus {
    /// Hardware with this behaviour.
    pub fn new(react: fn(&mut Bus, Write)) -> Self {
        Bus {
            regs: Default::default(),
            writes: Vec::new(),
            waited_us: 0,
            react,
        }
    }

    /// The value of a register.
    pub fn get(&self, window: usize, off: u32) -> u32 {
        self.regs[window].get(&off).copied().unwrap_or(0)
    }

    /// Sets bits of a register from the hardware's side.
    pub fn put(&mut self, window: usize, off: u32, mask: u32, val: u32) {
        let old = self.get(window, off);
        self.regs[window].insert(off, (old & !mask) | val);
    }

    /// Removes and returns the writes so far, as (window, offset, value).
    pub fn take(&mut self) -> Vec<(usize, u32, u32)> {
        let writes = std::mem::take(&mut self.writes);
        writes.iter().map(|w| (w.window, w.off, w.val)).collect()
    }
}

/// The arbiter's settings, which the driver saves at power-down and restores at power-up.
#[derive(Debug, Default)]
pub struct Qos {
    regs: [u32; QOS_REGS],
    saved: i32,
}

fn handle<'a>(arg: Arg) -> (&'a mut Bus, usize) {
    // SAFETY: arg is a handle on with_io's stack; its bus is not used elsewhere during the call.
    unsafe {
        let h = &*arg.cast::<Handle>();
        (&mut *h.bus, h.window)
    }
}

extern "C" fn read(arg: Arg, off: u32) -> u32 {
    let (bus, window) = handle(arg);
    bus.get(window, off)
}

extern "C" fn write(arg: Arg, off: u32, val: u32) {
    let (bus, window) = handle(arg);
    bus.regs[window].insert(off, val);
    let write = Write { window, off, val };
    bus.writes.push(write);
    (bus.react)(bus, write);
}

extern "C" fn modify(arg: Arg, off: u32, clear: u32, set: u32) {
    let old = read(arg, off);
    write(arg, off, (old & !clear) | set);
}

extern "C" fn delay(arg: Arg, usec: u32) {
    handle(arg).0.waited_us += usec;
}

fn io(handle: &mut Handle) -> Io {
    let arg = std::ptr::from_mut(handle).cast();
    Io {
        read,
        write,
        modify,
        delay,
        arg,
    }
}

fn on_gpc<R>(bus: &mut Bus, f: unsafe extern "C" fn(*const Io) -> R) -> R {
    let mut h = Handle { bus, window: 0 };
    let io = io(&mut h);
    // SAFETY: io and what it points to outlive the call.
    unsafe { f(&io) }
}

fn on_pmu(
    bus: &mut Bus,
    qos: &mut Qos,
    f: unsafe extern "C" fn(*const Io, *mut CQos, u32) -> i32,
) -> Result<(), i32> {
    let mut pmu = Handle { bus, window: 0 };
    let mut arbiter = Handle { bus, window: 1 };
    let mut c_qos = CQos {
        io: io(&mut arbiter),
        regs: qos.regs,
        saved: qos.saved,
    };
    let io = io(&mut pmu);
    // SAFETY: io, c_qos and what they point to outlive the call.
    let errno = unsafe { f(&io, &mut c_qos, 1) };
    (qos.regs, qos.saved) = (c_qos.regs, c_qos.saved);
    result(errno)
}

/// RK3399's GPU domain on.
///
/// # Errors
/// ETIMEDOUT.
pub fn rk3399_up(bus: &mut Bus, qos: &mut Qos) -> Result<(), i32> {
    on_pmu(bus, qos, rk3399_gpu_up)
}

/// RK3399's GPU domain off.
///
/// # Errors
/// ETIMEDOUT.
pub fn rk3399_down(bus: &mut Bus, qos: &mut Qos) -> Result<(), i32> {
    on_pmu(bus, qos, rk3399_gpu_down)
}

/// i.MX8MQ's GPU domain is this cluster's.
pub fn imx8mq_claim(bus: &mut Bus) {
    on_gpc(bus, imx8mq_gpu_claim);
}

/// i.MX8MQ's GPU domain on.
///
/// # Errors
/// ETIMEDOUT.
pub fn imx8mq_up(bus: &mut Bus) -> Result<(), i32> {
    result(on_gpc(bus, imx8mq_gpu_up))
}

/// i.MX8MQ's GPU domain off.
///
/// # Errors
/// ETIMEDOUT.
pub fn imx8mq_down(bus: &mut Bus) -> Result<(), i32> {
    result(on_gpc(bus, imx8mq_gpu_down))
}
