// SPDX-License-Identifier: BSD-2-Clause
//! What a script prints that has a line for each of its checks: `SCRIPT: CHECK: ok`, `SCRIPT:
//! CHECK: FAILED: WHY` or `SCRIPT: CHECK: skipped: WHY`.

use super::Run;
use std::path::Path;

pub(super) fn run(text: &str, log: &Path) -> Run {
    let mut run = Run::default();
    for line in text.lines() {
        if line.ends_with(": ok") {
            run.counts.passed += 1;
        } else if let Some((check, _)) = line.split_once(": FAILED: ") {
            run.counts.failed += 1;
            run.fail(check, log);
        } else if line.contains(": skipped: ") {
            run.counts.skipped += 1;
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Counts;

    #[test]
    fn each_line_is_a_check() {
        let text = "building\nfront: a: ok\nfront: b: FAILED: no: really\nfront: c: skipped: d\n";
        let run = run(text, Path::new("front.log"));
        assert_eq!(
            run.counts,
            Counts {
                passed: 1,
                failed: 1,
                skipped: 1
            }
        );
        assert_eq!(
            run.failed,
            [("front: b".to_owned(), Path::new("front.log").to_owned())]
        );
    }
}
