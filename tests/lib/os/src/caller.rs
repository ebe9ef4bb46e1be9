// SPDX-License-Identifier: BSD-2-Clause
//! Callers. A caller is a thread of a process on whose behalf a call runs; it has signals, and the
//! memory and descriptors of its process.

use crate::clock::{Waiter, Wake};
use crate::file::File;
use crate::local::LocalProcess;
use crate::sys;
use crate::util::lk;
use crate::witness;
use crate::world::{Inner, World};
use std::ffi::{c_char, c_int, c_void};
use std::fmt;
use std::sync::{Arc, Mutex};

const EINTR: i32 = sys::DRM_OS_EINTR as i32;

/// The operations of a process that a world uses. Errors are FreeBSD's numbers.
pub trait Process: Send + Sync {
    /// Process id.
    fn pid(&self) -> i32;
    /// Real user id.
    fn uid(&self) -> u32 {
        0
    }
    /// Name of the program.
    fn comm(&self) -> String;
    /// Whether the process has all privileges.
    fn privileged(&self) -> bool;
    /// Reads the process's memory. Error: EFAULT.
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), i32>;
    /// Writes the process's memory. Error: EFAULT.
    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), i32>;
    /// Installs a descriptor of a file. Error: EMFILE.
    fn install(&self, f: File, cloexec: bool) -> Result<i32, i32>;
    /// Closes a descriptor that was installed for a call which has failed.
    fn withdraw(&self, fd: i32);
    /// The file of a descriptor. Errors: EBADF; EINVAL if it is not a file of the board.
    fn file(&self, fd: i32) -> Result<File, i32>;
}

#[derive(Default)]
struct Signals {
    /// The error that ends the next wait.
    pending: Option<i32>,
    dying: bool,
    waiting: Vec<Arc<Waiter>>,
}

/// The caller that `struct drm_os_caller` refers to.
pub(crate) struct CallerInner {
    pub(crate) w: Arc<Inner>,
    pub(crate) process: Arc<dyn Process>,
    signals: Mutex<Signals>,
    /// Descriptors that the current ioctl has installed.
    installed: Mutex<Vec<i32>>,
}

impl CallerInner {
    /// Called before an ioctl.
    pub(crate) fn begin_call(&self) {
        lk(&self.installed).clear();
    }

    /// Called when the ioctl installs a descriptor.
    pub(crate) fn add_installed(&self, fd: i32) {
        lk(&self.installed).push(fd);
    }

    /// Called after the ioctl; a failed one loses its descriptors.
    pub(crate) fn end_call(&self, well: bool) {
        let installed = std::mem::take(&mut *lk(&self.installed));
        if !well {
            installed
                .into_iter()
                .for_each(|fd| self.process.withdraw(fd));
        }
    }

    /// # Safety
    /// `p` is a caller of this crate, alive for the call.
    pub(crate) unsafe fn of<'a>(p: *mut sys::drm_os_caller) -> &'a CallerInner {
        // SAFETY: the caller's promise.
        unsafe { &*p.cast::<CallerInner>().cast_const() }
    }

    /// Takes the pending signal; returns its error.
    fn take_signal(&self) -> Option<i32> {
        let mut s = lk(&self.signals);
        s.dying.then_some(EINTR).or_else(|| s.pending.take())
    }

    /// Registers a wait that signals interrupt. If a signal is pending, takes it and returns its
    /// error.
    pub(crate) fn begin_wait(&self, waiter: &Arc<Waiter>) -> Result<(), i32> {
        let mut s = lk(&self.signals);
        if s.dying {
            return Err(EINTR);
        }
        if let Some(error) = s.pending.take() {
            return Err(error);
        }
        s.waiting.push(waiter.clone());
        Ok(())
    }

    /// Ends a wait that was woken for `why`; returns the error if a signal woke it.
    pub(crate) fn end_wait(&self, waiter: &Arc<Waiter>, why: Wake) -> Option<i32> {
        let mut s = lk(&self.signals);
        s.waiting.retain(|x| !Arc::ptr_eq(x, waiter));
        (why == Wake::Signal).then(|| s.pending.take().unwrap_or(EINTR))
    }

    fn signal(&self, error: i32, dying: bool) {
        let mut s = lk(&self.signals);
        s.pending = Some(error);
        s.dying |= dying;
        for waiter in &s.waiting {
            self.w.wake(waiter, Wake::Signal);
        }
    }
}

/// A thread of a process.
#[derive(Clone)]
pub struct Caller {
    pub(crate) inner: Arc<CallerInner>,
    local: Option<Arc<LocalProcess>>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Caller({}, {})",
            self.inner.process.pid(),
            self.inner.process.comm()
        )
    }
}

impl Caller {
    /// A new thread of `p`.
    pub fn new(world: &World, p: Arc<dyn Process>) -> Caller {
        let w = world.inner().clone();
        Caller {
            inner: Arc::new(CallerInner {
                w,
                process: p,
                signals: Mutex::default(),
                installed: Mutex::default(),
            }),
            local: None,
        }
    }

    /// A thread of a new process that shares this program's memory; not privileged. [`Caller::fd`]
    /// returns the files of its descriptors.
    pub fn local(world: &World, comm: &str) -> Caller {
        Caller::local_of(world, comm, 0)
    }

    /// As [`Caller::local`], for user `uid`.
    pub fn local_of(world: &World, comm: &str, uid: u32) -> Caller {
        let p = Arc::new(LocalProcess::new(comm, uid));
        Caller {
            local: Some(p.clone()),
            ..Caller::new(world, p)
        }
    }

    /// Another thread of the same process, with its own signals.
    pub fn thread(&self) -> Caller {
        let CallerInner { w, process, .. } = &*self.inner;
        Caller {
            inner: Arc::new(CallerInner {
                w: w.clone(),
                process: process.clone(),
                signals: Mutex::default(),
                installed: Mutex::default(),
            }),
            local: self.local.clone(),
        }
    }

    /// Sends a signal: ends one wait of this caller, the current or the next one, with EINTR.
    pub fn interrupt(&self) {
        self.inner.signal(EINTR, false);
    }

    /// Sends a signal whose handler restarts the call (SA_RESTART): ends one wait with ERESTART.
    pub fn interrupt_restarting(&self) {
        self.inner.signal(sys::DRM_OS_ERESTART, false);
    }

    /// Number of descriptors of a local caller's process; 0 for others.
    pub fn descriptors(&self) -> usize {
        self.local
            .as_ref()
            .map_or(0, |process| process.descriptors())
    }

    /// Whether a local caller's process keeps the files of descriptors that failed requests take
    /// back, as another thread of it can by dup(2). Returns those that it has kept so far.
    pub fn keep_withdrawn(&self, on: bool) -> Vec<File> {
        let process = self.local.as_ref();
        process.map_or_else(Vec::new, |process| process.keep_withdrawn(on))
    }

    /// Kills the thread: every wait from now on ends with EINTR.
    pub fn kill(&self) {
        self.inner.signal(EINTR, true);
    }

    /// The file of a local caller's descriptor; a new reference.
    pub fn fd(&self, fd: i32) -> Option<File> {
        self.inner.process.file(fd).ok()
    }

    /// Installs a descriptor of a file in the process, as a socket that passes one does.
    ///
    /// # Errors
    /// EMFILE.
    pub fn install(&self, file: File) -> Result<i32, i32> {
        self.inner.process.install(file, true)
    }

    /// Closes a descriptor of a local caller; no effect for others.
    pub fn close_fd(&self, fd: i32) {
        if let Some(l) = &self.local {
            l.close(fd);
        }
    }

    /// The `struct drm_os_caller`, for code that calls `drm_os_*` itself; valid during the lifetime
    /// of this clone.
    pub fn as_raw(&self) -> *mut sys::drm_os_caller {
        Arc::as_ptr(&self.inner).cast_mut().cast()
    }
}

pub(crate) mod exports {
    use super::*;

    fn answer(r: Result<(), i32>) -> c_int {
        r.err().unwrap_or(0)
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_copyin(
        caller: *mut sys::drm_os_caller,
        uaddr: u64,
        kaddr: *mut c_void,
        len: usize,
    ) -> c_int {
        witness::may_sleep("drm_os_copyin");
        if len == 0 {
            return 0;
        }
        let buf = std::slice::from_raw_parts_mut(kaddr.cast(), len);
        answer(CallerInner::of(caller).process.read(uaddr, buf))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_copyout(
        caller: *mut sys::drm_os_caller,
        kaddr: *const c_void,
        uaddr: u64,
        len: usize,
    ) -> c_int {
        witness::may_sleep("drm_os_copyout");
        if len == 0 {
            return 0;
        }
        answer(
            CallerInner::of(caller)
                .process
                .write(uaddr, std::slice::from_raw_parts(kaddr.cast(), len)),
        )
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_caller_pid(caller: *mut sys::drm_os_caller) -> i32 {
        CallerInner::of(caller).process.pid()
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_caller_uid(caller: *mut sys::drm_os_caller) -> u32 {
        CallerInner::of(caller).process.uid()
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_caller_comm(
        caller: *mut sys::drm_os_caller,
        buf: *mut c_char,
        len: usize,
    ) {
        if len == 0 {
            return;
        }
        let name = CallerInner::of(caller).process.comm();
        let n = name.len().min(len - 1);
        buf.cast::<u8>().copy_from_nonoverlapping(name.as_ptr(), n);
        buf.add(n).write(0);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_caller_privileged(caller: *mut sys::drm_os_caller) -> c_int {
        c_int::from(CallerInner::of(caller).process.privileged())
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_caller_interrupted(caller: *mut sys::drm_os_caller) -> c_int {
        CallerInner::of(caller).take_signal().unwrap_or(0)
    }
}
