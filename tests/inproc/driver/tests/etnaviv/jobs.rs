// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv on the i.MX8MQ: the way from an ioctl to the GPU and back, and what is refused.

use crate::Rig;
use driver_tests::etnaviv::{
    prep, stream, Bo, Client, Fence, Submit, Work, NONBLOCK, SOFTPIN_START,
};
use driver_tests::{errno, MS, SEC};
use uapi::etnaviv::{Timespec, WaitFence, WAIT_FENCE};

#[test]
fn attach_and_detach_leave_nothing() {
    let rig = Rig::new();
    rig.advance(SEC);
    let c = rig.world().counters();
    assert_eq!(
        (c.power_domains_on, c.clocks_enabled),
        (0, 0),
        "the GPU is not used"
    );
    assert!(rig.finish().resets > 0);
}

/// HW: the row of the hardware database in the facts, section 2.3; product, customer and ECO are
/// the model's.
#[test]
fn params_are_the_gc7000ls() {
    let rig = Rig::new();
    let c = rig.client();
    let expected = [
        (0x01, 0x7000),
        (0x02, 0x6214),
        (0x03, 0xe028_7cad),
        (0x04, 0xc179_9eff),
        (0x05, 0xfefb_fad9),
        (0x06, 0xeb9d_4fbf),
        (0x07, 0xedff_fced),
        (0x08, 0xdb0d_afc7),
        (0x09, 0xbb5a_c333),
        (0x0a, 0xfc8e_e200),
        (0x0b, 0x03fb_fa6f),
        (0x0c, 0x00ef_0ef0),
        (0x0d, 0x0edb_f03c),
        (0x0e, 0x9004_4250),
        (0x0f, 0x0000_0024),
        (0x10, 16),
        (0x11, 64),
        (0x12, 1024),
        (0x13, 16),
        (0x14, 4),
        (0x15, 2),
        (0x16, 1024),
        (0x17, 0),
        (0x18, 512),
        (0x19, 320),
        (0x1a, 16),
        (0x1b, u64::from(SOFTPIN_START)),
        (0x1c, 0x7_0003),
        (0x1d, 0),
        (0x1e, 0),
    ];
    for (param, value) in expected {
        assert_eq!(c.param_of(0, param), Ok(value), "{param:#x}");
    }
    for param in [0, 0x1f, 0x24, u32::MAX] {
        assert_eq!(c.param_of(0, param), Err(errno::EINVAL), "{param:#x}");
    }
    assert_eq!(c.param_of(1, 1), Err(errno::ENXIO));
    assert_eq!(c.param_of(4, 1), Err(errno::EINVAL));
    drop(c);
    rig.finish();
}

#[test]
fn a_nop_ends() {
    let rig = Rig::new();
    let c = rig.client();
    let fence = c.run(stream::nop(), &[]).unwrap();
    assert_eq!(c.end_of(fence, SEC), 1);
    drop(c);
    let stats = rig.finish();
    assert_eq!(stats.mmu_exception_count(), 0);
}

#[test]
fn a_job_writes_memory() {
    let rig = Rig::new();
    let c = rig.client();
    c.expect_works();
    c.expect_works();
    drop(c);
    rig.finish();
}

/// Buffers of Mesa's streams.
fn mesa(c: &Client) -> Vec<Bo> {
    // The read-back buffer ends where the next one begins.
    let large = [(stream::TARGET, 0x4_0000), (stream::READBACK, 0x3_e000)]
        .map(|(va, n)| c.bo_at(n, va).unwrap());
    let small = [stream::STATUS]
        .into_iter()
        .chain(stream::INPUTS)
        .map(|va| c.bo_at(4096, va).unwrap());
    large.into_iter().chain(small).collect()
}

#[test]
fn mesas_clear_and_read_back() {
    let rig = Rig::new();
    let c = rig.client();
    let bos = mesa(&c);
    let all: Vec<&Bo> = bos.iter().collect();
    let clear = c.run(stream::words(stream::CLEAR), &all).unwrap();
    let read = c.run(stream::words(stream::READ_BACK), &all).unwrap();
    assert_eq!([c.end_of(read, SEC), c.end_of(clear, SEC)], [1, 1]);
    c.cpu_prep(bos[1].handle, prep::READ, SEC).unwrap();
    let pixel = 127 * 1024 + 128 * 4;
    assert_eq!(bos[1].get(pixel), stream::COLOR);
    assert_eq!((bos[1].get(pixel - 4), bos[1].get(pixel + 4)), (0, 0));
    c.cpu_fini(bos[1].handle).unwrap();
    let triangle = c.run(stream::words(stream::TRIANGLE), &all).unwrap();
    assert_eq!(c.end_of(triangle, SEC), 1);
    drop((bos, c));
    let stats = rig.finish();
    assert_eq!((stats.draws, stats.blt_operations[2]), (1, 1));
    assert_eq!(stats.mmu_exception_count(), 0);
}

fn events(rig: &Rig) -> u64 {
    rig.stats().events.iter().sum()
}

/// Catches: a way out of the client's own stream, into another address space, the ring, or
/// another's event.
#[test]
fn what_a_client_may_not_do_is_refused_whole() {
    let rig = Rig::new();
    let c = rig.client();
    c.expect_works();
    let work = c.work(0x1000_0000, 7).unwrap();
    let before = (events(&rig), rig.stats().blt_operations);
    let run_over_event = [vec![0x0803_0000 | (0x3800 / 4)], vec![0; 3]].concat();
    for (bad, why) in [
        (stream::state(0x1ac, 0), "PTA_CONFIG"),
        (stream::state(0x184, 0x18), "MMUv2 CONFIGURATION"),
        (stream::state(0x3804, 0x41), "EVENT"),
        (run_over_event, "EVENT in a run of states"),
        (stream::state(0x654, 0), "FE address"),
        (stream::link(2, 0x1000), "LINK"),
        (stream::end(), "END"),
        (stream::wait(100), "WAIT"),
        (vec![0x5000_0002, 0x1000, 2, 0x1000], "CALL"),
        (vec![0x5800_0000, 0], "RETURN"),
        (vec![0x6800_0001, 0], "CHIP_SELECT"),
        (vec![0, 0], "no command"),
        (vec![0x0804_0000, 0], "end within a command"),
        (vec![0x1800_0000], "half a command"),
    ] {
        let stream = [stream::fill(work.data.va, 7), bad].concat();
        assert_eq!(
            c.run(stream, &[&work.data]).err(),
            Some(errno::EINVAL),
            "{why}"
        );
    }
    rig.advance(10 * MS);
    assert!(work.is_untouched());
    assert_eq!((events(&rig), rig.stats().blt_operations), before);
    c.expect_works();
    drop((work, c));
    rig.finish();
}

#[test]
fn submits_that_make_no_sense() {
    let rig = Rig::new();
    let c = rig.client();
    let [a, b] = [0x1000_0000, 0x1000_1000].map(|va| c.bo_at(4096, va).unwrap());
    let good = Submit::new(stream::nop(), &[&a, &b]);
    type Change<'a> = &'a dyn Fn(&mut Submit);
    let cases: &[(&str, i32, Change)] = &[
        ("no such core", errno::EINVAL, &|s| s.pipe = 4),
        ("core that is not there", errno::ENXIO, &|s| s.pipe = 1),
        ("unknown flag", errno::EINVAL, &|s| s.flags |= 0x100),
        ("unknown pipe", errno::EINVAL, &|s| s.exec_state = 3),
        ("size", errno::EINVAL, &|s| s.stream_size = Some(6)),
        ("large", errno::EINVAL, &|s| s.stream_size = Some(256 << 10)),
        ("no handle", errno::EINVAL, &|s| s.bos[1].1 = 99),
        ("unknown access", errno::EINVAL, &|s| s.bos[1].0 = 4),
        ("twice", errno::EALREADY, &|s| s.bos[1] = s.bos[0]),
        ("in two places", errno::EINVAL, &|s| s.bos[1].1 = s.bos[0].1),
        ("kernel's part", errno::EINVAL, &|s| s.bos[1].2 = 0x3f_f000),
        ("odd", errno::EINVAL, &|s| s.bos[1].2 = 0x1000_1800),
        ("above", errno::ENOSPC, &|s| s.bos[1].2 = 1 << 32),
        ("in-fence", errno::EINVAL, &|s| s.flags |= 2),
    ];
    for (what, error, change) in cases {
        let mut bad = good.clone();
        change(&mut bad);
        assert_eq!(c.submit_raw(&bad).err(), Some(*error), "{what}");
    }
    let mut over = good.clone();
    over.bos[1].2 = over.bos[0].2;
    assert!(c.submit_raw(&over).is_err(), "two at one address");
    // What failed left no mapping, no fence and no handle.
    let fence = c.submit_raw(&good).unwrap();
    assert_eq!(c.end_of(fence, SEC), 1);
    c.expect_works();
    drop((a, b, c));
    rig.finish();
}

#[test]
fn sizes_and_flags_of_buffers() {
    let rig = Rig::new();
    let c = rig.client();
    for flags in [0x1_0000, 0x2_0000, 0x4_0000, 0x12_0000] {
        let handle = c.gem_new(100, flags).unwrap();
        let bo = c.adopt(handle, 100, 0).unwrap();
        assert_eq!(bo.get(0), 0, "new memory is clear");
        c.close(handle).unwrap();
    }
    for (size, flags) in [(4096, 0), (4096, 0x3_0000), (4096, 0x8_0000), (0, 0x2_0000)] {
        assert_eq!(
            c.gem_new(size, flags),
            Err(errno::EINVAL),
            "{size} {flags:#x}"
        );
    }
    assert!(c.gem_info(77).is_err());
    drop(c);
    rig.finish();
}

/// A client whose work takes 20 ms and is under way.
pub(crate) fn busy(rig: &Rig) -> (Client, Work, Fence) {
    let c = rig.client();
    c.expect_works();
    rig.slow_jobs(20 * MS);
    let work = c.work(0x2000_0000, 0x7777).unwrap();
    let fence = c.start(&work).unwrap();
    rig.advance(MS);
    assert!(work.is_untouched(), "it takes its time");
    (c, work, fence)
}

#[test]
fn waits_end_with_the_work_or_with_the_time() {
    let rig = Rig::new();
    let (c, work, fence) = busy(&rig);
    let handle = work.data.handle;
    assert_eq!(c.wait_fence(fence.id, NONBLOCK, 0), Err(errno::EBUSY));
    assert_eq!(c.gem_wait(handle, NONBLOCK, 0), Err(errno::EBUSY));
    assert_eq!(
        c.cpu_prep(handle, prep::READ | prep::NOSYNC, 0),
        Err(errno::EBUSY)
    );
    for ns in [0, MS] {
        assert_eq!(c.wait_fence(fence.id, 0, ns), Err(errno::ETIMEDOUT));
        assert_eq!(c.gem_wait(handle, 0, ns), Err(errno::ETIMEDOUT));
        assert_eq!(c.cpu_prep(handle, prep::READ, ns), Err(errno::ETIMEDOUT));
    }
    // Nanoseconds that are seconds, as user space passes them.
    let far = WaitFence {
        fence: fence.id,
        timeout: Timespec {
            tv_sec: 0,
            tv_nsec: 3600 * SEC as i64,
        },
        ..WaitFence::default()
    };
    c.ioctl(WAIT_FENCE, far).unwrap();
    assert!(work.is_done());
    assert_eq!(c.gem_wait(handle, NONBLOCK, 0), Ok(()));
    assert_eq!(c.cpu_prep(handle, prep::WRITE | prep::NOSYNC, 0), Ok(()));
    assert_eq!(c.cpu_fini(handle), Ok(()));
    assert_eq!(c.cpu_prep(handle, 8, 0), Err(errno::EINVAL));
    assert_eq!(c.end_of(fence, 0), 1);
    drop((work, c));
    rig.finish();
}

/// ABI: a fence that is not known is one that ended long ago.
#[test]
fn unknown_fences_count_as_signalled() {
    let rig = Rig::new();
    let (c, work, fence) = busy(&rig);
    for id in [fence.id.wrapping_add(1000), u32::MAX] {
        assert_eq!(c.wait_fence(id, 0, 0), Ok(()));
        assert_eq!(c.wait_fence(id, NONBLOCK, 0), Ok(()));
    }
    assert_eq!(c.wait_fence(fence.id, 2, 0), Err(errno::EINVAL));
    assert_eq!(c.end_of(fence, SEC), 1);
    drop((work, c));
    rig.finish();
}

/// Would catch a client whose refusals are logged only when no other client took the one line a
/// second.
#[test]
fn each_files_first_refusal_is_logged_at_once() {
    let rig = Rig::new();
    let (first, second) = (rig.client(), rig.client());
    let said = || {
        let lines = rig.world().log_lines();
        lines
            .iter()
            .filter(|line| line.contains("not permitted"))
            .count()
    };
    let end = || vec![0x1000_0000, 0];
    // The first of each; after it one line a second for all.
    for (client, lines) in [
        (&first, 1),
        (&first, 2),
        (&first, 2),
        (&second, 3),
        (&second, 3),
    ] {
        assert_eq!(client.run(end(), &[]).err(), Some(errno::EINVAL));
        assert_eq!(said(), lines);
    }
    let refused = rig
        .device()
        .stats()
        .into_iter()
        .find(|(name, _)| name == "refused");
    assert_eq!(refused.map(|(_, count)| count), Some(5));
    drop((first, second));
    rig.finish();
}
