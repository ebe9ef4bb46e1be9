// SPDX-License-Identifier: BSD-2-Clause
//! `drm_cred.c`, `drm_lock.c` and what that uses of `drm_node.c`, with the locks and the clock of
//! `freebsd/fake_threads.c`. There is one instance, which one test at a time holds as a [`System`].

use crate::memory::Opaque;
use std::ptr::{addr_of_mut, null_mut};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, RwLock};

/// `struct fake_threads_counts`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Threads that sleep.
    pub asleep: u64,
    /// Those of them that have a timer of their own.
    pub timed: u64,
    /// Sleeps so far.
    pub sleeps: u64,
    /// When the callout fires; 0 if it is not armed.
    pub armed: u64,
    /// How often it was armed.
    pub resets: u64,
    /// The first time that a thread sleeps until.
    pub first: u64,
    /// The bytes that the system has reserved.
    pub swap: u64,
}

/// Where a thread is in the C code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// About to take a mutex.
    Lock,
    /// About to sleep, with the mutex held.
    Sleep,
    /// Before or after an atomic operation.
    Atomic,
    /// In the system's function that reserves swap.
    Reserve,
    /// In the one that releases it.
    Release,
}

extern "C" {
    static mut threads_os: Opaque;
    fn drm_locks_init();
    fn drm_pool_wake();
    fn fbsd_pool_get(os: *mut Opaque, key: u64, mtx: *mut *mut Opaque, cv: *mut *mut Opaque);
    fn fbsd_mtx_create(os: *mut Opaque, name: *const i8, mtx: *mut *mut Opaque) -> i32;
    fn fbsd_mtx_destroy(mtx: *mut Opaque);
    fn fbsd_mtx_lock(mtx: *mut Opaque);
    fn fbsd_mtx_unlock(mtx: *mut Opaque);
    fn fbsd_cv_create(os: *mut Opaque, name: *const i8, cv: *mut *mut Opaque) -> i32;
    fn fbsd_cv_destroy(cv: *mut Opaque);
    fn fbsd_cv_wait(cv: *mut Opaque, mtx: *mut Opaque, caller: *mut Opaque, deadline: u64) -> i32;
    fn fbsd_cv_broadcast(cv: *mut Opaque);
    fn fbsd_cred_hold(caller: *mut Opaque, cred: *mut *mut Opaque) -> i32;
    fn fbsd_cred_free(cred: *mut Opaque);
    fn fbsd_cred_charge(cred: *mut Opaque, bytes: u64) -> i32;
    fn fbsd_cred_uncharge(cred: *mut Opaque, bytes: u64);
    fn fake_threads_counts() -> Counts;
    fn fake_on_step(f: Option<extern "C" fn(i32)>);
    fn fake_interrupt();
    fn fake_clock(to: u64) -> u64;
    fn fake_tick() -> bool;
    fn fake_kernel_process(is: bool);
    fn fake_swap_limit(bytes: u64);
    fn fake_minor() -> *mut Opaque;
    fn fake_purge(minor: *mut Opaque);
    fn fake_minor_free(minor: *mut Opaque);
    fn fake_threads_caller(minor: *mut Opaque) -> *mut Opaque;
    fn fake_threads_caller_free(caller: *mut Opaque);
}

type Step = Arc<dyn Fn(Place) + Send + Sync>;

static ONE: Mutex<()> = Mutex::new(());
static INIT: Once = Once::new();
static STEP: RwLock<Option<Step>> = RwLock::new(None);

extern "C" fn on_step(place: i32) {
    let f = STEP.read().unwrap_or_else(PoisonError::into_inner).clone();
    let places = [
        Place::Lock,
        Place::Sleep,
        Place::Atomic,
        Place::Reserve,
        Place::Release,
    ];
    if let (Some(f), Some(place)) = (f, places.get(place as usize)) {
        f(*place);
    }
}

/// The system: a clock, a callout, a limit of swap. No thread may sleep when it is dropped.
pub struct System {
    _one: MutexGuard<'static, ()>,
}

impl System {
    /// Waits until no other test has it.
    pub fn get() -> Self {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: once, before anything else of drm_lock.c.
        INIT.call_once(|| unsafe { drm_locks_init() });
        let system = System { _one };
        while system.tick() {}
        system
    }

    /// The current counts.
    pub fn counts(&self) -> Counts {
        // SAFETY: no precondition.
        unsafe { fake_threads_counts() }
    }

    /// What the clock reads, in ns.
    pub fn now(&self) -> u64 {
        self.clock(0)
    }

    /// Sets the clock, which never goes back, and wakes those whose deadline has come.
    pub fn clock(&self, to: u64) -> u64 {
        // SAFETY: no precondition.
        unsafe { fake_clock(to) }
    }

    /// Fires the callout; false if it is not armed.
    pub fn tick(&self) -> bool {
        // SAFETY: one thread at a time has the system, as one thread of a kernel fires a callout.
        unsafe { fake_tick() }
    }

    /// All threads that sleep and can be interrupted get a signal.
    pub fn interrupt(&self) {
        // SAFETY: no precondition.
        unsafe { fake_interrupt() }
    }

    /// Wakes everyone who sleeps in the pool.
    pub fn pool_wake(&self) {
        // SAFETY: the locks were initialized.
        unsafe { drm_pool_wake() }
    }

    /// Lets no more than `bytes` be reserved; nothing is at first.
    pub fn swap_limit(&self, bytes: u64) {
        // SAFETY: no precondition.
        unsafe { fake_swap_limit(bytes) }
    }

    /// Calls `f` wherever a thread is at a [`Place`].
    pub fn on_step(&self, f: impl Fn(Place) + Send + Sync + 'static) {
        *STEP.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(f));
        // SAFETY: the function is valid forever.
        unsafe { fake_on_step(Some(on_step)) };
    }

    /// Delays threads at random places.
    pub fn jitter(&self, seed: u64) {
        let random = seeded::Shared::new(seed);
        self.on_step(move |_| match random.next() % 512 {
            0 => std::thread::sleep(std::time::Duration::from_micros(20)),
            1..8 => std::thread::yield_now(),
            _ => {}
        });
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // SAFETY: no precondition.
        unsafe { fake_on_step(None) };
        if !std::thread::panicking() {
            let Counts { asleep, swap, .. } = self.counts();
            assert_eq!((asleep, swap), (0, 0), "threads that sleep, bytes reserved");
        }
    }
}

/// This thread is one of a kernel process, or of a user's.
pub fn kernel_process(is: bool) {
    // SAFETY: no precondition.
    unsafe { fake_kernel_process(is) }
}

/// A `struct drm_os_cred`; all must be uncharged when it is dropped.
pub struct Cred(*mut Opaque);

// SAFETY: drm_os.h lets any thread charge.
unsafe impl Send for Cred {}
// SAFETY: as above.
unsafe impl Sync for Cred {}

impl Cred {
    /// The one of this thread's process.
    pub fn hold() -> Self {
        let (caller, mut cred) = (Caller::new(None), null_mut());
        // SAFETY: the caller is of this thread.
        assert_eq!(unsafe { fbsd_cred_hold(caller.0, &mut cred) }, 0);
        Cred(cred)
    }

    /// `drm_os_cred_charge`.
    pub fn charge(&self, bytes: u64) -> Result<(), i32> {
        // SAFETY: it is held.
        crate::result(unsafe { fbsd_cred_charge(self.0, bytes) })
    }

    /// `drm_os_cred_uncharge`.
    pub fn uncharge(&self, bytes: u64) {
        // SAFETY: it is held.
        unsafe { fbsd_cred_uncharge(self.0, bytes) }
    }
}

impl Drop for Cred {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: no thread uses it now.
            unsafe { fbsd_cred_free(self.0) }
        }
    }
}

/// A node.
pub struct Minor(*mut Opaque);

// SAFETY: its functions take its lock.
unsafe impl Send for Minor {}
// SAFETY: as above.
unsafe impl Sync for Minor {}

impl Minor {
    /// A new one.
    #[allow(clippy::new_without_default, reason = "it is no value")]
    pub fn new() -> Self {
        // SAFETY: no precondition.
        Minor(unsafe { fake_minor() })
    }

    /// What devfs calls while the node is destroyed.
    pub fn purge(&self) {
        // SAFETY: the node lives.
        unsafe { fake_purge(self.0) }
    }
}

impl Drop for Minor {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: no thread uses it now.
            unsafe { fake_minor_free(self.0) }
        }
    }
}

/// A call of this thread's.
pub struct Caller(*mut Opaque);

impl Caller {
    /// One on a node, or on a file that is no node's.
    pub fn new(minor: Option<&Minor>) -> Self {
        // SAFETY: tests drop the node last.
        Caller(unsafe { fake_threads_caller(minor.map_or(null_mut(), |m| m.0)) })
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        // SAFETY: it is not in use.
        unsafe { fake_threads_caller_free(self.0) }
    }
}

/// A mutex and a condition variable.
pub struct Pair {
    mtx: *mut Opaque,
    cv: *mut Opaque,
    own: bool,
    /// Threads that have returned from [`Pair::wait`].
    pub returns: AtomicU64,
}

// SAFETY: they are locks.
unsafe impl Send for Pair {}
// SAFETY: as above.
unsafe impl Sync for Pair {}

impl Pair {
    /// Those of the pool for `key`.
    pub fn pool(key: u64) -> Self {
        let (mut mtx, mut cv) = (null_mut(), null_mut());
        // SAFETY: the instance lives forever.
        unsafe { fbsd_pool_get(addr_of_mut!(threads_os), key, &mut mtx, &mut cv) };
        Pair {
            mtx,
            cv,
            own: false,
            returns: AtomicU64::new(0),
        }
    }

    /// New ones.
    pub fn own() -> Self {
        let (mut mtx, mut cv, name) = (null_mut(), null_mut(), c"test".as_ptr().cast());
        // SAFETY: the name outlives them.
        let made = unsafe {
            (
                fbsd_mtx_create(null_mut(), name, &mut mtx),
                fbsd_cv_create(null_mut(), name, &mut cv),
            )
        };
        assert_eq!(made, (0, 0));
        Pair {
            mtx,
            cv,
            own: true,
            returns: AtomicU64::new(0),
        }
    }

    /// Runs `f` with the mutex held.
    pub fn locked<T>(&self, f: impl FnOnce() -> T) -> T {
        // SAFETY: the mutex lives.
        unsafe { fbsd_mtx_lock(self.mtx) };
        let result = f();
        // SAFETY: this thread has it.
        unsafe { fbsd_mtx_unlock(self.mtx) };
        result
    }

    /// `drm_os_cv_wait`, once, within [`Pair::locked`].
    pub fn wait(&self, caller: Option<&Caller>, deadline: u64) -> Result<(), i32> {
        let caller = caller.map_or(null_mut(), |c| c.0);
        // SAFETY: this thread has the mutex, and the caller is its own.
        let e = unsafe { fbsd_cv_wait(self.cv, self.mtx, caller, deadline) };
        self.returns.fetch_add(1, Relaxed);
        crate::result(e)
    }

    /// `drm_os_cv_broadcast`.
    pub fn broadcast(&self) {
        // SAFETY: it lives.
        unsafe { fbsd_cv_broadcast(self.cv) }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if self.own && !std::thread::panicking() {
            // SAFETY: no thread uses them now.
            unsafe { fbsd_cv_destroy(self.cv) };
            // SAFETY: as above.
            unsafe { fbsd_mtx_destroy(self.mtx) };
        }
    }
}
