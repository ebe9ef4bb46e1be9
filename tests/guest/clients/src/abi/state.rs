// SPDX-License-Identifier: BSD-2-Clause
//! What a stream of calls works on: files, objects, descriptors; and how the next call picks from
//! them.
//!
//! A pick gives the number and its text. A number that is stale or another file's is replaced when
//! it means something in this file, for which number a kernel uses again is its own business.

use super::memory::{Arena, Map};
use super::names::Names;
use super::rng::Rng;
use super::spec::Class;
use super::{etnaviv, panfrost};

/// The driver under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// panfrost.
    Panfrost,
    /// etnaviv.
    Etnaviv,
}

/// A buffer object of a file, as far as calls reported it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Obj {
    /// Its handle, which may be stale.
    pub handle: u32,
    /// Bytes.
    pub size: u64,
    /// Where mmap(2) finds it; 0 when that is not known.
    pub cookie: u64,
    /// Its GPU address; 0 when that is not known.
    pub va: u64,
    /// Which object it is: the call that made it.
    pub id: usize,
    /// In the CPU's caches: Linux 6.1 crashes when such an etnaviv object is given back to the GPU
    /// without having been taken.
    pub cached: bool,
    /// Memory of this process, which not every kernel exports.
    pub user: bool,
}

/// What jobs need, made when the first one is wanted.
#[derive(Debug)]
pub enum Kit {
    /// Not wanted yet.
    None,
    /// It could not be made.
    Broken,
    /// panfrost's.
    Panfrost(panfrost::Kit),
    /// etnaviv's.
    Etnaviv(etnaviv::Kit),
}

/// Buffer objects that a file is called with.
pub const OBJECTS: usize = 6;
/// Syncobjs that a file is called with.
pub const SYNCS: usize = 5;
/// Job-manager contexts that a file is called with.
pub const CONTEXTS: usize = 3;

/// An open file.
#[derive(Debug)]
pub struct File {
    /// Its descriptor; -1 when it could not be opened.
    pub fd: i32,
    /// It may contain objects that are not recorded here.
    pub murky: bool,
    /// Its buffer objects.
    pub objects: [Obj; OBJECTS],
    /// Its syncobjs, of which some are stale.
    pub syncs: [u32; SYNCS],
    /// Its job-manager contexts, of which some are stale.
    pub contexts: [u32; CONTEXTS],
    /// For jobs.
    pub kit: Kit,
}

/// What a descriptor is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A dma-buf.
    DmaBuf,
    /// A syncobj.
    Syncobj,
    /// A sync_file.
    SyncFile,
}

/// A descriptor that a call made.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// Its number, which may be stale.
    pub fd: i32,
    /// What it is of.
    pub kind: Kind,
    /// The object of a dma-buf.
    pub object: Obj,
}

/// A stream of calls.
#[derive(Debug)]
pub struct Stream {
    /// What lines begin with.
    pub tag: String,
    /// No other stream runs beside: a reset of the GPU, which some kernels do, affects no other
    /// stream.
    pub alone: bool,
    /// Number of the call.
    pub seq: usize,
    /// Choices of this call.
    pub rng: Rng,
    /// The transcript.
    pub out: String,
    /// The driver under test.
    pub driver: Driver,
    /// The minor version of its user ABI whose calls are made.
    pub minor: u32,
    /// The process has no privileges.
    pub unprivileged: bool,
    /// Names of the kernel's numbers.
    pub names: Names,
    /// The files.
    pub files: Vec<File>,
    /// Descriptors.
    pub fds: [Option<Descriptor>; 6],
    /// Global names, and the objects that they are of.
    pub flinks: Vec<(u32, Obj)>,
    /// Magic numbers.
    pub magics: [u32; 2],
    /// Fence numbers.
    pub fences: [u32; 3],
    /// Mappings.
    pub maps: [Option<Map>; 3],
    /// Arguments.
    pub arena: Arena,
    /// Arguments that cannot be written back.
    pub read_only: Arena,
}

/// A number that no kernel gives to anything here.
const NEVER: u64 = 0x00f0_0d00;

impl Stream {
    /// Nothing is open.
    pub fn new(tag: String, driver: Driver, minor: u32) -> Stream {
        Stream {
            tag,
            alone: true,
            seq: 0,
            rng: Rng::of(0, &[]),
            out: String::new(),
            driver,
            minor,
            unprivileged: false,
            names: Names::default(),
            files: Vec::new(),
            fds: [None; 6],
            flinks: Vec::new(),
            magics: [0; 2],
            fences: [u32::MAX; 3],
            maps: [None, None, None],
            arena: Arena::new(true),
            read_only: Arena::new(false),
        }
    }

    fn shown(&self, class: Class, f: usize, value: u64) -> Option<(u64, String)> {
        let name = self.names.get(class, f, value)?;
        Some((value, name.to_string()))
    }

    /// A number that may be wrong, kept only when it means nothing in this file.
    fn wrong(&self, class: Class, f: usize, value: u64, text: &str) -> (u64, String) {
        let safe = value != 0 && !self.files[f].murky && self.names.get(class, f, value).is_none();
        (if safe { value } else { NEVER }, text.to_string())
    }

    fn object_of(&mut self, class: Class, f: usize) -> (u64, String) {
        let nth = |file: &File, n: usize| match class {
            Class::Gem => u64::from(file.objects[n % OBJECTS].handle),
            _ => u64::from(file.syncs[n % SYNCS]),
        };
        match self.rng.below(100) {
            0..4 => (0, "0".to_string()),
            4..7 => (0xffff_ffff, "max".to_string()),
            7..10 => (NEVER, "never".to_string()),
            10..15 => {
                let (other, n) = (self.rng.below(self.files.len()), self.rng.below(OBJECTS));
                let value = nth(&self.files[other], n);
                self.wrong(class, f, value, "foreign")
            }
            15..20 => {
                let n = self.rng.below(OBJECTS);
                let value = nth(&self.files[f], n);
                self.wrong(class, f, value, "stale")
            }
            _ => {
                let n = self.rng.below(OBJECTS);
                (0..OBJECTS)
                    .find_map(|k| self.shown(class, f, nth(&self.files[f], n + k)))
                    .unwrap_or((NEVER, "none".to_string()))
            }
        }
    }

    /// A GEM handle, mostly a good one.
    pub fn gem(&mut self, f: usize) -> (u64, String) {
        self.object_of(Class::Gem, f)
    }

    /// A handle of a syncobj, mostly a good one.
    pub fn sync(&mut self, f: usize) -> (u64, String) {
        self.object_of(Class::Sync, f)
    }

    /// Whether an object's handle means something.
    pub fn live(&self, f: usize, nth: usize) -> bool {
        let handle = u64::from(self.files[f].objects[nth].handle);
        self.names.get(Class::Gem, f, handle).is_some()
    }

    /// A descriptor, mostly of the wanted kind.
    pub fn fd(&mut self, want: Kind) -> (u64, String) {
        let n = self.rng.below(self.fds.len());
        let nth = |k: usize| self.fds[(n + k) % self.fds.len()];
        let shown = |d: Descriptor| self.shown(Class::Fd, 0, d.fd as u64);
        let any = |of: &dyn Fn(Kind) -> bool| {
            (0..self.fds.len())
                .filter_map(nth)
                .filter(|d| of(d.kind))
                .find_map(shown)
        };
        let none = (9999, "closed".to_string());
        match self.rng.clone().below(100) {
            0..3 => (u64::from(u32::MAX), "-1".to_string()),
            3..6 => none,
            6..9 => (2, "stderr".to_string()),
            9..12 => (self.files[0].fd as u32 as u64, "drm:f0".to_string()),
            12..20 => any(&|_| true).unwrap_or(none),
            _ => any(&|kind| kind == want).unwrap_or(none),
        }
    }

    /// One of some numbers, and sometimes another.
    pub fn number(&mut self, of: &[u64]) -> u64 {
        if self.rng.percent(90) {
            self.rng.pick(of)
        } else {
            self.rng
                .pick(&[0xff, 0x8000_0000, 0xffff_ffff, 0x10, 0x100, 0x1_0000])
        }
    }

    /// Names a handle that no call of the transcript has given: no wrong handle shall happen to be
    /// this one.
    pub fn claim(&mut self, class: Class, f: usize, handle: u64) {
        let file = &mut self.files[f];
        match class {
            Class::Gem => file
                .objects
                .iter_mut()
                .filter(|o| u64::from(o.handle) == handle)
                .for_each(|o| *o = Obj::default()),
            _ => file
                .syncs
                .iter_mut()
                .filter(|s| u64::from(**s) == handle)
                .for_each(|s| *s = 0),
        }
        self.names.name(class, f, handle, self.seq);
    }

    /// What is known of the object of a handle.
    pub fn object(&self, f: usize, handle: u64) -> Obj {
        let of = |o: &&Obj| u64::from(o.handle) == handle;
        self.files[f]
            .objects
            .iter()
            .find(of)
            .copied()
            .unwrap_or_default()
    }

    /// Changes what is known of the object of a handle.
    pub fn learn(&mut self, f: usize, handle: u64, what: impl Fn(&mut Obj)) {
        let objects = self.files[f].objects.iter_mut();
        objects
            .filter(|o| u64::from(o.handle) == handle)
            .for_each(what);
    }

    /// Forgets what a handle meant.
    pub fn close_gem(&mut self, f: usize, handle: u64) {
        self.names.forget(Class::Gem, f, handle);
        // Two calls may have given the same handle: each knows its part.
        for gone in self.files[f]
            .objects
            .iter()
            .filter(|o| u64::from(o.handle) == handle)
        {
            self.names.forget(Class::Va, f, gone.va);
            self.names.forget(Class::Cookie, f, gone.cookie);
        }
        self.learn(f, handle, |o| (o.va, o.cookie) = (0, 0));
    }

    /// Forgets the global names of objects without a handle: they may come to name others.
    pub fn prune_flinks(&mut self) {
        let alive = |id: usize| {
            let files = 0..self.files.len();
            let mut all = files.flat_map(|f| (0..OBJECTS).map(move |n| (f, n)));
            all.any(|(f, n)| self.files[f].objects[n].id == id && self.live(f, n))
        };
        let (live, dead): (Vec<_>, Vec<_>) =
            self.flinks.iter().copied().partition(|(_, o)| alive(o.id));
        for (name, _) in dead {
            self.names.forget(Class::Flink, 0, u64::from(name));
        }
        self.flinks = live;
    }

    /// Keeps a descriptor in place of another, which is closed.
    pub fn keep(&mut self, fd: u64, kind: Kind, object: Obj) {
        let n = self.rng.below(self.fds.len());
        self.drop_fd(n);
        self.fds[n] = Some(Descriptor {
            fd: fd as u32 as i32,
            kind,
            object,
        });
    }

    /// Closes a descriptor that a call has just made.
    pub fn close_fd(&mut self, fd: u64) {
        self.names.forget(Class::Fd, 0, fd);
        // SAFETY: it has no other owner.
        unsafe { libc::close(fd as i32) };
    }

    /// Closes a descriptor, if it is open.
    pub fn drop_fd(&mut self, n: usize) {
        if let Some(old) = self.fds[n].take() {
            self.names.forget(Class::Fd, 0, old.fd as u64);
            // SAFETY: a call of this stream has made it, and it has no other owner.
            unsafe { libc::close(old.fd) };
        }
    }
}
