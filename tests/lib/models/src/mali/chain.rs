// SPDX-License-Identifier: BSD-2-Clause
//! Execution of job chains: headers, order, completion and exceptions.
//!
//! Jobs of a chain run one after the other in the order of their links. The hardware's scoreboard
//! allows that order, because dependencies may only name jobs earlier in the chain (Mesa
//! pan_scoreboard.h). A dependency on an index that no earlier job has is counted, and the job runs
//! without waiting, as on hardware. After a soft stop the chain no longer contains the jobs that
//! have completed, so such dependencies are not counted. HW: Mesa genxml "Job Header"; panfrost.md
//! 2.5, 2.7.

use super::exec::{self, job_type};
use super::fragment;
use super::mem::{bits, pointer, Stop};
use super::power::Domain;
use super::regs::{exception as ex, job as reg};
use super::slot::{Action, Phase};
use super::variant::JS_FEATURES;
use super::Mali;
use crate::bus::Bus;

/// The part of a job that made an access. It decides the exception of a bus error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Header,
    Body,
    WriteBack,
}

/// A decoded job header. HW: Mesa genxml v5.xml "Job Header".
struct Header {
    is_64bit: bool,
    kind: u32,
    index: u16,
    dependencies: [u16; 2],
    next: u64,
}

impl Header {
    fn decode(w: &[u32; 8]) -> Header {
        Header {
            is_64bit: bits(w[4], 0, 1) != 0,
            kind: bits(w[4], 1, 7),
            index: bits(w[4], 16, 16) as u16,
            dependencies: [bits(w[5], 0, 16) as u16, bits(w[5], 16, 16) as u16],
            next: pointer(w, 6),
        }
    }
}

impl Mali {
    /// Carries out the action that a register write requested from slot `n`.
    pub(crate) fn slot_action(&mut self, n: usize, action: Action) {
        let stop_at = self.now + self.timing.stop_ns;
        match action {
            Action::None => (),
            Action::TryStart => self.try_start(n),
            Action::SoftStop => {
                if let Some(run) = &mut self.slots[n].run {
                    run.soft_stop = true;
                }
            }
            Action::HardStop => {
                if let Some(run) = &mut self.slots[n].run {
                    run.hard_stop = true;
                    // A stop does not complete while an access waits for the MMU.
                    if !run.stalled && run.phase != Phase::Stuck {
                        run.phase = Phase::Stopping;
                        run.at = Some(stop_at);
                    }
                }
            }
        }
    }

    /// Starts NEXT if the slot is idle and holds no failure that the driver has yet to acknowledge.
    pub(crate) fn try_start(&mut self, n: usize) {
        let slot = &mut self.slots[n];
        if !slot.next_pending || slot.run.is_some() || self.job_raw & (0x1_0000 << n) != 0 {
            return;
        }
        slot.promote(self.now + self.timing.fetch_ns);
        slot.status = ex::ACTIVE;
        self.stats.chains[n] += 1;
        let (config, affinity, head) = (slot.config, slot.affinity, slot.head);
        let space = (config & reg::CONFIG_AS_MASK) as usize;
        let fault = if space >= self.mmu.spaces.len() || head & 0x3f != 0 {
            Some(ex::JOB_CONFIG_FAULT)
        } else if affinity & self.power.present(Domain::Shader) == 0 {
            Some(ex::JOB_AFFINITY_FAULT)
        } else {
            None
        };
        if let Some(code) = fault {
            self.end_chain(n, code);
            return;
        }
        if config & reg::CONFIG_START_FLUSH_MASK != 0 {
            self.count_flush();
        }
        if config & reg::CONFIG_START_MMU != 0 {
            // HW: panfrost.md 2.3, issue 10649: the job starts with an MMU flush.
            self.mmu.spaces[space].tlb.clear();
            self.stats.tlb_flushes += 1;
        }
    }

    /// Advances slot `n` to the current time.
    pub(crate) fn step_slot(&mut self, bus: &mut dyn Bus, n: usize) {
        let Some(run) = &self.slots[n].run else {
            return;
        };
        if run.at.is_none_or(|t| t > self.now) {
            return;
        }
        match run.phase {
            Phase::Fetch => self.fetch(bus, n),
            Phase::Execute => self.execute(bus, n),
            Phase::Stopping => self.terminate(bus, n),
            Phase::Hung | Phase::Stuck => (),
        }
    }

    fn terminate(&mut self, bus: &mut dyn Bus, n: usize) {
        self.write_status(bus, n, ex::TERMINATED, 0);
        self.end_chain(n, ex::TERMINATED);
    }

    /// Whether the cores, tiler and L2 that the current job needs are on.
    fn powered_for(&self, n: usize, kind: u32) -> bool {
        let ready = |d| self.power.ready(d);
        let wanted = self.slots[n].affinity & self.power.present(Domain::Shader);
        let tiles = matches!(
            kind,
            job_type::TILER | job_type::FUSED | job_type::INDEXED_VERTEX
        );
        ready(Domain::L2) != 0
            && ready(Domain::Shader) & wanted == wanted
            && (!tiles || ready(Domain::Tiler) != 0)
    }

    /// Whether slot `n` runs jobs of this type.
    fn takes(&self, n: usize, kind: u32) -> bool {
        if kind == job_type::INDEXED_VERTEX {
            return n == 1 && self.identity.arch == super::variant::Arch::V7;
        }
        kind < 16 && JS_FEATURES[n] & (1 << kind) != 0
    }

    fn fetch(&mut self, bus: &mut dyn Bus, n: usize) {
        let Some(run) = &self.slots[n].run else {
            return;
        };
        let (job, space, soft) = (run.job, run.space, run.soft_stop);
        if soft {
            self.slots[n].tail = job;
            self.end_chain(n, ex::STOPPED);
            return;
        }
        if !self.powered_for(n, 0) {
            self.end_chain(n, ex::JOB_POWER_FAULT);
            return;
        }
        let read = self.with_exec(bus, space, |e| {
            let header: [u32; 8] = e.mem.words(job)?;
            // The duration of a fragment job depends on its payload.
            let payload: [u32; 2] = e.mem.words(job + 32)?;
            Ok((header, payload))
        });
        let (words, payload) = match read {
            Ok(words) => words,
            Err(stop) => return self.stopped(bus, n, stop, Part::Header),
        };
        let header = Header::decode(&words);
        if !header.is_64bit {
            self.stats.decode("32-bit job header", words[4]);
        }
        if !header.is_64bit || !self.takes(n, header.kind) || header.next & 0x3f != 0 {
            return self.fail(bus, n, ex::JOB_CONFIG_FAULT, job);
        }
        if !self.powered_for(n, header.kind) {
            return self.fail(bus, n, ex::JOB_POWER_FAULT, job);
        }
        let head = self.slots[n].head.min(1 << 56);
        let hang = std::mem::take(&mut self.armed.hang[n]);
        let stuck = self
            .armed
            .hang_at
            .is_some_and(|(first, last)| (first..=last).contains(&job));
        self.stats.injected += u64::from(hang || stuck);
        let end = self.now + self.duration(header.kind, &payload);
        let slot = &mut self.slots[n];
        slot.tail = job;
        let Some(run) = &mut slot.run else { return };
        if job != head {
            let missing = |d: &u16| *d != 0 && !run.done.contains(d);
            if header.dependencies.iter().any(missing) {
                let what = "dependency on a job not earlier in the chain";
                self.stats.decode(what, words[5]);
            }
        }
        // The header is read once: later changes of it have no effect.
        run.kind = header.kind;
        run.index = header.index;
        run.next = header.next;
        run.phase = match (stuck, hang) {
            (true, _) => Phase::Stuck,
            (false, true) => Phase::Hung,
            (false, false) => Phase::Execute,
        };
        run.at = (!hang && !stuck).then_some(end);
    }

    fn duration(&self, kind: u32, payload: &[u32]) -> u64 {
        let t = &self.timing;
        match kind {
            job_type::COMPUTE | job_type::VERTEX | job_type::GEOMETRY => t.compute_ns,
            job_type::TILER | job_type::FUSED | job_type::INDEXED_VERTEX => t.tiler_ns,
            job_type::FRAGMENT => t.fragment_ns + t.per_tile_ns * fragment::tiles(payload),
            job_type::NULL => t.null_ns,
            _ => t.short_job_ns,
        }
    }

    fn execute(&mut self, bus: &mut dyn Bus, n: usize) {
        let Some(run) = &self.slots[n].run else {
            return;
        };
        let (job, space, kind) = (run.job, run.space, run.kind);
        if !self.powered_for(n, kind) {
            return self.fail(bus, n, ex::JOB_POWER_FAULT, job);
        }
        if let Some(code) = self.armed.job_fault[n].take() {
            self.stats.injected += 1;
            return self.fail(bus, n, code, job);
        }
        let run = self.slots[n].run.as_mut();
        let mut pushed = run
            .map(|run| std::mem::take(&mut run.pushed))
            .unwrap_or_default();
        let done = self.with_exec(bus, space, |e| {
            std::mem::swap(&mut e.pushed, &mut pushed);
            let done = exec::run(e, kind, job);
            std::mem::swap(&mut e.pushed, &mut pushed);
            done
        });
        if let Some(run) = &mut self.slots[n].run {
            run.pushed = pushed;
        }
        if let Err(stop) = done {
            return self.stopped(bus, n, stop, Part::Body);
        }
        if self.slots[n].config & reg::CONFIG_DISABLE_DESCRIPTOR_WR_BK == 0 {
            let status = status_words(ex::DONE, 0);
            if let Err(stop) = self.with_exec(bus, space, |e| e.mem.write(job, &status)) {
                return self.stopped(bus, n, stop, Part::WriteBack);
            }
        }
        self.finish_job(n);
    }

    fn finish_job(&mut self, n: usize) {
        self.counters.job_done(n);
        let fetch_at = self.now + self.timing.fetch_ns;
        let slot = &mut self.slots[n];
        let Some(run) = &mut slot.run else { return };
        self.stats.jobs[(run.kind & 15) as usize] += 1;
        if run.next != 0 {
            run.done.insert(run.index);
            run.job = run.next;
            run.phase = Phase::Fetch;
            // The next fetch is later than now; otherwise a chain that links to itself would loop
            // here without end.
            run.at = Some(fetch_at.max(self.now + 1));
            return;
        }
        slot.run = None;
        slot.status = ex::DONE;
        self.end_flush(n);
        self.stats.merged_completions += u64::from(self.job_raw & (1 << n) != 0);
        self.job_raw |= 1 << n;
        self.try_start(n);
    }

    /// Handles a job in slot `n` whose access failed.
    fn stopped(&mut self, bus: &mut dyn Bus, n: usize, stop: Stop, part: Part) {
        let Some(run) = &mut self.slots[n].run else {
            return;
        };
        let space = run.space;
        match stop {
            Stop::Fault(fault) => {
                run.stalled = true;
                run.at = None;
                // Source id: the unit that made the access; the model reports the slot.
                let source = 0x80 | n as u32;
                self.mmu.raise(space, fault, source, &mut self.stats);
            }
            Stop::Locked => {
                run.stalled = true;
                run.at = None;
            }
            Stop::Aborted(va) => {
                self.stats.aborted += 1;
                self.fail(bus, n, ex::JOB_BUS_FAULT, va);
            }
            Stop::Bus(va) => {
                let code = match part {
                    Part::Header => ex::JOB_READ_FAULT,
                    Part::Body => ex::JOB_BUS_FAULT,
                    Part::WriteBack => ex::JOB_WRITE_FAULT,
                };
                self.fail(bus, n, code, va);
            }
            Stop::Exception { code, va } => self.fail(bus, n, code, va),
        }
    }

    /// Lets jobs stalled on an MMU fault retry their access, or ends them if their address space is
    /// unmapped.
    pub(crate) fn release_stalled(&mut self) {
        for n in 0..self.slots.len() {
            let Some(run) = &mut self.slots[n].run else {
                continue;
            };
            let space = &self.mmu.spaces[run.space];
            if run.stalled && (space.is_clear() || space.mode == super::walk::Mode::Unmapped) {
                run.stalled = false;
                run.at = Some(self.now + self.timing.retry_ns);
                if run.hard_stop {
                    run.phase = Phase::Stopping;
                }
                self.stats.retries += 1;
            }
        }
    }

    fn write_status(&mut self, bus: &mut dyn Bus, n: usize, code: u8, va: u64) {
        let slot = &self.slots[n];
        let Some(run) = &slot.run else { return };
        if slot.config & reg::CONFIG_DISABLE_DESCRIPTOR_WR_BK != 0 {
            return;
        }
        let (job, space) = (run.job, run.space);
        // A header that cannot be written does not raise a second fault.
        let _ = self.with_exec(bus, space, |e| e.mem.write(job, &status_words(code, va)));
    }

    fn fail(&mut self, bus: &mut dyn Bus, n: usize, code: u8, va: u64) {
        self.write_status(bus, n, code, va);
        if let Some(run) = &self.slots[n].run {
            self.slots[n].tail = run.job;
        }
        self.end_chain(n, code);
    }

    /// Ends the chain in slot `n` with an exception.
    fn end_chain(&mut self, n: usize, code: u8) {
        self.slots[n].run = None;
        self.slots[n].status = code;
        *self.stats.job_exceptions.entry(code).or_default() += 1;
        self.end_flush(n);
        self.job_raw |= 0x1_0000 << n;
    }

    fn end_flush(&mut self, n: usize) {
        if self.slots[n].config & reg::CONFIG_END_FLUSH_MASK != 0 {
            self.count_flush();
        }
    }
}

/// First four words of a header: exception status, first incomplete task, fault pointer.
fn status_words(code: u8, va: u64) -> [u8; 16] {
    let mut out = [0; 16];
    out[0] = code;
    out[8..].copy_from_slice(&va.to_le_bytes());
    out
}
