// SPDX-License-Identifier: BSD-2-Clause
//! GC2000: states that name buffers hold offsets into them.

use super::*;

struct Reloc {
    rig: Rig,
    target: u64,
    status: u64,
    readback: u64,
    vertices: u64,
}

impl Reloc {
    fn new() -> Reloc {
        let mut rig = Rig::ready(Variant::Gc2000);
        Reloc {
            target: rig.alloc(64),
            status: rig.alloc(1),
            readback: rig.alloc(64),
            vertices: rig.alloc(1),
            rig,
        }
    }

    /// Runs a stream with each address state relocated to the buffer that it names. Addresses go
    /// through the linear window, whose base is 0.
    fn submit(&mut self, bytes: &[u8]) {
        let mut stream = words(bytes);
        let mut relocated = 0;
        let clearing = loads(&stream).iter().any(|l| stream[l.1] == 0x5555_5555);
        for (state, at) in loads(&stream.clone()) {
            let base = match state {
                // RS destination: the tile status for a fill, otherwise the read-back buffer.
                0x16e0 if clearing => self.status,
                0x16e0 => self.readback,
                0x16c0 | 0x16c4 | 0x165c | 0x1460 | 0x1464 => self.target,
                0x1658 => self.status,
                0x680 => self.vertices,
                _ => continue,
            };
            stream[at] += base as u32;
            relocated += 1;
        }
        assert!(relocated > 0);
        let tail = Stream(stream)
            .state(0x380c, 3)
            .state(0x1650, 1)
            .sync(FE, PE)
            .event(1, FROM_PE)
            .end();
        self.rig.exec(tail);
        assert_eq!(self.rig.ack(), 2);
        assert!(self.rig.is_idle());
        self.rig.assert_clean();
    }
}

#[test]
fn gc2000_clear_and_read_back() {
    let mut s = Reloc::new();
    s.rig.gpu.set_capture(true);
    s.submit(include_bytes!(
        "../../../../../data/etnaviv/etna-GC2000.m1.0.bin"
    ));
    // 4096 tiles of 64 bytes, two bits each.
    for n in 0..256 {
        assert_eq!(s.rig.r32(s.status + n * 4), 0x5555_5555);
    }
    assert_eq!(s.rig.r32(s.status + 1024), 0);
    assert_eq!(s.rig.gpu.stats().rs_operations, 1);
    assert!(
        s.rig.gpu.last_frame().is_none(),
        "a fill of tile status is not a frame"
    );

    s.submit(include_bytes!(
        "../../../../../data/etnaviv/etna-GC2000.m1.1.bin"
    ));
    // The window is 16 x 128 at x 128: two pipes of 64 rows.
    for y in 0..256 {
        for x in 0..256 {
            let expected = if (128..144).contains(&x) && y < 128 {
                COLOR
            } else {
                0
            };
            assert_eq!(
                s.rig.r32(s.readback + y * 1024 + x * 4),
                expected,
                "{x} {y}"
            );
        }
    }
    let frame = s.rig.gpu.last_frame().unwrap();
    assert_eq!(
        (frame.engine, frame.width, frame.height),
        (Engine::Rs, 16, 128)
    );
    assert!(frame.pixels.chunks(4).all(|p| p == COLOR.to_le_bytes()));
}

#[test]
fn gc2000_read_back_of_a_split_image() {
    // Without cleared tiles the pixels come from both halves of the buffer: rows 0 to 63 from the
    // first, 64 to 127 from the second.
    let mut s = Reloc::new();
    s.rig.fill(s.target, 0x2_0000, 0x1111_1111);
    s.rig.fill(s.target + 0x2_0000, 0x2_0000, 0x2222_2222);
    s.submit(include_bytes!(
        "../../../../../data/etnaviv/etna-GC2000.m1.1.bin"
    ));
    let at = s.readback + 128 * 4;
    assert_eq!(s.rig.r32(at), 0x1111_1111);
    assert_eq!(s.rig.r32(at + 63 * 1024), 0x1111_1111);
    assert_eq!(s.rig.r32(at + 64 * 1024), 0x2222_2222);
    assert_eq!(s.rig.r32(at + 127 * 1024), 0x2222_2222);
}

#[test]
fn gc2000_triangle() {
    let mut s = Reloc::new();
    s.submit(include_bytes!(
        "../../../../../data/etnaviv/etna-GC2000.m3.0.bin"
    ));
    let stats = s.rig.gpu.stats();
    assert_eq!(stats.draws, 1);
    assert_eq!(stats.commands[5], 1, "DRAW_PRIMITIVES");
    // Vertices, two halves of the colour buffer, tile status, its surface.
    assert_eq!(stats.draw_addresses, 5);
}
