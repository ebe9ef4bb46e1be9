// SPDX-License-Identifier: BSD-2-Clause
//! The runs of mk/crosscheck.sh: stock Linux on the models.

use super::{driver_and_renderer, is_mali, pattern, result, Judge, Run};

/// Lines of a console that are shown when something is wrong.
pub(super) const TAIL: usize = 15;

/// The first row of the table.
pub(super) const HEADER: &str = "board    run      renderer                 frames    time  result";

/// Cases that the stock drivers fail.
const SUITE: &str = "tests/guest/linux/suite.txt";

/// What the kernel's log must not have at any level.
const TROUBLE: [&str; 6] = ["WARNING", "BUG", "Oops", "Call trace", "stall", "hung"];

/// What a boot, or a host that is busy, makes the kernel say that does not concern us. (A supplier
/// of a power domain that is no device of its own is no link to 6.1.)
const HARMLESS: [&str; 3] = [
    "pci-host-generic *: Memory resource size exceeds max for 32 bits",
    "hrtimer: interrupt took {n} ns",
    "imx-gpcv2 *: Failed to create device link (0x180) with",
];

/// A line of the kernel's log as `dmesg -r` prints it, `<LEVEL>[ TIME] TEXT`, cut at the time.
fn log_line(line: &str) -> Option<(u32, &str, &str)> {
    let (level, rest) = line.strip_prefix('<')?.split_once('>')?;
    let (time, text) = rest.strip_prefix('[')?.split_once("] ")?;
    let is_time = time
        .chars()
        .all(|c| c.is_ascii_digit() || c == ' ' || c == '.');
    Some((level.parse().ok().filter(|_| is_time)?, level, text))
}

/// The kernel's warnings and errors, each as `<LEVEL> TEXT`: of the log that the guest prints at
/// the end.
fn warnings(text: &str) -> Vec<String> {
    let mut is_log = false;
    let mut found = Vec::new();
    for line in text.lines() {
        is_log = (is_log || line == "guest: dmesg") && !line.starts_with("guest: end");
        let Some((level, digits, text)) = log_line(line).filter(|_| is_log) else {
            continue;
        };
        let is_trouble = level <= 4 || TROUBLE.iter().any(|word| text.contains(word));
        if is_trouble && !HARMLESS.iter().any(|line| pattern::has(line, text)) {
            found.push(format!("<{digits}> {text}"));
        }
    }
    found
}

/// Removes the lines from each of the form `from` to the next of the form `to`.
fn without(lines: &mut Vec<String>, from: &str, to: &str) {
    let mut is_inside = false;
    lines.retain(|line| {
        let ends = is_inside && pattern::is(to, line);
        let is_part = is_inside || pattern::is(from, line);
        is_inside = is_part && !ends;
        !is_part
    });
}

/// Nothing goes wrong.
fn clients(judge: &mut Judge) -> Result<(), String> {
    driver_and_renderer(judge)?;
    for name in ["gles_clear", "again", "reloaded"] {
        judge.said(&format!("{name}: frames 15 ok"));
    }
    judge.said("share: share 333x77 ok");
    // On at the start, off in both pauses of the script, off when the driver goes, on with it
    // again. The i.MX6's power is not modelled.
    if !judge.board.starts_with("imx6") {
        judge.said_at_least("model * power-ups={n} power-downs={n}", &[4, 3]);
    }
    Ok(())
}

/// What was not hit by the fault is right, and the fault has happened.
fn fault(judge: &mut Judge) {
    judge.said("gles_clear: frames 15 ok");
    judge.said("share: share 333x77 ok");
    judge.injected();
}

/// The job that never ended was that of the frame which clears to white.
fn white_frame(judge: &mut Judge) {
    judge.said("first: gles_clear: clear 255x255 #FFFFFFFF: frame 6: 65025 pixels differ*");
}

fn mali_fault(judge: &mut Judge, name: &str) -> Result<(), String> {
    fault(judge);
    match name {
        "hang" => {
            white_frame(judge);
            judge.complained(1, "*panfrost *: gpu sched timeout, js=0, * status=0x8, *");
        }
        "jobfault" => {
            judge.complained(
                1,
                "*panfrost *: js fault, js=0, status=DATA_INVALID_FAULT, *",
            );
            judge.modelled(1, "*exception 88 count=1");
        }
        "buserror" => {
            judge.complained(1, "*panfrost *: js fault, js=0, status=JOB_BUS_FAULT, *");
            judge.modelled(1, "*exception 72 count=1");
        }
        "mmufault" => {
            // The page is mapped in truth, which the kernel finds odd.
            without(
                &mut judge.trouble,
                "*WARNING: *panfrost_mmu_irq_handler_thread*",
                "*end trace*",
            );
            judge.trouble.retain(|line| !line.contains("[ cut here ]"));
            without(&mut judge.trouble, "<3> Reason: *", "<3> source id *");
            judge.complained(1, "*panfrost *: matching BO is not heap type *");
            judge.complained(1, "*panfrost *: Unhandled Page fault in AS0 at VA *");
            judge.modelled(1, "*mmu-fault 195 count=1");
        }
        "loseirq" => {
            // The work was done, only its interrupt was lost.
            judge.complained(1, "*panfrost *: gpu sched timeout, js=0, * status=0x1, *");
        }
        _ => return Err(format!("no run {name} of a Mali")),
    }
    Ok(())
}

fn vivante_fault(judge: &mut Judge, name: &str) -> Result<(), String> {
    fault(judge);
    match name {
        "hang" => {
            white_frame(judge);
            judge.complained(1, "*etnaviv-gpu *: recover hung GPU!");
        }
        "loseirq" => judge.complained(1, "*etnaviv-gpu *: recover hung GPU!"),
        "buserror" => {
            judge.complained(1, "*etnaviv-gpu *: AXI bus error");
            judge.modelled(1, "*bus-error count=1");
        }
        "mmufault" => {
            judge.complained(1, "*etnaviv-gpu *: MMU fault status 0x00000002");
            judge.complained(1, "*etnaviv-gpu *: MMU 0 fault addr 0x*");
            judge.complained(1, "*etnaviv-gpu *: recover hung GPU!");
            judge.modelled(1, "*mmu-fault 2 count=1");
        }
        _ => return Err(format!("no run {name} of a Vivante")),
    }
    Ok(())
}

/// Judges a run; also its row of the table.
pub(super) fn judge<'a>(run: &'a Run, text: &'a str) -> Result<(Judge<'a>, String), String> {
    let mut judge = Judge::new(&run.board, text);
    judge.trouble = warnings(text);
    judge.status(&run.status, "0");
    let mut sum = None;
    match run.name.as_str() {
        "clients" | "firmware" => clients(&mut judge)?,
        "suite" => {
            sum = Some(judge.suite(SUITE)?);
            // The cases provoke the kernel's complaints.
            judge.trouble.clear();
        }
        name if name.starts_with("count-") => {}
        name if is_mali(&run.board) => mali_fault(&mut judge, name)?,
        name => vivante_fault(&mut judge, name)?,
    }
    judge.nothing_left("the kernel's log");
    let (renderer, frames) = match &sum {
        Some(sum) => (Some(sum.as_str()), None),
        None => (
            judge.last("gles_clear: renderer: "),
            judge.last_of("gles_clear: frames {n} ok"),
        ),
    };
    let row = format!(
        "{:<8} {:<8} {:<24} {:>6} {:>5} s  {}",
        run.board,
        run.name,
        renderer.unwrap_or("-"),
        frames.unwrap_or("-"),
        run.seconds,
        result(&judge)
    );
    Ok((judge, row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::run;

    /// A console whose kernel's log has these lines.
    fn console(said: &str, log: &[&str]) -> String {
        let log = log
            .iter()
            .fold(String::new(), |text, line| text + line + "\n");
        format!("guest: up\n{said}guest: dmesg\n<6>[    0.000000] Booting\n{log}guest: end 0\n")
    }

    /// What is wrong with a run of `board`.
    fn wrong(board: &str, name: &str, text: &str) -> Vec<String> {
        let run = run(board, name);
        judge(&run, text).unwrap().0.wrong
    }

    const CLIENTS: &str = "\
eglinfo: EGL driver name: panfrost
gles_clear: renderer: Mali-T860 (Panfrost)
gles_clear: frames 15 ok
share: share 333x77 ok
again: frames 15 ok
reloaded: frames 15 ok
";
    const REPORT: &str = "\
model gpu@c000000 chains=45 jobs=45 pixels=1 resets=3 irqs=50 injected=0
model power-management@ce00000 power-ups=4 power-downs=3
";

    #[test]
    fn warnings_are_those_of_the_kernels_log() {
        let text = console(
            "<3>[ 1.0] before the log\n",
            &[
                "<4>[    1.000000] warned",
                "<6>[    1.000000] task hung for 120 s",
                "<6>[    1.000000] fine",
                "no line of the log",
                "<3>[    1.000000] hrtimer: interrupt took 12345 ns",
                "<4>[    0.1] pci-host-generic 4010000000.pcie: Memory resource size exceeds max \
                 for 32 bits",
            ],
        ) + "<3>[ 9.0] after the log\n";
        assert_eq!(warnings(&text), ["<4> warned", "<6> task hung for 120 s"]);
    }

    #[test]
    fn clients_that_are_right() {
        let text = console(CLIENTS, &[]) + REPORT;
        let run = run("rk3399", "clients");
        let (judge, row) = judge(&run, &text).unwrap();
        assert_eq!(judge.wrong, [""; 0]);
        assert_eq!(
            row,
            "rk3399   clients  Mali-T860 (Panfrost)         15     7 s  ok"
        );
    }

    #[test]
    fn clients_that_are_wrong() {
        let judged = |said: &str, log: &[&str], report: &str| {
            wrong("rk3399", "clients", &(console(said, log) + report))
        };
        for line in CLIENTS.lines() {
            let said = CLIENTS.replace(&format!("{line}\n"), "");
            assert_eq!(judged(&said, &[], REPORT), [format!("nothing says {line}")]);
        }
        assert_eq!(
            judged(CLIENTS, &["<4>[    1.0] panfrost c000000.gpu: odd"], REPORT),
            ["the kernel's log: <4> panfrost c000000.gpu: odd"]
        );
        let unknown = format!("{REPORT}model gpu@c000000 unknown-register 0x10 count=1\n");
        assert_eq!(
            judged(CLIENTS, &[], &unknown),
            ["the model: model gpu@c000000 unknown-register 0x10 count=1"]
        );
        let never_off = REPORT.replace("power-downs=3", "power-downs=0");
        assert_eq!(judged(CLIENTS, &[], &never_off).len(), 1);
    }

    #[test]
    fn the_guest_ends_well() {
        let text = console(CLIENTS, &[]) + REPORT;
        let mut run = run("rk3399", "clients");
        run.status = "124".to_owned();
        let (judge, row) = judge(&run, &text).unwrap();
        assert_eq!(judge.wrong, ["the guest ended with 124"]);
        assert!(row.ends_with(" s  failed"));
    }

    const FAULT: &str = "gles_clear: frames 15 ok\nshare: share 333x77 ok\n";
    const INJECTED: &str = "model gpu@c000000 chains=45 irqs=50 injected=1\n";

    #[test]
    fn a_hang_is_complained_about_once() {
        let said = format!(
            "first: gles_clear: clear 255x255 #FFFFFFFF: frame 6: 65025 pixels differ\n{FAULT}"
        );
        let timeout = "<3>[    9.0] panfrost c000000.gpu: gpu sched timeout, js=0, config=0x7300, \
                       status=0x8, head=0x2, tail=0x2, sched_job=0";
        let judged = |said: &str, log: &[&str], report: &str| {
            wrong("rk3399", "hang", &(console(said, log) + report))
        };
        assert_eq!(judged(&said, &[timeout], INJECTED), [""; 0]);
        assert_eq!(judged(&said, &[], INJECTED).len(), 1);
        // That it happens twice is wrong, but it is known what it is.
        assert_eq!(judged(&said, &[timeout, timeout], INJECTED).len(), 1);
        assert_eq!(judged(FAULT, &[timeout], INJECTED).len(), 1);
        let report = INJECTED.replace("injected=1", "injected=0");
        assert_eq!(
            judged(&said, &[timeout], &report),
            ["the fault did not happen"]
        );
        let other = timeout.replace("status=0x8", "status=0x1");
        assert_eq!(judged(&said, &[&other], INJECTED).len(), 2);
    }

    #[test]
    fn the_warning_of_a_page_that_is_mapped_is_left_out_with_its_trace() {
        let report = format!("{INJECTED}model gpu@c000000 mmu-fault 195 count=1\n");
        let log = [
            "<3>[    9.0] panfrost c000000.gpu: Unhandled Page fault in AS0 at VA 0x1",
            "<3>[    9.0] Reason: TODO",
            "<3>[    9.0] raw fault status: 0x10003C3",
            "<3>[    9.0] source id 0x100",
            "<4>[    9.0] ------------[ cut here ]------------",
            "<4>[    9.0] matching BO is not heap type (GPU VA = 1)",
            "<4>[    9.0] WARNING: CPU: 0 PID: 9 at panfrost_mmu.c:1 \
             panfrost_mmu_irq_handler_thread+0x1/0x2 [panfrost]",
            "<4>[    9.0] Call trace:",
            "<4>[    9.0] ---[ end trace 0000000000000000 ]---",
            "<4>[    9.0] panfrost c000000.gpu: matching BO is not heap type (GPU VA = 1)",
        ];
        let without = |n: usize| [&log[..n], &log[n + 1..]].concat();
        let judged = |log: &[&str]| wrong("rk3399", "mmufault", &(console(FAULT, log) + &report));
        assert_eq!(judged(&without(5)), [""; 0]);
        // Without its beginning the rest is not part of it.
        assert!(!judged(&without(6)).is_empty());
        assert!(!judged(&log).is_empty());
    }

    #[test]
    fn every_fault_of_a_vivante() {
        for (name, log, report) in [
            ("loseirq", vec!["recover hung GPU!"], ""),
            (
                "buserror",
                vec!["AXI bus error"],
                "model a bus-error count=1\n",
            ),
            (
                "mmufault",
                vec![
                    "MMU fault status 0x00000002",
                    "MMU 0 fault addr 0x00001000",
                    "recover hung GPU!",
                ],
                "model a mmu-fault 2 count=1\n",
            ),
        ] {
            let lines = log
                .iter()
                .map(|l| format!("<3>[    9.0] etnaviv-gpu c000000.gpu: {l}"));
            let lines: Vec<String> = lines.collect();
            let judged = |n: usize, report: &str| {
                let log: Vec<&str> = lines[..n].iter().map(String::as_str).collect();
                let injected = INJECTED.replace("chains", "events");
                wrong("imx8mq", name, &(console(FAULT, &log) + &injected + report))
            };
            assert_eq!(judged(log.len(), report), [""; 0], "{name}");
            assert_eq!(judged(log.len() - 1, report).len(), 1, "{name}");
            assert_eq!(
                judged(log.len(), "").len(),
                usize::from(!report.is_empty()),
                "{name}"
            );
        }
        assert!(judge(&run("imx8mq", "jobfault"), "").is_err());
        assert!(judge(&run("rk3399", "frobnicated"), "").is_err());
    }
}
