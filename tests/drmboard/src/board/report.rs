// SPDX-License-Identifier: BSD-2-Clause
//! What a model counted, as text: how much it did, and what it was asked that hardware leaves undefined.

use models::{mali, vivante, Access};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Lines of `NAME=VALUE` words. The first is the sum of all; each of the others tells one kind of misuse: a register that does not
/// exist, an access that is undefined, contents of memory that the model could not decode, a fault.
pub(crate) fn mali(stats: &mali::Stats) -> Vec<String> {
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
        dead: stats.dead_accesses,
        readonly: stats.readonly_writes,
    };
    let mut lines = misuse.lines(sum);
    lines.extend(counts("exception", &stats.job_exceptions));
    lines.extend(counts("mmu-fault", &stats.mmu_faults));
    lines
}

/// As [`mali`].
pub(crate) fn vivante(stats: &vivante::Stats) -> Vec<String> {
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
        dead: stats.dead_accesses,
        readonly: stats.readonly_writes,
    };
    let mut lines = misuse.lines(sum);
    lines.extend(counts("mmu-fault", &stats.mmu_exceptions));
    let rare = [
        ("bus-error", stats.bus_errors),
        ("illegal-command", stats.illegal_commands),
        ("blocked-load", stats.blocked_loads),
        ("starved", stats.starved),
        ("cut-off", stats.cut_off),
    ];
    lines.extend(
        rare.iter()
            .filter(|(_, n)| *n != 0)
            .map(|(name, n)| format!("{name} count={n}")),
    );
    lines
}

struct Misuse<'a> {
    unknown: &'a BTreeMap<(u32, Access), u64>,
    protocol: &'a BTreeMap<&'static str, u64>,
    decode: &'a BTreeMap<&'static str, u64>,
    dead: u64,
    readonly: u64,
}

impl Misuse<'_> {
    fn lines(&self, sum: String) -> Vec<String> {
        let mut lines = vec![sum];
        lines.extend(self.unknown.iter().map(|((off, access), n)| {
            let way = match access {
                Access::Read => 'r',
                Access::Write => 'w',
            };
            format!("unknown-register {way} 0x{off:04x} count={n}")
        }));
        lines.extend(counts("protocol", self.protocol));
        lines.extend(counts("decode", self.decode));
        let rest = [("dead-access", self.dead), ("readonly-write", self.readonly)];
        lines.extend(
            rest.iter()
                .filter(|(_, n)| *n != 0)
                .map(|(name, n)| format!("{name} count={n}")),
        );
        lines
    }
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
    fn misuse_is_told_line_by_line() {
        let mut stats = vivante::Stats::default();
        assert_eq!(vivante(&stats).len(), 1);
        stats.unknown_registers.insert((0x40, Access::Write), 2);
        stats.protocol_errors.insert("START", 1);
        stats.starved = 3;
        assert_eq!(
            vivante(&stats)[1..],
            [
                "unknown-register w 0x0040 count=2",
                "protocol \"START\" count=1",
                "starved count=3"
            ]
        );
        let mut stats = mali::Stats::default();
        stats.mmu_faults.insert(0xc1, 1);
        assert_eq!(mali(&stats)[1..], ["mmu-fault 193 count=1"]);
    }
}
