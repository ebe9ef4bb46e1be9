// SPDX-License-Identifier: BSD-2-Clause
//! What clients may have, and what is charged to them.

use crate::Rig;
use driver_tests::panfrost::{charged, Client};
use driver_tests::{errno, limits, pass, with_memory, SEC};

/// What an object and its handle cost besides the object's memory.
pub(super) const BO_BYTES: u64 = 1024 + 512;

/// Catches: a limit without effect, one that others' memory counts in, a log that a client can
/// fill, memory that a refused call keeps.
#[test]
fn a_file_may_have_so_much() {
    // Four buffers, and what they cost besides.
    let rig = Rig::with("rk3399", with_memory((64 << 12) + (76 << 10)));
    let [a, b] = [rig.client(), rig.client()];
    let bos: Vec<_> = (0..4).map(|_| a.bo(16 << 12, 1).unwrap()).collect();
    let (before, held, others) = (rig.world().counters(), a.stat("mem"), b.stat("mem"));
    for _ in 0..10 {
        assert_eq!(a.bo(4 << 12, 1).err(), Some(errno::ENOMEM));
    }
    assert_eq!(rig.world().counters(), before);
    assert_eq!(rig.logged("no memory"), 1);
    assert_eq!((a.stat("mem"), b.stat("mem")), (held, others));
    assert!(held > 64 << 12 && a.stat("mem_peak") <= (64 << 12) + (76 << 10));
    b.expect_works();
    a.close(bos[0].handle).unwrap();
    a.expect_works();
    rig.advance(2 * SEC);
    assert!(a.bo(21 << 12, 1).is_err());
    assert_eq!(rig.logged("no memory"), 2, "once a second");
    drop((bos, a, b));
    rig.finish();
}

/// A user opens the device again and again and passes all on to one file; then others do. Catches:
/// limits that opening again gets around, a user who gets what is others', memory that is credited
/// to another user's account.
#[test]
fn a_user_and_a_device_may_have_so_much() {
    const BO: u32 = 3 << 20;
    let rig = Rig::with("rk3399", limits(4 << 20, 16 << 20, 40 << 20));
    let count = |uid: u32| {
        let keeper = Client::open_of(&rig, uid)?;
        let mut made = 0;
        loop {
            let c = match Client::open_of(&rig, uid) {
                Ok(c) => c,
                Err(e) => {
                    assert_eq!(e, errno::ENOMEM);
                    break;
                }
            };
            match c.bo(BO, 1) {
                Ok(bo) => pass(&c, &keeper, c.export(bo.handle)?)?,
                Err(e) => {
                    assert_eq!(e, errno::ENOMEM);
                    break;
                }
            };
            made += 1;
        }
        Ok::<_, i32>((keeper, made))
    };
    for _ in 0..3 {
        let (first, made) = count(1).unwrap();
        assert_eq!(made, 5, "16 MiB of 3 MiB each");
        let (second, made) = count(2).unwrap();
        assert_eq!(made, 5);
        let (third, made) = count(3).unwrap();
        assert_eq!(made, 3, "what is left of 40 MiB");
        assert!(rig.stat("mem") <= 40 << 20 && rig.stat("mem") > 36 << 20);
        drop((first, second, third));
        assert_eq!(rig.stat("mem"), 0);
    }
    rig.finish();
}

/// Things that cost the kernel memory and no page of a buffer. Catches: any that is free, or is not
/// given back.
#[test]
fn what_is_no_buffer_is_charged_as_well() {
    let rig = Rig::with("rk3399", with_memory(1 << 20));
    let c = rig.client();
    let empty = charged(&rig, &c);
    assert!(empty > 0, "a file is not free");
    let fill = |make: &dyn Fn() -> Result<u32, i32>, least: u64| {
        let (blocks, before) = (rig.world().counters().malloc_bytes, charged(&rig, &c));
        let mut made = Vec::new();
        let refused = loop {
            match make() {
                Ok(handle) => made.push(handle),
                Err(e) => break e,
            }
        };
        assert_eq!(refused, errno::ENOMEM);
        let each = (charged(&rig, &c) - before) / made.len() as u64;
        let cost = (rig.world().counters().malloc_bytes - blocks) / made.len() as u64;
        assert!(
            each >= least && each >= cost,
            "charged {each}, costs {cost}"
        );
        made
    };
    // A heap without memory.
    let heaps = fill(&|| c.bo(1, 3).map(|bo| bo.handle), BO_BYTES);
    heaps.iter().for_each(|handle| c.close(*handle).unwrap());
    let slots = heaps.len() as u64 * 64;
    assert_eq!(
        charged(&rig, &c),
        empty + slots,
        "the table of handles keeps its size"
    );
    let again = fill(&|| c.bo(1, 3).map(|bo| bo.handle), BO_BYTES);
    again.iter().for_each(|handle| c.close(*handle).unwrap());
    assert_eq!(charged(&rig, &c), empty + slots);
    // dma-bufs of one object.
    let bo = c.bo(4096, 1).unwrap();
    let before = charged(&rig, &c);
    let files = fill(&|| c.export(bo.handle).map(|fd| fd as u32), 512);
    files.iter().for_each(|fd| c.caller.close_fd(*fd as i32));
    assert_eq!(charged(&rig, &c), before);
    drop((bo, c));
    rig.finish();
}

/// The system's own accounting, as racct(4) with its limits for users and jails. Catches: memory of
/// the kernel's that it does not know of, an object counted twice, a refused call that leaves
/// something, what is charged after a client's end.
#[test]
fn what_the_kernel_takes_is_charged_with_the_system() {
    let rig = Rig::new();
    let system = || rig.world().counters().charged_bytes;
    assert_eq!(system(), 0);
    let c = Client::open_of(&rig, 1).unwrap();
    let empty = system();
    assert_eq!(empty, c.stat("mem"), "a file without objects");
    let bo = c.bo(1 << 20, 1).unwrap();
    assert_eq!(
        system(),
        c.stat("mem") - (1 << 20),
        "all but the buffer's pages"
    );
    assert!(system() > empty, "its tables and its handle");
    let fd = c.export(bo.handle).unwrap();
    c.expect_works();
    let (before, counters) = (c.stat("mem"), rig.world().counters());
    rig.world().limit_charges(system());
    assert_eq!(c.bo(4096, 1).err(), Some(errno::ENOMEM));
    assert_eq!(Client::open_of(&rig, 1).err(), Some(errno::ENOMEM));
    assert_eq!((c.stat("mem"), rig.world().counters()), (before, counters));
    rig.world().limit_charges(u64::MAX);
    c.caller.close_fd(fd);
    c.close(bo.handle).unwrap();
    c.expect_works();
    drop((bo, c));
    assert_eq!(system(), 0);
    rig.finish();
}

/// Memory that comes when the GPU asks for it, by way of its dma-buf. Catches: pages of a heap that
/// is not charged.
#[test]
fn a_heap_is_not_mapped_through_its_dma_buf() {
    let rig = Rig::with("rk3399", with_memory(4 << 20));
    let c = rig.client();
    let heap = c.bo(64 << 20, 3).unwrap();
    let fd = c.export(heap.handle).unwrap();
    let file = c.caller.fd(fd).unwrap();
    assert_eq!(file.mmap(0, 64 << 20).err(), Some(errno::EINVAL));
    assert_eq!(rig.world().counters().object_pages, 0);
    drop(file);
    c.caller.close_fd(fd);
    drop((heap, c));
    rig.finish();
}

/// RAM itself runs out. Catches: a BO half there.
#[test]
fn ram_runs_out() {
    let config = drm_os_host::Config {
        pages: 4096,
        ..Default::default()
    };
    let rig = Rig::with("rk3399", config);
    let c = rig.client();
    c.expect_works();
    let before = rig.world().counters();
    assert_eq!(c.bo(64 << 20, 1).err(), Some(errno::ENOMEM));
    assert_eq!(rig.world().counters(), before);
    c.expect_works();
    drop(c);
    rig.finish();
}
