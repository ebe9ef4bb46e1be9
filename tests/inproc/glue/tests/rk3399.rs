// SPDX-License-Identifier: BSD-2-Clause
//! The order in which RK3399's GPU domain is switched. Source: the PMU and its domains as Linux 6.1
//! drives them (drivers/soc/rockchip/pm_domains.c): CON 0x14, ST 0x18, IDLE_REQ 0x60, IDLE_ST 0x64,
//! IDLE_ACK 0x68.

use glue_tests::{rk3399_down, rk3399_up, Bus, Qos, Write, ETIMEDOUT};

const PWR: u32 = 1 << 15;
/// Bits of other domains, which must not change.
const OTHERS: u32 = 0x0070_4000;

fn answers(bus: &mut Bus, w: Write) {
    match (w.window, w.off) {
        (0, 0x14) => {
            bus.put(0, 0x18, PWR, w.val & PWR);
            if w.val & PWR != 0 {
                bus.regs[1].clear();
            }
        }
        (0, 0x60) => {
            bus.put(0, 0x64, 1, w.val & 1);
            bus.put(0, 0x68, 1, w.val & 1);
        }
        _ => {}
    }
}

fn bus(off: bool) -> Bus {
    let mut bus = Bus::new(answers);
    let (pwr, idle) = if off { (PWR, 1) } else { (0, 0) };
    for (reg, val) in [
        (0x14, OTHERS | pwr),
        (0x18, pwr),
        (0x60, OTHERS | idle),
        (0x64, idle),
        (0x68, idle),
    ] {
        bus.put(0, reg, u32::MAX, val);
    }
    bus
}

fn qos_of(bus: &Bus) -> Vec<u32> {
    (0..5).map(|i| bus.get(1, 8 + 4 * i)).collect()
}

#[test]
fn up_gives_power_then_the_bus() {
    let (mut b, mut q) = (bus(true), Qos::default());
    assert_eq!(rk3399_up(&mut b, &mut q), Ok(()));
    // No arbiter setting was saved, so none is written.
    assert_eq!(b.take(), [(0, 0x14, OTHERS), (0, 0x60, OTHERS)]);
}

#[test]
fn left_on_by_the_firmware_nothing_is_written() {
    let (mut b, mut q) = (bus(false), Qos::default());
    assert_eq!(rk3399_up(&mut b, &mut q), Ok(()));
    assert_eq!(b.take(), []);
    let mut b = bus(true);
    assert_eq!(rk3399_down(&mut b, &mut q), Ok(()));
    assert_eq!(b.take(), []);
}

#[test]
fn powered_but_idle_is_not_on() {
    let (mut b, mut q) = (bus(false), Qos::default());
    for reg in [0x60, 0x64, 0x68] {
        b.put(0, reg, 1, 1);
    }
    assert_eq!(rk3399_up(&mut b, &mut q), Ok(()));
    assert_eq!(b.get(0, 0x64) & 1, 0);
}

#[test]
fn down_takes_the_bus_then_power_and_up_restores_the_arbiter() {
    let (mut b, mut q) = (bus(false), Qos::default());
    for i in 0..5 {
        b.put(1, 8 + 4 * i, u32::MAX, 0x100 + i);
    }
    assert_eq!(rk3399_down(&mut b, &mut q), Ok(()));
    assert_eq!(b.take(), [(0, 0x60, OTHERS | 1), (0, 0x14, OTHERS | PWR)]);
    assert_eq!(qos_of(&b), [0; 5]);
    assert_eq!(rk3399_up(&mut b, &mut q), Ok(()));
    let writes = b.take();
    assert_eq!(writes[..2], [(0, 0x14, OTHERS), (0, 0x60, OTHERS)]);
    assert!(writes[2..].iter().all(|w| w.0 == 1));
    assert_eq!(qos_of(&b), [0x100, 0x101, 0x102, 0x103, 0x104]);
}

#[test]
fn a_bus_that_does_not_go_idle_keeps_its_power() {
    for stuck in [0x64, 0x68] {
        let mut b = bus(false);
        b.react = if stuck == 0x64 {
            |b, w| {
                if w.off == 0x60 {
                    b.put(0, 0x68, 1, w.val & 1);
                }
            }
        } else {
            |b, w| {
                if w.off == 0x60 {
                    b.put(0, 0x64, 1, w.val & 1);
                }
            }
        };
        assert_eq!(rk3399_down(&mut b, &mut Qos::default()), Err(ETIMEDOUT));
        assert_eq!(b.take(), [(0, 0x60, OTHERS | 1), (0, 0x60, OTHERS)]);
        assert_eq!(b.waited_us, 10_000);
    }
}

#[test]
fn power_that_does_not_come_is_given_up() {
    let (mut b, mut q) = (bus(true), Qos::default());
    b.react = |_, _| {};
    assert_eq!(rk3399_up(&mut b, &mut q), Err(ETIMEDOUT));
    assert_eq!((b.get(0, 0x14), b.get(0, 0x60)), (OTHERS | PWR, OTHERS | 1));
    assert_eq!(b.waited_us, 10_000);
}
