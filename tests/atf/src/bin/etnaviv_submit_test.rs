// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: the arguments of GEM_SUBMIT. Every error in its order, limits, softpin, relocations.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/etnaviv/etnaviv_gem_submit.c; the function is named in each description. What streams may
//! hold is in etnaviv_stream_test, what fences do in etnaviv_fence_test.

use atf::drm::sync_file::{FileInfo, FILE_INFO};
use atf::drm::{Mapping, Node, BAD_ADDRESS};
use atf::etnaviv::abi::*;
use atf::etnaviv::{filled, state, Bo, Board, Client, Work, FILL_WORDS, SLOW_BYTES};
use atf::process::open_descriptors;
use atf::{etnaviv_cases, require, require_eq, require_errno, require_ok, Errno, Sys};

const PAGE: u64 = 4096;
/// The longest stream, and the largest number of buffers and relocations.
const LIMIT: u32 = 128 * 1024;
const MAX_PMRS: u32 = 128;
/// A number that no buffer of a test has.
const UNKNOWN: u32 = 77;
const BEFORE: u32 = 0x5a5a_5a5a;
const FILLED: u32 = 0x1234_5678;
/// GL_SEMAPHORE_TOKEN, which holds no address.
const NO_ADDRESS: u32 = 0x3808;

fn open(board: &'static Board) -> Client {
    require_ok!(Client::open(board))
}

/// A buffer in which it shows whether work on it ran.
struct Target<'a> {
    bo: Bo<'a>,
    map: Mapping,
}

impl<'a> Target<'a> {
    fn new(client: &'a Client) -> Target<'a> {
        let bo = require_ok!(client.bo(PAGE));
        let map = require_ok!(bo.map());
        (0..FILL_WORDS + 1).for_each(|word| map.write_u32(4 * word, BEFORE));
        Target { bo, map }
    }

    fn work(&self, client: &Client) -> Work {
        client.work().fill(&self.bo, 0, FILLED)
    }

    fn is_untouched(&self) -> bool {
        filled(&self.map, 0, BEFORE)
    }

    fn is_done(&self) -> bool {
        filled(&self.map, 0, FILLED) && self.map.read_u32(4 * FILL_WORDS) == BEFORE
    }
}

/// Sends an argument that is to be refused; it comes back as it was.
fn refuse(client: &Client, arg: GemSubmit, errno: i32) {
    let mut sent = GemSubmit { fence: 0x5555, ..arg };
    match client.node.ioctl(GEM_SUBMIT, &mut sent) {
        Err(error) if error.0 == errno => {}
        other => panic!("{arg:x?} gave {other:?}, expected errno {errno}"),
    }
    require_eq!((sent.fence, sent.fence_fd), (0x5555, arg.fence_fd), "{arg:x?}");
}

fn refuse_work(client: &Client, work: &Work, errno: i32) {
    refuse(client, work.argument(), errno);
}

/// Sends an argument that is to be taken, and waits for its end.
fn take(client: &Client, mut arg: GemSubmit) -> Sys<()> {
    client.node.ioctl(GEM_SUBMIT, &mut arg)?;
    client.wait_fence(arg.pipe, arg.fence, 0, Timespec::soon())
}

fn runs(board: &'static Board) {
    let client = open(board);
    for core in board.cores {
        let target = require_ok!(client.bo(3 * PAGE));
        let map = require_ok!(target.map());
        let mut fences = Vec::new();
        for (n, offset) in [0, 4096, 8192, 12288 - 512].into_iter().enumerate() {
            let work = client.work_on(core).fill(&target, offset, FILLED + n as u32);
            let done = require_ok!(client.submit(&work));
            require!(!fences.contains(&done.fence), "fence {} again", done.fence);
            fences.push(done.fence);
            require_ok!(client.wait_fence(core.pipe, done.fence, 0, Timespec::soon()));
            require!(
                filled(&map, offset as usize, FILLED + n as u32),
                "{} at {offset:#x}",
                core.name
            );
        }
        let others = (0..3 * PAGE as usize)
            .step_by(4)
            .filter(|at| map.read_u32(*at) != 0);
        require_eq!(others.count(), 4 * FILL_WORDS);
    }
}

fn primary_node(board: &'static Board) {
    let client = Client::of(require_ok!(Node::card()), board);
    require_eq!(client.is_well(), Ok(true));
}

fn bad_pipe(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
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

fn bad_size(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
    let work = target.work(&client);
    let good = work.argument();
    for less in [1, 2, 3, 5] {
        let stream_size = good.stream_size - less;
        refuse(&client, GemSubmit { stream_size, ..good }, libc::EINVAL);
    }
    require!(target.is_untouched());
    require_ok!(take(&client, good));
    require!(target.is_done());
}

fn bad_exec_state(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
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

fn bad_flags(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
    let work = target.work(&client);
    let good = work.argument();
    for bit in 4..32 {
        let flags = good.flags | 1 << bit;
        refuse(&client, GemSubmit { flags, ..good }, libc::EINVAL);
    }
    require!(target.is_untouched());
}

fn limits(board: &'static Board) {
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

fn longest_stream(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
    for core in board.cores {
        (0..FILL_WORDS).for_each(|word| target.map.write_u32(4 * word, BEFORE));
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

fn many_bos(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
    let bos: Vec<_> = (0..300).map(|_| require_ok!(client.bo(PAGE))).collect();
    let work = bos.iter().fold(client.work(), |work, bo| work.names(bo));
    let work = work.fill(&target.bo, 0, FILLED).fill(&bos[299], 512, FILLED);
    require_eq!(work.bos.len(), 301);
    require_eq!(client.run(&work), Ok(1));
    require!(target.is_done());
    require!(filled(&require_ok!(bos[299].map()), 512, FILLED));
}

fn empty(board: &'static Board) {
    let client = open(board);
    // Pointers do not matter where there is nothing behind them.
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
    // Padding is not looked at.
    arg.pad = u32::MAX;
    require_ok!(take(&client, arg));
}

fn unreadable(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
    let work = target.work(&client);
    let good = work.argument();
    for bad in [0, BAD_ADDRESS as u64, u64::MAX - 3, 1 << 63] {
        refuse(&client, GemSubmit { bos: bad, ..good }, libc::EFAULT);
        refuse(&client, GemSubmit { stream: bad, ..good }, libc::EFAULT);
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

fn bad_bos(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    let target = Target::new(&client);
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
    require_ok!(client.cpu_prep(target.bo.handle, PREP_WRITE | PREP_NOSYNC, Timespec::default()));
}

/// The flags say what the work is waited for; none are as good as READ.
fn bo_flags(board: &'static Board) {
    let client = open(board);
    for flags in [
        0,
        SUBMIT_BO_READ,
        SUBMIT_BO_WRITE,
        SUBMIT_BO_READ | SUBMIT_BO_WRITE,
    ] {
        let target = Target::new(&client);
        let mut work = target.work(&client);
        work.bos[0].flags = flags;
        require_eq!(client.run(&work), Ok(1));
        require!(target.is_done(), "flags {flags}");
    }
}

fn bo_twice(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
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
    require_ok!(client.cpu_prep(target.bo.handle, PREP_WRITE | PREP_NOSYNC, Timespec::default()));
    require_eq!(client.run(&good), Ok(1));
    require!(target.is_done());
}

/// Everything is wrong, and each step puts one thing right.
fn order_of_errors(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
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
    // All is copied before anything of it is looked at.
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
    // Handle, stream, descriptor, request: EINVAL all of them. The buffer that is named twice comes last.
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

fn refusal_changes_nothing(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
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
            require_eq!(open_descriptors(), descriptors, "number {n} of round {round}");
        }
    }
    require!(target.is_untouched());
    require_eq!(client.run(&good), Ok(1));
    require!(target.is_done());
}

fn older_forms(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
    let code = |bytes: u32| GEM_SUBMIT.code() & !(0x3fff << 16) | bytes << 16;
    let work = target.work(&client);
    // Behind the known part is what the kernel must not take for a field.
    let mut arg = GemSubmit {
        pmrs: BAD_ADDRESS as u64,
        nr_pmrs: 1,
        pad: 1,
        ..work.argument()
    };
    let address = std::ptr::from_mut(&mut arg) as usize;
    require_ok!(client.node.ioctl_raw(code(SUBMIT_1_1_BYTES), address));
    require_ok!(client.wait_fence(arg.pipe, arg.fence, 0, Timespec::soon()));
    require!(target.is_done());
    // The first form has no flags: addresses are the kernel's.
    let target = Target::new(&client);
    let mut work = client.work();
    work.flags = 0;
    work = work.fill(&target.bo, 0, FILLED);
    let mut arg = GemSubmit {
        flags: u32::MAX,
        ..work.argument()
    };
    let address = std::ptr::from_mut(&mut arg) as usize;
    require_ok!(client.node.ioctl_raw(code(SUBMIT_1_0_BYTES), address));
    require_ok!(client.wait_fence(arg.pipe, arg.fence, 0, Timespec::soon()));
    require!(target.is_done());
}

fn softpin(board: &'static Board) {
    let client = open(board);
    let start = require_ok!(client.param(0, PARAM_SOFTPIN_START_ADDR)) as u32;
    // Both ends of what is the client's, and the middle.
    for va in [start, 0x8000_0000, 0u32.wrapping_sub(PAGE as u32)] {
        let mut target = Target::new(&client);
        target.bo.va = va;
        require_eq!(client.run(&target.work(&client)), Ok(1), "address {va:#x}");
        require!(target.is_done(), "address {va:#x}");
    }
    // One buffer at one address after the other.
    let mut target = Target::new(&client);
    for n in 0..4 {
        target.bo.va = 0x5000_0000 + n * 0x1000;
        let work = client.work().fill(&target.bo, 0, n);
        require_eq!(client.run(&work), Ok(1));
        require!(filled(&target.map, 0, n));
    }
    // One address for one buffer after the other, each of them still there.
    let mut targets: Vec<_> = (0..4).map(|_| Target::new(&client)).collect();
    for target in &mut targets {
        target.bo.va = 0x6000_0000;
        require_eq!(client.run(&target.work(&client)), Ok(1));
    }
    require!(targets.iter().all(Target::is_done));
}

fn softpin_bad_address(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
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
    let a = Target::new(&client);
    let mut b = Target::new(&client);
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
    require_ok!(client.gem_wait(0, slow.handle, 0, Timespec::soon()));
    // Idle, what is in the way gives way.
    require_eq!(client.run(&b.work(&client)), Ok(1));
    require!(b.is_done());
    require_eq!(client.run(&client.work().fill(&slow, 0, 2)), Ok(1));
    require!(filled(&require_ok!(slow.map()), 0, 2));
}

/// Streams are looked at before addresses are taken, and addresses are taken before buffers are locked.
fn order_of_pinning(board: &'static Board) {
    let client = open(board);
    let a = Target::new(&client);
    let mut b = Target::new(&client);
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
    let target = Target::new(&client);
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
    let target = Target::new(&client);
    for core in board.cores {
        let work = client.work_on(core).fill(&target.bo, 0, FILLED);
        refuse_work(&client, &work.clone().flags(SUBMIT_SOFTPIN), libc::EINVAL);
        // With nothing that has an address, too.
        let nop = client.work_on(core).nop().flags(SUBMIT_SOFTPIN);
        refuse_work(&client, &nop, libc::EINVAL);
        require!(target.is_untouched());
        require_eq!(client.run(&work), Ok(1));
        require!(target.is_done(), "{}", core.name);
        (0..FILL_WORDS).for_each(|word| target.map.write_u32(4 * word, BEFORE));
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
    let target = Target::new(&client);
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
    let other = Target::new(&client);
    let mut work = relocated(&client, &other).names(&target.bo);
    for reloc in &mut work.relocs {
        reloc.reloc_offset = 1024;
    }
    require_eq!(client.run(&work), Ok(1));
    require!(filled(&other.map, 1024, FILLED) && other.is_untouched());
    // Buffers are counted from zero.
    for reloc in &mut work.relocs {
        reloc.reloc_idx = 1;
    }
    require_eq!(client.run(&work), Ok(1));
    require!(filled(&target.map, 1024, FILLED));
}

fn bad_relocs(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
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
    let target = Target::new(&client);
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
    require!(filled(&target.map, 2048, 0));
}

fn reloc_of_no_address(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
    let mut work = relocated(&client, &target).words(&state(NO_ADDRESS, 0));
    work.relocs.push(SubmitReloc {
        submit_offset: work.stream.len() as u32 * 4 - 4,
        ..SubmitReloc::default()
    });
    // Linux warns, once, and takes it. It would tell the client an address of the kernel's.
    refuse_work(&client, &work, libc::EINVAL);
    require!(target.is_untouched());
    work.relocs.pop();
    require_eq!(client.run(&work), Ok(1));
    require!(target.is_done());
}

/// HW: without an MMU that keeps clients apart, an address that is not the kernel's is anybody's memory.
fn address_without_reloc(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
    for core in board.cores {
        let good = client.work_on(core).fill(&target.bo, 0, FILLED);
        for n in 0..good.relocs.len() {
            let mut work = good.clone();
            work.relocs.remove(n);
            refuse_work(&client, &work, libc::EINVAL);
        }
        require_eq!(client.run(&good), Ok(1));
        require!(target.is_done(), "{}", core.name);
        (0..FILL_WORDS).for_each(|word| target.map.write_u32(4 * word, BEFORE));
        // The address of the vertices, loaded with its neighbours.
        let across = client.work_on(core).words(&[0x0802_0000 | (0x648 / 4), 0, 0, 0]);
        refuse_work(&client, &across, libc::EINVAL);
    }
    require!(target.is_untouched());
}

fn no_fence_descriptor(board: &'static Board) {
    let client = open(board);
    let target = Target::new(&client);
    let work = target.work(&client);
    let mut arg = work.argument();
    arg.fence_fd = 55;
    require_ok!(client.node.ioctl(GEM_SUBMIT, &mut arg));
    require_eq!(arg.fence_fd, -1, "who asks for none gets none");
    require_ok!(client.wait_fence(arg.pipe, arg.fence, 0, Timespec::soon()));
    let (_, fd) = require_ok!(client.start(&target.work(&client)));
    let mut info = FileInfo::default();
    require_ok!(fd.ioctl(FILE_INFO, &mut info));
    require_eq!(info.num_fences, 1);
}

fn main() {
    atf::main(&etnaviv_cases! {
        runs [imx8mq imx6q imx6qp] "etnaviv_ioctl_gem_submit: work is done, on every core";
        primary_node [imx8mq imx6q] "DRM_RENDER_ALLOW: the same on the primary node";
        bad_pipe [imx8mq imx6q imx6qp] "etnaviv_ioctl_gem_submit: ENXIO, EINVAL for a core that is not there";
        bad_size [imx8mq imx6q] "etnaviv_ioctl_gem_submit: EINVAL for a stream that is no words";
        bad_exec_state [imx8mq imx6q imx6qp] "differs from etnaviv_ioctl_gem_submit: EINVAL for a pipe that the core lacks";
        bad_flags [imx8mq imx6q] "etnaviv_ioctl_gem_submit: EINVAL for unknown flags";
        limits [imx8mq imx6q] "etnaviv_ioctl_gem_submit: EINVAL beyond 128 Ki of each, and 128 requests";
        longest_stream [imx8mq imx6q imx6qp] "etnaviv_ioctl_gem_submit: a stream of 128 KiB runs";
        many_bos [imx8mq imx6q] "submit_lookup_objects: hundreds of buffers";
        empty [imx8mq imx6q] "etnaviv_ioctl_gem_submit: a stream of no words ends";
        unreadable [imx8mq imx6q] "etnaviv_ioctl_gem_submit: EFAULT for each of the arrays";
        bad_bos [imx8mq imx6q] "submit_lookup_objects: EINVAL for handles and flags";
        bo_flags [imx8mq imx6q] "submit_lookup_objects: no flags are taken, too";
        bo_twice [imx8mq imx6q] "submit_lock_objects: EALREADY for a buffer named twice";
        order_of_errors [imx8mq imx6q] "etnaviv_ioctl_gem_submit: which of several mistakes is told";
        refusal_changes_nothing [imx8mq imx6q imx6qp] "submit_cleanup: nothing is left of what was refused";
        older_forms [imx8mq imx6q imx6qp] "drm_ioctl: the structures of 1.0 and 1.1";
        softpin [imx8mq imx6qp] "etnaviv_iommu_insert_exact: addresses of the client's choice";
        softpin_bad_address [imx8mq imx6qp] "submit_lookup_objects: EINVAL for addresses that are not the client's";
        softpin_overlap [imx8mq imx6qp] "etnaviv_iommu_insert_exact: ENOSPC where something in use is";
        order_of_pinning [imx8mq imx6qp] "etnaviv_ioctl_gem_submit: EINVAL, then ENOSPC, then EALREADY";
        softpin_with_relocs [imx8mq imx6qp] "submit_reloc: EINVAL for relocations with softpin";
        softpin_without_mmuv2 [imx6q] "etnaviv_ioctl_gem_submit: EINVAL for softpin with an MMUv1";
        relocs [imx8mq imx6q imx6qp] "submit_reloc: an address in place of a word";
        bad_relocs [imx8mq imx6q imx6qp] "submit_reloc: EINVAL for flags, places, buffers and offsets";
        reloc_order [imx8mq imx6q imx6qp] "submit_reloc: EINVAL for places that go back";
        reloc_of_no_address [imx8mq imx6q imx6qp] "differs from etnaviv_cmd_validate_one: EINVAL where no address goes";
        address_without_reloc [imx6q] "etnaviv_cmd_validate_one: EINVAL for an address of the client's";
        no_fence_descriptor [imx8mq imx6q] "etnaviv_ioctl_gem_submit: -1 where no descriptor was asked for";
    });
}
