// SPDX-License-Identifier: BSD-2-Clause
//! The command line: status, help, how programs are found, mistakes.

use super::code;
use crate::parts::{board, clean, client_of, parts};
use std::path::Path;

pub(super) fn exit_codes() -> Result<(), String> {
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

pub(super) fn help() -> Result<(), String> {
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
pub(super) fn arm64_on_path() -> Result<(), String> {
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

/// Runs this program in a chroot into a plain directory, in a mount namespace of its own.
pub(super) fn plain_chroot() -> Result<(), String> {
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

pub(super) fn mistakes() -> Result<(), String> {
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
