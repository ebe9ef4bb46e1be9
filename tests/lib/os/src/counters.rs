// SPDX-License-Identifier: BSD-2-Clause
//! Counts of live objects by kind, and the check that every fallible allocation makes first.

use crate::sys;
use crate::world::Inner;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident: $kind:ident $live:literal,)*) => {
        /// Live objects of a world, by kind. `Display` lists those that are not zero.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counters { $($(#[$doc])* pub $name: u64,)* }

        /// A kind of counted object.
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
    /// Clock enables without a disable.
    clocks_enabled: ClocksEnabled true,
    /// Regulator enables without a disable.
    regulators_enabled: RegulatorsEnabled true,
    /// Power-ons without a power-off.
    power_domains_on: PowerDomainsOn true,
    /// Users to whom memory can be charged.
    creds: Creds true,
    /// Bytes of kernel memory charged to users.
    charged_bytes: ChargedBytes true,
    /// DMA accesses to addresses without an allocated page, since the start (not a live object).
    bad_dma: BadDma false,
    /// Allocations that failed by injection, since the start (not a live object).
    failed_allocations: FailedAllocations false,
}

impl Counters {
    /// Whether there are no live objects. `bad_dma` and `failed_allocations` are ignored.
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

/// The object counters of a world.
#[derive(Default)]
pub(crate) struct Counts {
    v: [AtomicU64; N],
    asked: AtomicU64,
    /// Number of the allocation that fails, counted from 1; 0 for none.
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
    /// Counts a fallible allocation; returns ENOMEM if it is the one that fails.
    pub(crate) fn gate(&self) -> Result<(), u32> {
        let n = self.counts.asked.fetch_add(1, Relaxed) + 1;
        if self.counts.fail_at.load(Relaxed) != n {
            return Ok(());
        }
        self.counts.add(Kind::FailedAllocations, 1);
        Err(sys::DRM_OS_ENOMEM)
    }
}
