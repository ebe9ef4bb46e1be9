// SPDX-License-Identifier: BSD-2-Clause
//! Counters of events inside the model, for assertions in tests. Counters only grow; the map of
//! loaded states can be cleared.

use crate::bus::Access;
use std::collections::BTreeMap;

/// Number of states: the state space is 256 KiB of words.
pub const STATES: usize = 0x1_0000;

/// One bit per state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateMap(Vec<u64>);

impl Default for StateMap {
    fn default() -> StateMap {
        StateMap(vec![0; STATES / 64])
    }
}

impl StateMap {
    /// Whether a stream loaded the state at byte address `address`.
    pub fn touched(&self, address: u32) -> bool {
        let index = address as usize / 4 % STATES;
        self.0[index / 64] >> (index % 64) & 1 != 0
    }

    /// Whether any state with a byte address in `first ..= last` was loaded.
    pub fn touched_in(&self, first: u32, last: u32) -> bool {
        (first / 4..=last / 4).any(|word| self.touched(word * 4))
    }

    /// Byte addresses of all loaded states, ascending.
    pub fn addresses(&self) -> impl Iterator<Item = u32> + '_ {
        (0..STATES as u32)
            .map(|word| word * 4)
            .filter(|a| self.touched(*a))
    }

    pub(crate) fn set(&mut self, address: u32) {
        let index = address as usize / 4 % STATES;
        self.0[index / 64] |= 1 << (index % 64);
    }

    pub(crate) fn clear(&mut self) {
        self.0.fill(0);
    }
}

/// Counters of one model since it was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commands executed, by opcode (bits 31:27 of the header): 1 LOAD_STATE, 2 END, 3 NOP, 4
    /// DRAW_2D, 5 DRAW_PRIMITIVES, 6 DRAW_INDEXED, 7 WAIT, 8 LINK, 9 STALL, 10 CALL, 11 RETURN, 12
    /// DRAW_INSTANCED, 13 CHIP_SELECT, 15 WAIT_FENCE, 16 DRAW_INDIRECT, 19 SNAP_PAGES. Turns of the
    /// idle loop that read no change count once per call of the model, however much time it
    /// covered.
    pub commands: [u64; 32],
    /// States that streams loaded since the map was cleared by
    /// [`clear_states_loaded`](super::Vivante::clear_states_loaded).
    pub states_loaded: StateMap,
    /// Loads of states that streams cannot access (HI, PM, MC, the ring registers, secure MMU
    /// registers); they have no effect.
    pub blocked_loads: u64,
    /// Times the front end was started.
    pub starts: u64,
    /// LINK and CALL targets outside the idle loop.
    pub jumps: u64,
    /// Times the front end ran out of prefetched words without a LINK or END.
    pub starved: u64,
    /// Unknown opcodes; each hangs the front end.
    pub illegal_commands: u64,
    /// Events raised, by id.
    pub events: [u64; 32],
    /// Events raised while their bit was pending, so that one interrupt reports two completions.
    pub merged_events: u64,
    /// MMU exceptions raised, by code (1 slave not present, 2 page not present, 3 write
    /// violation, 4 out of bounds).
    pub mmu_exceptions: BTreeMap<u32, u64>,
    /// Accesses redirected to the safe address.
    pub safe_accesses: u64,
    /// Bus errors, real and injected.
    pub bus_errors: u64,
    /// Resets that took effect.
    pub resets: u64,
    /// TLB flushes, by state or by reset.
    pub tlb_flushes: u64,
    /// Translations found in the TLB.
    pub tlb_hits: u64,
    /// Translations that walked the tables.
    pub tlb_walks: u64,
    /// Cache flushes by state: GL_FLUSH_CACHE, TS_FLUSH_CACHE, BLT.
    pub cache_flushes: u64,
    /// Draws executed.
    pub draws: u64,
    /// Addresses checked for draws.
    pub draw_addresses: u64,
    /// BLT operations executed, by command number (1 clear, 2 copy, 3 buffer, 4 in place).
    pub blt_operations: [u64; 16],
    /// RS operations executed.
    pub rs_operations: u64,
    /// 2D rectangles executed.
    pub rectangles: u64,
    /// Pixels written by RS, BLT and 2D, including pixels for which only the tile status changed.
    pub pixels_written: u64,
    /// Tiles marked clear in a tile status.
    pub tiles_cleared: u64,
    /// Tiles read as their clear value because of their tile status.
    pub tiles_filled: u64,
    /// Times the clock or the power of a core was turned off although its front end had not reached
    /// END, or its units were busy. HW: docs/crosscheck.md: the stock driver ends the ring and
    /// waits for idle first. A hung front end does not count.
    pub cut_off: u64,
    /// Register accesses while the power domain or the clock was off.
    pub dead_accesses: u64,
    /// Accesses to offsets without a register, with their count.
    pub unknown_registers: BTreeMap<(u32, Access), u64>,
    /// Writes to read-only registers.
    pub readonly_writes: u64,
    /// Use that hardware leaves undefined, by short name.
    pub protocol_errors: BTreeMap<&'static str, u64>,
    /// Contents that the model cannot decode, by short name. Their effects are left out.
    pub decode_errors: BTreeMap<&'static str, u64>,
    /// The first word of each kind that could not be decoded.
    pub decode_words: BTreeMap<&'static str, u32>,
    /// Times the interrupt line went from low to high.
    pub irqs: u64,
    /// Injections that took effect.
    pub injected: u64,
}

impl Stats {
    /// END commands executed.
    pub fn ends(&self) -> u64 {
        self.commands[2]
    }

    /// WAIT commands executed.
    pub fn waits(&self) -> u64 {
        self.commands[7]
    }

    /// LINK commands executed.
    pub fn links(&self) -> u64 {
        self.commands[8]
    }

    /// CALL commands executed.
    pub fn calls(&self) -> u64 {
        self.commands[10]
    }

    /// Whether a stream loaded the state at byte address `address` since the last clear.
    pub fn touched(&self, address: u32) -> bool {
        self.states_loaded.touched(address)
    }

    /// All protocol errors, of any kind.
    pub fn protocol_error_count(&self) -> u64 {
        self.protocol_errors.values().sum()
    }

    /// All decode errors, of any kind.
    pub fn decode_error_count(&self) -> u64 {
        self.decode_errors.values().sum()
    }

    /// All accesses to offsets without a register.
    pub fn unknown_accesses(&self) -> u64 {
        self.unknown_registers.values().sum()
    }

    /// All MMU exceptions, of any kind.
    pub fn mmu_exception_count(&self) -> u64 {
        self.mmu_exceptions.values().sum()
    }

    pub(crate) fn protocol(&mut self, what: &'static str) {
        *self.protocol_errors.entry(what).or_default() += 1;
    }

    /// Counts contents that the model cannot decode; `word` shows them best.
    pub(crate) fn decode(&mut self, what: &'static str, word: u32) {
        *self.decode_errors.entry(what).or_default() += 1;
        self.decode_words.entry(what).or_insert(word);
    }
}
