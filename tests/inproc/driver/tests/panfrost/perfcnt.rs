// SPDX-License-Identifier: BSD-2-Clause
//! Performance counters. All in coherence mode, where a dump that is not synchronised shows old
//! memory.

use driver_tests::panfrost::{write_zero, Client, Rig};
use driver_tests::{coherent, errno, MS, SEC};
use drm_os_host::Config;
use models::Injection;
use uapi::panfrost::{PerfcntDump, PERFCNT_DUMP};

/// Job manager, tiler, level 2 cache, four cores, of 64 words each (docs/hw/panfrost.md,
/// Performance counters).
const DUMP: usize = 7 * 256;

fn offered() -> Config {
    Config {
        tunables: [("unstable_ioctls".to_owned(), 1)].into(),
        ..coherent(false)
    }
}

fn rig() -> Rig {
    Rig::with("rk3399", offered())
}

/// Jobs of each slot since the last dump. HW: Mesa perf/T86x.xml: JSn_JOBS is word 8 + 8 n of the
/// first block.
fn dump(c: &Client) -> Result<[u32; 2], i32> {
    let mut bytes = [0xee; DUMP + 16];
    c.perfcnt_dump(&mut bytes)?;
    assert!(bytes[DUMP..].iter().all(|b| *b == 0xee), "more than a dump");
    let word = |at: usize| u32::from_le_bytes(bytes[4 * at..4 * at + 4].try_into().unwrap());
    // Word 2 of each block is its enable mask.
    assert!((0..7).all(|block| word(64 * block + 2) == u32::MAX));
    Ok([word(8), word(16)])
}

fn run(c: &Client, fragment: bool) {
    let work = c.work().unwrap();
    c.start_in(&work, fragment).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    c.discard(work);
}

/// Catches: values that are not the hardware's, not of this dump, or not where the user asked for
/// them; a dump that shows what the CPU's cache had (the sync of the buffer).
#[test]
fn a_dump_shows_what_was_counted() {
    let rig = rig();
    let c = rig.client();
    c.perfcnt_enable(true, 0).unwrap();
    assert_eq!(dump(&c), Ok([0, 0]));
    for _ in 0..3 {
        run(&c, false);
    }
    run(&c, true);
    assert_eq!(dump(&c), Ok([1, 3]));
    assert_eq!(dump(&c), Ok([0, 0]));
    assert_eq!(rig.stats().perfcnt_samples, 3);
    c.perfcnt_enable(false, 0).unwrap();
    assert_eq!(dump(&c), Err(errno::EINVAL));
    drop(c);
    rig.finish();
}

/// Catches: counters given to two, or kept by one that is gone.
#[test]
fn one_client_has_them() {
    let rig = rig();
    let [a, b] = [rig.client(), rig.client()];
    a.perfcnt_enable(true, 0).unwrap();
    a.perfcnt_enable(true, 0).unwrap();
    assert_eq!(b.perfcnt_enable(true, 0), Err(errno::EBUSY));
    assert_eq!(b.perfcnt_enable(false, 0), Err(errno::EINVAL));
    assert_eq!(dump(&b), Err(errno::EINVAL));
    assert_eq!(dump(&a), Ok([0, 0]));
    drop(a);
    b.perfcnt_enable(true, 0).unwrap();
    run(&b, false);
    assert_eq!(dump(&b), Ok([0, 1]));
    drop(b);
    rig.advance(100 * MS);
    assert_eq!(rig.world().counters().power_domains_on, 0);
    rig.finish();
}

/// Catches: power taken while a client counts, or kept afterwards.
#[test]
fn they_keep_the_power() {
    let rig = rig();
    let c = rig.client();
    rig.advance(100 * MS);
    assert_eq!(rig.world().counters().power_domains_on, 0);
    c.perfcnt_enable(true, 0).unwrap();
    run(&c, false);
    rig.advance(SEC);
    assert_eq!(rig.world().counters().power_domains_on, 1);
    assert_eq!(dump(&c), Ok([0, 1]));
    c.perfcnt_enable(false, 0).unwrap();
    rig.advance(100 * MS);
    assert_eq!(rig.world().counters().power_domains_on, 0);
    drop(c);
    rig.finish();
}

/// Catches: counters that are lost with a reset, or that write through the page table of another
/// client.
#[test]
fn they_survive_a_reset() {
    let rig = rig();
    let [c, other] = [rig.client(), rig.client()];
    c.perfcnt_enable(true, 0).unwrap();
    for _ in 0..3 {
        let bad = other.work().unwrap();
        rig.plant(Injection::HangJobsAt {
            first: bad.chain.va,
            last: bad.chain.va,
        });
        other.start(&bad).unwrap();
        assert_eq!(other.finish(&bad, SEC), -errno::ETIMEDOUT);
        rig.plant(Injection::HangJobsAt { first: 1, last: 0 });
        // The first address space goes to another client.
        run(&other, false);
        assert_eq!(dump(&c), Ok([0, 1]));
        run(&other, false);
        assert_eq!(dump(&c), Ok([0, 1]));
        other.discard(bad);
    }
    assert_eq!(rig.stat("resets"), 3);
    drop((c, other));
    rig.finish();
}

/// The GPU is lost for a while. Catches: registers touched without power, counters that hold the
/// client up.
#[test]
fn they_answer_while_the_gpu_is_lost() {
    let rig = rig();
    let c = rig.client();
    c.perfcnt_enable(true, 0).unwrap();
    let bad = c.work().unwrap();
    rig.plant(Injection::HangJobsAt {
        first: bad.chain.va,
        last: bad.chain.va,
    });
    rig.timing(|t| t.reset_ns = 100 * SEC);
    c.start(&bad).unwrap();
    assert_eq!(c.finish(&bad, SEC), -errno::ETIMEDOUT);
    assert_eq!(dump(&c), Err(errno::EIO));
    rig.timing(|t| t.reset_ns = 100_000);
    rig.plant(Injection::HangJobsAt { first: 1, last: 0 });
    rig.advance(SEC);
    c.expect_works();
    assert_eq!(dump(&c), Ok([0, 1]));
    drop((bad, c));
    rig.finish();
}

/// The client's job faults, so its address space goes off; the next dump is to work all the same.
/// Catches: a dump into an address space that is off.
#[test]
fn they_survive_a_fault_of_their_client() {
    let rig = rig();
    let c = rig.client();
    c.perfcnt_enable(true, 0).unwrap();
    let bad = c.work().unwrap();
    bad.chain.write(0, &write_zero(0x7000_0000, 0));
    c.start(&bad).unwrap();
    assert_eq!(c.finish(&bad, SEC), -errno::EINVAL);
    assert_eq!(dump(&c), Ok([0, 0]));
    c.expect_works();
    assert_eq!(dump(&c), Ok([0, 1]));
    drop((bad, c));
    rig.finish();
}

/// As many clients as there are address spaces count, fault and stop counting, one after another.
/// Catches: an address space that stays in use when the counters have been renewed in it.
#[test]
fn renewed_counters_give_their_address_space_back() {
    let rig = Rig::with("mali-t720", offered());
    let clients: Vec<Client> = (0..4).map(|_| rig.client()).collect();
    for c in &clients {
        c.perfcnt_enable(true, 0).unwrap();
        let bad = c.work().unwrap();
        bad.chain.write(0, &write_zero(0x7000_0000, 0));
        c.start(&bad).unwrap();
        assert_eq!(c.finish(&bad, SEC), -errno::EINVAL);
        c.perfcnt_dump(&mut [0; 8 * 256]).unwrap();
        c.perfcnt_enable(false, 0).unwrap();
    }
    let other = rig.client();
    other.expect_works();
    drop((clients, other));
    rig.finish();
}

/// The dump itself faults. Catches: a wait without bound, an address space that stays off.
#[test]
fn a_dump_that_faults_ends() {
    let rig = rig();
    let c = rig.client();
    c.perfcnt_enable(true, 0).unwrap();
    rig.plant(Injection::PageFaultAtAccess(0));
    let begin = rig.world().now();
    assert_eq!(dump(&c), Err(errno::ETIMEDOUT));
    assert!(rig.world().now() - begin < 1100 * MS);
    assert!(dump(&c).is_ok());
    c.expect_works();
    assert_eq!(dump(&c), Ok([0, 1]));
    drop(c);
    rig.finish();
}

/// The interrupt that says that the dump is there gets lost. Catches: a wait without bound.
#[test]
fn a_dump_without_an_interrupt_ends() {
    let rig = rig();
    let c = rig.client();
    c.perfcnt_enable(true, 0).unwrap();
    rig.plant(Injection::LoseIrq { line: 2 });
    let begin = rig.world().now();
    assert_eq!(dump(&c), Err(errno::ETIMEDOUT));
    assert!(rig.world().now() - begin < 1100 * MS);
    assert!(dump(&c).is_ok());
    drop(c);
    rig.finish();
}

/// Counters of a client do not keep others out. Catches: a seat that is never given back.
#[test]
fn many_clients_run_while_one_counts() {
    let rig = Rig::with("mali-t720", offered());
    let c = rig.client();
    c.perfcnt_enable(true, 0).unwrap();
    let others: Vec<Client> = (0..8).map(|_| rig.client()).collect();
    for _ in 0..2 {
        others.iter().for_each(Client::expect_works);
    }
    let mut bytes = [0; 8 * 256];
    c.perfcnt_dump(&mut bytes).unwrap();
    // v4: a core group has eight blocks, the last is the job manager's.
    let at = 7 * 256 + 4 * 16;
    assert_eq!(bytes[at..at + 4], 16u32.to_le_bytes());
    drop((c, others));
    rig.finish();
}

/// Catches: counters without leave, of a set that is not there, to memory that is not there;
/// forgotten at detach.
#[test]
fn refusals() {
    let rig = Rig::with("rk3399", coherent(true));
    let c = rig.client();
    assert_eq!(c.perfcnt_enable(true, 0), Err(errno::ENOSYS));
    assert_eq!(dump(&c), Err(errno::ENOSYS));
    drop(c);
    rig.finish();

    let rig = self::rig();
    let c = rig.client();
    assert_eq!(c.perfcnt_enable(true, 1), Err(errno::EINVAL));
    c.perfcnt_enable(true, 0).unwrap();
    let nowhere = PerfcntDump { buf_ptr: 8 };
    assert_eq!(c.ioctl(PERFCNT_DUMP, nowhere), Err(errno::EFAULT));
    assert_eq!(dump(&c), Ok([0, 0]));
    c.caller.interrupt();
    assert_eq!(dump(&c), Err(errno::EINTR));
    // The dump without a waiter continues.
    run(&c, false);
    rig.advance(MS);
    c.caller.interrupt();
    assert_eq!(dump(&c), Err(errno::EINTR));
    assert_eq!(dump(&c), Ok([0, 0]), "not the one that was left");
    assert_eq!(rig.device().detach(true), Ok(()));
    assert_eq!(dump(&c), Err(errno::ENXIO));
    drop(c);
    rig.finish_detached();
}
