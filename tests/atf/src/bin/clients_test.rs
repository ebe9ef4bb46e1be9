// SPDX-License-Identifier: BSD-2-Clause
//! Unmodified arm64 Mesa on the board: Debian's eglinfo, weston with glmark2, and the programs of tests/clients.
//!
//! A case that lacks its programs fails: `make test` builds and unpacks them first, so that is no reason to skip. On a virtual
//! board nothing may be left when it is gone; see [`clean`].

use atf::{case, require, require_eq, require_ok, Ctx};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The boards, and what Mesa calls their GPUs.
const BOARDS: &str = "rk3399 mali-t720 mali-t760 mali-g31 mali-g52";
const VIVANTE: &str = "imx8mq";
const RENDERERS: [(&str, &str); 6] = [
    ("rk3399", "Mali-T860 (Panfrost)"),
    ("mali-t720", "Mali-T720 (Panfrost)"),
    ("mali-t760", "Mali-T760 (Panfrost)"),
    ("mali-g31", "Mali-G31 (Panfrost)"),
    ("mali-g52", "Mali-G52 r1 (Panfrost)"),
    (VIVANTE, "Vivante GC7000 rev 6214"),
];

/// Inside `drmboard run`, not on silicon.
fn is_virtual() -> bool {
    std::env::var_os("DRMBOARD_BOARD").is_some()
}

/// The renderer that a client of this board must have found; silicon without a name is an RK3399.
fn renderer(ctx: &Ctx) -> &'static str {
    let name = std::env::var("DRMBOARD_BOARD").ok();
    let name = name.as_deref().or(ctx.config("board")).unwrap_or("rk3399");
    let Some((_, renderer)) = RENDERERS.iter().find(|(board, _)| *board == name) else {
        panic!("no board {name}")
    };
    renderer
}

/// What kyua's variable `name` names, which must be there.
fn place(ctx: &Ctx, name: &str) -> PathBuf {
    let Some(path) = ctx.config(name).map(PathBuf::from) else {
        panic!("the variable {name} is not set")
    };
    require!(path.exists(), "{} is not there: run make build", path.display());
    path
}

/// Runs a command to its end; its exit status and standard output, which goes to ours as well.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = require_ok!(command.stderr(Stdio::inherit()).output());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{text}");
    (output.status.code(), text)
}

/// What follows `name` on the lines that begin with it.
fn values<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.lines()
        .filter_map(|line| line.strip_prefix(name))
        .map(str::trim)
        .collect()
}

/// What Mesa calls the board's driver.
fn driver(ctx: &Ctx) -> &'static str {
    if renderer(ctx).starts_with("Vivante") {
        "etnaviv"
    } else {
        "panfrost"
    }
}

fn eglinfo(ctx: &Ctx) {
    // The board's sysroot is Debian's for arm64; a machine that is the board has an eglinfo of its own.
    let program = match std::env::var_os("DRMBOARD_SYSROOT") {
        Some(root) => Path::new(&root).join("usr/bin/eglinfo"),
        None => PathBuf::from("eglinfo"),
    };
    let (status, text) = run(&mut Command::new(program));
    let found = format!("EGL driver name: {}", driver(ctx));
    let platforms: Vec<_> = text.split("\n\n").filter(|part| part.contains(&found)).collect();
    for name in ["GBM platform:", "Surfaceless platform:", "Device platform:"] {
        require!(text.lines().any(|line| line == name), "no {name}");
    }
    require_eq!(platforms.len(), 3, "one for each platform");
    // It ends with the number of platforms that it could not open, those of a display server.
    let failed = text.matches("eglinfo: eglInitialize failed").count();
    require_eq!(status, i32::try_from(failed).ok());
    if is_virtual() {
        require_eq!(failed, 2);
    }
}

fn gles_clear(ctx: &Ctx) {
    let mut command = Command::new(place(ctx, "clients").join("gles_clear"));
    if is_virtual() {
        // The GPU model runs no shaders, which reading a compressed image back takes.
        command.env("PAN_MESA_DEBUG", "linear");
    }
    let (status, text) = run(&mut command);
    require_eq!(status, Some(0));
    require_eq!(values(&text, "renderer: "), [renderer(ctx)]);
    require_eq!(values(&text, "frames "), ["15 ok"]);
}

fn share(ctx: &Ctx) {
    let (status, text) = run(&mut Command::new(place(ctx, "clients").join("share")));
    require_eq!(status, Some(0));
    // Two processes, either of which wrote what the other read.
    // With panfrost the child looks at the raw mapping, too.
    let looks = if driver(ctx) == "panfrost" { 2 } else { 1 };
    require_eq!(values(&text, "child: ").len(), looks);
    require_eq!(values(&text, "share "), ["333x77 ok"]);
}

fn session(ctx: &Ctx) {
    let (status, text) = run(Command::new(place(ctx, "session")).arg("here"));
    require_eq!(status, Some(0));
    require_eq!(values(&text, "renderer: "), [renderer(ctx)]);
    require!(values(&text, "note: glmark2 score").len() == 1);
}

/// The `stats:` lines of `kind` as lists of pairs.
fn stats<'a>(output: &'a str, kind: &str) -> Vec<Vec<(&'a str, &'a str)>> {
    let pairs = |line: &'a str| {
        line.split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .collect()
    };
    values(output, &format!("stats: {kind} "))
        .into_iter()
        .map(pairs)
        .collect()
}

fn value<'a>(line: &[(&str, &'a str)], name: &str) -> &'a str {
    line.iter()
        .find(|(n, _)| *n == name)
        .map_or("", |(_, value)| value)
}

/// The board saw no fault, needed no reset, and its driver left nothing behind.
fn clean(output: &str) {
    let total = stats(output, "total");
    require_eq!(total.len(), 1);
    for name in ["faults", "resets", "leaked"] {
        require_eq!(value(&total[0], name), "0", "{name}");
    }
}

const TRACE: &str = "trace";

/// Both processes had jobs, and buffers went from one to the other. The answer is the trace.
fn two_processes(output: &str) -> String {
    clean(output);
    let trace = require_ok!(std::fs::read_to_string(TRACE));
    require_ok!(std::fs::remove_file(TRACE));
    let clients = stats(output, "client");
    for (comm, request) in [
        ("weston", "PRIME_FD_TO_HANDLE"),
        ("glmark2-es2-wayland", "PRIME_HANDLE_TO_FD"),
    ] {
        let Some(client) = clients.iter().find(|line| value(line, "comm") == comm) else {
            panic!("{comm} did not use the board")
        };
        require!(
            value(client, "jobs").parse::<u32>().is_ok_and(|jobs| jobs > 0),
            "{comm} had no job"
        );
        let (pid, name) = (
            format!(" pid={} ", value(client, "pid")),
            format!(" name={request} "),
        );
        let shared = trace
            .lines()
            .any(|line| line.contains(&pid) && line.contains(&name) && line.ends_with("ret=0"));
        require!(shared, "{comm} did no {request}");
    }
    trace
}

fn session_on_vivante(output: &str) {
    two_processes(output);
}

/// Besides, the tiler's heaps grew by page faults.
fn session_on_mali(output: &str) {
    let trace = two_processes(output);
    // "NS irq DEV mmu 1": without a fault counted, it was for memory that the driver then gave.
    require!(trace.lines().any(|line| line.ends_with(" mmu 1")), "no heap grew");
}

fn main() {
    let stats: &[&str] = &["--stats"];
    atf::main(&[
        case!(
            "eglinfo",
            "Mesa's EGL finds panfrost on the platforms that need no display server",
            eglinfo
        )
        .board(BOARDS)
        .drmboard(stats, clean)
        .timeout(60),
        case!(
            "gles_clear",
            "clears of several sizes and colours are read back exactly",
            gles_clear
        )
        .board(BOARDS)
        .drmboard(stats, clean)
        .timeout(120),
        case!(
            "share",
            "what one process writes into a buffer another one reads",
            share
        )
        .board(BOARDS)
        .drmboard(stats, clean)
        .timeout(60),
        case!(
            "session",
            "headless weston shows what glmark2 draws, in two processes, to the end",
            session
        )
        .board(BOARDS)
        .drmboard(&["--stats", "--trace", TRACE], session_on_mali)
        .timeout(180),
        case!(
            "eglinfo_vivante",
            "Mesa's EGL finds etnaviv on the platforms that need no display server",
            eglinfo
        )
        .board(VIVANTE)
        .drmboard(stats, clean)
        .timeout(60),
        case!(
            "gles_clear_vivante",
            "clears of several sizes and colours are read back exactly",
            gles_clear
        )
        .board(VIVANTE)
        .drmboard(stats, clean)
        .timeout(120),
        case!(
            "share_vivante",
            "what one process writes into a buffer another one reads",
            share
        )
        .board(VIVANTE)
        .drmboard(stats, clean)
        .timeout(60),
        case!(
            "session_vivante",
            "headless weston shows what glmark2 draws, in two processes, to the end",
            session
        )
        .board(VIVANTE)
        .drmboard(&["--stats", "--trace", TRACE], session_on_vivante)
        .timeout(180),
    ]);
}
