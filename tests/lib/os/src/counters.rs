// SPDX-License-Identifier: BSD-2-Clause
//! Live objects by kind, and the gate through which every fallible allocation passes.

use crate::sys;
use crate::world::Inner;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident: $kind:ident $live:literal,)*) => {
        /// What is live in a world, by kind.  `Display` lists those that are not zero.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counters { $($(#[$doc])* pub $name: u64,)* }

        /// A kind of thing counted.
        #[derive(Clone, Copy)]
        pub(crate) enum Kind { $($kind,)* }

        const N: usize = [$(Kind::$kind),*].len();

        impl Counters {
            fn entries(&self) -> [(&'static str, u64, bool); N] {
                [$((stringify!($name), self.$name, $live),)*]
            }
        }

        impl Counts {
            pub(crate) fn snapshot(&self) -> Counters {
                Counters { $($name: self.of(Kind::$kind).load(Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Blocks of `drm_os_malloc`.
    mallocs: Mallocs true,
    /// Bytes of those blocks.
    malloc_bytes: MallocBytes true,
    /// Single pages.
    pages: Pages true,
    /// Runs of pages.
    runs: Runs true,
    /// Objects.
    objects: Objects true,
    /// Resident pages of all objects.
    object_pages: ObjectPages true,
    /// Kernel mappings of objects.
    kmaps: Kmaps true,
    /// User mappings ([`crate::Mapping`]).
    mappings: Mappings true,
    /// Mutexes.
    mtxs: Mtxs true,
    /// Sleepable locks.
    sxs: Sxs true,
    /// Condition variables.
    cvs: Cvs true,
    /// Tasks.
    tasks: Tasks true,
    /// Task queues.
    taskqueues: Taskqueues true,
    /// Interrupt handlers.
    irqs: Irqs true,
    /// Register windows.
    mmios: Mmios true,
    /// Clock handles.
    clks: Clks true,
    /// Regulator handles.
    regulators: Regulators true,
    /// Reset handles.
    resets: Resets true,
    /// Open files, installed or not.
    files: Files true,
    /// Registered device nodes.
    minors: Minors true,
    /// Clock enables not yet undone.
    clocks_enabled: ClocksEnabled true,
    /// Regulator enables not yet undone.
    regulators_enabled: RegulatorsEnabled true,
    /// Power-ons not yet undone.
    power_domains_on: PowerDomainsOn true,
    /// Users that memory may be charged to.
    creds: Creds true,
    /// Bytes of the kernel's own that are charged to users.
    charged_bytes: ChargedBytes true,
    /// DMA accesses that no allocated page answered, ever (not a live object).
    bad_dma: BadDma false,
    /// Allocations made to fail so far (not a live object).
    failed_allocations: FailedAllocations false,
}

impl Counters {
    /// Whether nothing is live.  `bad_dma` and `failed_allocations` are histories and do not count.
    pub fn is_clean(&self) -> bool {
        self.entries().iter().all(|&(_, n, live)| n == 0 || !live)
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sep = "";
        for (name, n, _) in self.entries() {
            if n != 0 {
                write!(f, "{sep}{name}={n}")?;
                sep = " ";
            }
        }
        Ok(())
    }
}

/// The counters of a running world.
#[derive(Default)]
pub(crate) struct Counts {
    v: [AtomicU64; N],
    asked: AtomicU64,
    /// Absolute number of the allocation that fails, from 1; 0 for none.
    fail_at: AtomicU64,
}

impl Counts {
    fn of(&self, k: Kind) -> &AtomicU64 {
        &self.v[k as usize]
    }

    pub(crate) fn add(&self, k: Kind, n: u64) {
        self.of(k).fetch_add(n, Relaxed);
    }

    pub(crate) fn sub(&self, k: Kind, n: u64) {
        self.of(k).fetch_sub(n, Relaxed);
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Relaxed)
    }

    pub(crate) fn fail_at(&self, nth_from_now: Option<u64>) {
        let at = nth_from_now.map_or(0, |n| self.asked().saturating_add(n).saturating_add(1));
        self.fail_at.store(at, Relaxed);
    }
}

impl Inner {
    /// Every fallible allocation asks here first.
    pub(crate) fn gate(&self) -> Result<(), u32> {
        let n = self.counts.asked.fetch_add(1, Relaxed) + 1;
        if self.counts.fail_at.load(Relaxed) != n {
            return Ok(());
        }
        self.counts.add(Kind::FailedAllocations, 1);
        Err(sys::DRM_OS_ENOMEM)
    }
}
