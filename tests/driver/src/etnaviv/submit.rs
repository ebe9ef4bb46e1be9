// SPDX-License-Identifier: BSD-2-Clause
//! GEM_SUBMIT.

use super::stream::Template;
use super::{nr, Bo, Client};
use crate::{word, Arg, Result};

/// struct drm_etnaviv_gem_submit_reloc: the driver writes an address into the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reloc {
    /// Where in the stream, bytes.
    pub submit_offset: u32,
    /// Index of the buffer in the submit.
    pub index: u32,
    /// Which byte of the buffer.
    pub offset: u64,
    /// Must be 0.
    pub flags: u32,
}

/// struct drm_etnaviv_gem_submit_pmr: the driver reads a performance counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pmr {
    /// Before the job 1, after it 2.
    pub flags: u32,
    /// Of PM_QUERY_DOM.
    pub domain: u8,
    /// Of PM_QUERY_SIG.
    pub signal: u16,
    /// Stored in the first word of the buffer when the value is there.
    pub sequence: u32,
    /// Where the value goes, 32-bit words.
    pub read_offset: u32,
    /// Index of the buffer in the submit.
    pub read_index: u32,
}

/// A submit as a program writes it down.
#[derive(Clone)]
pub struct Submit {
    /// Core.
    pub pipe: u32,
    /// 3D is 0, 2D is 1.
    pub exec_state: u32,
    /// Flags, access, handle and address of each buffer object.
    pub bos: Vec<(u32, u32, u64)>,
    /// Addresses that the driver writes.
    pub relocs: Vec<Reloc>,
    /// Counters that it reads.
    pub pmrs: Vec<Pmr>,
    /// The words.
    pub stream: Vec<u32>,
    /// Bytes of the stream, if not all of them.
    pub stream_size: Option<u32>,
    /// NO_IMPLICIT 1, FENCE_FD_IN 2, FENCE_FD_OUT 4, SOFTPIN 8.
    pub flags: u32,
    /// The descriptor to wait for.
    pub fence_fd: i32,
}

/// What a submit with an out-fence gave.
#[derive(Clone, Copy, Debug)]
pub struct Fence {
    /// Core.
    pub pipe: u32,
    /// For WAIT_FENCE.
    pub id: u32,
    /// A sync_file.
    pub fd: i32,
}

impl Submit {
    /// Softpin, on the first core, with a sync_file, reading and writing `bos`.
    pub fn new(stream: Vec<u32>, bos: &[&Bo]) -> Submit {
        Submit {
            pipe: 0,
            exec_state: 0,
            bos: bos
                .iter()
                .map(|bo| (3, bo.handle, u64::from(bo.va)))
                .collect(),
            relocs: Vec::new(),
            pmrs: Vec::new(),
            stream,
            stream_size: None,
            flags: 8 | 4,
            fence_fd: -1,
        }
    }

    /// On the first core, with a sync_file, reading and writing `bos`, whose addresses the driver
    /// writes.
    pub fn relocated(template: &Template, bos: &[&Bo]) -> Submit {
        let relocs = template.addresses.iter().map(|(at, index, offset)| Reloc {
            submit_offset: *at as u32 * 4,
            index: *index,
            offset: u64::from(*offset),
            flags: 0,
        });
        Submit {
            bos: bos.iter().map(|bo| (3, bo.handle, 0)).collect(),
            relocs: relocs.collect(),
            flags: 4,
            ..Submit::new(template.words.clone(), &[])
        }
    }

    /// Asks for `counters` before and after it: the values before it go to words 2 and on of `to`,
    /// as many after it to the words after those; word 0 gets the sequence.
    pub fn sample(&mut self, counters: &[(u8, u16)], sequence: u32, to: &Bo) {
        let read_index = self.bos.len() as u32;
        self.bos.push((3, to.handle, u64::from(to.va)));
        let pmrs = [1, 2]
            .into_iter()
            .flat_map(|flags| counters.iter().map(move |c| (flags, *c)));
        self.pmrs = (2..)
            .zip(pmrs)
            .map(|(read_offset, (flags, (domain, signal)))| Pmr {
                flags,
                domain,
                signal,
                sequence,
                read_offset,
                read_index,
            })
            .collect();
    }

    /// The same for another core; 3D is the `exec_state` 0, 2D is 1.
    pub fn on(self, pipe: u32, exec_state: u32) -> Submit {
        Submit {
            pipe,
            exec_state,
            ..self
        }
    }
}

fn bytes<T>(list: &[T], arg: impl Fn(&T) -> Arg) -> Vec<u8> {
    list.iter().flat_map(|entry| arg(entry).0).collect()
}

impl Client {
    /// GEM_SUBMIT. Without an out-fence asked for, the descriptor is what went in.
    pub fn submit_raw(&self, submit: &Submit) -> Result<Fence> {
        let bos = bytes(&submit.bos, |(flags, handle, va)| {
            Arg::new().w(*flags).w(*handle).l(*va)
        });
        let relocs = bytes(&submit.relocs, |r| {
            let arg = Arg::new().w(r.submit_offset).w(r.index).l(r.offset);
            // Padding.
            arg.w(r.flags).w(0)
        });
        let pmrs = bytes(&submit.pmrs, |p| {
            let arg = Arg::new().w(p.flags).b(&[p.domain, 0]).h(p.signal);
            arg.w(p.sequence).w(p.read_offset).w(p.read_index)
        });
        let size = submit.stream.len() as u32 * 4;
        let arg = Arg::new()
            .w(0)
            .w(submit.pipe)
            .w(submit.exec_state)
            .w(submit.bos.len() as u32)
            .w(submit.relocs.len() as u32)
            .w(submit.stream_size.unwrap_or(size))
            .l(bos.as_ptr() as u64)
            .l(relocs.as_ptr() as u64)
            .l(submit.stream.as_ptr() as u64)
            .w(submit.flags)
            .w(submit.fence_fd as u32)
            .l(pmrs.as_ptr() as u64)
            .w(submit.pmrs.len() as u32)
            .w(0);
        let out = self.ioctl(nr::GEM_SUBMIT, arg)?;
        Ok(Fence {
            pipe: submit.pipe,
            id: word(&out, 0),
            fd: word(&out, 52) as i32,
        })
    }

    /// A submit of words that use buffers.
    pub fn run(&self, stream: Vec<u32>, bos: &[&Bo]) -> Result<Fence> {
        self.submit_raw(&Submit::new(stream, bos))
    }

    /// Waits for a fence: how it ended, 1 well, less than 0 an error; 0 when it did not within
    /// `ns`. Closes the sync_file.
    pub fn end_of(&self, fence: Fence, ns: u64) -> i32 {
        let waited = self.wait_fence_on(fence.pipe, fence.id, 0, ns);
        let status = self.sync_file_status(fence.fd);
        self.caller.close_fd(fence.fd);
        assert_eq!(waited.is_err(), status == 0, "{waited:?} {status}");
        status
    }
}
