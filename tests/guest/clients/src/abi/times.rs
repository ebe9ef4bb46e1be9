// SPDX-License-Identifier: BSD-2-Clause
//! Times that calls wait until.

use super::state::Stream;

/// Absolute times in the past: a wait does not wait.
pub const PAST: &[(i64, &str)] = &[(0, "0"), (1, "1"), (-1, "-1"), (i64::MIN, "min")];

fn now() -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a place to write to.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// The time by which every job of these calls has ended.
pub fn far() -> (u64, String) {
    ((now() + 20_000_000_000) as u64, "far".to_string())
}

/// A time shortly from now: a wait for what never comes ends.
pub fn soon() -> (u64, String) {
    ((now() + 2_000_000) as u64, "soon".to_string())
}

impl Stream {
    /// A time: past, soon or far.
    pub fn time(&mut self, may_be_far: bool) -> (u64, String) {
        match self.rng.below(10) {
            0..4 => {
                let (value, text) = self.rng.pick(PAST);
                (value as u64, text.to_string())
            }
            4..8 if may_be_far => far(),
            8 if may_be_far => (i64::MAX as u64, "max".to_string()),
            _ => soon(),
        }
    }
}
