// SPDX-License-Identifier: BSD-2-Clause
//! Jobs that fail on the first cycle after a reset.

use super::MALIS;
use driver_tests::etnaviv::stream::Template;
use driver_tests::etnaviv::{self, Submit, BOARDS, BROKEN};
use driver_tests::panfrost::{write_zero, Rig};
use driver_tests::{errno, MS, SEC};
use drm_os_host::Config;
use models::{vivante, Injection};

/// What the first cycle of a job after a reset may meet.
const FIRST: [(&str, Option<Injection>); 4] = [
    ("a chain where nothing is", None),
    ("a page fault", Some(Injection::PageFaultAtAccess(0))),
    ("a bus error", Some(Injection::BusErrorAt(0))),
    (
        "a bad job",
        Some(Injection::JobFault {
            slot: 1,
            code: 0x40,
        }),
    ),
];

/// It is in the hardware after the one that hangs, and the first to run after the reset; in the
/// other slot is one that runs again. Catches: an address space that is on by half, a fault that is
/// not served, a job blamed for both.
#[test]
fn a_job_that_faults_on_its_first_cycle_after_a_reset_ends() {
    for board in MALIS {
        for (what, planted) in FIRST {
            let rig = Rig::with(board, Config::default());
            let [guilty, next, other] = [rig.client(), rig.client(), rig.client()];
            let bad = guilty.work().unwrap();
            bad.chain.write(0, &write_zero(0x7000_0000, 0));
            rig.plant(Injection::LoseIrq { line: 1 });
            guilty.start(&bad).unwrap();
            rig.advance(MS);
            let first = next.work().unwrap();
            match planted {
                None => next
                    .submit(0x7000_0000, false, &[first.data.handle], &[], first.done)
                    .unwrap(),
                Some(_) => next.start(&first).unwrap(),
            }
            rig.advance(490 * MS);
            if let Some(injection) = planted {
                rig.plant(injection);
            }
            assert_eq!(
                guilty.finish(&bad, SEC),
                -errno::ETIMEDOUT,
                "{board} {what}"
            );
            let begin = rig.world().now();
            let end = next.finish(&first, SEC);
            assert!(end < 0 && end != -errno::ETIMEDOUT, "{board} {what}: {end}");
            assert!(rig.world().now() - begin < 50 * MS, "{board} {what}");
            other.expect_works();
            next.expect_works();
            drop((bad, first, guilty, next, other));
            rig.finish();
        }
    }
}

/// Catches: the same.
#[test]
fn a_stream_that_faults_on_its_first_cycle_after_a_reset_ends() {
    use vivante::Injection;
    for (board, places) in BOARDS {
        for place in places {
            let core = place.pipe as usize;
            let rig = etnaviv::Rig::on(board, Config::default());
            let [guilty, next, other] = [rig.client(), rig.client(), rig.client()];
            guilty.expect_works_at(*place);
            let bad = guilty.work_at(*place, 1).unwrap();
            rig.plant_on(core, Injection::HangNextJob);
            let hung = guilty.start(&bad).unwrap();
            rig.advance(MS);
            let first = next.work_at(place.nth(1), 2).unwrap();
            let fence = match place.va {
                Some(_) => {
                    let stream = Template::fill(place.engine, 1).at(&[BROKEN]);
                    next.submit_raw(&Submit::new(stream, &[])).unwrap()
                }
                None => next.start(&first).unwrap(),
            };
            rig.advance(900 * MS);
            assert_eq!(guilty.sync_file_status(hung.fd), 0);
            if place.va.is_none() {
                rig.plant_on(core, Injection::BusErrorAt(0));
            }
            assert_eq!(
                guilty.end_of(hung, SEC),
                -errno::ETIMEDOUT,
                "{board} {core}"
            );
            let begin = rig.world().now();
            assert_eq!(next.end_of(fence, SEC), -errno::EFAULT, "{board} {core}");
            assert!(rig.world().now() - begin < 50 * MS, "{board} {core}");
            for client in [&other, &next] {
                client.expect_works_at(place.nth(2));
            }
            assert_eq!((guilty.stat("faults"), next.stat("faults")), (1, 1));
            drop((bad, first, guilty, next, other));
            rig.finish();
        }
    }
}
