// SPDX-License-Identifier: BSD-2-Clause
//! The identity of a core: model, revision, features and sizes. [`identify`](crate::identify) reads
//! it from registers.

use crate::features::{Features, Words};

/// The identifiers of a core.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ids {
    /// "0x7000" for a GC7000; 0 if there is no core.
    pub model: u32,
    /// Revision.
    pub revision: u32,
    /// Product.
    pub product_id: u32,
    /// Customer.
    pub customer_id: u32,
    /// Engineering change order.
    pub eco_id: u32,
}

/// The sizes of a core's units, as they are reported to clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Specs {
    /// Vertex streams.
    pub stream_count: u32,
    /// Temporary registers of a shader.
    pub register_max: u32,
    /// Threads.
    pub thread_count: u32,
    /// Entries of the vertex cache.
    pub vertex_cache_size: u32,
    /// Shader cores.
    pub shader_core_count: u32,
    /// Pixel pipes.
    pub pixel_pipes: u32,
    /// Entries of the output buffer of the vertex shader.
    pub vertex_output_buffer_size: u32,
    /// Size of a buffer that is not documented.
    pub buffer_size: u32,
    /// Instructions of a shader.
    pub instruction_count: u32,
    /// Constants of a shader.
    pub num_constants: u32,
    /// Varyings.
    pub num_varyings: u32,
}

/// A core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its identifiers.
    pub ids: Ids,
    /// Its feature words, for clients.
    pub words: Words,
    /// Its features, for the driver.
    pub features: Features,
    /// Its sizes.
    pub specs: Specs,
}

/// Why a core is not supported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unsupported {
    /// There is no core, or it is fused off.
    Absent,
    /// It is for vector graphics, and has other commands.
    VectorGraphics,
}

/// Whether a core has secure registers, and which software uses them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// It has none.
    None,
    /// The kernel uses them for the MMU.
    Kernel,
}

/// The lowest GPU address of clients with MMUv2.
const SOFTPIN_START: u64 = 0x40_0000;

impl Identity {
    /// Whether the core has secure registers, and which software uses them.
    pub fn security(&self) -> Security {
        match self
            .features
            .contains(Features::BIT_SECURITY.union(Features::SECURITY_AHB))
        {
            true => Security::Kernel,
            false => Security::None,
        }
    }

    /// Removes the features by which clients use tile status.
    pub fn forbid_fast_clear(&mut self) {
        let [major, ..] = &mut self.words;
        *major &= !1;
        self.features.remove(Features::FAST_CLEAR);
    }

    /// The value that GET_PARAM returns for parameter `nr`; `None` if there is no such parameter.
    pub fn param(&self, nr: u32) -> Option<u64> {
        if nr == 0x1b {
            // All ones if the kernel assigns addresses.
            let pinned = self.features.contains(Features::MMU_V2);
            return Some(if pinned { SOFTPIN_START } else { u64::MAX });
        }
        let (ids, specs) = (&self.ids, &self.specs);
        let value = match nr {
            0x01 => ids.model,
            0x02 => ids.revision,
            0x03..=0x0f => *self.words.get(usize::try_from(nr.checked_sub(3)?).ok()?)?,
            0x10 => specs.stream_count,
            0x11 => specs.register_max,
            0x12 => specs.thread_count,
            0x13 => specs.vertex_cache_size,
            0x14 => specs.shader_core_count,
            0x15 => specs.pixel_pipes,
            0x16 => specs.vertex_output_buffer_size,
            0x17 => specs.buffer_size,
            0x18 => specs.instruction_count,
            0x19 => specs.num_constants,
            0x1a => specs.num_varyings,
            0x1c => ids.product_id,
            0x1d => ids.customer_id,
            0x1e => ids.eco_id,
            _ => return None,
        };
        Some(u64::from(value))
    }
}
