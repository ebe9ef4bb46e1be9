// SPDX-License-Identifier: BSD-2-Clause
//! Compiles C files of the glue with the host's C compiler: the pure ones as they are, those that look after memory on a VM
//! system of the tests' own (`freebsd/`).

use std::{collections::BTreeSet, env, fs, path::Path, path::PathBuf, process::Command};

const PURE: [&str; 3] = ["opp_choose", "power_seq", "imx8mq_clk_calc"];
const MEMORY: [&str; 2] = ["drm_object", "drm_page"];
const FLAGS: [&str; 8] = [
    "-std=gnu17",
    "-O1",
    "-g",
    "-fPIC",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-c",
];

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// A header of each name of FreeBSD's that the files include, which has nothing of its own.
fn stand_ins(files: &[PathBuf], dir: &Path) {
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).expect("a source");
        let included = text.lines().filter_map(|l| l.strip_prefix("#include <"));
        names.extend(included.filter_map(|l| l.strip_suffix('>')).map(str::to_owned));
    }
    names.retain(|n| !n.starts_with("dev/drm/"));
    for name in names {
        let header = dir.join(name);
        fs::create_dir_all(header.parent().expect("a directory")).expect("a directory");
        fs::write(header, "").expect("a header");
    }
}

fn main() {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = here.join("../../sys");
    let glue = root.join("dev/drm/kpi/freebsd");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    let cc = env::var("CC").unwrap_or_else(|_| "cc".into());
    let archive = out.join("libglue.a");
    let _ = fs::remove_file(&archive);
    let mut ar = Command::new("ar");
    ar.arg("crs").arg(&archive);
    let mut compile = |source: PathBuf, more: &[&str]| {
        let object = out.join(source.with_extension("o").file_name().expect("a name"));
        let mut command = Command::new(&cc);
        command.args(FLAGS).args(more).arg("-I").arg(&root);
        run(command.arg(&source).arg("-o").arg(&object));
        ar.arg(&object);
    };
    for file in PURE {
        compile(glue.join(format!("power/{file}.c")), &[]);
    }
    let mut files = MEMORY.map(|f| glue.join(format!("{f}.c"))).to_vec();
    let headers = out.join("freebsd");
    let _ = fs::remove_dir_all(&headers);
    stand_ins(&[&files[..], &[glue.join("drm_glue.h")]].concat(), &headers);
    files.push(here.join("freebsd/fake_vm.c"));
    let path = |p: &Path| p.to_str().expect("a path").to_owned();
    let (headers, fake, glue_dir) = (path(&headers), path(&here.join("freebsd")), path(&glue));
    let header = format!("{fake}/freebsd.h");
    for file in files {
        let more = ["-Wno-sign-compare", "-include", &header];
        let places = ["-I", &headers, "-I", &fake, "-I", &glue_dir];
        compile(file, &[&more[..], &places].concat());
    }
    run(&mut ar);
    for dir in [&glue, &here.join("freebsd"), &root.join("dev/drm/kpi/include")] {
        println!("cargo:rerun-if-changed={}", dir.display());
    }
    println!("cargo:rerun-if-env-changed=CC");
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=glue");
}
