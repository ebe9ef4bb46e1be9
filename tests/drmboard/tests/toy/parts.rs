// SPDX-License-Identifier: BSD-2-Clause
//! Shims and clients for the cases: built once, below the test's own directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// What a case runs with.
pub struct Parts {
    /// Holds `{x86_64,aarch64}/libdrmboard_shim.so`.
    pub shims: PathBuf,
    pub client: PathBuf,
    /// The client for arm64, or why there is none.
    pub arm64: Result<PathBuf, String>,
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What arm64 programs are built against.
fn build_root() -> PathBuf {
    let target =
        std::env::var_os("DRMKPI_TARGET").map_or_else(|| top().join("target"), PathBuf::from);
    target.join("sysroot")
}

/// The root that they run in.
pub fn sysroot() -> PathBuf {
    std::env::var_os("DRMBOARD_SYSROOT").map_or_else(|| top().join("target/sysroot"), PathBuf::from)
}

fn qemu() -> PathBuf {
    std::env::var_os("DRMBOARD_QEMU")
        .map_or_else(|| top().join("target/qemu/qemu-aarch64"), PathBuf::from)
}

fn checked(command: &mut Command) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let tail: Vec<&str> = text.lines().rev().take(5).collect();
    Err(tail.into_iter().rev().collect::<Vec<_>>().join(" | "))
}

const BUILD: [&str; 6] = [
    "build",
    "-q",
    "-p",
    "drmboard_shim",
    "--lib",
    "--example=board_client",
];

/// A new file in the place of the old one: a process that still runs has the old one mapped.
fn install(from: &Path, shims: &Path, machine: &str) {
    let dir = shims.join(machine);
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::copy(from.join("libdrmboard_shim.so"), dir.join("new")).unwrap();
    std::fs::rename(dir.join("new"), dir.join("libdrmboard_shim.so")).unwrap();
}

fn build_arm64(target: &Path, shims: &Path) -> Result<PathBuf, String> {
    if !build_root().join("usr/lib/rustlib").is_dir() {
        return Err(format!(
            "no sysroot with Rust's std at {}",
            build_root().display()
        ));
    }
    if !qemu().is_file() {
        return Err(format!("no {}", qemu().display()));
    }
    let mut command = Command::new(top().join("mk/arm64.sh"));
    command
        .args(BUILD)
        .arg("--release")
        .env("DRMKPI_ARM64_TARGET", target.join("arm64"));
    // Those are for the machine that the test runs on.
    command
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    checked(&mut command).map_err(|error| format!("mk/arm64.sh: {error}"))?;
    let built = target.join("arm64/aarch64-unknown-linux-gnu/release");
    install(&built, shims, "aarch64");
    Ok(built.join("examples/board_client"))
}

/// The parts, built by the first call.
pub fn parts() -> &'static Parts {
    static PARTS: OnceLock<Parts> = OnceLock::new();
    PARTS.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shim-build");
        let shims = target.join("shims");
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command
            .current_dir(top())
            .args(BUILD)
            .arg("--release")
            .arg("--target-dir")
            .arg(&target);
        checked(&mut command).expect("cargo build of the shim");
        install(&target.join("release"), &shims, std::env::consts::ARCH);
        let arm64 = build_arm64(&target, &shims);
        Parts {
            client: target.join("release/examples/board_client"),
            shims,
            arm64,
        }
    })
}

/// `program ARGS` with what a board needs in its environment.
pub fn program(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null());
    command
        .env("DRMBOARD_SHIM_DIR", &parts().shims)
        .env("DRMBOARD_SYSROOT", sysroot())
        .env("DRMBOARD_QEMU", qemu());
    command.env_remove("DRMBOARD_ARCH").env_remove("LD_PRELOAD");
    command
}

/// `drmboard ARGS` with the toy driver.
pub fn board(args: &[&str]) -> Command {
    program(&std::env::current_exe().unwrap(), args)
}

/// Runs `client WORDS` on the board with `--stats` and `options`.
pub fn client_of(client: &Path, options: &[&str], words: &[&str]) -> Output {
    let mut args = vec!["run", "--board", "rk3399", "--stats"];
    args.extend(options);
    args.extend(["--", client.to_str().unwrap()]);
    args.extend(words);
    board(&args).output().unwrap()
}

/// The number after `name=` in the last line that starts with `line`.
pub fn number(output: &Output, line: &str, name: &str) -> u64 {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text
        .lines()
        .rfind(|l| l.starts_with(line))
        .unwrap_or_else(|| panic!("no {line} in {text}"));
    let value = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix(&format!("{name}=")));
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {line}"))
}

/// The client ended well and left nothing on the board.
pub fn clean(output: &Output) {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert_eq!(number(output, "stats: total", "leaked"), 0, "{out}\n{err}");
}
