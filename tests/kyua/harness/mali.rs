// SPDX-License-Identifier: BSD-2-Clause
//! Job chains for Mali-T860 (v5), built as bytes in a buffer.
//!
//! HW: Mesa genxml v5.xml: "Job Header", "Write Value Job Payload", "Fragment Job Payload",
//! "Multi-Target Framebuffer", "Render Target". A job is 64 bytes here: a header of 32 and a
//! payload of up to 32; headers are aligned to 64.

use crate::drm::client::{Bo, Work};
use crate::drm::{Mapping, Node};
use crate::errno::Sys;
use uapi::panfrost::{BO_NOEXEC, REQ_FS};

/// Bytes of a job, and of what else has to be aligned like one.
const UNIT: usize = 64;

const NULL: u32 = 1;
const WRITE_VALUE: u32 = 2;
const FRAGMENT: u32 = 9;
/// "Write Value Type" Zero: eight bytes of zeroes, the only constant that v5 can write.
const ZERO: u32 = 3;
/// As `ZERO`: the timestamp.
const TIMESTAMP: u32 = 2;

/// A type that no Mali has a job for.
pub const NO_SUCH_JOB: u32 = 63;

/// A job chain and the buffer that it lies in.
#[derive(Debug)]
pub struct Chain<'a> {
    bo: Bo<'a>,
    map: Mapping,
    used: usize,
    /// Offsets of the first and the last job.
    ends: Option<(usize, usize)>,
}

/// A linear image of R8G8B8A8 pixels.
#[derive(Clone, Copy, Debug)]
pub struct Image {
    /// GPU address of the first pixel, a multiple of 64.
    pub va: u64,
    /// Pixels in a row; rows follow without a gap.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl<'a> Chain<'a> {
    /// An empty chain with room for `units` jobs (a fragment job takes 13).
    ///
    /// # Errors
    /// What CREATE_BO, MMAP_BO and mmap(2) give.
    pub fn new(node: &'a Node, units: usize) -> Sys<Chain<'a>> {
        let bo = node.bo((units * UNIT) as u32, BO_NOEXEC)?;
        let map = bo.map()?;
        Ok(Chain {
            bo,
            map,
            used: 0,
            ends: None,
        })
    }

    /// A chain whose only job is its own successor.
    ///
    /// # Errors
    /// As `new`.
    pub fn endless(node: &'a Node) -> Sys<Chain<'a>> {
        let mut chain = Chain::new(node, 1)?;
        chain.null(1);
        let head = chain.head();
        chain.then(head);
        Ok(chain)
    }

    fn allocate(&mut self, units: usize) -> usize {
        let at = self.used;
        self.used += units * UNIT;
        at
    }

    fn write_words(&self, at: usize, words: &[u32]) {
        for (i, word) in words.iter().enumerate() {
            self.map.write_u32(at + i * 4, *word);
        }
    }

    /// Address of the byte at `at` of the chain's buffer.
    fn va(&self, at: usize) -> u64 {
        self.bo.va + at as u64
    }

    /// Appends a job of any type.
    pub fn job(&mut self, kind: u32, payload: &[u32]) -> &mut Self {
        let at = self.allocate(1);
        // Exception status, first incomplete task and fault pointer are zero; bit 0 of word 4:
        // 64-bit pointers.
        self.write_words(at, &[0, 0, 0, 0, 1 | kind << 1, 0, 0, 0]);
        self.write_words(at + 32, payload);
        if let Some((_, last)) = self.ends {
            self.map.write_u64(last + 24, self.va(at));
        }
        self.ends = Some((self.ends.map_or(at, |(first, _)| first), at));
        self
    }

    /// Appends `count` jobs that do nothing.
    pub fn null(&mut self, count: usize) -> &mut Self {
        for _ in 0..count {
            self.job(NULL, &[]);
        }
        self
    }

    /// Appends a job that writes eight zero bytes at a GPU address.
    pub fn write_zero(&mut self, va: u64) -> &mut Self {
        self.job(WRITE_VALUE, &[va as u32, (va >> 32) as u32, ZERO, 0, 0, 0])
    }

    /// Appends a job that writes the timestamp, of 64 bits, at a GPU address.
    pub fn write_time(&mut self, va: u64) -> &mut Self {
        self.job(
            WRITE_VALUE,
            &[va as u32, (va >> 32) as u32, TIMESTAMP, 0, 0, 0],
        )
    }

    /// Appends a fragment job that fills `image` with one pixel value.
    pub fn clear(&mut self, image: Image, pixel: u32) -> &mut Self {
        // Framebuffer 128 bytes, render target 64, then the polygon list that a frame without
        // geometry names.
        let fbd = self.allocate(3);
        let list = self.va(self.used);
        self.allocate(9);
        let mut words = [0u32; 48];
        // Local storage: no workgroup memory is "instances 2^31".
        words[1] = 31;
        words[8] = (image.width - 1) | (image.height - 1) << 16;
        words[10] = words[8];
        // One target of 256 pixels a tile ("effective tile size" 2^8), colour allocation 1 KiB.
        words[11] = 8 << 9 | 1 << 24;
        words[12] = 1 << 16;
        // Tiler: header of 512 bytes only, hierarchy mask "disabled".
        words[14] = 512;
        words[15] = 0x1000;
        let body = list + 512;
        for (i, va) in [list, body, list, list].into_iter().enumerate() {
            words[16 + 2 * i] = va as u32;
            words[17 + 2 * i] = (va >> 32) as u32;
        }
        // Render target: internal format R8G8B8A8; write, format 19, linear, identity swizzle,
        // clean pixels too.
        words[32] = 1 << 26;
        words[33] = 1 | 19 << 3 | 2 << 10 | (1 << 3 | 2 << 6 | 3 << 9) << 16 | 1 << 31;
        words[40] = image.va as u32;
        words[41] = (image.va >> 32) as u32;
        words[42] = image.width * 4;
        words[44..].fill(pixel);
        self.write_words(fbd, &words);
        let tiles = ((image.width - 1) / 16) | (((image.height - 1) / 16) << 16);
        // Tag: a multi-target framebuffer, one target, no extension.
        let pointer = self.va(fbd) | 1;
        self.job(
            FRAGMENT,
            &[0, tiles, pointer as u32, (pointer >> 32) as u32, 0, 0, 0, 0],
        )
    }

    /// Makes the last job point to `va` as the next one.
    pub fn then(&mut self, va: u64) -> &mut Self {
        if let Some((_, last)) = self.ends {
            self.map.write_u64(last + 24, va);
        }
        self
    }

    /// What the GPU wrote into the header of the last job: 0 not run, 1 done, else the exception.
    pub fn last_status(&self) -> u32 {
        self.ends.map_or(0, |(_, last)| self.map.read_u32(last))
    }

    /// Address of the first job.
    pub fn head(&self) -> u64 {
        self.va(self.ends.map_or(0, |(first, _)| first))
    }

    /// Handle of the buffer that the jobs lie in.
    pub fn handle(&self) -> u32 {
        self.bo.handle
    }

    /// Waits for the buffer that the jobs lie in.
    ///
    /// # Errors
    /// What WAIT_BO gives.
    pub fn wait(&self, timeout_ns: i64) -> Sys<i32> {
        self.bo.wait(timeout_ns)
    }

    /// The work of running the chain in the vertex and tiler slot, with nothing else.
    pub fn work(&self) -> Work<'static> {
        Work {
            jc: self.head(),
            ..Work::default()
        }
    }

    /// The work of running the chain in the fragment slot, with nothing else.
    pub fn fragment_work(&self) -> Work<'static> {
        Work {
            requirements: REQ_FS,
            ..self.work()
        }
    }
}
