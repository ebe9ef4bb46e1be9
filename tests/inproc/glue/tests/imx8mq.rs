// SPDX-License-Identifier: BSD-2-Clause
//! The order in which i.MX8MQ's GPU domain is switched, and its clock arithmetic. Source: Linux
//! 6.1, drivers/soc/imx/gpcv2.c (PUP 0xf8, PDN 0x104, handshake 0x1fc, the GPU's PGC 0xdc0) and
//! drivers/clk/imx.

use glue_tests::{imx8mq_claim, imx8mq_down, imx8mq_up, Bus, Write, ETIMEDOUT};
use glue_tests::{pll_rate, root_rate, root_set_rate, Slice};

const PXX: u32 = 1 << 7;
const REQ: u32 = 1 << 6;
const ACK: u32 = 1 << 26;

/// Requests complete and clear themselves; the bridge acknowledges.
fn answers(bus: &mut Bus, w: Write) {
    match w.off {
        0xf8 | 0x104 => bus.put(0, w.off, PXX, 0),
        0x1fc => bus.put(0, 0x1fc, ACK, if w.val & REQ != 0 { ACK } else { 0 }),
        _ => {}
    }
}

#[test]
fn up_then_down() {
    let mut b = Bus::new(answers);
    b.put(0, 0xdc0, u32::MAX, 0xff01);
    b.put(0, 0x1fc, u32::MAX, 0x30);
    assert_eq!(imx8mq_up(&mut b), Ok(()));
    let up = [(0, 0xf8, PXX), (0, 0xdc0, 0xff00), (0, 0x1fc, 0x30 | REQ)];
    assert_eq!(b.take(), up);
    assert_eq!(b.waited_us, 10, "5 us before the request and 5 after");
    assert_eq!(imx8mq_down(&mut b), Ok(()));
    let down = [(0, 0x1fc, ACK | 0x30), (0, 0xdc0, 0xff01), (0, 0x104, PXX)];
    assert_eq!(b.take(), down);
}

#[test]
fn a_silent_bridge_is_no_error_on_the_way_up() {
    let mut b = Bus::new(|b, w| {
        if w.off == 0xf8 {
            b.put(0, 0xf8, PXX, 0);
        }
    });
    assert_eq!(imx8mq_up(&mut b), Ok(()));
    assert_eq!(b.waited_us, 110);
}

#[test]
fn a_bridge_that_does_not_close_keeps_its_power() {
    let mut b = Bus::new(answers);
    assert_eq!(imx8mq_up(&mut b), Ok(()));
    b.take();
    b.react = |_, _| {};
    assert_eq!(imx8mq_down(&mut b), Err(ETIMEDOUT));
    assert_eq!(b.take(), [(0, 0x1fc, ACK), (0, 0x1fc, ACK | REQ)]);
}

#[test]
fn requests_that_are_not_carried_out() {
    let mut b = Bus::new(|_, _| {});
    assert_eq!(imx8mq_up(&mut b), Err(ETIMEDOUT));
    assert_eq!(b.take(), [(0, 0xf8, PXX)]);
    assert_eq!(b.waited_us, 1005);
    let mut b = Bus::new(|_, _| {});
    assert_eq!(imx8mq_down(&mut b), Err(ETIMEDOUT));
}

#[test]
fn claim_keeps_what_others_have() {
    let mut b = Bus::new(answers);
    b.put(0, 0xec, u32::MAX, 0x4104);
    imx8mq_claim(&mut b);
    assert_eq!(b.take(), [(0, 0xec, 0x4304)]);
}

#[test]
fn pll_rates() {
    // 25 MHz / 1 * 8 * (1 + 7) / 2.
    assert_eq!(pll_rate(0, 7), 800_000_000);
    // 25 MHz / 5 * 8 * (1 + 39) / 2, powered down or not.
    assert_eq!(pll_rate(4 << 5 | 1 << 19, 39), 800_000_000);
    // Half a step of fraction: 25 MHz * 8 * 8.5 / 4.
    assert_eq!(pll_rate(1, 7 | 0x80_0000 << 7), 425_000_000);
    assert_eq!(pll_rate(1 << 16 | 1 << 14, 7), 27_000_000, "bypassed");
    assert_eq!(pll_rate(3 << 16, 7), 0, "no reference");
}

#[test]
fn dividers_never_exceed_what_was_asked() {
    let keep = 1 << 28 | 1 << 24;
    let set = |slice, parent, hz| root_set_rate(slice, keep | 0x7003f, parent, hz);
    // A core slice has 3 bits; the bits above are not part of it.
    assert_eq!(set(Slice::Core, 800, 800), keep | 0x70038);
    assert_eq!(set(Slice::Core, 1600, 800), keep | 0x70038 | 1);
    assert_eq!(set(Slice::Bus, 800, 800), keep);
    for parent in [25, 799, 800, 801, 1000, 4000, 100_000] {
        for slice in [Slice::Core, Slice::Bus] {
            let most = if matches!(slice, Slice::Core) { 8 } else { 512 };
            let got = root_rate(slice, set(slice, parent, 800), parent);
            assert!(got <= 800 || got == parent / most, "{slice:?} {parent}");
            // 1000 / 2 is nearer to 800 than anything else below it.
            let want = [(799, 799), (801, 400), (1000, 500), (4000, 800)];
            for (p, rate) in want {
                assert!(p != parent || got == rate, "{slice:?} {parent} {got}");
            }
        }
    }
}
