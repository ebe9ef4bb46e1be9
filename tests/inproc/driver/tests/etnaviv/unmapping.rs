// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: what becomes of memory and translations that are given up while jobs run: nothing waits
//! for the core to be idle.

use crate::Rig;
use driver_tests::etnaviv::stream::{self, Template};
use driver_tests::etnaviv::{Client, Fence, Place, Submit, Work, BOARDS, WC};
use driver_tests::{MS, SEC};
use drm_os_host::Config;

const LARGE: u64 = 4 << 20;

/// Keeps four jobs in flight permanently.
pub(super) struct Busy {
    client: Client,
    works: Vec<Work>,
    fences: Vec<(usize, Fence)>,
    next: usize,
}

impl Busy {
    pub(super) fn new(client: Client, place: Place) -> Busy {
        let works = (0..4)
            .map(|n| client.work_at(place.nth(n), n).unwrap())
            .collect();
        Busy {
            client,
            works,
            fences: Vec::new(),
            next: 0,
        }
    }

    /// One more job, and the end of the oldest if there are four.
    pub(super) fn turn(&mut self) {
        let n = self.next % 4;
        self.next += 1;
        let fence = self.client.start(&self.works[n]).unwrap();
        self.fences.push((n, fence));
        if self.fences.len() == 4 {
            let (n, fence) = self.fences.remove(0);
            assert_eq!(self.client.end_of(fence, SEC), 1);
            assert!(self.works[n].is_done());
        }
    }

    pub(super) fn end(mut self) {
        for (_, fence) in self.fences.drain(..) {
            assert_eq!(self.client.end_of(fence, SEC), 1);
        }
    }
}

/// Closes a large buffer that a job has used, with other jobs always in flight: of other clients,
/// of the same one, and of those on the other core. Catches: memory that stays until the core is
/// idle, which it may never be; and memory that goes while a job that began before may still reach
/// it.
#[test]
fn memory_goes_while_jobs_run() {
    for (board, places) in BOARDS {
        for (busy_at, place) in places
            .iter()
            .flat_map(|a| places.iter().map(move |b| (*a, *b)))
        {
            for same in [false, true] {
                let rig = Rig::on(board, Config::default());
                let client = rig.client();
                rig.slow_jobs(2 * MS);
                let user = if same { client.clone() } else { rig.client() };
                let mut busy = Busy::new(client, busy_at);
                (0..8).for_each(|_| busy.turn());
                for round in 0..5 {
                    let va = place.nth(0x1000).va.unwrap_or(0);
                    let handle = user.gem_new(LARGE, WC).unwrap();
                    let large = user.adopt(handle, 4096, va).unwrap();
                    let mut work = user.work_at(place.nth(8), 1).unwrap().submit();
                    work.bos.push((3, handle, u64::from(va)));
                    let fence = user.submit_raw(&work).unwrap();
                    busy.turn();
                    assert_eq!(user.end_of(fence, SEC), 1);
                    user.close(work.bos[0].1).unwrap();
                    let full = rig.world().counters().object_pages;
                    user.close(handle).unwrap();
                    drop(large);
                    let mut turns = 0;
                    while rig.world().counters().object_pages > full - LARGE / 4096 {
                        busy.turn();
                        turns += 1;
                        assert!(turns < 20, "{board} {same} round {round}: it does not go");
                    }
                }
                busy.end();
                drop(user);
                rig.finish();
            }
        }
    }
}

/// A job has a translation of memory that it does not name, and that goes while it runs: the
/// address of a buffer that is closed, or, with MMUv1, what follows the end of its own. Catches:
/// memory that is reused before the job has ended.
#[test]
fn memory_stays_for_jobs_that_may_still_reach_it() {
    for (board, places) in BOARDS {
        for place in places {
            let rig = Rig::on(board, Config::default());
            let [client, other] = [rig.client(), rig.client()];
            rig.slow_jobs(20 * MS);
            let own = client.work_at(*place, 1).unwrap();
            let victim = client.work_at(place.nth(1), 2).unwrap();
            // Where there is no choice they are neighbours: one was mapped after the other.
            for work in [&own, &victim] {
                let fence = client.start(work).unwrap();
                assert_eq!(client.end_of(fence, SEC), 1);
            }
            let fill = |buffer: u32, byte: u32| {
                let mut fill = Template::fill(place.engine, 0x0bad_0bad);
                for address in &mut fill.addresses {
                    *address = (address.0, buffer, byte);
                }
                fill.then(Template::stall(place.engine))
            };
            let submit = match place.va {
                Some(va) => {
                    let all = fill(1, 0).then(fill(0, 0)).then(fill(1, 0));
                    Submit::new(all.at(&[va, va + 0x1000]), &[&own.data])
                }
                None => {
                    let end = 4096 - 32;
                    let all = fill(0, end).then(fill(0, 0)).then(fill(0, end));
                    Submit::relocated(&all, &[&own.data])
                }
            };
            let submit = submit.on(place.pipe, place.engine.exec_state());
            let fence = client.submit_raw(&submit).unwrap();
            rig.advance(30 * MS);
            let strays = if place.va.is_some() { 0 } else { 8 };
            assert_eq!(
                victim.data.get(strays),
                0x0bad_0bad,
                "{board}: it is reached"
            );
            let before = rig.world().counters().object_pages;
            client.close(victim.data.handle).unwrap();
            drop(victim);
            let new: Vec<Work> = (0..50)
                .map(|n| other.work_at(place.nth(n), n).unwrap())
                .collect();
            assert_eq!(rig.world().counters().object_pages, before + 50);
            assert_eq!(client.end_of(fence, SEC), 1);
            assert!(
                new.iter().all(Work::is_untouched),
                "{board}: it is reused now"
            );
            assert_eq!(rig.stats_of(place.pipe as usize).bus_errors, 0);
            drop((own, new, client, other));
            rig.finish();
        }
    }
}

/// The tables of an address space that empties go, too. Catches: a page for each table that was
/// ever there.
#[test]
fn tables_go_while_jobs_run() {
    for (board, places) in &BOARDS[..2] {
        let rig = Rig::on(board, Config::default());
        let client = rig.client();
        let mut busy = Busy::new(client.clone(), places[0]);
        rig.slow_jobs(MS);
        let mut most = 0;
        for n in 0..200 {
            // A table of its own for each.
            let work = client
                .work_at(places[0].nth(0x1000 + n * 0x400), n)
                .unwrap();
            let fence = client.start(&work).unwrap();
            busy.turn();
            assert_eq!(client.end_of(fence, SEC), 1);
            assert!(work.is_done());
            client.close(work.data.handle).unwrap();
            most = most.max(rig.world().counters().pages);
        }
        assert!(most < 40, "{board}: {most} pages");
        busy.end();
        drop(client);
        rig.finish();
    }
}

/// HW: the page table array has 512 entries. Catches: an entry that two clients have, or that does
/// not come back.
#[test]
fn as_many_clients_as_there_are_tables() {
    let rig = Rig::new();
    let place = BOARDS[0].1[0];
    let mut clients: Vec<Client> = (0..512).map(|_| rig.client()).collect();
    for round in 0..3 {
        assert_eq!(
            Client::open(&rig).err(),
            Some(driver_tests::errno::ENOSPC),
            "round {round}"
        );
        let works: Vec<Work> = [0, 1, 255, 510, 511]
            .iter()
            .map(|n| clients[*n].work_at(place, *n as u32).unwrap())
            .collect();
        for (work, n) in works.iter().zip([0, 1, 255, 510, 511]) {
            let fence = clients[n].start(work).unwrap();
            assert_eq!(clients[n].end_of(fence, SEC), 1);
            assert!(work.is_done());
        }
        // One that the core has loaded, and others.
        clients.truncate(511);
        clients.swap_remove(round * 100);
        // The front end leaves the address space of who is gone with the next job.
        clients[7].expect_works_at(place);
        clients[8].expect_works_at(place);
        rig.advance(MS);
        clients.extend((0..2).map(|_| rig.client()));
    }
    drop(clients);
    rig.finish();
}

/// A buffer is to move, and there is no memory for that. Catches: memory of a closed handle that is
/// kept until the client submits again.
#[test]
fn a_buffer_that_could_not_be_moved_goes_with_its_handle() {
    let mut failures = 0;
    for n in 0.. {
        let rig = Rig::new();
        let c = rig.client();
        let mut bo = c.bo_at(4096, 0x1000_0000).unwrap();
        let fence = c.run(stream::nop(), &[&bo]).unwrap();
        assert_eq!(c.end_of(fence, SEC), 1);
        bo.va = 0x2000_0000;
        rig.world().fail_allocation(Some(n));
        let moved = c.run(stream::nop(), &[&bo]);
        rig.world().fail_allocation(None);
        if let Ok(fence) = moved {
            assert_eq!(c.end_of(fence, SEC), 1);
        }
        c.close(bo.handle).unwrap();
        drop(bo);
        assert_eq!(rig.world().counters().objects, 0, "allocation {n}");
        let over = rig.world().counters().failed_allocations == 0;
        failures += u64::from(moved.is_err());
        drop(c);
        rig.finish();
        if over {
            break;
        }
    }
    assert!(failures > 5, "{failures}");
}

/// Catches: lists with room for the buffers of all regions, which are allocated again when one of
/// them is unmapped.
#[test]
fn closing_a_mapped_buffer_allocates_nothing() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work(0x1000_0000, 1).unwrap();
    let handles: Vec<u32> = (0..200).map(|_| c.gem_new(4096, WC).unwrap()).collect();
    let mut submit = work.submit();
    let places = (0x2000_0000u64..).step_by(4096);
    submit
        .bos
        .extend(handles.iter().zip(places).map(|(h, va)| (1, *h, va)));
    let fence = c.submit_raw(&submit).unwrap();
    assert_eq!(c.end_of(fence, SEC), 1);
    // Its last job's memory goes with an ioctl.
    c.close(handles[0]).unwrap();
    let before = (rig.world().allocations(), rig.world().counters());
    for handle in &handles[1..] {
        c.close(*handle).unwrap();
    }
    let after = rig.world().counters();
    assert_eq!(rig.world().allocations(), before.0);
    assert_eq!(before.1.objects - after.objects, 199);
    drop((work, c));
    rig.finish();
}
