// SPDX-License-Identifier: BSD-2-Clause
//! Every state that Mesa's headers name for the cores with a 3D pipe, beside what the validator
//! says.
//!
//! If Mesa writes a state that the validator does not admit, every draw of that Mesa fails with
//! EINVAL, and programs continue without noticing. So each state is permitted here, or refused with
//! a reason.
//!
//! Source of names, addresses and numbers: rnndb's `state.xml`, `state_3d.xml` and `state_blt.xml`
//! as of Mesa 25.0.7; what is [`Used`] is what its gallium driver names.

use crate::cases::verdict;
use crate::reader::DATA;
use etnaviv::stream::{Policy, Why};

/// Why a stream may not load a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reason {
    /// The front end's own ring, which the kernel runs.
    Ring,
    /// Pipe, events, MMU, security, counters and watchdog, which only the kernel may load.
    Kernel,
    /// Waits for or writes memory on behalf of another ring.
    Fence,
    /// The mapping of on-chip memory.
    OnChip,
    /// Of neural processors, which no board has.
    Npu,
    /// Of GPUs of several clusters, which no board has.
    Clusters,
    /// A stage that Mesa does not use: geometry, tessellation, transform feedback, composition.
    /// Some of its states hold addresses.
    Stage,
    /// A second copy of states, addresses among them, which are loaded at their first position.
    Mirror,
    /// No known program loads it, and the meaning of most of these is not known.
    Unknown,
}

/// The expected verdict of the validator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Say {
    /// Permitted: Mesa's driver loads it.
    Used,
    /// Permitted: similar to such a state.
    Like,
    /// Permitted with the stall that waits for it.
    Paired,
    Refused(Reason),
}

mod table;

use table::NAMED;
use Reason::*;
use Say::*;

/// Streams of tests/data/etnaviv.
const NEWER: [&str; 6] = [
    "25.0-GC3000.clear",
    "25.0-GC7000L.clear",
    "25.0-GC7000L.draw",
    "26.2-GC3000.clear",
    "26.2-GC7000L.clear",
    "26.2-GC7000L.draw",
];

/// The verdict on a load of the state at `address`.
fn said(address: u32, policy: Policy) -> Option<Why> {
    let load = [0x0801_0000 | (address / 4), 0];
    verdict(&load, &[], policy).err().map(|refused| refused.why)
}

#[test]
fn every_state_that_mesa_names_is_permitted_or_refused_for_a_reason() {
    let mut wrong = Vec::new();
    for &(name, first, words, say) in NAMED {
        for address in (0..words).map(|n| first + 4 * n) {
            let expected = match say {
                Used | Like => None,
                Paired | Refused(_) => Some(Why::State),
            };
            let found = said(address, Policy::Mmuv2);
            // If clients share a VM, addresses need a relocation.
            let shared = said(address, Policy::Mmuv1);
            let uncovered = expected.is_none() && shared == Some(Why::Uncovered);
            if found != expected || !(shared == expected || uncovered) {
                wrong.push(format!(
                    "{name} {address:#07x} {say:?}: {found:?}, {shared:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Catches: rows that are missing in the table. The state that Mesa 25 added for these cores is
/// permitted, and those of neural processors are refused, by name.
#[test]
fn the_table_is_whole() {
    let states = |wanted: fn(Say) -> bool| {
        NAMED
            .iter()
            .filter(|row| wanted(row.3))
            .map(|row| row.2)
            .sum::<u32>()
    };
    assert!(
        NAMED.windows(2).all(|rows| rows[0].1 <= rows[1].1),
        "in order"
    );
    let counts = [
        states(|say| say == Used),
        states(|say| say == Like),
        states(|say| matches!(say, Refused(_))),
    ];
    assert_eq!(counts, [10949, 10507, 11060]);
    let row = |name: &str| {
        NAMED
            .iter()
            .find(|row| row.0 == name)
            .map(|row| (row.1, row.3))
    };
    assert_eq!(row("GL_BUG_FIXES"), Some((0x3860, Used)));
    for (name, at) in [
        ("PS_NN_INST_ADDR", 0x10a0),
        ("PS_TP_INST_ADDR", 0x10b8),
        ("GL_NN_CONFIG", 0x3930),
    ] {
        assert_eq!(row(name), Some((at, Refused(Npu))));
    }
}

/// The semaphore is permitted only directly before its stall.
#[test]
fn the_semaphore_needs_its_stall() {
    let paired = NAMED
        .iter()
        .filter(|row| row.3 == Paired)
        .collect::<Vec<_>>();
    assert_eq!(paired.len(), 1);
    let token = 0x701;
    let pair = [0x0801_0000 | (paired[0].1 / 4), token, 0x4800_0000, token];
    assert!(verdict(&pair, &[], Policy::Mmuv2).is_ok());
}

/// What Mesa 25.0.7 and 26.2.6 submitted on boards of this project: nothing of it is refused.
#[test]
fn streams_of_newer_mesas_are_admitted() {
    let mut written = 0;
    for name in NEWER {
        let path = format!("{DATA}/mesa-{name}.bin");
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let words: Vec<u32> = bytes
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
            .collect();
        assert_eq!(verdict(&words, &[], Policy::Mmuv2), Ok(()), "{name}");
        written += u32::from(words.contains(&(0x0801_0000 | (0x3860 / 4))));
    }
    assert_eq!(written, 4, "streams that write GL_BUG_FIXES");
}
