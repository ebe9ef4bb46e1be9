// SPDX-License-Identifier: BSD-2-Clause
//! Tests of the harness itself: `atf_sample` by hand and by a kyua of its own, and the helpers for
//! clients.

use atf::drm::Node;
use atf::process::{channel, fork, Exit};
use atf::{case, require, require_eq, require_errno, require_ok, Errno};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

/// The sample program, built beside this one.
fn sample() -> PathBuf {
    std::env::current_exe()
        .unwrap()
        .with_file_name("atf_sample")
}

fn run_sample(args: &[&str]) -> Output {
    Command::new(sample())
        .env_remove("DRMBOARD_BOARD")
        .env_remove("DRMBOARD")
        .args(args)
        .output()
        .unwrap()
}

/// Runs one case of the sample; gives its exit status and its result line.
fn result_of(args: &[&str]) -> (i32, String) {
    let output = run_sample(&[&["-rresult"], args].concat());
    (
        output.status.code().unwrap(),
        std::fs::read_to_string("result").unwrap_or_default(),
    )
}

fn results_and_statuses() {
    require_eq!(result_of(&["passes"]), (0, "passed\n".to_string()));
    require_eq!(
        result_of(&["skips"]),
        (0, "skipped: no device here\n".to_string())
    );
    require_eq!(result_of(&["child_panics"]), (0, "passed\n".to_string()));
    require_eq!(result_of(&["-v", "colour=blue", "reads_config"]).0, 0);
    require_eq!(result_of(&["-vcolour=red", "reads_config"]).0, 1);
    for (case, reason) in [
        ("fails", "failed: 1 > 2 not met: numbers are wrong at "),
        ("differs", "failed: 2 + 2 is 4, expected 5 at "),
        ("wrong_errno", "(os error 2), expected libc::EINVAL at "),
        ("no_errno", "succeeded, expected libc::EINVAL at "),
        ("unexpected_error", "(os error 19) at "),
        ("panics", "failed: first second at "),
    ] {
        let (status, line) = result_of(&[case]);
        require_eq!(status, 1, "{case}");
        require!(
            line.contains(reason) && line.contains("atf_sample.rs:"),
            "{case} said {line:?}"
        );
    }
}

fn usage() {
    for args in [
        vec![],
        vec!["no_such_case"],
        vec!["passes", "fails"],
        vec!["-x", "passes"],
        vec!["passes:cleanup"],
    ] {
        let output = run_sample(&args);
        require_eq!(output.status.code(), Some(2), "{args:?}");
        require!(!output.stderr.is_empty());
    }
    let to_stdout = run_sample(&["passes"]);
    require_eq!(String::from_utf8_lossy(&to_stdout.stdout), "passed\n");
}

/// A stand-in for drmboard: shows how it was called, sets what drmboard sets, runs the command, and
/// prints the file `counted`.
fn write_fake_board() -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = std::env::current_dir().unwrap().join("board.sh");
    let script = "#!/bin/sh\n: >called\nboard=$3\n\
                  while printf '%s ' \"$1\" >>called && [ \"$1\" != -- ]; do shift; done\nshift\n\
                  DRMBOARD_BOARD=$board \"$@\"\nstatus=$?\n[ -f counted ] && cat counted\n\
                  exit $status\n";
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn board_entry() {
    let drmboard = format!("-vdrmboard={}", write_fake_board().display());
    for choice in [
        &["on_a_board_imx8mq"][..],
        &["-vboard=imx8mq", "on_a_board_imx8mq"],
    ] {
        require_eq!(
            result_of(&[&[drmboard.as_str()], choice].concat()),
            (0, "passed\n".to_string())
        );
        require_eq!(
            std::fs::read_to_string("called").unwrap(),
            "run --board imx8mq -- "
        );
    }
    let (status, line) = result_of(&[&drmboard, "on_a_board_rk3399"]);
    require!(
        status == 1 && line.contains("ctx.board() is Some(\"rk3399\")"),
        "the other board gave {status} {line:?}"
    );
    require_eq!(
        result_of(&[&drmboard, "-vboard=other", "on_a_board_imx8mq"]),
        (0, "skipped: needs board imx8mq, not other\n".to_string())
    );
    let (status, line) = result_of(&["-vdrmboard=/nonexistent", "on_a_board_imx8mq"]);
    require!(
        status == 1 && line.contains("cannot execute /nonexistent"),
        "{line:?}"
    );
}

fn counting_board() {
    let drmboard = format!("-vdrmboard={}", write_fake_board().display());
    let result = || result_of(&[&drmboard, "on_a_counting_board_rk3399"]);
    std::fs::write("counted", "stats: leaked=0\n").unwrap();
    require_eq!(result(), (0, "passed\n".to_string()));
    require_eq!(
        std::fs::read_to_string("called").unwrap(),
        "run --board rk3399 --stats --set x=1 -- "
    );
    std::fs::write("counted", "stats: leaked=1\n").unwrap();
    let (status, line) = result();
    require!(
        status == 1 && line.contains("printed \"body\\nstats: leaked=1\\n\""),
        "a leak gave {status} {line:?}"
    );
    // A board that does not run the body leaves no result, which kyua calls broken.
    std::fs::remove_file("result").unwrap();
    require_eq!(
        result_of(&["-vdrmboard=/bin/false", "on_a_counting_board_rk3399"]),
        (1, String::new())
    );
}

fn by_kyua() {
    std::fs::create_dir("suite").unwrap();
    std::os::unix::fs::symlink(sample(), "suite/atf_sample").unwrap();
    std::fs::write(
        "suite/Kyuafile",
        "syntax(2)\ntest_suite(\"sample\")\natf_test_program{name=\"atf_sample\"}\n",
    )
    .unwrap();
    let home = std::env::current_dir().unwrap();
    let drmboard = format!(
        "test_suites.sample.drmboard={}",
        write_fake_board().display()
    );
    let output = Command::new("kyua")
        .args([
            "-v",
            &drmboard,
            "-v",
            "test_suites.sample.board=imx8mq",
            "test",
            "-k",
            "suite/Kyuafile",
            "-r",
            "results.db",
        ])
        .env("HOME", home)
        .env_remove("__RUNNING_INSIDE_ATF_RUN")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let verdict = |case: &str| {
        let prefix = format!("atf_sample:{case}  ->  ");
        text.lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .unwrap_or("not run")
            .to_string()
    };
    for (case, start) in [
        ("passes", "passed"),
        ("fails", "failed: 1 > 2 not met"),
        ("panics", "failed: first second"),
        ("skips", "skipped: no device here"),
        (
            "reads_config",
            "skipped: Required configuration property 'colour' not defined",
        ),
        ("child_panics", "passed"),
        ("hangs", "broken: Test case body timed out"),
        ("cleans_up", "passed"),
        ("on_a_board_imx8mq", "passed"),
        (
            "on_a_board_rk3399",
            "skipped: needs board rk3399, not imx8mq",
        ),
        ("on_a_counting_board_rk3399", "skipped: needs board rk3399"),
    ] {
        require!(
            verdict(case).starts_with(start),
            "{case}: {} in\n{text}",
            verdict(case)
        );
    }
    require_eq!(output.status.code(), Some(1));
}

fn children() {
    let mut child = require_ok!(fork(|| 7));
    require_eq!(require_ok!(child.wait()), Exit::Code(7));
    require_errno!(child.kill(libc::SIGTERM), libc::ESRCH);

    let mut sleeper = require_ok!(fork(|| {
        std::thread::sleep(Duration::from_secs(100));
        0
    }));
    require_eq!(
        require_ok!(sleeper.wait_for(Duration::from_millis(20))),
        None
    );
    require_ok!(sleeper.kill(libc::SIGKILL));
    require_eq!(require_ok!(sleeper.wait()), Exit::Signal(libc::SIGKILL));

    let orphan = require_ok!(fork(|| {
        std::thread::sleep(Duration::from_secs(100));
        0
    }));
    let pid = orphan.pid();
    drop(orphan);
    require!(
        !PathBuf::from(format!("/proc/{pid}")).exists(),
        "a dropped child must be gone"
    );
}

fn descriptors_travel() {
    let (ours, theirs) = require_ok!(channel());
    std::fs::write("shared", [0u8; 8192]).unwrap();
    let mut child = require_ok!(fork(move || {
        let mut buffer = [0; 16];
        let (len, fd) = theirs.receive(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"file");
        let map = Node::from(fd.unwrap()).map(4096, 4096).unwrap();
        assert_eq!(map.read_u32(8), 0x1234_5678);
        map.write(12, b"seen");
        theirs.send(b"done", None).unwrap();
        0
    }));
    let file = require_ok!(Node::open("shared"));
    let map = require_ok!(file.map(4096, 4096));
    map.write_u32(8, 0x1234_5678);
    require_ok!(ours.send(b"file", Some(file.as_fd())));
    let mut buffer = [0; 16];
    let (len, fd) = require_ok!(ours.receive(&mut buffer));
    require!(&buffer[..len] == b"done" && fd.is_none());
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
    require_eq!(map.read(12, 4), b"seen".to_vec());
    require_eq!(
        ours.receive(&mut buffer).map(|(len, _)| len),
        Ok(0),
        "the other end is closed"
    );
}

fn errors_are_given() {
    require_errno!(Node::open("/nonexistent/card0"), libc::ENOENT);
    let null = require_ok!(Node::open("/dev/null"));
    let mut version = uapi::core::Version::default();
    require_errno!(null.ioctl(uapi::core::VERSION, &mut version), libc::ENOTTY);
    require_errno!(null.map(u64::MAX, 4096), libc::EOVERFLOW);
    require_errno!(Err::<(), _>(Errno(libc::EBUSY)), libc::EBUSY);
    require!(atf::drm::deadline_ns(1000) > atf::drm::now_ns());
}

fn main() {
    atf::main(&[
        case!(
            "results_and_statuses",
            "each ending gives its result line and exit status",
            |_| results_and_statuses()
        ),
        case!(
            "usage",
            "a wrong command line says so and runs nothing",
            |_| { usage() }
        ),
        case!(
            "board_entry",
            "a case with boards runs below drmboard, once for each of them",
            |_| { board_entry() }
        ),
        case!(
            "counting_board",
            "a case sees what drmboard printed in the end",
            |_| { counting_board() }
        ),
        case!("by_kyua", "kyua reads every ending as it was meant", |_| {
            by_kyua()
        })
        .require_progs("kyua")
        .timeout(60),
        case!(
            "children",
            "forked children end, are killed, and never outlive the case",
            |_| children()
        )
        .timeout(60),
        case!(
            "descriptors_travel",
            "a descriptor sent to a child is the same file",
            |_| descriptors_travel()
        ),
        case!(
            "errors_are_given",
            "errno of failed calls reaches the test",
            |_| errors_are_given()
        ),
    ]);
}
