// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv's performance counters: the front end stands still while they are read, and whatever
//! happens then.

use crate::Rig;
use driver_tests::etnaviv::stream::{Engine, Template};
use driver_tests::etnaviv::{Bo, Client, Fence, Place, Submit, Work, BOARDS, BROKEN};
use driver_tests::{errno, MS, SEC};
use drm_os_host::Config;
use models::vivante::Injection;

/// Each place on each board, with the counter that its engine moves and by how much a fill does.
fn each(test: impl Fn(Rig, Place, Counter)) {
    for (board, places) in BOARDS {
        for place in places {
            let rig = Rig::on(board, Config::default());
            let client = rig.client();
            let (name, step) = match place.engine {
                Engine::De => ("PIXELS_RENDERED_2D", 16),
                engine => ("TOTAL_WRITE_BYTES8", engine.words() as u32 * 4 / 8),
            };
            let signal = client.counter(place.pipe, name).expect("the core has it");
            client.expect_works_at(*place);
            drop(client);
            test(rig, *place, Counter { signal, step });
        }
    }
}

#[derive(Clone, Copy)]
struct Counter {
    signal: (u8, u16),
    step: u32,
}

/// A job with a counter, and where its values go.
struct Sampled {
    work: Work,
    samples: Bo,
    sequence: u32,
}

impl Sampled {
    fn new(client: &Client, place: Place, sequence: u32) -> Sampled {
        let n = sequence * 2;
        let samples = client
            .bo_at(4096, place.nth(n + 1).va.unwrap_or(0))
            .unwrap();
        let work = client.work_at(place.nth(n), sequence).unwrap();
        Sampled {
            work,
            samples,
            sequence,
        }
    }

    fn start(&self, client: &Client, counter: Counter) -> Fence {
        let submit = self
            .work
            .sampled(&[counter.signal], self.sequence, &self.samples);
        client.submit_raw(&submit).unwrap()
    }

    /// Catches: values of another time, of one pixel pipe, or in other words.
    fn check(&self, counter: Counter) {
        let [sequence, zero, before, later] = [0, 4, 8, 12].map(|at| self.samples.get(at));
        assert_eq!((sequence, zero), (self.sequence, 0));
        assert_eq!(later.wrapping_sub(before), counter.step, "{before} {later}");
        assert!(self.work.is_done());
    }

    /// No sequence reports values that are not there.
    fn check_none(&self) {
        assert_eq!(
            self.samples.get(0),
            0,
            "the sequence says that all was read"
        );
    }
}

/// Catches: a core that stays as a job with counters left it.
fn check_after(rig: Rig, client: Client, place: Place, counter: Counter) {
    assert!(rig.gates_clocks(place.pipe as usize), "clocks run on");
    let last = Sampled::new(&client, place, 50);
    let fence = last.start(&client, counter);
    assert_eq!(client.end_of(fence, SEC), 1);
    last.check(counter);
    assert!(rig.gates_clocks(place.pipe as usize), "clocks run on");
    client.expect_works_at(place);
    rig.advance(SEC);
    assert_eq!(
        rig.world().counters().power_domains_on,
        0,
        "it does not sleep"
    );
    drop((last, client));
    rig.finish();
}

/// Work of another client is before and after it, in the hardware. Catches: a stop that does not
/// wait for what is before it, or lets later work run.
#[test]
fn values_are_those_around_the_job() {
    each(|rig, place, counter| {
        let [client, other] = [rig.client(), rig.client()];
        rig.slow_jobs(5 * MS);
        let works: Vec<Work> = (0..8)
            .map(|n| other.work_at(place.nth(n), n).unwrap())
            .collect();
        let all: Vec<Sampled> = (0..4)
            .map(|n| Sampled::new(&client, place, n + 1))
            .collect();
        let mut fences = Vec::new();
        for (sampled, works) in all.iter().zip(works.chunks(2)) {
            fences.push((&client, sampled.start(&client, counter)));
            rig.advance(MS);
            fences.extend(
                works
                    .iter()
                    .map(|work| (&other, other.start(work).unwrap())),
            );
            rig.advance(MS);
        }
        for (client, fence) in fences {
            assert_eq!(client.end_of(fence, SEC), 1);
        }
        all.iter().for_each(|sampled| sampled.check(counter));
        assert!(works.iter().all(Work::is_done));
        assert_eq!(rig.stat("resets"), 0);
        rig.slow_jobs(2_000);
        drop((all, works, other));
        check_after(rig, client, place, counter);
    });
}

/// Catches: a ring that runs over itself, or events that run out or mix, with jobs of three events.
#[test]
fn many_in_a_row() {
    each(|rig, place, counter| {
        let clients = [rig.client(), rig.client()];
        let all = [0, 1].map(|n| Sampled::new(&clients[n], place, 7));
        for _ in 0..4 {
            let mut fences = Vec::new();
            for n in 0..60 {
                let (client, sampled) = (&clients[n % 2], &all[n % 2]);
                let fence = match n % 3 {
                    0 => client.start(&sampled.work).unwrap(),
                    _ => sampled.start(client, counter),
                };
                fences.push((client, fence));
            }
            for (client, fence) in fences {
                assert_eq!(client.end_of(fence, SEC), 1);
            }
            all.iter().for_each(|sampled| sampled.check(counter));
        }
        drop(all);
        let [client, other] = clients;
        drop(other);
        check_after(rig, client, place, counter);
    });
}

/// The front end hangs after the first stop. Catches: clocks that stay on, a sequence for values
/// that were not read.
#[test]
fn a_hang_between_the_stops() {
    each(|rig, place, counter| {
        let [client, other] = [rig.client(), rig.client()];
        let sampled = Sampled::new(&client, place, 1);
        let stream = Template::fill(place.engine, 1).then(Template::stall(place.engine));
        let mut submit = Submit::relocated(&stream, &[&sampled.work.data]);
        if let Some(va) = place.nth(2).va {
            submit = Submit::new(stream.at(&[va]), &[&sampled.work.data]);
        }
        let mut submit = submit.on(place.pipe, place.engine.exec_state());
        submit.sample(&[counter.signal], 1, &sampled.samples);
        rig.slow_jobs(20 * MS);
        let fence = client.submit_raw(&submit).unwrap();
        rig.advance(MS);
        assert!(
            !rig.gates_clocks(place.pipe as usize),
            "it is between its stops"
        );
        // At the LINK back to the ring.
        rig.plant_on(place.pipe as usize, Injection::HangNextJob);
        let later = Sampled::new(&other, place, 2);
        let second = later.start(&other, counter);
        assert_eq!(client.end_of(fence, 10 * SEC), -errno::ETIMEDOUT);
        assert_eq!(other.end_of(second, SEC), 1);
        sampled.check_none();
        later.check(counter);
        assert_eq!((client.stat("faults"), other.stat("faults")), (1, 0));
        rig.slow_jobs(2_000);
        drop((sampled, later, other));
        check_after(rig, client, place, counter);
    });
}

/// Catches: as above.
#[test]
fn an_exception_between_the_stops() {
    each(|rig, place, counter| {
        if place.va.is_none() {
            // Its MMU has none.
            rig.finish();
            return;
        }
        let [client, other] = [rig.client(), rig.client()];
        let sampled = Sampled::new(&client, place, 1);
        let mut submit = Submit::new(Template::fill(place.engine, 1).at(&[BROKEN]), &[]);
        submit.sample(&[counter.signal], 1, &sampled.samples);
        let fence = client.submit_raw(&submit).unwrap();
        let later = Sampled::new(&other, place, 2);
        let second = later.start(&other, counter);
        assert_eq!(client.end_of(fence, SEC), -errno::EFAULT);
        assert_eq!(other.end_of(second, SEC), 1);
        sampled.check_none();
        later.check(counter);
        drop((sampled, later, other));
        check_after(rig, client, place, counter);
    });
}

/// A job with counters that has come to a stop without notice, the first or the second.
fn standing(
    rig: &Rig,
    client: &Client,
    place: Place,
    counter: Counter,
    second: bool,
) -> (Sampled, Fence) {
    let core = place.pipe as usize;
    let sampled = Sampled::new(client, place, 1);
    if second {
        rig.slow_jobs(10 * MS);
    } else {
        rig.plant_on(core, Injection::LoseIrq);
    }
    let starts = rig.stats_of(core).starts;
    let fence = sampled.start(client, counter);
    rig.advance(5 * MS);
    if second {
        assert_eq!(
            rig.stats_of(core).starts,
            starts + 1,
            "the first stop has ended"
        );
        rig.plant_on(core, Injection::LoseIrq);
    }
    rig.advance(15 * MS);
    assert_eq!(rig.stats_of(core).starts, starts + u64::from(second));
    assert_eq!(
        client.wait_fence_on(place.pipe, fence.id, 1, 0),
        Err(errno::EBUSY)
    );
    rig.slow_jobs(2_000);
    (sampled, fence)
}

/// Catches: a watchdog that takes a front end that waits for us for one that hangs.
#[test]
fn a_stop_whose_interrupt_is_lost() {
    for second in [false, true] {
        each(|rig, place, counter| {
            let [client, other] = [rig.client(), rig.client()];
            let (sampled, fence) = standing(&rig, &client, place, counter, second);
            let later = other.work_at(place, 3).unwrap();
            let last = other.start(&later).unwrap();
            assert_eq!(client.end_of(fence, SEC), 1);
            assert_eq!(other.end_of(last, SEC), 1);
            sampled.check(counter);
            assert!(later.is_done());
            assert_eq!((rig.stat("faults"), rig.stat("resets")), (0, 0));
            drop((sampled, later, other));
            check_after(rig, client, place, counter);
        });
    }
}

/// The watchdog has been there once already, and the job has come to its second stop since,
/// wherever in the ring that is. Catches: a front end that waits for us and is blamed for standing
/// still.
#[test]
fn a_late_stop_whose_interrupt_is_lost() {
    each(|rig, place, counter| {
        let client = rig.client();
        let sampled = Sampled::new(&client, place, 1);
        for _ in 0..12 {
            rig.slow_jobs(700 * MS);
            let fence = sampled.start(&client, counter);
            rig.advance(300 * MS);
            rig.plant_on(place.pipe as usize, Injection::LoseIrq);
            assert_eq!(client.end_of(fence, 3 * SEC), 1);
            sampled.check(counter);
            assert_eq!((rig.stat("faults"), rig.stat("resets")), (0, 0));
            rig.slow_jobs(2_000);
            client.expect_works_at(place.nth(20));
        }
        drop(sampled);
        check_after(rig, client, place, counter);
    });
}

/// Catches: reading registers of a core that is gone, and a job that is never ended.
#[test]
fn detached_while_the_front_end_stands() {
    for second in [false, true] {
        each(|rig, place, counter| {
            let client = rig.client();
            let (sampled, fence) = standing(&rig, &client, place, counter, second);
            rig.detach(true).unwrap();
            assert!(client.sync_file_status(fence.fd) < 0);
            client.caller.close_fd(fence.fd);
            sampled.check_none();
            drop((sampled, client));
            rig.finish_detached();
        });
    }
}

/// The file and its buffers go meanwhile. Catches: values written to memory that is gone, a core
/// that stands permanently.
#[test]
fn closed_while_the_front_end_stands() {
    for second in [false, true] {
        each(|rig, place, counter| {
            let client = rig.client();
            let (sampled, _) = standing(&rig, &client, place, counter, second);
            client.close(sampled.samples.handle).unwrap();
            drop((sampled, client));
            let other = rig.client();
            other.expect_works_at(place);
            check_after(rig, other, place, counter);
        });
    }
}

/// Faults at any transfer of a job with counters, those after its stops included, and interrupts
/// that come late, for nothing or not at all meanwhile. Catches: a reset under the reading, a front
/// end that is started twice, clocks that stay on.
#[test]
fn faults_at_any_time() {
    let interrupts = [
        Injection::LateIrq { ns: MS },
        Injection::SpuriousIrq,
        Injection::LoseIrq,
    ];
    for (n, interrupt) in (0..32).flat_map(|n| interrupts.map(|interrupt| (n, interrupt))) {
        each(|rig, place, counter| {
            let core = place.pipe as usize;
            let [client, other] = [rig.client(), rig.client()];
            let all = [
                Sampled::new(&client, place, 1),
                Sampled::new(&other, place, 2),
            ];
            let what = match n % 2 {
                0 if place.va.is_some() => Injection::MmuExceptionAt(n / 2),
                _ => Injection::BusErrorAt(n / 2),
            };
            rig.plant_on(core, what);
            rig.plant_on(core, interrupt);
            let fences = [
                all[0].start(&client, counter),
                all[1].start(&other, counter),
            ];
            let ends = [
                client.end_of(fences[0], 5 * SEC),
                other.end_of(fences[1], 5 * SEC),
            ];
            for (end, sampled) in ends.into_iter().zip(&all) {
                assert!(
                    [1, -errno::EFAULT, -errno::ETIMEDOUT].contains(&end),
                    "{n} {interrupt:?}: {end}"
                );
                // It may fail after its second stop. With an error of the bus values are what they
                // are.
                assert!(end < 0 || sampled.samples.get(0) == sampled.sequence);
            }
            // What has not happened yet is not to happen later.
            rig.plant_on(core, Injection::BusErrorAt(u64::MAX));
            rig.plant_on(core, Injection::MmuExceptionAt(u64::MAX));
            drop((all, other));
            rig.advance(MS);
            check_after(rig, client, place, counter);
        });
    }
}
