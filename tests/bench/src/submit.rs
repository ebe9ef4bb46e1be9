// SPDX-License-Identifier: BSD-2-Clause
//! The way of a job from SUBMIT to WAIT_BO, with the driver, the system below it and the GPU's model in one process.

use driver_tests::{board, write_zero, Bo, Client};
use drm_os_host::Config;
use drmboard::Board;

/// Longer than a job takes, in ns of the virtual clock.
const LIMIT: u64 = 1_000_000_000;

/// A client that submits the same job again and again.
pub struct Submitter {
    chain: Bo,
    data: Bo,
    syncobj: u32,
    client: Client,
    board: Board,
}

impl Submitter {
    /// A client of an RK3399 on a virtual clock.
    ///
    /// # Panics
    /// If the board does not come up.
    pub fn new() -> Submitter {
        let board = board("rk3399", Config::default());
        let client = Client::open(&board).expect("the node opens");
        let chain = client.bo(4096, 1).expect("a buffer for the job");
        let data = client.bo(4096, 1).expect("a buffer for its result");
        let syncobj = client.syncobj(false).expect("a sync object");
        chain.write(0, &write_zero(data.va, 0));
        Submitter {
            chain,
            data,
            syncobj,
            client,
            board,
        }
    }

    /// Submits one job, waits for it, and looks at what it wrote.
    ///
    /// # Panics
    /// If anything of that fails.
    pub fn once(&self) {
        self.data.write(0, &[0xff; 8]);
        let bos = [self.chain.handle, self.data.handle];
        self.client
            .submit(self.chain.va, false, &bos, &[], self.syncobj)
            .expect("SUBMIT");
        self.client.wait(self.data.handle, LIMIT).expect("WAIT_BO");
        assert_eq!(self.data.read_u64(0), 0, "the job has run");
    }

    /// Jobs so far, as the driver counts them.
    pub fn jobs(&self) -> u64 {
        self.client.stat("jobs")
    }

    /// Bytes that the driver has allocated.
    pub fn kernel_bytes(&self) -> u64 {
        self.board.world().counters().malloc_bytes
    }

    /// Lets everything go.
    ///
    /// # Panics
    /// If something of the kernel's is left.
    pub fn finish(self) {
        let Submitter {
            chain,
            data,
            client,
            board,
            ..
        } = self;
        drop((chain, data, client));
        let left = board.close().expect("the driver detaches");
        assert_eq!(drmboard::stats::live(&left), 0, "left: {left}");
    }
}

impl Default for Submitter {
    fn default() -> Submitter {
        Submitter::new()
    }
}
