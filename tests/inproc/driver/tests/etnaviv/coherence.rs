// SPDX-License-Identifier: BSD-2-Clause
//! Vivante GPUs do not snoop: they see page tables, command memory, cached buffers and memory of
//! clients only as far as those were synchronised. The list of places is at the head of
//! coherence.rs.

use driver_tests::etnaviv::stream::Template;
use driver_tests::etnaviv::{
    prep, Bo, Client, Place, Rig, Submit, UserMemory, Work, BOARDS, CACHED,
};
use driver_tests::{coherent, MS, SEC};
use models::vivante::Injection;

/// Each core of each board, with memory in runs and in single pages.
fn each(test: impl Fn(&Rig, Place)) {
    for (board, places) in BOARDS {
        for (place, contiguous) in places
            .iter()
            .flat_map(|place| [(place, true), (place, false)])
        {
            let rig = Rig::on(board, coherent(contiguous));
            test(&rig, *place);
            rig.finish_all();
        }
    }
}

/// A fill of a buffer of which only the handle is known.
fn fill(place: Place, handle: u32, value: u32) -> Submit {
    let template = Template::fill(place.engine, value);
    let mut submit = Submit::relocated(&template, &[]);
    if let Some(va) = place.va {
        submit = Submit::new(template.at(&[va]), &[]);
    }
    submit
        .bos
        .push((3, handle, u64::from(place.va.unwrap_or(0))));
    submit.on(place.pipe, place.engine.exec_state())
}

fn run(client: &Client, submit: &Submit) {
    let fence = client.submit_raw(submit).unwrap();
    assert_eq!(client.end_of(fence, SEC), 1);
}

fn cached(client: &Client, pages: u64, place: Place) -> Bo {
    let handle = client.gem_new(pages * 4096, CACHED).unwrap();
    client
        .adopt(handle, pages * 4096, place.va.unwrap_or(0))
        .unwrap()
}

/// New tables, new entries of old ones, entries that were given up and come back; rings that turn
/// around.
#[test]
fn tables_and_commands() {
    each(|rig, place| {
        let clients = [rig.client(), rig.client()];
        for round in 0..4 {
            let works: Vec<(&Client, Work)> = (0..30)
                .map(|n| {
                    let client = &clients[n as usize % 2];
                    (client, client.work_at(place.nth(n * n * 3), n).unwrap())
                })
                .collect();
            for half in works.chunks(15) {
                let fences: Vec<_> = half
                    .iter()
                    .map(|(client, work)| (client, client.start(work)))
                    .collect();
                for (client, fence) in fences {
                    assert_eq!(client.end_of(fence.unwrap(), SEC), 1);
                }
            }
            assert!(
                works.iter().all(|(_, work)| work.is_done()),
                "round {round}"
            );
            for (client, work) in &works {
                client.close(work.data.handle).unwrap();
            }
            // Sleeps, and loads everything again.
            rig.advance(SEC);
        }
        let stats = rig.stats_of(place.pipe as usize);
        assert_eq!((stats.mmu_exception_count(), stats.safe_accesses), (0, 0));
    });
}

/// A fill of a buffer's byte `at` on, which may go beyond its end.
fn stray(place: Place, bo: &Bo, at: u32) -> Submit {
    let mut template = Template::fill(place.engine, 0x0bad_0bad);
    for address in &mut template.addresses {
        address.2 = at;
    }
    let submit = match place.va {
        Some(_) => Submit::new(template.at(&[bo.va]), &[bo]),
        None => Submit::relocated(&template, &[bo]),
    };
    submit.on(place.pipe, place.engine.exec_state())
}

/// A page that was never mapped, one that was given up, and one of a table that was given up: with
/// MMUv2 the GPU says that nothing is there, with MMUv1 it goes to the page for strays.
#[test]
fn what_is_not_mapped_is_seen_not_to_be() {
    each(|rig, place| {
        let [client, other] = [rig.client(), rig.client()];
        let core = place.pipe as usize;
        let own = client.work_at(place, 1).unwrap();
        let near = client.work_at(place.nth(1), 2).unwrap();
        let far = client.work_at(place.nth(0x1000), 3).unwrap();
        let run_work = |work: &Work| run(&client, &work.submit());
        [&own, &near, &far].into_iter().for_each(run_work);
        let targets = if place.va.is_some() {
            // Elsewhere in the table; then each of them.
            vec![(0x20_0000, 2), (0x5000, 2), (0x1000, 2), (0x100_0000, 1)]
        } else {
            // Over the end of the first into the second, and of the last into nothing, which
            // nothing was written near.
            run(&client, &stray(place, &own.data, 4096 - 32));
            assert_eq!(near.data.get(8), 0x0bad_0bad, "they are neighbours");
            let more: Vec<Work> = (3..16).map(|n| client.work_at(place, n).unwrap()).collect();
            more.iter().for_each(run_work);
            run(&client, &stray(place, &more[12].data, 4096 - 32));
            assert_eq!(rig.stats_of(core).bus_errors, 0);
            vec![(4096 - 32, 0)]
        };
        for closed in [&near, &far] {
            client.close(closed.data.handle).unwrap();
        }
        drop((near, far));
        // Memory of both is reused as soon as the present jobs have ended.
        (0..4).for_each(|_| run_work(&own));
        let new: Vec<Work> = (0..60)
            .map(|n| other.work_at(place.nth(n), n).unwrap())
            .collect();
        for work in &new {
            run(&other, &work.submit());
            work.forget();
        }
        for (at, code) in targets {
            let before = rig.stats_of(core);
            let fence = client.submit_raw(&stray(place, &own.data, at)).unwrap();
            let end = client.end_of(fence, SEC);
            let after = rig.stats_of(core);
            assert_eq!(end == 1, code == 0, "{at:#x}: {end}");
            if code != 0 {
                let count = |stats: &models::vivante::Stats| {
                    stats.mmu_exceptions.get(&code).copied().unwrap_or(0)
                };
                assert_eq!(
                    count(&after),
                    count(&before) + 1,
                    "{at:#x}: {:?}",
                    after.mmu_exceptions
                );
            }
            assert_eq!((after.bus_errors, after.safe_accesses), (0, 0));
            assert!(new.iter().all(Work::is_untouched), "{at:#x} is reused");
        }
        drop((own, new, client, other));
    });
}

/// Streams of every length, which are written where others were.
#[test]
fn streams() {
    each(|rig, place| {
        let client = rig.client();
        let work = client.work_at(place, 3).unwrap();
        for nops in [0, 1, 7, 510, 511, 512, 513, 4_000, 15_000] {
            work.forget();
            let nop = driver_tests::etnaviv::stream::nop();
            let mut submit = work.submit();
            let mut stream = nop.repeat(nops);
            stream.append(&mut submit.stream);
            submit.stream = stream;
            for reloc in &mut submit.relocs {
                reloc.submit_offset += nops as u32 * 8;
            }
            run(&client, &submit);
            assert!(work.is_done(), "{nops}");
        }
        drop((work, client));
    });
}

/// The CPU's stores reach the GPU with CPU_FINI, the GPU's reach the CPU with CPU_PREP, to and fro.
#[test]
fn cached_buffers() {
    each(|rig, place| {
        let client = rig.client();
        let bo = cached(&client, 3, place);
        let words = place.engine.words();
        for round in 1..4 {
            client
                .cpu_prep(bo.handle, prep::READ | prep::WRITE, SEC)
                .unwrap();
            (0..3072).for_each(|n| bo.put(n * 4, round * 0x1000));
            client.cpu_fini(bo.handle).unwrap();
            run(&client, &fill(place, bo.handle, round));
            client.cpu_prep(bo.handle, prep::READ, SEC).unwrap();
            for n in 0..3072 {
                let expected = if n < words { round } else { round * 0x1000 };
                assert_eq!(bo.get(n * 4), expected, "round {round} word {n}");
            }
            client.cpu_fini(bo.handle).unwrap();
        }
        drop((bo, client));
    });
}

/// A new buffer is zero for the GPU, too: who made it need not have touched it.
#[test]
fn new_cached_buffers_are_zero() {
    each(|rig, place| {
        let client = rig.client();
        for n in 0..20 {
            let bo = cached(&client, 2, place.nth(n));
            run(&client, &fill(place.nth(n), bo.handle, 5));
            client.cpu_prep(bo.handle, prep::READ, SEC).unwrap();
            let words = place.engine.words();
            assert!((0..2048).all(|w| bo.get(w * 4) == if w < words { 5 } else { 0 }));
            client.close(bo.handle).unwrap();
        }
        drop(client);
    });
}

/// What a program has in its memory when it makes a buffer of it, and what the GPU puts there.
#[test]
fn memory_of_clients() {
    each(|rig, place| {
        let client = rig.client();
        for round in 1..5 {
            let memory = UserMemory::new(3);
            (0..3072).for_each(|n| memory.put(n * 4, n as u32));
            let handle = client.userptr(memory.address(), memory.size(), 3).unwrap();
            run(&client, &fill(place, handle, round));
            client
                .cpu_prep(handle, prep::READ | prep::WRITE, SEC)
                .unwrap();
            let words = place.engine.words();
            for n in 0..3072 {
                assert_eq!(memory.get(n * 4), if n < words { round } else { n as u32 });
            }
            memory.put(0, 77);
            memory.put(8192, 78);
            client.cpu_fini(handle).unwrap();
            run(&client, &fill(place.nth(8), handle, round + 10));
            client.cpu_prep(handle, prep::READ, SEC).unwrap();
            assert_eq!((memory.get(0), memory.get(8192)), (round + 10, 78));
            client.close(handle).unwrap();
        }
        drop(client);
    });
}

/// The driver writes samples by its own mapping of a buffer of any kind, between stores of the GPU.
#[test]
fn samples() {
    each(|rig, place| {
        let client = rig.client();
        let names = ["TOTAL_WRITE_BYTES8", "PIXELS_RENDERED_2D"];
        let counter = names
            .into_iter()
            .find_map(|name| client.counter(place.pipe, name))
            .unwrap();
        let bo = cached(&client, 1, place.nth(4));
        let plain = client.bo_at(4096, place.nth(5).va.unwrap_or(0)).unwrap();
        let work = client.work_at(place, 3).unwrap();
        for round in 1..4 {
            for (n, handle) in [(4, bo.handle), (5, plain.handle)] {
                let mut submit = work.submit();
                submit.sample(&[counter; 2], round, &plain);
                let last = submit.bos.last_mut().unwrap();
                (last.1, last.2) = (handle, u64::from(place.nth(n).va.unwrap_or(0)));
                run(&client, &submit);
                // What is there for the GPU to see is what the CPU gets.
                client.cpu_prep(handle, prep::READ, SEC).unwrap();
                let get = |word: usize| if n == 4 { &bo } else { &plain }.get(word * 4);
                assert_eq!((get(0), get(1)), (round, 0), "buffer {n}");
                assert!(get(4) > get(2) && get(5) >= get(3), "buffer {n}");
                client.cpu_fini(handle).unwrap();
            }
        }
        drop((bo, plain, work, client));
    });
}

/// Resets, faults and sleep: everything is read again by a core that has forgotten it.
#[test]
fn all_the_rest_works() {
    each(|rig, place| {
        let clients = [rig.client(), rig.client(), rig.client()];
        let core = place.pipe as usize;
        for fault in [
            Injection::HangNextJob,
            Injection::BusErrorAt(4),
            Injection::LoseIrq,
            Injection::ResetStuck,
        ] {
            clients
                .iter()
                .for_each(|client| client.expect_works_at(place));
            rig.plant_on(core, fault);
            if fault == Injection::ResetStuck {
                rig.plant_on(core, Injection::HangNextJob);
            }
            let work = clients[0].work_at(place, 1).unwrap();
            let fence = clients[0].start(&work).unwrap();
            assert_ne!(clients[0].end_of(fence, 5 * SEC), 0);
            clients
                .iter()
                .for_each(|client| client.expect_works_at(place.nth(1)));
            rig.advance(300 * MS);
        }
        drop(clients);
    });
}
