// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: addresses in GEM_SUBMIT, chosen by the client (softpin) or put in by the kernel
//! (relocations).
//!
//! Expected: Linux 6.1, drivers/gpu/drm/etnaviv/etnaviv_gem_submit.c, etnaviv_mmu.c and
//! etnaviv_cmd_parser.c; the function is named in each description.

use atf::etnaviv::{filled, refuse_work, soon, state, Board, Client, Target, Work, SLOW_BYTES};
use atf::{etnaviv_cases, require, require_eq, require_errno, require_ok, Errno};
use uapi::etnaviv::*;

const PAGE: u64 = 4096;
const FILLED: u32 = Target::FILLED;
/// GL_FLUSH_CACHE, which holds no address.
const NO_ADDRESS: u32 = 0x380c;

fn open(board: &'static Board) -> Client {
    require_ok!(Client::open(board))
}

fn new_target(client: &Client) -> Target<'_> {
    require_ok!(Target::new(client))
}

fn softpin(board: &'static Board) {
    let client = open(board);
    let start = require_ok!(client.param(0, PARAM_SOFTPIN_START_ADDR)) as u32;
    // Both ends of what is the client's, and the middle.
    for va in [start, 0x8000_0000, 0u32.wrapping_sub(PAGE as u32)] {
        let mut target = new_target(&client);
        target.bo.va = va;
        require_eq!(client.run(&target.work(&client)), Ok(1), "address {va:#x}");
        require!(target.is_done(), "address {va:#x}");
    }
    // One buffer at one address after the other.
    let mut target = new_target(&client);
    for n in 0..4 {
        target.bo.va = 0x5000_0000 + n * 0x1000;
        let work = client.work().fill(&target.bo, 0, n);
        require_eq!(client.run(&work), Ok(1));
        require!(filled(&target.map, 0, n));
    }
    // One address for one buffer after the other, each of them still there.
    let mut targets: Vec<_> = (0..4).map(|_| new_target(&client)).collect();
    for target in &mut targets {
        target.bo.va = 0x6000_0000;
        require_eq!(client.run(&target.work(&client)), Ok(1));
    }
    require!(targets.iter().all(Target::is_done));
}

fn softpin_bad_address(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let good = target.work(&client);
    let at = |presumed| {
        let mut work = good.clone();
        work.bos[0].presumed = presumed;
        client.submit(&work).map(drop)
    };
    // The kernel's part, and what is not a page.
    for presumed in [0, 0x1000, 0x3f_f000, 0x3f_ffff, 0x1000_0800, 0x1000_0001] {
        require_errno!(at(presumed), libc::EINVAL);
    }
    // Not, or not all of it, below 4 GiB. Linux finds no room there.
    for presumed in [
        0xffff_f001,
        1 << 32,
        (1 << 32) + 0x1000_0000,
        1 << 63,
        u64::MAX - 0xfff,
    ] {
        let refused = at(presumed);
        require!(
            matches!(refused, Err(Errno(libc::EINVAL | libc::ENOSPC))),
            "address {presumed:#x}: {refused:?}"
        );
    }
    let mut large = require_ok!(client.bo(2 * PAGE));
    large.va = 0xffff_f000;
    let refused = client.submit(&client.work().names(&large)).map(drop);
    require!(
        matches!(refused, Err(Errno(libc::EINVAL | libc::ENOSPC))),
        "{refused:?}"
    );
    require!(target.is_untouched());
}

fn softpin_overlap(board: &'static Board) {
    let client = open(board);
    let a = new_target(&client);
    let mut b = new_target(&client);
    b.bo.va = a.bo.va;
    // In one submit.
    let work = a.work(&client).names(&b.bo);
    refuse_work(&client, &work, libc::ENOSPC);
    require!(a.is_untouched());
    // In two, of which the first still runs.
    let slow = require_ok!(client.bo(SLOW_BYTES));
    b.bo.va = slow.va + 0x10_0000;
    require_ok!(client.submit(&client.work().slow(&slow, 1)));
    refuse_work(&client, &b.work(&client), libc::ENOSPC);
    require_ok!(client.gem_wait(0, slow.handle, 0, soon()));
    // An idle mapping at the address is removed.
    require_eq!(client.run(&b.work(&client)), Ok(1));
    require!(b.is_done());
    require_eq!(client.run(&client.work().fill(&slow, 0, 2)), Ok(1));
    require!(filled(&require_ok!(slow.map()), 0, 2));
}

/// Streams are checked before addresses are taken, and addresses are taken before buffers are
/// locked.
fn order_of_pinning(board: &'static Board) {
    let client = open(board);
    let a = new_target(&client);
    let mut b = new_target(&client);
    b.bo.va = a.bo.va;
    let mut work = a.work(&client).names(&b.bo).words(&[0x1000_0000, 0]);
    work.bos.push(work.bos[0]);
    refuse_work(&client, &work, libc::EINVAL);
    work.stream.truncate(work.stream.len() - 2);
    work = work.flags(SUBMIT_FENCE_FD_IN);
    refuse_work(&client, &work, libc::EINVAL);
    work.flags &= !SUBMIT_FENCE_FD_IN;
    refuse_work(&client, &work, libc::ENOSPC);
    work.bos[1].presumed = 0x7000_0000;
    refuse_work(&client, &work, libc::EALREADY);
    work.bos.pop();
    require!(a.is_untouched());
    require_eq!(client.run(&work), Ok(1));
    require!(a.is_done());
}

fn softpin_with_relocs(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let mut work = target.work(&client);
    let at = work.stream.len() as u32 - 4;
    work.relocs.push(SubmitReloc {
        submit_offset: at,
        ..SubmitReloc::default()
    });
    refuse_work(&client, &work, libc::EINVAL);
    require!(target.is_untouched());
    work.relocs.clear();
    require_eq!(client.run(&work), Ok(1));
    require!(target.is_done());
}

fn softpin_without_mmuv2(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    for core in board.cores {
        let work = client.work_on(core).fill(&target.bo, 0, FILLED);
        refuse_work(&client, &work.clone().flags(SUBMIT_SOFTPIN), libc::EINVAL);
        // With nothing that has an address, too.
        let nop = client.work_on(core).nop().flags(SUBMIT_SOFTPIN);
        refuse_work(&client, &nop, libc::EINVAL);
        require!(target.is_untouched());
        require_eq!(client.run(&work), Ok(1));
        require!(target.is_done(), "{}", core.name);
        target.forget();
    }
}

/// Work with relocations, on whatever board.
fn relocated(client: &Client, target: &Target<'_>) -> Work {
    let mut work = client.work();
    work.flags = 0;
    work.fill(&target.bo, 0, FILLED)
}

fn relocs(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let mut work = relocated(&client, &target);
    require!(!work.relocs.is_empty());
    // What is in the stream, and what is presumed, does not matter.
    for reloc in work.relocs.clone() {
        work.stream[reloc.submit_offset as usize / 4] = u32::MAX;
    }
    work.bos[0].presumed = u64::MAX;
    require_eq!(client.run(&work), Ok(1));
    require!(target.is_done());
    // The offset is added to the address.
    let other = new_target(&client);
    let mut work = relocated(&client, &other).names(&target.bo);
    for reloc in &mut work.relocs {
        reloc.reloc_offset = 1024;
    }
    require_eq!(client.run(&work), Ok(1));
    require!(filled(&other.map, 1024, FILLED) && filled(&other.map, 0, Target::BEFORE));
    // Buffers are counted from zero.
    for reloc in &mut work.relocs {
        reloc.reloc_idx = 1;
    }
    require_eq!(client.run(&work), Ok(1));
    require!(filled(&target.map, 1024, FILLED));
}

fn bad_relocs(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let good = relocated(&client, &target);
    let words = good.stream.len() as u32;
    let refused = |change: &dyn Fn(&mut SubmitReloc)| {
        let mut work = good.clone();
        change(&mut work.relocs[0]);
        refuse_work(&client, &work, libc::EINVAL);
    };
    for flags in [1, 1 << 31] {
        refused(&|reloc| reloc.flags = flags);
    }
    for more in 1..4 {
        refused(&|reloc| reloc.submit_offset += more);
    }
    for offset in [4 * words, 4 * words + 4, 1 << 31, u32::MAX - 3] {
        refused(&|reloc| reloc.submit_offset = offset);
    }
    for idx in [1, 2, 1 << 31, u32::MAX] {
        refused(&|reloc| reloc.reloc_idx = idx);
    }
    // An address of four bytes has to be inside.
    for offset in [PAGE - 3, PAGE, 1 << 32, 1 << 63, u64::MAX] {
        refused(&|reloc| reloc.reloc_offset = offset);
    }
    // A command is no place for an address.
    refused(&|reloc| reloc.submit_offset = 0);
    require!(target.is_untouched());
    require_eq!(client.run(&good), Ok(1));
    require!(target.is_done());
}

fn reloc_order(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let mut work = relocated(&client, &target).fill(&target.bo, 1024, 7);
    require!(work.relocs.len() >= 2);
    let last = work.relocs.len() - 1;
    work.relocs.swap(0, last);
    refuse_work(&client, &work, libc::EINVAL);
    work.relocs.swap(0, last);
    // The same place twice is taken, and the second counts.
    let first = work.relocs[0];
    work.relocs.insert(
        0,
        SubmitReloc {
            reloc_offset: 2048,
            ..first
        },
    );
    require_eq!(client.run(&work), Ok(1));
    require!(target.is_done() && filled(&target.map, 1024, 7));
    require!(filled(&target.map, 2048, Target::BEFORE));
}

fn reloc_of_no_address(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let mut work = relocated(&client, &target).words(&state(NO_ADDRESS, 0));
    work.relocs.push(SubmitReloc {
        submit_offset: work.stream.len() as u32 * 4 - 4,
        ..SubmitReloc::default()
    });
    // Linux warns, once, and accepts it. It would reveal an address of the kernel to the client.
    refuse_work(&client, &work, libc::EINVAL);
    require!(target.is_untouched());
    work.relocs.pop();
    require_eq!(client.run(&work), Ok(1));
    require!(target.is_done());
}

/// HW: without an MMU that keeps clients apart, an address that is not the kernel's is anybody's
/// memory.
fn address_without_reloc(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    for core in board.cores {
        let good = client.work_on(core).fill(&target.bo, 0, FILLED);
        for n in 0..good.relocs.len() {
            let mut work = good.clone();
            work.relocs.remove(n);
            refuse_work(&client, &work, libc::EINVAL);
        }
        require_eq!(client.run(&good), Ok(1));
        require!(target.is_done(), "{}", core.name);
        target.forget();
        // The address of the vertices, loaded with its neighbours.
        let across = client
            .work_on(core)
            .words(&[0x0802_0000 | (0x648 / 4), 0, 0, 0]);
        refuse_work(&client, &across, libc::EINVAL);
    }
    require!(target.is_untouched());
}

fn main() {
    atf::main(&etnaviv_cases! {
        softpin [imx8mq imx6qp] "etnaviv_iommu_insert_exact: addresses of the client's choice";
        softpin_bad_address [imx8mq imx6qp] "submit_lookup_objects: EINVAL for addresses that are \
            not the client's";
        softpin_overlap [imx8mq imx6qp] "etnaviv_iommu_insert_exact: ENOSPC where a mapping is in \
            use";
        order_of_pinning [imx8mq imx6qp] "etnaviv_ioctl_gem_submit: EINVAL, then ENOSPC, then \
            EALREADY";
        softpin_with_relocs [imx8mq imx6qp] "submit_reloc: EINVAL for relocations with softpin";
        softpin_without_mmuv2 [imx6q] "etnaviv_ioctl_gem_submit: EINVAL for softpin with an MMUv1";
        relocs [imx8mq imx6q imx6qp] "submit_reloc: an address in place of a word";
        bad_relocs [imx8mq imx6q imx6qp] "submit_reloc: EINVAL for flags, places, buffers and \
            offsets";
        reloc_order [imx8mq imx6q imx6qp] "submit_reloc: EINVAL for places that go back";
        reloc_of_no_address [imx8mq imx6q imx6qp] "differs from etnaviv_cmd_validate_one: EINVAL \
            where no address goes";
        address_without_reloc [imx6q] "etnaviv_cmd_validate_one: EINVAL for an address of the \
            client's";
    });
}
