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

/// Checks that ours costs no more instructions than each row allows, given those of ours and of the
/// peer's in the order of the rows. A row with a bound that was not counted does not hold. Rows at
/// the end that have no bound need no counts.
///
/// # Errors
/// A line for each row that does not hold.
pub fn within_bounds<'a>(
    rows: impl Iterator<Item = &'a Row>,
    counts: &[(f64, Option<f64>)],
) -> Result<(), String> {
    let counts = counts.iter().map(Some).chain(std::iter::repeat(None));
    let broken = rows.zip(counts).filter_map(|(row, counted)| {
        let bound = row.bound?;
        let ratio = match counted {
            Some((ours, Some(peer))) if *peer > 0.0 => ours / peer,
            _ => return Some(format!("{}: not counted", row.name)),
        };
        (ratio > bound).then(|| format!("{}: {ratio:.3} of the peer, above {bound}", row.name))
    });
    let broken: Vec<String> = broken.collect();
    match broken.is_empty() {
        true => Ok(()),
        false => Err(broken.join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines about the rows that do not hold, by the instructions of two bounded rows and of one
    /// that is not.
    fn broken(counts: &[(f64, Option<f64>)]) -> Vec<String> {
        // The clock says nothing about a bound.
        let rows = [
            row("map", 900.0, 1000.0).at_most(0.7),
            row("submit", 3000.0, 1000.0),
            row("unmap", 900.0, 1000.0).at_most(0.7),
            row("served", 3000.0, 1000.0),
        ];
        let lines = within_bounds(rows.iter(), counts).err().unwrap_or_default();
        lines.lines().map(String::from).collect()
    }

    /// Catches: a ratio that is upside down or of times, a row that is judged by the counts of
    /// another one, and a bound that holds because nothing was counted.
    #[test]
    fn each_bounded_row_is_judged_by_its_instructions() {
        let (free, peer) = ((5000.0, Some(1000.0)), Some(1000.0));
        assert_eq!(broken(&[(700.0, peer), free, (1.0, peer)]), [""; 0]);
        assert_eq!(
            broken(&[(701.0, peer), free, (700.0, peer)]),
            ["map: 0.701 of the peer, above 0.7"]
        );
        assert_eq!(
            broken(&[(700.0, peer), free, (1500.0, peer)]),
            ["unmap: 1.500 of the peer, above 0.7"]
        );
        assert_eq!(broken(&[(701.0, peer), free, (701.0, peer)]).len(), 2);
        for counts in [
            &[(1.0, peer), free, (1.0, None)][..],
            &[(1.0, peer), free, (0.0, Some(0.0))],
            &[(1.0, peer), free],
        ] {
            assert_eq!(broken(counts), ["unmap: not counted"]);
        }
    }
}
