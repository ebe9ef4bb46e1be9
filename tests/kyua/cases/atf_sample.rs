// SPDX-License-Identifier: BSD-2-Clause
//! Cases that end in every way a case can end: what `atf_selftest` runs to test the harness. Not
//! part of the suite.

use atf::{case, process, require, require_eq, require_errno, require_ok, skip, Errno};

fn main() {
    atf::main(&[
        case!("passes", "ends well", |ctx| {
            require!(ctx.srcdir().is_dir());
            require_eq!(2 + 2, 4);
            require_errno!(Err::<(), _>(Errno(libc::EINVAL)), libc::EINVAL);
        }),
        case!("fails", "a condition does not hold", |_| require!(
            1 > 2,
            "numbers are {}",
            "wrong"
        )),
        case!("differs", "two values differ", |_| require_eq!(2 + 2, 5)),
        case!("wrong_errno", "another errno than the expected one", |_| {
            require_errno!(Err::<(), _>(Errno(libc::ENOENT)), libc::EINVAL);
        }),
        case!(
            "no_errno",
            "success instead of an errno",
            |_| require_errno!(Ok::<_, Errno>(()), libc::EINVAL)
        ),
        case!("unexpected_error", "an error instead of a value", |_| {
            require_ok!(Err::<(), _>(Errno(libc::ENODEV)));
        }),
        case!("panics", "a message of two lines", |_| panic!(
            "first\nsecond"
        )),
        case!("skips", "says nothing", |_| skip!("no {} here", "device")),
        case!("reads_config", "needs a variable", |ctx| require_eq!(
            ctx.config("colour"),
            Some("blue")
        ))
        .require_config("colour"),
        case!(
            "child_panics",
            "a child's panic is the child's alone",
            |_| {
                let mut child = require_ok!(process::fork(|| panic!("in the child")));
                require_eq!(
                    require_ok!(child.wait()),
                    process::Exit::Code(process::PANICKED)
                );
            }
        ),
        case!("hangs", "is killed by its timeout", |_| loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        })
        .timeout(1),
        case!("cleans_up", "leaves a file for its clean-up", |_| {
            std::fs::write("left", "x").unwrap()
        })
        .cleanup(|_| std::fs::remove_file("left").unwrap()),
        case!("on_a_board", "runs where DRMBOARD leads", |ctx| {
            require_eq!(std::env::var("DRMBOARD_BOARD").ok().as_deref(), ctx.board());
            require_eq!(ctx.board(), Some("imx8mq"));
        })
        .board("rk3399 imx8mq"),
        case!(
            "on_a_counting_board",
            "checks what the board counted",
            |_| println!("body")
        )
        .board("rk3399")
        .drmboard(&["--stats", "--set", "x=1"], |output| {
            require!(
                output.starts_with("body\n") && output.contains("leaked=0"),
                "printed {output:?}"
            );
        }),
    ]);
}
