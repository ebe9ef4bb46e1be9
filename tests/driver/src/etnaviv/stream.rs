// SPDX-License-Identifier: BSD-2-Clause
//! Command streams written by hand, and those that Mesa submitted.
//!
//! Commands as in rnndb cmdstream.xml, states and values of the BLT engine as in the streams of
//! tests/data/etnaviv.

/// Clears a target of 256 x 256 pixels at [`TARGET`] with tile status at [`STATUS`] to [`COLOR`].
pub const CLEAR: &[u8] = include_bytes!("../../../data/etnaviv/etna-GC7000L.m1.0.bin");
/// Reads the pixel (128, 127) of it back to [`READBACK`].
pub const READ_BACK: &[u8] = include_bytes!("../../../data/etnaviv/etna-GC7000L.m1.1.bin");
/// Clears and draws a triangle.
pub const TRIANGLE: &[u8] = include_bytes!("../../../data/etnaviv/etna-GC7000L.m3.0.bin");

/// The colour buffer, 256 KiB.
pub const TARGET: u32 = 0xfffb_b000;
/// Its tile status, 4 KiB.
pub const STATUS: u32 = 0xfffb_a000;
/// The read-back buffer, 248 KiB: one pixel is of interest.
pub const READBACK: u32 = 0xfff7_9000;
/// Vertices, shaders and a texture descriptor of [`TRIANGLE`], 4 KiB each.
pub const INPUTS: [u32; 4] = [0xfffb_9000, 0xfffb_8000, 0xfffb_7000, 0xffff_b000];
/// A8R8G8B8.
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

/// Fills sixteen words at `va`, which is a multiple of 64, with `value`: a BLT clear of a linear image of 16 x 1
/// pixels.
pub fn fill(va: u32, value: u32) -> Vec<u32> {
    [
        (0x140b8, 1),
        // Four bytes a pixel.
        (0x14064, 0x180),
        // Linear, 64 bytes a row; no tile status.
        (0x14024, 0x00c0_0040),
        (0x14028, 0x0041_c800),
        (0x14018, va),
        (0x1402c, 0),
        (0x14030, 1 << 16 | 16),
        (0x14044, value),
        (0x14048, value),
        (0x1404c, u32::MAX),
        (0x14050, u32::MAX),
        (0x140ac, 3),
        (0x14060, 1),
        (0x140ac, 3),
        (0x140b8, 0),
    ]
    .into_iter()
    .flat_map(|(address, value)| state(address, value))
    .collect()
}
