// SPDX-License-Identifier: BSD-2-Clause
//! The neighbours: clients of panfrost(4) that burden the driver, each in threads of its own.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use test_board::panfrost::{null, write_zero, Client, Rig};
use test_board::SEC;
use uapi::core::{SYNCOBJ_RESET, SYNCOBJ_SIGNAL, SYNCOBJ_WAIT_ALL, SYNCOBJ_WAIT_FOR_SUBMIT};
use uapi::dma_buf::{SYNC_READ, SYNC_WRITE};

/// A neighbour: its name, and what it does until the measurement ends.
pub struct Neighbour {
    /// Its name.
    pub name: &'static str,
    /// The bytes of memory that it has the driver write to, again and again.
    pub(super) touches: usize,
    pub(super) threads: &'static [fn(&Rig, &Shared)],
}

/// State that the threads of a measurement share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) ready: AtomicBool,
    pub(super) over: AtomicBool,
    /// The neighbour's threads, as the system calls them.
    pub(super) threads: Mutex<Vec<i32>>,
    /// A client of which several threads are.
    client: std::sync::OnceLock<(Client, Vec<u32>)>,
}

const GIB: u32 = 1 << 30;

/// For each page, its number in a list and an entry in the page table, of 8 bytes each.
const TOUCHES_OF_GIB: usize = (GIB >> 12) as usize * 16;

/// The neighbours of issue 10.
pub const NEIGHBOURS: [Neighbour; 4] = [
    Neighbour {
        name: "creates and closes 1 GiB buffers",
        touches: TOUCHES_OF_GIB,
        threads: &[large_buffers],
    },
    Neighbour {
        name: "drops buffers that its jobs use",
        touches: 0,
        threads: &[dropped_buffers],
    },
    Neighbour {
        name: "floods a buffer with fences",
        touches: 0,
        threads: &[fences],
    },
    Neighbour {
        name: "waits for 65,536 syncobjs",
        touches: 0,
        threads: &[wait_for_syncobjs, touch_syncobjs],
    },
];

fn large_buffers(rig: &Rig, shared: &Shared) {
    let c = rig.client();
    let create_and_close = || {
        let bo = c.bo(GIB, 1).expect("memory is there");
        c.close(bo.handle).expect("the handle is good");
    };
    // The first time, the system gives this process its memory, and delays all threads meanwhile.
    create_and_close();
    shared.ready.store(true, Relaxed);
    while !shared.over.load(Relaxed) {
        create_and_close();
    }
}

fn dropped_buffers(rig: &Rig, shared: &Shared) {
    const DEPTH: usize = 16;
    const PAGES: u32 = 256;
    let c = rig.client();
    let mut under_way = Vec::new();
    shared.ready.store(true, Relaxed);
    while !shared.over.load(Relaxed) {
        let bo = c.bo(PAGES * 4096, 0).expect("memory is there");
        let done = c.syncobj(false).expect("a syncobj");
        bo.write(0, &write_zero(bo.va + 128, 0));
        c.submit(bo.va, true, &[bo.handle], &[], done)
            .expect("it is taken");
        c.close(bo.handle).expect("the handle is good");
        under_way.push(done);
        if under_way.len() == DEPTH {
            c.syncobj_wait(done, 20 * SEC).expect("the last one ends");
            for done in under_way.drain(..) {
                c.syncobj_destroy(done).expect("the syncobj is good");
            }
        }
    }
}

/// The time that a null job takes: long enough for fences to be pending. It is one job and not a
/// chain of short ones, because the model takes a processor for each job of a chain, which it may
/// take from a thread with a lock, and no GPU does that.
pub(super) const NULL_NS: u64 = 360_000;

/// Merges fences of jobs under way, again and again, and puts each into a buffer that its jobs use.
fn fences(rig: &Rig, shared: &Shared) {
    const JOBS: usize = 32;
    let c = rig.client();
    let chain = c.bo(4096, 0).expect("memory is there");
    chain.write(0, &null(0));
    let target = c.bo(4096, 0).expect("memory is there");
    let dma_buf = c.export(target.handle).expect("a descriptor");
    shared.ready.store(true, Relaxed);
    while !shared.over.load(Relaxed) {
        let syncobjs: Vec<u32> = (0..JOBS)
            .map(|_| c.syncobj(false).expect("a syncobj"))
            .collect();
        for done in &syncobjs {
            c.submit(chain.va, true, &[chain.handle], &[], *done)
                .expect("it is taken");
        }
        let fds: Vec<i32> = syncobjs
            .iter()
            .map(|s| c.sync_file(*s).expect("a fence"))
            .collect();
        for (a, b) in fds.iter().zip(fds.iter().skip(1)) {
            if let Ok(fd) = c.merge(*a, *b) {
                // There may be a bound, which is all right.
                let _ = c.add_dma_buf_fences(dma_buf, (SYNC_READ | SYNC_WRITE) as u32, fd);
                c.caller.close_fd(fd);
            }
        }
        // Its own jobs meet all of that.
        let last = c.syncobj(false).expect("a syncobj");
        c.submit(chain.va, true, &[target.handle, chain.handle], &[], last)
            .expect("it is taken");
        c.syncobj_wait(last, 20 * SEC).expect("the last one ends");
        fds.into_iter().for_each(|fd| c.caller.close_fd(fd));
        for syncobj in syncobjs.into_iter().chain([last]) {
            c.syncobj_destroy(syncobj).expect("the syncobj is good");
        }
    }
    c.caller.close_fd(dma_buf);
}

const SYNCOBJS: u32 = 65_536;

fn wait_for_syncobjs(rig: &Rig, shared: &Shared) {
    /// All of them, and of those without a fence for one.
    const ALL_FOR_SUBMIT: u32 = SYNCOBJ_WAIT_ALL | SYNCOBJ_WAIT_FOR_SUBMIT;
    let c = rig.client();
    let handles: Vec<u32> = (0..SYNCOBJS)
        .map(|_| c.syncobj(false).expect("a syncobj"))
        .collect();
    let (c, handles) = shared.client.get_or_init(|| (c, handles));
    shared.ready.store(true, Relaxed);
    while !shared.over.load(Relaxed) {
        let until = rig.world().now() + SEC / 20;
        // It ends by its time.
        let _ = c.syncobj_wait_many(handles, until as i64, ALL_FOR_SUBMIT);
    }
    for handle in handles {
        c.syncobj_destroy(*handle).expect("the syncobj is good");
    }
}

/// Wakes the one that waits: signals one of them, and resets it.
fn touch_syncobjs(_: &Rig, shared: &Shared) {
    let mut n = 0;
    while !shared.over.load(Relaxed) {
        let Some((c, handles)) = shared.client.get() else {
            thread::sleep(Duration::from_millis(1));
            continue;
        };
        n = (n + 4_099) % handles.len();
        let one = [handles[n]];
        for request in [SYNCOBJ_SIGNAL, SYNCOBJ_RESET] {
            // They are freed when it has ended.
            let _ = c.syncobj_array(request, &one);
        }
        thread::sleep(Duration::from_micros(200));
    }
}
