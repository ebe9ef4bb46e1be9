// SPDX-License-Identifier: BSD-2-Clause
//! Many clients of etnaviv on all cores of each board, with counters, faults, hangs, lost
//! interrupts, closed handles and files, sleep, and nodes that go and come back, at random.
//!
//! Catches: a fence that never ends, work that is reported done and is not, registers touched
//! without power, memory that is left or that goes too early.

use driver_tests::etnaviv::{stream, Bo, Client, Fence, Place, Rig, Work, BOARDS};
use driver_tests::{MS, SEC};
use drm_os_host::Config;
use models::vivante::Injection;
use seeded::Random;

/// A client, its place for samples, and what it has under way.
struct Worker {
    client: Client,
    samples: Bo,
    under_way: Vec<(Work, Fence, bool)>,
    next: u32,
}

impl Worker {
    fn new(rig: &Rig, place: Place) -> Worker {
        let client = rig.client();
        let samples = client
            .bo_at(4096, place.nth(0x2000).va.unwrap_or(0))
            .unwrap();
        Worker {
            client,
            samples,
            under_way: Vec::new(),
            next: 0,
        }
    }

    fn start(&mut self, place: Place, counter: (u8, u16), sampled: bool) {
        self.next += 1;
        let work = self
            .client
            .work_at(place.nth(self.next % 500), self.next)
            .unwrap();
        let mut submit = if sampled {
            work.sampled(&[counter], self.next, &self.samples)
        } else {
            work.submit()
        };
        if self.next.is_multiple_of(3) {
            submit.stream.extend(stream::nop().repeat(4096));
        }
        let fence = self.client.submit_raw(&submit).unwrap();
        self.under_way.push((work, fence, true));
    }

    /// The oldest ends; whether it is done is only known where no bus error was planted.
    fn end(&mut self, trust: bool, random: &mut Random) {
        if self.under_way.is_empty() {
            return;
        }
        let (work, fence, open) = self.under_way.remove(0);
        let end = self.client.end_of(fence, 60 * SEC);
        assert_ne!(end, 0, "it never ends");
        assert!(end < 0 || !trust || work.is_done());
        if open && random.below(8) != 0 {
            self.client.close(work.data.handle).unwrap();
        }
    }
}

fn soak(board: &str, places: &[Place], seed: u64, bus_errors: bool) {
    let mut random = Random::new(seed);
    let rig = Rig::on(board, Config::default());
    let names = ["TOTAL_WRITE_BYTES8", "PIXELS_RENDERED_2D"];
    let first = rig.client();
    let counters: Vec<(u8, u16)> = places
        .iter()
        .map(|place| {
            names
                .iter()
                .find_map(|name| first.counter(place.pipe, name))
                .unwrap()
        })
        .collect();
    drop(first);
    let mut workers: Vec<Worker> = (0..3).map(|_| Worker::new(&rig, places[0])).collect();
    for _ in 0..400 {
        let core = random.index(places.len());
        let n = random.index(workers.len());
        match random.below(24) {
            0..=9 => workers[n].start(places[core], counters[core], false),
            10..=12 => workers[n].start(places[core], counters[core], true),
            13..=15 => workers[n].end(!bus_errors, &mut random),
            16 => rig.slow_jobs([500, 20_000, 3 * MS, 600 * MS][random.index(4)]),
            17 => rig.advance([1_000, MS, 300 * MS][random.index(3)]),
            18 => workers[n] = Worker::new(&rig, places[0]),
            19 => rig.plant_on(core, Injection::LoseIrq),
            20 => rig.plant_on(core, Injection::LateIrq { ns: 3 * MS }),
            21 => {
                if let Some((work, _, open)) = workers[n].under_way.first_mut() {
                    if std::mem::take(open) {
                        let handle = work.data.handle;
                        workers[n].client.close(handle).unwrap();
                    }
                }
            }
            22 => rig.plant_on(
                core,
                [Injection::HangNextJob, Injection::SpuriousIrq][random.index(2)],
            ),
            _ if bus_errors => rig.plant_on(core, Injection::BusErrorAt(random.below(40))),
            _ => rig.plant_on(core, Injection::MmuExceptionAt(random.below(40))),
        }
        if workers[n].under_way.len() > 12 {
            workers[n].end(!bus_errors, &mut random);
        }
    }
    for worker in &mut workers {
        while !worker.under_way.is_empty() {
            worker.end(!bus_errors, &mut random);
        }
    }
    rig.slow_jobs(2_000);
    // Whatever is still planted happens.
    for place in places {
        for _ in 0..30 {
            let work = workers[0].client.work_at(place.nth(600), 1).unwrap();
            let fence = workers[0].client.start(&work).unwrap();
            assert_ne!(workers[0].client.end_of(fence, 60 * SEC), 0);
            workers[0].client.close(work.data.handle).unwrap();
        }
        workers[1].client.expect_works_at(*place);
        assert!(rig.gates_clocks(place.pipe as usize));
    }
    drop(workers);
    rig.advance(SEC);
    assert_eq!(rig.world().counters().object_pages, 0);
    assert_eq!(rig.world().counters().power_domains_on, 0);
    rig.finish();
}

#[test]
fn everything_at_once() {
    for (board, places) in BOARDS {
        for seed in 0..12 {
            soak(board, places, seed, seed % 3 == 2);
        }
    }
}
