// SPDX-License-Identifier: BSD-2-Clause
//! Execution of one hardware job: its context, and the dispatch by job type.
//!
//! HW: Mesa genxml "Job Type" and the job aggregates of v4.xml, v5.xml, v7.xml.

use super::draw::{self, Stage};
use super::fragment::{self, Frame};
use super::framebuffer::Reload;
use super::mem::{pair, pointer, Kind, Mem, Stop};
use super::regs::exception as ex;
use super::tiler;
use super::variant::Arch;
use std::collections::{BTreeMap, BTreeSet};

/// Reload draws, by address space and framebuffer descriptor address.
pub(crate) type Reloads = BTreeMap<(usize, u64), Reload>;

/// Context of one job.
pub(crate) struct Exec<'a> {
    pub(crate) mem: Mem<'a>,
    pub(crate) arch: Arch,
    pub(crate) address_space: usize,
    pub(crate) cycles: u64,
    pub(crate) timestamp: u64,
    pub(crate) reloads: &'a mut Reloads,
    pub(crate) frame: &'a mut Option<Frame>,
    pub(crate) capture: bool,
    /// Words that earlier compute jobs of the chain received as push uniforms. Some are addresses
    /// of memory that their shaders write; the model does not run shaders.
    pub(crate) pushed: BTreeSet<u64>,
}

impl Exec<'_> {
    /// The first address of a table `from .. end` that a compute job received, or `end`. The
    /// contents from that address on are written by a shader, so the model does not know them.
    pub(crate) fn known_until(&self, from: u64, end: u64) -> u64 {
        let first = self.pushed.range(from..end.max(from)).next();
        first.copied().unwrap_or(end)
    }
}

/// Job types. HW: Mesa genxml "Job Type".
pub(crate) mod job_type {
    pub(crate) const NULL: u32 = 1;
    pub(crate) const WRITE_VALUE: u32 = 2;
    pub(crate) const CACHE_FLUSH: u32 = 3;
    pub(crate) const COMPUTE: u32 = 4;
    pub(crate) const VERTEX: u32 = 5;
    pub(crate) const GEOMETRY: u32 = 6;
    pub(crate) const TILER: u32 = 7;
    pub(crate) const FUSED: u32 = 8;
    pub(crate) const FRAGMENT: u32 = 9;
    pub(crate) const INDEXED_VERTEX: u32 = 10;
}

/// Runs the job of type `kind` whose header is at `va`. May be called again for the same job
/// after a fault.
pub(crate) fn run(exec: &mut Exec, kind: u32, va: u64) -> Result<(), Stop> {
    match kind {
        job_type::NULL => Ok(()),
        job_type::WRITE_VALUE => write_value(exec, va),
        job_type::CACHE_FLUSH => {
            exec.mem.probe(va + 32, 8, Kind::Read)?;
            exec.mem.stats.cache_flushes += 1;
            Ok(())
        }
        job_type::COMPUTE | job_type::VERTEX | job_type::GEOMETRY => {
            exec.mem.probe(va + 32, 32, Kind::Read)?;
            let stage = if kind == job_type::COMPUTE {
                Stage::Compute
            } else {
                Stage::Vertex
            };
            draw::check(exec, va + 64, stage).map(|_| ())
        }
        job_type::TILER => tiler::run(exec, va),
        job_type::INDEXED_VERTEX => tiler::run_indexed(exec, va),
        job_type::FRAGMENT => fragment::run(exec, va),
        // No public source has the layout of a fused job.
        job_type::FUSED => {
            let words: [u32; 5] = exec.mem.words(va)?;
            exec.mem.stats.decode("fused job", words[4]);
            exec.mem.probe(va + 32, 160, Kind::Read)
        }
        _ => Err(Stop::Exception {
            code: ex::JOB_CONFIG_FAULT,
            va,
        }),
    }
}

/// HW: Mesa genxml "Write Value Job Payload" and "Write Value Type"; immediates from v6 on.
fn write_value(exec: &mut Exec, va: u64) -> Result<(), Stop> {
    let words: [u32; 6] = exec.mem.words(va + 32)?;
    let at = pointer(&words, 0);
    let (value, len) = match (words[2], exec.arch) {
        (1, _) => (exec.cycles, 8),
        (2, _) => (exec.timestamp, 8),
        (3, _) => (0, 8),
        (kind @ 4..=7, Arch::V7) => (pair(&words, 4), 1 << (kind - 4)),
        _ => {
            return Err(Stop::Exception {
                code: ex::DATA_INVALID_FAULT,
                va,
            })
        }
    };
    exec.mem.write(at, &value.to_le_bytes()[..len])
}
