// SPDX-License-Identifier: BSD-2-Clause
//! The pool against a map: ids name what was inserted until it is removed, and never anything else.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may stop at the first surprise"
)]

mod mock;

use std::collections::BTreeMap;
use std::rc::Rc;

use drm_sched::{Id, Pool};
use mock::{Meter, VecStorage};
use proptest::prelude::{any, proptest, ProptestConfig};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pool_is_a_map_with_fresh_keys(
        ops in proptest::collection::vec((any::<bool>(), any::<u16>()), 1..200),
        fail_at in 0_u64..40,
    ) {
        let meter = Rc::new(Meter::default());
        meter.fail_at.set(Some(fail_at));
        let mut pool: Pool<u16, VecStorage> = Pool::new(&meter);
        let mut map: BTreeMap<Id, u16> = BTreeMap::new();
        let mut all: Vec<Id> = Vec::new();
        for (insert, value) in ops {
            if insert {
                match pool.insert(value) {
                    Ok(id) => {
                        assert!(!all.contains(&id), "an id is never given twice");
                        assert!(id.generation() != 0);
                        all.push(id);
                        map.insert(id, value);
                    }
                    Err(back) => {
                        let pushes = fail_at.wrapping_add(1);
                        assert_eq!((back, meter.pushes.get()), (value, pushes));
                    }
                }
            } else if !all.is_empty() {
                let id = all[usize::from(value) % all.len()];
                assert_eq!(pool.remove(id), map.remove(&id));
            }
            for id in &all {
                assert_eq!(pool.get(*id), map.get(id));
                assert_eq!(pool.get_mut(*id), map.get_mut(id));
            }
            assert_eq!(usize::try_from(pool.live()), Ok(map.len()));
        }
    }
}

/// Catches: values that move when the pool grows, with the caller's lock held; memory that stays
/// allocated after a peak; an id of freed memory that names a newer value.
#[test]
fn growth_moves_no_value_and_memory_is_freed_after_a_peak() {
    const MANY: u32 = 100_000;
    let meter = Rc::new(Meter::default());
    let dropped = Rc::new(());
    let mut pool: Pool<Rc<()>, VecStorage> = Pool::new(&meter);
    let mut stale: Vec<Id> = Vec::new();
    for round in 1..4_u64 {
        let ids: Vec<Id> = (0..MANY)
            .map(|_| pool.insert(dropped.clone()).unwrap())
            .collect();
        assert!(
            stale.iter().all(|id| pool.get(*id).is_none()),
            "round {round}"
        );
        // Only the list of chunks is moved: one element in 64, twice at most.
        let most = usize::try_from(2 * MANY / 64).unwrap();
        assert!(meter.moved.get() < most, "{}", meter.moved.get());
        // In another order than that of insertion.
        for id in ids
            .iter()
            .step_by(2)
            .chain(ids.iter().skip(1).step_by(2).rev())
        {
            assert!(pool.remove(*id).is_some());
        }
        assert_eq!((pool.live(), Rc::strong_count(&dropped)), (0, 1));
        // All but one chunk were allocated again.
        let chunks = u64::from(MANY.div_ceil(64));
        assert_eq!(meter.chunks.get(), round * (chunks - 1) + 1);
        stale = ids;
    }
}
