// SPDX-License-Identifier: BSD-2-Clause
//! What a job costs a driver in a guest, from the log of `drmboard vm --count` while the client
//! `submits` runs.
//!
//! A line is `NS mark|rise|fall VALUE USER KERNEL MODULE`: what happened, and the instructions
//! executed before it. The client marks the beginning and the end of its system calls; `rise` is an
//! interrupt line that goes up.
//!
//! The one thing to know: a figure is the median over the jobs of a run, so that a tick of the
//! guest's timer, which comes with every twentieth job, is not in it.

use std::ops::Sub;

const SUBMIT: u32 = 0x100;
const WAIT: u32 = 0x200;
const DONE: u32 = 0x300;
const PARAM: u32 = 0x400;
const NOTHING: u32 = 0x500;
const END: u32 = 0x600;
const CREATE: u32 = 0x700;
const CLOSE: u32 = 0x800;
const CLOSED: u32 = 0x900;

/// Jobs of a measurement that have to be as they should, of all.
const REGULAR: f64 = 0.9;

/// Instructions by what executed them, and time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    ns: u64,
    user: u64,
    kernel: u64,
    module: u64,
}

impl Count {
    /// Privileged instructions.
    fn privileged(self) -> u64 {
        self.kernel + self.module
    }

    /// An instruction takes a nanosecond: in more time than that the processor slept, in less
    /// something was counted twice.
    fn is_exact(self) -> bool {
        self.ns == self.user + self.privileged()
    }
}

impl Sub for Count {
    type Output = Count;

    fn sub(self, before: Count) -> Count {
        Count {
            ns: self.ns - before.ns,
            user: self.user - before.user,
            kernel: self.kernel - before.kernel,
            module: self.module - before.module,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Mark(u32),
    Rise,
    Fall,
}

fn line(text: &str) -> Option<(Event, Count)> {
    let mut words = text.split(' ');
    let number = |text: &str| text.parse::<u64>().ok();
    let ns = number(words.next()?)?;
    let kind = words.next()?;
    let value = number(words.next()?)?;
    let event = match kind {
        "mark" => Event::Mark(u32::try_from(value).ok()?),
        "rise" => Event::Rise,
        "fall" => Event::Fall,
        _ => return None,
    };
    let count = Count {
        ns,
        user: number(words.next()?)?,
        kernel: number(words.next()?)?,
        module: number(words.next()?)?,
    };
    words.next().is_none().then_some((event, count))
}

/// Privileged instructions, and how many of them were executed by modules: the driver and DRM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// All.
    pub all: u64,
    /// Those of modules.
    pub module: u64,
}

impl Cost {
    /// This cost in parts of another one: all, and modules. NaN where both are 0.
    #[must_use]
    pub fn over(self, other: Cost) -> [f64; 2] {
        let parts = [(self.all, other.all), (self.module, other.module)];
        parts.map(|(this, other)| this as f64 / other as f64)
    }
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

fn cost(counts: &[Count]) -> Cost {
    Cost {
        all: median(counts.iter().map(|count| count.privileged()).collect()),
        module: median(counts.iter().map(|count| count.module).collect()),
    }
}

/// What a job costs with some number of them in flight. Each figure is a median of its own: the
/// parts need not add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// From the submit ioctl's beginning to its end, with what else got the processor before it
    /// ended.
    pub submit: Cost,
    /// From there to the interrupt: the job is started, if it was not yet, and the client is put to
    /// sleep.
    pub start: Cost,
    /// From the interrupt to the end of the client's wait.
    pub completion: Cost,
    /// From one submit to the next, with what was put off until after the wait.
    pub whole: Cost,
}

/// One run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The cheapest ioctl that the driver has.
    pub null: Cost,
    /// Making a BO of 1 MiB, which panfrost maps at once, and closing it.
    pub bo: [Cost; 2],
    /// With one job in flight.
    pub one: Job,
    /// With four.
    pub four: Job,
    /// What a job costs that is larger, by its index in [`LARGER`]; not every board has all.
    pub larger: [Option<Job>; LARGER.len()],
}

/// Larger jobs: the low byte of their marks, and what they are.
pub const LARGER: [(u32, &str); 7] = [
    (0x11, "32 more BOs, 1 in flight"),
    (0x14, "32 more BOs, 4 in flight"),
    (0x21, "2,000 more words, 1"),
    (0x31, "8 more BOs, 1 in flight"),
    (0x41, "128 more BOs, 1 in flight"),
    (0x51, "500 more words, 1"),
    (0x61, "8,000 more words, 1"),
];

/// A submit, the end of its ioctl, the only interrupt before the end of the wait, and that; as long
/// as nothing else happened.
/// `depth` is the low byte of the marks.
fn jobs(events: &[(Event, Count)], depth: u32) -> Result<Job, String> {
    let (begin, done_mark) = (Event::Mark(SUBMIT | depth), Event::Mark(DONE | depth));
    let (mut parts, mut of) = ([const { Vec::new() }; 4], 0u32);
    for (at, (event, start)) in events.iter().enumerate() {
        if *event != begin {
            continue;
        }
        let tail = &events[at + 1..];
        let Some(end) = tail.iter().position(|(event, _)| *event == begin) else {
            // The last one has no next.
            break;
        };
        if !tail[..end].iter().any(|(event, _)| *event == done_mark) {
            // The first ones are only submitted.
            continue;
        }
        of += 1;
        let moments: Vec<_> = tail[..=end]
            .iter()
            .filter(|(event, _)| *event != Event::Fall)
            .collect();
        let [(wait, submitted), (Event::Rise, interrupt), (done_event, done), (_, next)] =
            moments[..]
        else {
            continue;
        };
        if (*wait, *done_event) != (Event::Mark(WAIT | depth), done_mark)
            || !(*next - *start).is_exact()
        {
            continue;
        }
        let pieces = [
            *submitted - *start,
            *interrupt - *submitted,
            *done - *interrupt,
            *next - *start,
        ];
        for (part, piece) in parts.iter_mut().zip(pieces) {
            part.push(piece);
        }
    }
    if of == 0 || (parts[0].len() as f64) < REGULAR * f64::from(of) {
        return Err(format!(
            "marks {depth:#x}: only {} of {of} jobs were submitted, ended with one interrupt, and \
                were waited for without sleep",
            parts[0].len()
        ));
    }
    let [submit, start, completion, whole] = parts.map(|part| cost(&part));
    Ok(Job {
        submit,
        start,
        completion,
        whole,
    })
}

fn between(events: &[(Event, Count)], begin: u32, end: u32) -> Vec<Count> {
    let pairs = events.windows(2);
    let wanted =
        pairs.filter(|pair| pair[0].0 == Event::Mark(begin) && pair[1].0 == Event::Mark(end));
    wanted.map(|pair| pair[1].1 - pair[0].1).collect()
}

impl Run {
    /// Takes a log apart.
    ///
    /// # Errors
    /// A sentence: the log does not show what it should.
    pub fn parse(log: &str) -> Result<Run, String> {
        let events = log
            .lines()
            .map(|text| line(text).ok_or(format!("not a line of a log: {text}")));
        let events = events.collect::<Result<Vec<_>, _>>()?;
        let nulls = between(&events, PARAM, NOTHING);
        if nulls.is_empty() {
            return Err("no ioctl was counted".into());
        }
        // Two marks with nothing in between: whatever is counted there is a mistake in counting.
        let nothing = cost(&between(&events, NOTHING, END));
        if nothing != Cost::default() {
            return Err(format!("{} privileged instructions in none", nothing.all));
        }
        let [creates, closes] =
            [(CREATE, CLOSE), (CLOSE, CLOSED)].map(|(begin, end)| between(&events, begin, end));
        if creates.is_empty() || closes.is_empty() {
            return Err("no BO was counted".into());
        }
        let mut larger = [None; LARGER.len()];
        for ((tag, _), job) in LARGER.iter().zip(&mut larger) {
            let submit = Event::Mark(SUBMIT | tag);
            if events.iter().any(|(event, _)| *event == submit) {
                *job = Some(jobs(&events, *tag)?);
            }
        }
        Ok(Run {
            null: cost(&nulls),
            bo: [cost(&creates), cost(&closes)],
            one: jobs(&events, 1)?,
            four: jobs(&events, 4)?,
            larger,
        })
    }

    /// The figures as a table has them: a row's name; submit, start, completion, and the whole. An
    /// ioctl has only the last.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, [Option<Cost>; 4])> {
        let of = |job: &Job| [job.submit, job.start, job.completion, job.whole].map(Some);
        let mut rows = vec![
            ("GET_PARAM", [None, None, None, Some(self.null)]),
            (
                "creating a BO of 1 MiB",
                [None, None, None, Some(self.bo[0])],
            ),
            ("closing it", [None, None, None, Some(self.bo[1])]),
            ("job, 1 in flight", of(&self.one)),
            ("job, 4 in flight", of(&self.four)),
        ];
        let larger = LARGER.iter().zip(&self.larger);
        rows.extend(larger.filter_map(|((_, what), job)| Some((*what, of(job.as_ref()?)))));
        rows
    }

    /// All figures, in the order of the table.
    fn figures(&self) -> Vec<Cost> {
        self.rows()
            .into_iter()
            .flat_map(|(_, costs)| costs)
            .flatten()
            .collect()
    }
}

/// By how much the figures of some runs differ at most: the greatest of a figure beyond its least,
/// in percent of that.
pub fn spread(runs: &[Run]) -> f64 {
    let Some(first) = runs.first() else {
        return 0.0;
    };
    let percent = |figure: usize| {
        let values = runs.iter().map(|run| run.figures()[figure].all);
        let (least, most) = (values.clone().min().unwrap_or(0), values.max().unwrap_or(0));
        (most - least) as f64 * 100.0 / least.max(1) as f64
    };
    (0..first.figures().len()).map(percent).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
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
}
