// SPDX-License-Identifier: BSD-2-Clause
//! The cases. A case fails by panicking and says why it cannot run by an error.

use super::parts::{board, clean, client_of, number, parts, program, sysroot};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

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

fn many_processes() -> Result<(), String> {
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
fn arm64_from_a_shell() -> Result<(), String> {
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

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn exit_codes() -> Result<(), String> {
    assert_eq!(
        code(&client_of(&parts().client, &[], &["exit", "7"])),
        Some(7)
    );
    assert_eq!(
        code(&client_of(&parts().client, &[], &["signal"])),
        Some(128 + 15)
    );
    assert_eq!(
        code(
            &board(&["run", "--board", "rk3399", "--", "true"])
                .output()
                .unwrap()
        ),
        Some(0)
    );
    Ok(())
}

fn help() -> Result<(), String> {
    let names = drmboard::board::names();
    for (word, expected) in [
        ("--help", "boards: rk3399 "),
        (
            "--version",
            concat!("drmboard ", env!("CARGO_PKG_VERSION"), "\n"),
        ),
        ("boards", &format!("{}\n", names.join("\n"))),
    ] {
        let output = board(&["bare", word]).output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!((code(&output), output.stderr.len()), (Some(0), 0), "{word}");
        assert!(out.contains(expected), "{word}: {out}");
    }
    let mut unknown = board(&["run", "--board", "rk3399", "--", "true"]);
    let output = unknown.env("DRMBOARD_ARCH", "arm").output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(code(&output), Some(2), "{err}");
    assert_eq!(
        err,
        "drmboard: DRMBOARD_ARCH is aarch64 or x86_64, not arm\n"
    );
    Ok(())
}

/// The clients and the sysroot's programs are found by name, from a shell on the board, too.
fn arm64_on_path() -> Result<(), String> {
    let client = parts().arm64.as_ref().map_err(String::clone)?;
    let clients = client.parent().unwrap();
    for words in [
        vec!["board_client", "basics"],
        vec!["sh", "-c", "board_client basics && command -v es2_info"],
    ] {
        let mut command = board(&["run", "--board", "rk3399", "--stats", "--"]);
        let output = command
            .args(words)
            .env("DRMBOARD_CLIENTS", clients)
            .output()
            .unwrap();
        clean(&output);
    }
    Ok(())
}

fn drawn_by_the_cpu() -> Result<(), String> {
    let said = |words: &[&str]| {
        let output = client_of(&parts().client, &[], words);
        String::from_utf8_lossy(&output.stderr).contains("no job reached the GPU")
    };
    // One opens the board and gives it nothing to do, one gives it a job, one does not use it.
    assert_eq!(
        [&["screen"][..], &["basics"], &["exit", "0"]].map(said),
        [true, false, false]
    );
    Ok(())
}

fn no_screen() -> Result<(), String> {
    let output = client_of(&parts().client, &[], &["screen"]);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    clean(&output);
    assert_eq!(
        err.matches("asks for a screen, and this board has none")
            .count(),
        1,
        "{err}"
    );
    let output = client_of(&parts().client, &[], &["basics"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("screen"));
    Ok(())
}

/// Real drivers: refused submits, and what a model does not know, are reported, and set
/// `--strict`'s status.
fn strict() -> Result<(), String> {
    let run = |board: &str, options: &[&str], words: &[&str]| {
        let mut args = vec!["run", "--board", board, "--stats"];
        args.extend(options);
        args.extend(["--", parts().client.to_str().unwrap()]);
        args.extend(words);
        let output = program(env!("CARGO_BIN_EXE_drmboard").as_ref(), &args)
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        (output, err)
    };
    for (options, status) in [(&[][..], 0), (&["--strict"], 3)] {
        let (output, err) = run("rk3399", options, &["refused"]);
        assert_eq!(code(&output), Some(status), "{err}");
        // Of two.
        let reported: Vec<&str> = err
            .lines()
            .filter(|line| line.contains("refused"))
            .collect();
        let [line] = reported[..] else {
            panic!("{err}")
        };
        for part in [
            "drmboard: a submit is refused (",
            "), the first of pid=",
            " comm=board_client: submit refused with errno 22",
        ] {
            assert!(line.contains(part), "{line}");
        }
        assert_eq!(number(&output, "stats: client", "refused"), 2);
        assert_eq!(number(&output, "stats: total", "refused"), 2);
    }
    for (options, status) in [(&[][..], 0), (&["--strict"], 4)] {
        let (output, err) = run("imx8mq", options, &["unknown"]);
        assert_eq!(code(&output), Some(status), "{err}");
        let reported = err
            .lines()
            .filter(|line| line.contains(" does not know: decode \"BLT command\" word=0x00000009"));
        assert_eq!(reported.count(), 1, "{err}");
        assert_eq!(number(&output, "stats: total", "unknown"), 1);
    }
    // A program's own failure is reported unchanged, and nothing is reported of one that succeeds.
    assert_eq!(
        code(&run("rk3399", &["--strict"], &["exit", "7"]).0),
        Some(7)
    );
    assert_eq!(
        code(&run("rk3399", &["--strict"], &["exit", "0"]).0),
        Some(0)
    );
    Ok(())
}

/// Runs this program in a chroot into a plain directory, in a mount namespace of its own.
fn plain_chroot() -> Result<(), String> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chroot");
    std::fs::create_dir_all(&dir).unwrap();
    // Each directory of the root as a mount below a directory of the disk, which is none.
    let script =
        "for d in /*; do if [ -d $d ] && [ ! -L $d ]; then mkdir -p $0$d && mount --bind $d $0$d; \
                  elif [ -L $d ] && [ ! -L $0$d ]; then cp -P $d $0$d; fi; done; \
                  mount --bind /proc $0/proc; exec chroot $0 \"$@\"";
    let target = board(&["run", "--board", "rk3399", "--", "true"]);
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "sh", "-c", script])
        .arg(&dir);
    command.arg(target.get_program()).args(target.get_args());
    let output = command
        .env("DRMBOARD_SHIM_DIR", &parts().shims)
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(code(&output), Some(2), "{err}");
    assert!(
        err.contains("the root directory is no mount point") && !err.contains("takes root"),
        "{err}"
    );
    Ok(())
}

/// QEMU does not outlive `drmboard vm`, whether that is asked to end or killed.
fn machine_ends() -> Result<(), String> {
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

fn mistakes() -> Result<(), String> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistakes");
    std::fs::create_dir_all(&dir).unwrap();
    let elf = |name: &str, machine: u8, with_interp: u8| {
        let mut head = vec![0u8; 120];
        head[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        head[20] = 1;
        (head[18], head[32], head[54], head[56], head[64]) =
            (machine, 64, 56, 1, if with_interp == 1 { 3 } else { 1 });
        std::fs::write(dir.join(name), head).unwrap();
        dir.join(name).to_str().unwrap().to_owned()
    };
    let fixed = elf("static", 62, 0);
    let foreign = elf("foreign", 243, 1);
    let text = dir.join("text").to_str().unwrap().to_owned();
    std::fs::write(&text, "not a program").unwrap();
    for (args, word) in [
        (vec!["bare"], "usage"),
        (
            vec!["run", "--board", "rk9999", "--", "true"],
            "no board rk9999; boards are rk3399",
        ),
        (
            vec!["run", "--board", "rk3399", "--", "no-such-program-anywhere"],
            "no such program",
        ),
        (
            vec!["run", "--board", "rk3399", "--", "/no/such/file"],
            "No such file",
        ),
        (
            vec!["run", "--board", "rk3399", "--", &fixed],
            "is a static program",
        ),
        (
            vec!["run", "--board", "rk3399", "--", &foreign],
            "another machine (ELF e_machine 243)",
        ),
        (
            vec!["run", "--board", "rk3399", "--", &text],
            "is not a program",
        ),
        (
            vec!["run", "--board", "rk3399", "--inject", "frob", "--", "true"],
            "no such fault",
        ),
        (
            vec!["run", "--board", "rk3399", "--inject", "hang", "--", "true"],
            "no faults to inject",
        ),
        (
            vec!["run", "--board", "rk3399", "--set", "x=1", "--", "true"],
            "known are",
        ),
        (
            vec![
                "run",
                "--board",
                "rk3399",
                "--trace",
                "/no/such/dir/f",
                "--",
                "true",
            ],
            "/no/such/dir/f",
        ),
    ] {
        let output = board(&args).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(code(&output), Some(2), "{args:?}: {err}");
        assert!(
            err.starts_with("drmboard: ") && err.contains(word) && err.lines().count() == 1,
            "{args:?}: {err}"
        );
    }
    let unprivileged = board(&["run", "--board", "rk3399", "--", "true"]);
    let mut command = std::process::Command::new("setpriv");
    command
        .args(["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"])
        .arg(unprivileged.get_program());
    command
        .args(unprivileged.get_args())
        .env("DRMBOARD_SHIM_DIR", &parts().shims);
    let output = command
        .output()
        .map_err(|error| format!("setpriv: {error}"))?;
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(code(&output), Some(2), "{err}");
    assert!(
        err.contains("takes root or CAP_SYS_ADMIN") && err.lines().count() == 1,
        "{err}"
    );
    Ok(())
}

fn statistics() -> Result<(), String> {
    let output = client_of(&parts().client, &[], &["sharing"]);
    clean(&output);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // The parent and its child; the child's calls are its own, the file's counts the opener's.
    let clients: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("stats: client"))
        .collect();
    assert_eq!(clients.len(), 2, "{text}");
    assert!(
        clients
            .iter()
            .all(|line| line.contains("comm=board_client ")),
        "{text}"
    );
    assert!(
        clients[0].contains(" ioctls=2 jobs=2 ") && clients[0].contains(" peak_kib=3072 "),
        "{text}"
    );
    assert!(clients[1].contains(" ioctls=1 jobs=0 "), "{text}");
    assert_eq!(
        (
            number(&output, "stats: total", "ioctls"),
            number(&output, "stats: total", "jobs")
        ),
        (3, 2)
    );
    Ok(())
}

fn trace() -> Result<(), String> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trace.txt");
    clean(&client_of(
        &parts().client,
        &["--trace", path.to_str().unwrap()],
        &["basics"],
    ));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut last = 0;
    for line in text.lines() {
        let time: u64 = line.split(' ').next().unwrap().parse().unwrap();
        assert!(time >= last, "time runs backwards: {line}");
        last = time;
    }
    assert!(
        text.lines()
            .any(|l| l.contains(" open pid=") && l.ends_with(" minor=128 ret=0")),
        "{text}"
    );
    assert!(
        text.lines()
            .any(|l| l.contains(" nr=0x40 name=? size=24 ret=0")),
        "{text}"
    );
    let failed = format!(" nr=0x4a name=? size=8 ret={}", libc::EAGAIN);
    assert!(text.lines().any(|l| l.ends_with(&failed)), "{text}");
    Ok(())
}

fn lingering() -> Result<(), String> {
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

fn forwarding() -> Result<(), String> {
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

fn outside() -> Result<(), String> {
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

/// `--dump` writes what the driver keeps, and no file when it keeps nothing.
fn dump() -> Result<(), String> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dump.bin");
    let _ = std::fs::remove_file(&path);
    let options = ["--dump", path.to_str().unwrap()];
    clean(&client_of(&parts().client, &options, &["exit", "0"]));
    assert!(!path.exists());
    clean(&client_of(&parts().client, &options, &["basics"]));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("adds ") && text.len() < 10, "{text}");
    let nowhere = client_of(&parts().client, &["--dump", "/nowhere/dump"], &["basics"]);
    assert_eq!(code(&nowhere), Some(0));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("cannot write /nowhere/dump"));
    Ok(())
}

/// A client of the DRM device of a GPU with two nodes; the trace names both.
fn two_nodes() -> Result<(), String> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nodes.txt");
    let client = parts().client.to_str().unwrap();
    let output = board(&[
        "run",
        "--board",
        "imx6q",
        "--stats",
        "--trace",
        path.to_str().unwrap(),
        "--",
        client,
        "sharing",
    ])
    .output()
    .unwrap();
    clean(&output);
    let text = std::fs::read_to_string(&path).unwrap();
    for node in ["gpu@130000", "gpu@134000"] {
        let line = format!(" log {node} 6 attached");
        assert_eq!(
            text.lines().filter(|l| l.ends_with(&line)).count(),
            1,
            "{node}: {text}"
        );
    }
    Ok(())
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
