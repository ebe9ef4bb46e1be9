// SPDX-License-Identifier: BSD-2-Clause
//! `million [COUNT [BOARD]]`: that many submits in one process, 1,000,000 on an RK3399 by default.
//!
//! A submit of the last tenth must cost what one of the first tenth does: instructions within 2 %,
//! resident memory within 1 %; what the driver has allocated, and the most that the client was ever
//! charged for, must not change. Memory is measured in this process; instructions are counted here
//! too where the processor lends its counters, else in a second process under callgrind, which does
//! all submits again and counts in both tenths. Prints what it measured; exits with 1 if that is
//! out of bounds, with 2 if it cannot be measured.

use bench::count::{under_callgrind, Counter};
use bench::submit::Submitter;
use std::process::ExitCode;
use std::time::Instant;

/// Bounds of last tenth against first tenth.
const INSTRUCTIONS: f64 = 0.02;
const MEMORY: f64 = 0.01;
/// Given to the process under callgrind.
const COUNTED: &str = "--counted";

/// One number for the first tenth, one for the last.
#[derive(Clone, Copy)]
struct Tenths {
    first: u64,
    last: u64,
}

impl Tenths {
    fn ratio(self) -> f64 {
        self.last as f64 / self.first as f64
    }
}

/// Memory at the end of a tenth.
#[derive(Default)]
struct Memory {
    /// Resident memory of this process.
    resident_kib: u64,
    /// What the driver has allocated, in bytes.
    kernel: u64,
    /// The most that the client was ever charged for, in bytes. What ended jobs still hold is
    /// charged, so this bounds the backlog of deferred frees.
    charged_peak: u64,
}

impl Memory {
    fn now(submitter: &Submitter) -> Memory {
        Memory {
            resident_kib: resident_kib().unwrap_or(0),
            kernel: submitter.kernel_bytes(),
            charged_peak: submitter.peak_bytes(),
        }
    }
}

/// Resident memory of this process, in KiB.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Submits `count` jobs; `around` is given each tenth's work and whether it is the first or the
/// last.
fn submits(
    board: &str,
    count: u64,
    mut around: impl FnMut(Option<bool>, &mut dyn FnMut(), &Submitter),
) {
    let submitter = Submitter::new(board).expect("main has checked the board");
    // Whatever is allocated once is allocated now.
    let warm = (count / 100).max(1);
    (0..warm).for_each(|_| submitter.once());
    for tenth in 0..10 {
        let which = [(0, true), (9, false)]
            .into_iter()
            .find_map(|(n, first)| (n == tenth).then_some(first));
        around(
            which,
            &mut || (0..count / 10).for_each(|_| submitter.once()),
            &submitter,
        );
    }
    assert_eq!(
        submitter.jobs(),
        warm + count / 10 * 10,
        "every submit was a job"
    );
    submitter.finish();
}

/// Counts instructions of the two tenths, in this process.
fn counted(board: &str, count: u64, counter: &mut Counter) -> Tenths {
    let mut tenths = Tenths { first: 0, last: 0 };
    submits(board, count, |which, work, _| match which {
        Some(true) => tenths.first = counter.count(work),
        Some(false) => tenths.last = counter.count(work),
        None => work(),
    });
    tenths
}

/// Counts them in a process under callgrind.
fn counted_elsewhere(board: &str, count: u64) -> Result<Tenths, String> {
    let directory = std::env::temp_dir().join(format!("million.{}", std::process::id()));
    let count = count.to_string();
    let output = under_callgrind(&directory, &[COUNTED, &count, board])
        .and_then(|mut command| command.output());
    // Left over are dumps of nothing.
    let _ = std::fs::remove_dir_all(&directory);
    let output = output
        .map_err(|error| format!("no counters in the processor, and no valgrind: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<u64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    match numbers[..] {
        [first, last] if output.status.success() => Ok(Tenths { first, last }),
        _ => Err(format!(
            "under callgrind: {}: {text}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

fn measure(board: &str, count: u64) -> Result<bool, String> {
    let start = Instant::now();
    let (mut first, mut last) = (Memory::default(), Memory::default());
    submits(board, count, |which, work, submitter| {
        work();
        match which {
            Some(true) => first = Memory::now(submitter),
            Some(false) => last = Memory::now(submitter),
            None => {}
        }
    });
    let elapsed = start.elapsed();
    if first.resident_kib == 0 {
        return Err("resident memory is unknown".into());
    }
    let (how, instructions) = match Counter::find() {
        Some(mut counter) => ("the processor", counted(board, count, &mut counter)),
        None => ("callgrind", counted_elsewhere(board, count)?),
    };
    let each = count / 10;
    println!(
        "submit, {board}: {count} submits, {:.0} ns each; instructions by {how}: first tenth {} a \
         submit, last tenth {}, ratio {:.4}; \
         rss first {} KiB, last {} KiB; kernel first {} bytes, last {}; charged at most, with what \
         ended jobs hold, first {} bytes, last {}",
        elapsed.as_nanos() as f64 / count as f64,
        instructions.first / each,
        instructions.last / each,
        instructions.ratio(),
        first.resident_kib,
        last.resident_kib,
        first.kernel,
        last.kernel,
        first.charged_peak,
        last.charged_peak,
    );
    let good = (instructions.ratio() - 1.0).abs() <= INSTRUCTIONS
        && last.resident_kib as f64 <= first.resident_kib as f64 * (1.0 + MEMORY)
        && last.kernel == first.kernel
        && last.charged_peak == first.charged_peak;
    Ok(good)
}

fn main() -> ExitCode {
    // glibc gives each thread an arena, which becomes resident bit by bit when other threads free
    // what it has allocated: that looks like growth, by 120 KiB in a million submits.
    // SAFETY: takes any value; no other thread runs yet.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let inside = args.first().is_some_and(|arg| arg == COUNTED);
    if inside {
        args.remove(0);
    }
    let count = args.first().map_or(Ok(1_000_000), |arg| arg.parse());
    let board = args.get(1).map_or("rk3399", String::as_str);
    let (Ok(count @ 10..), 0..=2, Ok(trial)) = (count, args.len(), Submitter::new(board)) else {
        eprintln!("usage: million [COUNT [BOARD]], at least 10, on rk3399 or imx8mq");
        return ExitCode::from(2);
    };
    trial.finish();
    if inside {
        let Some(mut counter) = Counter::find() else {
            return ExitCode::from(2);
        };
        let Tenths { first, last } = counted(board, count, &mut counter);
        println!("{first} {last}");
        return ExitCode::SUCCESS;
    }
    match measure(board, count) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!(
                "submit, {board}: out of bounds: instructions within 2 %, rss within 1 %, no more \
                    memory of the kernel, nothing more charged"
            );
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("million: {why}");
            ExitCode::from(2)
        }
    }
}
