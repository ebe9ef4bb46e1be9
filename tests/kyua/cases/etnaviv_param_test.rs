// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: GET_PARAM, the numbers of ioctls, and the lengths of their structures.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/etnaviv/etnaviv_gpu.c and etnaviv_drv.c; the function is
//! named in each description. The length of a structure is where we differ from it on purpose.

use atf::drm::{Node, BAD_ADDRESS};
use atf::etnaviv::{Board, Client};
use atf::{etnaviv_cases, require, require_eq, require_errno, require_ok};
use uapi::core::{Version, VERSION};
use uapi::etnaviv::*;

/// What memory holds before the kernel writes to it.
const BEFORE: u64 = 0x5555_5555_5555_5555;

fn open(board: &'static Board) -> Client {
    require_ok!(Client::open(board))
}

/// HW: the row of the GC7000L r6214 in Linux's hardware table.
const GC7000L: &[(u32, u64)] = &[
    (PARAM_GPU_MODEL, 0x7000),
    (PARAM_GPU_REVISION, 0x6214),
    (PARAM_GPU_FEATURES_0, 0xe028_7cad),
    (0x04, 0xc179_9eff),
    (0x05, 0xfefb_fad9),
    (0x06, 0xeb9d_4fbf),
    (0x07, 0xedff_fced),
    (0x08, 0xdb0d_afc7),
    (0x09, 0xbb5a_c333),
    (0x0a, 0xfc8e_e200),
    (0x0b, 0x03fb_fa6f),
    (0x0c, 0x00ef_0ef0),
    (0x0d, 0x0edb_f03c),
    (0x0e, 0x9004_4250),
    (0x0f, 0x0000_0024),
    (PARAM_GPU_STREAM_COUNT, 16),
    (0x11, 64),
    (0x12, 1024),
    (0x13, 16),
    (0x14, 4),
    (0x15, 2),
    (0x16, 1024),
    (0x17, 0),
    (0x18, 512),
    (0x19, 320),
    (0x1a, 16),
    (PARAM_SOFTPIN_START_ADDR, 0x40_0000),
];
/// HW: the i.MX6Q's GC2000 r5108, registers as etna_viv's gpus.json has them; sizes as
/// etnaviv_hw_specs makes them of these.
const GC2000: &[(u32, u64)] = &[
    (PARAM_GPU_MODEL, 0x2000),
    (PARAM_GPU_REVISION, 0x5108),
    (PARAM_GPU_FEATURES_0, 0xe029_6cad),
    (0x04, 0xc979_9eff),
    (0x05, 0x2efb_f2d9),
    // Words that are in no register of it.
    (0x06, 0),
    (0x09, 0),
    (0x0a, 0),
    (0x0f, 0),
    (PARAM_GPU_STREAM_COUNT, 8),
    (0x11, 64),
    (0x12, 1024),
    (0x13, 16),
    (0x14, 4),
    (0x15, 2),
    (0x16, 512),
    (0x17, 0),
    (0x18, 512),
    (0x19, 168),
    // 12 in the register; the position takes one.
    (0x1a, 11),
    (PARAM_SOFTPIN_START_ADDR, u64::MAX),
];
/// HW: the i.MX6Q's GC320 r5007, likewise.
const GC320: &[(u32, u64)] = &[
    (PARAM_GPU_MODEL, 0x320),
    (PARAM_GPU_REVISION, 0x5007),
    (PARAM_GPU_FEATURES_0, 0xe02c_7eca),
    (0x04, 0xc139_9eff),
    (0x05, 0x020f_b2db),
    (0x0a, 0),
    (PARAM_GPU_STREAM_COUNT, 1),
    (PARAM_SOFTPIN_START_ADDR, u64::MAX),
];
/// HW: the i.MX6QP calls its GC3000 r5450 a GC2000 (etnaviv_hw_identify); feature words as in
/// Mesa's etnaviv_noop.c.
const GC3000: &[(u32, u64)] = &[
    (PARAM_GPU_MODEL, 0x3000),
    (PARAM_GPU_REVISION, 0x5450),
    (PARAM_GPU_FEATURES_0, 0xe028_7cad),
    (0x04, 0xc979_9efb),
    (0x05, 0xfefb_fadb),
    (0x06, 0xeb9d_4bbf),
    (0x07, 0xedff_dced),
    (0x08, 0x930d_2f47),
    (0x09, 0x1000_0133),
    (0x0a, 0),
    (0x15, 2),
    (PARAM_SOFTPIN_START_ADDR, 0x40_0000),
];

fn values(board: &'static Board) {
    let client = open(board);
    for core in board.cores {
        let expected = match core.name {
            "GC7000L" => GC7000L,
            "GC2000" => GC2000,
            "GC320" => GC320,
            _ => GC3000,
        };
        for (param, value) in expected {
            require_eq!(
                client.param(core.pipe, *param),
                Ok(*value),
                "parameter {param:#x} of {}",
                core.name
            );
        }
    }
}

fn all(board: &'static Board) {
    let client = open(board);
    let card = require_ok!(Node::card());
    for core in board.cores {
        for param in PARAM_GPU_MODEL..=PARAM_GPU_ECO_ID {
            let value = require_ok!(client.param(core.pipe, param));
            let mut arg = Param {
                pipe: core.pipe,
                param,
                // What the caller left in the value does not matter.
                value: BEFORE,
            };
            require_ok!(card.ioctl(GET_PARAM, &mut arg));
            require_eq!(arg.value, value, "parameter {param:#x} of both nodes");
            require!(
                param == PARAM_SOFTPIN_START_ADDR || value <= u64::from(u32::MAX),
                "parameter {param:#x}: {value:#x}"
            );
        }
    }
}

fn unknown(board: &'static Board) {
    let client = open(board);
    for core in board.cores {
        // 0x1f to 0x23 were in one release candidate of Linux and in no release.
        for param in [0, 0x1f, 0x20, 0x23, 0x24, 0x100, 1 << 16, u32::MAX] {
            let mut arg = Param {
                pipe: core.pipe,
                param,
                value: BEFORE,
            };
            require_errno!(client.node.ioctl(GET_PARAM, &mut arg), libc::EINVAL);
            require_eq!(arg.value, BEFORE);
        }
    }
}

fn pipes(board: &'static Board) {
    let client = open(board);
    for pipe in board.missing_pipes() {
        require_errno!(client.param(pipe, PARAM_GPU_MODEL), libc::ENXIO);
        // The core is searched for first.
        require_errno!(client.param(pipe, 0), libc::ENXIO);
    }
    for pipe in [4, 5, 0x100, 1 << 31, u32::MAX] {
        require_errno!(client.param(pipe, PARAM_GPU_MODEL), libc::EINVAL);
    }
}

fn version(board: &'static Board) {
    let client = open(board);
    let mut arg = Version::default();
    require_ok!(client.node.ioctl(VERSION, &mut arg));
    require_eq!((arg.version_major, arg.version_minor), (1, 4));
    let mut name = vec![0u8; arg.name_len as usize];
    arg = Version {
        name_len: arg.name_len,
        name: name.as_mut_ptr() as u64,
        ..Version::default()
    };
    require_ok!(client.node.ioctl(VERSION, &mut arg));
    require_eq!(String::from_utf8_lossy(&name), "etnaviv");
}

fn no_such_ioctl(board: &'static Board) {
    let client = open(board);
    let mut arg = [0u64; 16];
    let address = arg.as_mut_ptr() as usize;
    for request in [SET_PARAM, uapi::io(b'd', 0x4c)] {
        require_errno!(client.node.ioctl_raw(request.code(), address), libc::EINVAL);
        let with_argument = request.code() | 3 << 30 | 16 << 16;
        require_errno!(client.node.ioctl_raw(with_argument, address), libc::EINVAL);
    }
}

fn bad_address(board: &'static Board) {
    let client = open(board);
    for code in [
        GET_PARAM.code(),
        GEM_NEW.code(),
        GEM_INFO.code(),
        GEM_CPU_PREP.code(),
        GEM_CPU_FINI.code(),
        GEM_SUBMIT.code(),
        WAIT_FENCE.code(),
        GEM_USERPTR.code(),
        GEM_WAIT.code(),
        PM_QUERY_DOM.code(),
        PM_QUERY_SIG.code(),
    ] {
        for bad in [0, BAD_ADDRESS] {
            require_errno!(client.node.ioctl_raw(code, bad), libc::EFAULT);
        }
    }
}

/// A structure with a tail that driver 1.4 does not know.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Longer<T> {
    known: T,
    tail: u64,
}

fn longer(board: &'static Board) {
    let client = open(board);
    let pipe = board.core().pipe;
    let param = GET_PARAM.with::<Longer<Param>>();
    let mut arg = Longer {
        known: Param {
            pipe,
            param: PARAM_GPU_MODEL,
            value: BEFORE,
        },
        tail: 0,
    };
    require_ok!(client.node.ioctl(param, &mut arg));
    require_eq!(Ok(arg.known.value), client.param(pipe, PARAM_GPU_MODEL));
    // Linux ignores the tail. Who fills it asks for something that would not happen.
    for tail in [1, 1 << 63] {
        arg.tail = tail;
        arg.known.value = BEFORE;
        require_errno!(client.node.ioctl(param, &mut arg), libc::EINVAL);
        require_eq!((arg.known.value, arg.tail), (BEFORE, tail));
    }
    let submit = GEM_SUBMIT.with::<Longer<GemSubmit>>();
    let work = client.work().nop();
    let mut arg = Longer {
        known: work.argument(),
        tail: 0,
    };
    require_ok!(client.node.ioctl(submit, &mut arg));
    arg = Longer {
        known: work.argument(),
        tail: 1,
    };
    require_errno!(client.node.ioctl(submit, &mut arg), libc::EINVAL);
}

fn shorter(board: &'static Board) {
    let client = open(board);
    // Of the structure's 16 bytes only the first 8: the answer has no place.
    let mut arg = [board.core().pipe, PARAM_GPU_MODEL, 0x5555_5555, 0x5555_5555];
    let code = GET_PARAM.code() & !(0x3fff << 16) | 8 << 16;
    require_ok!(client.node.ioctl_raw(code, arg.as_mut_ptr() as usize));
    require_eq!(arg[2..], [0x5555_5555; 2]);
    // Of 4 bytes only the core, parameter 0.
    let code = GET_PARAM.code() & !(0x3fff << 16) | 4 << 16;
    require_errno!(
        client.node.ioctl_raw(code, arg.as_mut_ptr() as usize),
        libc::EINVAL
    );
}

fn main() {
    atf::main(&etnaviv_cases! {
        values [imx8mq imx6q imx6qp] "etnaviv_hw_identify: what the cores of the board are";
        all [imx8mq imx6q imx6qp] "etnaviv_gpu_get_param: every parameter, on both nodes";
        unknown [imx8mq imx6q imx6qp] "etnaviv_gpu_get_param: EINVAL, and nothing written, for an \
            unknown parameter";
        pipes [imx8mq imx6q imx6qp] "etnaviv_ioctl_get_param: ENXIO for a core that is not there, \
            EINVAL beyond four";
        version [imx8mq imx6q imx6qp] "etnaviv_drm_driver: name and version";
        no_such_ioctl [imx8mq] "drm_ioctl: EINVAL for the number that was never used and the first \
            beyond";
        bad_address [imx8mq imx6q] "drm_ioctl: EFAULT for each ioctl without an argument to read";
        longer [imx8mq imx6q] "differs from drm_ioctl: what follows the structure must be zero";
        shorter [imx8mq] "drm_ioctl: a shorter structure is taken as if zeroes followed";
    });
}
