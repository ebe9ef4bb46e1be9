// SPDX-License-Identifier: BSD-2-Clause
//! The cache is maintained where the host moves lines.

use super::{fbsd, Kind, Probe, CACHED, PAGE, PAGES, TO_CPU, TO_DEVICE, WC};
use drm_os_host::{sys, Caller, Config, Device, Node, World};
use glue_tests::memory::*;
use std::collections::BTreeSet;

/// Memory of this process, in whole pages.
struct Area(Box<[[u8; PAGE]]>, usize);

impl Area {
    fn new(pages: usize) -> Area {
        let memory = vec![[0; PAGE]; pages + 1].into_boxed_slice();
        let at = (memory.as_ptr() as usize).next_multiple_of(PAGE);
        Area(memory, at)
    }

    fn bytes(&mut self, pages: usize) -> &mut [u8] {
        let skip = self.1 - self.0.as_ptr() as usize;
        &mut self.0.as_flattened_mut()[skip..skip + pages * PAGE]
    }
}

/// Offsets of the lines that a sync moves on the host.
fn moved(kind: Kind, coherent: bool, dir: u32, off: u64, len: u64) -> BTreeSet<u64> {
    let w = World::new(Config {
        coherence: true,
        pages: 1024,
        ..Config::default()
    });
    let node = Node {
        name: "probe0".into(),
        mmio_len: 16,
        coherent,
        ..Node::default()
    };
    let d = w.add_device(node, Box::<Probe>::default());
    let c = Caller::local(&w, "x");
    let mut area = Area::new(PAGES);
    let (mut o, mut m, mut kva) = (
        std::ptr::null_mut(),
        std::ptr::null_mut(),
        std::ptr::null_mut(),
    );
    let size = (PAGES * PAGE) as u64;
    let mut pas = [0; PAGES];
    unsafe {
        assert_eq!(
            sys::drm_os_mmio_map(d.as_raw(), std::ptr::null(), 16, &mut m),
            0
        );
        let made = match kind {
            Kind::Cached => sys::drm_os_object_create(d.as_raw(), size, CACHED, &mut o),
            Kind::Uncached => sys::drm_os_object_create(d.as_raw(), size, WC, &mut o),
            Kind::User => sys::drm_os_object_create_user(
                d.as_raw(),
                c.as_raw(),
                area.1 as u64,
                size,
                1,
                &mut o,
            ),
        };
        assert_eq!(made, 0);
        assert_eq!(
            sys::drm_os_object_wire(o, 0, PAGES as u64, pas.as_mut_ptr()),
            0
        );
        if kind != Kind::User {
            assert_eq!(sys::drm_os_object_kmap(o, &mut kva), 0);
        }
    }
    let mut cpu = |write: Option<u8>| -> Vec<u8> {
        let bytes = match kind {
            Kind::User => area.bytes(PAGES),
            // SAFETY: the object's mapping.
            _ => unsafe { std::slice::from_raw_parts_mut(kva.cast(), PAGES * PAGE) },
        };
        write.into_iter().for_each(|v| bytes.fill(v));
        bytes.to_vec()
    };
    let device = |d: &Device, write: Option<u8>| -> Vec<u8> {
        d.with_hardware(|hw| {
            let probe = hw.as_any().downcast_mut::<Probe>().unwrap();
            (probe.pas, probe.write) = (pas.to_vec(), write.is_some());
            probe.data = vec![write.unwrap_or(0); PAGES * PAGE];
        });
        unsafe { sys::drm_os_mmio_write4(m, 0, 0) };
        d.with_hardware(|hw| hw.as_any().downcast_mut::<Probe>().unwrap().data.clone())
    };
    let (before, after);
    if dir == TO_DEVICE {
        cpu(Some(0x5a));
        before = device(&d, None);
        unsafe { sys::drm_os_object_sync(o, off, len, dir) };
        after = device(&d, None);
    } else {
        device(&d, Some(0xa5));
        before = cpu(None);
        unsafe { sys::drm_os_object_sync(o, off, len, dir) };
        after = cpu(None);
    }
    unsafe {
        if kind != Kind::User {
            sys::drm_os_object_kunmap(o);
        }
        sys::drm_os_object_unref(o);
        sys::drm_os_mmio_unmap(m);
    }
    w.assert_clean();
    let lines = before.chunks(64).zip(after.chunks(64)).enumerate();
    lines
        .filter(|(_, (b, a))| b != a)
        .map(|(i, _)| i as u64 * 64)
        .collect()
}

#[test]
fn the_cache_is_maintained_where_the_host_moves_lines() {
    let size = (PAGES * PAGE) as u64;
    let ranges = [
        (0, size),
        (0, 1),
        (63, 2),
        (4095, 2),
        (64, 128),
        (5000, 3000),
        (size - 1, 1),
        (size - 1, 100),
        (size, 64),
        (size + 4096, 1),
        (u64::MAX - 3, 2),
        (4096, u64::MAX),
        (100, 0),
    ];
    for kind in [Kind::Cached, Kind::Uncached, Kind::User] {
        for coherent in [false, true] {
            let mut k = Kernel::get();
            let (o, pas) = fbsd(&mut k, kind, coherent);
            for (off, len) in ranges {
                for dir in [TO_DEVICE, TO_CPU] {
                    let lines = k.lines(|| unsafe { fbsd_object_sync(o, off, len, dir) });
                    assert!(lines.iter().all(|l| l.invalidated == (dir == TO_CPU)));
                    let offset = |l: &Line| {
                        let page = pas.iter().position(|pa| *pa == l.pa & !4095).unwrap();
                        (page * PAGE) as u64 + l.pa % PAGE as u64
                    };
                    let ours: BTreeSet<u64> = lines.iter().map(offset).collect();
                    assert_eq!(ours.len(), lines.len(), "a line twice");
                    let host = moved(kind, coherent, dir, off, len);
                    let what =
                        format!("{kind:?}, coherent {coherent}, {off} + {len}, direction {dir}");
                    assert_eq!(ours, host, "{what}");
                    let needed = kind != Kind::Uncached && !coherent && off < size && len != 0;
                    assert_eq!(!ours.is_empty(), needed, "{what}");
                }
            }
            unsafe { fbsd_object_unref(o) };
        }
    }
}
