// SPDX-License-Identifier: BSD-2-Clause
//! The same calls have the same results.

use super::{Probe, ANY, CACHED, WC};
use drm_os_host::{sys, Config, Node, World};
use glue_tests::memory::*;

/// The results of the same calls of both implementations, as text; the macro below calls `f` for
/// each.
macro_rules! says {
    ($prefix:ident, $dev:expr, $attr:expr) => {{
        let (dev, mut said) = ($dev, Vec::<(String, i64)>::new());
        paste_calls!($prefix, dev, $attr, said);
        said
    }};
}

/// The calls, with the names of one implementation.
macro_rules! paste_calls {
    (host, $dev:ident, $attr:expr, $said:ident) => {
        calls!(
            $dev,
            $attr,
            $said,
            sys::drm_os_object_create,
            sys::drm_os_object_wire,
            sys::drm_os_object_purge,
            sys::drm_os_object_resident,
            sys::drm_os_object_kmap,
            sys::drm_os_object_kunmap,
            sys::drm_os_object_unref,
            sys::drm_os_run_alloc,
            sys::drm_os_run_free,
            sys::drm_os_page_alloc,
            sys::drm_os_page_free,
            sys::drm_os_page_kva
        )
    };
    (fbsd, $dev:ident, $attr:expr, $said:ident) => {
        calls!(
            $dev,
            $attr,
            $said,
            fbsd_object_create,
            fbsd_object_wire,
            fbsd_object_purge,
            fbsd_object_resident,
            fbsd_object_kmap,
            fbsd_object_kunmap,
            fbsd_object_unref,
            fbsd_run_alloc,
            fbsd_run_free,
            fbsd_page_alloc,
            fbsd_page_free,
            fbsd_page_kva
        )
    };
}

macro_rules! calls {
    ($dev:ident, $attr:expr, $said:ident, $create:path, $wire:path, $purge:path, $resident:path,
     $kmap:path, $kunmap:path, $unref:path, $run:path, $run_free:path, $page:path,
     $page_free:path, $kva:path) => {
        let mut say = |what: String, n: i64| $said.push((what, n));
        let mut pas = [0; 8];
        for size in [0, 1, 4095, 4097] {
            let mut o = std::ptr::null_mut();
            say(
                format!("create {size}"),
                $create($dev, size, $attr, &mut o).into(),
            );
            assert!(o.is_null(), "{size}");
        }
        let mut o = std::ptr::null_mut();
        say(
            "create 8 pages".into(),
            $create($dev, 8 * 4096, $attr, &mut o).into(),
        );
        if !o.is_null() {
            for (first, count) in [
                (0, 0),
                (8, 0),
                (9, 0),
                (0, 9),
                (7, 2),
                (u64::MAX, 2),
                (2, u64::MAX),
                (3, 2),
            ] {
                let what = format!("wire {first} + {count}");
                say(
                    what.clone(),
                    $wire(o, first, count, pas.as_mut_ptr()).into(),
                );
                say(what, $resident(o) as i64);
            }
            let mut kva = std::ptr::null_mut();
            say("kmap".into(), $kmap(o, &mut kva).into());
            say("resident when mapped".into(), $resident(o) as i64);
            say("purge when mapped".into(), $purge(o).into());
            $kunmap(o);
            for what in ["purge", "purge again"] {
                say(what.into(), $purge(o).into());
                say(what.into(), $resident(o) as i64);
            }
            say(
                "wire when purged".into(),
                $wire(o, 0, 1, pas.as_mut_ptr()).into(),
            );
            say(
                "wire nothing when purged".into(),
                $wire(o, 0, 0, pas.as_mut_ptr()).into(),
            );
            say(
                "wire beyond when purged".into(),
                $wire(o, 8, 1, pas.as_mut_ptr()).into(),
            );
            say("kmap when purged".into(), $kmap(o, &mut kva).into());
            $unref(o);
        }
        for size in [
            0,
            1,
            2048,
            4095,
            4096,
            8192,
            3 * 4096,
            1 << 20,
            2 << 20,
            4 << 20,
            u64::MAX,
        ] {
            let mut pa = 7;
            let e = $run($dev, size, &mut pa);
            say(format!("run {size}"), e.into());
            if e == 0 {
                say(format!("alignment of run {size}"), (pa % size) as i64);
                say("its address".into(), i64::from(!$kva($dev, pa).is_null()));
                say(
                    "of its last page".into(),
                    i64::from(!$kva($dev, pa + size - 4096).is_null()),
                );
                $run_free($dev, pa, size);
                say("when freed".into(), i64::from(!$kva($dev, pa).is_null()));
            } else {
                say("a failed run".into(), pa as i64);
            }
        }
        let mut pa = 0;
        say("page".into(), $page($dev, &mut pa).into());
        say("its address".into(), i64::from(!$kva($dev, pa).is_null()));
        $page_free($dev, pa);
        say("when freed".into(), i64::from(!$kva($dev, pa).is_null()));
        for pa in [0, 1, u64::MAX] {
            say(
                format!("address of {pa}"),
                i64::from(!$kva($dev, pa).is_null()),
            );
        }
    };
}

#[test]
fn the_same_calls_have_the_same_results() {
    for attr in [CACHED, WC, 2, u32::MAX] {
        let w = World::new(Config::default());
        let d = w.add_device(Node::default(), Box::<Probe>::default());
        let mut k = Kernel::get();
        let dev = k.dev(false, ANY, ANY);
        // SAFETY: live devices, and all that is made is given back.
        let (host, ours) = unsafe { (says!(host, d.as_raw(), attr), says!(fbsd, dev, attr)) };
        assert_eq!(ours, host, "attribute {attr}");
        w.assert_clean();
    }
}
