// SPDX-License-Identifier: BSD-2-Clause
//! Durations of operations. The values are plausible, not measured, except where a source is named.

/// Durations in nanoseconds, of operations that start after they are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Minimum time that the reset bit must be set for a reset. HW: etnaviv.md 2.5: drivers hold it
    /// 10 to 20 us.
    pub reset_ns: u64,
    /// Fetch of one burst by the front end.
    pub fetch_ns: u64,
    /// Execution of one word by the front end.
    pub word_ns: u64,
    /// A cache flush in PE, TS or BLT.
    pub flush_ns: u64,
    /// A draw, to which `vertex_ns` per vertex is added.
    pub draw_ns: u64,
    /// One vertex of a draw.
    pub vertex_ns: u64,
    /// A RS, BLT or 2D operation, to which `kilopixel_ns` per 1024 pixels is added.
    pub copy_ns: u64,
    /// 1024 pixels of a RS, BLT or 2D operation.
    pub kilopixel_ns: u64,
}

impl Timing {
    /// Returns these durations with draws, RS, BLT and 2D operations, and their vertices and
    /// pixels, `times` as long. The front end and resets keep their durations.
    #[must_use]
    pub fn with_work_scaled(self, times: u32) -> Timing {
        let long = |ns: u64| ns.saturating_mul(u64::from(times));
        Timing {
            draw_ns: long(self.draw_ns),
            vertex_ns: long(self.vertex_ns),
            copy_ns: long(self.copy_ns),
            kilopixel_ns: long(self.kilopixel_ns),
            ..self
        }
    }
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            reset_ns: 5_000,
            fetch_ns: 200,
            word_ns: 5,
            flush_ns: 500,
            draw_ns: 10_000,
            vertex_ns: 5,
            copy_ns: 2_000,
            kilopixel_ns: 1_000,
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
                draw_ns: 30_000,
                vertex_ns: 15,
                copy_ns: 6_000,
                kilopixel_ns: 3_000,
                ..usual
            }
        );
    }
}
