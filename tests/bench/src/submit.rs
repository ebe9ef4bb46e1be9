// SPDX-License-Identifier: BSD-2-Clause
//! The way of a job from its submit to its end, with the driver, the system below it and the GPU's
//! model in one process.

use drm_os_host::{Calls, Config, Trace, World};
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

/// How large a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// BOs that it names, 2 at least for panfrost, 1 for etnaviv.
    pub bos: u32,
    /// Words of its command stream, an even number from [`WORDS`] on; panfrost's has none.
    pub words: u32,
}

/// Words of the smallest job of etnaviv.
pub const WORDS: u32 = 30;

/// A client and its job.
pub(crate) enum Job {
    /// panfrost: a write-value job, a sync object, implicit synchronisation.
    Mali {
        chain: Bo,
        data: Bo,
        /// The BOs that it names: those two and others.
        handles: Vec<u32>,
        syncobj: u32,
        client: Client,
    },
    /// etnaviv: a fill by the blit engine at an address of the client's, a sync_file.
    Vivante {
        work: etnaviv::Work,
        submit: etnaviv::Submit,
        client: etnaviv::Client,
    },
}

/// What some jobs cost besides instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// How many jobs.
    pub jobs: u32,
    /// What the driver has called.
    pub calls: Calls,
    /// Rises of the interrupt line.
    pub interrupts: u64,
    /// Times that power came on.
    pub power_ons: u64,
    /// Allocations of the driver and of the system for it: [`World::allocations`].
    pub allocations: u64,
}

impl Traffic {
    /// The part of one job.
    pub fn of_one(&self, n: u64) -> f64 {
        n as f64 / f64::from(self.jobs)
    }
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
        let bos = if name == "rk3399" { 2 } else { 1 };
        Submitter::sized(name, Size { bos, words: WORDS })
    }

    /// The same with a job of some size.
    ///
    /// # Errors
    /// As of [`Submitter::new`].
    ///
    /// # Panics
    /// As of [`Submitter::new`].
    pub fn sized(name: &str, size: Size) -> Result<Submitter, String> {
        let open = Job::opener(name)?;
        let board = board(name, Config::default());
        Ok(Submitter {
            client: open(&board, size),
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

    /// The most bytes that the client was ever charged for: its objects, its jobs, and what jobs
    /// that have ended still hold.
    pub fn peak_bytes(&self) -> u64 {
        match &self.client {
            Job::Mali { client, .. } => client.stat("mem_peak"),
            Job::Vivante { client, .. } => client.stat("mem_peak"),
        }
    }

    /// Bytes that the driver has allocated.
    pub fn kernel_bytes(&self) -> u64 {
        self.board.world().counters().malloc_bytes
    }

    /// What `jobs` jobs cost besides instructions.
    ///
    /// # Panics
    /// If a job fails.
    pub fn traffic(&self, jobs: u32) -> Traffic {
        let world = self.board.world();
        let counts = Arc::new(<[AtomicU64; 2]>::default());
        watch(world, counts.clone());
        let (calls, allocations) = (world.calls(), world.allocations());
        (0..jobs).for_each(|_| self.once());
        world.set_trace(None);
        let [interrupts, power_ons] = std::array::from_fn(|n| counts[n].load(Relaxed));
        Traffic {
            jobs,
            calls: world.calls() - calls,
            interrupts,
            power_ons,
            allocations: world.allocations() - allocations,
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
fn watch(world: &World, counts: Arc<[AtomicU64; 2]>) {
    world.set_trace(Some(Box::new(move |event| {
        let which = match event {
            Trace::Irq { level: true, .. } => 0,
            Trace::Power { on: true, .. } => 1,
            _ => return,
        };
        counts[which].fetch_add(1, Relaxed);
    })));
}

/// Opens a client of a board with a job of some size.
pub(crate) type Opener = fn(&Board, Size) -> Job;

impl Job {
    /// For a board of a name.
    ///
    /// # Errors
    /// A sentence: no client for such a board.
    pub(crate) fn opener(name: &str) -> Result<Opener, String> {
        match name {
            "rk3399" => Ok(Job::mali),
            "imx8mq" => Ok(Job::vivante),
            _ => Err(format!("no jobs for board {name}")),
        }
    }

    fn mali(board: &Board, size: Size) -> Job {
        let client = Client::open(board).expect("the node opens");
        let chain = client.bo(4096, 1).expect("a buffer for the job");
        let data = client.bo(4096, 1).expect("a buffer for its result");
        let syncobj = client.syncobj(false).expect("a sync object");
        chain.write(0, &write_zero(data.va, 0));
        let mut handles = vec![chain.handle, data.handle];
        while handles.len() < size.bos as usize {
            handles.push(client.create_bo(4096, 1).expect("one more buffer").0);
        }
        Job::Mali {
            chain,
            data,
            handles,
            syncobj,
            client,
        }
    }

    fn vivante(board: &Board, size: Size) -> Job {
        let client = etnaviv::Client::open(board).expect("the node opens");
        let work = client
            .work(0x1000_0000, 7)
            .expect("a buffer for its result");
        let mut submit = work.submit();
        // Instructions of the vertex shader, which no draw uses.
        let loads = (0..size.words.saturating_sub(WORDS) / 2)
            .flat_map(|n| etnaviv::stream::state(0x4000 + n % 1024 * 4, n));
        submit.stream.splice(0..0, loads);
        assert_eq!(submit.stream.len(), size.words as usize);
        for va in (0x2000_0000..).step_by(4096).take(size.bos as usize - 1) {
            let handle = client.gem_new(4096, etnaviv::WC).expect("one more buffer");
            let (flags, ..) = submit.bos[0];
            submit.bos.push((flags, handle, va));
        }
        Job::Vivante {
            work,
            submit,
            client,
        }
    }

    /// Makes BOs that no job uses.
    ///
    /// # Panics
    /// If that fails.
    pub(crate) fn make_others(&self, bos: u32) {
        for _ in 0..bos {
            match self {
                Job::Mali { client, .. } => client.create_bo(4096, 1).map(drop),
                Job::Vivante { client, .. } => client.gem_new(4096, etnaviv::WC).map(drop),
            }
            .expect("one more buffer");
        }
    }

    pub(crate) fn once(&self) {
        match self {
            Job::Mali {
                chain,
                data,
                handles,
                syncobj,
                client,
            } => {
                data.write(0, &[0xff; 8]);
                client
                    .submit(chain.va, false, handles, &[], *syncobj)
                    .expect("SUBMIT");
                client.wait(data.handle, LIMIT).expect("WAIT_BO");
                assert_eq!(data.read_u64(0), 0, "the job has run");
            }
            Job::Vivante {
                work,
                submit,
                client,
            } => {
                work.forget();
                let fence = client.submit_raw(submit).expect("GEM_SUBMIT");
                assert_eq!(client.end_of(fence, LIMIT), 1, "the job has ended well");
                assert!(work.is_done(), "the job has run");
            }
        }
    }
}
