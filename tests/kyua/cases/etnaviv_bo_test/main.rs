// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: GEM_NEW, GEM_INFO, mmap(2), GEM_CPU_PREP, GEM_CPU_FINI and GEM_WAIT.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/etnaviv/etnaviv_drv.c and etnaviv_gem.c; the function is
//! named in each description. A case says where we differ on purpose.

mod objects;
mod waits;

use atf::etnaviv::{Board, Client};
use atf::{etnaviv_cases, require_ok};
use objects::{info, mmap, new, new_bad_flags, new_bad_sizes, new_sizes, shared};
use uapi::etnaviv::*;
use waits::{
    busy_for_all, busy_reader, coherent, cpu_prep_errors, cpu_prep_idle, gem_wait_errors,
    nanoseconds, time_outs_wait,
};

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
