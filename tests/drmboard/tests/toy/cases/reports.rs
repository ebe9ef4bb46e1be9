// SPDX-License-Identifier: BSD-2-Clause
//! What drmboard reports of a board: statistics, trace, dump, and what it says of a program.

use super::code;
use crate::parts::{board, clean, client_of, number, parts, program};
use std::path::Path;

pub(super) fn drawn_by_the_cpu() -> Result<(), String> {
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

pub(super) fn no_screen() -> Result<(), String> {
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
pub(super) fn strict() -> Result<(), String> {
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

pub(super) fn statistics() -> Result<(), String> {
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

pub(super) fn trace() -> Result<(), String> {
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

/// `--dump` writes what the driver keeps, and no file when it keeps nothing.
pub(super) fn dump() -> Result<(), String> {
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
pub(super) fn two_nodes() -> Result<(), String> {
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
