// SPDX-License-Identifier: BSD-2-Clause
//! Measuring a piece of work, by the clock or by instructions.

use crate::count::Counter;
use std::time::{Duration, Instant};

/// By what a piece of work is measured.
pub enum Meter {
    /// Nanoseconds: the shortest of many runs.
    Clock,
    /// Instructions of one run, after another that is not counted.
    Instructions(Counter),
}

/// How long work is repeated in search of its shortest time.
const SEARCH: Duration = Duration::from_millis(300);
/// At least so often.
const RUNS: u32 = 20;

/// A piece of work.
pub type Step<'a> = &'a mut dyn FnMut();

impl Meter {
    /// Measures steps that follow each other in a circle; each is `operations` operations. Returns
    /// the cost of one.
    pub fn circle<const N: usize>(
        &mut self,
        operations: u32,
        mut steps: [Step<'_>; N],
    ) -> [f64; N] {
        let each = |sum: f64| sum / f64::from(operations);
        steps.iter_mut().for_each(|step| step());
        match self {
            Meter::Clock => {
                let mut shortest = [f64::INFINITY; N];
                let (begin, mut runs) = (Instant::now(), 0);
                while runs < RUNS || begin.elapsed() < SEARCH {
                    for (step, shortest) in steps.iter_mut().zip(&mut shortest) {
                        let start = Instant::now();
                        step();
                        *shortest = shortest.min(start.elapsed().as_nanos() as f64);
                    }
                    runs += 1;
                }
                shortest.map(each)
            }
            Meter::Instructions(counter) => {
                let mut counts = [0.0; N];
                for (step, count) in steps.iter_mut().zip(&mut counts) {
                    *count = counter.count(step) as f64;
                }
                counts.map(each)
            }
        }
    }

    /// Measures work of `operations` operations; returns what one costs.
    pub fn work(&mut self, operations: u32, mut work: impl FnMut()) -> f64 {
        let [one] = self.circle(operations, [&mut work]);
        one
    }

    /// Whether it is the clock.
    pub fn is_clock(&self) -> bool {
        matches!(self, Meter::Clock)
    }
}

/// A comparison: what it is, what ours costs, what the peer costs.
pub struct Row {
    /// What one operation is.
    pub name: String,
    /// Ours.
    pub ours: f64,
    /// The peer's; `None` where this meter says nothing about it.
    pub peer: Option<f64>,
    /// The most that ours may cost, in instructions of the peer's; `None` for any number.
    pub bound: Option<f64>,
}

impl Row {
    /// The same, with a bound.
    pub fn at_most(self, bound: f64) -> Row {
        Row {
            bound: Some(bound),
            ..self
        }
    }
}

/// A comparison of a name.
pub fn row(name: impl Into<String>, ours: f64, peer: impl Into<Option<f64>>) -> Row {
    Row {
        name: name.into(),
        ours,
        peer: peer.into(),
        bound: None,
    }
}
