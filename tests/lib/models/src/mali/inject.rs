// SPDX-License-Identifier: BSD-2-Clause
//! Injected faults. Each but [`Injection::HangJobsAt`] happens once, at the first event it applies
//! to. A reset of the GPU does not disarm a fault that has not happened yet.

use super::power::Domain;

/// A fault that [`Mali::inject`](super::Mali::inject) arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    /// The next hardware job that starts in the slot never ends. A soft stop has no effect on
    /// it; a hard stop or a reset ends it.
    HangNextJob {
        /// Job slot, 0 to 2.
        slot: usize,
    },
    /// Every job whose header is at one of these GPU addresses hangs, for the lifetime of the
    /// model. Neither stop has an effect on it; a reset ends it.
    HangJobsAt {
        /// First address.
        first: u64,
        /// Last address.
        last: u64,
    },
    /// The next rise of the line is delayed. The status registers are not.
    LateIrq {
        /// 0 job, 1 MMU, 2 GPU.
        line: usize,
        /// Delay, nanoseconds.
        ns: u64,
    },
    /// The next rise of the line does not happen: the causes pending at that moment never drive the
    /// line, although RAWSTAT and STAT show them. A later cause does drive it. HW: panfrost.md 2.3,
    /// issue 10883 (missing completion interrupt).
    LoseIrq {
        /// 0 job, 1 MMU, 2 GPU.
        line: usize,
    },
    /// The line rises at once without a cause; it falls when the block's STAT or RAWSTAT is
    /// read, or after 10 microseconds.
    SpuriousIrq {
        /// 0 job, 1 MMU, 2 GPU.
        line: usize,
    },
    /// The n-th memory transfer of a job from now (0 = the next one) gets a bus error.
    BusErrorAt(u64),
    /// The n-th translation for a job from now (0 = the next one) raises a level 3 translation
    /// fault although the page is mapped.
    PageFaultAtAccess(u64),
    /// The next soft reset never completes; a hard reset does.
    ResetStuck,
    /// The next power transition of the domain never completes before a reset.
    PowerStuck(Domain),
    /// The next command of the address space stays active until a reset.
    AsStuck(usize),
    /// The next hardware job that would complete in the slot ends with the exception code.
    JobFault {
        /// Job slot, 0 to 2.
        slot: usize,
        /// Exception code, e.g. 0x58.
        code: u8,
    },
    /// A GPU fault (shareability, code 0x88) is raised at once.
    GpuFault,
}

/// Injections that are armed and have not happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Armed {
    pub(crate) hang: [bool; 3],
    pub(crate) hang_at: Option<(u64, u64)>,
    pub(crate) late: [Option<u64>; 3],
    pub(crate) lose: [bool; 3],
    pub(crate) bus_error: Option<u64>,
    pub(crate) page_fault: Option<u64>,
    pub(crate) reset_stuck: bool,
    pub(crate) power_stuck: [bool; 4],
    pub(crate) as_stuck: u32,
    pub(crate) job_fault: [Option<u8>; 3],
}

/// Decrements an armed counter. Returns true for the access that it was armed for.
pub(crate) fn countdown(counter: &mut Option<u64>) -> bool {
    match counter {
        None => false,
        Some(0) => {
            *counter = None;
            true
        }
        Some(n) => {
            *n -= 1;
            false
        }
    }
}
