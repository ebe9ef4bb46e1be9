// SPDX-License-Identifier: BSD-2-Clause
//! Job-manager contexts, the cycle counter and the timestamp.

use crate::Rig;
use driver_tests::panfrost::{write_time, Client, Work};
use driver_tests::{errno, MS, SEC};
use models::Injection;
use uapi::panfrost::*;

fn create(c: &Client, priority: u32) -> Result<u32, i32> {
    let arg = JmCtxCreate {
        handle: 0,
        priority,
    };
    Ok(c.ioctl(JM_CTX_CREATE, arg)?.handle)
}

fn destroy(c: &Client, handle: u32) -> Result<(), i32> {
    let arg = JmCtxDestroy { handle, pad: 0 };
    c.ioctl(JM_CTX_DESTROY, arg).map(drop)
}

/// Submits work to a context, to the slot of vertex jobs.
fn start(c: &Client, work: &Work, context: u32, requirements: u32) -> Result<(), i32> {
    let bos = [work.chain.handle, work.data.handle];
    let arg = Submit {
        jc: work.chain.va,
        bo_handles: bos.as_ptr() as u64,
        bo_handle_count: 2,
        out_sync: work.done,
        requirements,
        jm_ctx_handle: context,
        ..Submit::default()
    };
    c.ioctl(SUBMIT, arg).map(drop)
}

/// Catches: contexts that outlive a file, jobs of theirs that go on after it, and holdings that are
/// never freed.
#[test]
fn closing_a_file_ends_the_jobs_of_all_its_contexts() {
    let rig = Rig::new();
    let other = rig.client();
    let c = rig.client();
    rig.slow_jobs(100 * MS);
    let works: Vec<Work> = (0..8).map(|_| c.work().unwrap()).collect();
    for (n, work) in works.iter().enumerate() {
        let context = create(&c, n as u32 % 2).unwrap();
        start(&c, work, context, 0).unwrap();
    }
    let begun = rig.world().now();
    drop((works, c));
    rig.slow_jobs(5_000);
    other.expect_works();
    assert!(rig.world().now() - begun < 300 * MS, "few of the eight ran");
    drop(other);
    rig.finish();
}

/// Catches: a destroyed context whose jobs go on, or one that takes others of its file with it.
#[test]
fn a_destroyed_context_takes_its_jobs_with_it() {
    let rig = Rig::new();
    let c = rig.client();
    rig.slow_jobs(100 * MS);
    let works: Vec<Work> = (0..6).map(|_| c.work().unwrap()).collect();
    let context = create(&c, JM_CTX_PRIORITY_LOW).unwrap();
    for work in &works {
        start(&c, work, context, 0).unwrap();
    }
    let others = c.work().unwrap();
    start(&c, &others, 0, 0).unwrap();
    destroy(&c, context).unwrap();
    assert_eq!(start(&c, &works[0], context, 0), Err(errno::EINVAL));
    rig.advance(40 * MS);
    for work in works {
        assert_eq!(c.finish(&work, 0), -errno::ECANCELED);
        assert!(!work.is_done());
        c.discard(work);
    }
    assert_eq!(c.finish(&others, SEC), 1);
    drop((others, c));
    rig.finish();
}

/// Two clients with work all the time, one with eight contexts: it gets no more of the GPU than the
/// other. Catches: contexts that have a share each.
#[test]
fn contexts_of_a_file_share_what_one_file_gets() {
    let rig = Rig::new();
    let [many, one] = [rig.client(), rig.client()];
    rig.slow_jobs(MS);
    let works = |c: &Client, n| -> Vec<Work> { (0..n).map(|_| c.work().unwrap()).collect() };
    let (of_many, of_one) = (works(&many, 80), works(&one, 80));
    for (n, work) in of_many.iter().enumerate() {
        let context = match n {
            0..8 => create(&many, JM_CTX_PRIORITY_MEDIUM).unwrap(),
            _ => 1 + n as u32 % 8,
        };
        start(&many, work, context, 0).unwrap();
    }
    for work in &of_one {
        one.start(work).unwrap();
    }
    rig.advance(80 * MS);
    let done = |works: &[Work]| works.iter().filter(|work| work.is_done()).count();
    let (many_done, one_done) = (done(&of_many), done(&of_one));
    assert!(
        many_done.abs_diff(one_done) <= 12,
        "of the one with many contexts {many_done} jobs ran, of the other {one_done}"
    );
    for (c, works) in [(&many, &of_many), (&one, &of_one)] {
        for work in works {
            assert_eq!(c.finish(work, SEC), 1);
        }
    }
    drop((of_many, of_one, many, one));
    rig.finish();
}

/// Jobs with the cycle counter one after the other, in both slots at once, one that fails, and one
/// that hangs, after which the GPU is reset. Catches: a counter that is stopped more often than it
/// was started (the model counts that), that runs on, or that does not run.
#[test]
fn the_cycle_counter_runs_while_jobs_need_it() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    for (hang, outcome) in [
        (false, 1),
        (false, 1),
        (true, -errno::ETIMEDOUT),
        (false, 1),
    ] {
        if hang {
            rig.plant(Injection::HangNextJob { slot: 1 });
        }
        rig.slow_jobs(2 * MS);
        start(&c, &work, 0, REQ_CYCLE_COUNT).unwrap();
        rig.advance(MS);
        assert!(rig.counts_cycles());
        assert_eq!(c.finish(&work, 4 * SEC), outcome);
        assert!(!rig.counts_cycles());
    }
    c.start(&work).unwrap();
    rig.advance(MS);
    assert!(!rig.counts_cycles(), "this one does not ask for it");
    assert_eq!(c.finish(&work, SEC), 1);
    drop((work, c));
    let stats = rig.finish();
    assert!(stats.protocol_errors.is_empty(), "{stats:?}");
}

/// Catches: a timestamp of a GPU that is off, one that goes back, one that is not what jobs write,
/// and power that stays on.
#[test]
fn timestamps_are_those_that_jobs_write() {
    let rig = Rig::new();
    let c = rig.client();
    let hz = c.param(PARAM_SYSTEM_TIMESTAMP_FREQUENCY).unwrap();
    assert_eq!(hz, 24_000_000);
    let now = || c.param(PARAM_SYSTEM_TIMESTAMP).unwrap();
    let first = now();
    rig.advance(SEC);
    let second = now();
    assert!((second - first).abs_diff(hz) < hz / 100, "{first} {second}");
    let work = c.work().unwrap();
    work.chain.write(0, &write_time(work.data.va + 8, 0));
    start(&c, &work, 0, REQ_CYCLE_COUNT).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    let written = work.data.read_u64(8);
    assert!((second..=now()).contains(&written), "{written}");
    rig.advance(60 * MS);
    assert_eq!(rig.world().counters().power_domains_on, 0);
    drop((work, c));
    rig.finish();
}
