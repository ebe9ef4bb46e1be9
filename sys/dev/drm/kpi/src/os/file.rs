// SPDX-License-Identifier: BSD-2-Clause
//! Files other than those of device nodes (dma-bufs, sync_files, syncobjs), and descriptors.

use super::from_c::{argument, store_mapping};
use super::{c, Caller, Os, UserMapping};
use crate::alloc::Arc;
use crate::util::errno::{Errno, Result, EINVAL, ENODEV, ENOTTY};
use bitflags::bitflags;
use core::ffi::{c_int, c_void};
use core::marker::PhantomData;
use core::ptr::null_mut;

/// The content of a file: its table of operations. The private pointer of the file is an
/// `Arc<Self>` made by `into_raw`.
pub(crate) trait FileOps: Send + Sync + Sized + 'static {
    /// The only table; its address identifies the kind of file.
    const OPS: &'static c::drm_os_file_ops;
}

bitflags! {
    /// Flags of a new descriptor.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct FdFlags: u32 {
        /// Closed by execve(2).
        const CLOEXEC = c::DRM_OS_FD_CLOEXEC;
        /// May be mapped writable.
        const WRITE = c::DRM_OS_FD_WRITE;
    }
}

/// A file without a descriptor yet. Dropping it discards the file.
///
/// # Invariants
///
/// `raw` is a live file made by `create`, neither installed nor discarded.
pub(crate) struct NewFile<T> {
    raw: *mut c::drm_os_file,
    _content: PhantomData<T>,
}

impl<T: FileOps> NewFile<T> {
    /// Makes a file with `content`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os, content: Arc<T>) -> Result<Self> {
        let content = content.into_raw();
        let mut raw = null_mut();
        // SAFETY: `os` is live, the table static, and the pointer of the type that the table
        // expects.
        let made = Errno::check(unsafe {
            c::drm_os_file_create(os.as_ptr(), T::OPS, content, &raw mut raw)
        });
        if let Err(e) = made {
            // SAFETY: made by `into_raw` just above; C did not take it.
            drop(unsafe { Arc::<T>::from_raw(content) });
            return Err(e);
        }
        // INVARIANT: just created.
        Ok(NewFile {
            raw,
            _content: PhantomData,
        })
    }

    /// Makes a descriptor of the file for `caller`.
    ///
    /// # Errors
    ///
    /// EMFILE, ENOMEM; the file is discarded.
    pub(crate) fn install(self, caller: &Caller<'_>, flags: FdFlags) -> Result<i32> {
        let mut fd = -1;
        // SAFETY: live by the invariant; the caller is live; `fd` is ours to fill.
        Errno::check(unsafe {
            c::drm_os_file_install(caller.as_ptr(), self.raw, flags.bits(), &raw mut fd)
        })?;
        core::mem::forget(self);
        Ok(fd)
    }

    /// The waker of the file's pollers, to be used only until the content is released.
    pub(crate) fn waker(&self) -> Waker {
        Waker(self.raw)
    }
}

impl<T> Drop for NewFile<T> {
    fn drop(&mut self) {
        // SAFETY: never installed, discarded once.
        unsafe { c::drm_os_file_discard(self.raw) }
    }
}

/// Wakes the pollers of a file. The file's content keeps it; the file outlives its content.
#[derive(Clone, Copy)]
pub(crate) struct Waker(*mut c::drm_os_file);

// SAFETY: the C side locks for itself.
unsafe impl Send for Waker {}
// SAFETY: as above.
unsafe impl Sync for Waker {}

impl Waker {
    /// Makes pollers check again. To be called only until the content is released.
    pub(crate) fn wake(self) {
        // SAFETY: the content calls this, and is released before the file is freed.
        unsafe { c::drm_os_file_wake(self.0) }
    }
}

/// The file of a user's descriptor, held.
///
/// # Invariants
///
/// `file` is held, and its private pointer `content` is a `T`'s.
pub(crate) struct FileRef<T> {
    file: *mut c::drm_os_file,
    content: *mut c_void,
    _content: PhantomData<T>,
}

impl<T: FileOps> FileRef<T> {
    /// The file of descriptor `fd` of `caller`.
    ///
    /// # Errors
    ///
    /// EBADF if there is no such descriptor, EINVAL if the file is of another kind.
    pub(crate) fn get(caller: &Caller<'_>, fd: i32) -> Result<Self> {
        let mut content = null_mut();
        let mut file = null_mut();
        // SAFETY: the caller is live; both pointers are ours to fill.
        Errno::check(unsafe {
            c::drm_os_file_get(caller.as_ptr(), fd, T::OPS, &raw mut content, &raw mut file)
        })?;
        // INVARIANT: C compared the tables.
        Ok(FileRef {
            file,
            content,
            _content: PhantomData,
        })
    }
}

impl<T: FileOps> core::ops::Deref for FileRef<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the file is held, so its content, a pointer from `into_raw`, is not released.
        let content = unsafe { Arc::<T>::borrow_raw(self.content) };
        match content {
            Some(content) => content,
            // C has no file without content.
            None => super::fatal("file without content"),
        }
    }
}

impl<T> Drop for FileRef<T> {
    fn drop(&mut self) {
        // SAFETY: held by `get`, put once.
        unsafe { c::drm_os_file_put(self.file) }
    }
}

/// The content of a file other than of a device node.
pub(crate) trait PlainFile: Send + Sync + Sized + 'static {
    /// The size that lseek(2) to the end returns.
    fn size(&self) -> u64 {
        0
    }
    /// Whether the file is readable for poll(2).
    fn readable(&self) -> bool {
        true
    }
    /// The memory for an mmap(2).
    fn mmap(&self, _offset: u64, _len: u64) -> Result<UserMapping> {
        Err(ENODEV)
    }
    /// Handles ioctl `nr` of `group`.
    fn ioctl(&self, _caller: &Caller<'_>, _group: u32, _nr: u32, _data: &mut [u8]) -> Result<()> {
        Err(ENOTTY)
    }
}

impl<T: PlainFile> FileOps for T {
    const OPS: &'static c::drm_os_file_ops = &c::drm_os_file_ops {
        release: Some(plain_release::<T>),
        ioctl: Some(plain_ioctl::<T>),
        mmap: Some(plain_mmap::<T>),
        poll: Some(plain_poll::<T>),
        size: Some(plain_size::<T>),
    };
}

unsafe extern "C" fn plain_release<T>(content: *mut c_void) {
    // SAFETY: C returns, once, the pointer that `NewFile::new` made.
    drop(unsafe { Arc::<T>::from_raw(content) });
}

unsafe extern "C" fn plain_ioctl<T: PlainFile>(
    content: *mut c_void,
    caller: *mut c::drm_os_caller,
    group: u32,
    nr: u32,
    data: *mut c_void,
    size: u32,
) -> c_int {
    // SAFETY: C holds the file during the call.
    let Some(content) = (unsafe { Arc::<T>::borrow_raw(content) }) else {
        return EINVAL.get();
    };
    // SAFETY: C passes `size` bytes of its own, for this call.
    let data = unsafe { argument(data, size) };
    // SAFETY: the caller of this very call.
    let caller = unsafe { Caller::from_raw(caller) };
    Errno::code(content.ioctl(&caller, group, nr, data))
}

unsafe extern "C" fn plain_mmap<T: PlainFile>(
    content: *mut c_void,
    offset: u64,
    len: u64,
    objp: *mut *mut c::drm_os_object,
    offsetp: *mut u64,
) -> c_int {
    // SAFETY: C holds the file during the call.
    let Some(content) = (unsafe { Arc::<T>::borrow_raw(content) }) else {
        return EINVAL.get();
    };
    // SAFETY: C passes pointers to variables of its own.
    unsafe { store_mapping(content.mmap(offset, len), objp, offsetp) }
}

unsafe extern "C" fn plain_poll<T: PlainFile>(content: *mut c_void) -> c_int {
    // SAFETY: C holds the file during the call.
    let content = unsafe { Arc::<T>::borrow_raw(content) };
    c_int::from(content.is_none_or(T::readable))
}

unsafe extern "C" fn plain_size<T: PlainFile>(content: *mut c_void) -> u64 {
    // SAFETY: C holds the file during the call.
    let content = unsafe { Arc::<T>::borrow_raw(content) };
    content.map_or(0, T::size)
}
