// SPDX-License-Identifier: BSD-2-Clause
//! Interrupt lines, registers and power.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "calls of drm_os.h as C makes them, with handles that the test made"
)]

mod common;
use common::*;
use drm_os_host::{sys, Config, Device, Trace, World};
use std::ffi::c_void;
use std::sync::{Arc, Mutex};

struct Isr {
    os: *mut sys::drm_os,
    m: *mut sys::drm_os_mmio,
    /// Clears only from this run on.
    lazy: usize,
    seen: Mutex<Vec<(u64, u32)>>,
}

unsafe extern "C" fn isr(arg: *mut c_void) {
    let i = &*arg.cast::<Isr>();
    let st = sys::drm_os_mmio_read4(i.m, STATUS);
    let mut seen = i.seen.lock().unwrap();
    seen.push((sys::drm_os_now(i.os), st));
    if seen.len() > i.lazy {
        sys::drm_os_mmio_write4(i.m, CLEAR, st);
    }
}

fn isr_for(w: &World, d: &Device, lazy: usize) -> Isr {
    Isr {
        os: w.as_raw(),
        m: mmio(d),
        lazy,
        seen: Mutex::default(),
    }
}

#[test]
fn a_timer_interrupt_comes_at_its_time() {
    let (w, d) = virtual_toy(Config::default());
    let i = isr_for(&w, &d, 0);
    let h = irq(&d, isr, &i);
    unsafe { sys::drm_os_mmio_write4(i.m, TIMER, 500) };
    w.advance(499);
    assert_eq!(*i.seen.lock().unwrap(), []);
    w.advance(1);
    assert_eq!(*i.seen.lock().unwrap(), [(500, ST_TIMER)]);
    unsafe {
        sys::drm_os_irq_teardown(h);
        sys::drm_os_mmio_unmap(i.m);
    }
    w.assert_clean();
}

#[test]
fn a_high_line_runs_its_handler_again_and_waits_for_one() {
    let (w, d) = virtual_toy(Config::default());
    let i = isr_for(&w, &d, 2);
    unsafe { sys::drm_os_mmio_write4(i.m, TIMER, 10) };
    w.advance(50);
    let h = irq(&d, isr, &i);
    assert_eq!(
        *i.seen.lock().unwrap(),
        [],
        "pending, but no event-loop point yet"
    );
    w.settle();
    assert_eq!(
        *i.seen.lock().unwrap(),
        [(50, ST_TIMER); 3],
        "two runs that did not clear, one that did"
    );
    unsafe {
        sys::drm_os_irq_sync(h);
        sys::drm_os_irq_teardown(h);
        sys::drm_os_mmio_write4(i.m, TIMER, 10);
    }
    w.advance(100);
    assert_eq!(i.seen.lock().unwrap().len(), 3, "no handler after teardown");
    unsafe { sys::drm_os_mmio_unmap(i.m) };
    w.assert_clean();
}

#[test]
fn handlers_do_not_run_inside_a_register_write() {
    let (w, d) = virtual_toy(Config::default());
    let i = isr_for(&w, &d, 0);
    let h = irq(&d, isr, &i);
    let m = mtx(&w, c"m");
    unsafe {
        sys::drm_os_mmio_write4(i.m, TIMER, 10);
        sys::drm_os_mtx_lock(m);
        // Spinning with a mutex held: hardware events happen, the handler waits.
        sys::drm_os_delay(w.as_raw(), 20);
        assert_eq!(with_toy(&d, |t| t.regs[STATUS as usize / 4]), ST_TIMER);
        assert_eq!(*i.seen.lock().unwrap(), []);
        sys::drm_os_mtx_unlock(m);
        sys::drm_os_delay(w.as_raw(), 0);
        assert_eq!(*i.seen.lock().unwrap(), [(20, ST_TIMER)]);
        sys::drm_os_mtx_destroy(m);
        sys::drm_os_irq_teardown(h);
        sys::drm_os_mmio_unmap(i.m);
    }
    w.assert_clean();
}

#[test]
fn a_storm_is_reported() {
    dies(&["never ends"], || {
        let (w, d) = virtual_toy(Config::default());
        let i = isr_for(&w, &d, usize::MAX);
        irq(&d, isr, &i);
        unsafe { sys::drm_os_mmio_write4(i.m, TIMER, 10) };
        w.advance(50);
    });
}

unsafe extern "C" fn sleepy(arg: *mut c_void) {
    sys::drm_os_sleep(arg.cast(), 1);
}

#[test]
fn a_handler_that_sleeps_is_reported() {
    dies(&["drm_os_sleep", "in an interrupt handler"], || {
        let (w, d) = virtual_toy(Config::default());
        let os = w.as_raw().cast();
        make(|p| unsafe {
            sys::drm_os_irq_setup(d.as_raw(), std::ptr::null(), Some(sleepy), os, p)
        })
        .unwrap();
        let m = mmio(&d);
        unsafe { sys::drm_os_mmio_write4(m, TIMER, 1) };
        w.advance(5);
    });
}

#[test]
fn names_and_windows_are_checked() {
    let (w, d) = virtual_toy(Config::default());
    let os = w.as_raw().cast();
    let setup = |name: &std::ffi::CStr| {
        make(|p| unsafe { sys::drm_os_irq_setup(d.as_raw(), name.as_ptr(), Some(sleepy), os, p) })
    };
    assert_eq!(setup(c"mmu"), Err(sys::DRM_OS_ENOENT as i32));
    let h = setup(c"spare").unwrap();
    assert_eq!(setup(c"spare"), Err(sys::DRM_OS_EBUSY as i32));
    let map =
        |name: *const _, len| make(|p| unsafe { sys::drm_os_mmio_map(d.as_raw(), name, len, p) });
    assert_eq!(map(c"gpu".as_ptr(), 4), Err(sys::DRM_OS_ENOENT as i32));
    assert_eq!(
        map(std::ptr::null(), MMIO_LEN + 1),
        Err(sys::DRM_OS_EINVAL as i32)
    );
    unsafe { sys::drm_os_irq_teardown(h) };
    w.assert_clean();
    dies(&["register access at 0x102"], || unsafe {
        sys::drm_os_mmio_read4(map(std::ptr::null(), MMIO_LEN).unwrap(), 0x102);
    });
    let mut name = [0u8; 8];
    let n = unsafe { sys::drm_os_dev_name(d.as_raw(), name.as_mut_ptr().cast(), 3) };
    assert_eq!((n, &name[..4]), (3, &b"toy\0"[..]));
}

#[test]
fn power_is_domain_and_clocks_and_resets() {
    let w = World::new(Config::default());
    let node = drm_os_host::Node {
        clocks: vec![("core".into(), 800_000_000), ("bus".into(), 5)],
        resets: vec!["r".into()],
        regulators: vec!["mali".into()],
        power_domain: true,
        ..node()
    };
    let d = w.add_device(node, Box::<Toy>::default());
    let dev = d.as_raw();
    let state = || with_toy(&d, |t| (t.on, t.power_changes));
    unsafe {
        let clk = |name: *const _| make(|p| sys::drm_os_clk_get(dev, name, p));
        let (core, bus) = (
            clk(std::ptr::null()).unwrap(),
            clk(c"bus".as_ptr()).unwrap(),
        );
        assert_eq!(clk(c"x".as_ptr()), Err(sys::DRM_OS_ENOENT as i32));
        let reset = make(|p| sys::drm_os_reset_get(dev, c"r".as_ptr(), p)).unwrap();
        let reg = make(|p| sys::drm_os_regulator_get(dev, c"mali".as_ptr(), p)).unwrap();
        let mut hz = 0;
        assert_eq!((sys::drm_os_clk_rate(core, &mut hz), hz), (0, 800_000_000));
        assert_eq!(sys::drm_os_regulator_enable(reg), 0);
        assert_eq!(sys::drm_os_power_on(dev), 0);
        assert_eq!(sys::drm_os_clk_enable(core), 0);
        assert_eq!(sys::drm_os_clk_enable(bus), 0);
        assert_eq!(state(), (false, 0));
        assert_eq!(sys::drm_os_reset_deassert(reset), 0);
        assert_eq!(state(), (true, 1));
        assert_eq!(sys::drm_os_clk_enable(bus), 0);
        assert_eq!(sys::drm_os_clk_disable(bus), 0);
        assert_eq!(state(), (true, 1), "enables are counted");
        assert_eq!(w.counters().clocks_enabled, 2);
        assert_eq!(sys::drm_os_clk_disable(bus), 0);
        assert_eq!(state(), (false, 2));
        assert_eq!(
            w.counters().to_string(),
            "clks=2 regulators=1 resets=1 clocks_enabled=1 regulators_enabled=1 power_domains_on=1"
        );
        dies(&["a clock of toy0 disabled"], || {
            sys::drm_os_clk_disable(bus);
        });
        sys::drm_os_clk_disable(core);
        sys::drm_os_regulator_disable(reg);
        sys::drm_os_power_off(dev);
        dies(&["power domain of toy0 switched off"], || {
            sys::drm_os_power_off(dev);
        });
        sys::drm_os_clk_put(core);
        sys::drm_os_clk_put(bus);
        sys::drm_os_reset_put(reset);
        sys::drm_os_regulator_put(reg);
    }
    w.assert_clean();
}

#[test]
fn the_trace_has_the_order() {
    let (w, d) = virtual_toy(Config::default());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    w.set_trace(Some(Box::new(move |t: &Trace| {
        sink.lock().unwrap().push(t.clone())
    })));
    let i = isr_for(&w, &d, 0);
    irq(&d, isr, &i);
    unsafe { sys::drm_os_mmio_write4(i.m, TIMER, 7) };
    w.advance(9);
    w.set_trace(None);
    unsafe { sys::drm_os_mmio_read4(i.m, STATUS) };
    let dev: Arc<str> = "toy0".into();
    let expect = [
        Trace::MmioWrite {
            t: 0,
            dev: dev.clone(),
            off: TIMER,
            val: 7,
        },
        Trace::Irq {
            t: 7,
            dev: dev.clone(),
            line: 0,
            level: true,
        },
        Trace::MmioRead {
            t: 7,
            dev: dev.clone(),
            off: STATUS,
            val: ST_TIMER,
        },
        Trace::MmioWrite {
            t: 7,
            dev: dev.clone(),
            off: CLEAR,
            val: ST_TIMER,
        },
        Trace::Irq {
            t: 7,
            dev,
            line: 0,
            level: false,
        },
    ];
    assert_eq!(*seen.lock().unwrap(), expect);
}

struct Worker {
    isr: Isr,
    task: Mutex<usize>,
    left: Mutex<u32>,
}

unsafe extern "C" fn first_half(arg: *mut c_void) {
    let w = &*arg.cast::<Worker>();
    isr(std::ptr::from_ref(&w.isr).cast_mut().cast());
    sys::drm_os_task_enqueue(*w.task.lock().unwrap() as *mut _);
}

unsafe extern "C" fn second_half(arg: *mut c_void) {
    let w = &*arg.cast::<Worker>();
    sys::drm_os_sleep(w.isr.os, 30);
    let left = {
        let mut l = w.left.lock().unwrap();
        *l -= 1;
        *l
    };
    let msg = format!("left {left}");
    sys::drm_os_log(
        w.isr.os,
        std::ptr::null_mut(),
        6,
        msg.as_ptr().cast(),
        msg.len(),
    );
    if left != 0 {
        sys::drm_os_mmio_write4(w.isr.m, TIMER, 100 - 2 * left);
    }
}

/// Two devices whose timers, interrupts and tasks happen at the same time.
fn busy_world() -> Vec<Trace> {
    let w = World::new(Config::default());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    w.set_trace(Some(Box::new(move |t: &Trace| {
        sink.lock().unwrap().push(t.clone())
    })));
    let all = ["a", "b"].map(|name| {
        let d = w.add_device(
            drm_os_host::Node {
                name: name.into(),
                ..node()
            },
            Box::<Toy>::default(),
        );
        let worker = Box::new(Worker {
            isr: isr_for(&w, &d, 0),
            task: Mutex::new(0),
            left: Mutex::new(20),
        });
        let q = queue(&w, c"work");
        let t = task(q, second_half, &*worker);
        *worker.task.lock().unwrap() = t as usize;
        let h = irq(&d, first_half, &*worker);
        unsafe { sys::drm_os_mmio_write4(worker.isr.m, TIMER, 100) };
        (worker, q, t, h)
    });
    w.advance(5000);
    for (worker, q, t, h) in all {
        assert_eq!(*worker.left.lock().unwrap(), 0);
        unsafe {
            sys::drm_os_irq_teardown(h);
            sys::drm_os_task_destroy(t);
            sys::drm_os_taskqueue_destroy(q);
            sys::drm_os_mmio_unmap(worker.isr.m);
        }
    }
    w.assert_clean();
    let trace = seen.lock().unwrap().clone();
    trace
}

#[test]
fn the_same_calls_give_the_same_trace_whatever_else_runs() {
    let first = busy_world();
    // Power at the start of each device, then per round: timer write, up, status, clear, down, log.
    assert_eq!(first.len(), 2 * (1 + 20 * 6));
    std::thread::scope(|s| {
        let runs: Vec<_> = (0..8).map(|_| s.spawn(busy_world)).collect();
        for r in runs {
            assert_eq!(r.join().unwrap(), first);
        }
    });
}
