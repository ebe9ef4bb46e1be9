// SPDX-License-Identifier: BSD-2-Clause
//! Which states a client's stream may load, and which of them hold addresses.
//!
//! The one thing to know: what is not listed is refused. The state space has 65,536 words. Not
//! listed are everything below 0x600 (host interface, power, MMU, memory controller), the front
//! end's own ring (0x654..0x673), events (0x3804), the fences that write memory for other rings,
//! the remapping of on-chip memory, and all states that no known user needs.
//!
//! Source of names and sizes: rnndb of etna_viv (`state.xml`, `state_3d.xml`, `state_2d.xml`,
//! `state_blt.xml`). A register is listed if Mesa's gallium driver or the tests of libdrm or laanwj
//! load it, or if it is similar to such a register.

use self::State::{Address, Either, Plain};

/// What a state holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No address.
    Plain,
    /// An address and nothing else.
    Address,
    /// A uniform of a shader, which may be an address.
    Either,
}

/// Byte address of the first state, number of states, what they hold.
type Range = (u32, u32, State);

/// Number of states.
const STATES: u32 = 1 << 16;
/// States per entry of [`TABLE`].
const PER_ENTRY: u32 = 32;
/// Entries of [`TABLE`].
const ENTRIES: usize = 2048;

/// Front end: fetching of vertices.
const FE: &[Range] = &[
    (0x00600, 16, Plain),   // VERTEX_ELEMENT_CONFIG
    (0x00644, 1, Address),  // INDEX_STREAM_BASE_ADDR
    (0x00648, 1, Plain),    // INDEX_STREAM_CONTROL
    (0x0064c, 1, Address),  // VERTEX_STREAM_BASE_ADDR
    (0x00650, 1, Plain),    // VERTEX_STREAM_CONTROL
    (0x00674, 1, Plain),    // PRIMITIVE_RESTART_INDEX
    (0x00680, 8, Address),  // VERTEX_STREAMS_BASE_ADDR
    (0x006a0, 8, Plain),    // VERTEX_STREAMS_CONTROL
    (0x00780, 16, Plain),   // GENERIC_ATTRIB_SCALE
    (0x007c4, 1, Plain),    // HALTI5_ID_CONFIG
    (0x007d8, 1, Plain),    // HALTI5_UNK007D8
    (0x007f8, 1, Address),  // INDEX_STREAM_ROBUSTNESS
    (0x14600, 16, Address), // NFE VERTEX_STREAMS_BASE_ADDR
    (0x14640, 16, Plain),   // NFE VERTEX_STREAMS_CONTROL
    (0x14680, 16, Plain),   // NFE VERTEX_STREAMS_VERTEX_DIVISOR
    (0x146c0, 16, Address), // NFE VERTEX_STREAMS_ROBUSTNESS
    (0x17800, 32, Plain),   // NFE GENERIC_ATTRIB_CONFIG0
    (0x17a00, 32, Plain),   // NFE GENERIC_ATTRIB_SCALE
    (0x17a80, 32, Plain),   // NFE GENERIC_ATTRIB_CONFIG1
];

/// Vertex shader, compute, primitive assembly, setup, rasteriser, pixel shader.
const SHADERS: &[Range] = &[
    (0x00800, 13, Plain),  // VS END_PC..LOAD_BALANCING
    (0x00838, 1, Plain),   // VS START_PC
    (0x0085c, 4, Plain),   // VS RANGE, UNIFORM_CACHE, UNIFORM_BASE, ICACHE_CONTROL
    (0x0086c, 1, Address), // VS INST_ADDR
    (0x00870, 6, Plain),   // VS HALTI5_OUTPUT_COUNT, NEWRANGEs of VS and PS, HALTI1_UNK00884
    (0x0088c, 2, Plain),   // VS ICACHE_PREFETCH and its number of instructions
    (0x008a0, 1, Plain),   // VS HALTI5_UNK008A0
    (0x008a8, 1, Plain),   // VS SAMPLER_BASE
    (0x008b0, 1, Plain),   // VS ICACHE_INVALIDATE
    (0x008bc, 17, Plain),  // VS HALTI5_RANGE_HIGH, HALTI5_INPUT, HALTI5_OUTPUT
    (0x00900, 10, Plain),  // CL CONFIG..KICKER, UNK00924
    (0x0092c, 1, Plain),   // CL GLOBAL_WORK_OFFSET_X
    (0x00934, 1, Plain),   // CL GLOBAL_WORK_OFFSET_Y
    (0x0093c, 10, Plain),  // CL GLOBAL_WORK_OFFSET_Z..GLOBAL_SCALE_Z
    (0x00a00, 8, Plain),   // PA VIEWPORT_SCALE_X..POINT_SIZE
    // PA SYSTEM_MODE..SHADER_ATTRIBUTES, VIEWPORT_UNK, FLAGS, ZFARCLIPPING, VARYING_NUM_COMPONENTS
    (0x00a28, 30, Plain),
    (0x00aa8, 1, Plain),   // PA VS_OUTPUT_COUNT
    (0x00c00, 7, Plain),   // SE SCISSOR_LEFT..CONFIG
    (0x00c20, 2, Plain),   // SE CLIP_RIGHT, CLIP_BOTTOM
    (0x00e00, 9, Plain),   // RA CONTROL..HDEPTH_CONTROL
    (0x00e40, 16, Plain),  // RA CENTROID_TABLE
    (0x01000, 5, Plain),   // PS END_PC..CONTROL
    (0x01018, 2, Plain),   // PS START_PC, RANGE
    (0x01024, 1, Plain),   // PS UNIFORM_BASE
    (0x01028, 1, Address), // PS INST_ADDR
    (0x0102c, 5, Plain),   // PS OUTPUT_REG2, CONTROL_EXT, UNK01034, UNK01038, HALTI3_UNK0103C
    (0x01048, 2, Plain),   // PS ICACHE_PREFETCH and its number of instructions
    (0x01054, 2, Plain),   // PS MSAA_CONFIG, SAMPLER_BASE
    // PS ALPHA_TO_COVERAGE_DITHER, VARYING_NUM_COMPONENTS, HALTI5_RANGE_HIGH, ICACHE_COUNT
    (0x01060, 14, Plain),
    (0x04000, 1024, Plain),  // VS INST_MEM
    (0x05000, 1024, Either), // VS UNIFORMS
    (0x06000, 1024, Plain),  // PS INST_MEM
    (0x07000, 1024, Either), // PS UNIFORMS
    (0x08000, 8192, Plain),  // SH INST_MEM_MIRROR, INST_MEM
    (0x15600, 2, Plain),     // SH CONFIG, VS ICACHE_COUNT
    (0x30000, 2048, Either), // SH UNIFORMS
    (0x34000, 4096, Either), // SH HALTI5_UNIFORMS_MIRROR, HALTI5_UNIFORMS
];

/// Pixel engine, resolve, tile status, YUV tiler.
const PIXELS: &[Range] = &[
    (0x01400, 4, Plain),    // PE DEPTH_CONFIG..DEPTH_NORMALIZE
    (0x01410, 1, Address),  // PE DEPTH_ADDR
    (0x01414, 7, Plain),    // PE DEPTH_STRIDE..COLOR_FORMAT
    (0x01430, 1, Address),  // PE COLOR_ADDR
    (0x01434, 1, Plain),    // PE COLOR_STRIDE
    (0x01454, 1, Plain),    // PE HDEPTH_CONTROL
    (0x01458, 1, Address),  // PE HDEPTH_ADDR
    (0x01460, 16, Address), // PE PIPE_COLOR_ADDR, PIPE_DEPTH_ADDR
    (0x014a0, 9, Plain),    // PE STENCIL_CONFIG_EXT..HALTI4_UNK014C0
    (0x014c4, 1, Address),  // PE DEPTH_ROBUSTNESS
    (0x01500, 24, Address), // PE RT_ADDR_4_PIPE, three targets of eight
    (0x01580, 3, Plain),    // PE RT_CONFIG_4
    (0x01600, 2, Plain),    // RS KICKER, CONFIG
    (0x01608, 1, Address),  // RS SOURCE_ADDR
    (0x0160c, 1, Plain),    // RS SOURCE_STRIDE
    (0x01610, 1, Address),  // RS DEST_ADDR
    (0x01614, 1, Plain),    // RS DEST_STRIDE
    (0x01620, 1, Plain),    // RS WINDOW_SIZE
    (0x01630, 2, Plain),    // RS DITHER
    (0x0163c, 5, Plain),    // RS CLEAR_CONTROL, FILL_VALUE
    (0x01650, 2, Plain),    // TS FLUSH_CACHE, MEM_CONFIG
    (0x01658, 2, Address),  // TS COLOR_STATUS_BASE, COLOR_SURFACE_BASE
    (0x01660, 1, Plain),    // TS COLOR_CLEAR_VALUE
    (0x01664, 2, Address),  // TS DEPTH_STATUS_BASE, DEPTH_SURFACE_BASE
    (0x0166c, 3, Plain),    // TS DEPTH_CLEAR_VALUE, AUTO_DISABLE_COUNTs
    (0x01678, 2, Plain),    // YUV CONFIG, WINDOW_SIZE
    (0x01680, 1, Address),  // YUV Y_BASE
    (0x01684, 1, Plain),    // YUV Y_STRIDE
    (0x01688, 1, Address),  // YUV U_BASE
    (0x0168c, 1, Plain),    // YUV U_STRIDE
    (0x01690, 1, Address),  // YUV V_BASE
    (0x01694, 1, Plain),    // YUV V_STRIDE
    (0x01698, 1, Address),  // YUV DEST_BASE
    (0x0169c, 2, Plain),    // YUV DEST_STRIDE, RS EXTRA_CONFIG
    (0x016a4, 1, Address),  // TS HDEPTH_STATUS_BASE
    (0x016a8, 3, Plain),    // TS HDEPTH_CLEAR_VALUE, HDEPTH_SIZE, RS KICKER_INPLACE
    (0x016b8, 2, Plain),    // RS SINGLE_BUFFER, TS COLOR_CLEAR_VALUE_EXT
    (0x016c0, 16, Address), // RS PIPE_SOURCE_ADDR, PIPE_DEST_ADDR
    (0x01700, 16, Plain),   // RS PIPE_OFFSET, TS SAMPLER_CONFIG
    (0x01740, 8, Address),  // TS SAMPLER_STATUS_BASE
    (0x01760, 24, Plain),   // TS SAMPLER_CLEAR_VALUE, SAMPLER_CLEAR_VALUE2, RT_CONFIG
    (0x017c0, 16, Address), // TS RT_STATUS_BASE, RT_SURFACE_BASE
    (0x01a00, 24, Plain),   // TS RT_CLEAR_VALUE, RT_CLEAR_VALUE2, RT_COLOR_AUTO_DISABLE_COUNT
    (0x01a80, 8, Address),  // TS SAMPLER_SURFACE_BASE
    (0x14800, 64, Address), // PE RT_ADDR_8_PIPE
    (0x14900, 15, Plain),   // PE RT_CONFIG_8, HALTI5_RT_COLORMASK
    (0x14940, 7, Plain),    // PE HALTI5_RT_ALPHA_OP
    (0x14960, 7, Plain),    // PE HALTI5_RT_ALPHA_CONFIG
    (0x14980, 7, Plain),    // PE HALTI5_RT_ALPHA_COLOR_EXT0
    (0x149a0, 7, Plain),    // PE HALTI5_RT_ALPHA_COLOR_EXT1
    (0x149c0, 8, Address),  // PE RT_ROBUSTNESS
];

/// Textures.
const TEXTURES: &[Range] = &[
    (0x02000, 12, Plain),    // TE SAMPLER_CONFIG0
    (0x02040, 12, Plain),    // TE SAMPLER_SIZE
    (0x02080, 12, Plain),    // TE SAMPLER_LOG_SIZE
    (0x020c0, 12, Plain),    // TE SAMPLER_LOD_CONFIG
    (0x02180, 12, Plain),    // TE SAMPLER_3D_CONFIG
    (0x021c0, 12, Plain),    // TE SAMPLER_CONFIG1
    (0x02280, 12, Plain),    // TE SAMPLER_ASTC0
    (0x02400, 224, Address), // TE SAMPLER_LOD_ADDR: a row of 16 for each of 14 levels
    (0x02c00, 224, Plain),   // TE SAMPLER_LINEAR_STRIDE, in the same order
    (0x10000, 128, Plain),   // NTE SAMPLER_CONFIG0, SIZE, LOG_SIZE, LOD_CONFIG
    (0x10280, 96, Plain),    // NTE SAMPLER_LINEAR_STRIDE, 3D_CONFIG, CONFIG1
    (0x10500, 160, Plain),   // NTE SAMPLER_ASTC0..3, BASELOD
    (0x10800, 512, Address), // NTE SAMPLER_ADDR: 16 levels for each of 32 samplers
    (0x14c40, 3, Plain),     // NTE DESCRIPTOR_CONTROL, DESCRIPTOR_FLUSH, DESCRIPTOR_INVALIDATE
    (0x15c00, 128, Address), // NTE DESCRIPTOR_ADDR
    (0x15e00, 128, Plain),   // NTE DESCRIPTOR_TX_CTRL
    (0x16c00, 640, Plain),   // NTE DESCRIPTOR_SAMP_CTRL0..ANISOTROPY
];

/// States of the whole pipe.
const GL: &[Range] = &[
    (0x0380c, 1, Plain), // FLUSH_CACHE
    // VERTEX_ELEMENT_CONFIG, MULTI_SAMPLE_CONFIG, VARYING_TOTAL_COMPONENTS, VARYING_NUM_COMPONENTS
    (0x03814, 4, Plain),
    (0x03824, 1, Address), // OCCLUSION_QUERY_ADDR
    // VARYING_COMPONENT_USE, OCCLUSION_QUERY_CONTROL, VARYING_NUM_COMPONENTS2,
    // VARYING_COMPONENT_USE2
    (0x03828, 5, Plain),
    (0x0384c, 1, Plain),  // API_MODE
    (0x03854, 1, Plain),  // VARYING_COMPONENT_USE3
    (0x03860, 1, Plain),  // BUG_FIXES
    (0x03888, 1, Plain),  // HALTI5_SH_SPECIALS
    (0x0389c, 1, Plain),  // SHADER_INDEX
    (0x038c0, 16, Plain), // HALTI5_SHADER_ATTRIBUTES
    (0x03c00, 1, Plain),  // STALL_TOKEN
    (0x3fffc, 1, Plain),  // DUMMY
];

/// The blit engine. Its fences (0x140a4..0x140ab, 0x140b4) are left out.
const BLT: &[Range] = &[
    (0x14000, 1, Address),  // SRC_ADDR
    (0x14008, 2, Plain),    // SRC_STRIDE, SRC_CONFIG
    (0x14010, 1, Address),  // SRC_TS
    (0x14014, 1, Plain),    // SRC_POS
    (0x14018, 1, Address),  // DEST_ADDR
    (0x14020, 1, Address),  // DEST_TS
    (0x14024, 20, Plain),   // DEST_STRIDE..YUV WINDOW_SIZE
    (0x14074, 1, Address),  // YUV SRC_YADDR
    (0x14078, 1, Plain),    // YUV SRC_YSTRIDE
    (0x1407c, 1, Address),  // YUV SRC_UADDR
    (0x14080, 1, Plain),    // YUV SRC_USTRIDE
    (0x14084, 1, Address),  // YUV SRC_VADDR
    (0x14088, 1, Plain),    // YUV SRC_VSTRIDE
    (0x1408c, 1, Address),  // YUV DEST_ADDR
    (0x14090, 1, Plain),    // YUV DEST_STRIDE
    (0x1409c, 2, Plain),    // UNK1409C, UNK140A0
    (0x140ac, 2, Plain),    // SET_COMMAND, MIPMAP_CONFIG
    (0x140b8, 2, Plain),    // ENABLE, SWIZZLE
    (0x140c0, 14, Address), // MIP_ADDR, SRC_END
    (0x14300, 13, Plain),   // MIP_STRIDE
    (0x14334, 1, Address),  // DEST_END
];

/// The 2D engine.
const DE: &[Range] = &[
    (0x01200, 1, Address), // SRC_ADDRESS
    (0x01204, 9, Plain),   // SRC_STRIDE..STRETCH_FACTOR_HIGH
    (0x01228, 1, Address), // DEST_ADDRESS
    (0x0122c, 3, Plain),   // DEST_STRIDE, DEST_ROTATION_CONFIG, DEST_CONFIG
    (0x01238, 1, Address), // PATTERN_ADDRESS
    (0x0123c, 7, Plain),   // PATTERN_CONFIG..PATTERN_FG_COLOR
    (0x0125c, 10, Plain),  // ROP..ALPHA_MODES
    (0x01284, 1, Address), // UPLANE_ADDRESS
    (0x01288, 1, Plain),   // UPLANE_STRIDE
    (0x0128c, 1, Address), // VPLANE_ADDRESS
    (0x01290, 29, Plain),  // VPLANE_STRIDE..SRC_EX_CONFIG
    (0x01304, 1, Address), // SRC_EX_ADDRESS
    (0x01308, 2, Plain),   // DE_MULTI_SOURCE, DEYUV_CONVERSION
    (0x01310, 1, Address), // DE_PLANE2_ADDRESS
    (0x01314, 1, Plain),   // DE_PLANE2_STRIDE
    (0x01318, 1, Address), // DE_PLANE3_ADDRESS
    (0x0131c, 2, Plain),   // DE_PLANE3_STRIDE, DE_STALL_DE
    (0x01328, 1, Plain),   // TILE_CONFIG
    (0x01800, 128, Plain), // FILTER_KERNEL
    (0x01c00, 256, Plain), // INDEX_COLOR_TABLE
    (0x02800, 256, Plain), // HORI_FILTER_KERNEL, VERTI_FILTER_KERNEL
    (0x03400, 256, Plain), // INDEX_COLOR_TABLE32
    (0x12800, 4, Address), // BLOCK4 SRC_ADDRESS
    (0x12810, 36, Plain),  // BLOCK4 SRC_STRIDE..ALPHA_MODES
    (0x128a0, 4, Address), // BLOCK4 ADDRESS_U
    (0x128b0, 4, Plain),   // BLOCK4 STRIDE_U
    (0x128c0, 4, Address), // BLOCK4 ADDRESS_V
    (0x128d0, 40, Plain),  // BLOCK4 STRIDE_V..SRC_EX_CONFIG
    (0x12970, 4, Address), // BLOCK4 SRC_EX_ADDRESS
    (0x12a00, 8, Address), // BLOCK8 SRC_ADDRESS
    (0x12a20, 72, Plain),  // BLOCK8 SRC_STRIDE..ALPHA_MODES
    (0x12b40, 8, Address), // BLOCK8 ADDRESS_U
    (0x12b60, 8, Plain),   // BLOCK8 STRIDE_U
    (0x12b80, 8, Address), // BLOCK8 ADDRESS_V
    (0x12ba0, 80, Plain),  // BLOCK8 STRIDE_V..SRC_EX_CONFIG
    (0x12ce0, 8, Address), // BLOCK8 SRC_EX_ADDRESS
];

/// All ranges that may be loaded.
const RANGES: [&[Range]; 7] = [FE, SHADERS, PIXELS, TEXTURES, GL, BLT, DE];

/// Ranges that a stream may never load, as byte addresses, the end exclusive. The ranges above are
/// checked against them at compile time.
const NEVER: [(u32, u32); 6] = [
    (0x00000, 0x00600), // HI, PM, MMU, MC, secure MMU
    (0x00640, 0x00644), // FE CMD_STREAM_BASE_ADDR
    (0x00654, 0x00674), // FE ring and debug registers
    (0x007dc, 0x007f8), // FE descriptors and fences of other rings
    (0x03800, 0x03808), // GL PIPE_SELECT, EVENT
    (0x03868, 0x03870), // GL FENCE_OUT
];

/// A set of states.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// Those that may be loaded.
    Allowed,
    /// Those that may be loaded and do not hold an address.
    NoAddress,
}

/// In entry i, bit s is set if state 32 i + s may be loaded, and bit 32 + s if, in addition, it
/// does not hold an address.
static TABLE: [u64; ENTRIES] = build();

/// The states of each set, 64 to an entry.
static ALLOWED: [u64; BITS] = bits(Set::Allowed);
static NO_ADDRESS: [u64; BITS] = bits(Set::NoAddress);

/// Entries of these.
const BITS: usize = ENTRIES / 2;

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "at compile time only"
)]
const fn bits(set: Set) -> [u64; BITS] {
    let halves = build();
    let mut bits = [0u64; BITS];
    let mut i = 0;
    while i < BITS {
        let low = (halves[2 * i] >> set.shift()) & 0xffff_ffff;
        let high = (halves[2 * i + 1] >> set.shift()) & 0xffff_ffff;
        bits[i] = low | high << 32;
        i += 1;
    }
    bits
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "at compile time only"
)]
const fn build() -> [u64; ENTRIES] {
    let mut table = [0u64; ENTRIES];
    let mut group = 0;
    while group < RANGES.len() {
        let mut i = 0;
        while i < RANGES[group].len() {
            let (address, states, state) = RANGES[group][i];
            assert!(address % 4 == 0 && states > 0 && address / 4 + states <= STATES);
            let mut s = address / 4;
            while s < address / 4 + states {
                let mut never = 0;
                while never < NEVER.len() {
                    assert!(s * 4 < NEVER[never].0 || s * 4 >= NEVER[never].1);
                    never += 1;
                }
                let entry = &mut table[(s / PER_ENTRY) as usize];
                let bit = 1u64 << (s % PER_ENTRY);
                assert!(*entry & bit == 0, "a state is listed twice");
                *entry |= bit;
                if !matches!(state, Address) {
                    *entry |= bit << PER_ENTRY;
                }
                s += 1;
            }
            i += 1;
        }
        group += 1;
    }
    table
}

impl Set {
    /// The position of the set's bits in an entry.
    #[inline(always)]
    const fn shift(self) -> u32 {
        match self {
            Set::Allowed => 0,
            Set::NoAddress => PER_ENTRY,
        }
    }

    /// Whether the state whose number is in the low 16 bits is in the set.
    #[inline(always)]
    pub(crate) fn has(self, state: u32) -> bool {
        let states = match self {
            Set::Allowed => &ALLOWED,
            Set::NoAddress => &NO_ADDRESS,
        };
        let index = usize::try_from((state >> 6) & 0x3ff).unwrap_or(BITS);
        let entry = states.get(index).copied().unwrap_or(0);
        // OVERFLOW: none: the shift is the low 6 bits.
        entry.wrapping_shr(state) & 1 != 0
    }

    /// The mask of those of the 32 states from `state` on that are in the set. States above the
    /// last one are not.
    #[inline(always)]
    pub(crate) fn window(self, state: u32) -> u32 {
        let index = usize::try_from(state >> 5).unwrap_or(ENTRIES);
        let half = |at: usize| {
            TABLE
                .get(at)
                .map_or(0, |entry| (entry >> self.shift()) & 0xffff_ffff)
        };
        // OVERFLOW: none, for the index is at most 2^27.
        let both = half(index) | (half(index.wrapping_add(1)) << 32);
        // OVERFLOW: none, for the shift is below 32.
        u32::try_from(both.wrapping_shr(state & 31) & 0xffff_ffff).unwrap_or(0)
    }
}

/// Whether a relocation may go to `state`, a state that may be loaded.
pub(crate) fn takes_relocation(state: u32) -> bool {
    // OVERFLOW: wraps for a state below the range, to a number above its length.
    let either = |&(address, states, what): &Range| {
        // OVERFLOW: as above.
        what == Either && state.wrapping_sub(address >> 2) < states
    };
    !Set::NoAddress.has(state) || SHADERS.iter().any(either)
}
