// SPDX-License-Identifier: BSD-2-Clause
//! Compiles the pure C files of the glue with the host's C compiler.

use std::{env, path::Path, path::PathBuf, process::Command};

const FILES: [&str; 3] = ["opp_choose", "power_seq", "imx8mq_clk_calc"];

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(status.success(), "{command:?}: {status}");
}

fn main() {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../sys");
    let dir = root.join("dev/drm/kpi/freebsd/power");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    let cc = env::var("CC").unwrap_or_else(|_| "cc".into());
    let archive = out.join("libglue.a");
    let _ = std::fs::remove_file(&archive);
    let mut ar = Command::new("ar");
    ar.arg("crs").arg(&archive);
    for file in FILES {
        let (source, object) = (dir.join(format!("{file}.c")), out.join(format!("{file}.o")));
        let flags = [
            "-std=gnu17",
            "-O1",
            "-g",
            "-fPIC",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-c",
        ];
        run(Command::new(&cc)
            .args(flags)
            .arg("-I")
            .arg(&root)
            .arg(&source)
            .arg("-o")
            .arg(&object));
        ar.arg(&object);
    }
    run(&mut ar);
    println!("cargo:rerun-if-changed={}", dir.display());
    println!(
        "cargo:rerun-if-changed={}",
        root.join("dev/drm/kpi/include").display()
    );
    println!("cargo:rerun-if-env-changed=CC");
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=glue");
}
