// SPDX-License-Identifier: BSD-2-Clause
//! The counts of a model, as text: the work that it did, and the accesses that hardware leaves
//! undefined.

use models::{mali, vivante, Access};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// The counts of a model, as lines of `NAME=VALUE` words.
#[derive(Debug, Default)]
pub struct Report {
    /// The work that it did.
    sum: String,
    /// Events that hardware leaves undefined or that the model does not know, a line for each kind:
    /// a register that does not exist, an undefined access, contents of memory that it cannot
    /// decode.
    pub unknown: Vec<String>,
    /// Faults that it raised.
    faults: Vec<String>,
    /// The number of the events of `unknown`.
    pub times: u64,
}

impl Report {
    /// All of them.
    #[must_use]
    pub fn lines(self) -> Vec<String> {
        let mut lines = vec![self.sum];
        lines.extend(self.unknown);
        lines.extend(self.faults);
        lines
    }
}

/// The report of a Mali GPU.
pub(crate) fn mali(stats: &mali::Stats) -> Report {
    let chains: u64 = stats.chains.iter().sum();
    let jobs: u64 = stats.jobs.iter().sum();
    let sum = format!(
        "chains={chains} jobs={jobs} pixels={} resets={} irqs={} injected={}",
        stats.pixels_written,
        stats.soft_resets + stats.hard_resets,
        stats.irqs.iter().sum::<u64>(),
        stats.injected,
    );
    let misuse = Misuse {
        unknown: &stats.unknown_registers,
        protocol: &stats.protocol_errors,
        decode: &stats.decode_errors,
        words: &stats.decode_words,
        rest: &[
            ("dead-access", stats.dead_accesses),
            ("readonly-write", stats.readonly_writes),
        ],
    };
    let mut faults = counts("exception", &stats.job_exceptions);
    faults.extend(counts("mmu-fault", &stats.mmu_faults));
    Report {
        sum,
        unknown: misuse.lines(),
        faults,
        times: misuse.times(),
    }
}

/// The report of a Vivante core.
pub(crate) fn vivante(stats: &vivante::Stats) -> Report {
    let events: u64 = stats.events.iter().sum();
    let sum = format!(
        "events={events} commands={} pixels={} resets={} irqs={} injected={}",
        stats.commands.iter().sum::<u64>(),
        stats.pixels_written,
        stats.resets,
        stats.irqs,
        stats.injected,
    );
    let misuse = Misuse {
        unknown: &stats.unknown_registers,
        protocol: &stats.protocol_errors,
        decode: &stats.decode_errors,
        words: &stats.decode_words,
        rest: &[
            ("dead-access", stats.dead_accesses),
            ("readonly-write", stats.readonly_writes),
            ("illegal-command", stats.illegal_commands),
            ("blocked-load", stats.blocked_loads),
        ],
    };
    let mut faults = counts("mmu-fault", &stats.mmu_exceptions);
    faults.extend(several(&[
        ("bus-error", stats.bus_errors),
        ("starved", stats.starved),
        ("cut-off", stats.cut_off),
    ]));
    Report {
        sum,
        unknown: misuse.lines(),
        faults,
        times: misuse.times(),
    }
}

struct Misuse<'a> {
    unknown: &'a BTreeMap<(u32, Access), u64>,
    protocol: &'a BTreeMap<&'static str, u64>,
    decode: &'a BTreeMap<&'static str, u64>,
    /// The first word of each kind that was not decoded.
    words: &'a BTreeMap<&'static str, u32>,
    rest: &'a [(&'a str, u64)],
}

impl Misuse<'_> {
    fn lines(&self) -> Vec<String> {
        let registers = self.unknown.iter().map(|((off, access), n)| {
            let way = match access {
                Access::Read => 'r',
                Access::Write => 'w',
            };
            format!("unknown-register {way} 0x{off:04x} count={n}")
        });
        let mut lines: Vec<String> = registers.collect();
        lines.extend(counts("protocol", self.protocol));
        lines.extend(self.decode.iter().map(|(what, n)| {
            let word = self.words.get(what).copied().unwrap_or(0);
            format!("decode {what:?} word=0x{word:08x} count={n}")
        }));
        lines.extend(several(self.rest));
        lines
    }

    fn times(&self) -> u64 {
        let maps = [self.protocol, self.decode];
        let known = maps.iter().flat_map(|map| map.values());
        let rest = self.rest.iter().map(|(_, n)| n);
        known.chain(self.unknown.values()).chain(rest).sum()
    }
}

fn several(list: &[(&str, u64)]) -> Vec<String> {
    let met = list.iter().filter(|(_, n)| *n != 0);
    met.map(|(name, n)| format!("{name} count={n}")).collect()
}

fn counts<K: Debug>(kind: &str, map: &BTreeMap<K, u64>) -> Vec<String> {
    map.iter()
        .map(|(what, n)| format!("{kind} {what:?} count={n}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misuse_is_reported_line_by_line() {
        let mut stats = vivante::Stats::default();
        assert_eq!(vivante(&stats).lines().len(), 1);
        assert_eq!(vivante(&stats).times, 0);
        stats.unknown_registers.insert((0x40, Access::Write), 2);
        stats.protocol_errors.insert("START", 1);
        stats.decode_errors.insert("BLT swizzle", 4);
        stats.decode_words.insert("BLT swizzle", 0x60_a688);
        stats.starved = 3;
        stats.blocked_loads = 5;
        assert_eq!(vivante(&stats).times, 12, "what is starved is a fault");
        assert_eq!(
            vivante(&stats).lines()[1..],
            [
                "unknown-register w 0x0040 count=2",
                "protocol \"START\" count=1",
                "decode \"BLT swizzle\" word=0x0060a688 count=4",
                "blocked-load count=5",
                "starved count=3"
            ]
        );
        let mut stats = mali::Stats::default();
        stats.mmu_faults.insert(0xc1, 1);
        assert_eq!(mali(&stats).lines()[1..], ["mmu-fault 193 count=1"]);
        assert_eq!(mali(&stats).times, 0);
    }
}
