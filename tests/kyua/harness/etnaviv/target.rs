// SPDX-License-Identifier: BSD-2-Clause
//! What most cases about submits need: a buffer in which it shows whether work ran, and the refusal
//! of a submit.

use super::client::{filled, Bo, Client};
use super::work::{Work, FILL_WORDS};
use crate::drm::Mapping;
use crate::errno::Sys;
use uapi::etnaviv::{GemSubmit, GEM_SUBMIT};

const BYTES: usize = 4096;

/// A buffer of a page, all of it [`Target::BEFORE`] at first.
#[derive(Debug)]
pub struct Target<'a> {
    /// The buffer.
    pub bo: Bo<'a>,
    /// All of it.
    pub map: Mapping,
}

impl<'a> Target<'a> {
    /// What memory holds before work was done on it.
    pub const BEFORE: u32 = 0x5a5a_5a5a;
    /// What it holds where it was done.
    pub const FILLED: u32 = 0x1234_5678;

    /// A new one.
    ///
    /// # Errors
    /// What GEM_NEW, GEM_INFO and mmap(2) give.
    pub fn new(client: &'a Client) -> Sys<Target<'a>> {
        let bo = client.bo(BYTES as u64)?;
        let map = bo.map()?;
        let target = Target { bo, map };
        target.forget();
        Ok(target)
    }

    /// Puts memory back as it was at first.
    pub fn forget(&self) {
        (0..BYTES)
            .step_by(4)
            .for_each(|at| self.map.write_u32(at, Self::BEFORE));
    }

    /// Work on the core that most cases use: fills its beginning.
    pub fn work(&self, client: &Client) -> Work {
        client.work().fill(&self.bo, 0, Self::FILLED)
    }

    /// Whether nothing has been written to it.
    pub fn is_untouched(&self) -> bool {
        (0..BYTES)
            .step_by(4)
            .all(|at| self.map.read_u32(at) == Self::BEFORE)
    }

    /// Whether a fill of its beginning, and no more of it, was done.
    pub fn is_done(&self) -> bool {
        filled(&self.map, 0, Self::FILLED) && self.map.read_u32(4 * FILL_WORDS) == Self::BEFORE
    }
}

/// Sends an argument that is to be refused with `errno`; it comes back as it was. Panics when it is
/// not so.
#[track_caller]
pub fn refuse(client: &Client, arg: GemSubmit, errno: i32) {
    let mut sent = GemSubmit {
        fence: 0x5555,
        ..arg
    };
    match client.node.ioctl(GEM_SUBMIT, &mut sent) {
        Err(error) if error.0 == errno => {}
        other => panic!("{arg:x?} gave {other:?}, expected errno {errno}"),
    }
    if (sent.fence, sent.fence_fd) != (0x5555, arg.fence_fd) {
        panic!("{arg:x?} came back as {sent:x?}");
    }
}

/// Submits work that is to be refused with `errno`. Panics when it is not.
#[track_caller]
pub fn refuse_work(client: &Client, work: &Work, errno: i32) {
    refuse(client, work.argument(), errno);
}
