// SPDX-License-Identifier: BSD-2-Clause
//! Draw descriptors: checks that every pointer in them, and in what they point to, can be accessed
//! in the job's address space with the permission that the hardware needs.
//!
//! There are two exceptions. Uniform buffers are described at [`check_uniforms`]. Tables that a
//! shader fills are checked only up to the first address that a compute job of the same chain
//! received, because the model does not run shaders.
//!
//! A null pointer is counted and skipped even if a count says that there is data: Mesa leaves such
//! pointers null if the shader does not use them. HW: Mesa genxml v4.xml, v5.xml, v7.xml "Draw",
//! "Renderer State", "Attribute", "Attribute Buffer", "Uniform Buffer", "Texture", "Sampler";
//! decode.c for the field that holds each count.

use super::exec::Exec;
use super::mem::{bits, pair, pointer, Kind, Stop};
use super::variant::Arch;
use std::ops::Range;

/// The kind of job that a draw belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Compute,
    /// Writes varyings.
    Vertex,
    /// Reads varyings, has blend descriptors, and on v4 and v5 a framebuffer.
    Tiler,
    /// Like a tiler draw, with local storage instead of a framebuffer.
    Fragment,
}

/// Properties of a draw that its caller uses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) fbd: u64,
    pub(crate) position: u64,
    pub(crate) textures: u32,
    pub(crate) writes_depth: bool,
    pub(crate) writes_stencil: bool,
}

/// Counts in the renderer state: the lengths of the draw's arrays.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    samplers: u32,
    textures: u32,
    attributes: u32,
    varyings: u32,
    uniform_buffers: u32,
    /// Bytes of push uniforms.
    uniform_bytes: u64,
}

/// Probes `len` bytes unless the pointer is null or `len` is zero.
fn probe(exec: &mut Exec, va: u64, len: u64, kind: Kind) -> Result<(), Stop> {
    if len == 0 {
        return Ok(());
    }
    if va == 0 {
        exec.mem.stats.null_pointers += 1;
        return Ok(());
    }
    exec.mem.probe(va, len, kind)
}

/// Checks the draw descriptor at `va`.
pub(crate) fn check(exec: &mut Exec, va: u64, stage: Stage) -> Result<Facts, Stop> {
    let d: [u32; 30] = exec.mem.words(va)?;
    let mut facts = Facts {
        fbd: pointer(&d, 28),
        position: pointer(&d, 4),
        ..Facts::default()
    };
    check_storage(exec, stage, facts.fbd)?;
    let counts = check_state(exec, pointer(&d, 14), stage, &mut facts)?;
    facts.textures = counts.textures;
    check_attributes(
        exec,
        pointer(&d, 18),
        pointer(&d, 16),
        first_attribute(exec.arch, stage, counts.attributes)..counts.attributes,
        Kind::Read,
    )?;
    let varying_access = if stage == Stage::Vertex {
        Kind::Write
    } else {
        Kind::Read
    };
    check_attributes(
        exec,
        pointer(&d, 22),
        pointer(&d, 20),
        0..counts.varyings,
        varying_access,
    )?;
    check_uniforms(exec, pointer(&d, 6), counts.uniform_buffers)?;
    probe(exec, pointer(&d, 12), counts.uniform_bytes, Kind::Read)?;
    if stage == Stage::Compute {
        record_pushed(exec, pointer(&d, 12), counts.uniform_bytes)?;
    }
    check_textures(exec, pointer(&d, 8), counts.textures)?;
    probe(
        exec,
        pointer(&d, 10),
        32 * u64::from(counts.samplers),
        Kind::Read,
    )?;
    if matches!(stage, Stage::Tiler | Stage::Fragment) {
        probe(exec, pointer(&d, 24), 32, Kind::Read)?;
    }
    match stage {
        Stage::Tiler => probe(exec, facts.position, 16, Kind::Read)?,
        // The position part of an indexed vertex job writes positions.
        Stage::Vertex if facts.position != 0 => exec.mem.probe(facts.position, 16, Kind::Write)?,
        _ => (),
    }
    let occlusion = bits(d[0], 3, 2);
    if occlusion != 0 {
        probe(exec, pointer(&d, 26), 8, Kind::Write)?;
    }
    Ok(facts)
}

/// Local storage, or on v4 and v5 the framebuffer that begins with it.
/// HW: Mesa genxml "Local Storage".
fn check_storage(exec: &mut Exec, stage: Stage, tagged: u64) -> Result<(), Stop> {
    let va = tagged & !0x3f;
    if va == 0 {
        exec.mem.stats.null_pointers += 1;
        return Ok(());
    }
    let s: [u32; 8] = exec.mem.words(va)?;
    if stage == Stage::Tiler && exec.arch != Arch::V7 {
        let len = if exec.arch == Arch::V4 { 320 } else { 128 };
        exec.mem.probe(va, len, Kind::Read)?;
    }
    if bits(s[0], 0, 5) != 0 {
        probe(exec, pointer(&s, 2), 16, Kind::Write)?;
    }
    // HW: 31 (log2 of 2^31 instances) = no workgroup memory.
    if bits(s[1], 0, 5) != 31 && pointer(&s, 4) != 0 {
        exec.mem.probe(pointer(&s, 4), 16, Kind::Write)?;
    }
    Ok(())
}

/// Shader code: must be executable. The low four bits of the pointer are flags.
fn check_code(exec: &mut Exec, va: u64) -> Result<(), Stop> {
    match va & !0xf {
        0 => Ok(()),
        code => exec.mem.probe(code, 16, Kind::Execute),
    }
}

/// Renderer state: shaders, the blend descriptors after it, and the counts.
fn check_state(exec: &mut Exec, va: u64, stage: Stage, facts: &mut Facts) -> Result<Counts, Stop> {
    let va = va & !0xf;
    if va == 0 {
        exec.mem.stats.null_pointers += 1;
        return Ok(Counts::default());
    }
    let s: [u32; 16] = exec.mem.words(va)?;
    let shader = pointer(&s, 0);
    check_code(exec, shader)?;
    facts.writes_depth = bits(s[8], 27, 1) != 0;
    facts.writes_stencil = bits(s[9], 16, 1) != 0;
    let uniform_bytes = if exec.arch == Arch::V7 {
        // HW: v7.xml "Preload" Uniform count, in units of 64 bits.
        8 * u64::from(bits(s[12], 15, 7))
    } else {
        // HW: v5.xml "Renderer Properties" Uniform count, in vec4.
        16 * u64::from(bits(s[4], 21, 5))
    };
    if exec.arch == Arch::V7 && stage == Stage::Vertex {
        // HW: v7.xml "Renderer State" Secondary shader: the varying part of an indexed vertex job.
        check_code(exec, pointer(&s, 14))?;
    }
    if matches!(stage, Stage::Tiler | Stage::Fragment) {
        check_blend(exec, va, &s, shader)?;
    }
    Ok(Counts {
        samplers: bits(s[2], 0, 16),
        textures: bits(s[2], 16, 16),
        attributes: bits(s[3], 0, 16),
        varyings: bits(s[3], 16, 16),
        uniform_buffers: bits(s[4], 0, 8),
        uniform_bytes,
    })
}

/// HW: v4.xml "Renderer State" Blend Shader; v5.xml and v7.xml "Blend", after the state.
fn check_blend(exec: &mut Exec, state: u64, s: &[u32; 16], shader: u64) -> Result<(), Stop> {
    if exec.arch == Arch::V4 {
        return if bits(s[8], 22, 1) != 0 {
            check_code(exec, pointer(s, 14))
        } else {
            Ok(())
        };
    }
    let b: [u32; 4] = exec.mem.words(state + 64)?;
    if exec.arch == Arch::V5 {
        return if bits(b[0], 1, 1) != 0 {
            check_code(exec, pointer(&b, 2))
        } else {
            Ok(())
        };
    }
    let enabled = bits(b[0], 9, 1) != 0;
    if enabled && bits(b[2], 0, 2) == 0 && b[3] & !0xf != 0 {
        return check_code(exec, (shader & !0xffff_ffff) | u64::from(b[3] & !0xf));
    }
    Ok(())
}

/// Records the addresses in the push uniforms of a compute shader. HW: Mesa
/// panvk_vX_meta_desc_copy.c: a compute job before the draws fills tables of theirs, whose
/// addresses are in its push uniforms.
fn record_pushed(exec: &mut Exec, uniforms: u64, bytes: u64) -> Result<(), Stop> {
    if uniforms == 0 {
        return Ok(());
    }
    for at in (0..bytes / 8).map(|n| uniforms + 8 * n) {
        let word = exec.mem.u64(at)?;
        if word != 0 {
            exec.pushed.insert(word);
        }
    }
    Ok(())
}

/// Index of the first attribute descriptor that is certain to have been written. If the shader
/// reads the vertex or instance number, those are descriptors 16 and 17; the descriptors between
/// the last attribute and 16 are uninitialised memory, and nothing marks the last attribute. HW:
/// Mesa pan_ir.h PAN_VERTEX_ID, pan_shader.c: v4 and v5 only.
fn first_attribute(arch: Arch, stage: Stage, count: u32) -> u32 {
    const VERTEX_ID: u32 = 16;
    if arch != Arch::V7 && stage == Stage::Vertex && count > VERTEX_ID {
        VERTEX_ID
    } else {
        0
    }
}

/// Checks attribute or varying descriptors, and the buffers up to the highest that they name.
fn check_attributes(
    exec: &mut Exec,
    records: u64,
    buffers: u64,
    wanted: Range<u32>,
    access: Kind,
) -> Result<(), Stop> {
    if wanted.is_empty() {
        return Ok(());
    }
    if records == 0 || buffers == 0 {
        exec.mem.stats.null_pointers += 1;
        return Ok(());
    }
    let mut used = 0;
    let known = exec.known_until(records, records + 8 * u64::from(wanted.end));
    for n in wanted.map(u64::from) {
        let a: [u32; 2] = exec.mem.words(records + 8 * n)?;
        if records + 8 * n < known {
            used = used.max(u64::from(bits(a[0], 0, 9)) + 1);
        }
    }
    let mut n = 0;
    let known = exec.known_until(buffers, buffers + 16 * used);
    while n < used && buffers + 16 * n < known {
        let b: [u32; 4] = exec.mem.words(buffers + 16 * n)?;
        n += 1;
        let kind = bits(b[0], 0, 6);
        // HW: "Attribute Special" values and "Continuation" carry no pointer.
        if kind == 0 || kind >= 0x20 {
            continue;
        }
        // HW: types 4, 5, 6 and 12 are followed by a continuation record.
        if matches!(kind, 4..=6 | 12) {
            n += 1;
        }
        let pointer = pair(&b, 0) & 0x00ff_ffff_ffff_ffc0;
        let size = u64::from(b[3]);
        if pointer != 0 && size != 0 {
            exec.mem.probe(pointer, size, access)?;
        }
    }
    Ok(())
}

/// Checks that the table of uniform buffers is readable. The buffers are not checked: only loads of
/// the shader read them, which the model does not run, and Mesa writes only the entries in
/// `ubo_mask`; the others are uninitialised memory. HW: Mesa pan_cmdstream.c
/// panfrost_emit_const_buf; genxml "Uniform Buffer", 8 bytes an entry.
fn check_uniforms(exec: &mut Exec, table: u64, count: u32) -> Result<(), Stop> {
    probe(exec, table, 8 * u64::from(count), Kind::Read)
}

fn check_textures(exec: &mut Exec, table: u64, count: u32) -> Result<(), Stop> {
    if count != 0 && table == 0 {
        exec.mem.stats.null_pointers += 1;
        return Ok(());
    }
    let bytes = if exec.arch == Arch::V7 { 32 } else { 8 };
    let known = exec.known_until(table, table + bytes * u64::from(count));
    for n in 0..u64::from(count) {
        if table + bytes * n >= known {
            probe(exec, table + bytes * n, bytes, Kind::Read)?;
        } else if exec.arch == Arch::V7 {
            check_texture_v7(exec, table + 32 * n)?;
        } else {
            let texture = exec.mem.pointer(table + 8 * n)?;
            if texture != 0 {
                check_texture_v5(exec, texture)?;
            }
        }
    }
    Ok(())
}

/// HW: v5.xml "Texture"; the surfaces follow the descriptor.
fn check_texture_v5(exec: &mut Exec, va: u64) -> Result<(), Stop> {
    let t: [u32; 8] = exec.mem.words(va)?;
    let faces = if bits(t[2], 22, 2) == 0 { 6 } else { 1 };
    let is_3d = bits(t[2], 22, 2) == 3;
    let samples = if is_3d { 1 } else { bits(t[1], 0, 16) + 1 };
    let levels = bits(t[3], 24, 8) + 1;
    let array = bits(t[1], 16, 16) + 1;
    let pitch = if bits(t[2], 29, 1) != 0 { 16 } else { 8 };
    check_surfaces(exec, va + 32, pitch, [faces, samples, levels, array])
}

/// HW: v7.xml "Texture"; the surfaces are elsewhere, each with strides.
fn check_texture_v7(exec: &mut Exec, va: u64) -> Result<(), Stop> {
    let t: [u32; 8] = exec.mem.words(va)?;
    let faces = if bits(t[0], 4, 2) == 0 { 6 } else { 1 };
    let samples = 1 << bits(t[3], 13, 3);
    let levels = bits(t[2], 16, 5) + 1;
    let array = bits(t[6], 0, 16) + 1;
    match pointer(&t, 4) {
        0 => Ok(()),
        surfaces => check_surfaces(exec, surfaces, 16, [faces, samples, levels, array]),
    }
}

/// Checks that the first byte of every surface is readable; the low bits of a pointer are tags.
fn check_surfaces(exec: &mut Exec, at: u64, pitch: u64, counts: [u32; 4]) -> Result<(), Stop> {
    // More surfaces than any texture of Mesa has; bounds the work for a corrupt descriptor.
    const LIMIT: u64 = 1 << 17;
    let count = counts
        .iter()
        .fold(1u64, |n, c| n.saturating_mul(u64::from(*c)));
    if count > LIMIT {
        exec.mem.stats.decode(
            "texture with too many surfaces",
            count.min(u64::from(u32::MAX)) as u32,
        );
        return Ok(());
    }
    for n in 0..count {
        let surface = exec.mem.u64(at + pitch * n)? & !0x3f;
        if surface != 0 {
            exec.mem.probe(surface, 1, Kind::Read)?;
        }
    }
    Ok(())
}
