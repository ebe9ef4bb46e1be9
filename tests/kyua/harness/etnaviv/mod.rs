// SPDX-License-Identifier: BSD-2-Clause
//! Clients of etnaviv: the boards, submits, and the cases that run on several boards.
//!
//! Streams are written here from rnndb; nothing is the driver's.

mod boards;
mod client;
mod pages;
mod target;
mod work;

use crate::drm::deadline_ns;
pub use boards::{imx6q, imx6qp, imx8mq, Board, Core, Engine};
pub use client::{filled, status, Bo, Client, Submitted};
pub use pages::Pages;
pub use target::{refuse, refuse_work, Target};
use uapi::etnaviv::Timespec;

pub use work::{state, Work, FILL_WORDS, LONG_BYTES, SLOW_BYTES};

/// The time that lies `ms` milliseconds ahead.
pub fn after_ms(ms: i64) -> Timespec {
    let ns = deadline_ns(ms);
    Timespec {
        tv_sec: ns / 1_000_000_000,
        tv_nsec: ns % 1_000_000_000,
    }
}

/// Late enough for every job of a test.
pub fn soon() -> Timespec {
    after_ms(10_000)
}

/// Cases of functions that take a [`Board`], one for each board named, with the board at the end of
/// its name: `etnaviv_cases! { body [imx8mq imx6q] "what it shows"; ... }` gives an array of
/// [`Case`](crate::Case)s.
#[macro_export]
macro_rules! etnaviv_cases {
    ($($body:ident [$($board:ident)+] $descr:literal;)+) => {
        [$($(
            $crate::Case::new(
                concat!(stringify!($body), "_", stringify!($board)),
                $descr,
                |_| $body($crate::etnaviv::$board()),
            )
            .board(stringify!($board))
            .timeout(60),
        )+)+]
    };
}
