// SPDX-License-Identifier: BSD-2-Clause
//! The one address space of MMUv1: all clients are in it, and there are 2 GiB of it.

use crate::Rig;
use driver_tests::etnaviv::stream::{Engine, Template};
use driver_tests::etnaviv::{Bo, Client, Fence, Place, Submit, Work, IMX6Q, WC};
use driver_tests::{errno, with_memory, MS, SEC};
use seeded::Random;

/// An eighth of the address space.
const LARGE: u64 = 256 << 20;

fn rig() -> Rig {
    Rig::on("imx6q", with_memory(8 << 30))
}

/// All of the address space; the first words of each are mapped.
fn all_of_it(client: &Client) -> Vec<Bo> {
    let large = |_| {
        let handle = client.gem_new(LARGE, WC).unwrap();
        client.adopt(handle, 4096, 0).unwrap()
    };
    (0..8).map(large).collect()
}

/// A fill of a buffer, and others that the job names, too.
fn fill(place: Place, bos: &[&Bo], value: u32) -> Submit {
    let submit = Submit::relocated(&Template::fill(place.engine, value), bos);
    submit.on(place.pipe, place.engine.exec_state())
}

fn run(client: &Client, submit: &Submit) {
    let fence = client.submit_raw(submit).unwrap();
    assert_eq!(client.end_of(fence, SEC), 1);
}

/// Catches: relocations by a buffer's address in another client, or by a former one; a buffer of
/// one client that another one's job reaches.
#[test]
fn clients_work_side_by_side() {
    let rig = rig();
    let clients = [rig.client(), rig.client(), rig.client()];
    let works: Vec<Vec<Work>> = clients
        .iter()
        .map(|client| {
            (0..20)
                .map(|n| client.work_at(IMX6Q[n % 2], n as u32).unwrap())
                .collect()
        })
        .collect();
    for round in 0..5 {
        works.iter().flatten().for_each(Work::forget);
        let mut fences = Vec::new();
        for n in 0..20 {
            for (client, works) in clients.iter().zip(&works) {
                fences.push((client, client.start(&works[(n * 7 + round) % 20]).unwrap()));
            }
        }
        for (client, fence) in fences {
            assert_eq!(client.end_of(fence, SEC), 1);
        }
        assert!(works.iter().flatten().all(Work::is_done));
    }
    drop((works, clients));
    assert!(rig
        .finish_all()
        .iter()
        .all(|stats| stats.safe_accesses == 0));
}

/// Catches: one client's GEM_CLOSE that takes the buffer from under another's job.
#[test]
fn a_shared_buffer_outlives_the_handle_of_one() {
    for place in IMX6Q {
        let rig = rig();
        let [a, b] = [rig.client(), rig.client()];
        let mine = a.bo_unplaced(4096).unwrap();
        let handle = driver_tests::pass(&a, &b, a.export(mine.handle).unwrap()).unwrap();
        let theirs = b.adopt(handle, 4096, 0).unwrap();
        run(&a, &fill(place, &[&mine], 1));
        rig.slow_jobs(20 * MS);
        let fence = b.submit_raw(&fill(place, &[&theirs], 2)).unwrap();
        rig.advance(MS);
        a.close(mine.handle).unwrap();
        let other = a.work_at(place, 3).unwrap();
        let last = a.start(&other).unwrap();
        assert_eq!(b.end_of(fence, SEC), 1);
        assert_eq!(a.end_of(last, SEC), 1);
        assert_eq!((theirs.get(0), mine.get(60)), (2, 2));
        run(&b, &fill(place, &[&theirs], 4));
        assert!(theirs.get(0) == 4 && other.is_done());
        drop((mine, theirs, other, a, b));
        rig.finish();
    }
}

/// Catches: idle buffers that nobody's need moves; a buffer that is not mapped again; a stale
/// translation of an address that has another owner.
#[test]
fn idle_buffers_of_others_make_room() {
    let rig = rig();
    let [a, b] = [rig.client(), rig.client()];
    let large = all_of_it(&a);
    for (n, bo) in large.iter().enumerate() {
        run(&a, &fill(IMX6Q[n % 2], &[bo], n as u32));
    }
    // The table is full, to the last page.
    let works: Vec<Work> = IMX6Q
        .iter()
        .map(|place| b.work_at(*place, 77).unwrap())
        .collect();
    for round in 0..3 {
        for work in &works {
            work.forget();
            let fence = b.start(work).unwrap();
            assert_eq!(b.end_of(fence, SEC), 1);
            assert!(work.is_done(), "round {round}");
        }
        for (n, bo) in large.iter().enumerate() {
            assert_eq!(
                bo.get(0),
                100 * round + n as u32,
                "no other client's job came there"
            );
            run(
                &a,
                &fill(IMX6Q[(n + 1) % 2], &[bo], 100 * (round + 1) + n as u32),
            );
            assert_eq!(bo.get(0), 100 * (round + 1) + n as u32);
        }
        assert!(works.iter().all(Work::is_done));
    }
    drop((large, works, a, b));
    assert!(rig
        .finish_all()
        .iter()
        .all(|stats| stats.safe_accesses == 0));
}

/// Catches: a buffer taken from a job that uses it; a failed submit that keeps something; room that
/// never comes back.
#[test]
fn there_is_no_room_when_all_is_in_use() {
    let rig = rig();
    let [a, b] = [rig.client(), rig.client()];
    let large = all_of_it(&a);
    let all: Vec<&Bo> = large.iter().collect();
    rig.slow_jobs(20 * MS);
    let fence = a.submit_raw(&fill(IMX6Q[0], &all, 1)).unwrap();
    rig.advance(MS);
    let works: Vec<Work> = IMX6Q
        .iter()
        .map(|place| b.work_at(*place, 77).unwrap())
        .collect();
    for work in works.iter().cycle().take(6) {
        assert_eq!(b.start(work).err(), Some(errno::ENOSPC));
    }
    assert_eq!(a.end_of(fence, SEC), 1);
    assert_eq!(large[0].get(0), 1);
    // One job that names more than there is.
    let small = a.bo_unplaced(4096).unwrap();
    for at in [0, 4, 8] {
        let mut too_many = all.clone();
        too_many.insert(at, &small);
        let refused = a.submit_raw(&fill(IMX6Q[0], &too_many, 2));
        assert_eq!(refused.err(), Some(errno::ENOSPC));
    }
    assert_eq!(large[0].get(0), 1);
    // One of them is idle: it makes room while the job runs.
    let fence = a.submit_raw(&fill(IMX6Q[0], &all[..7], 3)).unwrap();
    rig.advance(MS);
    for work in &works {
        let fence = b.start(work).unwrap();
        assert_eq!(b.end_of(fence, SEC), 1);
        assert!(work.is_done());
    }
    assert_eq!(a.end_of(fence, SEC), 1);
    assert_eq!(large[0].get(0), 3);
    drop((large, small, works, a, b));
    rig.finish();
}

/// All but sixteen pages is in use by jobs that wait in the other core's queue, and forty buffers
/// share those pages. Catches: an address that is used again without a flush, by the same core or
/// the other.
#[test]
fn addresses_are_used_again_only_after_a_flush() {
    for (pins, place, line) in [(1, IMX6Q[0], 1), (1, IMX6Q[0], 16), (0, IMX6Q[1], 16)] {
        let rig = rig();
        for core in 0..2 {
            rig.with_vivante_core(core, |gpu| gpu.set_tlb_line(line))
                .unwrap();
        }
        let [holder, a, b] = [rig.client(), rig.client(), rig.client()];
        let mut large: Vec<Bo> = all_of_it(&holder);
        holder.close(large.pop().unwrap().handle).unwrap();
        let rest = holder.gem_new(LARGE - 16 * 4096, WC).unwrap();
        large.push(holder.adopt(rest, 4096, 0).unwrap());
        let all: Vec<&Bo> = large.iter().collect();
        rig.timing_of(pins, |timing| timing.copy_ns = 300 * MS);
        let pinned: Vec<Fence> = (0..12)
            .map(|n| holder.submit_raw(&fill(IMX6Q[pins], &all, n)).unwrap())
            .collect();
        let works: Vec<(&Client, Work)> = (0..40)
            .map(|n| {
                let client = if n % 2 == 0 { &a } else { &b };
                (client, client.work_at(place, n).unwrap())
            })
            .collect();
        let mut under_way: Vec<(usize, Fence)> = Vec::new();
        let mut random = Random::new(1);
        let flushes = rig.stats_of(place.pipe as usize).tlb_flushes;
        for _ in 0..600 {
            let n = random.index(works.len());
            if under_way.iter().any(|(m, _)| *m == n) {
                continue;
            }
            let (client, work) = &works[n];
            work.forget();
            under_way.push((n, client.start(work).unwrap()));
            if under_way.len() > random.index(6) {
                let (n, fence) = under_way.remove(0);
                assert_eq!(works[n].0.end_of(fence, SEC), 1);
                assert!(works[n].1.is_done(), "{n}");
            }
        }
        for (n, fence) in under_way {
            assert_eq!(works[n].0.end_of(fence, SEC), 1);
            assert!(works[n].1.is_done(), "{n}");
        }
        assert!(rig.stats_of(place.pipe as usize).tlb_flushes - flushes > 100);
        assert_eq!(
            holder.wait_fence_on(pins as u32, pinned[11].id, 1, 0),
            Err(errno::EBUSY)
        );
        for fence in pinned {
            assert_eq!(holder.end_of(fence, 10 * SEC), 1);
        }
        assert_eq!(large[0].get(0), 11);
        drop(works);
        drop((large, holder, a, b));
        rig.finish();
    }
}

/// A core without buffers of its own has the others' memory in no address that it may name: what is
/// not mapped leads to the page for strays. Catches: an entry that still leads to memory that was
/// given up.
#[test]
fn what_was_unmapped_leads_nowhere() {
    let rig = rig();
    let client = rig.client();
    let template = Template::fill(Engine::Rs, 9).then(Template::stall(Engine::Rs));
    let target = client.bo_unplaced(4096).unwrap();
    let twice = template.clone().then(template);
    let submit = Submit::relocated(&twice, &[&target]);
    rig.slow_jobs(10 * MS);
    let fence = client.submit_raw(&submit).unwrap();
    rig.advance(MS);
    // Its second half runs when the handle and the file are gone.
    client.close(target.handle).unwrap();
    client.caller.close_fd(fence.fd);
    drop(client);
    rig.advance(5 * MS);
    target.put(0, 0);
    rig.advance(100 * MS);
    assert_eq!(target.get(0), 9, "the job has its memory to its end");
    drop(target);
    assert_eq!(rig.world().counters().object_pages, 0);
    rig.finish();
}

/// A file goes with idle buffers, and with others that its last jobs use, while other clients keep
/// both cores busy. Catches: what is left in the shared address space when handles are not closed
/// one by one.
#[test]
fn a_file_that_goes_leaves_nothing() {
    for place in IMX6Q {
        let rig = rig();
        let other = rig.client();
        let own: Vec<Work> = IMX6Q
            .iter()
            .map(|place| other.work_at(*place, 1).unwrap())
            .collect();
        let turn = || {
            for work in &own {
                let fence = other.start(work).unwrap();
                assert_eq!(other.end_of(fence, SEC), 1);
            }
        };
        turn();
        rig.slow_jobs(2 * MS);
        for _ in 0..10 {
            let before = rig.world().counters().object_pages;
            let client = rig.client();
            let works: Vec<Work> = (0..20).map(|n| client.work_at(place, n).unwrap()).collect();
            let fences: Vec<Fence> = works
                .iter()
                .map(|work| client.start(work).unwrap())
                .collect();
            assert_eq!(client.end_of(fences[9], SEC), 1);
            drop((works, client));
            let mut turns = 0;
            while rig.world().counters().object_pages != before {
                turn();
                turns += 1;
                assert!(turns < 40, "{}", rig.world().counters());
            }
        }
        drop((own, other));
        rig.finish();
    }
}
