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
                    Err(back) => assert_eq!((back, meter.pushes.get()), (value, fail_at.wrapping_add(1))),
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
