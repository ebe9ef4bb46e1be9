// SPDX-License-Identifier: BSD-2-Clause
//! GEM_CPU_PREP, GEM_CPU_FINI and GEM_WAIT.

use super::{open, CACHES, FILLED, PAGE, PAST, UNKNOWN};
use atf::drm::now_ns;
use atf::etnaviv::{after_ms, filled, soon, Board, FILL_WORDS, SLOW_BYTES};
use atf::{require, require_eq, require_errno, require_ok};
use uapi::etnaviv::*;

pub(super) fn cpu_prep_idle(board: &'static Board) {
    let client = open(board);
    let late = [
        PAST,
        Timespec {
            tv_sec: -1,
            tv_nsec: 0,
        },
        Timespec {
            tv_sec: i64::MIN,
            tv_nsec: i64::MIN,
        },
        soon(),
        Timespec {
            tv_sec: i64::MAX,
            tv_nsec: i64::MAX,
        },
    ];
    for cache in CACHES {
        let bo = require_ok!(client.bo_with(PAGE, cache));
        for op in [0, PREP_READ, PREP_WRITE, PREP_READ | PREP_WRITE] {
            for timeout in late {
                require_eq!(
                    client.cpu_prep(bo.handle, op, timeout),
                    Ok(()),
                    "{timeout:?}"
                );
                require_ok!(client.cpu_prep(bo.handle, op | PREP_NOSYNC, timeout));
                require_ok!(client.cpu_fini(bo.handle, 0));
            }
        }
        // Linux warns of a FINI without a PREP and goes on.
        require_ok!(client.cpu_fini(bo.handle, 0));
        for timeout in late {
            require_ok!(client.gem_wait(board.core().pipe, bo.handle, 0, timeout));
        }
        require_ok!(client.gem_wait(board.core().pipe, bo.handle, WAIT_NONBLOCK, PAST));
    }
}

pub(super) fn cpu_prep_errors(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    let bo = require_ok!(client.bo(PAGE));
    for op in [8, PREP_READ | 8, 1 << 31, u32::MAX] {
        require_errno!(client.cpu_prep(bo.handle, op, PAST), libc::EINVAL);
        require_errno!(client.cpu_prep(UNKNOWN, op, PAST), libc::EINVAL);
    }
    for flags in [1, 1 << 31] {
        require_errno!(client.cpu_fini(bo.handle, flags), libc::EINVAL);
        require_errno!(client.cpu_fini(UNKNOWN, flags), libc::EINVAL);
    }
    for handle in [0, UNKNOWN, u32::MAX] {
        require_errno!(client.cpu_prep(handle, PREP_READ, PAST), libc::ENOENT);
        require_errno!(
            client.cpu_prep(handle, PREP_READ | PREP_NOSYNC, PAST),
            libc::ENOENT
        );
        require_errno!(client.cpu_fini(handle, 0), libc::ENOENT);
    }
    require_errno!(other.cpu_prep(bo.handle, PREP_READ, PAST), libc::ENOENT);
    require_errno!(other.cpu_fini(bo.handle, 0), libc::ENOENT);
}

pub(super) fn gem_wait_errors(board: &'static Board) {
    let client = open(board);
    let bo = require_ok!(client.bo(PAGE));
    let pipe = board.core().pipe;
    for flags in [2, WAIT_NONBLOCK | 2, 1 << 31] {
        require_errno!(client.gem_wait(pipe, bo.handle, flags, PAST), libc::EINVAL);
        require_errno!(client.gem_wait(3, UNKNOWN, flags, PAST), libc::EINVAL);
    }
    for pipe in board.missing_pipes() {
        // The core comes before the handle.
        require_errno!(client.gem_wait(pipe, UNKNOWN, 0, PAST), libc::ENXIO);
    }
    for pipe in [4, u32::MAX] {
        require_errno!(client.gem_wait(pipe, UNKNOWN, 0, PAST), libc::EINVAL);
    }
    for handle in [0, UNKNOWN, u32::MAX] {
        require_errno!(client.gem_wait(pipe, handle, 0, PAST), libc::ENOENT);
        require_errno!(
            client.gem_wait(pipe, handle, WAIT_NONBLOCK, PAST),
            libc::ENOENT
        );
    }
    // Padding is not checked.
    let mut arg = GemWait {
        pipe,
        handle: bo.handle,
        pad: u32::MAX,
        ..GemWait::default()
    };
    require_ok!(client.node.ioctl(GEM_WAIT, &mut arg));
}

pub(super) fn busy_for_all(board: &'static Board) {
    let client = open(board);
    let bo = require_ok!(client.bo(SLOW_BYTES));
    let pipe = board.core().pipe;
    let map = require_ok!(bo.map());
    let work = client.work().slow(&bo, FILLED);
    require_ok!(client.submit(&work));
    for op in [0, PREP_READ, PREP_WRITE, PREP_READ | PREP_WRITE] {
        require_errno!(
            client.cpu_prep(bo.handle, op | PREP_NOSYNC, soon()),
            libc::EBUSY
        );
        require_errno!(client.cpu_prep(bo.handle, op, PAST), libc::ETIMEDOUT);
    }
    require_errno!(
        client.gem_wait(pipe, bo.handle, WAIT_NONBLOCK, soon()),
        libc::EBUSY
    );
    require_errno!(client.gem_wait(pipe, bo.handle, 0, PAST), libc::ETIMEDOUT);
    require_errno!(
        client.gem_wait(pipe, bo.handle, 0, after_ms(2)),
        libc::ETIMEDOUT
    );
    require_ok!(client.cpu_prep(bo.handle, PREP_READ, soon()));
    require_eq!(
        (map.read_u32(0), map.read_u32(map.len() - 4)),
        (FILLED, FILLED)
    );
    require_ok!(client.cpu_fini(bo.handle, 0));
    require_ok!(client.gem_wait(pipe, bo.handle, 0, soon()));
    require_ok!(client.gem_wait(pipe, bo.handle, WAIT_NONBLOCK, PAST));
}

pub(super) fn busy_reader(board: &'static Board) {
    let client = open(board);
    let (slow, read) = (
        require_ok!(client.bo(SLOW_BYTES)),
        require_ok!(client.bo(PAGE)),
    );
    let pipe = board.core().pipe;
    let work = client
        .work()
        .slow(&slow, FILLED)
        .names_for(&read, SUBMIT_BO_READ);
    require_ok!(client.submit(&work));
    // Who only reads does not hinder a reader.
    require_ok!(client.cpu_prep(read.handle, PREP_READ | PREP_NOSYNC, PAST));
    require_ok!(client.cpu_prep(read.handle, PREP_READ, PAST));
    require_errno!(
        client.cpu_prep(read.handle, PREP_WRITE | PREP_NOSYNC, PAST),
        libc::EBUSY
    );
    require_errno!(
        client.cpu_prep(read.handle, PREP_WRITE, PAST),
        libc::ETIMEDOUT
    );
    // GEM_WAIT is for any use.
    require_errno!(
        client.gem_wait(pipe, read.handle, WAIT_NONBLOCK, PAST),
        libc::EBUSY
    );
    require_ok!(client.cpu_prep(read.handle, PREP_WRITE, soon()));
    require_ok!(client.gem_wait(pipe, slow.handle, 0, soon()));
}

/// ABI: Linux once refused nanoseconds of a second and more, and took that back, as programs pass
/// them.
pub(super) fn nanoseconds(board: &'static Board) {
    let client = open(board);
    let bo = require_ok!(client.bo(SLOW_BYTES));
    let work = client.work().slow(&bo, FILLED);
    let far = Timespec {
        tv_sec: 0,
        tv_nsec: now_ns().saturating_add(10_000_000_000),
    };
    let past = Timespec {
        tv_sec: -5,
        tv_nsec: 5_000_000_001,
    };
    for wait in 0..3 {
        let fence = require_ok!(client.submit(&work)).fence;
        let try_wait = |timeout| match wait {
            0 => client.cpu_prep(bo.handle, PREP_READ, timeout),
            1 => client.gem_wait(work.pipe, bo.handle, 0, timeout),
            _ => client.wait_fence(work.pipe, fence, 0, timeout),
        };
        require_errno!(try_wait(past), libc::ETIMEDOUT);
        require_ok!(try_wait(far));
    }
}

pub(super) fn time_outs_wait(board: &'static Board) {
    let client = open(board);
    let bo = require_ok!(client.bo(PAGE));
    // Ends when the watchdog sees it, hundreds of milliseconds from now.
    require_ok!(client.submit(&client.work().names(&bo).hang()));
    let from = now_ns();
    require_errno!(
        client.cpu_prep(bo.handle, PREP_READ, after_ms(40)),
        libc::ETIMEDOUT
    );
    let waited_ms = (now_ns() - from) / 1_000_000;
    require!((40..1000).contains(&waited_ms), "{waited_ms} ms");
    require_ok!(client.cpu_prep(bo.handle, PREP_READ, soon()));
}

pub(super) fn coherent(board: &'static Board) {
    let client = open(board);
    for cache in CACHES {
        let bo = require_ok!(client.bo_with(2 * PAGE, cache));
        let map = require_ok!(bo.map());
        for round in 0..3 {
            let value = FILLED + round;
            require_ok!(client.cpu_prep(bo.handle, PREP_WRITE, soon()));
            for at in (0..2 * PAGE as usize).step_by(4) {
                map.write_u32(at, round);
            }
            require_ok!(client.cpu_fini(bo.handle, 0));
            require_ok!(client.submit(&client.work().fill(&bo, 4096, value)));
            require_ok!(client.cpu_prep(bo.handle, PREP_READ, soon()));
            require!(
                filled(&map, 4096, value),
                "cache flag {cache:#x}, round {round}"
            );
            let beyond = 4096 + 4 * FILL_WORDS;
            require_eq!((map.read_u32(4092), map.read_u32(beyond)), (round, round));
            require_ok!(client.cpu_fini(bo.handle, 0));
        }
    }
}
