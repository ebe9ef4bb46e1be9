// SPDX-License-Identifier: BSD-2-Clause
//! Registers of a job slot: start a chain, stop it, take back the next one.
//!
//! All functions of one slot are called under one lock, which also covers the caller's list of the jobs that are
//! in the slot: hardware and list change together. What happened to the jobs is in `job_events.rs`.

use crate::exception::Stop;
use crate::gpu::features::Features;
use crate::gpu::issues::Issues;
use crate::regs::job::{
    Slot, COMMAND_HARD_STOP, COMMAND_HARD_STOP_0, COMMAND_HARD_STOP_1, COMMAND_NOP,
    COMMAND_SOFT_STOP, COMMAND_SOFT_STOP_0, COMMAND_SOFT_STOP_1, COMMAND_START, CONFIG_AS_MASK,
    CONFIG_ENABLE_FLUSH_REDUCTION, CONFIG_END_FLUSH_CLEAN_INVALIDATE, CONFIG_JOB_CHAIN_FLAG,
    CONFIG_START_FLUSH_CLEAN_INVALIDATE, CONFIG_START_MMU, CONFIG_THREAD_PRI_MEDIUM, JOB_INT_CLEAR,
    JOB_INT_MASK, JOB_INT_RAWSTAT, JOB_INT_STAT, SLOT_BITS,
};
use crate::regs::mmu::As;
use crate::regs::{poll, Regs};
use drmkpi::os::Os;
use drmkpi::util::errno::Result;

/// How long soft stops may take before a reset. HW: Linux's bound.
const STOP_TIMEOUT_NS: u64 = 10_000_000;
/// Between two looks at that.
const STOP_STEP_NS: u64 = 10_000;

/// What the hardware needs to know of a job chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct JobHw {
    /// GPU virtual address of the first job.
    pub(crate) jc: u64,
    /// The address space that it runs in.
    pub(crate) space: As,
    /// Mark by which a stop command tells it from the other job of the slot; the two must differ.
    pub(crate) chain_flag: bool,
    /// The latest cache flush when it was submitted.
    pub(crate) flush_id: u32,
}

/// CONFIG_NEXT of a job.
pub(crate) fn config(job: &JobHw, features: Features, issues: Issues) -> u32 {
    let on = |condition: bool, bits: u32| match condition {
        true => bits,
        false => 0,
    };
    u32::from(job.space.nr()) & CONFIG_AS_MASK
        | CONFIG_THREAD_PRI_MEDIUM
        | CONFIG_START_FLUSH_CLEAN_INVALIDATE
        | CONFIG_END_FLUSH_CLEAN_INVALIDATE
        | on(
            job.chain_flag && features.contains(Features::JOBCHAIN_DISAMBIGUATION),
            CONFIG_JOB_CHAIN_FLAG,
        )
        | on(
            features.contains(Features::FLUSH_REDUCTION),
            CONFIG_ENABLE_FLUSH_REDUCTION,
        )
        | on(issues.contains(Issues::I10649), CONFIG_START_MMU)
}

/// The stop command that hits this job and not the other one of its slot.
pub(crate) fn stop_command(stop: Stop, chain_flag: bool, features: Features) -> u32 {
    match (
        stop,
        features.contains(Features::JOBCHAIN_DISAMBIGUATION),
        chain_flag,
    ) {
        (Stop::Soft, false, _) => COMMAND_SOFT_STOP,
        (Stop::Soft, true, false) => COMMAND_SOFT_STOP_0,
        (Stop::Soft, true, true) => COMMAND_SOFT_STOP_1,
        (Stop::Hard, false, _) => COMMAND_HARD_STOP,
        (Stop::Hard, true, false) => COMMAND_HARD_STOP_0,
        (Stop::Hard, true, true) => COMMAND_HARD_STOP_1,
    }
}

/// Whether the NEXT registers are free.
pub(crate) fn can_submit(regs: &Regs, slot: Slot) -> bool {
    slot.command_next().read(regs) == 0
}

/// Fills the NEXT registers without handing them over; they must be free. `affinity` is a mask of shader cores.
pub(crate) fn load(
    regs: &Regs,
    slot: Slot,
    job: &JobHw,
    affinity: u64,
    features: Features,
    issues: Issues,
) {
    slot.head_next().write(regs, job.jc);
    slot.affinity_next().write(regs, affinity);
    slot.config_next()
        .write(regs, config(job, features, issues));
    if features.contains(Features::FLUSH_REDUCTION) {
        slot.flush_id_next().write(regs, job.flush_id);
    }
}

/// Hands the NEXT registers over: as [`load`] left them, or, after [`cancel_next`], as they were before it.
pub(crate) fn start(regs: &Regs, slot: Slot) {
    slot.command_next().write(regs, COMMAND_START);
}

/// Takes the next job back if it has not moved up yet. If it has, it runs.
pub(crate) fn cancel_next(regs: &Regs, slot: Slot) {
    slot.command_next().write(regs, COMMAND_NOP);
}

/// Stops the running job if it is the one with this mark; where there are no marks, whichever runs.
///
/// To kill a job in NEXT: [`cancel_next`], then this, for it may have moved up in between.
pub(crate) fn stop(regs: &Regs, slot: Slot, stop: Stop, chain_flag: bool, features: Features) {
    slot.command()
        .write(regs, stop_command(stop, chain_flag, features));
}

/// Before a reset: takes back all next jobs and stops all running ones gently, whatever their marks.
pub(crate) fn stop_all(regs: &Regs) {
    for slot in Slot::ALL {
        cancel_next(regs, slot);
        slot.command().write(regs, COMMAND_SOFT_STOP);
    }
}

/// Waits until all slots in `busy` (their [`Slot::done_bit`]s) have raised an interrupt, which the end of a
/// running job does however it ends. Interrupts are masked and nobody clears them meanwhile. Spins for up to 10 ms.
///
/// HW: JS_STATE does not tell: it is sampled when interrupts are cleared, not when it is read.
///
/// # Errors
///
/// ETIMEDOUT when a job would not stop; the reset stops it for good.
pub(crate) fn wait_stopped(regs: &Regs, os: Os, busy: u32) -> Result<()> {
    poll(os, STOP_STEP_NS, STOP_TIMEOUT_NS, || {
        let raised = JOB_INT_RAWSTAT.read(regs);
        busy & !(raised | raised >> 16) == 0
    })
}

/// The interrupts that are raised and not masked.
pub(crate) fn pending(regs: &Regs) -> u32 {
    JOB_INT_STAT.read(regs)
}

/// Masks the interrupts of all slots.
pub(crate) fn mask_interrupts(regs: &Regs) {
    JOB_INT_MASK.write(regs, 0);
}

/// Lets the interrupts of all slots through.
pub(crate) fn unmask_interrupts(regs: &Regs) {
    JOB_INT_MASK.write(regs, SLOT_BITS);
}

/// After a reset: clears what is raised. The interrupts stay masked.
pub(crate) fn clear_interrupts(regs: &Regs) {
    JOB_INT_CLEAR.write(regs, SLOT_BITS);
}

/// What a slot shows of the job that runs in it, for the log of a timeout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Snapshot {
    /// CONFIG.
    pub(crate) config: u32,
    /// STATUS.
    pub(crate) status: u32,
    /// First job of the chain.
    pub(crate) head: u64,
    /// The job that runs.
    pub(crate) tail: u64,
}

impl Snapshot {
    /// Reads it.
    pub(crate) fn read(regs: &Regs, slot: Slot) -> Snapshot {
        Snapshot {
            config: slot.config().read(regs),
            status: slot.status().read(regs),
            head: slot.head().read(regs),
            tail: slot.tail().read(regs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(nr: u8, chain_flag: bool) -> JobHw {
        JobHw {
            jc: 0,
            space: As::new(nr).unwrap(),
            chain_flag,
            flush_id: 0,
        }
    }

    #[test]
    fn config_is_what_the_facts_say() {
        let v5 = Features::MIDGARD_V5;
        assert_eq!(config(&job(0, false), v5, Issues::empty()), 0x0008_3300);
        assert_eq!(config(&job(5, true), v5, Issues::MIDGARD_V5), 0x0008_3B05);
        assert_eq!(
            config(&job(15, true), Features::BIFROST, Issues::empty()),
            0x0008_7B0F
        );
        // No chain marks, and stale translations.
        assert_eq!(
            config(&job(1, true), Features::MIDGARD_V4, Issues::I10649),
            0x0008_3701
        );
    }

    #[test]
    fn stops_name_the_job_where_they_can() {
        let v5 = Features::MIDGARD_V5;
        assert_eq!(stop_command(Stop::Hard, false, v5), 5);
        assert_eq!(stop_command(Stop::Hard, true, v5), 7);
        assert_eq!(stop_command(Stop::Soft, false, v5), 4);
        assert_eq!(stop_command(Stop::Soft, true, v5), 6);
        assert_eq!(stop_command(Stop::Hard, true, Features::MIDGARD_V4), 3);
        assert_eq!(stop_command(Stop::Soft, true, Features::MIDGARD_V4), 2);
    }
}
