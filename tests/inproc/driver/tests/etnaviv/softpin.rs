// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: addresses that clients choose, used again for other buffers while jobs run: no job
//! meets a translation that is not its own.

use crate::unmapping::Busy;
use crate::Rig;
use driver_tests::etnaviv::stream::Template;
use driver_tests::etnaviv::{Fence, Work, BOARDS};
use driver_tests::{MS, SEC};
use drm_os_host::Config;
use seeded::Random;

/// Softpin: another buffer comes to an address at once when the one before is idle, with other jobs
/// of the client in flight that have translations of the same line. Catches: a job that begins
/// without a flush although the table has changed, and a flush that comes before the change.
#[test]
fn another_buffer_at_the_same_address() {
    for (board, places) in &BOARDS[..2] {
        for (line, ahead) in [1, 16]
            .into_iter()
            .flat_map(|line| [(line, 1), (line, 2), (line, 3)])
        {
            let rig = Rig::on(board, Config::default());
            rig.with_vivante(|gpu| gpu.set_tlb_line(line)).unwrap();
            let client = rig.client();
            let place = places[0];
            // Four buffers for one address.
            let works: Vec<Work> = (0..4)
                .map(|n| client.work_at(place, 10 + n).unwrap())
                .collect();
            let others: Vec<Work> = (0..3)
                .map(|n| client.work_at(place.nth(n + 1), n).unwrap())
                .collect();
            for round in 0..12 {
                let flushes = rig.stats().tlb_flushes;
                let work = &works[round % 4];
                rig.slow_jobs(5 * MS);
                works.iter().chain(&others).for_each(Work::forget);
                let mut fences: Vec<Fence> = others[..ahead]
                    .iter()
                    .map(|other| client.start(other).unwrap())
                    .collect();
                // The first runs, the others are in the ring.
                rig.advance(MS);
                fences.push(client.start(work).unwrap());
                fences.push(client.start(&others[0]).unwrap());
                for fence in fences {
                    assert_eq!(client.end_of(fence, SEC), 1);
                }
                let hit: Vec<usize> = (0..4).filter(|n| !works[*n].is_untouched()).collect();
                assert_eq!(hit, [round % 4], "{board} {line} {ahead} round {round}");
                assert!(work.is_done() && others[..ahead].iter().all(Work::is_done));
                assert!(rig.stats().tlb_flushes > flushes);
            }
            drop((works, others, client));
            rig.finish();
        }
    }
}

/// Buffers, addresses and clients at random. Catches: any job that meets a translation that is not
/// its own.
#[test]
fn anything_anywhere() {
    for (board, places) in &BOARDS[..2] {
        for line in [1, 4, 16] {
            let rig = Rig::on(board, Config::default());
            rig.with_vivante(|gpu| gpu.set_tlb_line(line)).unwrap();
            let clients = [rig.client(), rig.client()];
            let engine = places[0].engine;
            // Neighbours, others in the next line, and one in another table.
            let vas = [0, 1, 2, 15, 16, 17, 0x400, 0x800].map(|n| places[0].nth(n));
            let mut random = Random::new(7);
            let mut under_way: Vec<(usize, usize, Work, Fence)> = Vec::new();
            let mut idle: Vec<(usize, Work)> = Vec::new();
            for step in 0..1500u32 {
                let (c, at) = (random.index(2), random.index(8));
                if under_way
                    .iter()
                    .any(|(client, va, ..)| (*client, *va) == (c, at))
                {
                    continue;
                }
                rig.slow_jobs([100, 2_000, 50_000][random.index(3)]);
                let work = clients[c].work_at(vas[at], step).unwrap();
                let fence = clients[c].start(&work).unwrap();
                if random.index(4) == 0 {
                    clients[c].close(work.data.handle).unwrap();
                }
                under_way.push((c, at, work, fence));
                while under_way.len() > random.index(6) {
                    let n = random.index(under_way.len());
                    let (c, _, work, fence) = under_way.remove(n);
                    assert_eq!(clients[c].end_of(fence, SEC), 1);
                    assert!(work.is_done(), "{board} {line} step {step}");
                    work.forget();
                    idle.push((c, work));
                }
                if idle.len() > 12 {
                    assert!(
                        idle.iter().all(|(_, work)| work.is_untouched()),
                        "{board} {line} step {step}"
                    );
                    for (c, work) in idle.drain(..6) {
                        // Some are closed already.
                        let _ = clients[c].close(work.data.handle);
                    }
                }
            }
            for (c, _, work, fence) in under_way {
                assert_eq!(clients[c].end_of(fence, SEC), 1);
                assert!(work.is_done(), "{engine:?}");
            }
            drop((idle, clients));
            let stats = rig.finish();
            assert_eq!((stats.mmu_exception_count(), stats.safe_accesses), (0, 0));
        }
    }
}

/// Buffers of several pages that overlap. Catches: a part of one that is still mapped next to the
/// other, and one that is taken for mapped because its first page is.
#[test]
fn buffers_that_overlap() {
    for (board, places) in &BOARDS[..2] {
        let rig = Rig::on(board, Config::default());
        let [client, other] = [rig.client(), rig.client()];
        let mut busy = Busy::new(other, places[0]);
        let engine = places[0].engine;
        let start = |page: u32| 0x2000_0000 + page * 0x1000;
        let shapes = [
            (0, 4),
            (1, 1),
            (3, 3),
            (2, 2),
            (0, 1),
            (1, 5),
            (5, 1),
            (0, 6),
        ];
        let bos: Vec<_> = shapes
            .iter()
            .map(|(first, pages)| client.bo_at(pages * 4096, start(*first)).unwrap())
            .collect();
        let mut random = Random::new(3);
        let mut owner = [None; 6];
        for step in 1..300u32 {
            let n = random.index(bos.len());
            let (first, pages) = (shapes[n].0 as usize, shapes[n].1 as usize);
            busy.turn();
            // Each page of it.
            for page in 0..pages {
                let stream = Template::fill(engine, step).at(&[start((first + page) as u32)]);
                let fence = client.run(stream, &[&bos[n]]).unwrap();
                assert_eq!(client.end_of(fence, SEC), 1, "{board} step {step}");
                assert_eq!(
                    bos[n].get(page * 4096),
                    step,
                    "{board} step {step} page {page}"
                );
            }
            // No holder has a page of it any longer.
            for taken in first..first + pages {
                if let Some(before) = owner[taken].replace(n).filter(|before| *before != n) {
                    owner
                        .iter_mut()
                        .filter(|owner| **owner == Some(before))
                        .for_each(|owner| *owner = None);
                }
            }
            let page = random.index(6);
            let stream = Template::fill(engine, !step).at(&[start(page as u32)]);
            let fence = client.run(stream, &[]).unwrap();
            let expected = if owner[page].is_some() {
                1
            } else {
                -driver_tests::errno::EFAULT
            };
            assert_eq!(client.end_of(fence, SEC), expected, "{board} step {step}");
            if let Some(n) = owner[page] {
                assert_eq!(bos[n].get((page - shapes[n].0 as usize) * 4096), !step);
            }
        }
        busy.end();
        drop((bos, client));
        rig.finish();
    }
}

/// A buffer comes to the addresses of thousands of others. Catches: all their regions closed with
/// the VM's lock held once, and without a check for signals in between.
#[test]
fn a_buffer_over_thousands() {
    const COUNT: u32 = 4096;
    for (board, places) in &BOARDS[..2] {
        let rig = Rig::on(board, Config::default());
        let client = rig.client();
        let engine = places[0].engine;
        let start = |page: u32| 0x2000_0000 + page * 0x1000;
        let small: Vec<_> = (0..COUNT)
            .map(|n| client.bo_at(4096, start(n)).unwrap())
            .collect();
        let all: Vec<_> = small.iter().collect();
        let stream = Template::fill(engine, 1).at(&[start(0)]);
        let fence = client.run(stream, &all).unwrap();
        assert_eq!(client.end_of(fence, SEC), 1);
        let last = COUNT - 1;
        let large = client.bo_at(u64::from(COUNT) * 4096, start(0)).unwrap();
        let stream = Template::fill(engine, 2).at(&[start(last)]);
        client.caller.interrupt();
        let interrupted = client.run(stream.clone(), &[&large]);
        assert_eq!(
            interrupted.err(),
            Some(driver_tests::errno::EINTR),
            "{board}"
        );
        rig.world().measure_holds(true);
        let fence = client.run(stream, &[&large]).unwrap();
        rig.world().measure_holds(false);
        let holds = rig.world().times_taken("etnaviv vm");
        // Each hold closes or unmaps 64 of them at most.
        assert!(holds >= 2 * u64::from(COUNT) / 64, "{board}: {holds}");
        assert_eq!(client.end_of(fence, SEC), 1);
        assert_eq!(large.get(last as usize * 4096), 2, "{board}");
        drop((small, large, client));
        rig.finish();
    }
}
