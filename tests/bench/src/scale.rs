// SPDX-License-Identifier: BSD-2-Clause
//! What one operation costs among n objects, for n and 100 times n: no more than a logarithm
//! allows. Instructions of user space, of which those of the system below the driver and of the
//! GPU's model are a part.

use crate::count::Counter;
use drm_os_host::Config;
use drmboard::Board;
use test_board::panfrost::{null, Client};
use test_board::{board, errno, etnaviv, with_memory, SEC};

/// The most by which the cost may grow from the first number of objects to the last. The height of
/// a tree grows by half of itself from 3,000 to 300,000 entries.
pub const LIMIT: f64 = 2.0;

/// Operations of a measurement.
const OPERATIONS: u32 = 64;

/// Costs of one operation, for each number of objects.
pub struct Series {
    /// What the operation is.
    pub name: &'static str,
    /// Numbers of objects, and instructions.
    pub costs: Vec<(u32, f64)>,
}

impl Series {
    /// Last cost by first cost.
    pub fn growth(&self) -> f64 {
        match (self.costs.first(), self.costs.last()) {
            (Some((_, first)), Some((_, last))) => last / first,
            _ => f64::NAN,
        }
    }
}

/// A way to measure: returns the cost of one operation of each kind, for a number of objects.
type Measure<const N: usize> = fn(&mut Counter, u32) -> [f64; N];

fn series<const N: usize>(
    counter: &mut Counter,
    names: [&'static str; N],
    sizes: [u32; 3],
    measure: Measure<N>,
) -> Vec<Series> {
    let measured = sizes.map(|n| (n, measure(counter, n)));
    let one = |(k, name)| Series {
        name,
        costs: measured.iter().map(|(n, costs)| (*n, costs[k])).collect(),
    };
    names.into_iter().enumerate().map(one).collect()
}

/// All series.
pub fn all(counter: &mut Counter) -> Vec<Series> {
    let few = [100, 1_000, 10_000];
    let many = [3_000, 30_000, 300_000];
    [
        series(
            counter,
            ["CREATE_BO among n BOs of a file", "GEM_CLOSE among n BOs"],
            few,
            mali_bos,
        ),
        series(
            counter,
            ["GEM_NEW among n BOs of a file", "GEM_CLOSE among n such"],
            many,
            vivante_bos,
        ),
        series(
            counter,
            ["GEM_CLOSE among n mapped BOs, etnaviv"],
            few,
            vivante_mapped,
        ),
        series(
            counter,
            [
                "GEM_CLOSE, CREATE_BO in a VM full of n BOs",
                "CREATE_BO that fails in a VM full of n BOs",
            ],
            [100, 1_000, 10_000],
            mali_full,
        ),
        series(
            counter,
            ["SYNCOBJ_WAIT for all of n, for each, with jobs"],
            [64, 512, 4_096],
            syncobj_wait,
        ),
        series(
            counter,
            [
                "SUBMIT with n jobs of a client queued",
                "retiring each of n jobs of a client",
            ],
            [1_000, 10_000, 100_000],
            |counter, n| mali_jobs(counter, n, 1),
        ),
        series(
            counter,
            [
                "SUBMIT with n jobs of 100 clients queued",
                "retiring each of n jobs of 100 clients",
            ],
            [1_000, 10_000, 100_000],
            |counter, n| mali_jobs(counter, n, 100),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A board whose clients may have any amount of memory. Its regions of memory are scattered, so
/// that buffers of one page cost nothing but that page.
fn roomy(name: &str) -> Board {
    board(name, with_memory(64 << 30))
}

fn each(counter: &mut Counter, mut operation: impl FnMut(u32)) -> f64 {
    let counted = counter.count(|| (0..OPERATIONS).for_each(&mut operation));
    counted as f64 / f64::from(OPERATIONS)
}

/// The `k`-th of the objects that are closed: spread over all of them.
fn spread(k: u32, n: u32) -> usize {
    (u64::from(k) * u64::from(n) / u64::from(OPERATIONS)) as usize
}

/// panfrost: one BO closed and one made among n, all mapped for the GPU.
fn mali_bos(counter: &mut Counter, n: u32) -> [f64; 2] {
    let board = roomy("rk3399");
    let client = Client::open(&board).expect("the node opens");
    let make = || client.create_bo(4096, 1).expect("memory is there").0;
    let mut handles: Vec<u32> = (0..n).map(|_| make()).collect();
    let close = each(counter, |k| {
        client.close(handles[spread(k, n)]).expect("it is open");
    });
    let create = each(counter, |k| handles[spread(k, n)] = make());
    drop(client);
    board.close().expect("the driver detaches");
    [create, close]
}

/// etnaviv: one BO closed and one made among n that no job has used.
fn vivante_bos(counter: &mut Counter, n: u32) -> [f64; 2] {
    let board = roomy("imx8mq");
    let client = etnaviv::Client::open(&board).expect("the node opens");
    let make = || client.gem_new(4096, etnaviv::WC).expect("memory is there");
    let mut handles: Vec<u32> = (0..n).map(|_| make()).collect();
    let close = each(counter, |k| {
        client.close(handles[spread(k, n)]).expect("it is open");
    });
    let create = each(counter, |k| handles[spread(k, n)] = make());
    drop(client);
    board.close().expect("the driver detaches");
    [create, close]
}

/// etnaviv: one BO closed among n that a job has used, so that they are mapped.
fn vivante_mapped(counter: &mut Counter, n: u32) -> [f64; 1] {
    const AT_ONCE: usize = 250;
    let board = roomy("imx8mq");
    let client = etnaviv::Client::open(&board).expect("the node opens");
    let make = |_| client.gem_new(4096, etnaviv::WC).expect("memory is there");
    let handles: Vec<u32> = (0..n).map(make).collect();
    let work = client.work(0x1000_0000, 1).expect("memory is there");
    for (turn, some) in (0u64..).zip(handles.chunks(AT_ONCE)) {
        let mut submit = work.submit();
        let first = 0x2000_0000 + turn * AT_ONCE as u64 * 4096;
        let places = (first..).step_by(4096);
        let more = some.iter().zip(places).map(|(h, va)| (1, *h, va));
        submit.bos.extend(more);
        let fence = client.submit_raw(&submit).expect("it is taken");
        assert_eq!(client.end_of(fence, SEC), 1);
    }
    let close = each(counter, |k| {
        client.close(handles[spread(k, n)]).expect("it is open");
    });
    drop((work, client));
    board.close().expect("the driver detaches");
    [close]
}

/// panfrost: an address space that is full, all but for the last hole: CREATE_BO finds the hole,
/// and CREATE_BO finds none once it is taken.
fn mali_full(counter: &mut Counter, n: u32) -> [f64; 2] {
    /// Where buffers are: from 32 MiB to 4 GiB.
    const PAGES: u32 = ((4096 - 32) << 20) / 4096;
    let board = board(
        "rk3399",
        Config {
            pages: 1 << 21,
            ..with_memory(64 << 30)
        },
    );
    let client = Client::open(&board).expect("the node opens");
    // Buffers from 2 MiB on start at a multiple of it: with whole ones there are no gaps.
    let of_each = match PAGES / n {
        few @ ..512 => few,
        many => many - many % 512,
    };
    // The last hole is that of a page.
    let mut left = PAGES - 1;
    while left != 0 {
        let pages = of_each.min(left);
        client.create_bo(pages * 4096, 1).expect("there is room");
        left -= pages;
    }
    let mut last = client.create_bo(4096, 1).expect("there is room").0;
    let none = each(counter, |_| {
        assert_eq!(client.create_bo(8192, 1), Err(errno::ENOSPC));
    });
    let hole = each(counter, |_| {
        client.close(last).expect("it is open");
        last = client.create_bo(4096, 1).expect("there is room").0;
    });
    drop(client);
    board.close().expect("the driver detaches");
    [hole, none]
}

/// panfrost: one wait for the syncobjs of n jobs, which end one after the other meanwhile.
fn syncobj_wait(counter: &mut Counter, n: u32) -> [f64; 1] {
    const ALL: u32 = 1;
    let board = roomy("rk3399");
    let client = Client::open(&board).expect("the node opens");
    let chain = client.bo(4096, 1).expect("memory is there");
    chain.write(0, &null(0));
    let syncobj = |_| client.syncobj(false).expect("memory is there");
    let syncobjs: Vec<u32> = (0..n).map(syncobj).collect();
    for syncobj in &syncobjs {
        client
            .submit(chain.va, false, &[], &[], *syncobj)
            .expect("it is taken");
    }
    let wait = counter.count(|| {
        client
            .syncobj_wait_many(&syncobjs, i64::MAX, ALL)
            .expect("the jobs end");
    });
    drop((chain, client));
    board.close().expect("the driver detaches");
    [wait as f64 / f64::from(n)]
}

/// panfrost: n jobs of some clients, of which none has begun; one more of each, and the end of all.
fn mali_jobs(counter: &mut Counter, n: u32, clients: u32) -> [f64; 2] {
    let board = roomy("rk3399");
    let open = |_| {
        let client = Client::open(&board).expect("the node opens");
        let chain = client.bo(4096, 1).expect("memory is there");
        chain.write(0, &null(0));
        let gate = client.syncobj(false).expect("memory is there");
        (client, chain, gate)
    };
    let all: Vec<_> = (0..clients).map(open).collect();
    let submit = |k: u32| {
        let (client, chain, gate) = &all[(k % clients) as usize];
        client
            .submit(chain.va, false, &[], &[], *gate)
            .expect("it is taken");
    };
    (0..n).for_each(submit);
    let submitted = each(counter, submit);
    let retired = counter.count(|| {
        for (client, _, gate) in &all {
            client
                .syncobj_wait(*gate, 1_000_000 * SEC)
                .expect("the jobs end");
        }
    });
    drop(all);
    board.close().expect("the driver detaches");
    [submitted, retired as f64 / f64::from(n + OPERATIONS)]
}
