// SPDX-License-Identifier: BSD-2-Clause
//! The crowd on a Mali: job chains by hand.
//!
//! The eighth's jobs fault, never end, or hang so that only a reset helps: the board makes every
//! job above 3.5 GiB hang, and only the eighth has buffers there.

use crate::{holds, ok, Gpu, Outcome, Random, PATIENCE_MS};
use atf::drm::client::Work;
use atf::drm::{deadline_ns, Mapping, Node};
use atf::mali::Chain;
use atf::Sys;
use uapi::panfrost::{BO_HEAP, BO_NOEXEC};

const PAGE: u32 = 4096;
/// What the eighth keeps free below the addresses at which jobs hang: see [`OPTIONS`].
const HEAP: u32 = 0xe000_0000;
pub(crate) const OPTIONS: &[&str] = &["--stats", "--inject", "hang:va=0xe0000000,end=0xffffffff"];
/// No client is given addresses below 32 MiB.
const NOWHERE: u64 = 0x10_0000;
const STUCK: usize = 2;

pub(crate) struct Mali;

/// Zeroes words of a buffer by the GPU and checks all of it. `va` is where `node` has the buffer
/// that is mapped at `map`.
fn zero_words(
    node: &Node,
    handle: u32,
    va: u64,
    map: &Mapping,
    random: &mut Random,
) -> Outcome<()> {
    let words = map.len() / 8;
    let pattern = |at: usize| 0x0101_0101_0101_0101 * (1 + at as u64 % 255);
    for at in 0..words {
        map.write_u64(at * 8, pattern(at));
    }
    let jobs = 1 + random.below(8) as usize;
    let mut chain = ok!(Chain::new(node, jobs));
    let zeroed: Vec<usize> = (0..jobs)
        .map(|_| random.below(words as u64) as usize)
        .collect();
    for at in &zeroed {
        chain.write_zero(va + *at as u64 * 8);
    }
    let bos = [chain.handle(), handle];
    let work = Work {
        bos: &bos,
        ..chain.work()
    };
    match random.below(3) {
        // Implicit synchronisation.
        0 => {
            ok!(node.submit(&work));
            ok!(node.wait_bo(handle, deadline_ns(PATIENCE_MS)));
        }
        // A sync object of its own, and a job that comes after.
        1 => {
            let (first, second) = (ok!(node.syncobj(0)), ok!(node.syncobj(0)));
            ok!(node.submit(&Work {
                out_sync: first.handle,
                ..work
            }));
            let mut after = ok!(Chain::new(node, 1));
            after.null(1);
            let after_all = Work {
                in_syncs: &[first.handle],
                out_sync: second.handle,
                ..after.work()
            };
            ok!(node.submit(&after_all));
            ok!(second.wait(deadline_ns(PATIENCE_MS), 0));
            let status = [ok!(first.status()), ok!(second.status())];
            holds!(status == [1, 1], "the jobs ended with {status:?}");
        }
        // A sync_file.
        _ => {
            let done = ok!(node.syncobj(0));
            ok!(node.submit(&Work {
                out_sync: done.handle,
                ..work
            }));
            let file = ok!(done.sync_file());
            let ready = ok!(file.poll(libc::POLLIN, PATIENCE_MS as i32));
            let status = ok!(done.status());
            holds!(
                ready && status == 1,
                "the job ended with {status}, ready: {ready}"
            );
        }
    }
    let status = chain.last_status();
    holds!(status == 1, "the last job's header says {status:#x}");
    let bytes = map.read(0, words * 8);
    for (at, word) in bytes.chunks_exact(8).enumerate() {
        let found = u64::from_le_bytes(word.try_into().unwrap_or_default());
        let expected = if zeroed.contains(&at) { 0 } else { pattern(at) };
        holds!(
            found == expected,
            "word {at} is {found:#x}, not {expected:#x}"
        );
    }
    Ok(())
}

/// The job chain of a misdeed.
fn misdeed<'a>(node: &'a Node, kind: usize) -> Sys<Chain<'a>> {
    match kind {
        0 => {
            let mut chain = Chain::new(node, 1)?;
            chain.write_zero(NOWHERE);
            Ok(chain)
        }
        1 => {
            let mut chain = Chain::new(node, 1)?;
            let first = chain.null(1).head();
            chain.then(first);
            Ok(chain)
        }
        _ => {
            // Buffers are placed in order, so the one after this is where jobs hang.
            let heap = node.bo(HEAP, BO_HEAP | BO_NOEXEC)?;
            let mut chain = Chain::new(node, 1)?;
            chain.null(1);
            drop(heap);
            Ok(chain)
        }
    }
}

impl Gpu for Mali {
    type File = Node;
    const MISDEEDS: [&'static str; 3] = ["astray", "endless", "stuck"];

    fn open() -> Outcome<Node> {
        Ok(ok!(Node::render()))
    }

    fn work_once(node: &Node, random: &mut Random) -> Outcome<()> {
        let size = if random.one_in(16) {
            2 << 20
        } else {
            PAGE * (1 + random.below(8) as u32)
        };
        let bo = ok!(node.bo(size, random.below(2) as u32 * BO_NOEXEC));
        let map = ok!(bo.map());
        zero_words(node, bo.handle, bo.va, &map, random)?;
        if random.one_in(4) {
            // The same buffer in another file, by PRIME.
            let fd = ok!(node.export(bo.handle, libc::O_CLOEXEC | libc::O_RDWR));
            let other = ok!(Node::render());
            let handle = ok!(other.import(&fd));
            let va = ok!(other.bo_offset(handle));
            zero_words(&other, handle, va, &map, random)?;
            if random.one_in(2) {
                ok!(other.gem_close(handle));
            }
        }
        if random.one_in(4) {
            // A heap, which grows by faults that are not errors.
            let heap = ok!(node.bo(8 << 20, BO_HEAP | BO_NOEXEC));
            let mut chain = ok!(Chain::new(node, 2));
            chain.write_zero(heap.va).write_zero(heap.va + (4 << 20));
            let done = ok!(node.syncobj(0));
            ok!(node.submit(&Work {
                out_sync: done.handle,
                ..chain.work()
            }));
            ok!(done.wait(deadline_ns(PATIENCE_MS), 0));
            let status = ok!(done.status());
            holds!(status == 1, "the job on a heap ended with {status}");
        }
        Ok(())
    }

    fn misdeed(
        node: &Node,
        kind: usize,
        times: u64,
        waits: bool,
        done: &dyn Fn() -> Outcome<()>,
    ) -> Outcome<()> {
        let on_board = std::env::var_os("DRMBOARD_BOARD").is_some();
        let chain = ok!(misdeed(node, kind));
        let end = ok!(node.syncobj(0));
        for _ in 0..times {
            ok!(node.submit(&Work {
                out_sync: end.handle,
                ..chain.work()
            }));
        }
        done()?;
        if waits {
            ok!(end.wait(deadline_ns(PATIENCE_MS), 0));
            let status = ok!(end.status());
            holds!(
                status < 0 || kind == STUCK && !on_board,
                "a job that is {} ended with {status}",
                Mali::MISDEEDS[kind]
            );
        }
        Ok(())
    }
}
