// SPDX-License-Identifier: BSD-2-Clause
//! The largest and the smallest submits.

use super::{new_target, open, take, FILLED, LIMIT, MAX_PMRS, PAGE};
use atf::drm::BAD_ADDRESS;
use atf::etnaviv::{filled, refuse, refuse_work, Board};
use atf::{require, require_eq, require_ok};
use uapi::etnaviv::*;

pub(super) fn limits(board: &'static Board) {
    let client = open(board);
    let nop = client.work().nop();
    let good = nop.argument();
    let bad = BAD_ADDRESS as u64;
    // Beyond the limit nothing is read; at the limit it is.
    for (errno, more) in [(libc::EFAULT, 0), (libc::EINVAL, 1)] {
        for arg in [
            GemSubmit {
                nr_bos: LIMIT + more,
                bos: bad,
                ..good
            },
            GemSubmit {
                nr_relocs: LIMIT + more,
                relocs: bad,
                flags: 0,
                ..good
            },
            GemSubmit {
                nr_pmrs: MAX_PMRS + more,
                pmrs: bad,
                ..good
            },
            GemSubmit {
                stream_size: LIMIT + 4 * more,
                stream: bad,
                ..good
            },
        ] {
            refuse(&client, arg, errno);
        }
    }
    for arg in [
        GemSubmit {
            nr_bos: u32::MAX,
            ..good
        },
        GemSubmit {
            nr_relocs: u32::MAX,
            ..good
        },
        GemSubmit {
            nr_pmrs: u32::MAX,
            ..good
        },
        GemSubmit {
            stream_size: u32::MAX - 3,
            ..good
        },
    ] {
        refuse(&client, arg, libc::EINVAL);
    }
}

pub(super) fn longest_stream(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    for core in board.cores {
        target.forget();
        let fill = client.work_on(core).fill(&target.bo, 0, FILLED);
        let nops = (LIMIT as usize / 4 - fill.stream.len()) / 2;
        let mut work = (0..nops).fold(client.work_on(core), |work, _| work.nop());
        work = work.fill(&target.bo, 0, FILLED);
        require_eq!(work.argument().stream_size, LIMIT);
        require_eq!(client.run(&work), Ok(1));
        require!(target.is_done(), "{}", core.name);
        work = work.nop();
        refuse_work(&client, &work, libc::EINVAL);
    }
}

pub(super) fn many_bos(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let bos: Vec<_> = (0..300).map(|_| require_ok!(client.bo(PAGE))).collect();
    let work = bos.iter().fold(client.work(), |work, bo| work.names(bo));
    let work = work
        .fill(&target.bo, 0, FILLED)
        .fill(&bos[299], 512, FILLED);
    require_eq!(work.bos.len(), 301);
    require_eq!(client.run(&work), Ok(1));
    require!(target.is_done());
    require!(filled(&require_ok!(bos[299].map()), 512, FILLED));
}

pub(super) fn empty(board: &'static Board) {
    let client = open(board);
    // Pointers of empty arrays do not matter.
    let work = client.work();
    let mut arg = work.argument();
    for pointer in [0, BAD_ADDRESS as u64, u64::MAX] {
        arg = GemSubmit {
            bos: pointer,
            relocs: pointer,
            stream: pointer,
            pmrs: pointer,
            ..arg
        };
        require_ok!(take(&client, arg));
    }
    // Padding is not checked.
    arg.pad = u32::MAX;
    require_ok!(take(&client, arg));
}
