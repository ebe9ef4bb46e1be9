// SPDX-License-Identifier: BSD-2-Clause
//! What the test clients share: EGL without a window, a little OpenGL ES, GBM buffers.
//!
//! The three C libraries are declared here by hand, only as far as the clients call them. The raw
//! DRM clients and the process helpers are the source files of crate `atf`; that crate as such
//! would bring the kernel side into an arm64 program.

pub mod egl;
pub mod gbm;
pub mod gl;

#[path = "../../../kyua/harness/drm/mod.rs"]
pub mod drm;
#[path = "../../../kyua/harness/errno.rs"]
pub mod errno;
#[path = "../../../kyua/harness/etnaviv/mod.rs"]
pub mod etnaviv;
#[path = "../../../kyua/harness/mali.rs"]
pub mod mali;
#[path = "../../../kyua/harness/process.rs"]
pub mod process;

/// What a client gives up with: a sentence for the user.
pub type Outcome<T> = Result<T, String>;

/// Asks Mesa's driver for Mali for linear images, unless PAN_MESA_DEBUG is set: it reads others
/// back by drawing from them, and the models of the GPUs run no shaders. To be called first, before
/// there is another thread or a library that has read the variable.
pub fn linear_images() {
    let name = "PAN_MESA_DEBUG";
    if std::env::var_os(name).is_none() {
        std::env::set_var(name, "linear");
    }
}

/// Prints what went wrong and gives the exit status that fits: 0, or 1 after a failure.
pub fn exit_status(program: &str, outcome: Outcome<()>) -> std::process::ExitCode {
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{program}: {why}");
            std::process::ExitCode::FAILURE
        }
    }
}
