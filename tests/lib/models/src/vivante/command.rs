// SPDX-License-Identifier: BSD-2-Clause
//! Lengths of commands, and which of them have effects outside the front end.

use super::regs::{blt, d3, gl, mmu, rs};

/// Opcodes, bits 31:27 of the header.
pub(crate) mod op {
    pub(crate) const LOAD_STATE: u32 = 1;
    pub(crate) const END: u32 = 2;
    pub(crate) const NOP: u32 = 3;
    pub(crate) const DRAW_2D: u32 = 4;
    pub(crate) const DRAW_PRIMITIVES: u32 = 5;
    pub(crate) const DRAW_INDEXED: u32 = 6;
    pub(crate) const WAIT: u32 = 7;
    pub(crate) const LINK: u32 = 8;
    pub(crate) const STALL: u32 = 9;
    pub(crate) const CALL: u32 = 10;
    pub(crate) const RETURN: u32 = 11;
    pub(crate) const DRAW_INSTANCED: u32 = 12;
    pub(crate) const CHIP_SELECT: u32 = 13;
    pub(crate) const WAIT_FENCE: u32 = 15;
    pub(crate) const DRAW_INDIRECT: u32 = 16;
    pub(crate) const SNAP_PAGES: u32 = 19;
}

/// Words of the command, padding to 64 bits not included; `None` if the opcode is unknown.
pub(crate) fn words(header: u32) -> Option<usize> {
    Some(match header >> 27 {
        // A count of 0 means 1024.
        op::LOAD_STATE => match header >> 16 & 0x3ff {
            0 => 1025,
            count => 1 + count as usize,
        },
        op::END | op::NOP | op::WAIT | op::RETURN | op::CHIP_SELECT | op::SNAP_PAGES => 1,
        // A count of 0 means 256; the data words of bits 26:16 follow the rectangles.
        op::DRAW_2D => 2 + 2 * rectangles(header) + (header >> 16 & 0x7ff) as usize,
        op::DRAW_PRIMITIVES | op::CALL | op::DRAW_INSTANCED => 4,
        op::DRAW_INDEXED => 5,
        op::LINK | op::STALL | op::WAIT_FENCE | op::DRAW_INDIRECT => 2,
        _ => return None,
    })
}

/// Rectangles of a DRAW_2D.
pub(crate) fn rectangles(header: u32) -> usize {
    match header >> 8 & 0xff {
        0 => 256,
        count => count as usize,
    }
}

/// States with an effect besides storing the value, ascending.
pub(crate) const ACTIONS: [u32; 17] = [
    mmu::SAFE_ADDRESS,
    mmu::CONFIGURATION,
    mmu::PTA_CONFIG,
    rs::KICKER,
    d3::TS_FLUSH_CACHE,
    rs::KICKER_INPLACE,
    gl::PIPE_SELECT,
    gl::EVENT,
    gl::SEMAPHORE_TOKEN,
    gl::FLUSH_CACHE,
    gl::FLUSH_MMU,
    gl::OCCLUSION_QUERY_CONTROL,
    gl::FENCE_OUT_DATA_LOW,
    gl::STALL_TOKEN,
    blt::COMMAND,
    blt::FENCE_OUT_DATA_LOW,
    blt::SET_COMMAND,
];

/// Whether the command has an effect that is visible outside the front end.
pub(crate) fn acts(header: u32) -> bool {
    match header >> 27 {
        op::NOP | op::CHIP_SELECT | op::SNAP_PAGES => false,
        op::LOAD_STATE => {
            let first = (header & 0xffff) * 4;
            let last = first + (words(header).unwrap_or(2) as u32 - 2) * 4;
            ACTIONS.iter().any(|a| (first..=last).contains(a))
        }
        _ => true,
    }
}
