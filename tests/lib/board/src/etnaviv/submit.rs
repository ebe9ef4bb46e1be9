// SPDX-License-Identifier: BSD-2-Clause
//! GEM_SUBMIT.

use super::stream::Template;
use super::{Bo, Client};
use crate::Result;
use uapi::etnaviv::{
    GemSubmit, SubmitBo, SubmitPmr, SubmitReloc, GEM_SUBMIT, PM_PROCESS_POST, PM_PROCESS_PRE,
    SUBMIT_BO_READ, SUBMIT_BO_WRITE, SUBMIT_FENCE_FD_OUT, SUBMIT_SOFTPIN,
};

/// The arguments of a submit.
#[derive(Clone)]
pub struct Submit {
    /// Core.
    pub pipe: u32,
    /// `PIPE_3D` or `PIPE_2D`.
    pub exec_state: u32,
    /// Flags, access, handle and address of each buffer object.
    pub bos: Vec<(u32, u32, u64)>,
    /// Addresses that the driver writes.
    pub relocs: Vec<SubmitReloc>,
    /// Performance counters that the driver reads.
    pub pmrs: Vec<SubmitPmr>,
    /// The words of the stream.
    pub stream: Vec<u32>,
    /// Size of the stream in bytes, if not that of `stream`.
    pub stream_size: Option<u32>,
    /// `SUBMIT_` bits.
    pub flags: u32,
    /// The sync_file to wait for.
    pub fence_fd: i32,
}

const READ_WRITE: u32 = SUBMIT_BO_READ | SUBMIT_BO_WRITE;

/// Result of a submit with an out-fence.
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
    /// A submit with softpin on the first core, with a sync_file, that reads and writes `bos`.
    pub fn new(stream: Vec<u32>, bos: &[&Bo]) -> Submit {
        Submit {
            pipe: 0,
            exec_state: 0,
            bos: bos
                .iter()
                .map(|bo| (READ_WRITE, bo.handle, u64::from(bo.va)))
                .collect(),
            relocs: Vec::new(),
            pmrs: Vec::new(),
            stream,
            stream_size: None,
            flags: SUBMIT_SOFTPIN | SUBMIT_FENCE_FD_OUT,
            fence_fd: -1,
        }
    }

    /// A submit on the first core, with a sync_file, that reads and writes `bos`, whose addresses
    /// the driver writes.
    pub fn relocated(template: &Template, bos: &[&Bo]) -> Submit {
        let relocs = template
            .addresses
            .iter()
            .map(|(at, index, offset)| SubmitReloc {
                submit_offset: *at as u32 * 4,
                reloc_idx: *index,
                reloc_offset: u64::from(*offset),
                ..SubmitReloc::default()
            });
        Submit {
            bos: bos.iter().map(|bo| (READ_WRITE, bo.handle, 0)).collect(),
            relocs: relocs.collect(),
            flags: SUBMIT_FENCE_FD_OUT,
            ..Submit::new(template.words.clone(), &[])
        }
    }

    /// Requests `counters` before and after the submit: the values before it are written to words 2
    /// and on of `to`, those after it to the words that follow, and the sequence to word 0.
    pub fn sample(&mut self, counters: &[(u8, u16)], sequence: u32, to: &Bo) {
        let read_idx = self.bos.len() as u32;
        self.bos.push((READ_WRITE, to.handle, u64::from(to.va)));
        let pmrs = [PM_PROCESS_PRE, PM_PROCESS_POST]
            .into_iter()
            .flat_map(|flags| counters.iter().map(move |c| (flags, *c)));
        self.pmrs = (2..)
            .zip(pmrs)
            .map(|(read_offset, (flags, (domain, signal)))| SubmitPmr {
                flags,
                domain,
                signal,
                sequence,
                read_offset,
                read_idx,
                pad: 0,
            })
            .collect();
    }

    /// The same for another core; the `exec_state` of 3D is 0, of 2D 1.
    pub fn on(self, pipe: u32, exec_state: u32) -> Submit {
        Submit {
            pipe,
            exec_state,
            ..self
        }
    }
}

impl Client {
    /// GEM_SUBMIT. Without a request for an out-fence, the returned descriptor is the in-fence's.
    pub fn submit_raw(&self, submit: &Submit) -> Result<Fence> {
        let bo = |(flags, handle, presumed): &(u32, u32, u64)| SubmitBo {
            flags: *flags,
            handle: *handle,
            presumed: *presumed,
        };
        let bos: Vec<SubmitBo> = submit.bos.iter().map(bo).collect();
        let size = submit.stream.len() as u32 * 4;
        let arg = GemSubmit {
            pipe: submit.pipe,
            exec_state: submit.exec_state,
            nr_bos: bos.len() as u32,
            nr_relocs: submit.relocs.len() as u32,
            stream_size: submit.stream_size.unwrap_or(size),
            bos: bos.as_ptr() as u64,
            relocs: submit.relocs.as_ptr() as u64,
            stream: submit.stream.as_ptr() as u64,
            flags: submit.flags,
            fence_fd: submit.fence_fd,
            pmrs: submit.pmrs.as_ptr() as u64,
            nr_pmrs: submit.pmrs.len() as u32,
            ..GemSubmit::default()
        };
        let out = self.ioctl(GEM_SUBMIT, arg)?;
        Ok(Fence {
            pipe: submit.pipe,
            id: out.fence,
            fd: out.fence_fd,
        })
    }

    /// Submits words that use buffers.
    pub fn run(&self, stream: Vec<u32>, bos: &[&Bo]) -> Result<Fence> {
        self.submit_raw(&Submit::new(stream, bos))
    }

    /// Waits for a fence for at most `ns`. Returns its status: 1 signalled, negative an error, 0
    /// active. Closes the sync_file.
    pub fn end_of(&self, fence: Fence, ns: u64) -> i32 {
        let waited = self.wait_fence_on(fence.pipe, fence.id, 0, ns);
        let status = self.sync_file_status(fence.fd);
        self.caller.close_fd(fence.fd);
        assert_eq!(waited.is_err(), status == 0, "{waited:?} {status}");
        status
    }
}
