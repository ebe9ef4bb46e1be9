// SPDX-License-Identifier: BSD-2-Clause
//! The runs of mk/vmtest.sh: our module on FreeBSD, on the models.

mod million;
mod runs;
mod trouble;

use super::{read, Judge, Run};
use runs::{all_ended, clients, ended, fault, figure, frames, power, signals, stopped};
use std::path::PathBuf;

/// Lines of a console that are shown when something is wrong.
pub(super) const TAIL: usize = 25;

/// The first row of the table.
pub(super) const HEADER: &str =
    "kernel   board    cpus  run                                        time  result";

/// Cases that differ on FreeBSD.
const SUITE: &str = "tests/guest/freebsd/suite.txt";

/// The log of `drmboard vm --count`, beside the console.
fn counts(run: &Run) -> PathBuf {
    run.log.with_extension("counts")
}

/// What a run has to say; the figure of its row.
fn expect(judge: &mut Judge, run: &Run) -> Result<Option<String>, String> {
    let figure = match run.name.as_str() {
        "clients" => {
            clients(judge)?;
            return Ok(judge.last("gles_clear: renderer: ").map(str::to_owned));
        }
        "cases" => judge.suite(SUITE)?,
        "reload" => {
            ended(judge, "reload", 0);
            frames(judge);
            return Ok(judge
                .last("reload: loaded and unloaded ")
                .map(str::to_owned));
        }
        "hang" | "jobfault" | "buserror" | "mmufault" | "loseirq" => {
            fault(judge, &run.name);
            return Ok(None);
        }
        "killed" => {
            frames(judge);
            judge.said("counters: dev.*.0.open_files: 0");
            ended(judge, "unload", 0);
            return Ok(None);
        }
        "lowmem" => {
            all_ended(judge, &["lowmem1", "lowmem2"]);
            frames(judge);
            return Ok(judge.last("guest: short of memory ").map(str::to_owned));
        }
        "crowd" => {
            all_ended(judge, &["crowd1", "crowd2", "crowd3", "crowd4", "unload"]);
            let rounds = |n| judge.sum(&format!("crowd{n}: {{n}} rounds"));
            format!("{} rounds of 4 in 60 s", (1..=4).map(rounds).sum::<u64>())
        }
        "busy" => {
            judge.said_at_least("guest: EBUSY {n} times", &[1]);
            ended(judge, "busy", 0);
            figure(judge, "guest: EBUSY ", "EBUSY")
        }
        "busyhang" => {
            judge.said_at_least("guest: EBUSY {n} times", &[1]);
            frames(judge);
            ended(judge, "unload", 0);
            stopped(judge);
            figure(judge, "guest: EBUSY ", "EBUSY")
        }
        "force" => {
            all_ended(judge, &["forced", "holder"]);
            frames(judge);
            ended(judge, "unload", 0);
            return Ok(None);
        }
        "force100" => {
            judge.guest_said("guest: forced 100 times");
            frames(judge);
            ended(judge, "unload", 0);
            return Ok(None);
        }
        "vm" => {
            judge.said("vm: native * ok");
            judge.said("locked: native * ok");
            all_ended(judge, &["locked", "unload", "wired"]);
            return Ok(None);
        }
        "inflight" => {
            ended(judge, "inflight", 0);
            frames(judge);
            ended(judge, "unload", 0);
            figure(
                judge,
                "inflight: files closed while the collector ran: ",
                "at once",
            )
        }
        "power" => {
            power(judge, &read(&run.log.with_extension("trace"))?);
            figure(judge, "guest: suspended ", "suspended")
        }
        "kinds" => {
            let steps = [
                "draw", "share", "native", "kill", "blink", "lowmem", "forced", "churn",
            ];
            all_ended(judge, &steps);
            ended(judge, "unload", 0);
            frames(judge);
            let rounds = |name| judge.sum(&format!("{name}: {{n}} rounds"));
            let clients: u64 = ["draw", "share", "native", "kill"]
                .into_iter()
                .map(rounds)
                .sum();
            format!("{clients} clients")
        }
        "signals" => signals(judge, run.count),
        "boots" => {
            ended(judge, "load", 0);
            judge.said("gles_clear: frames 1 ok");
            // A machine is switched off again at once: its model's report is not judged.
            judge.model.clear();
            return Ok(None);
        }
        // Nothing is too long here; mk/bench.sh has a bound, on the host.
        "latency" => {
            all_ended(judge, &["latency", "unload"]);
            judge.said("latency: latency: floods a buffer with fences: * ratio *");
            format!("{} submits", run.count)
        }
        "million" => million::judge(judge, run.count, &read(&counts(run))?),
        name if name.starts_with("count-") => {
            ended(judge, "submits", 0);
            let place = judge
                .lines
                .iter()
                .rev()
                .find(|line| line.starts_with("drmkpi at "));
            return Ok(place.map(|line| (*line).to_owned()));
        }
        name => return Err(format!("no run {name} on FreeBSD")),
    };
    Ok(Some(figure))
}

/// Judges a run; also the figure of its row.
pub(super) fn judge<'a>(run: &'a Run, text: &'a str) -> Result<(Judge<'a>, String), String> {
    let mut judge = Judge::new(&run.board, text);
    judge.trouble = trouble::lines(text);
    // Under its hang the client of busyhang may fail, and the script with it.
    if run.name != "busyhang" {
        judge.status(&run.status, "0");
    }
    let figure = expect(&mut judge, run)?;
    judge.nothing_left("the console");
    Ok((judge, figure.unwrap_or_else(|| "-".to_owned())))
}

/// What is shown of a console though nothing is wrong.
pub(super) fn shown(run: &Run, text: &str) -> Vec<String> {
    let after = |start| {
        text.lines()
            .filter_map(move |line| line.strip_prefix(start))
    };
    match run.name.as_str() {
        "latency" => after("latency: latency: ").map(str::to_owned).collect(),
        "million" => million::shown(text, &read(&counts(run)).unwrap_or_default()),
        _ => Vec::new(),
    }
}

pub(super) fn row(run: &Run, figure: &str, result: &str) -> String {
    format!(
        "{:<8} {:<8} {:>4}  {:<10} {figure:<28} {:>5} s  {result}",
        run.label, run.board, run.cpus, run.name, run.seconds
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::run;

    pub(super) fn wrong(board: &str, name: &str, text: &str) -> Vec<String> {
        judge(&run(board, name), text).unwrap().0.wrong
    }

    /// Every line of a console is needed for a run to be right.
    pub(super) fn needs_every_line(board: &str, name: &str, text: &str) {
        assert_eq!(wrong(board, name, text), [""; 0], "{name}");
        for line in text.lines() {
            let less = text.replacen(&format!("{line}\n"), "", 1);
            assert!(
                !wrong(board, name, &less).is_empty(),
                "{name} without {line}"
            );
        }
    }

    pub(super) fn steps(names: &str) -> String {
        let steps = names
            .split(' ')
            .map(|name| format!("guest: {name} ended with 0\n"));
        steps.collect()
    }

    #[test]
    fn runs_need_each_of_their_lines() {
        let frames = "gles_clear: frames 15 ok\n";
        let share = "share: share 333x77 ok\n";
        let names = "load nodes sysctl dri minor native gles_clear share pixels unload leaks";
        let clients = steps(names)
            + "minor: dev.drm.128.compatible: vivante,gc\n\
               gles_clear: renderer: Vivante GC7000 rev 6214\neglinfo: EGL driver name: etnaviv\n\
               native: native etnaviv ok\npixels: pixels 333x77: #78123456\n"
            + frames
            + share;
        needs_every_line("imx8mq", "clients", &clients);
        needs_every_line("imx8mq", "reload", &(steps("reload") + frames));
        let killed = "counters: dev.panfrost.0.open_files: 0\n";
        needs_every_line("rk3399", "killed", &(steps("unload") + frames + killed));
        needs_every_line("rk3399", "lowmem", &(steps("lowmem1 lowmem2") + frames));
        needs_every_line(
            "rk3399",
            "crowd",
            &steps("crowd1 crowd2 crowd3 crowd4 unload"),
        );
        let ebusy = "guest: EBUSY 3 times\n";
        needs_every_line("rk3399", "busy", &(steps("busy") + ebusy));
        let stopped = "model gpu@c000000 exception 4 count=1\n";
        needs_every_line(
            "rk3399",
            "busyhang",
            &(steps("unload") + ebusy + frames + stopped),
        );
        needs_every_line("rk3399", "force", &(steps("forced holder unload") + frames));
        let forced = "guest: forced 100 times\n";
        needs_every_line("rk3399", "force100", &(steps("unload") + frames + forced));
        let vm = "vm: native panfrost ok\nlocked: native panfrost ok\n";
        needs_every_line("rk3399", "vm", &(steps("locked unload wired") + vm));
        needs_every_line("rk3399", "inflight", &(steps("inflight unload") + frames));
        let kinds = steps("draw share native kill blink lowmem forced churn unload");
        needs_every_line("rk3399", "kinds", &(kinds + frames));
        let latency = "latency: latency: floods a buffer with fences: 1 us ratio 1.0\n";
        needs_every_line("rk3399", "latency", &(steps("latency unload") + latency));
        needs_every_line("rk3399", "count-1", &steps("submits"));
        needs_every_line(
            "rk3399",
            "boots",
            &(steps("load") + "gles_clear: frames 1 ok\n"),
        );
    }

    #[test]
    fn a_run_ends_well_but_for_the_one_whose_client_may_fail() {
        let ends = |name: &str, text: &str| {
            let mut run = run("imx8mq", name);
            run.status = "1".to_owned();
            judge(&run, text).unwrap().0.wrong
        };
        assert_eq!(
            ends("count-1", &steps("submits")),
            ["the guest ended with 1"]
        );
        let busy = steps("unload") + "guest: EBUSY 1 times\ngles_clear: frames 15 ok\n";
        assert_eq!(ends("busyhang", &busy), [""; 0]);
    }

    #[test]
    fn a_row() {
        let run = run("rk3399", "busy");
        let text = steps("busy") + "guest: EBUSY 3 times\n";
        let (judge, figure) = judge(&run, &text).unwrap();
        assert_eq!(
            row(&run, &figure, crate::console::result(&judge)),
            "GENERIC  rk3399      4  busy       3 times EBUSY                    7 s  ok"
        );
    }

    #[test]
    fn latencies_are_shown() {
        let text = "latency: latency: a: 1 us\nother\n";
        assert_eq!(shown(&run("rk3399", "latency"), text), ["a: 1 us"]);
        assert_eq!(shown(&run("rk3399", "busy"), text), [""; 0]);
        let text = "million: tenth 1: 9\n";
        assert_eq!(shown(&run("rk3399", "million"), text), [""; 0]);
    }

    #[test]
    fn a_run_has_to_be_known() {
        assert!(judge(&run("rk3399", "frobnicated"), "").is_err());
    }
}
