// SPDX-License-Identifier: BSD-2-Clause
//! Memory of processes: what is taken, who waits for it, who pays for it.

use super::{
    fbsd, Kind, ANY, BELOW_4G, EBUSY, EFAULT, EINVAL, ENOMEM, NORMAL, PAGES, UNCACHED, WC,
};
use drm_os_host::sys;
use glue_tests::memory::*;

#[test]
fn data_may_lie_where_tables_may_not() {
    let mut k = Kernel::get();
    let dev = k.dev(false, BELOW_4G, (1 << 40) - 1);
    let (mut o, mut pa, mut page, mut run) = (std::ptr::null_mut(), 0, 0, 0);
    k.user_page(0, UserPage::High);
    unsafe {
        assert_eq!(fbsd_object_create(dev, 4096, WC, &mut o), 0);
        assert_eq!(fbsd_object_wire(o, 0, 1, &mut pa), 0);
        assert!(pa > BELOW_4G);
        fbsd_object_unref(o);
        assert_eq!(
            fbsd_object_create_user(dev, fake_caller(), USER, 4096, 0, &mut o),
            0
        );
        fbsd_object_unref(o);
        assert_eq!(
            (
                fbsd_page_alloc(dev, &mut page),
                fbsd_run_alloc(dev, 65536, &mut run)
            ),
            (0, 0)
        );
        assert!(page < BELOW_4G && run < BELOW_4G);
        fbsd_page_free(dev, page);
        fbsd_run_free(dev, run, 65536);
    }
}

#[test]
fn only_ordinary_memory_of_a_process_is_taken() {
    let mut k = Kernel::get();
    let dev = k.dev(false, BELOW_4G, BELOW_4G);
    let kinds = [
        UserPage::Low,
        UserPage::High,
        UserPage::Device,
        UserPage::Uncached,
    ];
    kinds
        .iter()
        .zip(0..)
        .for_each(|(kind, i)| k.user_page(i, *kind));
    let create = |at: u64, size: u64| {
        let mut o = std::ptr::null_mut();
        let e = unsafe { fbsd_object_create_user(dev, fake_caller(), at, size, 1, &mut o) };
        if e == 0 {
            unsafe { fbsd_object_unref(o) };
        }
        e
    };
    assert_eq!(create(USER, 4096), 0);
    for page in 1..5 {
        assert_eq!(create(USER + page * 4096, 4096), EFAULT, "page {page}");
    }
    assert_eq!(create(USER, 8192), EFAULT, "one of them");
    assert_eq!(create(USER, 0), EINVAL);
    assert_eq!(create(USER + 1, 4096), EINVAL);
    assert_eq!(create(USER, 100), EINVAL);
    assert_eq!(create(USER, !4095), EFAULT);
    assert_eq!(k.counts().pages, 4);
}

/// Pages that mlock(2) wired must stay in the object, where munlock(2) finds them.
#[test]
fn pages_that_others_have_wired_are_not_taken() {
    let mut k = Kernel::get();
    let (o, _) = fbsd(&mut k, Kind::Uncached, false);
    unsafe {
        let vm = fake_vm_of(o);
        fake_wire(vm, 1, 1);
        assert_eq!(fbsd_object_purge(o), EBUSY);
        assert_eq!(fbsd_object_resident(o), PAGES as u64);
        assert!((0..PAGES as u64).all(|i| fake_page(vm, i) == UNCACHED));
        fake_wire(vm, 1, 0);
        assert_eq!(fbsd_object_purge(o), 0);
        assert_eq!(fbsd_object_resident(o), 0);
        assert_ne!(fake_touch(o, 0, 0), 0, "SIGBUS");
        fbsd_object_unref(o);
    }
}

/// The module is unloaded while a mapping has locked pages.
#[test]
fn locked_pages_outlive_the_driver() {
    let mut k = Kernel::get();
    let (o, _) = fbsd(&mut k, Kind::Uncached, false);
    unsafe {
        let vm = fake_vm_of(o);
        fake_wire(vm, 1, 1);
        assert_eq!(drm_objects_revoke(1), 0);
        assert_eq!((fake_page(vm, 0), fake_page(vm, 2)), (-1, -1));
        assert_eq!(fake_page(vm, 1), NORMAL, "it is ordinary memory now");
        assert_eq!(k.counts().pages, 1);
        assert_eq!(k.wired(), 0, "by the driver");
        fake_wire(vm, 1, 0);
        fake_unref(vm);
        drm_objects_init();
    }
}

/// Catches: an unload that does not end while there are buffers.
#[test]
fn a_revoke_ends_at_its_time_and_is_tried_again() {
    let mut k = Kernel::get();
    let (o, _) = fbsd(&mut k, Kind::Uncached, false);
    unsafe {
        let vm = fake_vm_of(o);
        assert_eq!(drm_objects_revoke(0), sys::DRM_OS_EBUSY as i32);
        assert_eq!(fake_page(vm, 0), UNCACHED, "as it was");
        assert_eq!(drm_objects_revoke(1), 0);
        assert_eq!(fake_page(vm, 0), -1);
        fake_unref(vm);
        drm_objects_init();
    }
}

/// Pages are counted in vm.max_user_wired, which is checked before a page is allocated.
#[test]
fn wired_pages_count_for_users() {
    let mut k = Kernel::get();
    let dev = k.dev(false, ANY, ANY);
    let (mut o, mut user, mut pas) = (std::ptr::null_mut(), std::ptr::null_mut(), [0; 1024]);
    (0..4).for_each(|page| k.user_page(page, UserPage::Low));
    let waits = k.counts().waits;
    unsafe {
        assert_eq!(fbsd_object_create(dev, 1024 * 4096, WC, &mut o), 0);
        assert_eq!(k.wired(), 0, "it has no page yet");
        assert_eq!(fbsd_object_wire(o, 0, 600, pas.as_mut_ptr()), 0);
        assert_eq!(fake_touch(o, 700, 0), 0);
        assert_eq!(fake_touch(o, 701, 1), 0);
        assert_eq!(k.wired(), 602);
        k.max_user_wired(603);
        assert_eq!(fbsd_object_wire(o, 600, 2, pas.as_mut_ptr()), ENOMEM);
        assert_eq!((k.wired(), fbsd_object_resident(o)), (603, 603));
        assert_ne!(fake_touch(o, 702, 0), 0, "SIGBUS");
        assert_ne!(fake_touch(o, 702, 1), 0, "SIGBUS");
        assert_eq!(
            fbsd_object_wire(o, 512, 512, pas.as_mut_ptr()),
            ENOMEM,
            "nor a block"
        );
        let hold =
            |user: &mut _| fbsd_object_create_user(dev, fake_caller(), USER, 4 * 4096, 1, user);
        assert_eq!(hold(&mut user), ENOMEM);
        assert_eq!((k.wired(), fbsd_object_resident(o)), (603, 603));
        assert_eq!(
            k.counts().waits,
            waits,
            "no thread waits for memory that is not short"
        );
        assert_eq!(fbsd_object_purge(o), 0);
        assert_eq!(k.wired(), 0);
        assert_eq!(hold(&mut user), 0);
        assert_eq!(k.wired(), 4);
        fbsd_object_unref(user);
        assert_eq!(
            fbsd_object_create_user(dev, fake_caller(), USER, 5 * 4096, 1, &mut user),
            EFAULT
        );
        assert_eq!(k.wired(), 0);
        fbsd_object_unref(o);
    }
}
