// SPDX-License-Identifier: BSD-2-Clause
//! What the code that embeds the model sets and reads, besides the registers.

use super::*;

impl Vivante {
    /// Sets the core clock, Hz, before the scale of CLOCK_CONTROL; WAIT counts its cycles.
    pub fn set_core_clock(&mut self, hz: u64) {
        self.core_hz = hz.max(1);
    }

    /// Sets the time to [`Vivante::next_event`] while the front end is in its idle loop (`WAIT;
    /// LINK` back to the WAIT), nanoseconds; `u64::MAX` means no event.
    ///
    /// There is no doorbell: silicon reads memory once per turn of the loop. The model reads it
    /// once per call that comes a period or more after the last read, so a longer time here saves
    /// calls and only delays a job that is submitted between calls. With `u64::MAX` the embedding
    /// code must call [`Vivante::poll`] after the driver has changed the ring.
    pub fn set_idle_poll(&mut self, min_ns: u64) {
        self.idle_poll_ns = min_ns;
    }

    /// The page tables in use.
    pub fn tables(&self) -> Tables {
        self.mmu.tables()
    }

    /// Sets the number of page table entries that a walk loads into the TLB, up to 16, the default.
    /// The number on silicon is not published. With many, accesses soon meet a stale entry; with
    /// one, they soon need a walk.
    pub fn set_tlb_line(&mut self, entries: u32) {
        self.mmu.set_line(entries);
    }

    /// Semaphores that were sent and that no stall has received.
    pub fn open_semaphores(&self) -> u64 {
        self.tokens.open()
    }

    /// Arms a fault; see [`Injection`].
    pub fn inject(&mut self, f: Injection) {
        match f {
            Injection::HangNextJob => self.armed.hang = true,
            Injection::HangJobsAt { first, last } => self.armed.hang_at = Some((first, last)),
            Injection::LoseIrq => self.armed.lose = true,
            Injection::LateIrq { ns } => self.armed.late = Some(ns),
            Injection::SpuriousIrq => self.urgent = true,
            Injection::BusErrorAt(n) => self.armed.bus_error = Some(n),
            Injection::MmuExceptionAt(n) => self.armed.exception = Some(n),
            Injection::ResetStuck => self.armed.reset_stuck = true,
        }
    }

    /// Counters since the model was created.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Clears the map of states that streams have loaded, see [`Stats::states_loaded`].
    pub fn clear_states_loaded(&mut self) {
        self.stats.states_loaded.clear();
    }

    /// Starts a new list of executed commands, or stops recording.
    pub fn set_trace(&mut self, on: bool) {
        let mut trace = self.trace.take().unwrap_or_default();
        trace.clear();
        self.trace = on.then_some(trace);
    }

    /// Address, as the front end uses it, and header of every command executed since
    /// [`Vivante::set_trace`], oldest first; turns of the idle loop that read no change are left
    /// out.
    pub fn trace(&self) -> &[(u32, u32)] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// Last value that a stream loaded into the state at byte address `address`.
    pub fn state(&self, address: u32) -> u32 {
        self.states.get(address)
    }

    /// Whether the host has enabled clock gating of idle modules.
    pub fn gates_modules(&self) -> bool {
        self.host.gates_modules()
    }

    /// Target of the last image operation.
    pub fn last_frame(&self) -> Option<&Frame> {
        self.frame.as_ref()
    }

    /// Whether image operations copy what they wrote into [`Frame::pixels`].
    pub fn set_capture(&mut self, on: bool) {
        self.capture = on;
    }

    /// The durations in use.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// Sets the durations of operations that start from now on.
    pub fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }
}
