// SPDX-License-Identifier: BSD-2-Clause
//! The differential client: `abi_calls run SEED CALLS MINOR [CARD RENDER]` prints a
//! transcript of the calls of a minor version of the driver's user ABI, `abi_calls compare A B
//! LIST` compares two.
//!
//! It uses no library but libc and none of this crate's: it runs where Mesa is not.

#[path = "../abi/mod.rs"]
mod abi;

use abi::epoch::{Config, Run};
use abi::state::Driver;
use std::io::Write as _;
use std::process::ExitCode;

const USAGE: &str =
    "usage: abi_calls run SEED CALLS MINOR [CARD RENDER] | abi_calls compare A B LIST";

/// Asks for the driver's name, the long way.
fn driver(path: &str) -> Result<Driver, String> {
    use std::os::fd::AsRawFd as _;
    let node = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path);
    let node = node.map_err(|error| format!("{path}: {error}"))?;
    let mut name = [0u8; 16];
    let arg = abi::stream::Arg::new(&abi::specs::VERSION)
        .num("name_len", name.len() as u64)
        .num("name", name.as_mut_ptr() as u64);
    let mut bytes = arg.bytes;
    // SAFETY: the structure is as long as the code says and points to `name`.
    let ret = unsafe {
        libc::ioctl(
            node.as_raw_fd(),
            abi::specs::VERSION.code as _,
            bytes.as_mut_ptr(),
        )
    };
    match &name {
        _ if ret < 0 => Err(format!(
            "{path}: VERSION: {}",
            std::io::Error::last_os_error()
        )),
        name if name.starts_with(b"panfrost") => Ok(Driver::Panfrost),
        name if name.starts_with(b"etnaviv") => Ok(Driver::Etnaviv),
        _ => Err(format!(
            "{path}: {} is not known",
            String::from_utf8_lossy(&name)
        )),
    }
}

fn run(seed: u64, calls: usize, minor: u32, card: &str, render: &str) -> Result<(), String> {
    let config = Config {
        seed,
        card: card.to_string(),
        render: render.to_string(),
        driver: driver(render)?,
        minor,
    };
    let mut run = Run::new(config);
    let mut out = std::io::stdout().lock();
    let mut nr = 0;
    while run.calls < calls {
        nr += 1;
        let text = run.epoch(nr);
        out.write_all(text.as_bytes())
            .map_err(|error| error.to_string())?;
    }
    out.flush().map_err(|error| error.to_string())?;
    eprintln!("abi_calls: {} calls in {nr} epochs", run.calls);
    Ok(())
}

fn compare(first: &str, second: &str, list: &str) -> Result<bool, String> {
    let read =
        |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let found = abi::compare::compare(&read(first)?, &read(second)?, &read(list)?)?;
    print!("{}", found.text);
    println!(
        "{} lines, {} accepted differences, {} others",
        found.lines, found.accepted, found.wrong
    );
    Ok(found.wrong == 0 && found.lines > 0)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|error| format!("{text}: {error}"))
    };
    let started = |seed, calls, minor, card, render| {
        let (calls, minor) = (number(calls)? as usize, number(minor)? as u32);
        run(number(seed)?, calls, minor, card, render).map(|()| true)
    };
    let outcome = match args[..] {
        ["run", seed, calls, minor] => {
            started(seed, calls, minor, "/dev/dri/card0", "/dev/dri/renderD128")
        }
        ["run", seed, calls, minor, card, render] => started(seed, calls, minor, card, render),
        ["compare", first, second, list] => compare(first, second, list),
        _ => Err(USAGE.to_string()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("abi_calls: {why}");
            ExitCode::from(2)
        }
    }
}
