// SPDX-License-Identifier: BSD-2-Clause
//! What a job costs a driver in a guest, from the log of `drmboard vm --count` while the client
//! `submits` runs.
//!
//! The one thing to know: a figure is the median over the jobs of a run, so that a tick of the
//! guest's timer, which comes with every twentieth job, is not in it.

mod log;
#[cfg(test)]
mod tests;

use log::{between, line, Count, Event};
use log::{CLOSE, CLOSED, CREATE, DONE, END, NOTHING, PARAM, SUBMIT, WAIT};

/// Jobs of a measurement that have to be as they should, of all.
const REGULAR: f64 = 0.9;

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
