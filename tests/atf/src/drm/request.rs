// SPDX-License-Identifier: BSD-2-Clause
//! Request codes of ioctl(2) in Linux's encoding: direction in bits 31..30, size in 29..16, group
//! in 15..8, number in 7..0.
//!
//! Direction 1 means that the caller writes (the kernel reads), 2 that it reads.

use std::marker::PhantomData;

/// A request code whose argument is a `T`.
#[derive(Debug)]
pub struct Request<T> {
    code: u32,
    argument: PhantomData<fn(&mut T)>,
}

impl<T> Clone for Request<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Request<T> {}

impl<T> Request<T> {
    /// The number that ioctl(2) takes.
    pub const fn code(self) -> u32 {
        self.code
    }
}

const fn request<T>(direction: u32, group: u8, nr: u8, size: usize) -> Request<T> {
    assert!(size < 1 << 14, "the size field has 14 bits");
    let code = direction << 30 | (size as u32) << 16 | (group as u32) << 8 | nr as u32;
    Request {
        code,
        argument: PhantomData,
    }
}

/// `_IO`: no argument.
pub const fn io(group: u8, nr: u8) -> Request<()> {
    request(0, group, nr, 0)
}

/// `_IOW`: the kernel reads a `T`.
pub const fn iow<T>(group: u8, nr: u8) -> Request<T> {
    request(1, group, nr, size_of::<T>())
}

/// `_IOR`: the kernel writes a `T`.
pub const fn ior<T>(group: u8, nr: u8) -> Request<T> {
    request(2, group, nr, size_of::<T>())
}

/// `_IOWR`: the kernel reads and writes a `T`.
pub const fn iowr<T>(group: u8, nr: u8) -> Request<T> {
    request(3, group, nr, size_of::<T>())
}

#[cfg(test)]
mod tests {
    use crate::drm::{core, panfrost, sync_file};

    /// Codes as a tracer printed them for Mesa 22.3.6 on Linux, and as kernel documentation gives
    /// them.
    #[test]
    fn codes_are_those_that_linux_programs_send() {
        assert_eq!(core::VERSION.code(), 0xc040_6400);
        assert_eq!(core::GET_CAP.code(), 0xc010_640c);
        assert_eq!(core::GEM_CLOSE.code(), 0x4008_6409);
        assert_eq!(core::SYNCOBJ_CREATE.code(), 0xc008_64bf);
        assert_eq!(core::SYNCOBJ_HANDLE_TO_FD.code(), 0xc010_64c1);
        assert_eq!(core::SET_MASTER.code(), 0x641e);
        assert_eq!(panfrost::SUBMIT_40.code(), 0x4028_6440);
        assert_eq!(panfrost::SUBMIT.code(), 0x4030_6440);
        assert_eq!(panfrost::WAIT_BO.code(), 0x4010_6441);
        assert_eq!(panfrost::CREATE_BO.code(), 0xc018_6442);
        assert_eq!(panfrost::MMAP_BO.code(), 0xc010_6443);
        assert_eq!(panfrost::GET_PARAM.code(), 0xc010_6444);
        assert_eq!(panfrost::MADVISE.code(), 0xc00c_6448);
        assert_eq!(sync_file::MERGE.code(), 0xc030_3e03);
        assert_eq!(sync_file::FILE_INFO.code(), 0xc038_3e04);
    }
}
