// SPDX-License-Identifier: BSD-2-Clause
//! Two thousand random schedules against an oracle without heap, list and pool: it keeps everything
//! in maps and visits everything each time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests may stop at the first surprise"
)]

#[path = "../mock/mod.rs"]
mod mock;

mod check;
mod oracle;
mod run;

use drm_sched::Priority;
use run::Run;

const SCHEDULES: u64 = 2000;
const STEPS: u32 = 150;
const PRIORITIES: [Priority; 3] = [Priority::Low, Priority::Medium, Priority::High];

#[test]
fn two_thousand_schedules_agree_with_the_oracle() {
    let (mut jobs, mut reruns, mut given_up) = (0, 0, 0);
    for seed in 0..SCHEDULES {
        let mut run = Run::new(seed);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..STEPS {
                run.step();
                run.compare();
            }
            run.drain();
        }));
        if let Err(cause) = outcome {
            println!("schedule {seed} differs");
            std::panic::resume_unwind(cause);
        }
        jobs += run.next_tag;
        reruns += run.gpu.sched.counters().resubmitted;
        given_up += run.gpu.sched.counters().failed;
    }
    // The schedules must have covered these cases.
    assert!(
        jobs > SCHEDULES * 10 && reruns > SCHEDULES && given_up > SCHEDULES,
        "{jobs} {reruns} {given_up}"
    );
}
