// SPDX-License-Identifier: BSD-2-Clause
//! Cores by their registers.

extern crate std;

use super::*;
use crate::hwdb::{clock_gating, idle_mask, pulse_eater};
use crate::identity::Security;
use std::collections::BTreeMap;
use std::vec::Vec;

/// A core with these registers; all others are 0. What is read is noted.
fn core(registers: &[(u32, u32)]) -> (Result<Identity, Unsupported>, Vec<u32>) {
    let map: BTreeMap<u32, u32> = registers.iter().copied().collect();
    let mut reads = Vec::new();
    let identity = identify(|register| {
        reads.push(register);
        map.get(&register).copied().unwrap_or(0)
    });
    (identity, reads)
}

/// Feature registers by word.
fn features(words: &[u32]) -> Vec<(u32, u32)> {
    [0x1c, 0x34, 0x74, 0x84, 0x88, 0x94, 0xa0]
        .into_iter()
        .zip(words.iter().copied())
        .collect()
}

fn ids_of(model: u32, revision: u32, more: &[(u32, u32)]) -> Ids {
    let mut registers = Vec::from([(0x20, model), (0x24, revision), (0x1c, 4)]);
    registers.extend(more);
    core(&registers).0.unwrap().ids
}

/// The answers that Mesa's drm-shim gives for a GC7000L, parameters 1 to 0x1b.
#[test]
fn gc7000l_comes_from_the_table() {
    let (identity, reads) = core(&[
        (0x20, 0x7000),
        (0x24, 0x6214),
        (0xa8, 0x70003),
        (0x30, 7),
        (0xe8, 9),
        (0x1c, 1),
    ]);
    let core = identity.unwrap();
    assert!(
        !reads.contains(&0x1c) && !reads.contains(&0x48),
        "the table is complete"
    );
    let words = [
        0xe0287cad, 0xc1799eff, 0xfefbfad9, 0xeb9d4fbf, 0xedfffced, 0xdb0dafc7, 0xbb5ac333,
        0xfc8ee200, 0x03fbfa6f, 0x00ef0ef0, 0x0edbf03c, 0x90044250, 0x24,
    ];
    let specs = [16, 64, 1024, 16, 4, 2, 1024, 0, 512, 320, 16];
    let expected = [0x7000, 0x6214]
        .into_iter()
        .chain(words)
        .chain(specs)
        .chain([0x40_0000, 0x70003, 7, 9]);
    for (nr, value) in (1..).zip(expected) {
        assert_eq!(core.param(nr), Some(value), "parameter {nr:#x}");
    }
    assert_eq!(
        (core.param(0), core.param(0x1f), core.param(u32::MAX)),
        (None, None, None)
    );
    // Its known features.
    let yes = Features::PIPE_3D
        | Features::MMU_V2
        | Features::MC20
        | Features::BLT_ENGINE
        | Features::HALTI0
        | Features::HALTI5
        | Features::DYNAMIC_FREQUENCY_SCALING
        | Features::BIT_SECURITY
        | Features::SECURITY_AHB
        | Features::FENCE_64BIT
        | Features::BUG_FIXES12;
    assert!(core.features.contains(yes));
    assert!(!core
        .features
        .intersects(Features::PIPE_2D | Features::PIPE_VG));
    assert_eq!(
        (core.security(), idle_mask(&core)),
        (Security::Kernel, 0x7fff_ffff)
    );
    assert_eq!(clock_gating(&core), (1, 3 << 16));
    assert_eq!(pulse_eater(&core, 0x1231_0000), 0x1236_0000);
}

/// What Mesa's drm-shim answers, from specification registers that say so.
#[test]
fn gc2000_comes_from_its_registers() {
    let mut registers = features(&[0xe0296cad, 0xc9799eff, 0x2efbf2d9]);
    registers.extend([(0x20, 0x2000), (0x24, 0x5108), (0x28, 0x2012_0101)]);
    // 8 streams, 2^6 registers, 2^10 threads, 16 entries, 4 cores, 2 pipes, 2^9 outputs.
    registers.push((
        0x48,
        9 << 28 | 2 << 25 | 4 << 20 | 16 << 12 | 10 << 8 | 6 << 4 | 8,
    ));
    registers.push((0x80, 168 << 16));
    let core = core(&registers).0.unwrap();
    let specs = [0x8, 0x40, 0x400, 0x10, 4, 2, 0x200, 0, 0x200, 0xa8, 0xb];
    for (nr, value) in (0x10..).zip(specs) {
        assert_eq!(core.param(nr), Some(value), "parameter {nr:#x}");
    }
    assert_eq!(core.param(0x1b), Some(u64::MAX));
    assert_eq!(
        (core.param(3), core.param(4), core.param(5)),
        (Some(0xe0296cad), Some(0xc9799eff), Some(0x2efbf2d9))
    );
    assert!((6..=15).all(|nr| core.param(nr) == Some(0)));
    assert_eq!(core.security(), Security::None);
    // No BUG_FIXES12: PA; textures; early and hierarchical Z; bit 15.
    assert_eq!(
        clock_gating(&core),
        (1, 1 << 4 | 1 << 7 | 1 << 15 | 3 << 16)
    );
    assert_eq!(pulse_eater(&core, 1), 0x0159_0880);
}

#[test]
fn gc3000_has_its_own_stream_count() {
    let mut registers = features(&[
        0xe0287cad, 0xc9799efb, 0xfefbfadb, 0xeb9d4bbf, 0xedffdced, 0x930d2f47, 0x10000133,
    ]);
    registers.extend([
        (0x20, 0x2000),
        (0x24, 0xffff_5450),
        (
            0x48,
            10 << 28 | 2 << 25 | 4 << 20 | 16 << 12 | 10 << 8 | 6 << 4,
        ),
    ]);
    registers.extend([(0x80, 320 << 16), (0x8c, 16 << 4), (0x9c, 16 << 12)]);
    let core = core(&registers).0.unwrap();
    assert_eq!((core.ids.model, core.ids.revision), (0x3000, 0x5450));
    let specs = [0x10, 0x40, 0x400, 0x10, 4, 2, 0x400, 0, 0x100, 0x140, 0x10];
    for (nr, value) in (0x10..).zip(specs) {
        assert_eq!(core.param(nr), Some(value), "parameter {nr:#x}");
    }
    assert_eq!(core.param(9), Some(0x10000133));
    assert!(core.features.contains(Features::MMU_V2));
}

#[test]
fn sizes_that_are_in_no_register() {
    let sizes = |model, revision, major| {
        let specs = core(&[(0x20, model), (0x24, revision), (0x1c, major)])
            .0
            .unwrap()
            .specs;
        (
            specs.stream_count,
            specs.register_max,
            specs.thread_count,
            specs.shader_core_count,
            specs.vertex_output_buffer_size,
        )
    };
    assert_eq!(sizes(0x400, 0x3000, 4), (1, 32, 64, 1, 512));
    assert_eq!(sizes(0x400, 0x4100, 4), (1, 32, 64, 1, 256));
    assert_eq!(sizes(0x400, 0x4652, 4), (1, 32, 64, 1, 128));
    assert_eq!(sizes(0x530, 0x5000, 4), (1, 64, 128, 1, 512));
    assert_eq!(sizes(0x880, 0x5106, 4), (1, 64, 256, 1, 512));
    assert_eq!(sizes(0x1000, 0x5037, 4), (4, 64, 256, 2, 512));
    let rest = |model, revision| {
        let specs = core(&[(0x20, model), (0x24, revision), (0x1c, 4)])
            .0
            .unwrap()
            .specs;
        (
            specs.vertex_cache_size,
            specs.pixel_pipes,
            specs.instruction_count,
            specs.num_constants,
            specs.num_varyings,
        )
    };
    assert_eq!(rest(0x880, 0x5106), (8, 1, 512, 168, 7));
    assert_eq!(rest(0x880, 0x5000), (8, 1, 512, 168, 8));
    assert_eq!(rest(0x2000, 0x5107), (8, 1, 256, 168, 8));
    for (field, instructions) in [(1, 1024), (2, 2048), (3, 256), (255, 256)] {
        let mut registers = features(&[4, 1 << 21]);
        registers.extend([(0x20, 0x880), (0x24, 0x5106), (0x80, field << 8)]);
        assert_eq!(
            core(&registers).0.unwrap().specs.instruction_count,
            instructions
        );
    }
}

#[test]
fn names_are_put_right() {
    assert_eq!(ids_of(0x421, 1, &[]).model, 0x400);
    assert_eq!(ids_of(0x420, 1, &[]).model, 0x420);
    assert_eq!(
        ids_of(0x300, 0x2201, &[(0x28, 0x2008_0814), (0x2c, 0x1205_1100)]).revision,
        0x1051
    );
    assert_eq!(
        ids_of(0x300, 0x2201, &[(0x28, 0x2008_0814), (0x2c, 0x1205_1101)]).revision,
        0x2201
    );
    assert_eq!(
        ids_of(0x300, 0x2201, &[(0x28, 0x2008_0815), (0x2c, 0x1205_1100)]).revision,
        0x2201
    );
    assert_eq!(ids_of(0x1000, 0x5037, &[(0x28, 0x2012_0617)]).eco_id, 1);
    assert_eq!(ids_of(0x1000, 0x5037, &[(0x28, 0x2012_0618)]).eco_id, 0);
    assert_eq!(ids_of(0x320, 0x5303, &[(0x28, 0x2014_0511)]).eco_id, 1);
    assert_eq!(ids_of(0x320, 0x5303, &[(0xe8, 4)]).eco_id, 4);
    let (old, _) = core(&[(0x18, 0x0105_2000), (0x20, 0x700), (0x1c, 4)]);
    assert_eq!(
        (old.unwrap().ids.model, old.unwrap().ids.revision),
        (0x500, 2)
    );
}

#[test]
fn registers_that_are_not_there_are_not_read() {
    let (_, reads) = core(&[(0x20, 0x600), (0x24, 0x19), (0x1c, 4)]);
    assert!(!reads.contains(&0xa8) && !reads.contains(&0xe8));
    let (_, reads) = core(&[(0x20, 0x600), (0x24, 0x20), (0x1c, 4)]);
    assert!(reads.contains(&0xa8) && reads.contains(&0xe8));
    let (old, reads) = core(&[(0x18, 0x0100_1000), (0x1c, 4), (0x34, 1 << 21)]);
    assert!(!reads.contains(&0x34) && !reads.contains(&0x20));
    assert!(old.unwrap().features.contains(Features::PIPE_2D));
    let (_, reads) = core(&[(0x20, 0x800), (0x1c, 4), (0x34, !(1 << 21))]);
    assert!(!reads.contains(&0x74) && !reads.contains(&0x48));
    assert!(!core(&[(0x20, 0x700), (0x1c, 5)])
        .0
        .unwrap()
        .features
        .contains(Features::FAST_CLEAR));
    assert!(core(&[(0x20, 0x800), (0x1c, 5)])
        .0
        .unwrap()
        .features
        .contains(Features::FAST_CLEAR));
    assert_eq!(
        idle_mask(&core(&[(0x20, 0x600), (0x1c, 4)]).0.unwrap()),
        0xff
    );
}

#[test]
fn cores_that_are_not_driven() {
    assert_eq!(core(&[]).0, Err(Unsupported::Absent));
    assert_eq!(
        core(&[(0x20, 0x355), (0x1c, 1 << 26 | 1 << 28)]).0,
        Err(Unsupported::VectorGraphics)
    );
    assert!(core(&[(0x20, 0x350), (0x1c, 1 << 26)]).0.is_ok());
}

#[test]
fn quirks_by_row() {
    let gating = |model, revision, words: &[u32]| {
        let mut registers = features(words);
        registers.extend([(0x20, model), (0x24, revision)]);
        clock_gating(&core(&registers).0.unwrap())
    };
    let fixed = [4, 1 << 21, 0, 0, 1 << 15];
    assert_eq!(
        gating(0x7000, 0x6202, &fixed).1 & 0xffff,
        1 << 5 | 1 << 6 | 1 << 7
    );
    assert_eq!(gating(0x7000, 0x6203, &fixed).1 & 0xffff, 1 << 7);
    assert_eq!(gating(0x4000, 0x5222, &fixed).1 & 0xffff, 1 << 7 | 1 << 15);
    assert_eq!(gating(0x8000, 0x8002, &fixed).1 & 0xffff, 1 << 10);
    assert_eq!(gating(0x420, 0x5422, &[4]), (1, 3 << 16));
    assert_eq!(gating(0x320, 0x5422, &[1 << 9]), (1, 3 << 16));
    assert_eq!(
        gating(0x800, 0x4301, &[4, 1 << 27]),
        (3, 1 << 2 | 1 << 4 | 1 << 15 | 3 << 16)
    );
    assert_eq!(
        gating(0x800, 0x4303, &[4, 1 << 27 | 1 << 21, 1 << 9]),
        (1, 1 << 4 | 1 << 15 | 3 << 16)
    );
    let eater = |model, revision, major| {
        let core = core(&[(0x20, model), (0x24, revision), (0x1c, major)])
            .0
            .unwrap();
        pulse_eater(&core, 0)
    };
    assert_eq!(eater(0x4000, 0x5208, 4), 0x01d9_0880);
    assert_eq!(eater(0x1000, 0x5039, 4), 0x015a_0880);
    assert_eq!(eater(0x3000, 0x5421, 4), 3 << 17);
    assert_eq!(eater(0x520, 0x5421, 1 << 9), 0x0159_0880);
    let rows = [0x5007, 0x5220].map(|revision| hwdb::quirks(0x320, revision));
    assert_eq!(rows, [Quirks::MEMORY_DEBUG; 2]);
    assert_eq!(hwdb::quirks(0x2000, 0x5108).bits().count_ones(), 4);
    assert_eq!(hwdb::quirks(0x7000, 0x6214), Quirks::empty());
    let words = hwdb::find(&Ids {
        model: 0x7000,
        revision: 0x6214,
        ..Ids::default()
    })
    .unwrap()
    .words;
    assert_eq!(words[12], 0x24);
}
