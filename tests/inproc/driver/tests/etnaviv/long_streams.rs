// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: a long stream is copied to the command memory and cleaned from the caches without the
//! job lock, and what happens meanwhile.

use crate::Rig;
use driver_tests::etnaviv::{stream, Client, Fence, Submit, Work};
use driver_tests::{coherent, MS, SEC};
use models::vivante::Injection;

/// Words of the longest stream, and of the longest one that fits beside it.
const LONG: usize = 32 * 1024;
const BESIDE: usize = 29 * 1024 - 4;
/// How long it takes to clean a long stream from the caches.
const SLOW: u64 = 5 * MS;

/// Work at the end of a stream of `words` words.
fn long(work: &Work, words: usize) -> Submit {
    let mut submit = work.submit();
    let left = words - submit.stream.len();
    submit.stream = [stream::nop().repeat(left / 2), submit.stream].concat();
    submit
}

fn start(client: &Client, va: u32, words: usize) -> (Work, Fence) {
    let work = client.work(va, va ^ words as u32).unwrap();
    let fence = client.submit_raw(&long(&work, words)).unwrap();
    (work, fence)
}

fn end(client: &Client, (work, fence): &(Work, Fence)) {
    assert_eq!(client.end_of(*fence, SEC), 1);
    assert!(work.is_done());
    client.close(work.data.handle).unwrap();
}

/// A core with a client whose long stream is being copied.
fn copying() -> (Rig, Client, (Work, Fence)) {
    let rig = Rig::with(coherent(true));
    let client = rig.client();
    client.expect_works();
    rig.world().slow_syncs(SLOW);
    let job = start(&client, 0x2000_0000, LONG);
    rig.advance(MS);
    rig.world().slow_syncs(0);
    assert!(job.0.is_untouched());
    (rig, client, job)
}

/// Checks that there is room for as many streams as ever, while the first one runs.
fn check_room(rig: &Rig) {
    let client = rig.client();
    rig.slow_jobs(20 * MS);
    let jobs = [(0x4000_0000, LONG), (0x4100_0000, BESIDE)].map(|(va, n)| {
        let before = rig.world().calls().sync_bytes;
        let job = start(&client, va, n);
        rig.advance(MS);
        let copied = rig.world().calls().sync_bytes - before;
        assert!(copied > n as u64 * 4, "{n}: {copied}");
        job
    });
    assert!(jobs.iter().all(|(work, _)| work.is_untouched()));
    jobs.iter().for_each(|job| end(&client, job));
    rig.slow_jobs(0);
}

/// Catches: bytes that are copied and cleaned with the job lock held, in a number that a client
/// chooses.
#[test]
fn what_is_cleaned_under_the_lock_is_bounded() {
    let rig = Rig::new();
    let client = rig.client();
    for words in [64, 3072, 3074, 8192, LONG] {
        let job = start(&client, 0x2000_0000, words);
        end(&client, &job);
        let most = rig.world().longest_locked_sync();
        assert!(most <= 3072 * 4 + 8, "{words}: {most}");
    }
    drop(client);
    rig.finish();
}

/// Catches: a lock that is held while a long stream is copied.
#[test]
fn others_submit_while_a_stream_is_copied() {
    let (rig, client, job) = copying();
    let other = rig.client();
    let begin = rig.world().now();
    let theirs = start(&other, 0x3000_0000, 64);
    let also = start(&other, 0x3100_0000, LONG);
    assert!(rig.world().now() - begin < MS);
    end(&client, &job);
    end(&other, &theirs);
    end(&other, &also);
    check_room(&rig);
    drop((client, job, other, theirs, also));
    rig.finish();
}

/// Catches: a place that is given to another job while it is being filled, one that is lost, and a
/// job that is.
#[test]
fn a_suspend_while_a_stream_is_copied() {
    let (rig, client, job) = copying();
    rig.device().suspend();
    rig.device().resume();
    let other = rig.client();
    let theirs = start(&other, 0x3000_0000, LONG);
    end(&client, &job);
    end(&other, &theirs);
    check_room(&rig);
    drop((client, job, other, theirs));
    rig.finish();
}

/// The same if the stream is copied by the time that its device resumes.
#[test]
fn a_suspend_until_a_stream_is_copied() {
    let (rig, client, job) = copying();
    rig.device().suspend();
    rig.advance(SEC);
    assert!(job.0.is_untouched());
    let other = rig.client();
    let theirs = start(&other, 0x3000_0000, LONG);
    rig.device().resume();
    end(&client, &job);
    end(&other, &theirs);
    check_room(&rig);
    drop((client, job, other, theirs));
    rig.finish();
}

/// Catches: a place that is lost with its job, or filled again for it.
#[test]
fn a_close_while_a_stream_is_copied() {
    let (rig, client, job) = copying();
    let other = rig.client();
    let theirs = start(&other, 0x3000_0000, LONG);
    drop((client, job));
    end(&other, &theirs);
    check_room(&rig);
    drop((other, theirs));
    rig.finish();
}

#[test]
fn a_detach_while_a_stream_is_copied() {
    let (rig, client, job) = copying();
    rig.detach(true).unwrap();
    drop((client, job));
    rig.finish_detached();
}

/// Catches: an innocent job that runs again with another stream, or not at all.
#[test]
fn long_streams_run_again_after_a_reset() {
    let rig = Rig::with(coherent(true));
    let [hog, client] = [rig.client(), rig.client()];
    client.expect_works();
    for words in [BESIDE, LONG] {
        rig.plant(Injection::HangNextJob);
        let (bad, fence) = start(&hog, 0x3000_0000, 64);
        let jobs = [(0x2000_0000, words), (0x2100_0000, 64), (0x2200_0000, LONG)]
            .map(|(va, words)| start(&client, va, words));
        assert!(hog.end_of(fence, 5 * SEC) < 0);
        jobs.iter().for_each(|job| end(&client, job));
        hog.close(bad.data.handle).unwrap();
    }
    check_room(&rig);
    drop((hog, client));
    assert!(rig.finish().resets > 0);
}

/// Catches: a job that is passed by a shorter one, or waits for room forever.
#[test]
fn more_long_streams_than_there_is_room_for() {
    let rig = Rig::with(coherent(false));
    let clients = [rig.client(), rig.client()];
    let start = |n: u32| {
        let client = &clients[n as usize % 2];
        let words = [LONG, 64, BESIDE, 3074, 20_000][n as usize % 5];
        (client, start(client, 0x2000_0000 + n * 0x1000, words))
    };
    let jobs: Vec<_> = (0..20).map(start).collect();
    for (client, (work, fence)) in jobs.iter().rev() {
        assert_eq!(client.end_of(*fence, 10 * SEC), 1);
        assert!(work.is_done());
    }
    check_room(&rig);
    drop(jobs);
    drop(clients);
    rig.finish();
}
