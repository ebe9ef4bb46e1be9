// SPDX-License-Identifier: BSD-2-Clause
//! GC7000L: addresses are in the stream. HW: tests/data/etnaviv/README.md.

use super::*;

const TARGET: u32 = 0xfffb_b000;

const STATUS: u32 = 0xfffb_a000;

const READBACK: u32 = 0xfff7_9000;

struct Softpin {
    rig: Rig,
    mtlb: u64,
    ring: u64,
    target: u64,
    status: u64,
    readback: u64,
    /// Next address for a user buffer.
    user_va: u32,
}

const RING_VA: u32 = 0x1000;

impl Softpin {
    fn new() -> Softpin {
        Softpin::at(TARGET, STATUS, READBACK)
    }

    fn at(target: u32, status: u32, readback: u32) -> Softpin {
        let mut rig = Rig::ready(Variant::Gc7000L);
        let mtlb = rig.tables();
        let target = rig.map_new(mtlb, target, 64, PRESENT | WRITEABLE);
        let status = rig.map_new(mtlb, status, 1, PRESENT | WRITEABLE);
        let readback = rig.map_new(mtlb, readback, 64, PRESENT | WRITEABLE);
        for input in [0xfffb_9000, 0xfffb_8000, 0xfffb_7000, 0xffff_b000] {
            rig.map_new(mtlb, input, 1, PRESENT);
        }
        let ring = rig.map_new(mtlb, RING_VA, 1, PRESENT);
        rig.enable_mmu(mtlb);
        rig.idle_loop(ring, u64::from(RING_VA));
        rig.start(u64::from(RING_VA), 2);
        Softpin {
            rig,
            mtlb,
            ring,
            target,
            status,
            readback,
            user_va: 0x10_0000,
        }
    }

    /// Runs a stream as a driver does: user buffer with a LINK back, then the return part. HW:
    /// etnaviv.md 2.7, 2.8.
    fn submit(&mut self, bytes: &[u8]) {
        let rig = &mut self.rig;
        let user = words(bytes);
        let back = RING_VA + 0x100;
        let tail = Stream::new()
            .state(0x380c, 0x23)
            .state(0x140b8, 1)
            .state(0x140ac, 1)
            .state(0x140b8, 0)
            .sync(FE, PE)
            .sync_blt()
            .event(2, FROM_PE)
            .wait(200)
            .link(2, u64::from(back) + 11 * 8);
        assert_eq!(tail.len(), 13);
        rig.put(self.ring + 0x100, &tail.0);
        let user = Stream(user).link(tail.len(), u64::from(back));
        let pa = rig.place(&user);
        rig.map(self.mtlb, self.user_va, pa, 1, PRESENT);
        // A flush before new mappings are used. HW: etnaviv.md 4.
        let flush = Stream::new().state(0x184, 8 | 0x10).sync(FE, PE);
        let flush = flush.link(user.len(), u64::from(self.user_va));
        rig.put(self.ring + 0x80, &flush.0);
        rig.kick(self.ring, flush.len(), u64::from(RING_VA) + 0x80);
        self.user_va += 0x1000;
        rig.run(1_000_000);
        assert!(rig.board.line, "the job is done");
        assert_eq!(rig.ack(), 1 << 2);
        rig.assert_clean();
        // Back to the idle loop at the start of the ring for the next one.
        rig.idle_loop(self.ring, u64::from(RING_VA));
        rig.kick(self.ring + 0x100 + 11 * 8, 2, u64::from(RING_VA));
        rig.run(100_000);
    }
}

#[test]
fn gc7000l_clear_and_read_back() {
    let mut s = Softpin::new();
    s.rig.gpu.set_capture(true);
    s.submit(include_bytes!(
        "../../../../../data/etnaviv/etna-GC7000L.m1.0.bin"
    ));
    // With tile status the surface itself keeps its contents; 1024 tiles of 256 bytes, four bits
    // each.
    assert_eq!(s.rig.r32(s.target), 0);
    for n in 0..128 {
        assert_eq!(s.rig.r32(s.status + n * 4), 0x1111_1111);
    }
    assert_eq!(
        s.rig.r32(s.status + 512),
        0,
        "nothing after the tile status"
    );
    let frame = s.rig.gpu.last_frame().unwrap();
    assert_eq!(
        (frame.va, frame.width, frame.height, frame.stride),
        (TARGET, 256, 256, 1024)
    );
    assert_eq!(
        (frame.engine, frame.layout, frame.bytes_per_pixel),
        (Engine::Blt, Layout::SuperTiled, 4)
    );
    assert!(frame.pixels.chunks(4).all(|p| p == COLOR.to_le_bytes()));
    assert_eq!(s.rig.gpu.stats().blt_operations[1], 1);
    assert_eq!(s.rig.gpu.stats().pixels_written, 256 * 256);

    s.submit(include_bytes!(
        "../../../../../data/etnaviv/etna-GC7000L.m1.1.bin"
    ));
    let pixel = s.readback + 127 * 1024 + 128 * 4;
    assert_eq!(s.rig.r32(pixel), COLOR);
    assert_eq!(s.rig.r32(pixel + 4), 0, "one pixel only");
    assert_eq!(s.rig.r32(pixel - 4), 0);
    let frame = s.rig.gpu.last_frame().unwrap();
    assert_eq!(
        (frame.x, frame.y, frame.width, frame.height),
        (128, 127, 1, 1)
    );
    assert_eq!(frame.pixels, COLOR.to_le_bytes());
    assert_eq!(s.rig.gpu.stats().blt_operations[2], 1);
}

/// Would catch a swizzle that is not applied: Mesa 26.2 keeps GL_RGBA in the order of A8R8G8B8 and
/// exchanges red and blue when it resolves, 25.0 keeps it in GL's order. In both cases the bytes
/// that glReadPixels returns are those of the colour. 255x255 pixels, #12345678, in both.
#[test]
fn gc7000l_newer_mesa_clears_and_resolves() {
    for (swizzle, stream) in [
        (
            0x68_8688,
            &include_bytes!("../../../../../data/etnaviv/mesa-25.0-GC7000L.clear.bin")[..],
        ),
        (
            0x60_a688,
            include_bytes!("../../../../../data/etnaviv/mesa-26.2-GC7000L.clear.bin"),
        ),
    ] {
        let loaded = loads(&words(stream));
        let found = loaded.iter().find(|(state, _)| *state == 0x140bc);
        assert_eq!(found.map(|(_, at)| words(stream)[*at]), Some(swizzle));
        let mut s = Softpin::at(0xfffb_5000, 0xffff_5000, 0xfff7_5000);
        s.submit(stream);
        for (x, y) in [(0, 0), (254, 0), (100, 130), (0, 254), (254, 254)] {
            let pixel = s.rig.r32(s.readback + y * 1024 + x * 4);
            assert_eq!(
                pixel.to_le_bytes(),
                [0x12, 0x34, 0x56, 0x78],
                "{swizzle:#x} {x},{y}"
            );
        }
        assert_eq!(
            s.rig.r32(s.readback + 255 * 4),
            0,
            "the image has no further pixels"
        );
    }
}

#[test]
fn gc7000l_read_back_takes_uncleared_tiles_from_memory() {
    let mut s = Softpin::new();
    s.submit(include_bytes!(
        "../../../../../data/etnaviv/etna-GC7000L.m1.0.bin"
    ));
    // The tile of (128, 127): super-tile row 1, column 2; inside it x 0, y 63: group 24, tile 6.
    // HW: drm_fourcc.h, DRM_FORMAT_MOD_VIVANTE_SUPER_TILED.
    let offset = u64::from(((4 + 2) * 4096 + 24 * 128 + 6 * 16 + 3 * 4) * 4_u32);
    let tile = offset / 256;
    let (word, shift) = (s.status + tile / 8 * 4, tile % 8 * 4);
    let cleared = s.rig.r32(word);
    s.rig.w32(word, cleared & !(0xf << shift));
    s.rig.w32(s.target + offset, 0x1234_5678);
    s.submit(include_bytes!(
        "../../../../../data/etnaviv/etna-GC7000L.m1.1.bin"
    ));
    assert_eq!(s.rig.r32(s.readback + 127 * 1024 + 128 * 4), 0x1234_5678);
}

#[test]
fn gc7000l_triangle() {
    let mut s = Softpin::new();
    s.submit(include_bytes!(
        "../../../../../data/etnaviv/etna-GC7000L.m3.0.bin"
    ));
    let stats = s.rig.gpu.stats();
    assert_eq!(stats.draws, 1);
    assert_eq!(stats.commands[12], 1, "DRAW_INSTANCED");
    // Vertices, two shaders, colour, tile status, its surface, one descriptor.
    assert_eq!(stats.draw_addresses, 7);
    assert!(stats.touched(0x14600) && stats.touched(0x15c7c));
}

#[test]
fn gc7000l_triangle_faults_where_an_input_is_not_mapped() {
    for (va, flags) in [
        (0xfffb_9000, EXCEPTION),
        (0xfffb_8000, EXCEPTION),
        (0xfffb_7000, EXCEPTION),
        (0xffff_b000, EXCEPTION),
        (TARGET + 0x3_f000, PRESENT),
    ] {
        let mut s = Softpin::new();
        let at = s.rig.entry(s.mtlb, va);
        let entry = s.rig.r32(at) & !7;
        s.rig.w32(at, entry | flags);
        let user = Stream(words(include_bytes!(
            "../../../../../data/etnaviv/etna-GC7000L.m3.0.bin"
        )))
        .link(2, u64::from(RING_VA));
        let pa = s.rig.place(&user);
        s.rig.map(s.mtlb, 0x10_0000, pa, 1, PRESENT);
        s.rig.kick(s.ring, user.len(), 0x10_0000);
        s.rig.run(1_000_000);
        assert_eq!(s.rig.ack(), 1 << 30, "{va:x}");
        assert_eq!(s.rig.rd(0x384), if flags == PRESENT { 3 } else { 2 });
        assert_eq!(s.rig.rd(0x380) & !0xfff, va);
    }
}
