// SPDX-License-Identifier: BSD-2-Clause
//! Clients of etnaviv: the user ABI, the boards, submits, and the cases that run on several boards.
//!
//! Layouts, numbers and streams are written here from the uapi's documentation and from rnndb;
//! nothing is the driver's.

pub mod abi;
mod boards;
mod client;
mod pages;
mod target;
mod work;

pub use boards::{imx6q, imx6qp, imx8mq, Board, Core, Engine};
pub use client::{filled, status, Bo, Client, Submitted};
pub use pages::Pages;
pub use target::{refuse, refuse_work, Target};
pub use work::{state, Work, FILL_WORDS, LONG_BYTES, SLOW_BYTES};

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
