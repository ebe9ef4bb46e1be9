// SPDX-License-Identifier: BSD-2-Clause
//! A whole driver: attach, open, ioctl, mmap, exported files, detach, and all of it with the n-th
//! allocation failing.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "calls of drm_os.h as C makes them, with handles that the test made"
)]

#[path = "../common/mod.rs"]
mod common;
mod toy;
use common::*;
use drm_os_host::{sys, Caller, Config, Device, File, World};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::Arc;
use toy::*;

const ENOMEM: i32 = sys::DRM_OS_ENOMEM as i32;
const RENDER: u32 = sys::DRM_OS_MINOR_RENDER;

fn call(f: &File, c: &Caller, nr: u32, arg: u64) -> Result<u64, i32> {
    let mut data = arg.to_ne_bytes();
    f.ioctl(c, GROUP, nr, &mut data)
        .map(|()| u64::from_ne_bytes(data))
}

fn attached(cfg: Config) -> (World, Device, Caller) {
    let (w, d) = virtual_toy(cfg);
    d.attach(table()).unwrap();
    let c = Caller::local(&w, "client");
    (w, d, c)
}

#[test]
fn attach_checks_compatible_and_detach_open_files() {
    let (w, d, c) = attached(Config::default());
    assert_eq!(d.attach(table()), Err(sys::DRM_OS_EBUSY as i32));
    assert_eq!(w.log_lines(), ["<6> toy0: attached"]);
    let other = drm_os_host::Node {
        compatible: vec!["acme,anvil".into()],
        ..node()
    };
    let anvil = w.add_device(other, Box::<Toy>::default());
    assert_eq!(anvil.attach(table()), Err(sys::DRM_OS_ENXIO as i32));
    assert_eq!(anvil.open(RENDER, &c).err(), Some(sys::DRM_OS_ENXIO as i32));
    assert_eq!(
        d.open(sys::DRM_OS_MINOR_PRIMARY, &c).err(),
        Some(sys::DRM_OS_ENXIO as i32)
    );
    let f = d.open(RENDER, &c).unwrap();
    let g = f.clone();
    assert!(f.same(&g) && f.id() == g.id());
    assert_eq!(d.stats(), [("files".to_string(), 1)]);
    assert_eq!(w.lowmem(100), 5);
    drop(f);
    assert_eq!(d.detach(false), Err(sys::DRM_OS_EBUSY as i32));
    drop(g);
    d.detach(false).unwrap();
    assert_eq!(d.detach(false), Err(sys::DRM_OS_ENXIO as i32));
    assert_eq!((w.lowmem(100), d.stats()), (0, vec![]));
    w.assert_clean();
}

#[test]
fn attach_sees_the_other_devices_of_the_driver() {
    let (w, d) = virtual_toy(Config::default());
    let all: Vec<Device> = [d]
        .into_iter()
        .chain((1..4).map(|_| w.add_device(node(), Box::<Toy>::default())))
        .collect();
    let attach = |n: usize| {
        all[n].attach(table()).unwrap();
        SEEN.take()
    };
    let (none, second) = attach(1);
    assert_eq!(none, []);
    let (one, first) = attach(0);
    assert_eq!(one, [second]);
    all[3].attach(table()).unwrap();
    let (two, last) = SEEN.take();
    assert_eq!(two, [first, second], "in the order of the bus");
    all[0].detach(false).unwrap();
    assert_eq!(attach(2).0, [second, last]);
    // A device whose attach failed is not a peer.
    w.fail_allocation(Some(0));
    assert_eq!(all[0].attach(table()), Err(ENOMEM));
    all[2].detach(false).unwrap();
    assert_eq!(attach(2).0, [second, last]);
    dies(
        &["drm_os_dev_peer of a device that is not being attached"],
        || {
            unsafe { sys::drm_os_dev_peer(all[1].as_raw(), 0) };
        },
    );
    for d in &all[1..] {
        d.detach(false).unwrap();
    }
    w.assert_clean();
}

#[test]
fn a_dump_is_whole_until_it_is_cleared() {
    let (w, d) = virtual_toy(Config::default());
    assert_eq!(d.dump(), []);
    d.clear_dump();
    d.attach(table()).unwrap();
    let expect: Vec<u8> = (0..DUMP_LEN).map(|i| (i % 251) as u8).collect();
    assert!(d.dump() == expect);
    assert!(d.dump() == expect, "a read does not clear it");
    d.clear_dump();
    assert_eq!(d.dump(), []);
    d.detach(false).unwrap();
    w.assert_clean();
}

#[test]
fn ioctl_moves_its_argument_only_on_success() {
    let (w, d, c) = attached(Config::default());
    let f = d.open(RENDER, &c).unwrap();
    let mut data = [1u8; 8];
    assert_eq!(
        f.ioctl(&c, GROUP, NR_FAIL, &mut data),
        Err(sys::DRM_OS_EBUSY as i32)
    );
    assert_eq!(data, [1; 8]);
    let word = 41u32;
    let at = std::ptr::from_ref(&word) as u64;
    assert_eq!(call(&f, &c, NR_BUMP, at), Ok(at));
    assert_eq!(unsafe { std::ptr::from_ref(&word).read_volatile() }, 42);
    assert_eq!(call(&f, &c, NR_BUMP, 16), Err(sys::DRM_OS_EFAULT as i32));
    let mut comm = [0xffu8; 5];
    unsafe {
        sys::drm_os_caller_comm(c.as_raw(), comm.as_mut_ptr().cast(), 4);
        assert_eq!(&comm, b"cli\0\xff");
        assert_eq!(
            sys::drm_os_caller_pid(c.as_raw()),
            std::process::id() as i32
        );
        assert_eq!(sys::drm_os_caller_privileged(c.as_raw()), 0);
    }
    assert_eq!((f.poll(), f.size()), (false, Err(29)));
    drop(f);
    d.detach(false).unwrap();
    w.assert_clean();
}

#[test]
fn exports_are_files_that_can_be_found_again() {
    let (w, d, c) = attached(Config::default());
    let f = d.open(RENDER, &c).unwrap();
    let fd = call(&f, &c, NR_EXPORT, 0).unwrap();
    let e = c.fd(fd as i32).unwrap();
    assert_eq!((e.size(), e.poll()), (Ok(BUF_PAGES * 4096), false));
    assert_eq!(
        e.ioctl(&c, GROUP, 0, &mut []),
        Err(sys::DRM_OS_ENOTTY as i32)
    );
    assert_eq!(e.mmap(0, 4096).err(), Some(sys::DRM_OS_ENODEV as i32));
    let woken = Arc::new(AtomicU32::new(0));
    let n = woken.clone();
    e.on_wake(Box::new(move || {
        n.fetch_add(1, Relaxed);
    }));
    call(&f, &c, NR_WAKE, 0).unwrap();
    assert_eq!(woken.load(Relaxed), 1);
    let m = f.mmap(4096, 4097).unwrap();
    assert_eq!((m.len(), m.memfd_offset()), (8192, 4096));
    assert_eq!(call(&f, &c, NR_IMPORT, fd), Ok(2));
    assert!(e.poll());
    assert_eq!(
        f.stats(),
        [
            ("resident".to_string(), 2),
            ("copy-register".to_string(), u64::from(COPY))
        ]
    );
    assert_eq!(call(&f, &c, NR_IMPORT, 99), Err(sys::DRM_OS_EBADF as i32));
    use drm_os_host::Process;
    struct Other(File);
    impl Process for Other {
        fn pid(&self) -> i32 {
            7
        }
        fn comm(&self) -> String {
            String::new()
        }
        fn privileged(&self) -> bool {
            true
        }
        fn read(&self, _: u64, _: &mut [u8]) -> Result<(), i32> {
            Err(sys::DRM_OS_EFAULT as i32)
        }
        fn write(&self, _: u64, _: &[u8]) -> Result<(), i32> {
            Err(sys::DRM_OS_EFAULT as i32)
        }
        fn install(&self, _: File, _: bool) -> Result<i32, i32> {
            Err(sys::DRM_OS_EMFILE as i32)
        }
        fn withdraw(&self, _: i32) {
            unreachable!("nothing was installed")
        }
        fn file(&self, _: i32) -> Result<File, i32> {
            Ok(self.0.clone())
        }
    }
    let other = Caller::new(&w, Arc::new(Other(f.clone())));
    assert_eq!(
        call(&f, &other, NR_IMPORT, 0),
        Err(sys::DRM_OS_EINVAL as i32),
        "a file with other ops"
    );
    assert_eq!(
        call(&f, &other, NR_EXPORT, 0),
        Err(sys::DRM_OS_EMFILE as i32)
    );
    drop(other);
    // The export keeps the buffer after the device's file is closed; the mapping keeps it after
    // both are.
    drop(f);
    assert_eq!(w.counters().files, 1);
    c.close_fd(fd as i32);
    drop(e);
    assert_eq!((w.counters().files, w.counters().objects), (0, 1));
    m.write(8188, &[1, 2, 3, 4]);
    assert_eq!(m.read_u32(8188), u32::from_ne_bytes([1, 2, 3, 4]));
    drop(m);
    d.detach(false).unwrap();
    w.assert_clean();
}

#[test]
fn a_purged_mapping_is_sigbus() {
    let (w, d, c) = attached(Config::default());
    let f = d.open(RENDER, &c).unwrap();
    let m = f.mmap(0, 4096).unwrap();
    m.write_u32(0, 5);
    assert_eq!(m.read_u32(0), 5);
    let (signal, _) = child(|| {
        m.write_u32(4, 1);
    });
    assert_eq!(signal, 0, "the child shares the memory");
    assert_eq!(m.read_u32(4), 1);
    call(&f, &c, NR_PURGE, 0).unwrap();
    assert_eq!(f.stats()[0].1, 0);
    for late in [false, true] {
        let (signal, _) = child(|| {
            let again = f.mmap(0, 4096).unwrap();
            let m = if late { &again } else { &m };
            m.read_u32(0);
        });
        assert_eq!(signal, libc::SIGBUS);
    }
    drop((m, f));
    d.detach(false).unwrap();
    w.assert_clean();
}

/// The calls of a client, up to the first error.
fn life(w: &World, d: &Device) -> Result<(), i32> {
    d.attach(table())?;
    let c = Caller::local(w, "client");
    let r = (|| {
        let f = d.open(RENDER, &c)?;
        let fd = call(&f, &c, NR_EXPORT, 0)?;
        let m = f.mmap(0, BUF_PAGES * 4096)?;
        m.write_u32(0, 1);
        call(&f, &c, NR_IMPORT, fd)?;
        Ok(())
    })();
    drop(c);
    d.detach(false).unwrap();
    r
}

#[test]
fn every_allocation_may_fail_and_nothing_is_left() {
    let (w, d) = virtual_toy(Config::default());
    let mut failures = 0;
    for n in 0.. {
        let before = w.counters().failed_allocations;
        w.fail_allocation(Some(n));
        let r = life(&w, &d);
        w.assert_clean();
        if w.counters().failed_allocations == before {
            assert_eq!(r, Ok(()));
            break;
        }
        assert_eq!(r, Err(ENOMEM));
        failures += 1;
    }
    // softc, mtx, mmio, minor; client, object; file, descriptor.
    assert_eq!(failures, 8);
}

#[test]
fn leaks_are_listed() {
    dies(
        &[
            "left over: mallocs=2",
            "objects=1",
            "files=1",
            "minors=1",
            "mtxs=1",
        ],
        || {
            let (w, d, c) = attached(Config::default());
            let _f = d.open(RENDER, &c).unwrap();
            w.assert_clean();
        },
    );
    dies(&["taskqueues=1; task queues: \"idle\" (0 tasks)"], || {
        let w = World::new(Config::default());
        queue(&w, c"idle");
        w.assert_clean();
    });
}

#[test]
fn an_ioctl_that_keeps_a_lock_is_reported() {
    unsafe extern "C" fn keeps(
        p: *mut std::ffi::c_void,
        _: *mut sys::drm_os_caller,
        _: u32,
        _: u32,
        _: *mut std::ffi::c_void,
        _: u32,
    ) -> i32 {
        sys::drm_os_mtx_lock(p.cast());
        0
    }
    static OPS: sys::drm_os_file_ops = sys::drm_os_file_ops {
        release: None,
        ioctl: Some(keeps),
        mmap: None,
        poll: None,
        size: None,
    };
    dies(&["ioctl returned with mtx \"kept\" held"], || {
        let w = World::new(Config::default());
        let m = mtx(&w, c"kept");
        let c = Caller::local(&w, "x");
        let f =
            make(|p| unsafe { sys::drm_os_file_create(w.as_raw(), &OPS, m.cast(), p) }).unwrap();
        let mut fd = 0;
        assert_eq!(
            unsafe { sys::drm_os_file_install(c.as_raw(), f, 0, &mut fd) },
            0
        );
        let _ = c.fd(fd).unwrap().ioctl(&c, 0, 0, &mut []);
    });
}

#[test]
fn the_type_check_names_every_function_of_the_header() {
    let bindings = include_str!("../../../../../sys/dev/drm/kpi/src/os/bindings.rs");
    let check = include_str!("../../src/check.rs");
    let checked: Vec<&str> = check
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .collect();
    let mut n = 0;
    for f in bindings
        .split("pub fn ")
        .skip(1)
        .map(|s| s.split('(').next().unwrap())
    {
        assert!(checked.contains(&f), "{f} is not checked");
        n += 1;
    }
    assert!(n > 70);
}

#[test]
fn files_and_mappings_may_outlive_their_world() {
    let (w, d, c) = attached(Config::default());
    let f = d.open(RENDER, &c).unwrap();
    let m = f.mmap(0, 4096).unwrap();
    call(&f, &c, NR_EXPORT, 0).unwrap();
    drop((w, d));
    m.write_u32(0, 3);
    assert_eq!(m.read_u32(0), 3);
    drop(f);
    drop((c, m));
}
