// SPDX-License-Identifier: BSD-2-Clause
//! The way of a job from its submit to its end, with the driver, the system below it and the GPU's
//! model in one process.

use drm_os_host::{Config, Trace, World};
use drmboard::Board;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use test_board::panfrost::{write_zero, Bo, Client};
use test_board::{board, etnaviv};

/// Longer than a job takes, in ns of the virtual clock.
const LIMIT: u64 = 1_000_000_000;

/// A client that submits the same job again and again.
pub struct Submitter {
    client: Job,
    board: Board,
}

/// A client and its job.
enum Job {
    /// panfrost: a write-value job, a sync object, implicit synchronisation.
    Mali {
        chain: Bo,
        data: Bo,
        syncobj: u32,
        client: Client,
    },
    /// etnaviv: a fill by the blit engine at an address of the client's, a sync_file.
    Vivante {
        work: etnaviv::Work,
        client: etnaviv::Client,
    },
}

/// What a job costs besides instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Registers read.
    pub reads: f64,
    /// Registers written.
    pub writes: f64,
    /// Rises of the interrupt line.
    pub interrupts: f64,
    /// Times that power came on.
    pub power_ons: f64,
    /// Allocations of the driver and of the system for it.
    pub allocations: f64,
}

impl Submitter {
    /// A client of a board, `rk3399` or `imx8mq`, on a virtual clock.
    ///
    /// # Errors
    /// A sentence: no client for such a board.
    ///
    /// # Panics
    /// If the board does not come up.
    pub fn new(name: &str) -> Result<Submitter, String> {
        let open: fn(&Board) -> Job = match name {
            "rk3399" => Job::mali,
            "imx8mq" => Job::vivante,
            _ => return Err(format!("no jobs for board {name}")),
        };
        let board = board(name, Config::default());
        Ok(Submitter {
            client: open(&board),
            board,
        })
    }

    /// Submits one job, waits for it, and checks what it wrote.
    ///
    /// # Panics
    /// If anything of that fails.
    pub fn once(&self) {
        self.client.once();
    }

    /// Jobs so far, as the driver counts them.
    pub fn jobs(&self) -> u64 {
        match &self.client {
            Job::Mali { client, .. } => client.stat("jobs"),
            Job::Vivante { client, .. } => client.stat("jobs"),
        }
    }

    /// Bytes that the driver has allocated.
    pub fn kernel_bytes(&self) -> u64 {
        self.board.world().counters().malloc_bytes
    }

    /// What one of `jobs` jobs costs besides instructions.
    ///
    /// # Panics
    /// If a job fails.
    pub fn traffic(&self, jobs: u32) -> Traffic {
        let world = self.board.world();
        let counts = Arc::new(<[AtomicU64; 4]>::default());
        watch(world, counts.clone());
        let before = world.allocations();
        (0..jobs).for_each(|_| self.once());
        world.set_trace(None);
        let [reads, writes, interrupts, power_ons] =
            std::array::from_fn(|n| counts[n].load(Relaxed) as f64 / f64::from(jobs));
        Traffic {
            reads,
            writes,
            interrupts,
            power_ons,
            allocations: (world.allocations() - before) as f64 / f64::from(jobs),
        }
    }

    /// Lets everything go.
    ///
    /// # Panics
    /// If something of the kernel's is left.
    pub fn finish(self) {
        let Submitter { client, board } = self;
        drop(client);
        let left = board.close().expect("the driver detaches");
        assert_eq!(drmboard::stats::live(&left), 0, "left: {left}");
    }
}

/// Counts what happens in a world from now on.
fn watch(world: &World, counts: Arc<[AtomicU64; 4]>) {
    world.set_trace(Some(Box::new(move |event| {
        let which = match event {
            Trace::MmioRead { .. } => 0,
            Trace::MmioWrite { .. } => 1,
            Trace::Irq { level: true, .. } => 2,
            Trace::Power { on: true, .. } => 3,
            _ => return,
        };
        counts[which].fetch_add(1, Relaxed);
    })));
}

impl Job {
    fn mali(board: &Board) -> Job {
        let client = Client::open(board).expect("the node opens");
        let chain = client.bo(4096, 1).expect("a buffer for the job");
        let data = client.bo(4096, 1).expect("a buffer for its result");
        let syncobj = client.syncobj(false).expect("a sync object");
        chain.write(0, &write_zero(data.va, 0));
        Job::Mali {
            chain,
            data,
            syncobj,
            client,
        }
    }

    fn vivante(board: &Board) -> Job {
        let client = etnaviv::Client::open(board).expect("the node opens");
        let work = client
            .work(0x1000_0000, 7)
            .expect("a buffer for its result");
        Job::Vivante { work, client }
    }

    fn once(&self) {
        match self {
            Job::Mali {
                chain,
                data,
                syncobj,
                client,
            } => {
                data.write(0, &[0xff; 8]);
                let bos = [chain.handle, data.handle];
                client
                    .submit(chain.va, false, &bos, &[], *syncobj)
                    .expect("SUBMIT");
                client.wait(data.handle, LIMIT).expect("WAIT_BO");
                assert_eq!(data.read_u64(0), 0, "the job has run");
            }
            Job::Vivante { work, client } => {
                work.forget();
                let fence = client.start(work).expect("GEM_SUBMIT");
                assert_eq!(client.end_of(fence, LIMIT), 1, "the job has ended well");
                assert!(work.is_done(), "the job has run");
            }
        }
    }
}
