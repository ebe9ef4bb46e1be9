// SPDX-License-Identifier: BSD-2-Clause
//! The choice of an operating point: which one, and never too fast for the voltage on the way
//! there.

use glue_tests::Event::{Hz, Uv};
use glue_tests::{Board, Point, ERANGE};

const MHZ: u64 = 1_000_000;

fn point(mhz: u64, uv: u32) -> Point {
    let (uv_min, uv_max) = (uv, 1_150_000);
    let hz = mhz * MHZ;
    Point {
        hz,
        uv,
        uv_min,
        uv_max,
    }
}

/// Not sorted, as in a device tree.
fn table() -> Vec<Point> {
    vec![
        point(400, 850_000),
        point(800, 1_100_000),
        point(200, 800_000),
        point(600, 925_000),
    ]
}

#[test]
fn up_is_voltage_first() {
    let mut b = Board::new(&table(), 200 * MHZ, 800_000);
    assert_eq!(b.choose(0).map(|p| p.hz), Ok(800 * MHZ));
    assert_eq!(b.events, [Uv(1_100_000), Hz(800 * MHZ)]);
    assert_eq!(b.violations, []);
}

#[test]
fn down_is_frequency_first() {
    let mut b = Board::new(&table(), 800 * MHZ, 1_100_000);
    assert_eq!(b.choose(450 * MHZ).map(|p| p.hz), Ok(400 * MHZ));
    assert_eq!(b.events, [Hz(400 * MHZ), Uv(850_000)]);
    assert_eq!(b.violations, []);
}

#[test]
fn the_bound_itself_is_allowed() {
    let mut b = Board::new(&table(), 200 * MHZ, 800_000);
    assert_eq!(b.choose(600 * MHZ).map(|p| p.hz), Ok(600 * MHZ));
    assert_eq!(b.choose(600 * MHZ - 1).map(|p| p.hz), Ok(400 * MHZ));
    assert_eq!(b.violations, []);
}

#[test]
fn refused_voltage_falls_to_the_next_point() {
    let mut b = Board::new(&table(), 200 * MHZ, 800_000);
    b.volts.retain(|v| *v < 1_000_000);
    assert_eq!(b.choose(0).map(|p| p.hz), Ok(600 * MHZ));
    assert_eq!(b.events, [Uv(925_000), Hz(600 * MHZ)]);
}

#[test]
fn refused_voltage_on_the_way_down_puts_the_frequency_back() {
    let mut b = Board::new(&table(), 800 * MHZ, 1_100_000);
    b.points.iter_mut().for_each(|p| p.uv_max = p.uv);
    b.volts.retain(|v| *v != 925_000);
    assert_eq!(b.choose(700 * MHZ).map(|p| p.hz), Ok(400 * MHZ));
    let events = [Hz(600 * MHZ), Hz(800 * MHZ), Hz(400 * MHZ), Uv(850_000)];
    assert_eq!(b.events, events);
    assert_eq!(b.violations, []);
}

#[test]
fn a_coarse_regulator_may_use_the_range_below_the_target() {
    let mut b = Board::new(&table(), 200 * MHZ, 800_000);
    for p in &mut b.points {
        (p.uv_min, p.uv_max) = (p.uv - 25_000, p.uv);
    }
    b.volts = vec![800_000, 1_080_000];
    assert_eq!(b.choose(0).map(|p| p.hz), Ok(800 * MHZ));
    assert_eq!(b.uv, 1_080_000);
    assert_eq!(b.violations, []);
}

#[test]
fn a_clock_that_rounds_down_is_taken() {
    let mut b = Board::new(&table(), 200 * MHZ, 800_000);
    b.clocks = vec![200 * MHZ, 594 * MHZ];
    assert_eq!(b.choose(600 * MHZ).map(|p| p.hz), Ok(600 * MHZ));
    assert_eq!((b.hz, b.uv), (594 * MHZ, 925_000));
    assert_eq!(b.violations, []);
}

#[test]
fn a_clock_that_rounds_up_is_put_back() {
    let mut b = Board::new(&table(), 200 * MHZ, 800_000);
    b.clocks = vec![200 * MHZ, 400 * MHZ, 700 * MHZ];
    b.rounds_up = true;
    assert_eq!(b.choose(600 * MHZ).map(|p| p.hz), Ok(400 * MHZ));
    assert_eq!((b.hz, b.uv), (400 * MHZ, 850_000));
}

#[test]
fn none_safe_leaves_all_as_it_was() {
    let mut b = Board::new(&table(), 100 * MHZ, 750_000);
    b.clocks = vec![100 * MHZ, 900 * MHZ];
    b.rounds_up = true;
    assert_eq!(b.choose(0).map(|p| p.hz), Err(ERANGE));
    assert_eq!((b.hz, b.uv), (100 * MHZ, 750_000));
    let mut b = Board::new(&table(), 300 * MHZ, 850_000);
    assert_eq!(b.choose(100 * MHZ).map(|p| p.hz), Err(ERANGE));
    assert_eq!(b.events, []);
}

#[test]
fn without_regulator_never_faster_than_the_firmware_left_it() {
    let mut b = Board::new(&table(), 500 * MHZ, 900_000);
    b.regulator = false;
    assert_eq!(b.choose(0).map(|p| p.hz), Ok(400 * MHZ));
    assert_eq!(b.events, [Hz(400 * MHZ)]);
}

#[test]
fn points_without_voltage_need_no_regulator() {
    let points: Vec<_> = [200, 600].map(|mhz| point(mhz, 0)).to_vec();
    let mut b = Board::new(&points, 200 * MHZ, 0);
    b.regulator = false;
    assert_eq!(b.choose(0).map(|p| p.hz), Ok(600 * MHZ));
}
