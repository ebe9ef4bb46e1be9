// SPDX-License-Identifier: BSD-2-Clause
//! `drmboard run --board rk3399 -- CMD`: see the library's documentation.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(drmboard::cli::main(
        std::env::args_os().skip(1),
        drmboard::Board::new_watched,
    ))
}
