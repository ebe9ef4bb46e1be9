// SPDX-License-Identifier: BSD-2-Clause
//! Numbers from a seed, which any two machines compute alike.

use seeded::Random;

/// A source of numbers.
#[derive(Clone, Debug)]
pub struct Rng(Random);

impl Rng {
    /// The source of one call (or one epoch) of a run; those of different places are independent.
    pub fn of(seed: u64, place: &[u64]) -> Rng {
        let mut random = Random::new(seed ^ 0x9e37_79b9_7f4a_7c15);
        for part in place {
            random = Random::new(random.next().wrapping_add(*part));
        }
        random.next();
        Rng(random)
    }

    /// 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0.index(n)
    }

    /// True `percent` times of a hundred.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}
