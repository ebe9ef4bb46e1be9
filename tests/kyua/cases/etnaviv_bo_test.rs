// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: GEM_NEW, GEM_INFO, mmap(2), GEM_CPU_PREP, GEM_CPU_FINI and GEM_WAIT.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/etnaviv/etnaviv_drv.c and etnaviv_gem.c; the function is
//! named in each description. A case says where we differ on purpose.

use atf::drm::{now_ns, Node};
use atf::etnaviv::{after_ms, filled, soon, Board, Client, FILL_WORDS, SLOW_BYTES};
use atf::{etnaviv_cases, require, require_eq, require_errno, require_ok};
use uapi::etnaviv::*;

const PAGE: u64 = 4096;
/// A number that no buffer of a test has.
const UNKNOWN: u32 = 77;
const FILLED: u32 = 0x1234_5678;
const PAST: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};
const CACHES: [u32; 3] = [BO_CACHED, BO_WC, BO_UNCACHED];

fn open(board: &'static Board) -> Client {
    require_ok!(Client::open(board))
}

fn new(board: &'static Board) {
    let client = open(board);
    for cache in CACHES {
        for map in [0, BO_FORCE_MMU] {
            let mut arg = GemNew {
                size: PAGE,
                flags: cache | map,
                // What the caller left in the answer does not matter.
                handle: UNKNOWN,
            };
            require_ok!(client.node.ioctl(GEM_NEW, &mut arg));
            require!(arg.handle != 0 && arg.handle != UNKNOWN, "{arg:x?}");
            require_eq!((arg.size, arg.flags), (PAGE, cache | map));
            let bo = client.adopt(arg.handle, PAGE);
            let map = require_ok!(bo.map());
            require!(map.read(0, PAGE as usize).iter().all(|byte| *byte == 0));
            map.write_u32(64, FILLED);
            require_eq!(require_ok!(bo.map()).read_u32(64), FILLED);
        }
    }
}

fn new_bad_flags(board: &'static Board) {
    let client = open(board);
    let mut bad = vec![
        0,
        BO_FORCE_MMU,
        BO_CACHED | BO_WC,
        BO_CACHED | BO_UNCACHED,
        BO_WC | BO_UNCACHED,
        BO_CACHED | BO_WC | BO_UNCACHED,
        // The fourth bit of the mask is no cache flag.
        0x8_0000,
        BO_WC | 0x8_0000,
    ];
    let known = BO_CACHED | BO_WC | BO_UNCACHED | BO_FORCE_MMU;
    bad.extend(
        (0..32)
            .map(|bit| 1 << bit)
            .filter(|bit| bit & known == 0)
            .map(|bit| BO_WC | bit),
    );
    for flags in bad {
        let mut arg = GemNew {
            size: PAGE,
            flags,
            handle: UNKNOWN,
        };
        require_errno!(client.node.ioctl(GEM_NEW, &mut arg), libc::EINVAL);
        require_eq!(arg.handle, UNKNOWN, "flags {flags:#x}");
    }
    // None of them made one.
    require!((1..200).all(|handle| client.gem_info(handle).is_err()));
}

fn new_sizes(board: &'static Board) {
    let client = open(board);
    for (size, pages) in [
        (1, 1),
        (PAGE - 1, 1),
        (PAGE, 1),
        (PAGE + 1, 2),
        (3 * PAGE, 3),
        ((1 << 20) + 5, 257),
    ] {
        let bo = require_ok!(client.bo(size));
        let offset = require_ok!(client.gem_info(bo.handle));
        let whole = (pages * PAGE) as usize;
        let map = require_ok!(client.node.map(offset, whole));
        map.write_u32(whole - 4, FILLED);
        require_eq!(map.read_u32(whole - 4), FILLED);
        require_errno!(client.node.map(offset, whole + PAGE as usize), libc::EINVAL);
    }
}

fn new_bad_sizes(board: &'static Board) {
    let client = open(board);
    // Linux makes an object without pages of no size, and cuts off what is above 32 bits: the
    // buffer would be smaller than asked for.
    for size in [0, 1 << 32, (1 << 32) + PAGE, 1 << 63, u64::MAX] {
        require_errno!(client.gem_new(size, BO_WC), libc::EINVAL);
    }
    // No GPU address space has room for it; Linux rounds it up to no size.
    let size = u64::from(u32::MAX);
    require!(client.gem_new(size, BO_WC).is_err(), "size {size:#x}");
    require_errno!(client.gem_new(0, 0), libc::EINVAL);
}

fn info(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    let bos = [require_ok!(client.bo(PAGE)), require_ok!(client.bo(PAGE))];
    let offsets = [0, 1].map(|i| require_ok!(client.gem_info(bos[i].handle)));
    require!(offsets[0] != offsets[1] && offsets.iter().all(|offset| offset % PAGE == 0));
    require_eq!(
        client.gem_info(bos[0].handle),
        Ok(offsets[0]),
        "asked again"
    );
    for handle in [0, UNKNOWN, u32::MAX] {
        require_errno!(client.gem_info(handle), libc::ENOENT);
    }
    require_errno!(other.gem_info(bos[0].handle), libc::ENOENT);
    for pad in [1, 1 << 31] {
        let mut arg = GemInfo {
            handle: bos[0].handle,
            pad,
            offset: 9,
        };
        require_errno!(client.node.ioctl(GEM_INFO, &mut arg), libc::EINVAL);
        // It is checked before the handle.
        arg.handle = UNKNOWN;
        require_errno!(client.node.ioctl(GEM_INFO, &mut arg), libc::EINVAL);
        require_eq!(arg.offset, 9);
    }
}

fn mmap(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    for cache in CACHES {
        let bo = require_ok!(client.bo_with(3 * PAGE, cache));
        let offset = require_ok!(client.gem_info(bo.handle));
        let map = require_ok!(bo.map());
        (0..3).for_each(|page| map.write_u32(page * 4096, page as u32 + 1));
        // A part of it from its beginning, but not from within.
        let part = require_ok!(client.node.map(offset, 2 * PAGE as usize));
        require_eq!((part.read_u32(0), part.read_u32(4096)), (1, 2));
        require_errno!(client.node.map(offset + PAGE, PAGE as usize), libc::EINVAL);
        require_errno!(client.node.map(offset, 4 * PAGE as usize), libc::EINVAL);
        require!(
            other.node.map(offset, PAGE as usize).is_err(),
            "another file"
        );
        // Memory outlives its handle as long as it is mapped.
        drop(bo);
        require_eq!((map.read_u32(8192), part.read_u32(4096)), (3, 2));
        require!(
            client.node.map(offset, PAGE as usize).is_err(),
            "a closed handle"
        );
    }
}

fn cpu_prep_idle(board: &'static Board) {
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

fn cpu_prep_errors(board: &'static Board) {
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

fn gem_wait_errors(board: &'static Board) {
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

fn busy_for_all(board: &'static Board) {
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

fn busy_reader(board: &'static Board) {
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
fn nanoseconds(board: &'static Board) {
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

fn time_outs_wait(board: &'static Board) {
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

fn coherent(board: &'static Board) {
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

fn shared(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    let bo = require_ok!(client.bo(SLOW_BYTES));
    let fd: Node = require_ok!(client.node.export(bo.handle, libc::O_CLOEXEC));
    let theirs = other.adopt(require_ok!(other.node.import(&fd)), SLOW_BYTES);
    require_eq!(client.node.import(&fd), Ok(bo.handle), "one handle a file");
    let map = require_ok!(theirs.map());
    require_ok!(client.submit(&client.work().slow(&bo, FILLED)));
    require_errno!(
        other.cpu_prep(theirs.handle, PREP_READ | PREP_NOSYNC, PAST),
        libc::EBUSY
    );
    // After the other file's work, as both write to it.
    require_ok!(other.submit(&other.work().fill(&theirs, 0, 7)));
    require_ok!(client.cpu_prep(bo.handle, PREP_READ, soon()));
    require!(filled(&map, 0, 7));
    require_eq!(map.read_u32(map.len() - 4), FILLED);
}

fn main() {
    atf::main(&etnaviv_cases! {
        new [imx8mq imx6q imx6qp] "etnaviv_gem_new_impl: each cache flag gives zeroed memory";
        new_bad_flags [imx8mq imx6q] "etnaviv_ioctl_gem_new: EINVAL for no, several or unknown \
            flags";
        new_sizes [imx8mq imx6q] "etnaviv_gem_new_handle: sizes are rounded up to pages";
        new_bad_sizes [imx8mq imx6q] "differs from etnaviv_gem_new_handle: EINVAL for no size and \
            for more than 32 bits";
        info [imx8mq imx6q] "etnaviv_ioctl_gem_info: EINVAL for padding, ENOENT";
        mmap [imx8mq imx6q] "etnaviv_gem_mmap_obj: all cache flags, parts, no more than there is, \
            no other file";
        cpu_prep_idle [imx8mq imx6q] "etnaviv_gem_cpu_prep: an idle buffer is ready whatever the \
            time-out";
        cpu_prep_errors [imx8mq imx6q] "etnaviv_ioctl_gem_cpu_prep, _fini: EINVAL, ENOENT";
        gem_wait_errors [imx8mq imx6q imx6qp] "etnaviv_ioctl_gem_wait: EINVAL, ENXIO, ENOENT";
        busy_for_all [imx8mq imx6q imx6qp] "etnaviv_gem_cpu_prep, _wait_bo: EBUSY and ETIMEDOUT \
            while a job writes";
        busy_reader [imx8mq imx6q] "etnaviv_gem_cpu_prep: a job that reads hinders who writes";
        nanoseconds [imx8mq imx6q] "etnaviv_timeout_to_jiffies: nanoseconds may be more than a \
            second";
        time_outs_wait [imx8mq imx6q] "etnaviv_gem_cpu_prep: a time-out is waited for";
        coherent [imx8mq imx6q imx6qp] "etnaviv_gem_cpu_prep, _fini: processor and GPU see each \
            other's writes";
        shared [imx8mq imx6q imx6qp] "etnaviv_gem_prime_import_sg_table: one buffer in two files, \
            and its fences";
    });
}
