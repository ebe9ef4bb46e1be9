// SPDX-License-Identifier: BSD-2-Clause
//! Faults a test can plant. Each but [`Injection::HangJobsAt`] is one-shot: it waits for its
//! occasion, happens once and is gone. A reset of the GPU does not disarm one that still waits.

/// One fault to plant with [`Vivante::inject`](super::Vivante::inject).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    /// The front end stops making progress at the next LINK that leaves the idle loop, or at the
    /// next draw, RS, BLT or 2D command, whichever comes first. Only a reset ends it.
    HangNextJob,
    /// The front end stops at every LINK into this range of addresses, for as long as the model
    /// lives.
    HangJobsAt {
        /// First address.
        first: u32,
        /// Last address.
        last: u32,
    },
    /// The next rise of the interrupt line does not happen: the causes pending at that moment
    /// never drive the line, although INTR_ACKNOWLEDGE shows them. A cause that comes later does.
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
    /// The n-th translation from now (0 = the next one) with the MMU on raises "page not
    /// present" although the page is mapped. MMUv1 cannot raise exceptions: there it never
    /// happens.
    MmuExceptionAt(u64),
    /// The next reset has no effect, and the GPU does not report idle until one that has.
    ResetStuck,
}

/// Injections that wait for their occasion.
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

/// Counts an access down; true when this is the one.
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
