// SPDX-License-Identifier: BSD-2-Clause
//! The boards with a Vivante GPU, as far as clients have to know them.
//!
//! HW: facts on the i.MX8MQ, i.MX6Q and i.MX6QP: which cores they have, what draws on them, and
//! whether addresses are the clients' (MMUv2) or the kernel's (MMUv1).

use uapi::etnaviv::{PIPE_2D, PIPE_3D};

/// What a core fills memory with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The blit engine of HALTI5 cores.
    Blt,
    /// The resolve engine of older 3D cores, with two pixel pipes.
    Rs,
    /// The 2D drawing engine.
    De,
}

/// A core.
#[derive(Debug)]
pub struct Core {
    /// Its name.
    pub name: &'static str,
    /// Its number in the user ABI.
    pub pipe: u32,
    /// The state that its streams are executed in.
    pub exec_state: u32,
    /// What fills memory.
    pub engine: Engine,
}

/// A board.
#[derive(Debug)]
pub struct Board {
    /// Its name at drmboard.
    pub name: &'static str,
    /// Its cores by number.
    pub cores: &'static [Core],
    /// Addresses are the clients'; else there are relocations only.
    pub softpin: bool,
}

impl Board {
    /// The core that most cases use.
    pub fn core(&self) -> &'static Core {
        &self.cores[0]
    }

    /// Numbers below the limit of 4 that no core has.
    pub fn missing_pipes(&self) -> std::ops::Range<u32> {
        self.cores.len() as u32..4
    }
}

const GC7000L: Core = Core {
    name: "GC7000L",
    pipe: 0,
    exec_state: PIPE_3D,
    engine: Engine::Blt,
};
const GC2000: Core = Core {
    name: "GC2000",
    pipe: 0,
    exec_state: PIPE_3D,
    engine: Engine::Rs,
};
const GC320: Core = Core {
    name: "GC320",
    pipe: 1,
    exec_state: PIPE_2D,
    engine: Engine::De,
};
const GC3000: Core = Core {
    name: "GC3000",
    ..GC2000
};

/// i.MX8MQ: one core, secure MMUv2.
pub fn imx8mq() -> &'static Board {
    &Board {
        name: "imx8mq",
        cores: &[GC7000L],
        softpin: true,
    }
}

/// i.MX6Q: a 3D and a 2D core, MMUv1.
pub fn imx6q() -> &'static Board {
    &Board {
        name: "imx6q",
        cores: &[GC2000, GC320],
        softpin: false,
    }
}

/// i.MX6QP: its 3D core, non-secure MMUv2.
pub fn imx6qp() -> &'static Board {
    &Board {
        name: "imx6qp",
        cores: &[GC3000],
        softpin: true,
    }
}
