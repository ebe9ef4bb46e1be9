// SPDX-License-Identifier: BSD-2-Clause
//! Random streams: the model must not panic or hang on them, and must be usable after a reset.

use crate::common::*;
use models::vivante::Variant;
use seeded::Random;

/// States with an effect, and the states of their arguments.
const STATES: [u32; 32] = [
    0x184, 0x1ac, 0x600, 0x644, 0x680, 0x6a0, 0x808, 0x1228, 0x122c, 0x1234, 0x1264, 0x142c,
    0x1434, 0x1460, 0x1600, 0x1604, 0x160c, 0x1614, 0x1620, 0x1654, 0x1658, 0x16b0, 0x16e0, 0x3804,
    0x3808, 0x380c, 0x3c00, 0x14018, 0x14024, 0x14028, 0x14030, 0x14060,
];

#[test]
fn random_streams_end_in_a_hang_at_worst() {
    for (n, variant) in [
        Variant::Gc7000L,
        Variant::Gc3000,
        Variant::Gc2000,
        Variant::Gc320,
    ]
    .into_iter()
    .enumerate()
    {
        let mut random = Random::new(n as u64);
        let mut rig = Rig::cold(variant);
        let at = rig.alloc(4);
        for round in 0..200 {
            rig.reset();
            rig.init();
            if variant == Variant::Gc7000L {
                rig.wr(0x38c, rig.pta as u32);
                rig.wr(0x394, 1);
            }
            let mut stream = Stream::new().state(0x140b8, 1);
            for _ in 0..60 {
                let near = at as u32 + random.next_u32() % 0x2000;
                let value = random.next_u32();
                let value = *random
                    .pick(&[value, near, value & 0xff, value & 0xff_00ff])
                    .unwrap();
                stream = match random.next_u32() % 12 {
                    0..=8 => {
                        let state = *random.pick(&STATES).unwrap();
                        stream.state(state, value)
                    }
                    9 => stream.raw(&[
                        random.next_u32() & 0x07ff_ffff | 5 << 27,
                        value & 15,
                        0,
                        value,
                    ]),
                    10 => stream.raw(&[0x2000_0000 | value & 0x300, 0, 0, near, 0, near, 0, near]),
                    _ => stream.raw(&[random.next_u32(), value]),
                };
            }
            let stream = stream.end();
            rig.put(at, &stream.0);
            rig.start(at, stream.len());
            rig.wait(100_000);
            // Time still advances.
            rig.wait(1_000_000);
            assert!(
                rig.gpu.stats().starts > round,
                "round {round} of {variant:?} was not started"
            );
        }
        rig.reset();
        rig.init();
        rig.ack();
        rig.exec(Stream::new().event(9, FROM_PE).end());
        assert_eq!(rig.ack(), 1 << 9);
        assert!(rig.gpu.stats().illegal_commands > 0);
        assert!(rig.gpu.stats().commands[1] > 1_000);
    }
}
