// SPDX-License-Identifier: BSD-2-Clause
//! The report of `--stats`, printed when the board is taken down.

use crate::process::Client;
use drm_os_host::Counters;
use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// The number of objects of all kinds that are alive in the world.
#[must_use]
pub fn live(counters: &Counters) -> u64 {
    let c = counters;
    [
        c.mallocs,
        c.pages,
        c.runs,
        c.objects,
        c.kmaps,
        c.mappings,
        c.mtxs,
        c.sxs,
        c.cvs,
        c.tasks,
        c.taskqueues,
        c.irqs,
        c.mmios,
        c.clks,
        c.regulators,
        c.resets,
        c.files,
        c.minors,
        c.clocks_enabled,
        c.regulators_enabled,
        c.power_domains_on,
    ]
    .iter()
    .sum()
}

/// Submits that were refused.
pub(crate) fn refused(clients: &[Arc<Client>], device: &[(String, u64)]) -> u64 {
    let sum = clients
        .iter()
        .map(|client| client.refused.load(Ordering::Relaxed));
    own(device, "refused").unwrap_or_else(|| sum.sum())
}

fn own(device: &[(String, u64)], name: &str) -> Option<u64> {
    device
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, value)| *value)
}

/// The report: a line per client in order of its first call, then the totals. The device's own
/// counts, if it has them, replace the sums of its clients. `unknown` is the number of events that
/// the models do not know.
pub(crate) fn report(
    clients: &[Arc<Client>],
    device: &[(String, u64)],
    unknown: u64,
    leaked: u64,
) -> String {
    let mut text = String::new();
    let mut ioctls = 0;
    let (mut jobs, mut faults, mut resets, mut peak) = (0, 0, 0, 0);
    for client in clients {
        let usage = *client.usage.lock().unwrap();
        let calls = client.ioctls.load(Ordering::Relaxed);
        ioctls += calls;
        jobs += usage.jobs;
        faults += usage.faults;
        resets += usage.resets;
        peak += usage.peak;
        let (pid, comm, kib) = (client.pid, client.comm(), usage.peak.div_ceil(1024));
        let _ = writeln!(
            text,
            "stats: client pid={pid} comm={comm} ioctls={calls} jobs={} refused={} faults={} \
             resets={} peak_kib={kib} \
             leaked={}",
            usage.jobs,
            client.refused.load(Ordering::Relaxed),
            usage.faults,
            usage.resets,
            usage.leaked
        );
    }
    let of = |name: &str, sum: u64| own(device, name).unwrap_or(sum);
    let _ = writeln!(
        text,
        "stats: total ioctls={ioctls} jobs={} refused={} unknown={unknown} faults={} resets={} \
         peak_kib={} \
         leaked={leaked}",
        of("jobs", jobs),
        refused(clients, device),
        of("faults", faults),
        of("resets", resets),
        of("mem_peak", peak).div_ceil(1024),
    );
    text
}
