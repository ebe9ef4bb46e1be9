// SPDX-License-Identifier: BSD-2-Clause
//! Callers: one thread of a process on whose behalf a call runs, its signals, its memory, its
//! descriptors.

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

/// What the world needs of a process.  Errors are FreeBSD's numbers.
pub trait Process: Send + Sync {
    /// Its number.
    fn pid(&self) -> i32;
    /// Its real user.
    fn uid(&self) -> u32 {
        0
    }
    /// The name of its program.
    fn comm(&self) -> String;
    /// Whether it may do anything.
    fn privileged(&self) -> bool;
    /// Reads its memory; EFAULT.
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), i32>;
    /// Writes its memory; EFAULT.
    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), i32>;
    /// Gives it a descriptor of a file; EMFILE.
    fn install(&self, f: File, cloexec: bool) -> Result<i32, i32>;
    /// The request failed that a descriptor was installed for: takes it back.
    fn withdraw(&self, fd: i32);
    /// The file of a descriptor; EBADF, or EINVAL if it is not one of the board's.
    fn file(&self, fd: i32) -> Result<File, i32>;
}

#[derive(Default)]
struct Signals {
    /// What ends the next wait.
    pending: Option<i32>,
    dying: bool,
    waiting: Vec<Arc<Waiter>>,
}

/// What `struct drm_os_caller` is here.
pub(crate) struct CallerInner {
    pub(crate) w: Arc<Inner>,
    pub(crate) process: Arc<dyn Process>,
    signals: Mutex<Signals>,
    /// Descriptors that the request under way gave.
    given: Mutex<Vec<i32>>,
}

impl CallerInner {
    /// An ioctl begins.
    pub(crate) fn begin_call(&self) {
        lk(&self.given).clear();
    }

    /// It gave a descriptor.
    pub(crate) fn gave(&self, fd: i32) {
        lk(&self.given).push(fd);
    }

    /// It ended.
    pub(crate) fn end_call(&self, well: bool) {
        let given = std::mem::take(&mut *lk(&self.given));
        if !well {
            given.into_iter().for_each(|fd| self.process.withdraw(fd));
        }
    }

    /// # Safety
    /// `p` is a caller of this crate, alive for the call.
    pub(crate) unsafe fn of<'a>(p: *mut sys::drm_os_caller) -> &'a CallerInner {
        // SAFETY: the caller's promise.
        unsafe { &*p.cast::<CallerInner>().cast_const() }
    }

    /// The error of a signal that is pending, which is consumed.
    fn take_signal(&self) -> Option<i32> {
        let mut s = lk(&self.signals);
        s.dying.then_some(EINTR).or_else(|| s.pending.take())
    }

    /// Lists a wait that signals interrupt; if one is pending already it is consumed, and says with
    /// which error the wait ends.
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

    /// The error of a wait that ended for `why`, if a signal ended it.
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

/// One thread of a process.
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
    /// A thread of `p`.
    pub fn new(world: &World, p: Arc<dyn Process>) -> Caller {
        let w = world.inner().clone();
        Caller {
            inner: Arc::new(CallerInner {
                w,
                process: p,
                signals: Mutex::default(),
                given: Mutex::default(),
            }),
            local: None,
        }
    }

    /// A thread of a process of its own that shares this program's memory; not privileged. Its
    /// descriptors are known by [`Caller::fd`].
    pub fn local(world: &World, comm: &str) -> Caller {
        Caller::local_of(world, comm, 0)
    }

    /// The same of a process of user `uid`.
    pub fn local_of(world: &World, comm: &str, uid: u32) -> Caller {
        let p = Arc::new(LocalProcess::new(comm, uid));
        Caller {
            local: Some(p.clone()),
            ..Caller::new(world, p)
        }
    }

    /// Another thread of the same process, with signals of its own.
    pub fn thread(&self) -> Caller {
        let CallerInner { w, process, .. } = &*self.inner;
        Caller {
            inner: Arc::new(CallerInner {
                w: w.clone(),
                process: process.clone(),
                signals: Mutex::default(),
                given: Mutex::default(),
            }),
            local: self.local.clone(),
        }
    }

    /// A signal: ends one wait of this caller, this one or the next, with EINTR.
    pub fn interrupt(&self) {
        self.inner.signal(EINTR, false);
    }

    /// A signal whose handler has the call restarted (SA_RESTART): ends one wait with ERESTART.
    pub fn interrupt_restarting(&self) {
        self.inner.signal(sys::DRM_OS_ERESTART, false);
    }

    /// How many descriptors a local caller's process has; 0 for others.
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

    /// The thread is dying: every wait from now on ends with EINTR.
    pub fn kill(&self) {
        self.inner.signal(EINTR, true);
    }

    /// The file of a local caller's descriptor; a new reference.
    pub fn fd(&self, fd: i32) -> Option<File> {
        self.inner.process.file(fd).ok()
    }

    /// Gives the process a descriptor of a file, as a socket does that carries one.
    ///
    /// # Errors
    /// EMFILE.
    pub fn install(&self, file: File) -> Result<i32, i32> {
        self.inner.process.install(file, true)
    }

    /// Closes a descriptor of a local caller; nothing for others.
    pub fn close_fd(&self, fd: i32) {
        if let Some(l) = &self.local {
            l.close(fd);
        }
    }

    /// The `struct drm_os_caller`, for code that calls `drm_os_*` itself; valid while this clone
    /// lives.
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
