// SPDX-License-Identifier: BSD-2-Clause
//! Arguments that are refused, in which order, and what a refused submit leaves.

use super::{new_target, open, take, FILLED, LIMIT, UNKNOWN};
use atf::drm::BAD_ADDRESS;
use atf::etnaviv::{refuse, Board};
use atf::process::open_descriptors;
use atf::{require, require_eq, require_ok};
use uapi::etnaviv::*;

pub(super) fn bad_pipe(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let work = target.work(&client);
    let mut arg = work.argument();
    // A core that is not there comes before anything else that is wrong.
    arg.flags = u32::MAX;
    for pipe in board.missing_pipes() {
        refuse(&client, GemSubmit { pipe, ..arg }, libc::ENXIO);
    }
    for pipe in [4, 5, 1 << 31, u32::MAX] {
        refuse(&client, GemSubmit { pipe, ..arg }, libc::EINVAL);
    }
    require!(target.is_untouched());
}

pub(super) fn bad_size(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let work = target.work(&client);
    let good = work.argument();
    for less in [1, 2, 3, 5] {
        let stream_size = good.stream_size - less;
        refuse(
            &client,
            GemSubmit {
                stream_size,
                ..good
            },
            libc::EINVAL,
        );
    }
    require!(target.is_untouched());
    require_ok!(take(&client, good));
    require!(target.is_done());
}

pub(super) fn bad_exec_state(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    for core in board.cores {
        let work = client.work_on(core).fill(&target.bo, 0, FILLED);
        let good = work.argument();
        for exec_state in [3, 4, 1 << 31, u32::MAX] {
            refuse(&client, GemSubmit { exec_state, ..good }, libc::EINVAL);
        }
        // Linux takes any of the three and has the front end select a pipe that is not there.
        for exec_state in [PIPE_3D, PIPE_2D, PIPE_VG] {
            if exec_state != core.exec_state {
                refuse(&client, GemSubmit { exec_state, ..good }, libc::EINVAL);
            }
        }
    }
    require!(target.is_untouched());
}

pub(super) fn bad_flags(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let work = target.work(&client);
    let good = work.argument();
    for bit in 4..32 {
        let flags = good.flags | 1 << bit;
        refuse(&client, GemSubmit { flags, ..good }, libc::EINVAL);
    }
    require!(target.is_untouched());
}

pub(super) fn unreadable(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let work = target.work(&client);
    let good = work.argument();
    for bad in [0, BAD_ADDRESS as u64, u64::MAX - 3, 1 << 63] {
        refuse(&client, GemSubmit { bos: bad, ..good }, libc::EFAULT);
        refuse(
            &client,
            GemSubmit {
                stream: bad,
                ..good
            },
            libc::EFAULT,
        );
        let relocs = GemSubmit {
            relocs: bad,
            nr_relocs: 1,
            flags: 0,
            ..good
        };
        refuse(&client, relocs, libc::EFAULT);
        let pmrs = GemSubmit {
            pmrs: bad,
            nr_pmrs: 1,
            ..good
        };
        refuse(&client, pmrs, libc::EFAULT);
    }
    require!(target.is_untouched());
}

/// Everything is wrong, and each step puts one thing right.
pub(super) fn order_of_errors(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let forbidden = target.work(&client).words(&[0x1000_0000, 0]);
    let twice = [forbidden.bos[0]; 2];
    let mut unknown = twice;
    unknown[1].handle = UNKNOWN;
    let request = SubmitPmr {
        read_offset: 1,
        read_idx: 9,
        ..SubmitPmr::default()
    };
    let bad = BAD_ADDRESS as u64;
    let mut arg = GemSubmit {
        pipe: 4,
        exec_state: 9,
        flags: 1 << 31,
        stream_size: 3,
        nr_bos: LIMIT + 1,
        bos: bad,
        relocs: bad,
        stream: bad,
        pmrs: bad,
        nr_pmrs: 1,
        fence_fd: -1,
        ..GemSubmit::default()
    };
    refuse(&client, arg, libc::EINVAL);
    arg.pipe = 3;
    refuse(&client, arg, libc::ENXIO);
    let good = forbidden.argument();
    arg.pipe = good.pipe;
    refuse(&client, arg, libc::EINVAL);
    arg.stream_size = good.stream_size;
    refuse(&client, arg, libc::EINVAL);
    arg.exec_state = good.exec_state;
    refuse(&client, arg, libc::EINVAL);
    arg.flags = good.flags | SUBMIT_FENCE_FD_IN;
    refuse(&client, arg, libc::EINVAL);
    // All is copied before anything of it is checked.
    arg.nr_bos = 2;
    refuse(&client, arg, libc::EFAULT);
    arg.bos = unknown.as_ptr() as u64;
    refuse(&client, arg, libc::EFAULT);
    arg.pmrs = std::ptr::from_ref(&request) as u64;
    refuse(&client, arg, libc::EFAULT);
    arg.relocs = good.relocs;
    arg.nr_relocs = good.nr_relocs;
    refuse(&client, arg, libc::EFAULT);
    arg.stream = good.stream;
    // Handle, stream, descriptor, request: EINVAL all of them. The buffer that is named twice comes
    // last.
    refuse(&client, arg, libc::EINVAL);
    arg.bos = twice.as_ptr() as u64;
    refuse(&client, arg, libc::EINVAL);
    arg.stream_size -= 8;
    refuse(&client, arg, libc::EINVAL);
    arg.flags = good.flags;
    refuse(&client, arg, libc::EINVAL);
    arg.nr_pmrs = 0;
    refuse(&client, arg, libc::EALREADY);
    arg.nr_bos = 1;
    require!(target.is_untouched());
    require_ok!(take(&client, arg));
    require!(target.is_done());
}

pub(super) fn refusal_changes_nothing(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let handle = target.bo.handle;
    let good = target.work(&client);
    let descriptors = open_descriptors();
    let mut bad = vec![
        good.clone().flags(1 << 31),
        good.clone().flags(SUBMIT_FENCE_FD_IN),
        good.clone().words(&[0x1000_0000, 0]),
        good.clone().words(&[0, 0]),
    ];
    let mut unknown = good.clone();
    unknown.bos.push(SubmitBo {
        handle: UNKNOWN,
        ..good.bos[0]
    });
    bad.push(unknown);
    let mut twice = good.clone();
    twice.bos.push(good.bos[0]);
    bad.push(twice);
    for round in 0..3 {
        for (n, work) in bad.iter().enumerate() {
            let work = work.clone().flags(SUBMIT_FENCE_FD_OUT);
            require!(client.submit(&work).is_err(), "number {n}");
            // Nothing is held: neither the buffer nor its fences nor a descriptor.
            require_ok!(client.cpu_prep(handle, PREP_WRITE | PREP_NOSYNC, Timespec::default()));
            require_eq!(
                client.gem_wait(work.pipe, handle, WAIT_NONBLOCK, Timespec::default()),
                Ok(())
            );
            require_eq!(
                open_descriptors(),
                descriptors,
                "number {n} of round {round}"
            );
        }
    }
    require!(target.is_untouched());
    require_eq!(client.run(&good), Ok(1));
    require!(target.is_done());
}
