// SPDX-License-Identifier: BSD-2-Clause
//! What a draw points to: attributes, uniforms, varyings, textures, and the tiler.

use super::{
    attribute_buffer, map_triangle, triangle, CODE, FBD, HEAP, POLYGONS, STATES, VARYINGS, VERTICES,
};
use crate::common::{Rig, MMU, NX, R, RW, RX};
use models::Variant;
use seeded::Random;

/// Would catch a check of table entries that the shader never loads from: such entries are
/// uninitialised memory. Source: Mesa pan_cmdstream.c panfrost_emit_const_buf (only buffers of
/// `ubo_mask` are written).
#[test]
fn entries_of_unused_uniform_buffers_are_not_followed() {
    let mut g = Rig::ready(Variant::T860);
    map_triangle(&mut g);
    g.map(HEAP, 0x2000, RW);
    triangle(&mut g, HEAP + 0x2000);
    // A viewport's 160.0 and -120.0, left over from an earlier use.
    g.poke64(FBD + 0x340, 0xc2f0_0000_4320_0000);
    g.submit(1, FBD + 0x400, 0);
    g.settle();
    assert_eq!((g.job_raw(), g.slot_status(1)), (2, 1));
}

/// Would catch uniform data taken for attribute descriptors: if the shader reads the vertex number,
/// that is descriptor 16, and the descriptors between it and the last attribute are uninitialised
/// memory. Source: Mesa pan_ir.h PAN_VERTEX_ID; the words are those of Xwayland on a T760.
#[test]
fn descriptors_between_attributes_and_vertex_number_are_not_followed() {
    const RECORDS: u64 = STATES + 0x100;
    const BUFFERS: u64 = STATES + 0x200;
    for lost in [false, true] {
        let mut g = Rig::ready(Variant::T760);
        map_triangle(&mut g);
        g.map(HEAP, 0x2000, RW);
        triangle(&mut g, HEAP + 0x2000);
        g.poke32(STATES + 12, &[17 | 2 << 16]);
        g.poke64(FBD + 0x180 + 72, RECORDS);
        g.poke64(FBD + 0x180 + 64, BUFFERS);
        let floats = [0x3bcc_cccd, 0xbf80_0000];
        for n in 2..16 {
            g.poke32(RECORDS + 8 * n, &floats);
        }
        g.poke32(RECORDS, &[0x332c_2200, 0, 0x232c_2201, 4]);
        g.poke32(RECORDS + 8 * 16, &[0x216c_8202, 0]);
        let at = if lost { 0xe000_0000 } else { VERTICES };
        attribute_buffer(&mut g, BUFFERS, VERTICES, 20, 60);
        attribute_buffer(&mut g, BUFFERS + 16, at, 20, 60);
        g.poke32(BUFFERS + 32, &[0x22, 0x9f00_0000, 0, 0]);
        for n in 3..0x80 {
            g.poke32(BUFFERS + 16 * n, &[floats, floats].concat());
        }
        g.submit(1, FBD + 0x400, 0);
        g.settle();
        if lost {
            assert_eq!(g.rd64(0x2420), at, "buffers of attributes are checked");
        } else {
            assert_eq!(
                (g.job_raw(), g.slot_status(1)),
                (2, 1),
                "fault {:#x}",
                g.rd64(0x2420)
            );
        }
    }
}

/// Would catch a check of a table that a shader fills, whose contents the model cannot know: a
/// compute job of the same chain received its address. A table that only another chain's job
/// received is checked. Source: Mesa panvk_vX_meta_desc_copy.c.
#[test]
fn tables_that_a_shader_fills_are_not_followed() {
    for (given, attributes) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut g = Rig::ready(Variant::G52);
        let at = 0x0300_0000u64;
        g.map(at, 0x2000, RW);
        let (first, second, table) = (at, at + 0x200, at + 0x1000);
        let (states, storage, uniforms) = ([at + 0x400, at + 0x500], at + 0x600, at + 0x700);
        g.header(first, 4, 1, (0, 0), second);
        g.header(second, 4, 2, (0, 1), 0);
        for (job, state) in [(first, states[0]), (second, states[1])] {
            g.poke64(job + 64 + 56, state);
            g.poke64(job + 64 + 112, storage);
        }
        g.poke32(storage + 4, &[31]);
        // The compute job: two words of eight bytes in the push uniforms.
        g.poke64(first + 64 + 48, uniforms);
        g.poke32(states[0] + 48, &[2 << 15]);
        // The compute job fills the second of two entries.
        let bytes = if attributes { 16 } else { 32 };
        g.poke64(uniforms + 8, if given { table + bytes } else { table - 8 });
        if attributes {
            attribute_buffer(&mut g, table + 16, 0xe000_0000, 4, 4);
            g.poke32(at + 0x800, &[0, 0, 1, 0]);
            g.poke64(second + 64 + 72, at + 0x800);
            g.poke64(second + 64 + 64, table);
            g.poke32(states[1] + 12, &[2]);
        } else {
            g.poke32(table + 32, &[2 | 2 << 4, 0, 0, 0]);
            g.poke64(table + 48, 0xe000_0000);
            g.poke64(second + 64 + 32, table);
            g.poke32(states[1] + 8, &[2 << 16]);
        }
        g.submit(1, first, 0);
        g.settle();
        let ended = (g.job_raw(), g.slot_status(1)) == (2, 1);
        assert_eq!(ended, given, "{attributes} {:#x}", g.rd64(0x2420));
    }
}

/// Would catch varyings that are read-only for the vertex job, and a buffer that extends beyond its
/// mapping. Source: Mesa genxml "Attribute Buffer" size.
#[test]
fn varyings_are_written_and_sizes_count() {
    let mut g = Rig::ready(Variant::T860);
    map_triangle(&mut g);
    let pa = g.pa(VARYINGS);
    g.map_page(VARYINGS, pa, R | NX);
    triangle(&mut g, HEAP);
    g.submit(1, FBD + 0x400, 0);
    g.settle();
    assert_eq!(g.rd(0x241c) & 0x3ff, 0xcb | 3 << 8);
    let mut g = Rig::ready(Variant::T860);
    map_triangle(&mut g);
    triangle(&mut g, HEAP);
    g.unmap_page(VERTICES + 0x1000);
    g.poke32(FBD + 0x300 + 12, &[0x1001]);
    g.submit(1, FBD + 0x400, 0);
    g.settle();
    assert_eq!(g.rd64(0x2420), VERTICES + 0x1000);
}

/// Would catch a tiler job without its write-value job, and a heap that is too small.
/// Source: Mesa pan_scoreboard.h ("tiler jobs must depend on the write value job"); panfrost.md
/// 2.7 (0x60 OOM).
#[test]
fn tiler_needs_a_zeroed_list_and_room() {
    let mut g = Rig::ready(Variant::T860);
    map_triangle(&mut g);
    g.map(HEAP, 0x2000, RW);
    triangle(&mut g, HEAP + 0x2000);
    g.poke64(POLYGONS, 0x0123_4567_89ab_cdef);
    g.submit(1, FBD + 0x140, 0);
    g.settle();
    assert_eq!(g.slot_status(1), 0x60);
    let mut g = Rig::ready(Variant::T860);
    map_triangle(&mut g);
    g.map(HEAP, 0x1000, RW);
    triangle(&mut g, HEAP + 64);
    g.submit(1, FBD + 0x400, 0);
    g.settle();
    assert_eq!((g.slot_status(1), g.peek64(FBD + 0x208)), (0x60, HEAP));
}

/// Would catch heap use that does not grow with the draw: 100000 vertices need several 2 MiB
/// chunks, with one fault for each. Source: panfrost.md 2.4 (2 MiB chunks).
#[test]
fn heap_grows_with_vertices() {
    let mut g = Rig::ready(Variant::T860);
    map_triangle(&mut g);
    triangle(&mut g, HEAP + (16 << 20));
    g.poke32(FBD + 0x228 + 12, &[99_999]);
    g.submit(1, FBD + 0x400, 0);
    let mut faults = 0;
    loop {
        g.settle();
        if g.job_raw() != 0 {
            break;
        }
        let va = g.rd64(0x2420);
        assert_eq!(va, HEAP + faults * (2 << 20), "chunks are faulted in order");
        faults += 1;
        assert!(faults < 8);
        g.wr(0x2004, 1);
        g.map(va, 2 << 20, RW);
        g.flush(0, 4, va, 2 << 20);
    }
    assert_eq!((g.slot_status(1), faults), (1, 4));
    assert_eq!(g.mali.stats().heap_bytes, 512 + 100_000 * 64);
}

/// Would catch v7 jobs decoded as v5: tiler context and heap, indexed vertex job.
/// Source: Mesa genxml v7.xml "Tiler Job", "Indexed Vertex Job", "Tiler Context", "Tiler Heap".
#[test]
fn bifrost_tiler_and_indexed_vertex_jobs() {
    for indexed in [false, true] {
        let mut g = Rig::ready(Variant::G52);
        let at = 0x0300_0000u64;
        g.map(at, 0x1000, RW);
        g.map(CODE, 0x1000, RX);
        g.map(HEAP, 0x2000, RW);
        let (context, heap, state, storage) = (at + 0x400, at + 0x500, at + 0x600, at + 0x700);
        g.header(at, if indexed { 10 } else { 7 }, 1, (0, 0), 0);
        g.poke32(at + 40, &[8, 0, 0, 2]);
        g.poke64(at + 72, context);
        for draw in [128, 256] {
            g.poke64(at + draw + 56, state);
            g.poke64(at + draw + 112, storage);
        }
        g.poke32(storage + 4, &[31]);
        g.poke64(state, CODE);
        g.poke64(context + 24, heap);
        g.poke64(heap + 8, HEAP);
        g.poke64(heap + 16, HEAP);
        g.poke64(heap + 24, HEAP + 0x2000);
        g.submit(1, at, 0);
        g.settle();
        assert_eq!(
            (g.job_raw(), g.slot_status(1)),
            (2, 1),
            "fault {:#x}",
            g.rd64(0x2420)
        );
        assert_eq!(g.mali.stats().heap_bytes, 512 + 3 * 64);
        assert_eq!(
            g.peek64(context + 128),
            512 + 3 * 64,
            "the context keeps the level"
        );
        // The vertex shader of an indexed vertex job may have a second part.
        g.wr(0x1004, 2);
        g.poke64(state + 56, 0xe000_0000);
        g.submit(1, at, 0);
        g.settle();
        assert_eq!(g.board.lines[MMU], indexed);
    }
}

/// Would catch textures and samplers that are not checked. Source: Mesa genxml v5.xml, v7.xml
/// "Texture", "Sampler"; decode.c pandecode_texture_payload.
#[test]
fn textures_and_samplers_are_checked() {
    // (variant, what is unmapped: 0 nothing, 1 texture table, 2 surface, 3 samplers)
    for (variant, hole) in [Variant::T860, Variant::G31]
        .into_iter()
        .flat_map(|v| (0..4).map(move |h| (v, h)))
    {
        let mut g = Rig::ready(variant);
        let at = 0x0300_0000u64;
        g.map(at, 0x1000, RW);
        let (table, surface, samplers) = (at + 0x1000, at + 0x2000, at + 0x3000);
        for page in [table, surface, samplers] {
            g.map(page, 0x1000, R | NX);
        }
        let (state, storage, payload) = (at + 0x200, at + 0x300, table + 0x100);
        g.header(at, 4, 1, (0, 0), 0);
        g.poke64(at + 64 + 32, table);
        g.poke64(at + 64 + 40, samplers);
        g.poke64(at + 64 + 56, state);
        g.poke64(at + 64 + 112, storage);
        g.poke32(storage + 4, &[31]);
        g.poke32(state + 8, &[1 | 1 << 16]);
        if variant == Variant::T860 {
            // A table of pointers; the surfaces follow the descriptor. 2D, 2 levels.
            g.poke64(table, payload);
            g.poke32(payload, &[0, 0, 2 << 22 | 1 << 28, 1 << 24]);
            g.poke64(payload + 32, surface);
            g.poke64(payload + 40, surface + 0x800);
        } else {
            g.poke32(table, &[2 | 2 << 4, 0, 1 << 16, 0]);
            g.poke64(table + 16, payload);
            g.poke64(payload, surface);
            g.poke64(payload + 16, surface + 0x800);
        }
        let gone = [0, table, surface, samplers][hole];
        if hole != 0 {
            g.unmap_page(gone);
        }
        g.submit(1, at, 0);
        g.settle();
        if hole == 0 {
            assert_eq!(g.job_raw(), 2, "{variant:?} fault at {:#x}", g.rd64(0x2420));
        } else {
            assert_eq!(g.rd64(0x2420) & !0xfff, gone, "{variant:?}");
        }
    }
}

/// Would catch local storage that is not writable, and a null descriptor that causes a fault.
#[test]
fn thread_storage_and_null_pointers() {
    let mut g = Rig::ready(Variant::T860);
    let at = 0x0300_0000u64;
    g.map(at, 0x1000, RW);
    g.map(at + 0x1000, 0x1000, R | NX);
    g.header(at, 4, 1, (0, 0), 0);
    g.submit(1, at, 0);
    g.settle();
    assert_eq!(
        (g.job_raw(), g.mali.stats().null_pointers),
        (2, 2),
        "no state, no storage"
    );
    g.wr(0x1004, 2);
    g.poke64(at + 64 + 112, at + 0x300);
    g.poke32(at + 0x300, &[4, 31]);
    g.poke64(at + 0x308, at + 0x1000);
    g.submit(1, at, 0);
    g.settle();
    assert_eq!(g.rd(0x241c) & 0x3ff, 0xcb | 3 << 8);
    assert_eq!(g.rd64(0x2420), at + 0x1000);
}

/// Would catch a model that panics or hangs on random descriptors.
#[test]
fn garbage_descriptors_do_not_panic() {
    let mut random = Random::new(1);
    for variant in [Variant::T720, Variant::T860, Variant::G52] {
        let mut ended = 0;
        for round in 0..150 {
            let mut g = Rig::ready(variant);
            g.mali.set_capture(true);
            let at = 0x0300_0000u64;
            g.map(at, 0x4000, crate::common::R | crate::common::W);
            for n in 0..0x4000 / 8 {
                // Mostly pointers into the mapped range, so that they pass the first check.
                let value = random.next();
                let word = if !value.is_multiple_of(3) {
                    at + value % 0x3f00 / 64 * 64
                } else {
                    random.next()
                };
                g.poke64(at + 8 * n, word);
            }
            let kind = [7, 9, 5, 4, 10, 2][round % 6];
            g.header(at, kind, 1, (0, 0), 0);
            if kind == 9 {
                let tag = if variant == Variant::T720 { 0 } else { 1 };
                g.poke32(at + 32, &[0, 0x000f_000f, (at as u32 + 0x400) | tag, 0]);
            }
            g.submit(if kind == 9 { 0 } else { 1 }, at, 0);
            g.settle();
            ended += u32::from(g.job_raw() != 0 || g.rd(0x2000) != 0);
        }
        assert_eq!(ended, 150, "each job completed, failed or faulted");
    }
}
