// SPDX-License-Identifier: BSD-2-Clause
//! The user thread on whose behalf a call runs, and its memory.

use super::{c, Os};
use crate::alloc::KVec;
use crate::util::errno::{Errno, Result, EFAULT, ENOMEM};
use crate::util::int_conv::{u64_of, usize_of};
use core::marker::PhantomData;
use static_assertions::assert_not_impl_any;

/// The calling user thread; exists only while its call runs.
///
/// # Invariants
///
/// The pointer is the caller of the system call that runs now, for `'a`.
pub struct Caller<'a> {
    raw: *mut c::drm_os_caller,
    _life: PhantomData<&'a mut ()>,
}

// A caller is on the stack of its own thread.
assert_not_impl_any!(Caller<'static>: Send, Sync);

impl Caller<'_> {
    /// # Safety
    ///
    /// `raw` is the caller of a call that lasts at least as long as the result.
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

    /// The process.
    pub fn pid(&self) -> i32 {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_caller_pid(self.raw) }
    }

    /// The real user.
    pub fn uid(&self) -> u32 {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_caller_uid(self.raw) }
    }

    /// The name of the program, ended and filled by zeroes.
    pub fn comm(&self) -> [u8; 20] {
        let mut name = [0; 20];
        // SAFETY: live by the invariant; the buffer has the length that is passed.
        unsafe { c::drm_os_caller_comm(self.raw, name.as_mut_ptr().cast(), name.len()) };
        name
    }

    /// For loops whose length a client chooses: EINTR or ERESTART in some of the turns when a signal is pending or the
    /// thread is dying.
    ///
    /// # Errors
    ///
    /// EINTR, ERESTART.
    pub fn check_signals(&self, turn: usize) -> Result<()> {
        const EACH: usize = 256;
        if turn % EACH != EACH - 1 {
            return Ok(());
        }
        // SAFETY: live by the invariant.
        Errno::check(unsafe { c::drm_os_caller_interrupted(self.raw) })
    }

    /// Whether it may do anything.
    pub fn privileged(&self) -> bool {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_caller_privileged(self.raw) != 0 }
    }
}

/// An allegation by user space: "`len` bytes at `addr` are mine". Consumed by the one read or write, so
/// nothing is fetched twice.
#[derive(Debug)]
pub struct UserSlice {
    addr: u64,
    len: u64,
}

/// An array that a user passes is read at most this large.
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

    /// Copies an array of little-endian u32, `len / 4` of them.
    ///
    /// # Errors
    ///
    /// EFAULT; ENOMEM, also when it is absurdly long.
    pub fn read_u32s(self, os: Os, caller: &Caller<'_>) -> Result<KVec<u32>> {
        if self.len > MAX_BYTES {
            return Err(ENOMEM);
        }
        let mut words = KVec::filled(os, 0u32, usize_of(self.len / 4))?;
        let bytes = words.len().checked_mul(4).ok_or(EFAULT)?;
        if bytes != 0 {
            // SAFETY: the caller is live; the words are `bytes` bytes of plain memory.
            Errno::check(unsafe {
                c::drm_os_copyin(caller.raw, self.addr, words.as_mut_ptr().cast(), bytes)
            })?;
        }
        Ok(words)
    }

    /// Copies the first bytes of the slice, as many as `to` has room for.
    ///
    /// # Errors
    ///
    /// EFAULT.
    pub fn read(self, caller: &Caller<'_>, to: &mut [u8]) -> Result<()> {
        let n = to.len().min(usize_of(self.len));
        self.read_into(caller, to.get_mut(..n).unwrap_or_default())
    }

    /// Copies `from` to the start of the slice, as much as it has room for.
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
