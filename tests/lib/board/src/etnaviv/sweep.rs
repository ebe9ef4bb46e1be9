// SPDX-License-Identifier: BSD-2-Clause
//! The n-th allocation fails, for every n: what a call that fails so may leave, and that it works
//! the next time.

use super::{Rig, BOARDS};
use crate::{errno, MS, SEC};
use drm_os_host::{Config, World};

/// No call allocates more often.
pub const MOST: u64 = 400;

/// Pages, in a list of kinds.
pub const PAGES: usize = 0;
/// Mutexes, in a list of kinds.
pub const MTXS: usize = 5;
/// Sleepable locks, in a list of kinds.
pub const SXS: usize = 6;

/// What a call that failed must not change.
fn shape(world: &World) -> [u64; 11] {
    let c = world.counters();
    [
        c.pages,
        c.objects,
        c.object_pages,
        c.kmaps,
        c.mappings,
        c.mtxs,
        c.sxs,
        c.cvs,
        c.tasks,
        c.files,
        c.minors,
    ]
}

/// Runs `step` on what `setup` made on a board with the n-th allocation from its begin failing, for
/// every n, each in a world of its own. A call that fails may keep one more of each of `kinds`, to
/// the end of its file. Returns how many of them made the step fail.
pub fn on<S, T>(
    board: &str,
    kinds: &[usize],
    setup: impl Fn(&Rig) -> S,
    step: impl Fn(&Rig, &S) -> Result<T, i32>,
) -> u64 {
    let (_, places) = BOARDS
        .into_iter()
        .find(|(name, _)| *name == board)
        .expect("a board");
    let mut failures = 0;
    for n in 0..MOST {
        let rig = Rig::on(board, Config::default());
        let bystander = rig.client();
        places
            .iter()
            .for_each(|place| bystander.expect_works_at(*place));
        let state = setup(&rig);
        let world = rig.world().clone();
        let try_once = || {
            world.fail_allocation(Some(n));
            let result = step(&rig, &state);
            world.fail_allocation(None);
            result
        };
        let before = shape(&world);
        let result = try_once();
        let hit = world.counters().failed_allocations != 0;
        let made = match result {
            Ok(made) => made,
            Err(e) => {
                failures += 1;
                assert_eq!((e, hit), (errno::ENOMEM, true), "allocation {n}");
                rig.advance(MS);
                let mut after = shape(&world);
                for kind in kinds {
                    after[*kind] -= u64::from(after[*kind] == before[*kind] + 1);
                }
                assert_eq!(after, before, "allocation {n} left something");
                // Lists that keep their room have it after a few times.
                (0..3).for_each(|_| drop(try_once()));
                let blocks = world.counters().mallocs;
                if (0..5).all(|_| try_once().is_err()) {
                    assert_eq!(world.counters().mallocs, blocks, "allocation {n} leaks");
                }
                step(&rig, &state).expect("there is memory now")
            }
        };
        places
            .iter()
            .for_each(|place| bystander.expect_works_at(*place));
        drop((made, state, bystander));
        rig.advance(SEC);
        rig.finish();
        if !hit {
            return failures;
        }
    }
    panic!("more than {MOST} allocations");
}
