// SPDX-License-Identifier: BSD-2-Clause
//! Interrupts that lie: without a cause, late, lost, or two in one.

use crate::Rig;
use driver_tests::panfrost::{write_zero, Client, Work};
use driver_tests::{MS, SEC};
use drm_os_host::{Config, Dma, Hardware, NoMemory, Trace};
use drmboard::board::Core;
use drmboard::inject::{Planted, When};
use drmboard::Board;
use models::Injection;
use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

/// Catches: a handler that acts without a cause, or does not check the status (the line would
/// stay up).
#[test]
fn spurious_interrupts_do_nothing() {
    let rig = Rig::new();
    let c = rig.client();
    for line in 0..3 {
        rig.slow_jobs(5 * MS);
        let work = c.work().unwrap();
        c.start(&work).unwrap();
        rig.advance(MS);
        rig.plant_now(Injection::SpuriousIrq { line });
        assert_eq!(c.outcome(work.done), 0, "line {line}");
        assert_eq!(c.finish(&work, SEC), 1);
        assert!(work.is_done());
        c.discard(work);
    }
    assert_eq!(
        (rig.stats().injected, rig.stat("faults"), rig.stat("resets")),
        (3, 0, 0)
    );
    drop(c);
    rig.finish();
}

/// The line is shared and another device interrupts while the GPU is off. Catches: registers
/// touched without power (dead_accesses).
#[test]
fn interrupts_while_the_power_is_off_do_nothing() {
    let rig = Rig::new();
    let c = rig.client();
    rig.advance(100 * MS);
    assert_eq!(rig.world().counters().power_domains_on, 0);
    for line in 0..3 {
        rig.plant_now(Injection::SpuriousIrq { line });
        rig.advance(MS);
    }
    assert_eq!(rig.stats().injected, 3);
    c.expect_works();
    drop(c);
    rig.finish();
}

/// The GPU faults while its cores come on, when the driver serves nothing yet. Catches: a level
/// interrupt let through that no handler ends (it would keep a CPU busy until the GPU is up), or
/// one forgotten.
#[test]
fn a_fault_during_power_up_is_served_after_it() {
    let rig = Rig::new();
    let c = rig.client();
    rig.advance(100 * MS);
    // Level 2 cache, then shader cores, then the tiler, of which the driver waits 1 ms for the
    // last.
    rig.timing(|t| t.power_on_ns = MS - MS / 10);
    let work = c.work().unwrap();
    c.start(&work).unwrap();
    rig.advance(MS + MS / 2);
    let before = rig.stats().irqs[2];
    rig.plant_now(Injection::GpuFault);
    rig.advance(MS / 10);
    assert_eq!((rig.stats().irqs[2], rig.stat("faults")), (before, 0));
    assert_eq!(c.finish(&work, SEC), 1);
    assert_eq!((rig.stats().irqs[2], rig.stat("faults")), (before + 1, 1));
    drop((work, c));
    rig.finish();
}

/// Erratum 10883: the end of a job without an interrupt. Catches: a job blamed for it, a reset, no
/// task that looks.
#[test]
fn a_lost_completion_is_found_by_the_timeout() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    rig.plant(Injection::LoseIrq { line: 0 });
    let begin = rig.world().now();
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    assert!(rig.world().now() - begin < 510 * MS);
    assert!(work.is_done());
    assert_eq!(
        (rig.stats().injected, rig.stat("faults"), rig.stat("resets")),
        (1, 0, 0)
    );
    assert_eq!(rig.logged("timeout"), 0);
    drop((work, c));
    rig.finish();
}

/// Another job's end brings the lost one to light. Catches: ends counted by interrupts.
#[test]
fn a_lost_completion_is_found_with_the_next_one() {
    let rig = Rig::new();
    let c = rig.client();
    let works = [c.work().unwrap(), c.work().unwrap()];
    rig.plant(Injection::LoseIrq { line: 0 });
    for work in &works {
        c.start(work).unwrap();
    }
    for work in &works {
        assert_eq!(c.finish(work, SEC), 1);
        assert!(work.is_done());
    }
    drop((works, c));
    rig.finish();
}

/// The MMU's interrupt is late. Catches: a fault forgotten; a job that is stopped for it.
#[test]
fn late_interrupts_are_served() {
    for line in 0..2 {
        let rig = Rig::new();
        let c = rig.client();
        let heap = c.bo(4 << 20, 3).unwrap();
        let work = c.work().unwrap();
        work.chain.write(0, &write_zero(heap.va, 0));
        rig.plant(Injection::LateIrq { line, ns: 50 * MS });
        let begin = rig.world().now();
        c.start(&work).unwrap();
        assert_eq!(c.finish(&work, SEC), 1, "line {line}");
        let took = rig.world().now() - begin;
        assert!((50 * MS..52 * MS).contains(&took), "{took}");
        assert_eq!((rig.stat("faults"), rig.stat("resets")), (0, 0));
        drop((heap, work, c));
        rig.finish();
    }
}

/// Both jobs of a slot end before the driver reads the status. Catches: the second one's end
/// counted as one, so that it times out although it is done.
#[test]
fn two_completions_in_one_interrupt_are_two() {
    let rig = Rig::new();
    let c = rig.client();
    let works = [c.work().unwrap(), c.work().unwrap()];
    rig.plant(Injection::LateIrq { line: 0, ns: MS });
    let begin = rig.world().now();
    for work in &works {
        c.start(work).unwrap();
    }
    for work in &works {
        assert_eq!(c.finish(work, SEC), 1);
    }
    assert!(rig.world().now() - begin < 2 * MS);
    assert_eq!(rig.stats().merged_completions, 1);
    assert_eq!(c.stat("jobs"), 2);
    drop((works, c));
    rig.finish();
}

/// The first job of a slot ends well and the second fails before the driver reads the status.
/// Catches: the failure pinned on the first.
#[test]
fn a_success_and_a_failure_in_one_interrupt() {
    let rig = Rig::new();
    let c = rig.client();
    let works: Vec<Work> = (0..3).map(|_| c.work().unwrap()).collect();
    works[1].chain.write(0, &[0; 64]);
    rig.plant(Injection::LateIrq { line: 0, ns: MS });
    for work in &works {
        c.start(work).unwrap();
    }
    let outcomes: Vec<i32> = works.iter().map(|work| c.finish(work, SEC)).collect();
    assert_eq!(outcomes, [1, -driver_tests::errno::EINVAL, 1]);
    drop((works, c));
    rig.finish();
}

/// The first job of a slot has ended, without notice; the second, another file's, runs when the
/// first one's file is closed and its job is stopped. Catches: stop commands that hit whichever job
/// runs.
#[test]
fn a_stop_hits_only_the_job_it_is_for() {
    for board in ["rk3399", "mali-g52"] {
        let rig = Rig::with(board, Default::default());
        let [a, b] = [rig.client(), rig.client()];
        let [x, y] = [a.work().unwrap(), b.work().unwrap()];
        // The reverse, too: marks alternate.
        for _ in 0..2 {
            b.expect_works();
        }
        rig.plant(Injection::LateIrq {
            line: 0,
            ns: 10 * MS,
        });
        a.start(&x).unwrap();
        rig.advance(MS / 5);
        rig.slow_jobs(5 * MS);
        b.start(&y).unwrap();
        rig.advance(MS);
        assert!(x.is_done(), "{board}");
        drop((x, a));
        assert_eq!(b.finish(&y, SEC), 1, "{board}");
        assert!(y.is_done(), "{board}");
        drop((y, b));
        rig.finish();
    }
}

/// A GPU whose slots take one job each. Catches: a second job put into a slot that cannot name it.
#[test]
fn a_t720_has_one_job_in_a_slot() {
    // HW: COMMAND_NEXT of the slot of vertex jobs, whatever the driver calls it.
    const COMMAND_NEXT: u32 = 0x18e0;
    let rig = Rig::with("mali-t720", Default::default());
    let c = rig.client();
    rig.slow_jobs(MS);
    let handed_over = Arc::new(AtomicU64::new(0));
    let count = handed_over.clone();
    rig.world().set_trace(Some(Box::new(move |event| {
        if matches!(
            event,
            Trace::MmioWrite {
                off: COMMAND_NEXT,
                val: 1,
                ..
            }
        ) {
            count.fetch_add(1, Relaxed);
        }
    })));
    let works: Vec<Work> = (0..5).map(|_| c.work().unwrap()).collect();
    for work in &works {
        c.start(work).unwrap();
    }
    for n in 1..=5 {
        rig.advance(MS / 2);
        assert_eq!(
            rig.stats().chains[1],
            n,
            "no job starts before the previous one has ended"
        );
        assert_eq!(handed_over.load(Relaxed), n, "nor is it in the slot");
        rig.advance(MS / 2 + MS / 50);
    }
    for work in &works {
        assert_eq!(c.finish(work, SEC), 1);
        assert!(work.is_done());
    }
    rig.world().set_trace(None);
    drop((works, c));
    rig.finish();
}

/// The model with a device tree whose interrupts are in another order: where each of its lines is
/// there.
struct Reordered(Box<dyn Hardware>, [usize; 3]);

struct Lines<'a>(&'a mut dyn Dma, [usize; 3]);

impl Dma for Lines<'_> {
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> Result<(), NoMemory> {
        self.0.read(pa, buf)
    }
    fn write(&mut self, pa: u64, buf: &[u8]) -> Result<(), NoMemory> {
        self.0.write(pa, buf)
    }
    fn irq(&mut self, line: usize, level: bool) {
        self.0.irq(self.1[line], level);
    }
}

impl Hardware for Reordered {
    fn mmio_read(&mut self, bus: &mut dyn Dma, now: u64, off: u32) -> u32 {
        self.0.mmio_read(&mut Lines(bus, self.1), now, off)
    }
    fn mmio_write(&mut self, bus: &mut dyn Dma, now: u64, off: u32, val: u32) {
        self.0.mmio_write(&mut Lines(bus, self.1), now, off, val);
    }
    fn next_event(&self) -> Option<u64> {
        self.0.next_event()
    }
    fn poll(&mut self, bus: &mut dyn Dma, now: u64) {
        self.0.poll(&mut Lines(bus, self.1), now);
    }
    fn set_power(&mut self, bus: &mut dyn Dma, now: u64, on: bool) {
        self.0.set_power(&mut Lines(bus, self.1), now, on);
    }
    fn as_any(&mut self) -> &mut dyn Any {
        self.0.as_any()
    }
}

/// An RK3399 whose device tree has the model's lines at `places`, under `names`.
fn with_lines(places: [usize; 3], names: &[&str]) -> Result<Board, String> {
    let alter = |(mut node, model): Core| -> Core {
        node.irqs = names.iter().map(|name| (*name).to_owned()).collect();
        (node, Box::new(Reordered(model, places)))
    };
    Board::new_altered("rk3399", Config::default(), &alter)
}

/// Catches: interrupts found by their place in the device tree.
#[test]
fn interrupts_are_found_by_name_in_any_order() {
    const NAMES: [&str; 3] = ["job", "mmu", "gpu"];
    for places in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut names = [""; 3];
        places
            .into_iter()
            .zip(NAMES)
            .for_each(|(at, name)| names[at] = name);
        let board = with_lines(places, &names).unwrap();
        let c = Client::open(&board).unwrap();
        for _ in 0..3 {
            let begin = board.world().now();
            c.expect_works();
            assert!(board.world().now() - begin < MS, "{names:?}: job");
        }
        let work = c.work().unwrap();
        work.chain.write(0, &write_zero(0x7000_0000, 0));
        let begin = board.world().now();
        c.start(&work).unwrap();
        let end = c.finish(&work, SEC);
        assert!(
            end < 0 && board.world().now() - begin < MS,
            "{names:?}: mmu {end}"
        );
        let fault = Planted {
            core: 0,
            when: When::Time(0),
            what: Injection::GpuFault,
        };
        let faults = || board.stats().into_iter().find(|(name, _)| name == "faults");
        let before = faults();
        board.inject(fault).unwrap();
        board.world().settle();
        assert!(faults() > before, "{names:?}: gpu");
        c.expect_works();
        drop((work, c));
        assert!(board.close().unwrap().is_clean(), "{names:?}");
    }
}

/// Catches: a guess which interrupt is which; what a failed attach keeps.
#[test]
fn without_names_of_its_interrupts_a_mali_is_refused() {
    for names in [
        &["", "", ""][..],
        &["job", "mmu"],
        &["a", "b", "c"],
        &["job", "", "gpu"],
        &[],
    ] {
        let refused = with_lines([0, 1, 2], names).map(drop);
        let why = refused.expect_err("no interrupt can be distinguished from another");
        assert!(why.contains("does not attach"), "{why}");
    }
}
