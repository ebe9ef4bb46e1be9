// SPDX-License-Identifier: BSD-2-Clause
//! Compiles C files of the glue with the host's C compiler: the pure ones unchanged, those that
//! manage memory with a VM system of the tests, those that threads race in with locks and a clock
//! of the tests (`freebsd/`).

use std::{collections::BTreeSet, env, fs, path::Path, path::PathBuf};

const PURE: [&str; 3] = ["opp_choose", "power_seq", "imx8mq_clk_calc"];
const MEMORY: [&str; 6] = [
    "drm_object",
    "drm_object_list",
    "drm_object_page",
    "drm_page_cache",
    "drm_userptr",
    "drm_page",
];
/// The VM system of the tests.
const FAKE_VM: [&str; 4] = ["fake_kernel", "fake_page", "fake_object", "fake_user"];

const THREADS: [&str; 2] = ["drm_cred", "drm_lock"];
/// What drm_lock.c uses of drm_node.c, and what calls it when a node is destroyed. The rest of that
/// file is about devfs.
const MINOR: [&str; 5] = [
    "struct drm_os_minor {",
    "bool\ndrm_minor_wait_begin(",
    "void\ndrm_minor_wait_end(",
    "bool\ndrm_minor_dying(",
    "static void\nnode_purge(",
];

/// The definitions of a C file that begin so.
fn definitions(file: &Path, starts: &[&str]) -> String {
    let text = fs::read_to_string(file).expect("a source");
    let one = |start: &&str| {
        let (_, rest) = text.split_once(&format!("\n{start}")).expect(start);
        let (body, _) = rest.split_once("\n}").expect(start);
        let end = if start.starts_with("struct") { ";" } else { "" };
        format!("{start}{body}\n}}{end}\n")
    };
    starts.iter().map(one).collect()
}

/// Creates an empty header for each of FreeBSD's that the files include.
fn stand_ins(files: &[PathBuf], dir: &Path) {
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).expect("a source");
        let included = text.lines().filter_map(|l| l.strip_prefix("#include <"));
        names.extend(
            included
                .filter_map(|l| l.strip_suffix('>'))
                .map(str::to_owned),
        );
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
    let root = here.join("../../../sys");
    let glue = root.join("dev/drm/kpi/freebsd");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    let c = || {
        let mut build = cc::Build::new();
        build.std("gnu17").opt_level(1).debug(true).pic(true);
        build
            .extra_warnings(true)
            .warnings_into_errors(true)
            .include(&root);
        build
    };
    c().files(PURE.map(|f| glue.join(format!("power/{f}.c"))))
        .compile("pure_glue");
    let mut files = MEMORY.map(|f| glue.join(format!("{f}.c"))).to_vec();
    let mut threads = THREADS.map(|f| glue.join(format!("{f}.c"))).to_vec();
    let headers = out.join("freebsd");
    let _ = fs::remove_dir_all(&headers);
    let own = ["drm_glue.h", "drm_object.h"].map(|f| glue.join(f));
    stand_ins(&[&files[..], &threads, &own].concat(), &headers);
    let minor = definitions(&glue.join("drm_node.c"), &MINOR);
    fs::write(headers.join("drm_minor.c"), minor).expect("a source");
    let fake = here.join("freebsd");
    files.extend(FAKE_VM.map(|f| fake.join(format!("{f}.c"))));
    threads.push(fake.join("fake_threads.c"));
    let kernel = || {
        let mut build = c();
        build
            .flag("-Wno-sign-compare")
            .flag("-include")
            .flag(fake.join("freebsd.h"))
            .includes([&headers, &fake, &glue]);
        build
    };
    kernel().files(files).compile("memory_glue");
    kernel()
        .define("GLUE_THREADS", None)
        .files(threads)
        .compile("thread_glue");
    for dir in [&glue, &fake, &root.join("dev/drm/kpi/include")] {
        println!("cargo:rerun-if-changed={}", dir.display());
    }
}
