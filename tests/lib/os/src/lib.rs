// SPDX-License-Identifier: BSD-2-Clause
//! `drm_os.h` in user space: worlds in which drivers run as they do in a kernel.
//!
//! A [`World`] has a clock, memory, devices ([`Hardware`] models on a bus) and a log. It implements
//! every function of the header as a C symbol, so the product code under test is linked unchanged.
//! The clock is virtual (deterministic, see [`ClockMode`]) or real. Misuse that a debugging kernel
//! reports (lock order, sleeping where it is forbidden, use after free, unbalanced enables) is
//! fatal here: the reason goes to standard error and the process panics, or aborts where a C
//! function is on the stack.
//!
//! Environment: `DRM_OS_LOG` copies the log to standard error; `DRM_OS_BACKTRACE` makes leak
//! reports show where each block was allocated.

mod attach;
mod caller;
mod calls;
mod check;
mod clock;
mod counters;
mod cred;
mod cv;
mod device;
mod file;
mod frames;
mod gate;
mod hardware;
mod host;
mod irq;
mod local;
mod locks;
mod log;
mod malloc;
mod mapping;
mod memory;
mod mmio;
mod object;
mod power;
mod run;
mod task;
mod trace;
mod user;
mod util;
mod witness;
mod world;

/// The types and declarations of `drm_os.h`.
#[path = "../../../../sys/dev/drm/kpi/src/os/bindings.rs"]
#[allow(missing_docs, non_camel_case_types, clippy::all, reason = "generated")]
pub mod sys;

pub use caller::{Caller, Process};
pub use calls::Calls;
pub use counters::Counters;
pub use device::{Device, Node};
pub use file::File;
pub use hardware::{Dma, Hardware, NoMemory};
pub use mapping::Mapping;
pub use memory::PA_BASE;
pub use trace::{Trace, TraceFn};
pub use witness::Hold;
pub use world::{ClockMode, Config, World};
