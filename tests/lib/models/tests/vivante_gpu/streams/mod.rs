// SPDX-License-Identifier: BSD-2-Clause
//! Streams that unmodified Mesa 22.3.6 submitted (tests/data/etnaviv), executed by the model with a
//! memory layout in which the clear colour must arrive in the read-back buffer.

use crate::common::*;
use models::vivante::{Engine, Layout, Variant};

mod gc2000;
mod gc7000l;

const COLOR: u32 = 0xff33_6699;

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks_exact(4)
        .map(|w| u32::from_le_bytes(w.try_into().unwrap()))
        .collect()
}

/// Byte addresses of the states a stream loads, with the index of each value; draws and stalls
/// are skipped.
fn loads(stream: &[u32]) -> Vec<(u32, usize)> {
    let (mut at, mut out) = (0, Vec::new());
    while at < stream.len() {
        let header = stream[at];
        let len = match header >> 27 {
            1 => 1 + (header >> 16 & 0x3ff) as usize,
            9 => 2,
            5 | 12 => 4,
            op => panic!("opcode {op} at {at}"),
        };
        if header >> 27 == 1 {
            out.extend((1..len).map(|n| ((header & 0xffff) * 4 + n as u32 * 4 - 4, at + n)));
        }
        at += len.next_multiple_of(2);
    }
    out
}

#[test]
fn mesa_streams_stay_in_user_states() {
    for bytes in [
        &include_bytes!("../../../../../data/etnaviv/etna-GC7000L.m1.0.bin")[..],
        include_bytes!("../../../../../data/etnaviv/etna-GC7000L.m1.1.bin"),
        include_bytes!("../../../../../data/etnaviv/etna-GC7000L.m3.0.bin"),
    ] {
        let mut rig = Rig::ready(Variant::Gc7000L);
        rig.gpu.clear_states_loaded();
        // Faults are ignored: without an MMU the addresses have no memory.
        let at = rig.place(&Stream(words(bytes)).end());
        rig.start(at, bytes.len() as u32 / 8 + 1);
        rig.run(1_000_000);
        let stats = rig.gpu.stats();
        assert_eq!(stats.blocked_loads, 0);
        assert!(!stats.states_loaded.touched_in(0, 0x5ff));
        assert!(!stats.states_loaded.touched_in(0x654, 0x66c));
        assert!(!stats.touched(0x3804));
        let expected: std::collections::BTreeSet<u32> =
            loads(&words(bytes)).iter().map(|l| l.0).collect();
        let seen: std::collections::BTreeSet<u32> = stats.states_loaded.addresses().collect();
        assert_eq!(seen, expected);
    }
}
