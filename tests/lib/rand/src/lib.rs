// SPDX-License-Identifier: BSD-2-Clause
//! Random numbers from a seed, for tests. Bug reports and commits name seeds, so a seed gives the
//! same numbers on every machine and in every version: those of splitmix64.
#![no_std]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The constant that splitmix64 adds to its state for each number.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number of splitmix64 for a state.
const fn mix(state: u64) -> u64 {
    let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// A generator of numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator with this seed.
    pub const fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A generator for one part of a run; different `parts` give independent numbers.
    pub fn of(seed: u64, parts: &[u64]) -> Random {
        let mut random = Random(seed);
        for part in parts {
            random = Random(random.next() ^ part);
        }
        Random(random.next())
    }

    /// The next 64 bits.
    #[allow(clippy::should_implement_trait, reason = "it never returns None")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }

    /// A number less than `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// An index of a slice of length `len`; 0 if it is empty.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A random element; `None` if there are none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.index(of.len()))
    }
}

/// A generator that threads and signal handlers share.
#[derive(Debug)]
pub struct Shared(AtomicU64);

impl Shared {
    /// A generator with this seed.
    pub const fn new(seed: u64) -> Shared {
        Shared(AtomicU64::new(seed))
    }

    /// The next 64 bits.
    pub fn next(&self) -> u64 {
        mix(self.0.fetch_add(STEP, Relaxed).wrapping_add(STEP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of seed 1234567, as published for the algorithm.
    const KNOWN: [u64; 5] = [
        6_457_827_717_110_365_317,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
        4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
    ];

    #[test]
    fn numbers_are_those_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        assert_eq!(KNOWN.map(|_| random.next()), KNOWN);
        let shared = Shared::new(1_234_567);
        assert_eq!(KNOWN.map(|_| shared.next()), KNOWN);
    }

    /// Would catch a change of the numbers for a part of a seed, which would change the effect of a
    /// reported FUZZ_SEED.
    #[test]
    fn seeds_keep_their_numbers() {
        let mut random = Random::of(42, &[1, 2]);
        let first = [random.next(), random.below(1000), random.next()];
        assert_eq!(
            first,
            [8_801_858_144_596_834_514, 966, 292_144_507_084_726_599]
        );
    }

    #[test]
    fn small_numbers_are_in_range_and_all_of_them() {
        let mut random = Random::new(0);
        let mut seen = [0; 5];
        (0..1000).for_each(|_| seen[random.index(5)] += 1);
        assert!(seen.iter().all(|n| (150..250).contains(n)), "{seen:?}");
        assert_eq!((random.below(0), random.index(0)), (0, 0));
        assert_eq!(random.pick::<u8>(&[]), None);
        assert_eq!(random.pick(&[7]), Some(&7));
    }
}
