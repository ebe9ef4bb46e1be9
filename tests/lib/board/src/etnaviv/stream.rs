// SPDX-License-Identifier: BSD-2-Clause
//! Command streams written by hand, and those that Mesa submitted.
//!
//! Commands as in rnndb cmdstream.xml; states and values of the BLT engine as in the streams of
//! tests/data/etnaviv, of the RS as in Mesa's etnaviv_rs.c, of the 2D engine as in libdrm's
//! tests/etnaviv/etnaviv_2d_test.c. A [`Template`] has placeholders for the addresses of buffers.

/// Clears a target of 256 x 256 pixels at [`TARGET`] with tile status at [`STATUS`] to [`COLOR`].
pub const CLEAR: &[u8] = include_bytes!("../../../../data/etnaviv/etna-GC7000L.m1.0.bin");
/// Copies the pixel (128, 127) of it to [`READBACK`].
pub const READ_BACK: &[u8] = include_bytes!("../../../../data/etnaviv/etna-GC7000L.m1.1.bin");
/// Clears and draws a triangle.
pub const TRIANGLE: &[u8] = include_bytes!("../../../../data/etnaviv/etna-GC7000L.m3.0.bin");

/// The colour buffer, 256 KiB.
pub const TARGET: u32 = 0xfffb_b000;
/// Its tile status, 4 KiB.
pub const STATUS: u32 = 0xfffb_a000;
/// The read-back buffer, 248 KiB, of which the tests read one pixel.
pub const READBACK: u32 = 0xfff7_9000;
/// Vertices, shaders and a texture descriptor of [`TRIANGLE`], 4 KiB each.
pub const INPUTS: [u32; 4] = [0xfffb_9000, 0xfffb_8000, 0xfffb_7000, 0xffff_b000];
/// The clear colour, A8R8G8B8.
pub const COLOR: u32 = 0xff33_6699;

/// The words of a stream.
pub fn words(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect()
}

/// LOAD_STATE of one state.
pub fn state(address: u32, value: u32) -> Vec<u32> {
    vec![0x0801_0000 | (address / 4), value]
}

/// NOP.
pub fn nop() -> Vec<u32> {
    vec![0x1800_0000, 0]
}

/// END.
pub fn end() -> Vec<u32> {
    vec![0x1000_0000, 0]
}

/// LINK.
pub fn link(prefetch: u32, address: u32) -> Vec<u32> {
    vec![0x4000_0000 | prefetch, address]
}

/// WAIT.
pub fn wait(cycles: u32) -> Vec<u32> {
    vec![0x3800_0000 | cycles, 0]
}

/// Fills sixteen words at `va`, which is a multiple of 64, with `value`: a BLT clear of a linear
/// image of 16 x 1 pixels.
pub fn fill(va: u32, value: u32) -> Vec<u32> {
    Template::fill(Engine::Blt, value).at(&[va])
}

/// The engine that moves pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Of GC7000L.
    Blt,
    /// Of 3D cores without BLT engine. These have two pixel pipes, each of which does one half.
    Rs,
    /// The drawing engine of 2D cores.
    De,
}

impl Engine {
    /// Number of words that [`Template::fill`] fills: the minimum of the engine.
    pub fn words(self) -> usize {
        match self {
            Engine::Blt | Engine::De => 16,
            // Windows are multiples of 16 x 4.
            Engine::Rs => 2 * 16 * 4,
        }
    }

    /// The exec_state of a submit for this engine: 3D is 0, 2D is 1.
    pub fn exec_state(self) -> u32 {
        u32::from(self == Engine::De)
    }
}

/// A value of a state: a number, or the address of a byte of a buffer.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// A number.
    Is(u32),
    /// A buffer, counted from 0, and the offset in it.
    At(u32, u32),
}
use Value::{At, Is};

/// A stream with placeholders for addresses.
#[derive(Clone, Debug, Default)]
pub struct Template {
    /// The words; 0 for a placeholder.
    pub words: Vec<u32>,
    /// For each placeholder in the order of the words: index of the word, buffer, and offset in the
    /// buffer.
    pub addresses: Vec<(usize, u32, u32)>,
}

impl Template {
    /// Loads states one by one.
    pub fn loads(states: &[(u32, Value)]) -> Template {
        let mut template = Template::default();
        for (address, value) in states {
            let number = match *value {
                Is(number) => number,
                At(buffer, byte) => {
                    template
                        .addresses
                        .push((template.words.len() + 1, buffer, byte));
                    0
                }
            };
            template.words.extend(state(*address, number));
        }
        template
    }

    /// The stream with the given addresses of its buffers.
    pub fn at(&self, buffers: &[u32]) -> Vec<u32> {
        let mut words = self.words.clone();
        for (index, buffer, byte) in &self.addresses {
            words[*index] = buffers[*buffer as usize] + byte;
        }
        words
    }

    /// Fills the first [`Engine::words`] of buffer 0 with `value`, row by row, with rows of 16
    /// pixels of four bytes.
    pub fn fill(engine: Engine, value: u32) -> Template {
        match engine {
            Engine::Blt => blt_fill(value),
            Engine::Rs => rs(Some(value)),
            Engine::De => de_fill(value),
        }
    }

    /// Makes the front end wait until `engine` is idle, before the commands that follow.
    pub fn stall(engine: Engine) -> Template {
        const FE: u32 = 1;
        let mut template = Template::default();
        let mut stall = |unit: u32| {
            template.words.extend(state(0x3808, FE | (unit << 8)));
            template.words.extend([0x4800_0000, FE | (unit << 8)]);
        };
        match engine {
            Engine::Rs | Engine::De => stall(7),
            Engine::Blt => {
                stall(16);
                // The unit only reaches semaphores while it is enabled.
                template.words.splice(0..0, state(0x140b8, 1));
                template.words.extend(state(0x140b8, 0));
            }
        }
        template
    }

    /// A draw of this many triangles without memory accesses.
    pub fn draw(triangles: u32) -> Template {
        Template {
            words: vec![0x2800_0000, 4, 0, triangles],
            addresses: Vec::new(),
        }
    }

    /// Appends `next`, which uses the same buffers.
    pub fn then(mut self, next: Template) -> Template {
        let at = self.words.len();
        let moved = |(word, buffer, byte): (usize, u32, u32)| (word + at, buffer, byte);
        self.addresses.extend(next.addresses.into_iter().map(moved));
        self.words.extend(next.words);
        self
    }

    /// RS: copies the first [`Engine::words`] of buffer 1 to buffer 0.
    pub fn rs_copy() -> Template {
        rs(None)
    }
}

fn blt_fill(value: u32) -> Template {
    Template::loads(&[
        (0x140b8, Is(1)),
        // Four bytes a pixel.
        (0x14064, Is(0x180)),
        // Linear, 64 bytes a row; no tile status.
        (0x14024, Is(0x00c0_0040)),
        (0x14028, Is(0x0041_c800)),
        (0x14018, At(0, 0)),
        (0x1402c, Is(0)),
        (0x14030, Is((1 << 16) | 16)),
        (0x14044, Is(value)),
        (0x14048, Is(value)),
        (0x1404c, Is(u32::MAX)),
        (0x14050, Is(u32::MAX)),
        (0x140ac, Is(3)),
        (0x14060, Is(1)),
        (0x140ac, Is(3)),
        (0x140b8, Is(0)),
    ])
}

/// A linear image of 16 x 8 pixels; the second pipe does its lower half.
fn rs(fill: Option<u32>) -> Template {
    // RS_CONFIG: A8R8G8B8 on both sides.
    let mut states = vec![(0x1604, Is(6 | (6 << 8)))];
    if fill.is_none() {
        states.extend([(0x160c, Is(64)), (0x16c0, At(1, 0)), (0x16c4, At(1, 0))]);
    }
    states.extend([
        (0x1614, Is(64)),
        (0x16e0, At(0, 0)),
        (0x16e4, At(0, 0)),
        // Start of each pipe, with rows in the upper half, and the window of one pipe.
        (0x1700, Is(0)),
        (0x1704, Is(4 << 16)),
        (0x1620, Is((4 << 16) | 16)),
        // All bytes of each pixel.
        (0x163c, Is(fill.map_or(0, |_| (1 << 16) | 0xffff))),
        (0x1640, Is(fill.unwrap_or(0))),
        (0x1600, Is(0xbeeb_beeb)),
    ]);
    Template::loads(&states)
}

/// One rectangle of 16 x 1 pixels.
fn de_fill(value: u32) -> Template {
    let mut template = Template::loads(&[
        (0x1228, At(0, 0)),
        (0x122c, Is(64)),
        (0x1230, Is(0)),
        // A8R8G8B8; command clear.
        (0x1234, Is(6)),
        (0x125c, Is(0x0030_cccc)),
        (0x1260, Is(0)),
        (0x1264, Is((1 << 16) | 16)),
        (0x12c0, Is(value)),
    ]);
    // DRAW_2D of one rectangle: top left, and the corner after bottom right.
    template.words.extend([0x2000_0100, 0, 0, (1 << 16) | 16]);
    // The 2D cache.
    template.words.extend(state(0x380c, 8));
    template
}
