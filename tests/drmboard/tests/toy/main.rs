// SPDX-License-Identifier: BSD-2-Clause
//! `drmboard` from the outside, with a toy driver in place of a GPU's: the same program is the test
//! runner and, as `toy run ...`, the board. The clients are the shim's example `board_client`, for
//! this machine and, where the sysroot and QEMU are there, for arm64.

mod abi;
mod cases;
mod driver;
mod parts;

use drm_os_host::Config;
use drmboard::board::{Core, Watch};
use drmboard::Board;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

fn toy_board(name: &str, config: Config, watch: Watch) -> Result<Board, String> {
    let nodes = drmboard::board::nodes(name).into_iter();
    let cores = nodes.map(|node| -> Core { (node, Box::<driver::Adder>::default()) });
    // SAFETY: the table is a constant.
    unsafe { Board::with_parts(cores.collect(), config, driver::table(), "toy", watch) }
}

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if args
        .first()
        .is_some_and(|arg| arg == "run" || arg == "bare")
    {
        // "bare" stands for a command line that is not "run ...".
        let skip = usize::from(args[0] == "bare");
        return ExitCode::from(drmboard::cli::main(args.into_iter().skip(skip), toy_board));
    }
    let filter = args
        .iter()
        .filter_map(|arg| arg.to_str())
        .find(|arg| !arg.starts_with('-'))
        .unwrap_or("");
    if args.iter().any(|arg| arg == "--list") {
        cases::ALL
            .iter()
            .for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, case) in cases::ALL.iter().filter(|(name, _)| name.contains(filter)) {
        let start = Instant::now();
        let result = catch_unwind(case);
        let ms = start.elapsed().as_millis();
        match result {
            Ok(Ok(())) => {
                passed += 1;
                println!("test {name} ... ok ({ms} ms)");
            }
            Ok(Err(why)) => {
                skipped += 1;
                println!("test {name} ... ignored, {why}");
            }
            Err(_) => {
                failed += 1;
                println!("test {name} ... FAILED ({ms} ms)");
            }
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {passed} passed; {failed} failed; {skipped} ignored");
    ExitCode::from(u8::from(failed != 0))
}
