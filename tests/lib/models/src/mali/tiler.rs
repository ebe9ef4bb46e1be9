// SPDX-License-Identifier: BSD-2-Clause
//! Tiler jobs: pointer checks, and the use of tiler memory.
//!
//! The format of polygon lists is not modelled. A draw uses heap memory in proportion to its
//! vertices, from the start of the heap upward, so that a growable heap takes page faults. The
//! amount used so far is in the first word of the polygon list (which is why a write-value job must
//! zero it first) or, on v7, in the state words of the tiler context. HW: Mesa genxml "Tiler Job",
//! "Tiler Context", "Tiler Heap"; pan_scoreboard.h (write value).

use super::draw::{self, Stage};
use super::exec::Exec;
use super::framebuffer::{tiler_enabled, TAG_MASK};
use super::mem::{bits, pointer, Kind, Stop};
use super::regs::exception as ex;
use super::variant::Arch;

/// Heap bytes of one vertex in the model.
const BYTES_PER_VERTEX: u64 = 64;
/// Heap bytes of a draw apart from its vertices.
const BYTES_PER_DRAW: u64 = 512;

/// The "Primitive" section. HW: Mesa genxml, at offset 40 of the job.
struct Primitive {
    mode: u32,
    index_bytes: u64,
    point_sizes: bool,
    count: u64,
    indices: u64,
}

fn primitive(exec: &mut Exec, job: u64) -> Result<Primitive, Stop> {
    let p: [u32; 6] = exec.mem.words(job + 40)?;
    let index_bytes = match bits(p[0], 8, 3) {
        3 => 4,
        n => u64::from(n),
    };
    let primitive = Primitive {
        mode: bits(p[0], 0, 8),
        index_bytes,
        point_sizes: bits(p[0], 11, 2) != 0,
        count: u64::from(p[3]) + 1,
        indices: pointer(&p, 4),
    };
    if primitive.index_bytes != 0 {
        exec.mem.probe(
            primitive.indices,
            primitive.count * primitive.index_bytes,
            Kind::Read,
        )?;
    }
    Ok(primitive)
}

/// Product of the sizes and workgroup counts in x, y and z: for a draw, vertices times instances.
/// HW: Mesa genxml "Invocation" with decode.c pandecode_invocation.
fn invocations(words: [u32; 2]) -> u64 {
    let (packed, shifts) = (u64::from(words[0]), words[1]);
    let at = [
        0,
        bits(shifts, 0, 5),
        bits(shifts, 5, 5),
        bits(shifts, 10, 6),
        bits(shifts, 16, 6),
        bits(shifts, 22, 6),
        32,
    ];
    at.windows(2).fold(1u64, |product, w| {
        let width = w[1].saturating_sub(w[0]).min(32);
        product.saturating_mul(((packed >> w[0].min(63)) & ((1u64 << width) - 1)) + 1)
    })
}

/// A heap, and the address of its fill level.
struct Heap {
    start: u64,
    end: u64,
    state: u64,
}

impl Heap {
    /// Uses memory for `vertices`. The level is written last, so that a retried job starts from the
    /// same level.
    fn consume(&self, exec: &mut Exec, vertices: u64) -> Result<(), Stop> {
        let used = exec.mem.u64(self.state)?;
        let oom = Stop::Exception {
            code: ex::OOM,
            va: self.start,
        };
        let bytes = BYTES_PER_DRAW + vertices.saturating_mul(BYTES_PER_VERTEX);
        let from = self.start.checked_add(used).ok_or(oom)?;
        let to = from
            .checked_add(bytes)
            .filter(|to| *to <= self.end)
            .ok_or(oom)?;
        let chunk = [0xa5u8; 4096];
        let mut at = from;
        while at < to {
            let n = (to - at).min(4096 - (at & 0xfff));
            exec.mem.write(at, &chunk[..n as usize])?;
            at += n;
        }
        exec.mem.write(self.state, &(used + bytes).to_le_bytes())?;
        exec.mem.stats.heap_bytes += bytes;
        Ok(())
    }
}

/// Tiler job of v4 and v5 (draw at 64) and v7 (draw at 128).
pub(crate) fn run(exec: &mut Exec, job: u64) -> Result<(), Stop> {
    let invocation: [u32; 2] = exec.mem.words(job + 32)?;
    let prim = primitive(exec, job)?;
    let draw_at = if exec.arch == Arch::V7 { 128 } else { 64 };
    let facts = draw::check(exec, job + draw_at, Stage::Tiler)?;
    let size_at = if exec.arch == Arch::V7 { 64 } else { 184 };
    check_point_sizes(exec, job + size_at, &prim)?;
    let vertices = invocations(invocation).max(prim.count);
    if exec.arch == Arch::V7 {
        let context = exec.mem.pointer(job + 72)?;
        return bifrost_heap(exec, context)?.consume(exec, vertices);
    }
    let heap = midgard_heap(exec, facts.fbd & !TAG_MASK)?;
    heap.consume(exec, vertices)?;
    note_reload(exec, &prim, &facts)
}

/// Indexed vertex job of v7: one tiler section, a vertex draw and a fragment draw.
pub(crate) fn run_indexed(exec: &mut Exec, job: u64) -> Result<(), Stop> {
    if exec.arch != Arch::V7 {
        return Err(Stop::Exception {
            code: ex::JOB_CONFIG_FAULT,
            va: job,
        });
    }
    let invocation: [u32; 2] = exec.mem.words(job + 32)?;
    let prim = primitive(exec, job)?;
    draw::check(exec, job + 256, Stage::Vertex)?;
    draw::check(exec, job + 128, Stage::Fragment)?;
    check_point_sizes(exec, job + 64, &prim)?;
    let context = exec.mem.pointer(job + 72)?;
    let vertices = invocations(invocation).max(prim.count);
    bifrost_heap(exec, context)?.consume(exec, vertices)
}

/// HW: Mesa genxml "Primitive Size": a constant, or the address of an array.
fn check_point_sizes(exec: &mut Exec, at: u64, prim: &Primitive) -> Result<(), Stop> {
    if prim.point_sizes {
        let array = exec.mem.pointer(at)?;
        exec.mem.probe(array, 2, Kind::Read)?;
    }
    Ok(())
}

/// HW: Mesa genxml v4.xml (offset 192) and v5.xml (offset 56) "Framebuffer" section Tiler.
fn midgard_heap(exec: &mut Exec, fbd: u64) -> Result<Heap, Stop> {
    let at = if exec.arch == Arch::V4 { 192 } else { 56 };
    let t: [u32; 10] = exec.mem.words(fbd + at)?;
    let (list, body) = (pointer(&t, 2), pointer(&t, 4));
    if !tiler_enabled(bits(t[1], 0, 16)) {
        return Err(Stop::Exception {
            code: ex::DATA_INVALID_FAULT,
            va: fbd,
        });
    }
    // The tiler writes header and body of the list.
    let size = u64::from(t[0]);
    exec.mem.probe(list, size.max(8), Kind::Write)?;
    exec.mem.probe(body, 8, Kind::Write)?;
    Ok(Heap {
        start: pointer(&t, 6),
        end: pointer(&t, 8),
        state: list,
    })
}

/// HW: Mesa genxml v7.xml "Tiler Context" (heap in word 6, state from word 32) and "Tiler Heap".
fn bifrost_heap(exec: &mut Exec, context: u64) -> Result<Heap, Stop> {
    exec.mem.probe(context, 192, Kind::Write)?;
    let heap = exec.mem.pointer(context + 24)?;
    let h: [u32; 8] = exec.mem.words(heap)?;
    let (base, bottom, top) = (pointer(&h, 2), pointer(&h, 4), pointer(&h, 6));
    if bottom < base || top < bottom {
        return Err(Stop::Exception {
            code: ex::DATA_INVALID_FAULT,
            va: heap,
        });
    }
    Ok(Heap {
        start: bottom,
        end: top,
        state: context + 128,
    })
}

/// Records the draw by which Mesa reloads a framebuffer to be preserved: a strip of four vertices,
/// no index buffer, whose positions are the corners of the framebuffer. HW: Mesa pan_blitter.c
/// pan_preload_fb and pan_preload_emit_tiler_job.
fn note_reload(exec: &mut Exec, prim: &Primitive, facts: &draw::Facts) -> Result<(), Stop> {
    const TRIANGLE_STRIP: u32 = 10;
    if prim.mode != TRIANGLE_STRIP
        || prim.count != 4
        || prim.index_bytes != 0
        || facts.textures == 0
    {
        return Ok(());
    }
    let fbd = facts.fbd & !TAG_MASK;
    let fb = super::framebuffer::decode(&mut exec.mem, exec.arch, facts.fbd)?;
    let corners: [u32; 16] = exec.mem.words(facts.position)?;
    let (w, h) = (fb.width as f32, fb.height as f32);
    let expected = [
        0.0, 0.0, 0.0, 1.0, w, 0.0, 0.0, 1.0, 0.0, h, 0.0, 1.0, w, h, 0.0, 1.0,
    ]
    .map(f32::to_bits);
    if corners == expected {
        let entry = exec.reloads.entry((exec.address_space, fbd)).or_default();
        let zs = facts.writes_depth || facts.writes_stencil;
        entry.color |= !zs;
        entry.depth |= facts.writes_depth;
        entry.stencil |= facts.writes_stencil;
    }
    Ok(())
}
