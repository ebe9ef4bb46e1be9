// SPDX-License-Identifier: BSD-2-Clause
//! The list of buffers.

use super::{new_target, open, PAGE, UNKNOWN};
use atf::etnaviv::{refuse_work, Board};
use atf::{require, require_eq, require_ok};
use uapi::etnaviv::*;

pub(super) fn bad_bos(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    let target = new_target(&client);
    let foreign = require_ok!(other.bo(PAGE));
    let spare = [require_ok!(other.bo(PAGE)), require_ok!(other.bo(PAGE))];
    require!(spare.iter().all(|bo| bo.handle != foreign.handle));
    let good = target.work(&client);
    for handle in [0, UNKNOWN, u32::MAX, spare[1].handle] {
        let mut work = good.clone();
        work.bos[0].handle = handle;
        // Not ENOENT, as elsewhere.
        refuse_work(&client, &work, libc::EINVAL);
        work = good.clone();
        work.bos.push(SubmitBo {
            handle,
            flags: SUBMIT_BO_READ,
            presumed: 0x7000_0000,
        });
        refuse_work(&client, &work, libc::EINVAL);
    }
    for flags in [4, 8, 0x2000, 0x4000, 1 << 31, u32::MAX] {
        let mut work = good.clone();
        work.bos[0].flags = flags;
        refuse_work(&client, &work, libc::EINVAL);
    }
    require!(target.is_untouched());
    require_ok!(client.cpu_prep(
        target.bo.handle,
        PREP_WRITE | PREP_NOSYNC,
        Timespec::default()
    ));
}

/// The flags say what the work is waited for; none are as good as READ.
pub(super) fn bo_flags(board: &'static Board) {
    let client = open(board);
    for flags in [
        0,
        SUBMIT_BO_READ,
        SUBMIT_BO_WRITE,
        SUBMIT_BO_READ | SUBMIT_BO_WRITE,
    ] {
        let target = new_target(&client);
        let mut work = target.work(&client);
        work.bos[0].flags = flags;
        require_eq!(client.run(&work), Ok(1));
        require!(target.is_done(), "flags {flags}");
    }
}

pub(super) fn bo_twice(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let good = target.work(&client);
    let mut work = good.clone();
    work.bos.push(work.bos[0]);
    refuse_work(&client, &work, libc::EALREADY);
    let between = require_ok!(client.bo(PAGE));
    work = good.clone().names(&between);
    work.bos.push(work.bos[0]);
    refuse_work(&client, &work, libc::EALREADY);
    // Two handles would be one buffer if a file had more than one of it: importing gives the first.
    let fd = require_ok!(client.node.export(target.bo.handle, libc::O_CLOEXEC));
    require_eq!(client.node.import(&fd), Ok(target.bo.handle));
    require!(target.is_untouched());
    require_ok!(client.cpu_prep(
        target.bo.handle,
        PREP_WRITE | PREP_NOSYNC,
        Timespec::default()
    ));
    require_eq!(client.run(&good), Ok(1));
    require!(target.is_done());
}
