// SPDX-License-Identifier: BSD-2-Clause
//! Injected faults. Each but [`Injection::HangJobsAt`] happens once, at the first event it applies
//! to. A reset of the GPU does not disarm a fault that has not happened yet.

/// A fault that [`Vivante::inject`](super::Vivante::inject) arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    /// The front end stops making progress at the next LINK that leaves the idle loop, or at the
    /// next draw, RS, BLT or 2D command, whichever comes first. Only a reset ends it.
    HangNextJob,
    /// The front end stops at every LINK into this range of addresses, for the lifetime of the
    /// model.
    HangJobsAt {
        /// First address.
        first: u32,
        /// Last address.
        last: u32,
    },
    /// The next rise of the interrupt line does not happen: the causes pending at that moment never
    /// drive the line, although INTR_ACKNOWLEDGE shows them. A later cause does drive it.
    LoseIrq,
    /// The next rise of the interrupt line is delayed; INTR_ACKNOWLEDGE is not.
    LateIrq {
        /// Delay, nanoseconds.
        ns: u64,
    },
    /// The line rises at once without a cause; it falls when INTR_ACKNOWLEDGE is read, or after
    /// 10 microseconds.
    SpuriousIrq,
    /// The n-th memory transfer from now (0 = the next one) gets a bus error.
    BusErrorAt(u64),
    /// The n-th translation from now (0 = the next one) with the MMU on raises "page not present"
    /// although the page is mapped. On MMUv1, which has no exceptions, it never happens.
    MmuExceptionAt(u64),
    /// The next reset has no effect, and the GPU does not report idle until a later reset succeeds.
    ResetStuck,
}

/// Injections that are armed and have not happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Armed {
    pub(crate) hang: bool,
    pub(crate) hang_at: Option<(u32, u32)>,
    pub(crate) lose: bool,
    pub(crate) late: Option<u64>,
    pub(crate) bus_error: Option<u64>,
    pub(crate) exception: Option<u64>,
    pub(crate) reset_stuck: bool,
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
