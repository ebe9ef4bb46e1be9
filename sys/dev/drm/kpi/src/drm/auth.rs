// SPDX-License-Identifier: BSD-2-Clause
//! Masters, magics and authentication on the primary node, as a state machine (drm_auth.c of Linux
//! 6.1). Files are given by their ids.
//!
//! A file that is opened while there is no master becomes master and is authenticated. Another file
//! gets a magic, by which the master under which it was opened can authenticate it.

use crate::alloc::{Arc, KVec};
use crate::os::Os;
use crate::util::errno::{Result, EBUSY, EINVAL, ENOSPC};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The state of one file. It changes only under the lock of the device's `Masters`.
#[derive(Default)]
pub(crate) struct FileAuth {
    authenticated: AtomicBool,
    was_master: AtomicBool,
    magic: AtomicU32,
    /// The id of the master under which it was opened, or of itself if it became one.
    group: AtomicU64,
}

impl FileAuth {
    /// Whether the file is authenticated.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.authenticated.load(Ordering::Relaxed)
    }

    /// Whether the file was master at any time.
    pub(crate) fn was_master(&self) -> bool {
        self.was_master.load(Ordering::Relaxed)
    }

    fn group(&self) -> u64 {
        self.group.load(Ordering::Relaxed)
    }
}

/// The state of a device.
pub(crate) struct Masters {
    /// The current master; 0 if none.
    current: u64,
    /// Magics that are not used yet: magic, group, file.
    magics: KVec<(u32, u64, Arc<FileAuth>)>,
    last_magic: u32,
    /// Groups that may read the bus name.
    named: KVec<u64>,
}

impl Masters {
    /// No master.
    pub(crate) fn new(os: Os) -> Masters {
        Masters {
            current: 0,
            magics: KVec::new(os),
            last_magic: 0,
            named: KVec::new(os),
        }
    }

    /// Whether `file` is the master.
    pub(crate) fn is_current(&self, file: u64) -> bool {
        self.current == file
    }

    fn make_master(&mut self, file: u64, auth: &FileAuth) {
        self.current = file;
        auth.group.store(file, Ordering::Relaxed);
        auth.was_master.store(true, Ordering::Relaxed);
        auth.authenticated.store(true, Ordering::Relaxed);
    }

    /// Adds a file of the primary node that is opened.
    pub(crate) fn open(&mut self, file: u64, auth: &FileAuth, privileged: bool) {
        auth.authenticated.store(privileged, Ordering::Relaxed);
        match self.current {
            0 => self.make_master(file, auth),
            current => auth.group.store(current, Ordering::Relaxed),
        }
    }

    /// Removes a file that is closed.
    pub(crate) fn close(&mut self, file: u64, auth: &Arc<FileAuth>) {
        if self.current == file {
            self.current = 0;
        }
        if let Some(i) = self.named.iter().position(|group| *group == file) {
            self.named.swap_remove(i);
        }
        let mut magics = self.magics.iter();
        if let Some(i) = magics.position(|(_, _, a)| Arc::ptr_eq(a, auth)) {
            self.magics.swap_remove(i);
        }
    }

    /// The magic of a file, which the first call makes.
    ///
    /// # Errors
    ///
    /// ENOMEM, ENOSPC.
    pub(crate) fn magic(&mut self, auth: &Arc<FileAuth>) -> Result<u32> {
        if auth.magic.load(Ordering::Relaxed) == 0 {
            let magic = self.last_magic.checked_add(1).ok_or(ENOSPC)?;
            self.magics.push((magic, auth.group(), auth.clone()))?;
            self.last_magic = magic;
            auth.magic.store(magic, Ordering::Relaxed);
        }
        Ok(auth.magic.load(Ordering::Relaxed))
    }

    /// Authenticates the file with a magic, on behalf of `master`.
    ///
    /// # Errors
    ///
    /// EINVAL if the magic is unknown, used, or of another group.
    pub(crate) fn authenticate(&mut self, master: &FileAuth, magic: u32) -> Result<()> {
        let group = master.group();
        let mut magics = self.magics.iter();
        let found = magics.position(|(m, g, _)| *m == magic && *g == group);
        let (_, _, auth) = found
            .and_then(|i| self.magics.swap_remove(i))
            .ok_or(EINVAL)?;
        auth.authenticated.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Makes a file the master, if it is not yet.
    ///
    /// # Errors
    ///
    /// EBUSY while another file is master.
    pub(crate) fn set(&mut self, file: u64, auth: &FileAuth) -> Result<()> {
        match self.current {
            0 => self.make_master(file, auth),
            current if current == file => {}
            _ => return Err(EBUSY),
        }
        Ok(())
    }

    /// Removes the master.
    ///
    /// # Errors
    ///
    /// EINVAL if `file` is not the master.
    pub(crate) fn drop_master(&mut self, file: u64) -> Result<()> {
        if self.current != file {
            return Err(EINVAL);
        }
        self.current = 0;
        Ok(())
    }

    /// Lets the files of this file's group read the bus name.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn show_bus_name(&mut self, auth: &FileAuth) -> Result<()> {
        if self.may_know_bus_name(auth) {
            return Ok(());
        }
        self.named.push(auth.group())
    }

    /// Whether a file may read the bus name.
    pub(crate) fn may_know_bus_name(&self, auth: &FileAuth) -> bool {
        self.named.contains(&auth.group())
    }
}
