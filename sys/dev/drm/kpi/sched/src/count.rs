// SPDX-License-Identifier: BSD-2-Clause
//! Counts of what the scheduler holds, and sequence numbers.

/// The number of values of some kind. Each is added once and subtracted once.
///
/// What is counted lives in a pool, and `Pool::grow` keeps its indexes below 2^32: there are never
/// more values than a count has numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(crate) struct Count(u32);

impl Count {
    pub(crate) const ZERO: Self = Self(0);

    /// One more.
    pub(crate) fn add(&mut self) {
        // OVERFLOW: none, as the type says; a check at each place costs 2 % of a submit.
        self.0 = self.0.wrapping_add(1);
    }

    /// One less.
    pub(crate) fn sub(&mut self) {
        // OVERFLOW: saturates, so that a value that was never added does not wrap the count.
        self.0 = self.0.saturating_sub(1);
    }

    /// The number.
    pub(crate) const fn get(self) -> u32 {
        self.0
    }

    /// Whether it is 0.
    pub(crate) const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// The sequence number after `last`, which it replaces.
pub(crate) fn next_number(last: &mut u64) -> u64 {
    // OVERFLOW: sequence numbers; 2^64 of them take centuries.
    *last = last.wrapping_add(1);
    *last
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a count that wraps: a pool without values that has four billion.
    #[test]
    fn a_count_stays_at_zero() {
        let mut count = Count::ZERO;
        count.add();
        assert_eq!(count.get(), 1);
        count.sub();
        count.sub();
        assert!(count.is_zero());
    }

    /// Catches a number that is given twice in a row.
    #[test]
    fn numbers_follow_each_other() {
        let mut last = 6;
        assert_eq!((next_number(&mut last), next_number(&mut last)), (7, 8));
    }
}
