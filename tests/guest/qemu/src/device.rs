// SPDX-License-Identifier: BSD-2-Clause
//! The devices: register windows, interrupt lines, timers, and the mailbox.

use crate::count;
use crate::qemu::{Address, Done, Opaque, Ops, Qemu, Valid};
use crate::{die, Notifier, VIRTUAL};
use guest_machine::{config, Config, Machine, Platform};
use std::ffi::{c_int, c_uint, c_void, CStr};
use std::path::PathBuf;
use std::ptr::{null, null_mut, without_provenance_mut};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The machine's side of QEMU.
struct Board {
    qemu: Qemu,
    /// By line.
    irqs: Vec<Address>,
    /// By core, and then that of the power controller.
    timers: Vec<Address>,
    counts: Option<count::Log>,
}

struct State {
    machine: Machine,
    board: Board,
    report: Option<PathBuf>,
}

/// The state that is needed when the machine is ready.
static WAITING: OnceLock<(Mutex<Qemu>, Config)> = OnceLock::new();
static STATE: OnceLock<Mutex<State>> = OnceLock::new();

impl Platform for Board {
    fn now(&self) -> u64 {
        // SAFETY: no argument but the clock's number.
        u64::try_from(unsafe { (self.qemu.qemu_clock_get_ns)(VIRTUAL) }).unwrap_or(0)
    }

    fn read(&mut self, pa: u64, buf: &mut [u8]) -> bool {
        self.transfer(pa, buf.as_mut_ptr().cast(), buf.len(), false)
    }

    fn write(&mut self, pa: u64, buf: &[u8]) -> bool {
        self.transfer(pa, buf.as_ptr().cast_mut().cast(), buf.len(), true)
    }

    fn hold_clock(&mut self, hold: bool) {
        let Qemu {
            cpu_disable_ticks,
            cpu_enable_ticks,
            ..
        } = self.qemu;
        // SAFETY: no arguments; the big lock is held. A clock of counted instructions is none of
        // theirs.
        unsafe {
            if hold {
                cpu_disable_ticks()
            } else {
                cpu_enable_ticks()
            }
        };
    }

    fn set_line(&mut self, line: usize, level: bool) {
        let what = if level {
            count::What::Rise
        } else {
            count::What::Fall
        };
        self.note(what, line as u64);
        // SAFETY: the interrupt controller's input.
        unsafe { (self.qemu.qemu_set_irq)(self.irqs[line].0, c_int::from(level)) };
    }

    fn set_timer(&mut self, timer: usize, at: Option<u64>) {
        let timer = self.timers[timer].0;
        match at.and_then(|ns| i64::try_from(ns).ok()) {
            // SAFETY: initialised in `add`.
            Some(ns) => unsafe { (self.qemu.timer_mod_ns)(timer, ns) },
            // SAFETY: the same.
            None => unsafe { (self.qemu.timer_del)(timer) },
        }
    }
}

impl Board {
    /// Logs the number of executed instructions, if they are counted.
    fn note(&mut self, what: count::What, value: u64) {
        let now = self.now();
        if let Some(log) = &mut self.counts {
            log.note(now, what, value);
        }
    }

    fn transfer(&self, pa: u64, buf: *mut c_void, len: usize, write: bool) -> bool {
        const UNSPECIFIED: u64 = 1;
        let memory = self.qemu.address_space_memory.0;
        // SAFETY: the buffer is the caller's, which QEMU writes only if `write` is false.
        unsafe {
            (self.qemu.address_space_rw)(memory, pa, UNSPECIFIED, buf, len as u64, write) == 0
        }
    }
}

fn state() -> Option<MutexGuard<'static, State>> {
    Some(STATE.get()?.lock().unwrap_or_else(PoisonError::into_inner))
}

extern "C" fn read(window: *mut c_void, off: u64, _: c_uint) -> u64 {
    let Some(mut state) = state() else { return 0 };
    let State { machine, board, .. } = &mut *state;
    u64::from(machine.read(board, window.addr(), off as u32))
}

extern "C" fn write(window: *mut c_void, off: u64, value: u64, _: c_uint) {
    let Some(mut state) = state() else { return };
    let State { machine, board, .. } = &mut *state;
    machine.write(board, window.addr(), off as u32, value as u32);
}

extern "C" fn timer(timer: *mut c_void) {
    let Some(mut state) = state() else { return };
    let State { machine, board, .. } = &mut *state;
    machine.poll(board, timer.addr());
}

extern "C" fn pin(_: *mut c_void, _: c_int, level: c_int) {
    let Some(mut state) = state() else { return };
    let State { machine, board, .. } = &mut *state;
    machine.regulator_pin(board, level != 0);
}

extern "C" fn read_mail(_: *mut c_void, _: u64, _: c_uint) -> u64 {
    0
}

extern "C" fn write_mail(_: *mut c_void, off: u64, value: u64, _: c_uint) {
    let Some(mut state) = state() else { return };
    let State { machine, board, .. } = &mut *state;
    if off == u64::from(config::MAIL_MARK) {
        board.note(count::What::Mark, value);
    }
    count::report(off as u32, value as u32);
    machine.mail(board, off as u32, value as u32);
}

type Read = extern "C" fn(*mut c_void, u64, c_uint) -> u64;
type Write = extern "C" fn(*mut c_void, u64, u64, c_uint);

/// Accesses of four bytes only, as the drivers make them.
fn ops(read: Read, write: Write) -> *const Ops {
    Box::into_raw(Box::new(Ops {
        read,
        write,
        read_with_attrs: null(),
        write_with_attrs: null(),
        endianness: 2,
        valid: Valid {
            min: 4,
            max: 4,
            unaligned: false,
            accepts: null(),
        },
        done: Done {
            min: 4,
            max: 4,
            unaligned: false,
        },
    }))
}

/// Maps a window on the bus, with priority over other regions.
fn window(qemu: &Qemu, at: u64, len: u64, ops: *const Ops, opaque: *mut c_void) {
    let region = Opaque::leak();
    // SAFETY: region, operations and name live as long as the process; the region has no owner.
    unsafe {
        (qemu.memory_region_init_io)(region, null_mut(), ops, opaque, c"drmboard".as_ptr(), len);
        (qemu.memory_region_add_subregion_overlap)((qemu.get_system_memory)(), at, region, 1);
    }
}

/// The machine's only device of a type.
fn the_only(qemu: &Qemu, kind: &CStr) -> Result<*mut c_void, String> {
    let mut ambiguous = false;
    // SAFETY: strings that end with a zero, and a bool.
    let found =
        unsafe { (qemu.object_resolve_path_type)(c"".as_ptr(), kind.as_ptr(), &mut ambiguous) };
    match found.is_null() || ambiguous {
        true => Err(format!(
            "the machine has not one {}",
            kind.to_string_lossy()
        )),
        false => Ok(found),
    }
}

/// Adds the board's devices to the bus of the completed machine.
fn add(qemu: Qemu, config: &Config) -> Result<State, String> {
    let machine = Machine::new(config)?;
    let gic = the_only(&qemu, c"arm-gicv3")?;
    let spis = config::FIRST_SPI as usize..config::FIRST_SPI as usize + machine.lines();
    // SAFETY: the input of a shared interrupt has its number.
    let irqs = spis.map(|spi| Address(unsafe { (qemu.qdev_get_gpio_in)(gic, spi as c_int) }));
    let irqs = irqs.collect();
    let mut timers = Vec::new();
    let registers = ops(read, write);
    for (number, (at, len)) in machine.windows().enumerate() {
        let opaque = without_provenance_mut(number);
        window(&qemu, at, u64::from(len), registers, opaque);
    }
    for number in 0..machine.timers() {
        let opaque = without_provenance_mut(number);
        let ticks = Opaque::leak();
        // SAFETY: zeroes, there for as long as the process; the main loop's own lists; a scale of 1
        // ns.
        unsafe { (qemu.timer_init_full)(ticks, null_mut(), VIRTUAL, 1, 0, timer, opaque) };
        timers.push(Address(ticks));
    }
    if let Some(number) = machine.regulator() {
        let gpio = the_only(&qemu, c"pl061")?;
        // SAFETY: a function that is there for as long as the process, and the controller's output
        // of that number.
        unsafe {
            let line = (qemu.qemu_allocate_irq)(pin, null_mut(), 0);
            (qemu.qdev_connect_gpio_out)(gpio, number as c_int, line);
        }
    }
    window(
        &qemu,
        config::MAILBOX,
        config::MAILBOX_LEN,
        ops(read_mail, write_mail),
        null_mut(),
    );
    Ok(State {
        machine,
        board: Board {
            qemu,
            irqs,
            timers,
            counts: config.count.clone().map(count::Log::new),
        },
        report: config.report.clone(),
    })
}

extern "C" fn ready(_: *mut Notifier, _: *mut c_void) {
    let Some((qemu, config)) = WAITING.get() else {
        return;
    };
    let qemu = *qemu.lock().unwrap_or_else(PoisonError::into_inner);
    let mut new = add(qemu, config).unwrap_or_else(|why| die(&why));
    new.machine.start(&mut new.board);
    if STATE.set(Mutex::new(new)).is_err() {
        die("the machine became ready twice");
    }
}

extern "C" fn exit(_: *mut Notifier, _: *mut c_void) {
    let Some(mut state) = state() else { return };
    let report = state.machine.finish();
    let written = match &state.report {
        Some(path) => std::fs::write(path, report),
        None => {
            eprint!("{report}");
            Ok(())
        }
    };
    if let Err(error) = written {
        eprintln!("qemu_board: no report: {error}");
    }
    if let Some(Err(error)) = state.board.counts.as_ref().map(count::Log::write) {
        eprintln!("qemu_board: no counts: {error}");
    }
}

/// Has the devices added when QEMU has created its machine.
pub(crate) fn add_when_ready(qemu: Qemu, config: Config) {
    let added = (
        qemu.qemu_add_machine_init_done_notifier,
        qemu.qemu_add_exit_notifier,
    );
    if WAITING.set((Mutex::new(qemu), config)).is_ok() {
        // SAFETY: the notifiers are there for as long as the process.
        unsafe {
            added.0(Notifier::leak(ready));
            added.1(Notifier::leak(exit));
        }
    }
}
