// SPDX-License-Identifier: BSD-2-Clause
//! Counts of driver calls that are expensive on real hardware: allocation, locks, wake-ups, cache
//! maintenance, the clock, registers.
//!
//! Calls of `drm_os.h` are counted, not the operations by which this crate implements them.

use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident: $kind:ident,)*) => {
        /// Calls of the drivers, by kind.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Calls { $($(#[$doc])* pub $name: u64,)* }

        /// A kind of call.
        #[derive(Clone, Copy)]
        pub(crate) enum Call { $($kind,)* }

        const N: usize = [$(Call::$kind),*].len();

        impl CallCounts {
            pub(crate) fn snapshot(&self) -> Calls {
                Calls { $($name: self.0[Call::$kind as usize].load(Relaxed),)* }
            }
        }

        impl Sub for Calls {
            type Output = Calls;

            fn sub(self, before: Calls) -> Calls {
                Calls { $($name: self.$name - before.$name,)* }
            }
        }
    };
}

calls! {
    /// `drm_os_malloc`.
    mallocs: Malloc,
    /// `drm_os_mtx_create`.
    mtxs_made: MtxCreate,
    /// `drm_os_mtx_lock`, each of which has its unlock. When a wait on a condition variable retakes
    /// the lock, that is not counted.
    mtx_locks: MtxLock,
    /// `drm_os_sx_lock`, and each successful `drm_os_sx_try`.
    sx_locks: SxLock,
    /// `drm_os_cv_broadcast`.
    broadcasts: Broadcast,
    /// Threads woken by `drm_os_cv_broadcast`.
    woken: Woken,
    /// `drm_os_task_enqueue`, including calls for a task that is already queued.
    enqueues: Enqueue,
    /// `drm_os_task_enqueue_at`.
    timed_enqueues: EnqueueAt,
    /// `drm_os_page_sync`, `drm_os_run_sync`, `drm_os_object_sync`.
    syncs: Sync,
    /// Bytes of those synchronisations.
    sync_bytes: SyncBytes,
    /// `drm_os_now`.
    clock_reads: Now,
    /// `drm_os_mmio_read4`.
    reads: Read,
    /// `drm_os_mmio_write4`.
    writes: Write,
    /// Switches from one thread to another. Virtual clock only.
    switches: Switch,
}

/// The call counters of a world.
#[derive(Default)]
pub(crate) struct CallCounts([AtomicU64; N]);

impl CallCounts {
    pub(crate) fn add(&self, call: Call, n: u64) {
        self.0[call as usize].fetch_add(n, Relaxed);
    }

    pub(crate) fn one(&self, call: Call) {
        self.add(call, 1);
    }

    /// Counts a cache synchronisation of `bytes`.
    pub(crate) fn sync(&self, bytes: u64) {
        self.one(Call::Sync);
        self.add(Call::SyncBytes, bytes);
    }
}
