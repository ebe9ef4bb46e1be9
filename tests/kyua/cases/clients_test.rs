// SPDX-License-Identifier: BSD-2-Clause
//! Unmodified arm64 Mesa on the board: Debian's eglinfo, weston with glmark2, and the programs of
//! tests/guest/clients.
//!
//! A case that lacks its programs fails: `make test` builds and unpacks them first, so that is no
//! reason to skip. On a virtual board nothing may be left when it is gone; see [`clean`].

use atf::{case, require, require_eq, require_ok, Ctx};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The boards, and what Mesa calls their GPUs.
const BOARDS: &str = "rk3399 mali-t720 mali-t760 mali-g31 mali-g52 imx8mq imx6q";
const RENDERERS: [(&str, &str); 7] = [
    ("rk3399", "Mali-T860 (Panfrost)"),
    ("mali-t720", "Mali-T720 (Panfrost)"),
    ("mali-t760", "Mali-T760 (Panfrost)"),
    ("mali-g31", "Mali-G31 (Panfrost)"),
    ("mali-g52", "Mali-G52 r1 (Panfrost)"),
    ("imx8mq", "Vivante GC7000 rev 6214"),
    ("imx6q", "Vivante GC2000 rev 5108"),
];
const VIVANTE: &str = "imx8mq imx6q";

/// Inside `drmboard run`, not on silicon.
fn is_virtual() -> bool {
    std::env::var_os("DRMBOARD_BOARD").is_some()
}

/// The renderer that a client of this board must have found.
fn renderer(ctx: &Ctx) -> &'static str {
    let found = RENDERERS
        .iter()
        .find(|(board, _)| ctx.board() == Some(board));
    let Some((_, renderer)) = found else {
        panic!("no board {:?}", ctx.board())
    };
    renderer
}

/// What kyua's variable `name` names, which must be there.
fn place(ctx: &Ctx, name: &str) -> PathBuf {
    let Some(path) = ctx.config(name).map(PathBuf::from) else {
        panic!("the variable {name} is not set")
    };
    require!(
        path.exists(),
        "{} is not there: run make build",
        path.display()
    );
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
    // The board's sysroot is Debian's for arm64; a machine that is the board has an eglinfo of its
    // own.
    let program = match std::env::var_os("DRMBOARD_SYSROOT") {
        Some(root) => Path::new(&root).join("usr/bin/eglinfo"),
        None => PathBuf::from("eglinfo"),
    };
    let (status, text) = run(&mut Command::new(program));
    let found = format!("EGL driver name: {}", driver(ctx));
    let platforms: Vec<_> = text
        .split("\n\n")
        .filter(|part| part.contains(&found))
        .collect();
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

/// Clears with options of Mesa's for Vivante GPUs.
fn clear_with(ctx: &Ctx, options: &str) {
    let mut command = Command::new(place(ctx, "clients").join("gles_clear"));
    command.env("ETNA_MESA_DEBUG", options);
    if is_virtual() {
        // The GPU model runs no shaders, which reading a compressed image back takes.
        command.env("PAN_MESA_DEBUG", "linear");
    }
    let (status, text) = run(&mut command);
    require_eq!(status, Some(0));
    require_eq!(values(&text, "renderer: "), [renderer(ctx)]);
    require_eq!(values(&text, "frames "), ["15 ok"]);
}

fn gles_clear(ctx: &Ctx) {
    clear_with(ctx, "");
}

/// Tile status is on unless it is turned off: see [`fewer_buffers`].
fn gles_clear_no_ts(ctx: &Ctx) {
    clear_with(ctx, "");
    clear_with(ctx, "no_ts");
}

fn gles_clear_no_supertile(ctx: &Ctx) {
    clear_with(ctx, "no_supertile");
}

fn share(ctx: &Ctx) {
    let (status, text) = run(&mut Command::new(place(ctx, "clients").join("share")));
    require_eq!(status, Some(0));
    // Two processes, either of which wrote what the other read. What the parent wrote, and what the
    // GPU drew. With panfrost the child checks the raw mapping, too.
    let looks = if driver(ctx) == "panfrost" { 3 } else { 2 };
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

/// No submit was refused, the model met nothing that it does not know, the board saw no fault,
/// needed no reset, and its driver leaked nothing.
fn clean(output: &str) {
    let total = stats(output, "total");
    require_eq!(total.len(), 1);
    for name in ["refused", "unknown", "faults", "resets", "leaked"] {
        require_eq!(value(&total[0], name), "0", "{name}");
    }
}

const TRACE: &str = "trace";
const TRACED: &[&str] = &["--stats", "--trace", TRACE];

/// The trace, which is deleted.
fn take_trace() -> String {
    let trace = require_ok!(std::fs::read_to_string(TRACE));
    require_ok!(std::fs::remove_file(TRACE));
    trace
}

/// The first client's targets had tile status, in buffers of its own, and the second client's had
/// none: Mesa knew the option.
fn fewer_buffers(output: &str) {
    clean(output);
    let trace = take_trace();
    let buffers: Vec<usize> = stats(output, "client")
        .iter()
        .map(|client| {
            let pid = format!(" pid={} ", value(client, "pid"));
            let new = |line: &&str| line.contains(&pid) && line.contains(" name=ETNAVIV_GEM_NEW ");
            trace.lines().filter(new).count()
        })
        .collect();
    println!("buffers with and without tile status: {buffers:?}");
    require!(buffers.len() == 2 && buffers[0] > buffers[1] && buffers[1] > 0);
}

/// Both processes had jobs, and buffers went from one to the other.
fn two_processes(output: &str) {
    clean(output);
    let trace = take_trace();
    let clients = stats(output, "client");
    for (comm, request) in [
        ("weston", "PRIME_FD_TO_HANDLE"),
        ("glmark2-es2-wayland", "PRIME_HANDLE_TO_FD"),
    ] {
        let Some(client) = clients.iter().find(|line| value(line, "comm") == comm) else {
            panic!("{comm} did not use the board")
        };
        require!(
            value(client, "jobs")
                .parse::<u32>()
                .is_ok_and(|jobs| jobs > 0),
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
    // The tiler's heaps grew by page faults. "NS irq DEV mmu 1": without a fault counted, it was
    // for memory that the driver then gave.
    let mali = values(output, "renderer: ")
        .iter()
        .any(|name| name.starts_with("Mali"));
    require!(
        !mali || trace.lines().any(|line| line.ends_with(" mmu 1")),
        "no heap grew"
    );
}

/// Calls that signals interrupt, and are made again.
fn signals(ctx: &Ctx) {
    let board = ctx.board().unwrap_or_default();
    let (status, text) = run(Command::new(place(ctx, "clients").join("signals")).arg(board));
    require_eq!(status, Some(0));
    require_eq!(values(&text, "jobs ").len(), 1);
}

/// The driver counts as many jobs as the program has submitted.
fn as_many_jobs(output: &str) {
    clean(output);
    let submitted = values(output, "jobs ");
    let ran: Vec<_> = stats(output, "client")
        .into_iter()
        .filter(|line| value(line, "comm") == "signals")
        .map(|line| value(&line, "jobs").to_owned())
        .collect();
    require_eq!(submitted, ran);
}

fn main() {
    let stats: &[&str] = &["--stats"];
    atf::main(&[
        case!(
            "eglinfo",
            "Mesa's EGL finds the board's driver on the platforms that need no display server",
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
            "gles_clear_no_ts",
            "the same with tile status on and off",
            gles_clear_no_ts
        )
        .board(VIVANTE)
        .drmboard(TRACED, fewer_buffers)
        .timeout(120),
        case!(
            "gles_clear_no_supertile",
            "the same without supertiles",
            gles_clear_no_supertile
        )
        .board(VIVANTE)
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
            "signals",
            "a call that a signal interrupts has done nothing, and each job runs once",
            signals
        )
        .board("rk3399 imx8mq")
        .drmboard(stats, as_many_jobs)
        .timeout(120),
        case!(
            "session",
            "headless weston shows what glmark2 draws, in two processes, to the end",
            session
        )
        .board(BOARDS)
        .drmboard(TRACED, two_processes)
        // mk/session.sh ends itself if nothing goes on; a busy machine takes long.
        .timeout(1800),
    ]);
}
