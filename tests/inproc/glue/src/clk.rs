// SPDX-License-Identifier: BSD-2-Clause
//! i.MX8MQ's clock arithmetic.

/// The dividers of a target root.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub enum Slice {
    /// One divider.
    Core = 0,
    /// Two dividers.
    Bus = 1,
}

extern "C" {
    fn imx8mq_root_rate(slice: i32, root: u32, parent_hz: u64) -> u64;
    fn imx8mq_root_set_rate(slice: i32, root: u32, parent_hz: u64, hz: u64) -> u32;
    fn imx8mq_pll_rate(cfg0: u32, cfg1: u32) -> u64;
}

/// The rate of a root with this register value.
pub fn root_rate(slice: Slice, root: u32, parent_hz: u64) -> u64 {
    // SAFETY: a function of its arguments.
    unsafe { imx8mq_root_rate(slice as i32, root, parent_hz) }
}

/// The register value for a rate.
pub fn root_set_rate(slice: Slice, root: u32, parent_hz: u64, hz: u64) -> u32 {
    // SAFETY: a function of its arguments.
    unsafe { imx8mq_root_set_rate(slice as i32, root, parent_hz, hz) }
}

/// The rate of a PLL with these register values.
pub fn pll_rate(cfg0: u32, cfg1: u32) -> u64 {
    // SAFETY: a function of its arguments.
    unsafe { imx8mq_pll_rate(cfg0, cfg1) }
}
