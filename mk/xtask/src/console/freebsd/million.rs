// SPDX-License-Identifier: BSD-2-Clause
//! The run `million`: whether the last tenth of many submits costs what the second does. The first
//! fills caches.

use super::runs::{all_ended, ended};
use crate::console::{is_mali, pattern, Judge};

const TENTHS: usize = 10;
/// Marks before and after a tenth, plus its number (tests/guest/freebsd/native_million.c).
const BEGIN: u64 = 2000;
const END: u64 = 2100;

/// A tenth's line: its number and submits, and then the [`BOUNDS`], but for [`DEFERRED`].
const LINE: &str = "million: tenth {n}: {n} submits, drm {n} blocks {n} bytes, malloc {n} bytes, \
                    uma {n} bytes, wired {n} pages, deferred {n} blocks, mem_peak {n} bytes";
/// The figures of a line that may not grow, and by how much they may: what the rest of the kernel
/// does meanwhile (vmem(9) gives its arenas larger hash tables, 75 KiB, ten seconds after the
/// boot). A block of 64 bytes that is lost in every hundredth submit is more than any of them, in
/// eight tenths of a million.
const BOUNDS: [(&str, u64); 6] = [
    ("blocks of the driver", 0),
    ("bytes of the driver", 0),
    ("bytes of malloc(9)", 128 << 10),
    ("bytes of uma(9)", 128 << 10),
    ("wired pages", 32),
    ("bytes charged to clients", 16 << 10),
];
/// Where the deferred frees are among the figures of a line, and how many blocks they may be in any
/// tenth: those of one job.
const DEFERRED: usize = 5;
const DEFERRED_BLOCKS: u64 = 16;
/// Privileged instructions a submit, in hundredths of those of the second tenth.
const INSTRUCTIONS: u64 = 102;
/// The pixels that a job fills on a Vivante.
const JOB_PIXELS: u64 = 64 * 16;

/// Submits, blocks of deferred frees, and the figures of [`BOUNDS`].
struct Tenth {
    submits: u64,
    deferred: u64,
    figures: Vec<u64>,
}

/// The tenth that a line is about.
fn tenth(line: &str) -> Option<(usize, Tenth)> {
    let numbers = pattern::find(LINE, line)?;
    let mut numbers = numbers.into_iter().map(|n| n.parse::<u64>());
    let number = usize::try_from(numbers.next()?.ok()?).ok()?;
    let submits = numbers.next()?.ok()?;
    let mut figures: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
    let tenth = Tenth {
        submits,
        deferred: figures.remove(DEFERRED),
        figures,
    };
    Some((number, tenth))
}

/// All ten, if each has one line.
fn tenths(lines: &[&str]) -> Option<Vec<Tenth>> {
    let found: Vec<_> = lines.iter().filter_map(|line| tenth(line)).collect();
    let in_order = found.iter().map(|(number, _)| *number).eq(1..=TENTHS);
    in_order.then(|| found.into_iter().map(|(_, tenth)| tenth).collect())
}

/// Privileged instructions until a mark, from the log of `drmboard vm --count`.
fn until(counts: &str, mark: u64) -> Option<u64> {
    let line = format!(" mark {mark} ");
    let line = counts.lines().find(|text| text.contains(&line))?;
    let mut words = line.split(' ').skip(4);
    let mut number = || words.next()?.parse::<u64>().ok();
    number()?.checked_add(number()?)
}

/// Privileged instructions a submit, of each tenth.
fn costs(tenths: &[Tenth], counts: &str) -> Option<Vec<u64>> {
    let cost = |(number, tenth): (u64, &Tenth)| {
        let all = until(counts, END + number)?.checked_sub(until(counts, BEGIN + number)?)?;
        all.checked_div(tenth.submits)
    };
    (1..).zip(tenths).map(cost).collect()
}

/// Judges the console and the marks; the figure of its row.
pub(super) fn judge(judge: &mut Judge, wanted: u64, counts: &str) -> String {
    all_ended(judge, &["load", "million", "counters"]);
    ended(judge, "unload", 0);
    judge.said("native * ok");
    for counter in ["faults", "resets", "refused", "mem", "open_files"] {
        judge.said(&format!("counters: dev.*.0.{counter}: 0"));
    }
    judge.said(&format!("counters: dev.*.0.jobs: {wanted}"));
    if is_mali(judge.board) {
        judge.said(&format!("model * chains={wanted} *"));
    } else {
        let pixels = wanted.saturating_mul(JOB_PIXELS);
        judge.said(&format!("model * pixels={pixels} *"));
    }
    let Some(tenths) = tenths(&judge.lines) else {
        judge.wrong("the client has not a line for each tenth");
        return "?".to_owned();
    };
    let submits: u64 = tenths.iter().map(|tenth| tenth.submits).sum();
    if submits != wanted {
        judge.wrong(format!("{submits} submits, not {wanted}"));
    }
    let deferred = tenths.iter().map(|tenth| tenth.deferred).max();
    if let Some(deferred) = deferred.filter(|blocks| *blocks > DEFERRED_BLOCKS) {
        judge.wrong(format!("{deferred} blocks of deferred frees"));
    }
    let (second, last) = (&tenths[1].figures, &tenths[TENTHS - 1].figures);
    for ((what, more), (second, last)) in BOUNDS.iter().zip(second.iter().zip(last)) {
        if *last > second.saturating_add(*more) {
            judge.wrong(format!("{what}: {second} and then {last}"));
        }
    }
    let Some(costs) = costs(&tenths, counts) else {
        judge.wrong("instructions were not counted in each tenth");
        return format!("{submits} submits");
    };
    let (second, last) = (costs[1], costs[TENTHS - 1]);
    if last.saturating_mul(100) > second.saturating_mul(INSTRUCTIONS) {
        judge.wrong(format!("instructions a submit: {second} and then {last}"));
    }
    format!("{submits} at {second}, then {last}")
}

/// The lines of the tenths, each with its instructions a submit.
pub(super) fn shown(text: &str, counts: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| tenth(line).is_some()).collect();
    let costs = tenths(&lines).and_then(|tenths| costs(&tenths, counts));
    let costs = costs.unwrap_or_default().into_iter().map(Some);
    let costs = costs.chain(std::iter::repeat(None));
    let show = |(line, cost): (&&str, Option<u64>)| {
        let line = line.trim_start_matches("million: ");
        match cost {
            Some(cost) => format!("{line}, {cost} instructions a submit"),
            None => line.to_owned(),
        }
    };
    lines.iter().zip(costs).map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::freebsd::tests::steps;

    /// A line of a tenth of 2,000 submits, with `more` of the figure at this index of `BOUNDS`, or
    /// of the deferred frees.
    fn line(number: usize, figure: usize, more: u64) -> String {
        let is = |n: usize, base: u64| base + if n == figure { more } else { 0 };
        format!(
            "million: tenth {number}: 2000 submits, drm {} blocks {} bytes, malloc {} bytes, \
             uma {} bytes, wired {} pages, deferred {} blocks, mem_peak {} bytes\n",
            is(0, 135),
            is(1, 52432),
            is(2, 48_693_056),
            is(3, 38_417_940),
            is(4, 15271),
            is(BOUNDS.len(), 0),
            is(5, 76096)
        )
    }

    /// A console with tenths of which the last has `more` of a figure.
    fn console(figure: usize, more: u64) -> String {
        let lines = (1..=TENTHS).map(|n| line(n, figure, if n == TENTHS { more } else { 0 }));
        steps("load million counters unload")
            + "native panfrost ok\nmodel gpu@0 chains=20000 jobs=1 injected=0\n\
               counters: dev.panfrost.0.faults: 0\ncounters: dev.panfrost.0.resets: 0\n\
               counters: dev.panfrost.0.refused: 0\ncounters: dev.panfrost.0.mem: 0\n\
               counters: dev.panfrost.0.open_files: 0\ncounters: dev.panfrost.0.jobs: 20000\n"
            + &lines.collect::<String>()
    }

    /// Marks of tenths that take 18,000 instructions a submit, of which the last has `more`.
    fn counts(more: u64) -> String {
        let mut at = 1000;
        let mut text = String::new();
        for number in 1..=TENTHS as u64 {
            text += &format!("1 mark {} 7 {at} 5\n1 rise 4 7 {at} 5\n", BEGIN + number);
            at += 2000 * (18_000 + if number == TENTHS as u64 { more } else { 0 });
            text += &format!("2 mark {} 7 {at} 5\n", END + number);
            at += 777;
        }
        text
    }

    fn judged(text: &str, counts: &str) -> (Vec<String>, String) {
        let mut judge = Judge::new("rk3399", text);
        let figure = super::judge(&mut judge, 20000, counts);
        (judge.wrong, figure)
    }

    #[test]
    fn what_is_flat_is_right_and_every_line_is_needed() {
        let (text, counts) = (console(0, 0), counts(0));
        let (wrong, figure) = judged(&text, &counts);
        assert_eq!(wrong, [""; 0]);
        assert_eq!(figure, "20000 at 18000, then 18000");
        for line in text.lines() {
            let less = text.replacen(&format!("{line}\n"), "", 1);
            assert!(!judged(&less, &counts).0.is_empty(), "without {line}");
        }
        for line in counts.lines().filter(|line| line.contains("mark")) {
            let less = counts.replacen(&format!("{line}\n"), "", 1);
            assert!(!judged(&text, &less).0.is_empty(), "without {line}");
        }
    }

    #[test]
    fn a_leak_is_reported() {
        for (figure, (what, more)) in BOUNDS.iter().enumerate() {
            assert_eq!(judged(&console(figure, *more), &counts(0)).0, [""; 0]);
            let (wrong, _) = judged(&console(figure, more + 1), &counts(0));
            assert_eq!(wrong.len(), 1, "{what}");
            assert!(wrong[0].starts_with(what), "{}", wrong[0]);
        }
        let deferred = |n, more| {
            let text = console(0, 0).replacen(&line(n, 0, 0), &line(n, BOUNDS.len(), more), 1);
            judged(&text, &counts(0)).0
        };
        assert_eq!(deferred(2, 16), [""; 0]);
        assert_eq!(
            deferred(2, 17),
            ["17 blocks of deferred frees"],
            "in any tenth"
        );
        let filled = console(0, 0).replacen(&line(1, 0, 0), &line(1, 0, 900), 1);
        assert_eq!(
            judged(&filled, &counts(0)).0,
            [""; 0],
            "the first is not compared"
        );
    }

    #[test]
    fn more_instructions_are_reported() {
        assert_eq!(judged(&console(0, 0), &counts(360)).0, [""; 0]);
        assert_eq!(
            judged(&console(0, 0), &counts(361)).0,
            ["instructions a submit: 18000 and then 18361"]
        );
    }

    #[test]
    fn every_submit_is_a_job_and_none_is_refused() {
        let few = console(0, 0).replace("tenth 4: 2000", "tenth 4: 1999");
        assert_eq!(judged(&few, &counts(0)).0, ["19999 submits, not 20000"]);
        for (what, is) in [
            ("jobs: 20000", "jobs: 20001"),
            ("chains=20000", "chains=19999"),
            ("faults: 0", "faults: 1"),
            ("refused: 0", "refused: 1"),
            ("0.mem: 0", "0.mem: 4096"),
        ] {
            let text = console(0, 0).replace(what, is);
            assert_eq!(judged(&text, &counts(0)).0.len(), 1, "{is}");
        }
        let text = console(0, 0).replace("chains=20000 jobs", "events=1 pixels=20480000 jobs");
        let mut vivante = Judge::new("imx8mq", &text);
        super::judge(&mut vivante, 20000, &counts(0));
        assert_eq!(vivante.wrong, [""; 0]);
    }

    #[test]
    fn the_tenths_are_shown() {
        let shown = super::shown(&console(0, 0), &counts(0));
        assert_eq!(shown.len(), TENTHS);
        assert!(shown[9].ends_with("mem_peak 76096 bytes, 18000 instructions a submit"));
        let uncounted = format!("million: {}\n", super::shown(&console(0, 0), "")[0]);
        assert_eq!(uncounted, line(1, 0, 0));
    }
}
