// SPDX-License-Identifier: BSD-2-Clause
//! Performance counters: registers, the counted quantities, and the sample written to memory.
//!
//! A sample is a row of blocks of 64 words. On v5 and later: job manager, tiler, L2, then one block
//! per shader core. On v4: eight blocks per core group (four shader, tiler, L2, one unused, job
//! manager). Words 0 and 1 of a block are a timestamp, word 2 is its enable mask; each bit of the
//! mask enables four counters. HW: panfrost.md 2.7 "perfcnt"; Mesa perf/pan_perf.c (order),
//! perf/T86x.xml (job manager counters 6 GPU_ACTIVE, 8 + 8n JSn_JOBS).

use super::mem::{Mem, Stop};
use super::regs::gpu as reg;
use super::variant::{Arch, Identity};

const WORDS: usize = 64;
const MODE_MANUAL: u32 = 1;

/// Registers and counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) base: u64,
    pub(crate) cfg: u32,
    pub(crate) jm_en: u32,
    pub(crate) shader_en: u32,
    pub(crate) tiler_en: u32,
    pub(crate) l2_en: u32,
    /// When the sample in progress completes; `Some(None)` while its write is stalled.
    pub(crate) sample: Option<Option<u64>>,
    cleared_at: u64,
    jobs: [u32; 3],
}

impl Counters {
    pub(crate) fn job_done(&mut self, slot: usize) {
        self.jobs[slot] = self.jobs[slot].wrapping_add(1);
    }

    pub(crate) fn clear(&mut self, now: u64) {
        self.jobs = [0; 3];
        self.cleared_at = now;
    }

    pub(crate) fn enabled(&self) -> bool {
        self.cfg & 0xf == MODE_MANUAL
    }

    /// Address space of the buffer. HW: panfrost.md 3.3 / Linux 6.1 panfrost_regs.h (CFG bits 7:4).
    pub(crate) fn space(&self) -> usize {
        ((self.cfg >> 4) & 0xf) as usize
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            reg::PERFCNT_BASE_LO => self.base as u32,
            reg::PERFCNT_BASE_HI => (self.base >> 32) as u32,
            reg::PERFCNT_CFG => self.cfg,
            reg::PERFCNT_JM_EN => self.jm_en,
            reg::PERFCNT_SHADER_EN => self.shader_en,
            reg::PERFCNT_TILER_EN => self.tiler_en,
            reg::PERFCNT_MMU_L2_EN => self.l2_en,
            _ => return None,
        })
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        match offset {
            reg::PERFCNT_BASE_LO => self.base = (self.base & !0xffff_ffff) | u64::from(value),
            reg::PERFCNT_BASE_HI => self.base = (self.base & 0xffff_ffff) | u64::from(value) << 32,
            reg::PERFCNT_CFG => self.cfg = value,
            reg::PERFCNT_JM_EN => self.jm_en = value,
            reg::PERFCNT_SHADER_EN => self.shader_en = value,
            reg::PERFCNT_TILER_EN => self.tiler_en = value,
            reg::PERFCNT_MMU_L2_EN => self.l2_en = value,
            _ => return None,
        }
        Some(())
    }

    /// Writes the sample and restarts the counters from zero, as the hardware does.
    pub(crate) fn dump(
        &mut self,
        mem: &mut Mem,
        identity: &Identity,
        now: u64,
    ) -> Result<(), Stop> {
        let cycles = ((now - self.cleared_at.min(now)) / 2) as u32;
        let mut jm = [0u32; WORDS];
        jm[6] = cycles;
        for (n, jobs) in self.jobs.iter().enumerate() {
            jm[8 + 8 * n] = *jobs;
        }
        let jm = block(jm, self.jm_en, now);
        let quiet = |enable| block([0; WORDS], enable, now);
        let mut blocks = Vec::new();
        if identity.arch == Arch::V4 {
            blocks.extend([quiet(self.shader_en); 4]);
            blocks.extend([quiet(self.tiler_en), quiet(self.l2_en), [0; WORDS], jm]);
        } else {
            blocks.extend([jm, quiet(self.tiler_en), quiet(self.l2_en)]);
            let cores = 64 - identity.shader_present.leading_zeros();
            blocks.extend((0..cores).map(|_| quiet(self.shader_en)));
        }
        let bytes: Vec<u8> = blocks
            .iter()
            .flatten()
            .flat_map(|w| w.to_le_bytes())
            .collect();
        mem.write(self.base, &bytes)?;
        self.clear(now);
        Ok(())
    }
}

fn block(mut words: [u32; WORDS], enable: u32, now: u64) -> [u32; WORDS] {
    for (n, word) in words.iter_mut().enumerate() {
        if enable & (1 << (n / 4).min(31)) == 0 {
            *word = 0;
        }
    }
    words[0] = now as u32;
    words[1] = (now >> 32) as u32;
    words[2] = enable;
    words
}
