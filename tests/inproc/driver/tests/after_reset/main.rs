// SPDX-License-Identifier: BSD-2-Clause
//! What a reset leaves: registers as they were after attach, and jobs that fail at once, on each
//! GPU that there is a model of.

use driver_tests::panfrost::{write_zero, Rig};
use driver_tests::{errno, SEC};
use models::Injection;

mod first_cycle;
mod races;
mod registers;

const MALIS: [&str; 5] = ["rk3399", "mali-t720", "mali-t760", "mali-g31", "mali-g52"];

/// A job that no stop moves, to its end.
fn hang(rig: &Rig) {
    let c = rig.client();
    let work = c.work().unwrap();
    work.chain.write(0, &write_zero(0x7000_0000, 0));
    rig.plant(Injection::LoseIrq { line: 1 });
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, 2 * SEC), -errno::ETIMEDOUT);
}
