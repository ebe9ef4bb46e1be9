// SPDX-License-Identifier: BSD-2-Clause
//! Runs C code of the glue on the host: the parts of `sys/dev/drm/kpi/freebsd/power` that use
//! neither newbus nor registers directly, with register windows that record writes and a board with
//! one clock and one regulator; objects and pages, with a small VM system; and the files that
//! threads race in, with locks and a clock.

mod clk;
pub mod memory;
mod opp;
pub mod threads;
mod window;

pub use clk::{pll_rate, root_rate, root_set_rate, Slice};
pub use opp::{Board, Event, Point};
pub use window::{imx8mq_claim, imx8mq_down, imx8mq_up, rk3399_down, rk3399_up, Bus, Qos, Write};

/// FreeBSD's ETIMEDOUT.
pub const ETIMEDOUT: i32 = 60;
/// FreeBSD's ERANGE.
pub const ERANGE: i32 = 34;
/// FreeBSD's ENXIO.
pub const ENXIO: i32 = 6;

fn result(errno: i32) -> Result<(), i32> {
    match errno {
        0 => Ok(()),
        e => Err(e),
    }
}
