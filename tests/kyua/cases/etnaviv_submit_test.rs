// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: the arguments of GEM_SUBMIT. Every error in its order, limits, older forms.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/etnaviv/etnaviv_gem_submit.c; the function is named in each
//! description. Addresses are in etnaviv_address_test, what streams may hold in
//! etnaviv_stream_test, fences in etnaviv_fence_test.

use atf::drm::{Node, BAD_ADDRESS};
use atf::etnaviv::{filled, refuse, refuse_work, soon, Board, Client, Target, FILL_WORDS};
use atf::process::open_descriptors;
use atf::{etnaviv_cases, require, require_eq, require_ok, Sys};
use uapi::etnaviv::*;
use uapi::sync_file::{FileInfo, FILE_INFO};

const PAGE: u64 = 4096;
/// The longest stream, and the largest number of buffers and relocations.
const LIMIT: u32 = 128 * 1024;
const MAX_PMRS: u32 = 128;
/// A number that no buffer of a test has.
const UNKNOWN: u32 = 77;
const FILLED: u32 = Target::FILLED;

fn open(board: &'static Board) -> Client {
    require_ok!(Client::open(board))
}

fn new_target(client: &Client) -> Target<'_> {
    require_ok!(Target::new(client))
}

/// Sends an argument that is to be taken, and waits for its end.
fn take(client: &Client, mut arg: GemSubmit) -> Sys<()> {
    client.node.ioctl(GEM_SUBMIT, &mut arg)?;
    client.wait_fence(arg.pipe, arg.fence, 0, soon())
}

fn runs(board: &'static Board) {
    let client = open(board);
    for core in board.cores {
        let target = require_ok!(client.bo(3 * PAGE));
        let map = require_ok!(target.map());
        let mut fences = Vec::new();
        for (n, offset) in [0, 4096, 8192, 12288 - 512].into_iter().enumerate() {
            let work = client
                .work_on(core)
                .fill(&target, offset, FILLED + n as u32);
            let done = require_ok!(client.submit(&work));
            require!(!fences.contains(&done.fence), "fence {} again", done.fence);
            fences.push(done.fence);
            require_ok!(client.wait_fence(core.pipe, done.fence, 0, soon()));
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

fn bad_size(board: &'static Board) {
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

fn bad_exec_state(board: &'static Board) {
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

fn bad_flags(board: &'static Board) {
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

fn many_bos(board: &'static Board) {
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

fn empty(board: &'static Board) {
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

fn unreadable(board: &'static Board) {
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

fn bad_bos(board: &'static Board) {
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
fn bo_flags(board: &'static Board) {
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

fn bo_twice(board: &'static Board) {
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

/// Everything is wrong, and each step puts one thing right.
fn order_of_errors(board: &'static Board) {
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

fn refusal_changes_nothing(board: &'static Board) {
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

fn older_forms(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let code = |bytes: u32| GEM_SUBMIT.code() & !(0x3fff << 16) | bytes << 16;
    let work = target.work(&client);
    // After the known part are bytes that the kernel must not take for a field.
    let mut arg = GemSubmit {
        pmrs: BAD_ADDRESS as u64,
        nr_pmrs: 1,
        pad: 1,
        ..work.argument()
    };
    let address = std::ptr::from_mut(&mut arg) as usize;
    require_ok!(client.node.ioctl_raw(code(SUBMIT_1_1_BYTES), address));
    require_ok!(client.wait_fence(arg.pipe, arg.fence, 0, soon()));
    require!(target.is_done());
    // The first form has no flags: addresses are the kernel's.
    let target = new_target(&client);
    let mut work = client.work();
    work.flags = 0;
    work = work.fill(&target.bo, 0, FILLED);
    let mut arg = GemSubmit {
        flags: u32::MAX,
        ..work.argument()
    };
    let address = std::ptr::from_mut(&mut arg) as usize;
    require_ok!(client.node.ioctl_raw(code(SUBMIT_1_0_BYTES), address));
    require_ok!(client.wait_fence(arg.pipe, arg.fence, 0, soon()));
    require!(target.is_done());
}

fn no_fence_descriptor(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let work = target.work(&client);
    let mut arg = work.argument();
    arg.fence_fd = 55;
    require_ok!(client.node.ioctl(GEM_SUBMIT, &mut arg));
    require_eq!(arg.fence_fd, -1, "who asks for none gets none");
    require_ok!(client.wait_fence(arg.pipe, arg.fence, 0, soon()));
    let (_, fd) = require_ok!(client.start(&target.work(&client)));
    let mut info = FileInfo::default();
    require_ok!(fd.ioctl(FILE_INFO, &mut info));
    require_eq!(info.num_fences, 1);
}

fn main() {
    atf::main(&etnaviv_cases! {
        runs [imx8mq imx6q imx6qp] "etnaviv_ioctl_gem_submit: work is done, on every core";
        primary_node [imx8mq imx6q] "DRM_RENDER_ALLOW: the same on the primary node";
        bad_pipe [imx8mq imx6q imx6qp] "etnaviv_ioctl_gem_submit: ENXIO, EINVAL for a core that is \
            not there";
        bad_size [imx8mq imx6q] "etnaviv_ioctl_gem_submit: EINVAL for a stream that is no words";
        bad_exec_state [imx8mq imx6q imx6qp] "differs from etnaviv_ioctl_gem_submit: EINVAL for a \
            pipe that the core lacks";
        bad_flags [imx8mq imx6q] "etnaviv_ioctl_gem_submit: EINVAL for unknown flags";
        limits [imx8mq imx6q] "etnaviv_ioctl_gem_submit: EINVAL beyond 128 Ki of each, and 128 \
            requests";
        longest_stream [imx8mq imx6q imx6qp] "etnaviv_ioctl_gem_submit: a stream of 128 KiB runs";
        many_bos [imx8mq imx6q] "submit_lookup_objects: hundreds of buffers";
        empty [imx8mq imx6q] "etnaviv_ioctl_gem_submit: a stream of no words ends";
        unreadable [imx8mq imx6q] "etnaviv_ioctl_gem_submit: EFAULT for each of the arrays";
        bad_bos [imx8mq imx6q] "submit_lookup_objects: EINVAL for handles and flags";
        bo_flags [imx8mq imx6q] "submit_lookup_objects: no flags are taken, too";
        bo_twice [imx8mq imx6q] "submit_lock_objects: EALREADY for a buffer named twice";
        order_of_errors [imx8mq imx6q] "etnaviv_ioctl_gem_submit: which of several errors is \
            reported";
        refusal_changes_nothing [imx8mq imx6q imx6qp] "submit_cleanup: nothing is left of what was \
            refused";
        older_forms [imx8mq imx6q imx6qp] "drm_ioctl: the structures of 1.0 and 1.1";
        no_fence_descriptor [imx8mq imx6q] "etnaviv_ioctl_gem_submit: -1 where no descriptor was \
            asked for";
    });
}
