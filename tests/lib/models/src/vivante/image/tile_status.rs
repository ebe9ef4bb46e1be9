// SPDX-License-Identifier: BSD-2-Clause
//! Tile status: a cache of its lines, and operations on all tiles of a range.

use super::*;

/// Tile status of an image.
///
/// HW: Mesa etnaviv_screen.c ts_clear_value (0x11111111 with four bits a tile, 0x55555555 with
/// two): the value 1 means cleared, 0 means that memory holds the pixels; other values mean
/// compression, which the model cannot decode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TileStatus {
    pub(crate) status: u32,
    pub(crate) surface: u32,
    pub(crate) tile_bytes: u32,
    pub(crate) bits: u32,
    pub(crate) clear: [u32; 2],
}

/// Maximum number of tiles of an in-place resolve: 4 GiB.
const TILES_MAX: u32 = 1 << 26;

/// Resolves `count` tiles in place: writes the clear value of cleared tiles to memory. The tile
/// status is only read: Mesa passes it as an input (etnaviv_blt.c, ts_addr.flags).
pub(crate) fn resolve_in_place(
    mem: &mut Mem,
    ts: &TileStatus,
    count: u32,
    bpp: u32,
) -> Result<(), Stop> {
    let mut status = StatusCache::default();
    for tile in 0..count.min(TILES_MAX) {
        match status.get(mem, ts, tile)? {
            0 => (),
            1 => {
                let mut bytes = vec![0; ts.tile_bytes as usize];
                fill(&mut bytes, ts.clear, bpp);
                let at = ts.surface.wrapping_add(tile.wrapping_mul(ts.tile_bytes));
                mem.write(Client::Pe, at, &bytes)?;
                mem.stats.tiles_filled += 1;
            }
            value => mem.stats.decode("compressed tile", value),
        }
    }
    Ok(())
}

/// Calls `f(va, tile, len)` for the part of a run on each tile.
pub(super) fn split(
    ts: &TileStatus,
    va: u32,
    len: u32,
    mut f: impl FnMut(u32, u32, u32) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut done = 0;
    while done < len {
        let at = va.wrapping_add(done);
        let offset = at.wrapping_sub(ts.surface);
        let part = (ts.tile_bytes - offset % ts.tile_bytes).min(len - done);
        f(at, offset / ts.tile_bytes, part)?;
        done += part;
    }
    Ok(())
}

/// A cached line of the tile status, written back before another one is loaded.
#[derive(Default)]
pub(super) struct StatusCache {
    line: Option<u32>,
    bytes: Vec<u8>,
    dirty: bool,
}

/// Bytes of a line. HW: Mesa etnaviv_resource.c: a tile status is a multiple of 0x100 bytes long.
const LINE: u32 = 64;

impl StatusCache {
    fn locate(ts: &TileStatus, tile: u32) -> (u32, usize, u32) {
        let per_byte = 8 / ts.bits;
        let byte = tile / per_byte;
        (
            byte / LINE,
            (byte % LINE) as usize,
            tile % per_byte * ts.bits,
        )
    }

    fn load(&mut self, mem: &mut Mem, ts: &TileStatus, line: u32) -> Result<(), Stop> {
        if self.line == Some(line) {
            return Ok(());
        }
        self.flush(mem, ts)?;
        self.bytes = vec![0; LINE as usize];
        let va = ts.status.wrapping_add(line.wrapping_mul(LINE));
        mem.read(Client::Pe, va, &mut self.bytes)?;
        self.line = Some(line);
        Ok(())
    }

    pub(super) fn get(&mut self, mem: &mut Mem, ts: &TileStatus, tile: u32) -> Result<u32, Stop> {
        let (line, byte, shift) = StatusCache::locate(ts, tile);
        self.load(mem, ts, line)?;
        Ok(u32::from(self.bytes[byte]) >> shift & ((1 << ts.bits) - 1))
    }

    pub(super) fn put(
        &mut self,
        mem: &mut Mem,
        ts: &TileStatus,
        tile: u32,
        value: u8,
    ) -> Result<(), Stop> {
        let (line, byte, shift) = StatusCache::locate(ts, tile);
        self.load(mem, ts, line)?;
        let mask = ((1u32 << ts.bits) - 1) << shift;
        self.bytes[byte] = self.bytes[byte] & !(mask as u8) | value << shift;
        self.dirty = true;
        Ok(())
    }

    pub(super) fn flush(&mut self, mem: &mut Mem, ts: &TileStatus) -> Result<(), Stop> {
        if let (true, Some(line)) = (self.dirty, self.line) {
            let va = ts.status.wrapping_add(line.wrapping_mul(LINE));
            mem.write(Client::Pe, va, &self.bytes)?;
        }
        self.dirty = false;
        Ok(())
    }
}
