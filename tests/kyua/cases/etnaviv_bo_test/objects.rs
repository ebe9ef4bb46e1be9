// SPDX-License-Identifier: BSD-2-Clause
//! GEM_NEW, GEM_INFO and mmap(2); one buffer in two files.

use super::{open, CACHES, FILLED, PAGE, PAST, UNKNOWN};
use atf::drm::Node;
use atf::etnaviv::{filled, soon, Board, SLOW_BYTES};
use atf::{require, require_eq, require_errno, require_ok};
use uapi::etnaviv::*;

pub(super) fn new(board: &'static Board) {
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

pub(super) fn new_bad_flags(board: &'static Board) {
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

pub(super) fn new_sizes(board: &'static Board) {
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

pub(super) fn new_bad_sizes(board: &'static Board) {
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

pub(super) fn info(board: &'static Board) {
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

pub(super) fn mmap(board: &'static Board) {
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

pub(super) fn shared(board: &'static Board) {
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
