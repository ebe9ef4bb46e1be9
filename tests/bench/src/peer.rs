// SPDX-License-Identifier: BSD-2-Clause
//! The parts of Linux that ours are measured against: a library that peer/build.sh makes from
//! Linux's source.

use std::ffi::{c_int, c_void, CStr, CString};
use std::path::Path;

type New = extern "C" fn() -> *mut c_void;
type NewOf = extern "C" fn(c_int) -> *mut c_void;
type Free = extern "C" fn(*mut c_void);
type Map = extern "C" fn(*mut c_void, u64, u64, usize, usize) -> c_int;
type Unmap = extern "C" fn(*mut c_void, u64, usize, usize) -> usize;
type Lookup = extern "C" fn(*mut c_void, u64) -> u64;
type Push = extern "C" fn(*mut c_void, c_int) -> c_int;
type Run = extern "C" fn(*mut c_void) -> u64;

/// The library's functions; see peer/iommu.c and peer/sched.c.
pub struct Peer {
    table_new: New,
    table_free: Free,
    map: Map,
    unmap: Unmap,
    lookup: Lookup,
    sched_new: NewOf,
    sched_free: Free,
    push: Push,
    run: Run,
}

fn symbol(library: *mut c_void, name: &CStr) -> Result<*mut c_void, String> {
    // SAFETY: the library is open, the name is a C string.
    let found = unsafe { libc::dlsym(library, name.as_ptr()) };
    if found.is_null() {
        return Err(format!("the peer has no {}", name.to_string_lossy()));
    }
    Ok(found)
}

/// A symbol as a function of a type, which must be that of its definition.
macro_rules! function {
    ($library:expr, $name:literal, $type:ty) => {{
        let found = symbol($library, $name)?;
        // SAFETY: the type is the one that the C source gives it.
        unsafe { std::mem::transmute::<*mut c_void, $type>(found) }
    }};
}

impl Peer {
    /// Loads the library; it is never unloaded.
    ///
    /// # Errors
    /// A sentence: it is not there, or it is no peer.
    pub fn load(path: &Path) -> Result<Peer, String> {
        let name =
            CString::new(path.as_os_str().as_encoded_bytes()).map_err(|error| error.to_string())?;
        // SAFETY: the library has no constructors.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            return Err(format!("{}: no such peer", path.display()));
        }
        Ok(Peer {
            table_new: function!(library, c"peer_table_new", New),
            table_free: function!(library, c"peer_table_free", Free),
            map: function!(library, c"peer_map", Map),
            unmap: function!(library, c"peer_unmap", Unmap),
            lookup: function!(library, c"peer_lookup", Lookup),
            sched_new: function!(library, c"peer_sched_new", NewOf),
            sched_free: function!(library, c"peer_sched_free", Free),
            push: function!(library, c"peer_push", Push),
            run: function!(library, c"peer_run", Run),
        })
    }

    /// An empty page table.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn table(&self) -> PeerTable<'_> {
        let table = (self.table_new)();
        assert!(!table.is_null(), "the peer has no memory");
        PeerTable { peer: self, table }
    }

    /// A scheduler with `entities` entities.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn scheduler(&self, entities: u16) -> PeerScheduler<'_> {
        let sched = (self.sched_new)(entities.into());
        assert!(!sched.is_null(), "the peer has no memory");
        PeerScheduler { peer: self, sched }
    }
}

/// A page table of Linux's io-pgtable-arm.c in the format ARM_MALI_LPAE.
pub struct PeerTable<'a> {
    peer: &'a Peer,
    table: *mut c_void,
}

impl PeerTable<'_> {
    /// Maps `count` pages of `page` bytes.
    ///
    /// # Panics
    /// If Linux refuses.
    pub fn map(&self, iova: u64, pa: u64, page: u64, count: u64) {
        assert_eq!(
            (self.peer.map)(self.table, iova, pa, page as usize, count as usize),
            0
        );
    }

    /// Unmaps `count` pages of `page` bytes.
    ///
    /// # Panics
    /// If they were not mapped.
    pub fn unmap(&self, iova: u64, page: u64, count: u64) {
        assert_eq!(
            (self.peer.unmap)(self.table, iova, page as usize, count as usize) as u64,
            page * count
        );
    }

    /// Translates an address.
    pub fn lookup(&self, iova: u64) -> u64 {
        (self.peer.lookup)(self.table, iova)
    }
}

impl Drop for PeerTable<'_> {
    fn drop(&mut self) {
        (self.peer.table_free)(self.table);
    }
}

/// Linux's drm_sched with its fences; the thread of it is the caller's.
pub struct PeerScheduler<'a> {
    peer: &'a Peer,
    sched: *mut c_void,
}

impl PeerScheduler<'_> {
    /// Queues a job.
    ///
    /// # Panics
    /// If Linux refuses.
    pub fn push(&self, entity: u16) {
        assert_eq!((self.peer.push)(self.sched, entity.into()), 0);
    }

    /// Runs what is queued, each job for no time; how many jobs of all schedulers have ended so
    /// far.
    pub fn run(&self) -> u64 {
        (self.peer.run)(self.sched)
    }
}

impl Drop for PeerScheduler<'_> {
    fn drop(&mut self) {
        (self.peer.sched_free)(self.sched);
    }
}
