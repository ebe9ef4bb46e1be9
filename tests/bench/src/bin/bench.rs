// SPDX-License-Identifier: BSD-2-Clause
//! `bench PEER.SO [DRMBOARD]`: what ours costs beside a peer, measured in the same run.
//! `bench --tables PEER.SO`: only the page tables.
//!
//! Every operation is measured by the clock and, in user space, by instructions; the ratio is that
//! of instructions where both sides have them, else that of times. A number says what one operation
//! costs. Fails if a row of the page tables costs more than 0.7 of the peer's instructions.

use bench::count::{under_callgrind, Counter};
use bench::meter::{row, within_bounds, Meter, Row};
use bench::model::Bare;
use bench::peer::Peer;
use bench::submit::{Submitter, Traffic};
use bench::{ioctl, iommu, sched};
use std::path::Path;
use std::process::ExitCode;

/// Submits of a measurement.
const SUBMITS: u32 = 200;
const COUNTED: &str = "--counted";
const CLIENT: &str = "--client";
const TABLES: &str = "--tables";

/// Rows that belong together, with their peer.
struct Group {
    title: &'static str,
    rows: Vec<Row>,
}

/// Jobs of a board's, one after the other.
fn job(meter: &mut Meter, board: &str) -> f64 {
    let submitter = Submitter::new(board).expect("a board with jobs");
    let cost = meter.work(SUBMITS, || (0..SUBMITS).for_each(|_| submitter.once()));
    submitter.finish();
    cost
}

/// The jobs of both drivers, that of panfrost beside its model first.
fn submits(meter: &mut Meter) -> [Row; 2] {
    let mali = job(meter, "rk3399");
    let mut bare = Bare::new();
    let peer = meter.work(SUBMITS, || (0..SUBMITS).for_each(|_| bare.once()));
    let vivante = job(meter, "imx8mq");
    [
        row("SUBMIT to retire, one job", mali, peer),
        row("GEM_SUBMIT to retire, one job", vivante, mali),
    ]
}

/// A figure of a job's traffic.
type Figure = fn(&Traffic) -> u64;

/// What a job costs besides instructions: the same on every machine.
fn print_traffic() {
    let [vivante, mali] = ["imx8mq", "rk3399"].map(|board| {
        let submitter = Submitter::new(board).expect("a board with jobs");
        // The first one turns the GPU on.
        submitter.once();
        let traffic = submitter.traffic(SUBMITS);
        submitter.finish();
        traffic
    });
    println!(
        "\n{:<44} {:>10} {:>10}",
        "one job, one at a time", "etnaviv", "panfrost"
    );
    let rows: [(&str, Figure); 5] = [
        ("registers read", |traffic| traffic.calls.reads),
        ("registers written", |traffic| traffic.calls.writes),
        ("interrupts", |traffic| traffic.interrupts),
        ("times that power came on", |traffic| traffic.power_ons),
        ("allocations", |traffic| traffic.allocations),
    ];
    for (name, of) in rows {
        let [vivante, mali] = [vivante, mali].map(|traffic| traffic.of_one(of(&traffic)));
        println!("{name:<44} {vivante:>10.2} {mali:>10.2}");
    }
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    All,
    Tables,
}

fn tables(meter: &mut Meter, peer: &Peer) -> Group {
    Group {
        title: "page tables; peer: io-pgtable-arm.c of Linux 6.1",
        rows: iommu::rows(meter, peer),
    }
}

/// All of `scope` that can be measured in this process.
fn groups(meter: &mut Meter, peer: &Peer, scope: Scope) -> Vec<Group> {
    if scope == Scope::Tables {
        return vec![tables(meter, peer)];
    }
    let [mali, vivante] = submits(meter);
    vec![
        tables(meter, peer),
        Group {
            title: "scheduler; peer: drm_sched of Linux 6.1, which makes the job's fences as well",
            rows: sched::rows(meter, peer),
        },
        Group {
            title:
                "job, with driver, system and model in one process; peer: the model alone, by its \
                    registers",
            rows: vec![mali],
        },
        Group {
            title: "job of etnaviv, likewise; peer: that of panfrost",
            rows: vec![vivante],
        },
        Group {
            title: "ioctl, with the system below the driver in user space; peer: ioctl(2) on \
                /dev/null",
            rows: ioctl::rows(meter),
        },
    ]
}

/// The counts of a process under callgrind: ours and the peer's, in the order of the rows.
fn counted_elsewhere(peer: &str, scope: Scope) -> Result<Vec<(f64, Option<f64>)>, String> {
    let directory = std::env::temp_dir().join(format!("bench.{}", std::process::id()));
    let args: &[&str] = match scope {
        Scope::All => &[COUNTED, peer],
        Scope::Tables => &[COUNTED, TABLES, peer],
    };
    let output = under_callgrind(&directory, args).and_then(|mut command| command.output());
    // Left over are dumps of nothing.
    let _ = std::fs::remove_dir_all(&directory);
    let output = output
        .map_err(|error| format!("no counters in the processor, and no valgrind: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "under callgrind: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let counts = text.lines().filter_map(|line| {
        let (ours, peer) = line.strip_prefix("count ")?.split_once(' ')?;
        Some((ours.parse().ok()?, peer.parse().ok()))
    });
    Ok(counts.collect())
}

fn counts_of(groups: &[Group]) -> Vec<(f64, Option<f64>)> {
    groups
        .iter()
        .flat_map(|group| &group.rows)
        .map(|row| (row.ours, row.peer))
        .collect()
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(
        || "-".into(),
        |value| {
            if value < 100.0 {
                format!("{value:.1}")
            } else {
                format!("{value:.0}")
            }
        },
    )
}

/// Fails if ours costs more instructions than a row allows.
fn check(groups: &[Group], counts: &[(f64, Option<f64>)]) -> Result<(), String> {
    within_bounds(groups.iter().flat_map(|group| &group.rows), counts)
}

fn print(groups: &[Group], counts: &[(f64, Option<f64>)], how: &str) {
    println!("instructions of user space, counted by {how}; each number is for one operation\n");
    println!(
        "{:<44} {:>10} {:>10} {:>12} {:>12} {:>7}",
        "name", "ours ns", "peer ns", "ours instr", "peer instr", "ratio"
    );
    let mut counts = counts.iter();
    for group in groups {
        println!("-- {}", group.title);
        for Row {
            name, ours, peer, ..
        } in &group.rows
        {
            let (instructions, peer_instructions) = counts
                .next()
                .map_or((None, None), |(ours, peer)| (Some(*ours), *peer));
            let ratio = match (instructions, peer_instructions, peer) {
                (Some(ours), Some(peer), _) => format!("{:.2}", ours / peer),
                (_, _, Some(peer)) => format!("{:.2} ns", ours / peer),
                _ => "-".into(),
            };
            let (ours, peer) = (shown(Some(*ours)), shown(*peer));
            let (instructions, peer_instructions) = (shown(instructions), shown(peer_instructions));
            println!(
                "{name:<44} {ours:>10} {peer:>10} {instructions:>12} {peer_instructions:>12} \
                    {ratio:>7}"
            );
        }
    }
}

/// Prints the counts of `scope`, for the process that reads them.
fn count(library: &str, scope: Scope) -> Result<(), String> {
    let counter = Counter::find().ok_or("nothing to count with")?;
    let peer = Peer::load(Path::new(library))?;
    for (ours, peer) in counts_of(&groups(&mut Meter::Instructions(counter), &peer, scope)) {
        println!(
            "count {ours} {}",
            peer.map_or_else(|| "-".into(), |peer| peer.to_string())
        );
    }
    Ok(())
}

/// Measures `scope` by instructions and by the clock: what is measured, the counts, and by what.
#[expect(clippy::type_complexity, reason = "named where it is taken apart")]
fn measured(
    library: &str,
    scope: Scope,
) -> Result<(Vec<Group>, Vec<(f64, Option<f64>)>, &'static str), String> {
    let peer = Peer::load(Path::new(library))?;
    let (how, counts) = match Counter::find() {
        Some(counter) => (
            "the processor",
            counts_of(&groups(&mut Meter::Instructions(counter), &peer, scope)),
        ),
        None => ("callgrind", counted_elsewhere(library, scope)?),
    };
    let clocked = groups(&mut Meter::Clock, &peer, scope);
    if counts.len() != counts_of(&clocked).len() {
        return Err("not everything was counted".into());
    }
    Ok((clocked, counts, how))
}

fn run(args: &[&str]) -> Result<(), String> {
    match args {
        [CLIENT] => ioctl::client(),
        [COUNTED, TABLES, peer] => count(peer, Scope::Tables),
        [COUNTED, peer] => count(peer, Scope::All),
        [TABLES, library] => {
            let (groups, counts, how) = measured(library, Scope::Tables)?;
            print(&groups, &counts, how);
            check(&groups, &counts)
        }
        [library, drmboard @ ..] if drmboard.len() < 2 => {
            let (mut clocked, counts, how) = measured(library, Scope::All)?;
            if let [drmboard] = drmboard {
                let title = "ioctl of another process, on the real clock; peer: a byte there and \
                    back between two processes";
                clocked.push(Group {
                    title,
                    rows: ioctl::served(&mut Meter::Clock, Path::new(drmboard))?,
                });
            }
            print(&clocked, &counts, how);
            print_traffic();
            check(&clocked, &counts)
        }
        _ => Err("usage: bench PEER.SO [DRMBOARD], or bench --tables PEER.SO".into()),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}
