// SPDX-License-Identifier: BSD-2-Clause
//! The n-th allocation fails, for every n: what a call that fails so may leave, and that it works
//! the next time.

use crate::{errno, etnaviv, panfrost, MS, SEC};
use drm_os_host::{Config, World};
use drmboard::Board;
use std::cell::RefCell;
use std::ops::Deref;

/// No call allocates more often.
pub const MOST: u64 = 400;

/// Pages, in a list of kinds.
pub const PAGES: usize = 0;
/// Mutexes, in a list of kinds.
pub const MTXS: usize = 5;
/// Sleepable locks, in a list of kinds.
pub const SXS: usize = 6;

/// What a call that failed must not change.
fn shape(world: &World) -> [u64; 12] {
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
        c.power_domains_on,
    ]
}

/// A board for a sweep.
pub trait Swept: Deref<Target = Board> + Sized {
    /// A board with this name, with its driver attached.
    fn on_board(board: &str) -> Self;

    /// A check that a client, which is open until the check is dropped, can use all cores.
    fn bystander(&self, board: &str) -> Box<dyn Fn()>;

    /// Detaches the driver; nothing is left.
    fn end(self);
}

impl<const SCATTERED: bool> Swept for panfrost::RigOf<SCATTERED> {
    fn on_board(board: &str) -> Self {
        Self::with(board, Config::default())
    }

    fn bystander(&self, _: &str) -> Box<dyn Fn()> {
        let client = self.client();
        Box::new(move || client.expect_works())
    }

    fn end(self) {
        self.finish();
    }
}

impl<const SCATTERED: bool> Swept for etnaviv::RigOf<SCATTERED> {
    fn on_board(board: &str) -> Self {
        Self::on(board, Config::default())
    }

    fn bystander(&self, board: &str) -> Box<dyn Fn()> {
        let known = etnaviv::BOARDS.into_iter().find(|(name, _)| *name == board);
        let (_, places) = known.expect("a board");
        let client = self.client();
        let check = move || {
            places
                .iter()
                .for_each(|place| client.expect_works_at(*place))
        };
        // Page tables and lists have grown before the sweep.
        check();
        Box::new(check)
    }

    fn end(self) {
        self.finish();
    }
}

/// Brings a board up with the n-th allocation failing, for every n: all of it comes, or nothing of
/// it stays. `check` gets the first that comes up, which is one without a failed allocation.
/// Returns how many did not.
pub fn attach(board: &str, check: impl Fn(&Board)) -> u64 {
    for n in 0..MOST {
        let world = RefCell::new(None);
        let watch = |w: &World| {
            w.fail_allocation(Some(n));
            *world.borrow_mut() = Some(w.clone());
        };
        let made = Board::new_watched(board, Config::default(), &watch);
        let world = world.borrow_mut().take().expect("a world");
        let hit = world.counters().failed_allocations != 0;
        match made {
            Ok(made) => {
                world.fail_allocation(None);
                assert!(!hit, "{board}: allocation {n} was not missed");
                check(&made);
                made.close().expect("the driver lets go");
                return n;
            }
            Err(why) => assert!(hit && why.contains("allocate memory"), "{why}"),
        }
        world.assert_clean();
    }
    panic!("{board} never attaches");
}

/// Runs `step` on what `setup` made on a board with the n-th allocation from its begin failing, for
/// every n, each in a world of its own. A call that fails may keep one more of each of `kinds`, to
/// the end of its file. Returns how many of them made the step fail.
pub fn on<R: Swept, S, T>(
    board: &str,
    kinds: &[usize],
    setup: impl Fn(&R) -> S,
    step: impl Fn(&R, &S) -> Result<T, i32>,
) -> u64 {
    let mut failures = 0;
    for n in 0..MOST {
        let rig = R::on_board(board);
        let expect_works = rig.bystander(board);
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
                world.advance(MS);
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
        expect_works();
        drop((made, state, expect_works));
        world.advance(SEC);
        rig.end();
        if !hit {
            return failures;
        }
    }
    panic!("more than {MOST} allocations");
}
