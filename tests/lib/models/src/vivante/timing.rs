// SPDX-License-Identifier: BSD-2-Clause
//! How long things take. The numbers are plausible, not measured, except where a source is named.

/// Durations in nanoseconds, of whatever starts after they are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long reset must be held to happen. HW: etnaviv.md 2.5: drivers hold it 10 to 20 us.
    pub reset_ns: u64,
    /// The front end fetches one burst.
    pub fetch_ns: u64,
    /// The front end executes one word.
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
    /// The same with draws, RS, BLT and 2D operations, and their vertices and pixels, `times` as
    /// long. What the front end and resets take stays as it is.
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
