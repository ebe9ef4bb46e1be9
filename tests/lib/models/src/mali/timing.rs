// SPDX-License-Identifier: BSD-2-Clause
//! Durations of operations, in nanoseconds of the caller's clock.
//!
//! The orders of magnitude follow from what drivers wait for (panfrost.md 2.1: reset polled for 10
//! ms, power for 1 to 20 ms); the values themselves are not measured.

/// Durations of the model. Each may be changed at any time and applies to operations that start
/// later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A null job.
    pub null_ns: u64,
    /// A write-value or cache-flush job.
    pub short_job_ns: u64,
    /// A vertex, geometry or compute job.
    pub compute_ns: u64,
    /// A tiler, fused or indexed-vertex job.
    pub tiler_ns: u64,
    /// A fragment job, apart from its tiles.
    pub fragment_ns: u64,
    /// Each 16x16 tile inside the bounds of a fragment job.
    pub per_tile_ns: u64,
    /// From START, or from the end of a job, to the read of the next header.
    pub fetch_ns: u64,
    /// From a hard stop to its completion.
    pub stop_ns: u64,
    /// From the release of a stalled access to its retry.
    pub retry_ns: u64,
    /// MMU LOCK, UNLOCK and UPDATE.
    pub as_command_ns: u64,
    /// MMU FLUSH_PT and FLUSH_MEM.
    pub as_flush_ns: u64,
    /// Power up of a domain.
    pub power_on_ns: u64,
    /// Power down of a domain.
    pub power_off_ns: u64,
    /// Soft or hard reset.
    pub reset_ns: u64,
    /// GPU cache clean.
    pub clean_ns: u64,
    /// Performance counter sample.
    pub sample_ns: u64,
}

impl Timing {
    /// Returns these durations with jobs of all kinds, and the tiles of fragment jobs, `times` as
    /// long. Stops, resets, power and the MMU keep their durations.
    #[must_use]
    pub fn with_work_scaled(self, times: u32) -> Timing {
        let long = |ns: u64| ns.saturating_mul(u64::from(times));
        Timing {
            null_ns: long(self.null_ns),
            short_job_ns: long(self.short_job_ns),
            compute_ns: long(self.compute_ns),
            tiler_ns: long(self.tiler_ns),
            fragment_ns: long(self.fragment_ns),
            per_tile_ns: long(self.per_tile_ns),
            ..self
        }
    }
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            null_ns: 5_000,
            short_job_ns: 5_000,
            compute_ns: 20_000,
            tiler_ns: 20_000,
            fragment_ns: 20_000,
            per_tile_ns: 50,
            fetch_ns: 1_000,
            stop_ns: 5_000,
            retry_ns: 500,
            as_command_ns: 1_000,
            as_flush_ns: 5_000,
            power_on_ns: 30_000,
            power_off_ns: 10_000,
            reset_ns: 100_000,
            clean_ns: 10_000,
            sample_ns: 10_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_work_is_scaled() {
        let usual = Timing::default();
        assert_eq!(usual.with_work_scaled(1), usual);
        assert_eq!(
            usual.with_work_scaled(3),
            Timing {
                null_ns: 15_000,
                short_job_ns: 15_000,
                compute_ns: 60_000,
                tiler_ns: 60_000,
                fragment_ns: 60_000,
                per_tile_ns: 150,
                ..usual
            }
        );
    }
}
