// SPDX-License-Identifier: BSD-2-Clause
//! The two frames traced from Mesa on a T860 (data/panfrost/pandecode-t860-clear.txt and
//! pandecode-t860-clear-tri.txt), written to memory at their original addresses and executed; and
//! the pointer checks of draws.
use crate::common::{Rig, MMU, NX, R, RW, RX};
use models::Variant;

mod draws;

const FBD: u64 = 0xf7fa_9000;
const TARGET: u64 = 0xf7fb_b000;
const AFBC_HEADER: u64 = 0xf7fb_a000;
const CRC: u64 = 0xf7ff_b000;
const CODE: u64 = 0xf7ff_c000;
const STATES: u64 = 0xf7ff_d000;
const POLYGONS: u64 = 0xf7f5_9000;
const VARYINGS: u64 = 0xf7f9_9000;
const VERTICES: u64 = 0xf7fb_9000;
const HEAP: u64 = 0xf800_0000;

/// Layout of colour target 0.
#[derive(Clone, Copy, PartialEq)]
enum Target {
    /// As traced.
    Afbc,
    /// As Mesa makes it with PAN_MESA_DEBUG=linear.
    Linear,
}

/// The framebuffer descriptor of both traces: 256x256, one target, checksum extension.
fn framebuffer(g: &mut Rig, target: Target, tiler: [u32; 10]) {
    let mut w = [0u32; 64];
    w[1] = 31;
    w[8] = 255 | 255 << 16;
    w[10] = 255 | 255 << 16;
    w[11] = 2 << 6 | 8 << 9 | 1 << 24;
    w[12] = 1 << 16 | 1 << 21 | 1 << 31;
    w[14..24].copy_from_slice(&tiler);
    // ZS CRC extension.
    w[32] = CRC as u32;
    w[34] = 128;
    // Render target 0: R8G8B8A8, swizzle 1546, dithering, clean pixel write.
    let rt = &mut w[48..64];
    rt[0] = 1 << 26;
    rt[1] = 1 | 19 << 3 | 1 << 15 | 1546 << 16 | 1 << 31;
    match target {
        Target::Afbc => {
            rt[1] |= 3 << 10;
            rt[4] = AFBC_HEADER as u32;
            rt[7] = 9 | 3 << 16;
            rt[8] = TARGET as u32;
            rt[10] = 262_144;
        }
        Target::Linear => {
            rt[1] |= 2 << 10;
            rt[8] = TARGET as u32;
            rt[10] = 1024;
        }
    }
    rt[12..].copy_from_slice(&[0xff99_6633; 4]);
    g.poke32(FBD, &w);
}

fn fragment_job(g: &mut Rig, va: u64) {
    g.header(va, 9, 1, (0, 0), 0);
    g.poke32(va + 32, &[0, 15 | 15 << 16, FBD as u32 | 3, 0]);
}

fn map_frame(g: &mut Rig) {
    g.map(FBD, 0x1000, RW);
    g.map(AFBC_HEADER, 0x1000, RW);
    g.map(TARGET, 262_144, RW);
    g.map(CRC, 0x1000, RW);
}

fn image_is_clear(g: &mut Rig) {
    let bytes = g.peek(TARGET, 262_144);
    assert!(
        bytes.chunks_exact(4).all(|p| p == [0x99, 0x66, 0x33, 0xff]),
        "256x256, bytes B G R A"
    );
}

/// Would catch a decoding error in the descriptors that Mesa makes for glClear. Source:
/// data/panfrost/pandecode-t860-clear.txt.
#[test]
fn traced_clear() {
    for target in [Target::Afbc, Target::Linear] {
        let mut g = Rig::ready(Variant::T860);
        map_frame(&mut g);
        g.map(0xf7fa_8000, 0x1000, RW);
        let list = 0xf7fa_8000;
        framebuffer(
            &mut g,
            target,
            [512, 4096, list, 0, list + 0x200, 0, list, 0, list, 0],
        );
        fragment_job(&mut g, FBD + 0x100);
        g.submit(0, FBD + 0x100, 0);
        g.settle();
        assert_eq!((g.job_raw(), g.slot_status(0), g.rd(0x2000)), (1, 1, 0));
        assert_eq!(g.peek32(FBD + 0x100), 1);
        // Checksums: 16 tiles of 8 bytes in each row of 128, all equal.
        let sums = g.peek(CRC, 2048);
        assert!(sums.chunks_exact(8).all(|s| s == &sums[..8]) && sums[..8] != [0; 8]);
        match target {
            Target::Linear => {
                image_is_clear(&mut g);
                assert_eq!(g.mali.stats().decode_error_count(), 0);
            }
            Target::Afbc => assert_eq!(g.mali.stats().left["AFBC colour target"], 1),
        }
    }
}

/// A draw descriptor. HW: Mesa genxml v5.xml "Draw".
#[derive(Default)]
struct Draw {
    flags: u32,
    position: u64,
    uniform_buffers: u64,
    push_uniforms: u64,
    state: u64,
    attribute_buffers: u64,
    attributes: u64,
    varying_buffers: u64,
    varyings: u64,
    viewport: u64,
}

fn draw(g: &mut Rig, va: u64, d: &Draw) {
    g.poke32(va, &[0x0101_0007 | d.flags, 0, 0, 0]);
    let pointers = [
        d.position,
        d.uniform_buffers,
        0,
        0,
        d.push_uniforms,
        d.state,
        d.attribute_buffers,
        d.attributes,
        d.varying_buffers,
        d.varyings,
        d.viewport,
        0,
        FBD | 1,
    ];
    for (n, pointer) in pointers.iter().enumerate() {
        g.poke64(va + 16 + 8 * n as u64, *pointer);
    }
}

/// Attribute buffer: type 1D, divisor 1. HW: v5.xml "Attribute Buffer".
fn attribute_buffer(g: &mut Rig, va: u64, pointer: u64, stride: u32, size: u32) {
    g.poke64(va, 1 | pointer);
    g.poke32(va + 8, &[stride, size]);
}

/// The vertex and tiler chain of the triangle: write value, vertex, tiler.
/// Source: data/panfrost/pandecode-t860-clear-tri.txt.
fn triangle(g: &mut Rig, heap_end: u64) {
    let list = POLYGONS as u32;
    let tiler = [
        176_640,
        255,
        list,
        0,
        list + 0xc00,
        0,
        HEAP as u32,
        0,
        heap_end as u32,
        (heap_end >> 32) as u32,
    ];
    framebuffer(g, Target::Linear, tiler);
    g.poke32(FBD + 0x100 + 28, &[255 | 255 << 16]);
    // Write value: zero the polygon list.
    g.header(FBD + 0x400, 2, 2, (0, 0), FBD + 0x140);
    g.poke32(FBD + 0x420, &[list, 0, 3]);
    // Vertex job, with barrier.
    g.header(FBD + 0x140, 5, 1, (0, 0), FBD + 0x200);
    g.poke32(FBD + 0x160, &[2, 32 << 22 | 2 << 28, 5 << 26]);
    draw(
        g,
        FBD + 0x180,
        &Draw {
            uniform_buffers: FBD + 0x340,
            push_uniforms: FBD + 0x350,
            state: STATES,
            attribute_buffers: FBD + 0x300,
            attributes: FBD + 0x310,
            varying_buffers: FBD + 0x2c0,
            varyings: STATES + 0x40,
            ..Draw::default()
        },
    );
    // Vertex state: 2 attributes, 2 varyings, 1 uniform buffer, 2 vec4 pushed.
    g.poke64(STATES, CODE | 5);
    g.poke32(STATES + 12, &[2 | 2 << 16, 1 | 1 << 16 | 2 << 21]);
    g.poke32(STATES + 0x40, &[1 | 1 << 9, 0, 1 << 9, 0, 1 << 9, 0]);
    attribute_buffer(g, FBD + 0x300, VERTICES, 20, 60);
    g.poke32(FBD + 0x310, &[1 << 9, 0, 1 << 9, 8]);
    attribute_buffer(g, FBD + 0x2c0, VARYINGS, 6, 18);
    attribute_buffer(g, FBD + 0x2d0, VARYINGS + 0x40, 16, 48);
    g.poke64(FBD + 0x340, 1 | ((FBD + 0x320) >> 4) << 12);
    // Tiler job: depends on 1 and 2; triangles, three vertices.
    g.header(FBD + 0x200, 7, 3, (1, 2), 0);
    g.poke32(
        FBD + 0x220,
        &[2, 32 << 22 | 2 << 28, 8 | 3 << 16 | 6 << 26, 0, 0, 2, 0, 0],
    );
    draw(
        g,
        FBD + 0x240,
        &Draw {
            flags: 1 << 5,
            position: VARYINGS + 0x40,
            uniform_buffers: FBD + 0x370,
            state: FBD + 0x380,
            varying_buffers: FBD + 0x2c0,
            varyings: STATES + 0x50,
            viewport: FBD + 0x100,
            ..Draw::default()
        },
    );
    g.poke32(FBD + 0x200 + 184, &[1f32.to_bits()]);
    // Fragment state: one varying; then one blend descriptor.
    g.poke64(FBD + 0x380, CODE | 0x85);
    g.poke32(FBD + 0x38c, &[1 << 16, 2 << 16 | 1 << 10]);
    g.poke32(FBD + 0x3c0, &[1 << 9, 0, 0xf012_2122, 0]);
    fragment_job(g, FBD + 0x440);
}

fn map_triangle(g: &mut Rig) {
    map_frame(g);
    g.map(CODE, 0x1000, RX);
    g.map(STATES, 0x1000, R | NX);
    // Read-only for the GPU; this rig writes it as the processor.
    g.map(POLYGONS, 0x2_c000, RW);
    g.map(VARYINGS, 0x1000, RW);
    g.map(VERTICES, 0x1000, R | NX);
}

/// Would catch a pointer misplaced by one word in any descriptor of the chain: each page is mapped
/// with exactly the permission it needs, and the heap grows by page fault. Source:
/// data/panfrost/pandecode-t860-clear-tri.txt; panfrost.md 2.4 (heap).
#[test]
fn traced_triangle() {
    let mut g = Rig::ready(Variant::T860);
    map_triangle(&mut g);
    triangle(&mut g, 0x1_0000_0000);
    g.poke64(POLYGONS, u64::MAX);
    g.submit(1, FBD + 0x400, 0);
    g.settle();
    // The tiler faults on its heap.
    assert_eq!(g.rd64(0x2420), HEAP);
    assert_eq!(g.rd(0x241c) & 0x3ff, 0xc2 | 3 << 8);
    g.wr(0x2004, 1);
    g.map(HEAP, 2 << 20, RW);
    g.flush(0, 4, HEAP, 2 << 20);
    g.settle();
    assert_eq!((g.job_raw(), g.slot_status(1), g.rd(0x2000)), (2, 1, 0));
    for job in [0x400, 0x140, 0x200] {
        assert_eq!(g.peek32(FBD + job), 1);
    }
    assert_ne!(g.peek(HEAP, 64), [0; 64], "the tiler wrote into its heap");
    g.wr(0x1004, 2);
    g.submit(0, FBD + 0x440, 0);
    g.settle();
    assert_eq!((g.job_raw(), g.slot_status(0)), (1, 1));
    image_is_clear(&mut g);
    let s = g.mali.stats();
    assert_eq!([s.jobs[2], s.jobs[5], s.jobs[7], s.jobs[9]], [1, 1, 1, 1]);
    assert_eq!(s.decode_error_count(), 0, "{:?}", s.decode_errors);
    assert_eq!(s.null_pointers, 0);
    assert_eq!(s.protocol_error_count(), 0, "{:?}", s.protocol_errors);
}

/// Would catch a pointer that is not checked: each page that a draw points to is unmapped in turn,
/// and the fault must report it.
#[test]
fn every_pointer_is_checked() {
    // (page, access type of the fault: 1 execute, 2 read, 3 write)
    let pages = [
        (CODE, 1),
        (STATES, 2),
        (POLYGONS, 3),
        (VARYINGS, 3),
        (VERTICES, 2),
    ];
    for (page, access) in pages {
        let mut g = Rig::ready(Variant::T860);
        map_triangle(&mut g);
        g.map(HEAP, 0x2000, RW);
        triangle(&mut g, HEAP + 0x2000);
        g.unmap_page(page);
        g.submit(1, FBD + 0x400, 0);
        g.settle();
        assert!(g.board.lines[MMU], "{page:#x}");
        assert_eq!(g.rd64(0x2420) & !0xfff, page);
        assert_eq!((g.rd(0x241c) >> 8) & 3, access, "{page:#x}");
    }
    // Single pointers set to an unmapped address: (address of the pointer, value, fault VA).
    let wild = 0xe000_0000u64;
    let moved = [
        (FBD + 0x180 + 48, wild),
        (FBD + 0x180 + 24, wild),
        (FBD + 0x180 + 72, wild),
        (FBD + 0x180 + 88, wild),
        (FBD + 0x240 + 16, wild),
        (FBD + 0x240 + 96, wild),
        (FBD + 0x240 + 112, wild | 1),
        (FBD + 0x300, wild | 1),
        (FBD + 0x2d0, wild | 1),
        (STATES, wild | 5),
        (FBD + 0x380, wild | 5),
    ];
    for (at, value) in moved {
        let mut g = Rig::ready(Variant::T860);
        map_triangle(&mut g);
        g.map(HEAP, 0x2000, RW);
        triangle(&mut g, HEAP + 0x2000);
        g.poke64(at, value);
        g.submit(1, FBD + 0x400, 0);
        g.settle();
        assert_eq!(g.rd64(0x2420) & !0xfff, wild, "pointer at {at:#x}");
    }
}
