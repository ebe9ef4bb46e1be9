// SPDX-License-Identifier: BSD-2-Clause
//! panfrost: JM_CTX_CREATE, JM_CTX_DESTROY, and jobs of contexts; the timestamp and the cycle
//! counter.
//!
//! Expected: Linux 7.2, drivers/gpu/drm/panfrost/panfrost_drv.c and panfrost_job.c (driver 1.6).
//! Older drivers have none of this.

use atf::drm::{deadline_ns, Node, BAD_ADDRESS};
use atf::mali::Chain;
use atf::process::{drop_privileges, fork};
use atf::{case, require, require_eq, require_errno, require_ok, Ctx};
use uapi::panfrost::*;

/// As many contexts as a file may have besides the default one.
const MOST: usize = 64;
/// Null jobs that take longer than what follows them.
const LONG: usize = 20_000;

fn render() -> Node {
    require_ok!(Node::render())
}

fn create(node: &Node, priority: u32) -> atf::Sys<u32> {
    let mut arg = JmCtxCreate {
        handle: 0x5555,
        priority,
    };
    node.ioctl(JM_CTX_CREATE, &mut arg)?;
    Ok(arg.handle)
}

fn destroy(node: &Node, handle: u32) -> atf::Sys<i32> {
    node.ioctl(JM_CTX_DESTROY, &mut JmCtxDestroy { handle, pad: 0 })
}

/// Submits a chain to a context.
fn submit(node: &Node, context: u32, chain: &Chain<'_>, requirements: u32) -> atf::Sys<i32> {
    let handles = [chain.handle()];
    let mut arg = Submit {
        jc: chain.head(),
        bo_handles: handles.as_ptr() as u64,
        bo_handle_count: 1,
        requirements,
        jm_ctx_handle: context,
        ..Submit::default()
    };
    node.ioctl(SUBMIT, &mut arg)
}

fn soon() -> i64 {
    deadline_ns(5000)
}

fn handles(_: &Ctx) {
    let node = render();
    let contexts: Vec<u32> = (0..MOST)
        .map(|n| require_ok!(create(&node, n as u32 % 2)))
        .collect();
    require_errno!(create(&node, JM_CTX_PRIORITY_MEDIUM), libc::EBUSY);
    for (n, context) in contexts.iter().enumerate() {
        require!(*context != 0, "0 is the default context");
        require!(!contexts[..n].contains(context), "{context} twice");
    }
    require_ok!(destroy(&node, contexts[7]));
    require_errno!(destroy(&node, contexts[7]), libc::EINVAL);
    require_ok!(create(&node, JM_CTX_PRIORITY_LOW));
    // Another file has contexts of its own.
    let other = render();
    require_errno!(destroy(&other, contexts[0]), libc::EINVAL);
    require_ok!(create(&other, JM_CTX_PRIORITY_LOW));
}

fn errors(_: &Ctx) {
    let node = render();
    for priority in [3, 1 << 31, u32::MAX] {
        require_errno!(create(&node, priority), libc::EINVAL);
    }
    let context = require_ok!(create(&node, JM_CTX_PRIORITY_MEDIUM));
    for (handle, pad) in [(0, 0), (context, 1), (context + 1, 0), (u32::MAX, 0)] {
        let mut arg = JmCtxDestroy { handle, pad };
        require_errno!(node.ioctl(JM_CTX_DESTROY, &mut arg), libc::EINVAL);
    }
    for code in [JM_CTX_CREATE.code(), JM_CTX_DESTROY.code()] {
        require_errno!(node.ioctl_raw(code, BAD_ADDRESS), libc::EFAULT);
    }
    let mut chain = require_ok!(Chain::new(&node, 1));
    chain.null(1);
    require_errno!(submit(&node, context + 1, &chain, 0), libc::EINVAL);
    require_eq!(chain.last_status(), 0);
    require_ok!(destroy(&node, context));
    require_errno!(submit(&node, context, &chain, 0), libc::EINVAL);
    require_eq!(chain.last_status(), 0);
}

/// What an unprivileged process, not the master, may ask for.
fn priorities(_: &Ctx) {
    let node = render();
    let allowed = |node: &Node| node.param(PARAM_ALLOWED_JM_CTX_PRIORITIES);
    require_eq!(allowed(&node), Ok(7), "a privileged process");
    require_ok!(create(&node, JM_CTX_PRIORITY_HIGH));
    let mut child = require_ok!(fork(|| {
        if drop_privileges("/dev/dri/renderD128").is_err() {
            return 1;
        }
        let Ok(node) = Node::render() else { return 2 };
        if allowed(&node) != Ok(3) {
            return 3;
        }
        if create(&node, JM_CTX_PRIORITY_HIGH) != Err(atf::Errno(libc::EACCES)) {
            return 4;
        }
        i32::from(create(&node, JM_CTX_PRIORITY_MEDIUM).is_err()) * 5
    }));
    require_eq!(require_ok!(child.wait()), atf::process::Exit::Code(0));
}

fn jobs(_: &Ctx) {
    let node = render();
    for priority in [
        JM_CTX_PRIORITY_LOW,
        JM_CTX_PRIORITY_MEDIUM,
        JM_CTX_PRIORITY_HIGH,
    ] {
        let context = require_ok!(create(&node, priority));
        let target = require_ok!(node.bo(4096, BO_NOEXEC));
        let map = require_ok!(target.map());
        map.write_u32(0, 0xdead_beef);
        let mut chain = require_ok!(Chain::new(&node, 1));
        chain.write_zero(target.va);
        require_ok!(submit(&node, context, &chain, 0));
        require_ok!(chain.wait(soon()));
        require_eq!((chain.last_status(), map.read_u32(0)), (1, 0));
        require_ok!(destroy(&node, context));
    }
}

/// A job of high priority runs before those of low priority that were queued earlier. Each writes
/// the time at which it ends.
fn order(_: &Ctx) {
    const LOW_JOBS: usize = 5;
    let node = render();
    let low = require_ok!(create(&node, JM_CTX_PRIORITY_LOW));
    let high = require_ok!(create(&node, JM_CTX_PRIORITY_HIGH));
    let times = require_ok!(node.bo(4096, BO_NOEXEC));
    let mut chains = Vec::new();
    for n in 0..=LOW_JOBS {
        let nulls = if n == LOW_JOBS { 1 } else { LONG };
        let mut chain = require_ok!(Chain::new(&node, nulls + 1));
        chain.null(nulls).write_time(times.va + 8 * n as u64);
        chains.push(chain);
    }
    for (n, chain) in chains.iter().enumerate() {
        let context = if n == LOW_JOBS { high } else { low };
        require_ok!(submit(&node, context, chain, REQ_CYCLE_COUNT));
    }
    for chain in &chains {
        require_ok!(chain.wait(soon()));
        require_eq!(chain.last_status(), 1);
    }
    let map = require_ok!(times.map());
    let time = |n| u64::from(map.read_u32(8 * n + 4)) << 32 | u64::from(map.read_u32(8 * n));
    // Two may have been in the hardware before it.
    require!(time(LOW_JOBS) < time(LOW_JOBS - 1));
    require!((1..LOW_JOBS).all(|n| time(n - 1) < time(n)));
}

/// The jobs of a context that is destroyed end, whether they run or are cancelled, and other jobs
/// of the file run.
fn destroyed(_: &Ctx) {
    let node = render();
    let chains: Vec<Chain<'_>> = (0..2 * MOST)
        .map(|_| {
            let context = require_ok!(create(&node, JM_CTX_PRIORITY_MEDIUM));
            let mut chain = require_ok!(Chain::new(&node, 64));
            chain.null(64);
            require_ok!(submit(&node, context, &chain, 0));
            require_ok!(destroy(&node, context));
            chain
        })
        .collect();
    for chain in &chains {
        require_ok!(chain.wait(soon()));
    }
    let mut chain = require_ok!(Chain::new(&node, 1));
    chain.null(1);
    require_ok!(submit(&node, 0, &chain, 0));
    require_ok!(chain.wait(soon()));
    require_eq!(chain.last_status(), 1);
}

fn timestamp(_: &Ctx) {
    let node = render();
    let hz = require_ok!(node.param(PARAM_SYSTEM_TIMESTAMP_FREQUENCY));
    require!((1_000_000..=1_000_000_000).contains(&hz), "{hz} Hz");
    let before = require_ok!(node.param(PARAM_SYSTEM_TIMESTAMP));
    std::thread::sleep(std::time::Duration::from_millis(200));
    let after = require_ok!(node.param(PARAM_SYSTEM_TIMESTAMP));
    let ms = after.saturating_sub(before) * 1000 / hz;
    require!(ms >= 150, "200 ms are {ms} ms");
}

fn cycle_count(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 2));
    chain.null(2);
    require_ok!(submit(&node, 0, &chain, REQ_CYCLE_COUNT));
    require_ok!(chain.wait(soon()));
    require_eq!(chain.last_status(), 1);
    require_errno!(submit(&node, 0, &chain, 4), libc::EINVAL);
}

fn main() {
    let cases = [
        case!(
            "handles",
            "panfrost_jm_ctx_create: 64 contexts of a file, then EBUSY",
            handles
        ),
        case!(
            "errors",
            "panfrost_ioctl_jm_ctx_destroy, panfrost_jm_ctx_from_handle: EINVAL, EFAULT",
            errors
        ),
        case!(
            "priorities",
            "panfrost_high_prio_allowed: EACCES",
            priorities
        )
        .require_user("root"),
        case!("jobs", "panfrost_ioctl_submit: jobs of contexts run", jobs),
        case!(
            "order",
            "drm_sched: a job of high priority runs before those of low priority",
            order
        )
        .require_user("root"),
        case!(
            "destroyed",
            "panfrost_jm_ctx_destroy: its jobs end, others run",
            destroyed
        ),
        case!(
            "timestamp",
            "panfrost_ioctl_query_timestamp: it counts at its frequency",
            timestamp
        ),
        case!(
            "cycle_count",
            "panfrost_job_hw_submit: a job with the cycle counter",
            cycle_count
        ),
    ];
    atf::main(&cases.map(|case| case.board("rk3399")))
}
