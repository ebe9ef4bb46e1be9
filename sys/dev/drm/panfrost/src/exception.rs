// SPDX-License-Identifier: BSD-2-Clause
//! Exception codes, which job slots, address spaces and the GPU control block share, and what they mean for a job.

use crate::gpu::issues::Issues;
use drmkpi::util::errno::{Errno, ECANCELED, EINVAL};

/// An exception code: the low eight bits of a status register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Exception(pub(crate) u8);

/// How a job that raised its "failed" interrupt ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It did all it had to.
    Done,
    /// It was stopped gently; it goes on from the slot's tail.
    Stopped,
    /// It was stopped for good.
    Terminated,
    /// It did something wrong.
    Fault,
}

/// Which stop command, if any, was sent to a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// Gently: it can be resumed.
    Soft,
    /// At once: it cannot.
    Hard,
}

impl Outcome {
    /// The error that its fence carries; none when it succeeded or has not ended.
    pub(crate) fn error(self) -> Option<Errno> {
        match self {
            Outcome::Done | Outcome::Stopped => None,
            Outcome::Terminated => Some(ECANCELED),
            Outcome::Fault => Some(EINVAL),
        }
    }
}

impl Exception {
    /// A bus error during a job's access.
    pub(crate) const JOB_BUS_FAULT: Exception = Exception(0x48);

    /// The code in a status register.
    pub(crate) fn of_status(status: u32) -> Exception {
        let [code, ..] = status.to_le_bytes();
        Exception(code)
    }

    /// How the job ended that raised "failed" with this code and had been sent `sent`.
    ///
    /// HW: 0 (never started) in a failed interrupt is a job that a stop caught before its first task.
    /// HW: TMIX_8438: STOPPED after a hard stop is TERMINATED that came out wrong, so the command decides.
    /// Anything that is neither success nor a stop is a fault: a job that did not finish must not look as if it
    /// had.
    pub(crate) fn outcome(self, sent: Option<Stop>) -> Outcome {
        match (self.0, sent) {
            (0x01, _) => Outcome::Done,
            (0x03, Some(Stop::Hard)) | (0x00 | 0x04, _) => Outcome::Terminated,
            (0x03, _) => Outcome::Stopped,
            _ => Outcome::Fault,
        }
    }

    /// Whether the GPU must be reset before it runs more jobs.
    ///
    /// HW: TTRX_3076.
    pub(crate) fn needs_reset(self, issues: Issues) -> bool {
        self == Exception::JOB_BUS_FAULT && issues.contains(Issues::TTRX_3076)
    }

    /// Whether an address had no mapping, so that mapping something there can help.
    pub(crate) fn is_translation_fault(self) -> bool {
        self.0 & 0xF8 == 0xC0
    }

    /// The level of the page table walk that failed, where the code tells.
    pub(crate) fn walk_level(self) -> Option<u8> {
        match self.0 {
            0xC0..=0xC4 => Some(self.0 & 0x7),
            0xC8..=0xCB | 0xD0..=0xD3 | 0xD8..=0xDB | 0xE0..=0xEF => Some(self.0 & 0x3),
            _ => None,
        }
    }

    /// Arm's name of the code.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            0x00 => "NOT_STARTED",
            0x01 => "DONE",
            0x02 => "INTERRUPTED",
            0x03 => "STOPPED",
            0x04 => "TERMINATED",
            0x08 => "ACTIVE",
            0x40 => "JOB_CONFIG_FAULT",
            0x41 => "JOB_POWER_FAULT",
            0x42 => "JOB_READ_FAULT",
            0x43 => "JOB_WRITE_FAULT",
            0x44 => "JOB_AFFINITY_FAULT",
            0x48 => "JOB_BUS_FAULT",
            0x50 => "INSTR_INVALID_PC",
            0x51 => "INSTR_INVALID_ENC",
            0x52 => "INSTR_TYPE_MISMATCH",
            0x53 => "INSTR_OPERAND_FAULT",
            0x54 => "INSTR_TLS_FAULT",
            0x55 => "INSTR_BARRIER_FAULT",
            0x56 => "INSTR_ALIGN_FAULT",
            0x58 => "DATA_INVALID_FAULT",
            0x59 => "TILE_RANGE_FAULT",
            0x5A => "ADDR_RANGE_FAULT",
            0x5B => "IMPRECISE_FAULT",
            0x60 => "OOM",
            0x61 => "OOM_AFBC",
            0x80 => "DELAYED_BUS_FAULT",
            0x88 => "GPU_SHAREABILITY_FAULT",
            0x89 => "SYS_SHAREABILITY_FAULT",
            0x8A => "GPU_CACHEABILITY_FAULT",
            0xC0..=0xC4 => "TRANSLATION_FAULT",
            0xC7 => "TRANSLATION_FAULT_IDENTITY",
            0xC8..=0xCB => "PERMISSION_FAULT",
            0xD0..=0xD3 => "TRANSTAB_BUS_FAULT",
            0xD8..=0xDB => "ACCESS_FLAG",
            0xE0..=0xE3 => "ADDRESS_SIZE_FAULT_IN",
            0xE4..=0xE7 => "ADDRESS_SIZE_FAULT_OUT",
            0xE8..=0xEB => "MEMORY_ATTRIBUTES_FAULT",
            0xEC..=0xEF => "MEMORY_ATTRIBUTES_NONCACHEABLE",
            _ => "UNKNOWN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_done_is_success() {
        for code in 0..=255 {
            let outcome = Exception(code).outcome(None);
            assert_eq!(outcome == Outcome::Done, code == 0x01, "{code:#x}");
            assert_eq!(outcome == Outcome::Stopped, code == 0x03, "{code:#x}");
            if code > 0x3F {
                assert_eq!(outcome.error(), Some(EINVAL), "{code:#x}");
            }
        }
        assert_eq!(Exception(0x04).outcome(None).error(), Some(ECANCELED));
        assert_eq!(
            Exception(0x00).outcome(Some(Stop::Soft)).error(),
            Some(ECANCELED)
        );
    }

    #[test]
    fn a_hard_stop_never_resumes() {
        assert_eq!(Exception(0x03).outcome(Some(Stop::Soft)), Outcome::Stopped);
        assert_eq!(
            Exception(0x03).outcome(Some(Stop::Hard)),
            Outcome::Terminated
        );
        assert_eq!(Exception(0x01).outcome(Some(Stop::Hard)), Outcome::Done);
    }

    #[test]
    fn only_the_named_erratum_wants_a_reset() {
        assert!(Exception::JOB_BUS_FAULT.needs_reset(Issues::TTRX_3076));
        assert!(!Exception::JOB_BUS_FAULT.needs_reset(Issues::all() - Issues::TTRX_3076));
        assert!(!Exception(0x58).needs_reset(Issues::all()));
    }

    #[test]
    fn translation_faults_are_c0_to_c7() {
        for code in 0..=255 {
            assert_eq!(
                Exception(code).is_translation_fault(),
                (0xC0..=0xC7).contains(&code),
                "{code:#x}"
            );
        }
        assert_eq!(Exception(0xC4).walk_level(), Some(4));
        assert_eq!(Exception(0xC7).walk_level(), None);
        assert_eq!(Exception(0xCB).walk_level(), Some(3));
        assert_eq!(Exception(0xE6).walk_level(), Some(2));
        assert_eq!(Exception(0x01).walk_level(), None);
    }

    #[test]
    fn status_registers_carry_more_than_the_code() {
        assert_eq!(
            Exception::of_status(0xDEAD_01C3).name(),
            "TRANSLATION_FAULT"
        );
        assert_eq!(Exception(0x77).name(), "UNKNOWN");
    }
}
