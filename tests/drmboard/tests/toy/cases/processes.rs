// SPDX-License-Identifier: BSD-2-Clause
//! The processes of a board: many, of two machines, that end early, late, or by a signal; and what
//! others see of them.

use super::native;
use crate::parts::{board, clean, client_of, number, parts};
use std::path::Path;
use std::time::{Duration, Instant};

pub(super) fn many_processes() -> Result<(), String> {
    let output = client_of(&parts().client, &[], &["processes", "200"]);
    clean(&output);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // The parent only opens; each child adds on the shared file and on its own.
    assert_eq!(
        text.lines()
            .filter(|line| line.contains(" ioctls=2 jobs=1 "))
            .count(),
        200,
        "{text}"
    );
    assert_eq!(number(&output, "stats: total", "jobs"), 400);
    Ok(())
}

/// A host shell on the board starts an arm64 program, and that one a host program.
pub(super) fn arm64_from_a_shell() -> Result<(), String> {
    let client = parts().arm64.as_ref().map_err(String::clone)?;
    let script = format!("{0} basics && {0} exec", client.display());
    let output = board(&[
        "run", "--board", "rk3399", "--stats", "--", "sh", "-c", &script,
    ])
    .output()
    .unwrap();
    clean(&output);
    Ok(())
}

/// QEMU does not outlive `drmboard vm`, whether that is asked to end or killed.
pub(super) fn machine_ends() -> Result<(), String> {
    let here = |name: &str| {
        std::process::Command::new(name)
            .arg("--version")
            .output()
            .is_ok()
    };
    if !here("qemu-system-aarch64") || !here("dtc") {
        return Err("no qemu-system-aarch64 and dtc".into());
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // The kernel of this machine branches to itself for ever, and its library does nothing.
    let (kernel, library) = (
        dir.join("loop.bin"),
        parts().shims.join("x86_64/libdrmboard_shim.so"),
    );
    std::fs::write(&kernel, 0x1400_0000u32.to_le_bytes()).unwrap();
    for (signal, status) in [
        (libc::SIGTERM, Some(128 + 15)),
        (libc::SIGINT, Some(128 + 2)),
        (libc::SIGKILL, None),
    ] {
        let mut command = board(&[
            "bare",
            "vm",
            "--board",
            "rk3399",
            "--timeout",
            "60",
            "--kernel",
        ]);
        command
            .arg(&kernel)
            .env_remove("DRMBOARD_QEMU")
            .env("DRMBOARD_QEMU_BOARD", &library);
        let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let start = Instant::now();
        let machine = loop {
            assert!(start.elapsed() < Duration::from_secs(30), "no machine");
            let all = std::fs::read_to_string(&children).unwrap_or_default();
            let runs = |pid: &&str| {
                let line =
                    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.starts_with("qemu-system-aarch64") && line.contains("-kernel")
            };
            if let Some(pid) = all.split_whitespace().find(runs) {
                break pid.to_owned();
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        // SAFETY: our own child, not reaped.
        unsafe { libc::kill(child.id() as i32, signal) };
        assert_eq!(child.wait().unwrap().code(), status, "signal {signal}");
        let start = Instant::now();
        // A zombie has no command line.
        while std::fs::read(format!("/proc/{machine}/cmdline")).is_ok_and(|line| !line.is_empty()) {
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "signal {signal}: QEMU {machine} still runs"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

pub(super) fn lingering() -> Result<(), String> {
    // Ends within the grace: waited for.
    let start = Instant::now();
    let output = client_of(&parts().client, &[], &["linger", "900"]);
    clean(&output);
    assert!(
        (800..1900).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );
    assert!(!String::from_utf8_lossy(&output.stderr).contains("still using"));
    // Does not: cut off, named, and nothing leaks.
    let start = Instant::now();
    let output = client_of(&parts().client, &[], &["linger", "4000"]);
    assert!(
        (2000..3500).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        err.contains("still using the board") && err.contains("comm=board_client files=1"),
        "{err}"
    );
    clean(&output);
    Ok(())
}

pub(super) fn forwarding() -> Result<(), String> {
    let client = parts().client.to_str().unwrap();
    let mut child = board(&["run", "--board", "rk3399", "--", client, "sleep"])
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    // SAFETY: our own child, not reaped.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    Ok(())
}

pub(super) fn outside() -> Result<(), String> {
    let before = (
        Path::new("/dev/dri").exists(),
        Path::new("/sys/class/drm").exists(),
    );
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    native(&["basics"])?;
    assert_eq!(
        before,
        (
            Path::new("/dev/dri").exists(),
            Path::new("/sys/class/drm").exists()
        )
    );
    assert_eq!(
        mounts,
        std::fs::read_to_string("/proc/self/mounts").unwrap()
    );
    Ok(())
}
