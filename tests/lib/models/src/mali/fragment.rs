// SPDX-License-Identifier: BSD-2-Clause
//! Fragment jobs: clears of colour, depth and stencil targets, through the MMU.
//!
//! The model runs no shaders, so every tile is a clean tile; [`framebuffer`](super::framebuffer)
//! describes what that means for each kind of target. Compressed (AFBC) targets are checked for
//! access and counted, not written: disable AFBC in the client.

use super::draw::{self, Stage};
use super::exec::Exec;
use super::format::{self, Parts, Pixel};
use super::framebuffer::{self, Color, Framebuffer, Layout, Reload, Zs, TAG_MASK};
use super::mem::{bits, pointer, Kind, Stop};
use super::regs::exception as ex;
use super::surface::{self, Block, Rect, Surface};
use super::variant::Arch;

/// Colour target 0 of the last fragment job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// GPU virtual address of the image.
    pub va: u64,
    /// Address space of the job.
    pub address_space: usize,
    /// Width of the framebuffer, pixels.
    pub width: u32,
    /// Height of the framebuffer, pixels.
    pub height: u32,
    /// Row stride of the descriptor, bytes (of a row of tiles if tiled).
    pub stride: u32,
    /// Writeback format code of the descriptor (Mesa genxml "Color Format").
    pub format: u32,
    /// Layout, `None` if compressed or unknown.
    pub block: Option<Block>,
    /// RGBA, eight bits a channel, rows from the top. Filled if capture is on and the model knows
    /// the channels of the format.
    pub pixels: Vec<u8>,
}

/// Bounds of a fragment job in tiles, inclusive: min x, min y, max x, max y.
/// HW: Mesa genxml v5.xml "Fragment Job Payload".
fn tile_bounds(words: &[u32]) -> [u32; 4] {
    [
        bits(words[0], 0, 12),
        bits(words[0], 16, 12),
        bits(words[1], 0, 12),
        bits(words[1], 16, 12),
    ]
}

/// Number of 16x16 tiles a fragment job covers; `words` is its payload.
pub(crate) fn tiles(words: &[u32]) -> u64 {
    let [x0, y0, x1, y1] = tile_bounds(words);
    if x1 < x0 || y1 < y0 {
        return 0;
    }
    u64::from(x1 - x0 + 1) * u64::from(y1 - y0 + 1)
}

/// Runs the fragment job whose header is at `job`.
pub(crate) fn run(exec: &mut Exec, job: u64) -> Result<(), Stop> {
    let words: [u32; 8] = exec.mem.words(job + 32)?;
    let [x0, y0, x1, y1] = tile_bounds(&words);
    if x1 < x0 || y1 < y0 {
        return Err(Stop::Exception {
            code: ex::TILE_RANGE_FAULT,
            va: job,
        });
    }
    let fbd = pointer(&words, 2);
    let fb = framebuffer::decode(&mut exec.mem, exec.arch, fbd)?;
    if fbd & TAG_MASK != fb.tag {
        let what = "framebuffer tag disagrees with the descriptor";
        exec.mem.stats.decode(what, words[2]);
    }
    let tiles = Rect {
        x0: x0 * 16,
        y0: y0 * 16,
        x1: x1 * 16 + 15,
        y1: y1 * 16 + 15,
    };
    let image = Rect {
        x0: 0,
        y0: 0,
        x1: fb.width - 1,
        y1: fb.height - 1,
    };
    let area = tiles.intersect(fb.bounds).and_then(|r| r.intersect(image));
    let reload = check_inputs(exec, &fb, fbd)?;
    let mut areas: Vec<Rect> = area.into_iter().collect();
    if let (Some(area), true) = (area, exec.arch != Arch::V4 && bits(words[1], 31, 1) != 0) {
        areas = enabled_areas(exec, pointer(&words, 4), bits(words[6], 0, 8), area)?;
    }
    for area in areas {
        for color in &fb.colors {
            clear_color(exec, &fb, color, reload, area)?;
        }
        clear_depth_stencil(exec, &fb, reload, area)?;
        write_checksums(exec, &fb, area)?;
    }
    capture(exec, &fb)?;
    exec.reloads.remove(&(exec.address_space, fbd & !TAG_MASK));
    Ok(())
}

/// The parts of `area` that a tile enable map switches on: a bit per 32x32 pixels, rows `stride`
/// bytes apart. HW: Mesa pan_resource.c panfrost_resource_set_damage_region.
fn enabled_areas(exec: &mut Exec, map: u64, stride: u32, area: Rect) -> Result<Vec<Rect>, Stop> {
    let mut areas = Vec::new();
    for ty in area.y0 / 32..=area.y1 / 32 {
        let mut row = vec![0; (area.x1 / 256 + 1) as usize];
        exec.mem
            .read(map + u64::from(ty) * u64::from(stride), &mut row)?;
        for tx in area.x0 / 32..=area.x1 / 32 {
            let block = Rect {
                x0: tx * 32,
                y0: ty * 32,
                x1: tx * 32 + 31,
                y1: ty * 32 + 31,
            };
            if row[(tx / 8) as usize] & (1 << (tx % 8)) != 0 {
                areas.extend(block.intersect(area));
            }
        }
    }
    Ok(areas)
}

/// Checks what the hardware reads besides the targets. Returns the parts that reload draws restore.
fn check_inputs(exec: &mut Exec, fb: &Framebuffer, fbd: u64) -> Result<Reload, Stop> {
    let mut reload = exec
        .reloads
        .get(&(exec.address_space, fbd & !TAG_MASK))
        .copied()
        .unwrap_or_default();
    if let Some(list) = fb.polygon_list {
        exec.mem.probe(list, 64, Kind::Read)?;
    }
    if fb.tiler != 0 {
        // HW: Mesa genxml v7.xml "Tiler Context", 48 words.
        exec.mem.probe(fb.tiler, 192, Kind::Read)?;
    }
    if fb.sample_locations != 0 {
        // HW: Mesa decode.c pandecode_sample_locations: 33 pairs of 16 bits.
        exec.mem.probe(fb.sample_locations, 33 * 4, Kind::Read)?;
    }
    for (n, mode) in fb.frame_modes.iter().enumerate() {
        if *mode != 0 {
            // HW: Mesa decode.c pandecode_fbd: an array of three Draw descriptors.
            let draw = fb.frame_draws + 128 * n as u64;
            let facts = draw::check(exec, draw, Stage::Fragment)?;
            if n == 1 {
                reload.depth |= facts.writes_depth;
                reload.stencil |= facts.writes_stencil;
            }
        }
    }
    Ok(reload)
}

/// Surface of each sample layer.
fn layers(
    exec: &mut Exec,
    fb: &Framebuffer,
    buffer: framebuffer::Buffer,
    layered: bool,
    block: Block,
) -> Vec<Surface> {
    let count = if layered { u64::from(fb.samples) } else { 1 };
    if layered && buffer.surface_stride == 0 {
        let what = "layered target without surface stride";
        exec.mem.stats.decode(what, buffer.row_stride);
    }
    (0..count)
        .map(|n| Surface {
            base: buffer.base + n * u64::from(buffer.surface_stride),
            row_stride: buffer.row_stride,
            block,
        })
        .collect()
}

fn paint(exec: &mut Exec, surfaces: &[Surface], area: Rect, pixel: Pixel) -> Result<(), Stop> {
    for surface in surfaces {
        surface::fill(&mut exec.mem, *surface, area, pixel)?;
        exec.mem.stats.pixels_written += area.pixels();
    }
    Ok(())
}

fn clear_color(
    exec: &mut Exec,
    fb: &Framebuffer,
    color: &Color,
    reload: Reload,
    area: Rect,
) -> Result<(), Stop> {
    if !color.write {
        return Ok(());
    }
    let block = match color.layout {
        Layout::Image(block) => block,
        Layout::Afbc => {
            exec.mem.stats.leave("AFBC colour target");
            exec.mem.probe(color.afbc.0, 16, Kind::Write)?;
            return exec.mem.probe(color.afbc.1, 16, Kind::Write);
        }
        Layout::None => return Ok(()),
        Layout::Unknown => {
            exec.mem.stats.decode("colour block format", color.word);
            return Ok(());
        }
    };
    // Only on v4 does a reload draw alone preserve a target.
    if !color.clear || (exec.arch == Arch::V4 && reload.color) {
        exec.mem.stats.targets_preserved += 1;
        return match format::size(exec.arch, color.format) {
            Some(size) => exec.mem.probe(color.buffer.base, size as u64, Kind::Write),
            None => Ok(()),
        };
    }
    let pixel = format::clear_pixel(
        exec.arch,
        color.internal,
        color.format,
        color.swizzle,
        color.clear_value,
    );
    let Some(pixel) = pixel else {
        exec.mem.stats.decode("colour format", color.word);
        return Ok(());
    };
    let surfaces = layers(exec, fb, color.buffer, color.layered, block);
    paint(exec, &surfaces, area, pixel)
}

fn clear_depth_stencil(
    exec: &mut Exec,
    fb: &Framebuffer,
    reload: Reload,
    area: Rect,
) -> Result<(), Stop> {
    let parts = Parts {
        depth: !reload.depth,
        stencil: !reload.stencil,
    };
    if let (Some(zs), true) = (&fb.depth, fb.depth_write) {
        let untouched = !parts.depth && (!parts.stencil || !zs.has_stencil());
        let pixel = format::depth_pixel(zs.format, fb.depth_clear, fb.stencil_clear, parts);
        clear_plane(exec, fb, zs, area, pixel, fb.zs_clear && !untouched)?;
    }
    if let (Some(zs), true) = (&fb.stencil, fb.stencil_write) {
        let pixel = format::stencil_pixel(zs.format, fb.stencil_clear);
        clear_plane(exec, fb, zs, area, pixel, fb.zs_clear && parts.stencil)?;
    }
    Ok(())
}

fn clear_plane(
    exec: &mut Exec,
    fb: &Framebuffer,
    zs: &Zs,
    area: Rect,
    pixel: Option<Pixel>,
    clear: bool,
) -> Result<(), Stop> {
    if !clear {
        exec.mem.stats.targets_preserved += 1;
        return exec.mem.probe(zs.buffer.base, 1, Kind::Write);
    }
    match (zs.layout, pixel) {
        (Layout::Image(block), Some(pixel)) => {
            let surfaces = layers(exec, fb, zs.buffer, zs.layered, block);
            paint(exec, &surfaces, area, pixel)
        }
        (Layout::Afbc, _) => {
            exec.mem.stats.leave("AFBC depth target");
            exec.mem.probe(zs.buffer.base, 16, Kind::Write)
        }
        _ => {
            exec.mem.stats.decode("depth or stencil format", zs.word);
            Ok(())
        }
    }
}

/// Writes the transaction elimination buffer: eight bytes per tile. HW: Mesa pan_layout.c
/// panfrost_compute_checksum_size. The hardware's checksum function is not published; software can
/// only compare checksums for equality, so the model uses another hash.
fn write_checksums(exec: &mut Exec, fb: &Framebuffer, area: Rect) -> Result<(), Stop> {
    let Some((base, stride)) = fb.crc else {
        return Ok(());
    };
    let color = fb.colors.first();
    let seed = color.map_or(0, |c| {
        u64::from(c.clear_value[0]) | u64::from(c.clear_value[1]) << 32
    });
    let sum = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let count = (area.x1 / 16 - area.x0 / 16 + 1) as usize;
    let row: Vec<u8> = sum.to_le_bytes().repeat(count);
    for ty in area.y0 / 16..=area.y1 / 16 {
        exec.mem.write(
            base + u64::from(ty) * u64::from(stride) + u64::from(area.x0 / 16) * 8,
            &row,
        )?;
    }
    Ok(())
}

fn capture(exec: &mut Exec, fb: &Framebuffer) -> Result<(), Stop> {
    let Some(color) = fb.colors.first().filter(|c| c.write) else {
        return Ok(());
    };
    let block = match color.layout {
        Layout::Image(block) => Some(block),
        _ => None,
    };
    let mut frame = Frame {
        va: color.buffer.base,
        address_space: exec.address_space,
        width: fb.width,
        height: fb.height,
        stride: color.buffer.row_stride,
        format: color.format,
        block,
        pixels: Vec::new(),
    };
    if let (true, Some(block), Some(size)) =
        (exec.capture, block, format::size(exec.arch, color.format))
    {
        let at = Surface {
            base: color.buffer.base,
            row_stride: color.buffer.row_stride,
            block,
        };
        let raw = surface::read(&mut exec.mem, at, fb.width, fb.height, size)?;
        for pixel in raw.chunks_exact(size) {
            match format::to_rgba(color.format, color.swizzle, pixel) {
                Some(rgba) => frame.pixels.extend_from_slice(&rgba),
                None => break,
            }
        }
    }
    *exec.frame = Some(frame);
    Ok(())
}
