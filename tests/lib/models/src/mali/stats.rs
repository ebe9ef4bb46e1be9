// SPDX-License-Identifier: BSD-2-Clause
//! Counters of events inside the model, for assertions in tests. Counters only grow.

use crate::bus::Access;
use std::collections::BTreeMap;

/// Counters of one model since it was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Jobs completed without exception, by job type number of the header (1 null, 2 write
    /// value, 3 cache flush, 4 compute, 5 vertex, 6 geometry, 7 tiler, 8 fused, 9 fragment,
    /// 10 indexed vertex).
    pub jobs: [u64; 16],
    /// Job chains started, by slot.
    pub chains: [u64; 3],
    /// Chains that ended with an exception, stops included, by exception code.
    pub job_exceptions: BTreeMap<u8, u64>,
    /// Times a slot completed a chain before the driver had cleared the previous completion, so
    /// that one interrupt reports both.
    pub merged_completions: u64,
    /// MMU faults raised, by exception code.
    pub mmu_faults: BTreeMap<u8, u64>,
    /// Stalled accesses that were retried after a fault.
    pub retries: u64,
    /// Stalled jobs that ended because their address space was unmapped.
    pub aborted: u64,
    /// Soft reset commands.
    pub soft_resets: u64,
    /// Hard reset commands.
    pub hard_resets: u64,
    /// TLB invalidations (one per MMU command or reset that invalidates).
    pub tlb_flushes: u64,
    /// Translations found in the TLB.
    pub tlb_hits: u64,
    /// Translations that walked the tables.
    pub tlb_walks: u64,
    /// GPU cache clean or clean-and-invalidate operations, by command or by job configuration.
    pub cache_flushes: u64,
    /// Performance counter samples written.
    pub perfcnt_samples: u64,
    /// Register accesses while the power domain or the clock was off.
    pub dead_accesses: u64,
    /// Accesses to offsets without a register, with their count.
    pub unknown_registers: BTreeMap<(u32, Access), u64>,
    /// Writes to read-only registers.
    pub readonly_writes: u64,
    /// Register use that hardware leaves undefined, by short name: a command to a busy address
    /// space, START while START is pending, a lock region below the minimum, a command during
    /// reset, ...
    pub protocol_errors: BTreeMap<&'static str, u64>,
    /// Descriptor contents that the model cannot decode, by short name. The job continues without
    /// the effects of that part.
    pub decode_errors: BTreeMap<&'static str, u64>,
    /// The first word of each kind that could not be decoded.
    pub decode_words: BTreeMap<&'static str, u32>,
    /// Contents that the model decodes but does not act on, by short name: it runs no shaders and
    /// compresses nothing.
    pub left: BTreeMap<&'static str, u64>,
    /// Null pointers in draw descriptors whose counts say that there is data.
    pub null_pointers: u64,
    /// Pixels written by fragment jobs, depth and stencil included.
    pub pixels_written: u64,
    /// Targets that fragment jobs did not write because they are preserved, not cleared.
    pub targets_preserved: u64,
    /// Bytes that tiler jobs wrote into the tiler heap.
    pub heap_bytes: u64,
    /// Times each interrupt line (job, MMU, GPU) went from low to high.
    pub irqs: [u64; 3],
    /// Injections that took effect.
    pub injected: u64,
}

impl Stats {
    /// All accesses to offsets without a register.
    pub fn unknown_accesses(&self) -> u64 {
        self.unknown_registers.values().sum()
    }

    /// All protocol errors, of any kind.
    pub fn protocol_error_count(&self) -> u64 {
        self.protocol_errors.values().sum()
    }

    /// All decode errors, of any kind.
    pub fn decode_error_count(&self) -> u64 {
        self.decode_errors.values().sum()
    }

    pub(crate) fn protocol(&mut self, what: &'static str) {
        *self.protocol_errors.entry(what).or_default() += 1;
    }

    /// Counts contents that the model decodes but does not act on.
    pub(crate) fn leave(&mut self, what: &'static str) {
        *self.left.entry(what).or_default() += 1;
    }

    /// Counts contents that the model cannot decode; `word` shows them best.
    pub(crate) fn decode(&mut self, what: &'static str, word: u32) {
        *self.decode_errors.entry(what).or_default() += 1;
        self.decode_words.entry(what).or_insert(word);
    }
}
