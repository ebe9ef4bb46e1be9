// SPDX-License-Identifier: BSD-2-Clause
//! MMU: every fault code, the TLB and its flushes, stalled accesses and their retry. The test
//! access is a write-value job: its header read and its store go through the MMU.
use crate::common::{Rig, JOB, MMU, NX, R, RAM, RW, W};
use models::Variant;

mod faults;
mod stalls;
mod tlb;

const JC: u64 = 0x0200_0000;
const TARGET: u64 = 0x0400_0000;

/// A rig with a job at JC that stores zero at `target`.
fn rig_for(variant: Variant, target: u64) -> Rig {
    let mut g = Rig::ready(variant);
    g.map(JC, 4096, RW);
    g.write_value(JC, 1, 0, target, 3);
    g
}

/// Runs the job on address space 0 and returns (FAULTSTATUS, FAULTADDRESS) of the fault.
fn fault_of(g: &mut Rig) -> (u32, u64) {
    g.submit(1, JC, 0);
    g.settle();
    assert!(g.board.lines[MMU], "no fault was raised");
    (g.rd(0x241c), g.rd64(0x2420))
}

const WRITE: u32 = 3 << 8;
const READ: u32 = 2 << 8;
const EXECUTE: u32 = 1 << 8;
const SOURCE: u32 = 0x81 << 16;

/// Would catch a fault status that a reset does not clear.
#[test]
fn reset_clears_faults_and_tlb() {
    let mut g = rig_for(Variant::T860, TARGET);
    let _ = fault_of(&mut g);
    g.wr(0x030, 1);
    g.settle();
    assert_eq!((g.rd(0x2000), g.rd(0x241c), g.job_raw()), (0, 0, 0));
    assert!(!g.board.lines[MMU] && !g.board.lines[JOB]);
}

/// Would catch a model that panics on arbitrary register values: every register written with ones.
#[test]
fn wild_register_values_do_not_panic() {
    for variant in [Variant::T720, Variant::T860, Variant::G31] {
        let mut g = Rig::ready(variant);
        for value in [u32::MAX, 0x8000_0000, 0xffff_ffc0, 1] {
            for offset in (0x034..0x3000).step_by(4) {
                g.wr(offset, value);
            }
            g.wait(1_000_000);
        }
        assert!(g.mali.stats().protocol_error_count() > 0);
    }
}
