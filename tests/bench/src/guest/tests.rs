// SPDX-License-Identifier: BSD-2-Clause
//! Tests with logs that are written here.

use super::*;

/// A log under construction: a clock that is the sum of what was executed.
#[derive(Default)]
struct Log(Count, String);

impl Log {
    fn run(&mut self, user: u64, kernel: u64, module: u64) -> &mut Log {
        self.0.user += user;
        self.0.kernel += kernel;
        self.0.module += module;
        self.0.ns += user + kernel + module;
        self
    }

    fn note(&mut self, what: &str) -> &mut Log {
        let Count {
            ns,
            user,
            kernel,
            module,
        } = self.0;
        self.1
            .push_str(&format!("{ns} {what} {user} {kernel} {module}\n"));
        self
    }

    fn mark(&mut self, value: u32) -> &mut Log {
        self.note(&format!("mark {value}"))
    }

    /// A job whose start is interrupted by a tick of `tick` instructions.
    fn job(&mut self, depth: u32, tick: u64) -> &mut Log {
        self.mark(SUBMIT | depth)
            .run(10, 100, 20)
            .mark(WAIT | depth);
        self.run(5000, 30 + tick, 3).note("rise 0").run(0, 7, 0);
        self.note("fall 0")
            .run(11, 50, 5)
            .mark(DONE | depth)
            .run(9, 1, 0)
    }

    fn null(&mut self, count: u32) -> &mut Log {
        for _ in 0..count {
            self.mark(PARAM)
                .run(4, 40, 6)
                .mark(NOTHING)
                .run(2, 0, 0)
                .mark(END);
        }
        self
    }

    fn bo(&mut self, count: u32) -> &mut Log {
        for _ in 0..count {
            self.mark(CREATE).run(4, 900, 60).mark(CLOSE);
            self.run(2, 300, 30).mark(CLOSED);
        }
        self
    }
}

fn log() -> Log {
    let mut log = Log::default();
    log.note("rise 1").note("fall 1").null(3).bo(3);
    for depth in [1, 4] {
        // Only submitted.
        log.mark(SUBMIT | depth).run(10, 900, 20).mark(WAIT | depth);
        (0..20).for_each(|n| {
            log.job(depth, u64::from(n % 4 == 0) * 1000);
        });
    }
    log
}

#[test]
fn a_job_is_cut_at_its_marks_and_its_interrupt() {
    let run = Run::parse(&log().1).unwrap();
    let cost = |all, module| Cost { all, module };
    assert_eq!(run.null, cost(46, 6));
    assert_eq!(run.bo, [cost(960, 60), cost(330, 30)]);
    assert_eq!(
        run.one.submit,
        cost(120, 20),
        "the one without a wait is not in it"
    );
    assert_eq!(
        run.one.start,
        cost(33, 3),
        "a tick is not in it, nor is user code"
    );
    assert_eq!(run.one.completion, cost(62, 5));
    assert_eq!(
        run.one.whole,
        cost(216, 28),
        "and what comes after the wait"
    );
    assert_eq!(run.four, run.one);
}

#[test]
fn jobs_that_are_not_alike_are_refused() {
    // The interrupt comes before the client waits. The last job before has all jobs of the
    // other depth in it, the last one no next.
    let mut early = log();
    for _ in 0..4 {
        early.mark(SUBMIT | 1).run(1, 100, 0).note("rise 0");
        early
            .run(1, 1, 0)
            .mark(WAIT | 1)
            .run(1, 1, 0)
            .mark(DONE | 1);
    }
    assert!(Run::parse(&early.1).unwrap_err().contains("19 of 23"));
    // The processor slept.
    let mut slept = log();
    for _ in 0..4 {
        slept.mark(SUBMIT | 4).run(1, 9, 0).mark(WAIT | 4);
        slept.0.ns += 1;
        slept.note("rise 0").mark(DONE | 4);
    }
    assert!(Run::parse(&slept.1).unwrap_err().contains("20 of 23"));
}

#[test]
fn counting_is_checked() {
    let mut wrong = log();
    for _ in 0..9 {
        wrong.mark(NOTHING).run(0, 1, 0).mark(END);
    }
    assert!(Run::parse(&wrong.1).unwrap_err().contains("in none"));
    assert!(Run::parse("").unwrap_err().contains("no ioctl"));
    for text in [
        "1 mark 2 3 4",
        "1 mark 2 3 4 5 6",
        "1 frob 2 3 4 5",
        "x mark 2 3 4 5",
    ] {
        assert!(
            Run::parse(text).unwrap_err().contains("not a line"),
            "{text}"
        );
    }
}

#[test]
fn a_cost_is_a_ratio_of_another() {
    let cost = |all, module| Cost { all, module };
    assert_eq!(cost(300, 50).over(cost(200, 100)), [1.5, 0.5]);
    assert!(cost(0, 1).over(cost(0, 1))[0].is_nan());
}

#[test]
fn the_table_has_every_figure_once() {
    let run = Run::parse(&log().1).unwrap();
    let rows = run.rows();
    let [(_, null), (_, create), (_, close), (_, one), (_, four)] = rows[..] else {
        panic!("{} rows", rows.len());
    };
    for (row, cost) in [(null, run.null), (create, run.bo[0]), (close, run.bo[1])] {
        assert_eq!(row, [None, None, None, Some(cost)]);
    }
    let Job {
        submit,
        start,
        completion,
        whole,
    } = run.one;
    assert_eq!(one, [submit, start, completion, whole].map(Some));
    assert_eq!(four[3], Some(run.four.whole));
    assert_eq!(run.figures().len(), 11);
}

#[test]
fn larger_jobs_have_rows_of_their_own_if_they_were_run() {
    let mut log = log();
    (0..20).for_each(|_| {
        log.job(0x21, 0);
    });
    let run = Run::parse(&log.1).unwrap();
    assert_eq!(run.larger[..3], [None, None, Some(run.one)]);
    assert_eq!(run.rows().len(), 6);
    assert_eq!(run.rows()[5].0, LARGER[2].1);
}

#[test]
fn the_spread_is_that_of_the_worst_figure() {
    let run = Run::parse(&log().1).unwrap();
    let mut other = run;
    other.four.submit.all = 123;
    assert_eq!(spread(&[run, other, run]), 2.5);
    other.null.all = 23;
    assert_eq!(spread(&[run, other]), 100.0);
    assert_eq!(spread(&[run]), 0.0);
}
