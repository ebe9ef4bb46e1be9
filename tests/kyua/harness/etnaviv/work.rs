// SPDX-License-Identifier: BSD-2-Clause
//! Submits under construction: commands, and the buffers, relocations and counter requests that go
//! with them.
//!
//! The one thing to know: [`Work::address`] puts an address where it belongs in either way, as a
//! word when addresses are the client's and as a relocation when they are the kernel's.
//!
//! HW: rnndb cmdstream.xml; the fills are a BLT clear as Mesa makes it (etnaviv_blt.c), an RS clear
//! (etnaviv_rs.c) and the rectangles of libdrm's etnaviv_2d_test.c.

use super::boards::{Board, Core, Engine};
use super::client::Bo;
use uapi::etnaviv::*;

/// Words that [`Work::fill`] fills.
pub const FILL_WORDS: usize = 128;
/// Bytes of a buffer that [`Work::slow`] is done on.
pub const SLOW_BYTES: u64 = 4 << 20;
/// Bytes that [`Work::fill_long`] fills.
pub const LONG_BYTES: u64 = 1 << 20;
/// Fills of [`SLOW_BYTES`] that make work slow: about a millisecond each, and more where a
/// processor does what a model does.
const SLOW_FILLS: u32 = 24;

/// Recipients of semaphores.
const FE: u32 = 1;
const PE: u32 = 7;
const BLT: u32 = 16;
const STALL: u32 = 0x4800_0000;
const DRAW_2D_ONE: u32 = 0x2000_0100;

const NOP: [u32; 2] = [0x1800_0000, 0];

/// A submit.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// Number of the core.
    pub pipe: u32,
    /// State that it is executed in.
    pub exec_state: u32,
    /// `SUBMIT_` bits.
    pub flags: u32,
    /// The fence to wait for.
    pub fence_fd: i32,
    /// The commands.
    pub stream: Vec<u32>,
    /// The buffers.
    pub bos: Vec<SubmitBo>,
    /// The relocations.
    pub relocs: Vec<SubmitReloc>,
    /// The counter requests.
    pub pmrs: Vec<SubmitPmr>,
    engine: Option<Engine>,
}

/// LOAD_STATE of one state at a byte address.
pub fn state(address: u32, value: u32) -> [u32; 2] {
    [0x0801_0000 | (address / 4), value]
}

/// A picture of four bytes a pixel, without gaps between its rows.
#[derive(Clone, Copy)]
struct Area {
    width: u32,
    height: u32,
}

impl Work {
    /// No commands for a core of a board.
    pub fn new(board: &Board, core: &Core) -> Work {
        Work {
            pipe: core.pipe,
            exec_state: core.exec_state,
            flags: if board.softpin { SUBMIT_SOFTPIN } else { 0 },
            fence_fd: -1,
            engine: Some(core.engine),
            ..Work::default()
        }
    }

    /// Appends words as they are.
    pub fn words(mut self, words: &[u32]) -> Work {
        self.stream.extend_from_slice(words);
        self
    }

    /// Appends a NOP.
    pub fn nop(self) -> Work {
        self.words(&NOP)
    }

    /// Appends the load of a state.
    pub fn state(self, address: u32, value: u32) -> Work {
        self.words(&state(address, value))
    }

    fn states(self, states: &[(u32, u32)]) -> Work {
        states
            .iter()
            .fold(self, |work, (address, value)| work.state(*address, *value))
    }

    /// Appends the load of a state with the address of a byte in a buffer, which is named when it
    /// is not yet.
    pub fn address(self, address: u32, bo: &Bo<'_>, offset: u32) -> Work {
        let mut work = self.state(address, bo.va.wrapping_add(offset)).names(bo);
        if work.flags & SUBMIT_SOFTPIN == 0 {
            let idx = work.bos.iter().position(|named| named.handle == bo.handle);
            work.relocs.push(SubmitReloc {
                submit_offset: (work.stream.len() as u32 - 1) * 4,
                reloc_idx: idx.map_or(u32::MAX, |idx| idx as u32),
                reloc_offset: u64::from(offset),
                ..SubmitReloc::default()
            });
        }
        work
    }

    /// Names a buffer, for reading and writing, when it is not yet named.
    pub fn names(self, bo: &Bo<'_>) -> Work {
        self.names_for(bo, SUBMIT_BO_READ | SUBMIT_BO_WRITE)
    }

    /// Names a buffer when it is not yet named.
    pub fn names_for(mut self, bo: &Bo<'_>, flags: u32) -> Work {
        if self.bos.iter().all(|named| named.handle != bo.handle) {
            let softpin = self.flags & SUBMIT_SOFTPIN != 0;
            self.bos.push(SubmitBo {
                flags,
                handle: bo.handle,
                presumed: if softpin { u64::from(bo.va) } else { 0 },
            });
        }
        self
    }

    /// Appends what fills [`FILL_WORDS`] words of a buffer. The offset is a multiple of 512.
    pub fn fill(self, bo: &Bo<'_>, offset: u32, value: u32) -> Work {
        let area = Area {
            width: 16,
            height: 8,
        };
        self.fill_area(bo, offset, area, value)
    }

    /// Appends a fill of the first [`LONG_BYTES`] of a buffer, which takes a quarter of a
    /// millisecond on a model.
    pub fn fill_long(self, bo: &Bo<'_>, value: u32) -> Work {
        let area = Area {
            width: 1024,
            height: 256,
        };
        self.fill_area(bo, 0, area, value)
    }

    fn fill_area(self, bo: &Bo<'_>, offset: u32, area: Area, value: u32) -> Work {
        match self.engine {
            None => self,
            Some(Engine::Blt) => self.blt_clear(bo, offset, area, value),
            Some(Engine::Rs) => self.rs_clear(bo, offset, area, value),
            Some(Engine::De) => self.de_clear(bo, offset, area, value),
        }
    }

    fn blt_clear(self, bo: &Bo<'_>, offset: u32, area: Area, value: u32) -> Work {
        // Four bytes a pixel; linear, format A8R8G8B8; no tile status.
        self.states(&[
            (0x140b8, 1),
            (0x14064, 0x180),
            (0x14024, 6 << 21 | (area.width * 4)),
            (0x14028, 0x0041_c800),
        ])
        .address(0x14018, bo, offset)
        .states(&[
            (0x1402c, 0),
            (0x14030, area.height << 16 | area.width),
            (0x14044, value),
            (0x14048, value),
            (0x1404c, u32::MAX),
            (0x14050, u32::MAX),
            (0x140ac, 3),
            (0x14060, 1),
            (0x140ac, 3),
            (0x140b8, 0),
        ])
    }

    fn rs_clear(self, bo: &Bo<'_>, offset: u32, area: Area, value: u32) -> Work {
        // A8R8G8B8 to tiled A8R8G8B8; the stride is that of a row of tiles. Each pixel pipe does
        // one half.
        let half = area.height / 2;
        self.states(&[
            (0x1604, 6 | 6 << 8 | 1 << 14),
            (0x160c, 0),
            (0x1614, area.width * 16),
        ])
        .address(0x16e0, bo, offset)
        .address(0x16e4, bo, offset)
        .states(&[
            (0x1700, 0),
            (0x1704, half << 16),
            (0x1620, half << 16 | area.width),
            (0x163c, 1 << 16 | 0xffff),
            (0x1640, value),
            (0x1644, value),
            (0x1648, value),
            (0x164c, value),
            (0x1600, 0xbeeb_beeb),
        ])
    }

    fn de_clear(self, bo: &Bo<'_>, offset: u32, area: Area, value: u32) -> Work {
        let corner = area.height << 16 | area.width;
        // A8R8G8B8, command "clear"; ROP copy; clipped to the picture.
        self.address(0x1228, bo, offset)
            .states(&[
                (0x122c, area.width * 4),
                (0x1230, 0),
                (0x1234, 6 | 1 << 25),
                (0x125c, 0x0030_cccc),
                (0x1260, 0),
                (0x1264, corner),
                (0x12c0, value),
            ])
            .words(&[DRAW_2D_ONE, 0, 0, corner])
    }

    /// Appends what copies [`FILL_WORDS`] words; both offsets are multiples of 512. 3D cores only:
    /// the models' 2D engine draws nothing but plain rectangles.
    pub fn copy(self, from: (&Bo<'_>, u32), to: (&Bo<'_>, u32)) -> Work {
        let bytes = FILL_WORDS as u32 * 4;
        match self.engine {
            Some(Engine::Blt) => self
                .state(0x140b8, 1)
                .address(0x14000, from.0, from.1)
                .address(0x14018, to.0, to.1)
                .states(&[
                    (0x14054, bytes),
                    (0x140ac, 3),
                    (0x14060, 3),
                    (0x140ac, 3),
                    (0x140b8, 0),
                ]),
            // Tiled to tiled, 16 x 8 pixels, four rows for each pipe.
            Some(Engine::Rs) => self
                .states(&[
                    (0x1604, 6 | 1 << 7 | 6 << 8 | 1 << 14),
                    (0x160c, 256),
                    (0x1614, 256),
                ])
                .address(0x16c0, from.0, from.1)
                .address(0x16c4, from.0, from.1)
                .address(0x16e0, to.0, to.1)
                .address(0x16e4, to.0, to.1)
                .states(&[
                    (0x1700, 0),
                    (0x1704, 4 << 16),
                    (0x1620, 4 << 16 | 16),
                    (0x163c, 0),
                    (0x1600, 0xbeeb_beeb),
                ]),
            _ => panic!("a copy with {:?}", self.engine),
        }
    }

    /// Appends a wait of the front end for what has been started.
    pub fn sync(self) -> Work {
        let to = match self.engine {
            Some(Engine::Blt) => BLT,
            _ => PE,
        };
        let token = FE | to << 8;
        let (enable, disable) = match to {
            BLT => (&[(0x140b8, 1)][..], &[(0x140b8, 0)][..]),
            _ => (&[][..], &[][..]),
        };
        self.states(enable)
            .state(0x3808, token)
            .words(&[STALL, token])
            .states(disable)
    }

    /// Appends work that takes tens of milliseconds: fills a buffer of [`SLOW_BYTES`] again and
    /// again, with `value` at last.
    pub fn slow(self, bo: &Bo<'_>, value: u32) -> Work {
        let area = Area {
            width: 1024,
            height: 1024,
        };
        (0..SLOW_FILLS).rev().fold(self, |work, left| {
            work.fill_area(bo, 0, area, value.wrapping_add(left)).sync()
        })
    }

    /// Appends a wait for what never comes: a stall without its semaphore.
    pub fn hang(self) -> Work {
        self.words(&[STALL, FE | PE << 8])
    }

    /// Appends the request to sample a counter into a word of a buffer, which is named when it is
    /// not yet.
    pub fn counter(self, bo: &Bo<'_>, mut request: SubmitPmr) -> Work {
        let mut work = self.names(bo);
        let idx = work.bos.iter().position(|named| named.handle == bo.handle);
        request.read_idx = idx.map_or(u32::MAX, |idx| idx as u32);
        work.pmrs.push(request);
        work
    }

    /// More `SUBMIT_` bits.
    pub fn flags(mut self, flags: u32) -> Work {
        self.flags |= flags;
        self
    }

    /// The ioctl's argument; it points into `self`, which has to live as long as the argument is
    /// used.
    pub fn argument(&self) -> GemSubmit {
        GemSubmit {
            fence: 0,
            pipe: self.pipe,
            exec_state: self.exec_state,
            nr_bos: self.bos.len() as u32,
            nr_relocs: self.relocs.len() as u32,
            stream_size: self.stream.len() as u32 * 4,
            bos: self.bos.as_ptr() as u64,
            relocs: self.relocs.as_ptr() as u64,
            stream: self.stream.as_ptr() as u64,
            flags: self.flags,
            fence_fd: self.fence_fd,
            pmrs: self.pmrs.as_ptr() as u64,
            nr_pmrs: self.pmrs.len() as u32,
            pad: 0,
        }
    }
}
