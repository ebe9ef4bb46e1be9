// SPDX-License-Identifier: BSD-2-Clause
//! Registers are as they were after attach.

use super::{hang, MALIS};
use driver_tests::etnaviv::{self, BOARDS};
use driver_tests::panfrost::Rig;
use driver_tests::{errno, MS, SEC};
use drm_os_host::{Config, Device};
use models::{vivante, Bus, BusError, Injection};

/// The bus of a model that is only checked.
struct NoBus;

impl Bus for NoBus {
    fn read(&mut self, _: u64, _: &mut [u8]) -> Result<(), BusError> {
        Err(BusError)
    }
    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), BusError> {
        Err(BusError)
    }
    fn irq(&mut self, _: usize, _: bool) {}
}

/// Offsets and values of registers.
type Registers = Vec<(u32, u32)>;

/// JM_, SHADER_, TILER_ and L2_MMU_CONFIG, COHERENCY_ENABLE, and the masks of the three interrupts.
/// They are read from a copy of the model, which reading does not change.
fn of_mali(rig: &Rig) -> Registers {
    const OFFSETS: [u32; 8] = [0xf00, 0xf04, 0xf08, 0xf0c, 0x304, 0x028, 0x1008, 0x2008];
    let now = rig.world().now();
    let mut copy = rig.with_mali(|mali| mali.clone()).expect("a Mali");
    let read = |at: u32| (at, copy.mmio_read(&mut NoBus, now, at));
    OFFSETS.map(read).into()
}

/// Bus, interrupt, clock gating and debug registers, and those that give the MMU the place of its
/// tables: as far as the core has them.
fn of_vivante(rig: &etnaviv::Rig, core: usize) -> Registers {
    const OFFSETS: [u32; 27] = [
        0x008, 0x014, 0x100, 0x104, 0x10c, 0x18c, 0x388, 0x38c, 0x390, 0x394, 0x398, 0x39c, 0x3a0,
        0x3a8, 0x400, 0x404, 0x408, 0x40c, 0x410, 0x414, 0x418, 0x41c, 0x420, 0x424, 0x428, 0x470,
        0x480,
    ];
    let now = rig.world().now();
    let copy = rig.with_vivante_core(core, |gpu| gpu.clone());
    let mut copy = copy.expect("a Vivante");
    let read = |at: u32| (at, copy.mmio_read(&mut NoBus, now, at));
    OFFSETS.map(read).into()
}

/// What leads to a reset, by name.
type Reset = (&'static str, fn(&Rig));

/// Each kind of reset.
const RESETS: [Reset; 7] = [
    ("a hang", hang),
    ("a hang and a soft reset that is stuck", |rig| {
        rig.plant(Injection::ResetStuck);
        hang(rig);
    }),
    ("a bus error", |rig| {
        let c = rig.client();
        let work = c.work().unwrap();
        rig.plant(Injection::JobFault {
            slot: 1,
            code: 0x48,
        });
        c.start(&work).unwrap();
        assert!(c.finish(&work, SEC) < 0);
    }),
    ("a stuck flush", |rig| {
        let c = rig.client();
        c.expect_works();
        let extra = c.bo(4096, 1).unwrap();
        (0..4).for_each(|n| rig.plant(Injection::AsStuck(n)));
        c.close(extra.handle).unwrap();
    }),
    ("cores that do not come on after a reset", |rig| {
        rig.plant(Injection::PowerStuck(models::Domain::L2));
        hang(rig);
    }),
    ("suspend and resume", |rig| {
        rig.device().suspend();
        rig.advance(100 * MS);
        assert_eq!(rig.world().counters().power_domains_on, 0);
        rig.device().resume();
    }),
    ("an idle time", |rig| {
        rig.advance(100 * MS);
        assert_eq!(rig.world().counters().power_domains_on, 0);
    }),
];

/// Catches: quirks that a reset undid and that are not applied again, interrupts that stay masked.
#[test]
fn registers_of_a_mali_are_those_of_attach_after_each_reset() {
    for board in MALIS {
        let rig = Rig::with(board, Config::default());
        let attached = of_mali(&rig);
        assert!(
            attached[5..].iter().all(|(_, mask)| *mask != 0),
            "{attached:x?}"
        );
        for (what, reset) in RESETS {
            reset(&rig);
            // It turns the GPU on, and uses up what is planted.
            let c = rig.client();
            let tries = (0..9).find(|_| {
                let work = c.work().unwrap();
                c.start(&work).unwrap();
                c.finish(&work, 2 * SEC) == 1
            });
            assert!(tries.is_some(), "{board} after {what}");
            drop(c);
            assert_eq!(of_mali(&rig), attached, "{board} after {what}");
        }
        assert!(rig.stat("resets") >= 4 && rig.stats().hard_resets == 1);
        rig.finish();
    }
    // HW: what the stock driver writes on the RK3399.
    let rig = Rig::new();
    assert_eq!(
        of_mali(&rig)[..3],
        [(0xf00, 0x1f8), (0xf04, 0x1_0000), (0xf08, 1)]
    );
    rig.finish();
}

/// Catches: the same; a core whose MMU gets its tables only once.
#[test]
fn registers_of_a_vivante_are_those_of_attach_after_each_reset() {
    use vivante::Injection;
    for (board, places) in BOARDS {
        for place in places {
            let core = place.pipe as usize;
            let rig = etnaviv::Rig::on(board, Config::default());
            let attached = of_vivante(&rig, core);
            let works = |what: &str| {
                let c = rig.client();
                c.expect_works_at(*place);
                drop(c);
                of_vivante(&rig, core)
                    .into_iter()
                    .zip(attached.iter().copied())
                    .filter(|(now, then)| now != then)
                    .map(|(now, _)| now)
                    .inspect(|(at, _)| {
                        // The first job sets the tables.
                        let tables = (0x18c..=0x3a0).contains(at) || (0x400..=0x428).contains(at);
                        assert!(tables, "{board} {core}: {at:#x} after {what}");
                    })
                    .collect::<Registers>()
            };
            let tables = works("attach");
            let fails = |what: Injection| {
                let c = rig.client();
                let work = c.work_at(*place, 3).unwrap();
                rig.plant_on(core, what);
                let fence = c.start(&work).unwrap();
                c.end_of(fence, 5 * SEC)
            };
            let resets = |rig: &etnaviv::Rig| rig.stats_of(core).resets;
            let mut seen = resets(&rig);
            let mut expect = |what: &str, reset: &dyn Fn()| {
                reset();
                assert_eq!(works(what), tables, "{board} {core} after {what}");
                assert!(resets(&rig) > seen, "{board} {core}: no reset after {what}");
                seen = resets(&rig);
            };
            expect("a hang", &|| {
                assert_eq!(fails(Injection::HangNextJob), -errno::ETIMEDOUT)
            });
            expect("a hang and a reset without effect", &|| {
                rig.plant_on(core, Injection::ResetStuck);
                assert_eq!(fails(Injection::HangNextJob), -errno::ETIMEDOUT);
            });
            expect("a bus error", &|| {
                assert_eq!(fails(Injection::BusErrorAt(1)), -errno::EFAULT)
            });
            if place.va.is_some() {
                expect("an exception of the MMU", &|| {
                    assert_eq!(fails(Injection::MmuExceptionAt(1)), -errno::EFAULT)
                });
            }
            expect("the end of a closed file's job", &|| {
                let c = rig.client();
                let work = c.work_at(*place, 3).unwrap();
                rig.plant_on(core, Injection::HangNextJob);
                c.start(&work).unwrap();
                rig.advance(MS);
            });
            expect("suspend and resume", &|| {
                rig.devices().iter().for_each(Device::suspend);
                rig.advance(SEC);
                assert_eq!(rig.world().counters().power_domains_on, 0);
                rig.devices().iter().for_each(Device::resume);
            });
            expect("an idle time", &|| {
                rig.advance(SEC);
                assert_eq!(rig.world().counters().power_domains_on, 0);
            });
            rig.finish();
        }
    }
}
