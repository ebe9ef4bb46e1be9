// SPDX-License-Identifier: BSD-2-Clause
//! The lines that the larger runs have to have.

use crate::console::{driver_and_renderer, is_mali, trace, Judge};

/// The marks in the trace between which a device is suspended, and before a machine goes off.
const SUSPENDED: u32 = 1001;
const RESUMED: u32 = 1002;
const SHUTDOWN: u32 = 1003;

/// The pixels that a job of the run `signals` fills on a Vivante.
const JOB_PIXELS: u64 = 1024 * 256;

/// How a step of the guest's script ended.
pub(super) fn ended(judge: &mut Judge, name: &str, status: u32) {
    judge.guest_said(&format!("guest: {name} ended with {status}"));
}

pub(super) fn all_ended(judge: &mut Judge, names: &[&str]) {
    names.iter().for_each(|name| ended(judge, name, 0));
}

pub(super) fn frames(judge: &mut Judge) {
    judge.said("gles_clear: frames 15 ok");
}

/// What the last line that begins so says after that, and of what it is.
pub(super) fn figure(judge: &Judge, start: &str, of_what: &str) -> String {
    format!("{} {of_what}", judge.last(start).unwrap_or("?"))
}

/// Our driver stops a Mali's job that hangs before it resets the GPU; the model counts that as its
/// end.
pub(super) fn stopped(judge: &mut Judge) {
    if judge.board == "rk3399" {
        judge.modelled(1, "*exception 4 count=1");
    }
}

pub(super) fn clients(judge: &mut Judge) -> Result<(), String> {
    let steps = [
        "load",
        "nodes",
        "sysctl",
        "dri",
        "minor",
        "native",
        "gles_clear",
        "share",
        "pixels",
    ];
    all_ended(judge, &steps);
    all_ended(judge, &["unload", "leaks"]);
    driver_and_renderer(judge)?;
    frames(judge);
    let compatible = match is_mali(judge.board) {
        true => "rockchip,rk3399-mali arm,mali-t860",
        false => "vivante,gc",
    };
    judge.said(&format!("minor: dev.drm.128.compatible: {compatible}"));
    judge.said("native: native * ok");
    judge.said("pixels: pixels 333x77: #78123456");
    judge.said("share: share 333x77 ok");
    Ok(())
}

/// A fault was planted, and what it did not hit is right.
pub(super) fn fault(judge: &mut Judge, name: &str) {
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
pub(super) fn signals(judge: &mut Judge, wanted: u64) -> String {
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

pub(super) fn power(judge: &mut Judge, trace: &str) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::freebsd::judge;
    use crate::console::freebsd::tests::{needs_every_line, steps, wrong};
    use crate::console::tests::run;

    #[test]
    fn a_message_of_the_kernel_may_cut_the_end_of_a_step() {
        let cut = "guest: unlopanfrost0: detached\nad ended with 0\n";
        let text = steps("reload") + "gles_clear: frames 15 ok\n";
        assert_eq!(wrong("imx8mq", "reload", &text), [""; 0]);
        let text = steps("holder forced") + cut + "gles_clear: frames 15 ok\n";
        assert_eq!(wrong("imx8mq", "force", &text), [""; 0]);
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
}
