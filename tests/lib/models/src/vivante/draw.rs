// SPDX-License-Identifier: BSD-2-Clause
//! Draws: nothing is rasterised; every address that a draw uses is translated by the MMU, for the
//! kind of access that the hardware makes.
//!
//! HW: etnaviv.md 3 (which states are addresses), Mesa etnaviv_emit.c and etnaviv_texture_desc.c
//! (which of them a draw uses), state_3d.xml.h, texdesc_3d.xml.h.

use super::mem::Mem;
use super::mmu::{Client, Stop};
use super::regs::{d3, fe};
use super::states::States;
use super::variant::Identity;
use std::collections::BTreeSet;

/// The draw command, decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Command {
    /// PRIMITIVE_TYPE.
    pub(crate) kind: u32,
    pub(crate) start: u32,
    /// Vertices, or indices if indexed.
    pub(crate) vertices: u32,
    pub(crate) instances: u32,
    pub(crate) indexed: bool,
    /// Address of the arguments of DRAW_INDIRECT.
    pub(crate) indirect: Option<u32>,
}

/// Number of vertices of `count` primitives, for commands that count primitives.
pub(crate) fn vertices_of(kind: u32, count: u32) -> u32 {
    match kind {
        2 => count.saturating_mul(2),
        3 => count.saturating_add(1),
        4 => count.saturating_mul(3),
        5 | 6 => count.saturating_add(2),
        8 => count.saturating_mul(4),
        _ => count,
    }
}

fn primitives_of(kind: u32, vertices: u32) -> u32 {
    match kind {
        2 => vertices / 2,
        3 => vertices.saturating_sub(1),
        4 => vertices / 3,
        5 | 6 => vertices.saturating_sub(2),
        8 => vertices / 4,
        _ => vertices,
    }
}

#[derive(Clone, Copy, Debug)]
struct Touch {
    client: Client,
    va: u32,
    len: u32,
    write: bool,
}

/// One draw with all its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) command: Command,
    touches: Vec<Touch>,
    /// Texture descriptors to follow (HALTI5).
    descriptors: BTreeSet<u32>,
    null: bool,
}

impl Op {
    pub(crate) fn primitives(&self) -> u32 {
        primitives_of(self.command.kind, self.command.vertices)
    }

    /// The draw that the states describe.
    pub(crate) fn decode(states: &States, identity: &Identity, command: Command) -> Op {
        let mut op = Op {
            command,
            touches: Vec::new(),
            descriptors: BTreeSet::new(),
            null: false,
        };
        if let Some(va) = command.indirect {
            op.touch(Client::Fe, va, 20, false);
        }
        if command.indexed {
            let size = 1 << (states.get(fe::INDEX_STREAM_CONTROL) & 3).min(2);
            let base = states.get(fe::INDEX_STREAM_BASE_ADDR);
            let first = base.wrapping_add(command.start.wrapping_mul(size));
            op.touch(
                Client::Fe,
                first,
                command.vertices.saturating_mul(size),
                false,
            );
        }
        op.streams(states, identity);
        op.shaders(states, identity);
        op.targets(states, identity);
        op.textures(states, identity);
        op
    }

    fn touch(&mut self, client: Client, va: u32, len: u32, write: bool) {
        if va == 0 {
            self.null = true;
            return;
        }
        self.touches.push(Touch {
            client,
            va,
            len,
            write,
        });
    }

    /// Adds the vertex streams that an enabled attribute names.
    fn streams(&mut self, states: &States, identity: &Identity) {
        let attributes = states.get(d3::VS_INPUT_COUNT) & 0x1f;
        // HW: Mesa etnaviv_emit.c: streams from HALTI2 on, attributes from HALTI5 on.
        let (element, base, control) = if identity.has_nfe_streams() {
            (
                if identity.halti5 {
                    fe::NFE_GENERIC_ATTRIB_CONFIG0
                } else {
                    fe::VERTEX_ELEMENT_CONFIG
                },
                fe::NFE_VERTEX_STREAMS_BASE_ADDR,
                fe::NFE_VERTEX_STREAMS_CONTROL,
            )
        } else if states.get(fe::VERTEX_STREAMS_BASE_ADDR) != 0 {
            (
                fe::VERTEX_ELEMENT_CONFIG,
                fe::VERTEX_STREAMS_BASE_ADDR,
                fe::VERTEX_STREAMS_CONTROL,
            )
        } else {
            (
                fe::VERTEX_ELEMENT_CONFIG,
                fe::VERTEX_STREAM_BASE_ADDR,
                fe::VERTEX_STREAM_CONTROL,
            )
        };
        let streams: BTreeSet<u32> = (0..attributes)
            .map(|n| states.nth(element, n) >> 8 & 7)
            .collect();
        for stream in streams {
            let va = states.nth(base, stream);
            let stride = states.nth(control, stream) & 0xff;
            let divisor = if identity.has_nfe_streams() {
                states.nth(fe::NFE_VERTEX_STREAMS_VERTEX_DIVISOR, stream)
            } else {
                states.nth(control, stream) >> 16 & 0xff
            };
            // Indices and divisors decide how much of the stream such a draw reads; it reads at
            // least the first vertex.
            let command = &self.command;
            let (first, count) = if command.indexed || command.indirect.is_some() || divisor != 0 {
                (0, 1)
            } else {
                (command.start, command.vertices)
            };
            let at = va.wrapping_add(first.wrapping_mul(stride));
            let at = if va == 0 { 0 } else { at };
            let len = count
                .saturating_sub(1)
                .saturating_mul(stride)
                .saturating_add(1);
            self.touch(Client::Fe, at, len, false);
        }
    }

    /// Adds shader code in memory. HW: Mesa etnaviv_emit.c: HALTI5 always; older cores if the
    /// instruction cache is on, otherwise the code is in states, which need no memory access.
    fn shaders(&mut self, states: &States, identity: &Identity) {
        if !identity.halti5 {
            if states.get(d3::VS_ICACHE_CONTROL) & 1 != 0 {
                for (addr, range) in [
                    (d3::VS_INST_ADDR, d3::VS_RANGE),
                    (d3::PS_INST_ADDR, d3::PS_RANGE),
                ] {
                    let (va, range) = (states.get(addr), states.get(range));
                    let (low, high) = (range & 0xffff, range >> 16);
                    let at = if va == 0 {
                        0
                    } else {
                        va.wrapping_add(low * 16)
                    };
                    self.touch(Client::Ra, at, (high.saturating_sub(low) + 1) * 16, false);
                }
            }
            return;
        }
        for (addr, low, high) in [
            (d3::VS_INST_ADDR, d3::VS_NEWRANGE_LOW, d3::VS_NEWRANGE_HIGH),
            (d3::PS_INST_ADDR, d3::PS_NEWRANGE_LOW, d3::PS_NEWRANGE_HIGH),
        ] {
            let count = states
                .get(high)
                .saturating_sub(states.get(low))
                .min(0x1_0000);
            let va = states.get(addr);
            let first = states.get(low).wrapping_mul(16);
            let at = if va == 0 { 0 } else { va.wrapping_add(first) };
            self.touch(Client::Ra, at, count * 16, false);
        }
    }

    /// Adds colour, depth and tile status targets.
    fn targets(&mut self, states: &States, identity: &Identity) {
        let pipes = identity.pixel_pipes;
        let addresses = |pipe: u32, plain: u32| -> BTreeSet<u32> {
            if pipes > 1 {
                states.pair(pipe).into()
            } else {
                [states.get(plain)].into()
            }
        };
        let edge = |state: u32| f32::from_bits(states.get(state)).clamp(0.0, 16384.0) as u32;
        let stride = states.get(d3::PE_COLOR_STRIDE) & 0x3_ffff;
        let format = states.get(d3::PE_COLOR_FORMAT);
        if format >> 8 & 0xf != 0 && edge(d3::SE_SCISSOR_RIGHT) != 0 {
            let images = addresses(d3::PE_PIPE_COLOR_ADDR, d3::PE_COLOR_ADDR);
            // Only whole super-tile rows are certain to be inside the buffer; a split image has
            // half of them at each address.
            let rows = (edge(d3::SE_SCISSOR_BOTTOM) / images.len() as u32) & !63;
            for va in images {
                self.touch(Client::Pe, va, rows.saturating_mul(stride), true);
            }
        }
        let depth = states.get(d3::PE_DEPTH_CONFIG);
        if depth & 3 != 0 {
            for va in addresses(d3::PE_PIPE_DEPTH_ADDR, d3::PE_DEPTH_ADDR) {
                self.touch(Client::Pez, va, 4, depth & d3::PE_DEPTH_WRITE_ENABLE != 0);
            }
        }
        if states.get(d3::PE_HDEPTH_CONTROL) & 0xf != 0 {
            self.touch(Client::Pez, states.get(d3::PE_HDEPTH_ADDR), 4, true);
        }
        let ts = states.get(d3::TS_MEM_CONFIG);
        if ts & d3::TS_COLOR_FAST_CLEAR != 0 {
            self.touch(Client::Pe, states.get(d3::TS_COLOR_STATUS_BASE), 4, true);
            self.touch(Client::Pe, states.get(d3::TS_COLOR_SURFACE_BASE), 4, false);
        }
        if ts & d3::TS_DEPTH_FAST_CLEAR != 0 {
            self.touch(Client::Pez, states.get(d3::TS_DEPTH_STATUS_BASE), 4, true);
        }
    }

    fn textures(&mut self, states: &States, identity: &Identity) {
        if identity.halti5 {
            let all = (0..32).map(|n| states.nth(d3::NTE_DESCRIPTOR_ADDR, n));
            self.descriptors = all.filter(|va| *va != 0).collect();
            return;
        }
        // HW: TE_SAMPLER is an array of 12 samplers; the addresses of the first level of all
        // samplers come first.
        let (samplers, config, address, row) = if identity.has_nte() {
            (32, d3::NTE_SAMPLER_CONFIG0, d3::NTE_SAMPLER_ADDR, 16)
        } else {
            (12, d3::TE_SAMPLER_CONFIG0, d3::TE_SAMPLER_LOD_ADDR, 1)
        };
        for n in (0..samplers).filter(|n| states.nth(config, *n) & 7 != 0) {
            self.touch(Client::Tx, states.nth(address, n * row), 4, false);
            // HW: TS_SAMPLER has eight entries.
            if n < 8 && states.nth(d3::TS_SAMPLER_CONFIG, n) & d3::TS_SAMPLER_ENABLE != 0 {
                self.touch(
                    Client::Tx,
                    states.nth(d3::TS_SAMPLER_STATUS_BASE, n),
                    4,
                    false,
                );
            }
        }
    }

    /// Makes the accesses.
    pub(crate) fn run(&self, mem: &mut Mem) -> Result<(), Stop> {
        mem.stats.draws += 1;
        if self.null {
            mem.stats
                .decode("null pointer in a draw", self.command.kind);
        }
        if let Some(va) = self.command.indirect {
            for n in 0..5 {
                mem.word(Client::Fe, va.wrapping_add(n * 4))?;
            }
        }
        for touch in &self.touches {
            mem.stats.draw_addresses += 1;
            mem.check(touch.client, touch.va, touch.len, touch.write)?;
        }
        for va in &self.descriptors {
            mem.stats.draw_addresses += 1;
            let config0 = mem.word(Client::Tx, va.wrapping_add(0x40))?;
            if config0 & 7 == 0 {
                continue;
            }
            // HW: TEXDESC_BASELOD: base level in bits 3:0, last level in bits 11:8.
            let lods = mem.word(Client::Tx, va.wrapping_add(0x68))?;
            for lod in lods & 0xf..=(lods >> 8 & 0xf).min(13) {
                let at = mem.word(Client::Tx, va.wrapping_add(lod * 4))?;
                mem.stats.draw_addresses += 1;
                mem.check(Client::Tx, at, 4, false)?;
            }
        }
        Ok(())
    }
}
