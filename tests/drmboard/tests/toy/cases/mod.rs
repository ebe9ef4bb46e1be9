// SPDX-License-Identifier: BSD-2-Clause
//! The cases. A case fails by panicking and says why it cannot run by an error.

mod command_line;
mod processes;
mod reports;

use super::parts::{clean, client_of, number, parts, program, sysroot};
use command_line::{arm64_on_path, exit_codes, help, mistakes, plain_chroot};
use processes::{arm64_from_a_shell, forwarding, lingering, machine_ends, many_processes, outside};
use reports::{drawn_by_the_cpu, dump, no_screen, statistics, strict, trace, two_nodes};
use std::path::Path;
use std::process::Output;

type Case = fn() -> Result<(), String>;

pub const ALL: &[(&str, Case)] = &[
    ("x86_64_basics", || native(&["basics"])),
    ("x86_64_fork_and_dup_share_a_buffer", || {
        native(&["sharing"])
    }),
    ("x86_64_memory_of_processes", || native(&["memory"])),
    ("x86_64_descriptors_are_passed", || native(&["passing"])),
    ("x86_64_events_wake", || native(&["events"])),
    ("x86_64_descriptors_have_names", || native(&["identity"])),
    ("x86_64_poll_is_up_to_date", || native(&["polling"])),
    ("x86_64_pseudo_terminals", || native(&["terminal"])),
    ("x86_64_signals_interrupt", || native(&["signals"])),
    ("x86_64_killed_in_the_middle", || native(&["killed"])),
    ("x86_64_killed_while_a_child_lives", || {
        native(&["orphaned"])
    }),
    ("x86_64_threads", || native(&["threads"])),
    ("x86_64_200_processes", many_processes),
    ("x86_64_exec", || native(&["exec"])),
    ("x86_64_closes_everything", || native(&["closed"])),
    ("x86_64_nonsense", || native(&["nonsense"])),
    ("x86_64_latency", || native(&["latency"])),
    ("aarch64_basics", || arm64(&["basics"])),
    ("aarch64_fork_and_dup_share_a_buffer", || {
        arm64(&["sharing"])
    }),
    ("aarch64_memory_of_processes", || arm64(&["memory"])),
    ("aarch64_descriptors_are_passed", || arm64(&["passing"])),
    ("aarch64_events_wake", || arm64(&["events"])),
    ("aarch64_descriptors_have_names", || arm64(&["identity"])),
    ("aarch64_poll_is_up_to_date", || arm64(&["polling"])),
    ("aarch64_permissions_below_the_sysroot", || arm64(&["asks"])),
    ("aarch64_signals_interrupt", || arm64(&["signals"])),
    ("aarch64_killed_in_the_middle", || arm64(&["killed"])),
    ("aarch64_threads", || arm64(&["threads"])),
    ("aarch64_20_processes", || arm64(&["processes", "20"])),
    ("aarch64_exec", || arm64(&["exec"])),
    ("aarch64_closes_everything", || arm64(&["closed"])),
    ("aarch64_latency", || arm64(&["latency"])),
    ("arm64_program_from_a_shell", arm64_from_a_shell),
    ("exit_codes", exit_codes),
    ("help_and_version", help),
    ("arm64_programs_are_on_path", arm64_on_path),
    ("x86_64_mesa_draws_with_the_cpu", drawn_by_the_cpu),
    ("a_missing_screen_is_reported", no_screen),
    ("strict_status_and_what_is_said", strict),
    ("a_root_that_is_no_mount_point_is_reported", plain_chroot),
    ("a_machine_ends_with_drmboard", machine_ends),
    ("mistakes_are_one_sentence", mistakes),
    ("statistics", statistics),
    ("trace", trace),
    ("dump", dump),
    ("a_board_of_two_nodes", two_nodes),
    ("lingering_processes", lingering),
    ("signals_go_to_the_program", forwarding),
    ("nothing_is_seen_outside", outside),
    ("in_process_board", in_process),
    ("mesa_names_the_driver", mesa),
];

fn run(client: &Path, words: &[&str]) {
    let output = client_of(client, &[], words);
    clean(&output);
    for line in String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| !line.starts_with("stats:"))
    {
        println!("     {line}");
    }
}

fn native(words: &[&str]) -> Result<(), String> {
    run(&parts().client, words);
    Ok(())
}

fn arm64(words: &[&str]) -> Result<(), String> {
    run(parts().arm64.as_ref().map_err(String::clone)?, words);
    Ok(())
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

/// The library without processes: a virtual clock, a caller of this process.
fn in_process() -> Result<(), String> {
    let board = super::toy_board("rk3399", drm_os_host::Config::default(), &|_| ())?;
    let caller = drm_os_host::Caller::local(board.world(), "in process");
    let file = board
        .device()
        .open(drm_os_host::sys::DRM_OS_MINOR_RENDER, &caller)
        .unwrap();
    let mut data = [40u64, 2, 0].map(u64::to_ne_bytes).concat();
    file.ioctl(&caller, u32::from(b'd'), 0x40, &mut data)
        .unwrap();
    assert_eq!(data[16..], 42u64.to_ne_bytes());
    assert_eq!(file.stats()[0], ("jobs".to_owned(), 1));
    assert!(board.with_mali(|_| ()).is_none() && board.last_frame().is_none());
    drop((file, caller));
    let counters = board.close()?;
    assert_eq!(drmboard::stats::live(&counters), 0, "{counters}");
    Ok(())
}

/// Debian's eglinfo, as it is, on every board with its real driver.
fn mesa() -> Result<(), String> {
    parts().arm64.as_ref().map_err(String::clone)?;
    if !sysroot().join("usr/bin/eglinfo.aarch64-linux-gnu").exists() {
        return Err("no eglinfo in the sysroot".into());
    }
    for name in drmboard::board::names() {
        let mut command = program(
            env!("CARGO_BIN_EXE_drmboard").as_ref(),
            &["run", "--board", name, "--stats"],
        );
        let output = command
            .args(["--", "eglinfo.aarch64-linux-gnu"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // GBM, surfaceless and the device: three displays on the board.
        let driver = if name.starts_with("imx") {
            "etnaviv"
        } else {
            "panfrost"
        };
        let found = format!("EGL driver name: {driver}");
        let named = text.lines().filter(|line| *line == found).count();
        assert_eq!(
            named,
            3,
            "{name}: {text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(number(&output, "stats: client", "ioctls") > 50, "{text}");
        assert_eq!(number(&output, "stats: total", "leaked"), 0, "{text}");
    }
    Ok(())
}
