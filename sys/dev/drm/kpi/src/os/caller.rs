// SPDX-License-Identifier: BSD-2-Clause
//! The user thread that makes a call, and its memory.

use super::{c, Os};
use crate::alloc::KVec;
use crate::util::errno::{Errno, Result, EFAULT, ENOMEM};
use crate::util::int_conv::{u64_of, usize_of};
use core::marker::PhantomData;
use core::ops::Deref;
use static_assertions::assert_not_impl_any;

/// The calling user thread; it exists only during the call.
///
/// # Invariants
///
/// The pointer is the caller of the current system call, which lasts for `'a`.
pub struct Caller<'a> {
    raw: *mut c::drm_os_caller,
    _life: PhantomData<&'a mut ()>,
}

// A caller is on the stack of its own thread.
assert_not_impl_any!(Caller<'static>: Send, Sync);

impl Caller<'_> {
    /// # Safety
    ///
    /// `raw` is the caller of a call that does not return before the result is dropped.
    pub(crate) unsafe fn from_raw(raw: *mut c::drm_os_caller) -> Self {
        // INVARIANT: as the caller promises.
        Caller {
            raw,
            _life: PhantomData,
        }
    }

    pub(crate) fn as_ptr(&self) -> *mut c::drm_os_caller {
        self.raw
    }

    /// The process id.
    pub fn pid(&self) -> i32 {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_caller_pid(self.raw) }
    }

    /// The real user id.
    pub fn uid(&self) -> u32 {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_caller_uid(self.raw) }
    }

    /// The name of the program, terminated and filled by zeroes.
    pub fn comm(&self) -> [u8; 20] {
        let mut name = [0; 20];
        // SAFETY: live by the invariant; the buffer has the length that is passed.
        unsafe { c::drm_os_caller_comm(self.raw, name.as_mut_ptr().cast(), name.len()) };
        name
    }

    /// For loops with a length that a client chooses: fails in some turns if a signal is pending or
    /// the thread is exiting.
    ///
    /// # Errors
    ///
    /// EINTR, ERESTART.
    pub fn check_signals(&self, turn: usize) -> Result<()> {
        const EACH: usize = 256;
        if turn % EACH != EACH - 1 {
            return Ok(());
        }
        self.check_signal()
    }

    /// Fails if a signal is pending or the thread is exiting.
    ///
    /// # Errors
    ///
    /// EINTR, ERESTART.
    pub fn check_signal(&self) -> Result<()> {
        // SAFETY: live by the invariant.
        Errno::check(unsafe { c::drm_os_caller_interrupted(self.raw) })
    }

    /// Whether it is privileged.
    pub fn privileged(&self) -> bool {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_caller_privileged(self.raw) != 0 }
    }
}

/// Memory of a process as a client claims it: `len` bytes at `addr`. A read or write consumes it,
/// so that nothing is fetched twice.
#[derive(Debug)]
pub struct UserSlice {
    addr: u64,
    len: u64,
}

/// A user's array of u32.
pub enum Words {
    /// A short one, and its length.
    Few([u32; Words::FEW], usize),
    /// A long one.
    Many(KVec<u32>),
}

impl Words {
    /// The most words of a short one.
    const FEW: usize = 16;
}

impl Deref for Words {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match self {
            Words::Few(words, count) => words.get(..*count).unwrap_or(&[]),
            Words::Many(words) => words,
        }
    }
}

/// The most bytes of an array that a user passes.
const MAX_BYTES: u64 = 16 << 20;

impl UserSlice {
    /// `len` bytes at user address `addr`.
    pub fn new(addr: u64, len: u64) -> Self {
        UserSlice { addr, len }
    }

    fn read_into(&self, caller: &Caller<'_>, to: &mut [u8]) -> Result<()> {
        if to.is_empty() {
            return Ok(());
        }
        // SAFETY: the caller is live; `to` is writable for its length.
        Errno::check(unsafe {
            c::drm_os_copyin(caller.raw, self.addr, to.as_mut_ptr().cast(), to.len())
        })
    }

    /// Copies in an array of little-endian u32, `len / 4` of them.
    ///
    /// # Errors
    ///
    /// EFAULT; ENOMEM, also if it is longer than 16 MiB.
    pub fn read_u32s(self, os: Os, caller: &Caller<'_>) -> Result<KVec<u32>> {
        if self.len > MAX_BYTES {
            return Err(ENOMEM);
        }
        let count = usize_of(self.len / 4);
        let copy = |to: *mut u32, bytes| {
            // SAFETY: the caller is live; there is room for that many bytes.
            Errno::check(unsafe { c::drm_os_copyin(caller.raw, self.addr, to.cast(), bytes) })
        };
        // SAFETY: a copyin that succeeds has written all of them.
        unsafe { KVec::filled_by(os, count, copy) }
    }

    /// As `read_u32s`, for an array that is used only during the call: a short one needs no memory.
    ///
    /// # Errors
    ///
    /// EFAULT; ENOMEM, also if it is longer than 16 MiB.
    pub fn read_words(self, os: Os, caller: &Caller<'_>) -> Result<Words> {
        let count = usize_of(self.len / 4);
        let mut few = [0; Words::FEW];
        let Some(words) = few.get_mut(..count) else {
            return self.read_u32s(os, caller).map(Words::Many);
        };
        if count != 0 {
            // SAFETY: the caller is live; the words are that many bytes of plain memory.
            Errno::check(unsafe {
                c::drm_os_copyin(
                    caller.raw,
                    self.addr,
                    words.as_mut_ptr().cast(),
                    size_of_val(words),
                )
            })?;
        }
        Ok(Words::Few(few, count))
    }

    /// Copies in the first bytes of the slice, as many as `to` has room for.
    ///
    /// # Errors
    ///
    /// EFAULT.
    pub fn read(self, caller: &Caller<'_>, to: &mut [u8]) -> Result<()> {
        let n = to.len().min(usize_of(self.len));
        self.read_into(caller, to.get_mut(..n).unwrap_or_default())
    }

    /// The length of the string at the start of the slice; `None` if that has no terminator. Reads
    /// no page after that of the terminator.
    ///
    /// # Errors
    ///
    /// EFAULT.
    pub fn string_len(self, caller: &Caller<'_>) -> Result<Option<u64>> {
        /// Pieces end at multiples of it, as pages do.
        const PIECE: u64 = 64;
        let mut bytes = [0; usize_of(PIECE)];
        let mut len: u64 = 0;
        while len < self.len {
            let at = self.addr.checked_add(len).ok_or(EFAULT)?;
            let count = PIECE.min(self.len.checked_sub(len).ok_or(EFAULT)?);
            let count = count.min(PIECE.checked_sub(at % PIECE).ok_or(EFAULT)?);
            let piece = bytes.get_mut(..usize_of(count)).unwrap_or_default();
            UserSlice::new(at, count).read_into(caller, piece)?;
            if let Some(end) = piece.iter().position(|byte| *byte == 0) {
                return Ok(len.checked_add(u64_of(end)));
            }
            len = len.checked_add(count).ok_or(EFAULT)?;
        }
        Ok(None)
    }

    /// Copies `from` out to the start of the slice, as much as that has room for.
    ///
    /// # Errors
    ///
    /// EFAULT.
    pub fn write(self, caller: &Caller<'_>, from: &[u8]) -> Result<()> {
        let n = u64_of(from.len()).min(self.len);
        if n == 0 {
            return Ok(());
        }
        // SAFETY: the caller is live; `from` is readable for `n` bytes.
        Errno::check(unsafe {
            c::drm_os_copyout(caller.raw, from.as_ptr().cast(), self.addr, usize_of(n))
        })
    }
}
