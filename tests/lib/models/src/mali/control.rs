// SPDX-License-Identifier: BSD-2-Clause
//! What the code that embeds the model sets and reads, besides the registers.

use super::*;

impl Mali {
    /// Arms a fault; see [`Injection`].
    ///
    /// # Panics
    /// If a slot, line or address space number does not exist.
    pub fn inject(&mut self, f: Injection) {
        match f {
            Injection::HangNextJob { slot } => self.armed.hang[slot] = true,
            Injection::HangJobsAt { first, last } => self.armed.hang_at = Some((first, last)),
            Injection::LateIrq { line, ns } => self.armed.late[line] = Some(ns),
            Injection::LoseIrq { line } => self.armed.lose[line] = true,
            Injection::BusErrorAt(n) => self.armed.bus_error = Some(n),
            Injection::PageFaultAtAccess(n) => self.armed.page_fault = Some(n),
            Injection::ResetStuck => self.armed.reset_stuck = true,
            Injection::PowerStuck(domain) => self.armed.power_stuck[domain as usize] = true,
            Injection::AsStuck(space) => {
                assert!(space < self.mmu.spaces.len(), "no such address space");
                self.armed.as_stuck |= 1 << space;
            }
            Injection::JobFault { slot, code } => self.armed.job_fault[slot] = Some(code),
            Injection::SpuriousIrq { .. } | Injection::GpuFault => self.urgent.push(f),
        }
    }

    /// Counters since the model was created.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Root addresses of the legacy page tables that address spaces have latched.
    pub fn tables(&self) -> Vec<u64> {
        let modes = self.mmu.spaces.iter().map(|space| space.mode);
        modes
            .filter_map(|mode| match mode {
                walk::Mode::Legacy(root) => Some(root),
                _ => None,
            })
            .collect()
    }

    /// Colour target 0 of the last fragment job that wrote one.
    pub fn last_frame(&self) -> Option<&Frame> {
        self.frame.as_ref()
    }

    /// Whether fragment jobs copy their colour target 0 into [`Frame::pixels`].
    pub fn set_capture(&mut self, on: bool) {
        self.capture = on;
    }

    /// Makes AFBC_FEATURES nonzero, which Mesa takes as a part without AFBC. HW: Mesa pan_props.c
    /// panfrost_query_afbc. Real T860 read zero.
    pub fn set_afbc_absent(&mut self, absent: bool) {
        self.afbc_absent = absent;
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
