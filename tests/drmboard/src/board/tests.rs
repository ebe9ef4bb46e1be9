// SPDX-License-Identifier: BSD-2-Clause
//! Boards of several cores, with a driver that only attaches, and streams that the tests start
//! themselves.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "calls of drm_os.h as C makes them, with handles that the test made"
)]

use super::*;
use drm_os_host::{Caller, Dma, NoMemory};
use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const ENXIO: c_int = sys::DRM_OS_ENXIO as c_int;
const EBUSY: c_int = sys::DRM_OS_EBUSY as c_int;

struct Softc {
    nodes: AtomicU64,
    minor: *mut sys::drm_os_minor,
}

unsafe extern "C" fn open(
    _: *mut c_void,
    _: *mut sys::drm_os_caller,
    _: *mut *mut c_void,
) -> c_int {
    EBUSY
}

static FILE_OPS: sys::drm_os_file_ops = sys::drm_os_file_ops {
    release: None,
    ioctl: None,
    mmap: None,
    poll: None,
    size: None,
};

/// The first node makes the device, others join it.
unsafe extern "C" fn join(dev: *mut sys::drm_os_dev, softc: *mut *mut c_void) -> c_int {
    let peer = unsafe { sys::drm_os_dev_peer(dev, 0) }.cast::<Softc>();
    if !peer.is_null() {
        unsafe {
            (*peer).nodes.fetch_add(1, Relaxed);
            *softc = peer.cast();
        }
        return 0;
    }
    unsafe { alone(dev, softc) }
}

unsafe extern "C" fn alone(dev: *mut sys::drm_os_dev, softc: *mut *mut c_void) -> c_int {
    let mut minor = std::ptr::null_mut();
    let (kind, arg) = (sys::DRM_OS_MINOR_RENDER, std::ptr::null_mut());
    let r =
        unsafe { sys::drm_os_minor_register(dev, kind, Some(open), arg, &FILE_OPS, &mut minor) };
    assert_eq!(r, 0);
    let nodes = AtomicU64::new(1);
    unsafe { *softc = Box::into_raw(Box::new(Softc { nodes, minor })).cast() };
    0
}

/// A driver that attaches to the first node only.
unsafe extern "C" fn picky(dev: *mut sys::drm_os_dev, softc: *mut *mut c_void) -> c_int {
    if unsafe { sys::drm_os_dev_peer(dev, 0) }.is_null() {
        unsafe { alone(dev, softc) }
    } else {
        ENXIO
    }
}

unsafe extern "C" fn detach(softc: *mut c_void, force: c_int) -> c_int {
    if force == 0 {
        return EBUSY;
    }
    let s = softc.cast::<Softc>();
    unsafe {
        if !(*s).minor.is_null() {
            sys::drm_os_minor_unregister((*s).minor);
            (*s).minor = std::ptr::null_mut();
        }
        if (*s).nodes.fetch_sub(1, Relaxed) == 1 {
            drop(Box::from_raw(s));
        }
    }
    0
}

unsafe extern "C" fn stat(
    softc: *mut c_void,
    index: u32,
    name: *mut *const c_char,
    value: *mut u64,
) -> c_int {
    if index > 0 {
        return sys::DRM_OS_ENOENT as c_int;
    }
    unsafe {
        *name = c"nodes".as_ptr();
        *value = (*softc.cast::<Softc>()).nodes.load(Relaxed);
    }
    0
}

unsafe extern "C" fn dump(softc: *mut c_void, off: u64, buf: *mut c_void, _: usize) -> usize {
    let nodes = unsafe { (*softc.cast::<Softc>()).nodes.load(Relaxed) };
    if off > 0 {
        return 0;
    }
    unsafe { buf.cast::<u8>().write(nodes as u8) };
    1
}

type Attach = unsafe extern "C" fn(*mut sys::drm_os_dev, *mut *mut c_void) -> c_int;

/// A table that is never freed.
fn driver(attach: Attach) -> *const sys::drm_os_driver {
    let compatible = Box::leak(Box::new([c"vivante,gc".as_ptr(), std::ptr::null()]));
    Box::leak(Box::new(sys::drm_os_driver {
        name: c"null".as_ptr(),
        compatible: compatible.as_ptr(),
        attach: Some(attach),
        detach: Some(detach),
        suspend: None,
        resume: None,
        shutdown: None,
        lowmem: None,
        stat: Some(stat),
        file_stat: None,
        dump: Some(dump),
        dump_clear: None,
    }))
}

fn board(name: &str, attach: Attach) -> Result<Board, String> {
    let parts = parts(name).unwrap();
    // SAFETY: the table is never freed.
    unsafe {
        Board::with_parts(
            parts.cores,
            Config::default(),
            driver(attach),
            "null",
            &|_| (),
        )
    }
}

#[test]
fn one_device_of_two_nodes() {
    let board = board("imx6q", join).unwrap();
    let names: Vec<_> = board.devices().iter().map(Device::name).collect();
    assert_eq!(names, ["gpu@130000", "gpu@134000"]);
    assert_eq!(board.device().name(), "gpu@130000");
    // The first node has the DRM device's nodes.
    let caller = Caller::local(board.world(), "x");
    let open = |n: usize| {
        board.devices()[n]
            .open(sys::DRM_OS_MINOR_RENDER, &caller)
            .err()
    };
    assert_eq!((open(0), open(1)), (Some(EBUSY), Some(ENXIO)));
    assert_eq!(board.stats(), [("nodes".to_owned(), 2)], "of one device");
    assert_eq!(board.dump(), [2]);
    let world = board.world().clone();
    assert_eq!(board.detach(false), Err(EBUSY));
    assert!(board.close().unwrap().is_clean());
    world.assert_clean();
}

#[test]
fn statistics_of_two_devices_add_up() {
    let board = board("imx6q", alone).unwrap();
    assert_eq!(board.stats(), [("nodes".to_owned(), 2)]);
    assert_eq!(board.dump(), [1]);
    assert!(board.close().unwrap().is_clean());
}

#[test]
fn a_node_that_does_not_attach_takes_the_others_along() {
    let world = std::cell::RefCell::new(None);
    let parts = parts("imx6q").unwrap();
    let keep = |w: &World| *world.borrow_mut() = Some(w.clone());
    // SAFETY: the table is never freed.
    let why =
        unsafe { Board::with_parts(parts.cores, Config::default(), driver(picky), "null", &keep) };
    let why = why.err().unwrap();
    assert!(
        why.starts_with("the driver null does not attach to gpu@134000: "),
        "{why}"
    );
    world.take().unwrap().assert_clean();
    // SAFETY: as above.
    let none = unsafe {
        Board::with_parts(
            Vec::new(),
            Config::default(),
            driver(picky),
            "null",
            &|_| (),
        )
    };
    assert!(none.is_err());
}

#[test]
fn faults_go_to_their_core() {
    let board = board("imx6q", join).unwrap();
    let parse = |spec| crate::inject::parse(spec).unwrap();
    board.inject(parse("spurious-irq:core=1,at_ms=1")).unwrap();
    board.inject(parse("reset-stuck")).unwrap();
    assert!(board
        .inject(parse("hang:core=2"))
        .unwrap_err()
        .contains("core 2"));
    assert!(board
        .inject(parse("gpu-fault:core=1"))
        .unwrap_err()
        .contains("kind"));
    // A domain that is off takes no faults.
    board.devices()[1].with_hardware(|hardware| hardware.set_power(&mut Ram::default(), 0, true));
    board.world().advance(2_000_000);
    let injected = |n| board.with_vivante_core(n, |gpu| gpu.stats().injected);
    assert_eq!(
        (injected(0), injected(1), injected(2)),
        (Some(0), Some(1), None)
    );
    assert!(board.with_mali(|_| ()).is_none());
    board.close().unwrap();
}

/// Memory of single words at any address.
#[derive(Default)]
struct Ram(BTreeMap<u64, u8>);

impl Dma for Ram {
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> std::result::Result<(), NoMemory> {
        for (at, byte) in (pa..).zip(buf) {
            *byte = self.0.get(&at).copied().unwrap_or(0);
        }
        Ok(())
    }
    fn write(&mut self, pa: u64, buf: &[u8]) -> std::result::Result<(), NoMemory> {
        self.0.extend((pa..).zip(buf.iter().copied()));
        Ok(())
    }
    fn irq(&mut self, _: usize, _: bool) {}
}

fn loads(states: &[(u32, u32)]) -> Vec<u32> {
    let load = |(address, value): &(u32, u32)| [0x0801_0000 | (address / 4), *value];
    states.iter().flat_map(load).collect()
}

/// Has a core run a stream from `now` on, and gives it a millisecond.
fn run(board: &Board, core: usize, now: u64, mut stream: Vec<u32>) {
    const AT: u64 = 0x1800_0000;
    stream.extend([0x1000_0000, 0]);
    let mut ram = Ram::default();
    for (n, word) in stream.iter().enumerate() {
        ram.write(AT + n as u64 * 4, &word.to_le_bytes()).unwrap();
    }
    board.devices()[core].with_hardware(|hardware| {
        hardware.set_power(&mut ram, now, true);
        // HW: etnaviv.md 2.7: address, then enable and the number of pairs of words.
        hardware.mmio_write(&mut ram, now, 0x654, AT as u32);
        hardware.mmio_write(&mut ram, now, 0x658, (1 << 16) | (stream.len() as u32 / 2));
        while let Some(at) = hardware.next_event().filter(|at| *at < now + 1_000_000) {
            hardware.poll(&mut ram, at);
        }
    });
}

/// A 2D clear of four by two pixels. HW: libdrm tests/etnaviv/etnaviv_2d_test.c.
fn rectangle(color: u32) -> Vec<u32> {
    let states = [
        (0x1228, 0x1900_0000),
        (0x122c, 64),
        (0x1230, 0),
        (0x1234, 6),
        (0x125c, 0x0030_cccc),
        (0x1260, 0),
        (0x1264, 16 << 16 | 16),
        (0x12c0, color),
    ];
    let mut stream = loads(&states);
    stream.extend([0x2000_0100, 0, 0, 2 << 16 | 4]);
    stream
}

/// An RS copy of 16 x 8 linear pixels, four rows by each pipe. HW: Mesa etnaviv_rs.c.
fn copy() -> Vec<u32> {
    loads(&[
        (0x1604, 6 | 6 << 8),
        (0x160c, 64),
        (0x1614, 64),
        (0x16c0, 0x1900_0000),
        (0x16c4, 0x1900_0000),
        (0x16e0, 0x1900_1000),
        (0x16e4, 0x1900_1000),
        (0x1700, 0),
        (0x1704, 4 << 16),
        (0x1620, 4 << 16 | 16),
        (0x163c, 0),
        (0x1600, 0xbeeb_beeb),
    ])
}

#[test]
fn the_last_frame_is_that_of_the_core_that_was_last() {
    let board = board("imx6q", join).unwrap();
    board.set_capture(true);
    assert_eq!(board.last_frame(), None);
    let size = || board.last_frame().map(|frame| (frame.width, frame.height));
    run(&board, 0, 1_000_000, copy());
    assert_eq!(size(), Some((16, 8)));
    run(&board, 1, 3_000_000, rectangle(0x1122_3344));
    assert_eq!(size(), Some((4, 2)));
    assert_eq!(
        board.last_frame().unwrap().pixels[..4],
        [0x22, 0x33, 0x44, 0x11]
    );
    run(&board, 0, 5_000_000, copy());
    assert_eq!(
        size(),
        Some((16, 8)),
        "the same picture again is a later one"
    );
    // Registers that are read later make it no later.
    board.devices()[1]
        .with_hardware(|hardware| hardware.mmio_read(&mut Ram::default(), 7_000_000, 0x20));
    assert_eq!(size(), Some((16, 8)));
    board.close().unwrap();
}

#[test]
fn memory_lies_where_the_boards_have_it() {
    for (name, base, most) in [("imx6q", 0x1000_0000, 3840), ("imx8mq", 0x4000_0000, 4096)] {
        let parts = parts(name).unwrap();
        assert_eq!(parts.ram, Some((base, most << 8)), "{name}");
    }
    assert_eq!((nodes("imx6q").len(), nodes("imx6qp").len()), (2, 1));
    assert!(nodes("imx9").is_empty() && !board_gpus::known("imx9"));
}
