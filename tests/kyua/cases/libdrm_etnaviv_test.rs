// SPDX-License-Identifier: BSD-2-Clause
//! libdrm's own tests of etnaviv, unmodified, on the boards: what they exit with decides.
//!
//! mk/libdrm.sh builds them from Debian's source, and kyua's variable `libdrm` says where. Where
//! the source could not be had a file `missing` there says why, and the cases are skipped.

use atf::drm::RENDER_NODE;
use atf::{case, require_eq, require_ok, skip, Ctx};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Runs one of them; gives what it printed.
fn libdrm(ctx: &Ctx, name: &str) -> String {
    let Some(directory) = ctx.config("libdrm").map(PathBuf::from) else {
        skip!("the variable libdrm is not set")
    };
    if let Ok(why) = std::fs::read_to_string(directory.join("missing")) {
        skip!("{}", why.trim())
    }
    let mut command = Command::new(directory.join(name));
    let output = require_ok!(command.arg(RENDER_NODE).stderr(Stdio::inherit()).output());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{text}");
    require_eq!(
        output.status.code(),
        Some(0),
        "{name} ended with {}",
        output.status
    );
    text
}

/// How many of a program's own checks it says it has made.
fn oks(text: &str) -> usize {
    text.lines()
        .filter(|line| line.ends_with(" ... ok"))
        .count()
}

fn bo_cache(ctx: &Ctx) {
    require_eq!(oks(&libdrm(ctx, "etnaviv_bo_cache_test")), 2);
}

fn cmd_stream(ctx: &Ctx) {
    require_eq!(oks(&libdrm(ctx, "etnaviv_cmd_stream_test")), 3);
}

/// It searches for a 2D core, draws 256 rectangles by relocations, and compares all pixels.
fn draw_2d(ctx: &Ctx) {
    let text = libdrm(ctx, "etnaviv_2d_test");
    require_eq!(
        text.lines()
            .filter(|line| line.trim() == "Name: etnaviv")
            .count(),
        1
    );
}

/// The number of `NAME=N` in the line `stats: total ...`.
fn total(output: &str, name: &str) -> Option<u64> {
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix("stats: total "))?;
    let mut pairs = line
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    pairs.find(|(n, _)| *n == name)?.1.parse().ok()
}

/// The board saw no fault, needed no reset, and its driver leaked nothing.
fn clean(output: &str) {
    for name in ["faults", "resets", "leaked"] {
        require_eq!(total(output, name), Some(0), "{name}");
    }
}

/// Besides, the GPU had work.
fn drawn(output: &str) {
    clean(output);
    require_eq!(total(output, "jobs"), Some(1));
}

fn main() {
    let stats: &[&str] = &["--stats"];
    atf::main(&[
        case!(
            "bo_cache",
            "etnaviv_bo_cache_test: closed buffers are used again, sizes are rounded to pages",
            bo_cache
        )
        .board("imx8mq imx6q")
        .drmboard(stats, clean)
        .timeout(60),
        case!(
            "cmd_stream",
            "etnaviv_cmd_stream_test: streams grow and count their words",
            cmd_stream
        )
        .board("imx8mq imx6q")
        .drmboard(stats, clean)
        .timeout(60),
        case!(
            "draw_2d",
            "etnaviv_2d_test: rectangles of the 2D core, every pixel compared",
            draw_2d
        )
        .board("imx6q")
        .drmboard(stats, drawn)
        .timeout(60),
    ]);
}
