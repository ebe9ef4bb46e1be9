// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: PM_QUERY_DOM, PM_QUERY_SIG, and the counter requests of GEM_SUBMIT.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/etnaviv/etnaviv_perfmon.c, etnaviv_gem_submit.c and
//! etnaviv_gpu.c; the function is named in each description. Linux writes at a word but checks the
//! offset as if it counted bytes: that we do not follow.

mod domains;
mod requests;

use atf::etnaviv::{Board, Client};
use atf::{etnaviv_cases, require_ok};
use domains::{query, query_errors};
use requests::{
    among_others, bad_requests, bounds, every_signal, flags, limit, samples, two_buffers,
};

fn open(board: &'static Board) -> Client {
    require_ok!(Client::open(board))
}

fn main() {
    atf::main(&etnaviv_cases! {
        query [imx8mq imx6q imx6qp] "etnaviv_pm_query_dom, _sig: all domains and signals of the \
            cores";
        query_errors [imx8mq imx6q imx6qp] "etnaviv_pm_query_dom, _sig: EINVAL after the last, \
            ENXIO";
        samples [imx8mq imx6q imx6qp] "sync_point_perfmon_sample: a counter before and after work, \
            and the sequence number";
        every_signal [imx8mq imx6q imx6qp] "etnaviv_perfmon_process: each signal can be sampled";
        limit [imx8mq imx6q] "etnaviv_ioctl_gem_submit: 128 requests and no more";
        bounds [imx8mq imx6q] "differs from submit_perfmon_validate: EINVAL for words after the \
            buffer";
        bad_requests [imx8mq imx6q imx6qp] "submit_perfmon_validate: EINVAL for flags, buffers, \
            domains, signals";
        flags [imx8mq] "submit_perfmon_validate: requests without a time";
        two_buffers [imx8mq imx6q] "sync_point_perfmon_sample_post: a sequence number in each \
            buffer";
        among_others [imx8mq imx6q imx6qp] "etnaviv_sync_point_queue: other work goes on";
    });
}
