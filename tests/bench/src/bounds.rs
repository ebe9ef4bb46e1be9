// SPDX-License-Identifier: BSD-2-Clause
//! What our drivers may cost in a FreeBSD guest, in parts of what the stock drivers cost in a Linux
//! guest.

use crate::guest::{Cost, Run};

/// A part of a row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The ioctl that submits the job.
    Submit,
    /// All of it.
    Whole,
    /// All of it, in drivers and DRM modules alone.
    Module,
}

/// The most that a figure may be, in parts of the stock driver's.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The board.
    pub board: &'static str,
    /// The name of the row.
    pub row: &'static str,
    /// Which figure of the row.
    pub part: Part,
    /// The bound.
    pub most: f64,
}

const fn bound(board: &'static str, row: &'static str, part: Part, most: f64) -> Bound {
    Bound {
        board,
        row,
        part,
        most,
    }
}

/// The making and the close of a BO of 1 MiB: the sum of two rows.
const BO: &str = "a BO of 1 MiB";

/// The bounds. Linux does not validate a stream on an MMUv2: 1.0 includes our validation.
pub const BOUNDS: [Bound; 12] = [
    bound("rk3399", "job, 1 in flight", Part::Whole, 0.50),
    bound("rk3399", "job, 4 in flight", Part::Whole, 0.65),
    bound("rk3399", "job, 4 in flight", Part::Submit, 1.0),
    bound("rk3399", "32 more BOs, 1 in flight", Part::Whole, 0.55),
    bound("rk3399", "32 more BOs, 4 in flight", Part::Whole, 0.60),
    bound("rk3399", "GET_PARAM", Part::Module, 0.70),
    bound("rk3399", BO, Part::Whole, 0.25),
    bound("imx8mq", "job, 1 in flight", Part::Whole, 0.55),
    bound("imx8mq", "job, 4 in flight", Part::Whole, 0.60),
    bound("imx8mq", "32 more BOs, 1 in flight", Part::Whole, 0.70),
    bound("imx8mq", "32 more BOs, 4 in flight", Part::Whole, 0.70),
    bound("imx8mq", "2,000 more words, 1", Part::Whole, 1.0),
];

/// The figure that a bound is about: the least of the runs, because what else the kernel does
/// differs from run to run.
fn least(runs: &[Run], bound: &Bound) -> Option<u64> {
    let figure = |run: &Run| {
        if bound.row == BO {
            let [created, closed] = run.bo;
            return created.all.checked_add(closed.all);
        }
        let (_, costs) = run.rows().into_iter().find(|(row, _)| *row == bound.row)?;
        let [submit, _, _, whole] = costs;
        let value = |cost: Cost| match bound.part {
            Part::Submit | Part::Whole => cost.all,
            Part::Module => cost.module,
        };
        match bound.part {
            Part::Submit => submit.map(value),
            Part::Whole | Part::Module => whole.map(value),
        }
    };
    runs.iter().filter_map(figure).min()
}

/// A sentence for each bound of a board, and whether it holds. A row that a board's bound names and
/// that neither run has does not hold.
pub fn check(board: &str, stock: &[Run], ours: &[Run]) -> Vec<(String, bool)> {
    let of_board = BOUNDS.iter().filter(|bound| bound.board == board);
    let judge = |bound: &Bound| {
        let part = match bound.part {
            Part::Submit => "submit",
            Part::Whole => "all",
            Part::Module => "in modules",
        };
        let (ratio, holds) = match least(ours, bound).zip(least(stock, bound)) {
            Some((ours, stock)) if stock != 0 => {
                let ratio = ours as f64 / stock as f64;
                (
                    format!("{ours} / {stock} = {ratio:.3}"),
                    ratio <= bound.most,
                )
            }
            _ => ("not measured".into(), false),
        };
        let verdict = if holds { "ok" } else { "FAILED" };
        let text = format!(
            "{board:<8} {:<25} {part:<11} at most {:.2}: {ratio}: {verdict}",
            bound.row, bound.most
        );
        (text, holds)
    };
    of_board.map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::{Job, LARGER};

    fn run(all: u64, module: u64) -> Run {
        let cost = Cost { all, module };
        let job = Job {
            submit: cost,
            start: cost,
            completion: cost,
            whole: cost,
        };
        Run {
            null: cost,
            bo: [cost; 2],
            one: job,
            four: job,
            larger: [Some(job); LARGER.len()],
        }
    }

    fn failed(board: &str, stock: &[Run], ours: &[Run]) -> usize {
        let judged = check(board, stock, ours);
        judged.iter().filter(|(_, holds)| !*holds).count()
    }

    /// Catches: a bound whose row no table has, a ratio that is upside down, a wrong figure.
    #[test]
    fn each_bound_is_judged_by_its_figure() {
        let stock = [run(1000, 100)];
        for (board, bounds) in [("rk3399", 7), ("imx8mq", 5)] {
            assert_eq!(failed(board, &stock, &[run(250, 70)]), 0);
            assert_eq!(failed(board, &stock, &[run(1001, 71)]), bounds);
            assert_eq!(failed(board, &stock, &[run(1001, 71), run(250, 70)]), 0);
        }
        assert_eq!(failed("rk3399", &stock, &[run(250, 71)]), 1, "GET_PARAM");
        assert_eq!(failed("rk3399", &stock, &[run(251, 70)]), 1, "a BO");
        assert_eq!(failed("imx8mq", &stock, &[run(551, 70)]), 1);
        assert_eq!(failed("imx8mq", &stock, &[]), 5, "nothing was measured");
    }
}
