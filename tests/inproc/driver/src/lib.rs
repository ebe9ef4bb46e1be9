// SPDX-License-Identifier: BSD-2-Clause
//! What the tests of the drivers share: boards and clients, which are those of crate `test_board`,
//! and the parts of the fuzzers.

pub mod fuzz;

use drm_os_host::World;

pub use test_board::*;

/// Locks of the DRM layer that a GPU's own thread takes. Those of a client are held for as long as
/// it takes to put something into a list, or to count.
const LOCKS: [&str; 13] = [
    "drm pool",
    "drm job kick",
    "drm jobs",
    "drm reaper",
    "drm reaper link",
    "drm reaper task",
    "drm ended jobs",
    "drm hooks",
    "drm waiter",
    "drm released VM",
    "drm irqs",
    "drm power",
    "drm tasks",
];

/// The GPU's own thread has taken no lock but those of the DRM layer above and `own`, the
/// driver's. The reaper has taken those of VMs.
///
/// # Panics
///
/// It is not so.
pub fn check_gpu_thread(world: &World, driver: &str, own: &[&str]) {
    let reaper = world.locks_taken_by(&format!("task {driver} reaper"));
    assert!(reaper.iter().any(|lock| *lock == format!("{driver} vm")));
    let taken = world.locks_taken_by(&format!("task {driver}"));
    assert!(taken.iter().any(|lock| lock == "drm jobs"));
    let is_known = |lock: &str| LOCKS.contains(&lock) || own.contains(&lock);
    let others: Vec<_> = taken.iter().filter(|lock| !is_known(lock)).collect();
    assert!(others.is_empty(), "{others:?}");
}
