// SPDX-License-Identifier: BSD-2-Clause
//! The runs of mk/vmtest.sh: our module on FreeBSD, on the models.

use super::{driver_and_renderer, is_mali, pattern, read, trace, Judge, Run};

/// Lines of a console that are shown when something is wrong.
pub(super) const TAIL: usize = 25;

/// The first row of the table.
pub(super) const HEADER: &str =
    "kernel   board    cpus  run                                        time  result";

/// Cases that differ on FreeBSD.
const SUITE: &str = "tests/guest/freebsd/suite.txt";

/// Messages of the kernel, and of a module that leaks, which a console must not have.
const TROUBLE: [&str; 20] = [
    "*panic*",
    "*lock order reversal*",
    "*KDB*",
    "*Witness*",
    "*witness*",
    "*WITNESS*",
    "Fatal*",
    "*fatal trap*",
    "*Sleeping thread*",
    "*Sleeping on*",
    "*acquiring * with the following*",
    "*leaked memory*",
    "*was not empty*",
    "*still busy*",
    "*still in use*",
    "*kldunload: *Device busy*",
    "*link_elf: symbol*",
    "*undefined symbol*",
    "*unknown ioctl*",
    "*vm_fault failed*",
];

/// Lines with which WITNESS and others announce themselves.
const HARMLESS: [&str; 5] = [
    "WARNING: WITNESS option enabled*",
    "WARNING: DIAGNOSTIC*",
    "VT(*",
    "KDB: debugger backends*",
    "KDB: current backend*",
];

/// The marks in the trace between which a device is suspended, and before a machine goes off.
const SUSPENDED: u32 = 1001;
const RESUMED: u32 = 1002;
const SHUTDOWN: u32 = 1003;

/// The pixels that a job of the run `signals` fills on a Vivante.
const JOB_PIXELS: u64 = 1024 * 256;

fn trouble(text: &str) -> Vec<String> {
    let is_one_of = |line: &str, all: &[&str]| all.iter().any(|p| pattern::is(p, line));
    let lines = text
        .lines()
        .filter(|l| is_one_of(l, &TROUBLE) && !is_one_of(l, &HARMLESS));
    lines.map(str::to_owned).collect()
}

/// How a step of the guest's script ended.
fn ended(judge: &mut Judge, name: &str, status: u32) {
    judge.said(&format!("guest: {name} ended with {status}"));
}

fn all_ended(judge: &mut Judge, names: &[&str]) {
    names.iter().for_each(|name| ended(judge, name, 0));
}

fn frames(judge: &mut Judge) {
    judge.said("gles_clear: frames 15 ok");
}

/// What the last line that begins so says after that, and of what it is.
fn figure(judge: &Judge, start: &str, of_what: &str) -> String {
    format!("{} {of_what}", judge.last(start).unwrap_or("?"))
}

/// Our driver stops a Mali's job that hangs before it resets the GPU; the model counts that as its
/// end.
fn stopped(judge: &mut Judge) {
    if judge.board == "rk3399" {
        judge.modelled(1, "*exception 4 count=1");
    }
}

fn clients(judge: &mut Judge) -> Result<(), String> {
    let steps = [
        "load",
        "nodes",
        "sysctl",
        "dri",
        "native",
        "gles_clear",
        "share",
        "pixels",
    ];
    all_ended(judge, &steps);
    all_ended(judge, &["unload", "leaks"]);
    driver_and_renderer(judge)?;
    frames(judge);
    judge.said("native: native * ok");
    judge.said("pixels: pixels 333x77: #78123456");
    judge.said("share: share 333x77 ok");
    Ok(())
}

/// A fault was planted, and what it did not hit is right.
fn fault(judge: &mut Judge, name: &str) {
    frames(judge);
    judge.said("share: share 333x77 ok");
    ended(judge, "unload", 0);
    judge.injected();
    match (is_mali(judge.board), name) {
        (_, "hang") => stopped(judge),
        (true, "jobfault") => judge.modelled(1, "*exception 88 count=1"),
        (true, "buserror") => judge.modelled(1, "*exception 72 count=1"),
        (true, "mmufault") => {
            judge.modelled(1, "*mmu-fault 195 count=1");
            // Its job ends at once.
            judge.modelled(1, "*exception 72 count=1");
        }
        (false, "buserror") => judge.modelled(1, "*bus-error count=1"),
        (false, "mmufault") => judge.modelled(1, "*mmu-fault 2 count=1"),
        // The work was done, only its interrupt was lost.
        _ => {}
    }
}

/// The driver and the model count the jobs, too: each has run once.
fn signals(judge: &mut Judge, wanted: u64) -> String {
    all_ended(judge, &["native", "linux", "leaks", "unload"]);
    let sum = |judge: &Judge, what: &str| {
        let of = |who: &str| judge.sum(&format!("{who}: {what} {{n}}"));
        of("native") + of("linux")
    };
    let (seen, jobs) = (sum(judge, "signals"), sum(judge, "jobs"));
    if seen < wanted {
        judge.wrong(format!("{seen} signals, not {wanted}"));
    }
    judge.said(&format!("counters: dev.*.0.jobs: {jobs}"));
    match judge.board {
        "rk3399" => judge.said(&format!("model * chains={jobs} *")),
        "imx8mq" => {
            let pixels = jobs.saturating_mul(JOB_PIXELS);
            judge.said(&format!("model * pixels={pixels} *"));
        }
        _ => {}
    }
    format!("{seen} signals, {jobs} jobs")
}

fn power(judge: &mut Judge, trace: &str) {
    judge.said_at_least("guest: suspended {n} times", &[1]);
    all_ended(judge, &["client1", "client2"]);
    frames(judge);
    ended(judge, "unload", 0);
    if let Err(why) = trace::quiet(trace, SUSPENDED, RESUMED) {
        judge.wrong(format!("while suspended: {why}"));
    }
    if let Err(why) = trace::shut_down(trace, SHUTDOWN) {
        judge.wrong(format!("shutdown: {why}"));
    }
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
            judge.said("guest: forced 100 times");
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
    judge.trouble = trouble(text);
    // Under its hang the client of busyhang may fail, and the script with it.
    if run.name != "busyhang" {
        judge.status(&run.status, "0");
    }
    let figure = expect(&mut judge, run)?;
    judge.nothing_left("the console");
    Ok((judge, figure.unwrap_or_else(|| "-".to_owned())))
}

/// What is shown of a console though nothing is wrong.
pub(super) fn shown<'a>(run: &Run, text: &'a str) -> Vec<&'a str> {
    let is_latency = run.name == "latency";
    let lines = text.lines().filter(|_| is_latency);
    lines
        .filter_map(|line| line.strip_prefix("latency: latency: "))
        .collect()
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

    fn wrong(board: &str, name: &str, text: &str) -> Vec<String> {
        judge(&run(board, name), text).unwrap().0.wrong
    }

    /// Every line of a console is needed for a run to be right.
    fn needs_every_line(board: &str, name: &str, text: &str) {
        assert_eq!(wrong(board, name, text), [""; 0], "{name}");
        for line in text.lines() {
            let less = text.replacen(&format!("{line}\n"), "", 1);
            assert!(
                !wrong(board, name, &less).is_empty(),
                "{name} without {line}"
            );
        }
    }

    fn steps(names: &str) -> String {
        let steps = names
            .split(' ')
            .map(|name| format!("guest: {name} ended with 0\n"));
        steps.collect()
    }

    #[test]
    fn trouble_of_each_kind_is_found() {
        let lines = [
            "panic: vm_fault",
            "lock order reversal:",
            "KDB: enter: panic",
            "Witness list not locked",
            "witness_unlock: not locked",
            "WITNESS: unable to allocate a new witness object",
            "Fatal data abort:",
            "kernel: fatal trap 12",
            "Sleeping thread (tid 100068, pid 61) owns a non-sleepable lock",
            "Sleeping on \"drm\" with the following non-sleepable locks held:",
            "acquiring duplicate lock of same type with the following non-sleepable locks held:",
            "Warning: memory type drmkpi leaked memory on destroy (1 allocations).",
            "Freed UMA keg (drmkpi) was not empty (1 items).",
            "drmkpi: still busy",
            "drmkpi: still in use",
            "kldunload: can't unload file: Device busy",
            "link_elf: symbol drm_os_x undefined",
            "undefined symbol drm_os_x",
            "linux: pid 9 (a): unknown ioctl 0x1",
            "vm_fault failed: ffff",
        ];
        for line in lines {
            assert_eq!(trouble(&format!("a\n{line}\nb\n")), [line]);
            let text = steps("load") + "gles_clear: frames 1 ok\n" + line + "\n";
            let wrong = wrong("rk3399", "boots", &text);
            assert_eq!(wrong, [format!("the console: {line}")]);
        }
        for pattern in TROUBLE {
            assert!(
                lines.iter().any(|line| pattern::is(pattern, line)),
                "{pattern}"
            );
        }
    }

    #[test]
    fn announcements_are_no_trouble() {
        for line in [
            "WARNING: WITNESS option enabled, expect reduced performance.",
            "KDB: debugger backends: ddb",
            "KDB: current backend: ddb",
            "VT(efifb): resolution 1x1",
            "gles_clear: Fatal as it may be",
        ] {
            assert_eq!(trouble(line), [""; 0]);
        }
    }

    #[test]
    fn runs_need_each_of_their_lines() {
        let frames = "gles_clear: frames 15 ok\n";
        let share = "share: share 333x77 ok\n";
        let clients = steps("load nodes sysctl dri native gles_clear share pixels unload leaks")
            + "gles_clear: renderer: Vivante GC7000 rev 6214\neglinfo: EGL driver name: etnaviv\n\
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
    fn faults_need_each_of_their_lines() {
        let common = steps("unload") + "gles_clear: frames 15 ok\nshare: share 333x77 ok\n";
        let sums = "model gpu@c000000 chains=9 injected=1\n";
        for (board, name, report) in [
            ("rk3399", "hang", "model a exception 4 count=1\n"),
            ("rk3399", "jobfault", "model a exception 88 count=1\n"),
            ("rk3399", "buserror", "model a exception 72 count=1\n"),
            (
                "rk3399",
                "mmufault",
                "model a mmu-fault 195 count=1\nmodel a exception 72 count=1\n",
            ),
            ("rk3399", "loseirq", ""),
            ("imx8mq", "hang", ""),
            ("imx8mq", "buserror", "model a bus-error count=1\n"),
            ("imx8mq", "mmufault", "model a mmu-fault 2 count=1\n"),
            ("imx8mq", "loseirq", ""),
        ] {
            needs_every_line(board, name, &format!("{common}{sums}{report}"));
            let more = format!("{common}{sums}{report}model a dead-access count=1\n");
            let left = ["the model: model a dead-access count=1"];
            assert_eq!(wrong(board, name, &more), left, "{board} {name}");
        }
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
    fn every_signal_is_seen_and_every_job_runs_once() {
        let text = steps("native linux leaks unload")
            + "native: signals 1500\nlinux: signals 2600\nnative: jobs 30\nlinux: jobs 12\n\
               counters: dev.etnaviv.0.jobs: 42\nmodel gpu@c000000 events=9 pixels=11010048 x\n";
        let judged = |board, text: &str| {
            let mut run = run(board, "signals");
            run.count = 4000;
            let (judge, figure) = judge(&run, text).unwrap();
            (judge.wrong, figure)
        };
        assert_eq!(
            judged("imx8mq", &text),
            (Vec::new(), "4100 signals, 42 jobs".to_owned())
        );
        let few = text.replace("signals 1500", "signals 1300");
        assert_eq!(judged("imx8mq", &few).0, ["3900 signals, not 4000"]);
        let twice = text.replace("0.jobs: 42", "0.jobs: 43");
        assert_eq!(judged("imx8mq", &twice).0.len(), 1);
        let model = text.replace("pixels=11010048", "pixels=11272192");
        assert_eq!(judged("imx8mq", &model).0.len(), 1);
        let mali = text.replace("events=9", "chains=42");
        assert_eq!(judged("rk3399", &mali).0, [""; 0]);
        assert_eq!(judged("rk3399", &text).0.len(), 1);
    }

    #[test]
    fn a_suspended_device_is_not_touched() {
        let mut judge = Judge::new("rk3399", "");
        power(
            &mut judge,
            "1 mark 1001\n2 mmio gpu@c000000 r 0x0 0x0\n3 mark 1002\n",
        );
        let said = |what: &str| judge.wrong.iter().any(|why| why.starts_with(what));
        assert!(said("while suspended: 1 times suspended, 1 accesses"));
        assert!(said("shutdown: 0 accesses"));
        let text = steps("client1 client2 unload")
            + "guest: suspended 3 times\ngles_clear: frames 15 ok\n";
        let mut judge = Judge::new("rk3399", &text);
        power(
            &mut judge,
            "1 mark 1001\n3 mark 1002\n4 mark 1003\n5 mmio gpu@c000000 r 0x0 0x0\n\
             6 power gpu@c000000 0\n",
        );
        assert_eq!(judge.wrong, [""; 0]);
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
    }

    #[test]
    fn a_run_has_to_be_known() {
        assert!(judge(&run("rk3399", "frobnicated"), "").is_err());
    }
}
