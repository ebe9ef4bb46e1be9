// SPDX-License-Identifier: BSD-2-Clause
//! Who may do what on the primary node: masters, magics, authentication (drm_auth.c of Linux 6.1).
//!
//! The first file opened while there is no master becomes it and is authenticated; a file that is not gets
//! a magic, with which the master under which it was opened can authenticate it.

use crate::alloc::{Arc, KVec};
use crate::drm::driver::{Call, Driver};
use crate::drm::file::File;
use crate::os::{Caller, Os};
use crate::util::errno::{Result, EACCES, EBUSY, EINVAL};
use crate::util::uapi::Auth;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// What one file is. Changes only under the lock of the device's `Masters`.
#[derive(Default)]
pub(crate) struct FileAuth {
    authenticated: AtomicBool,
    was_master: AtomicBool,
    magic: AtomicU32,
    /// The master under which it lives: the file that founded it.
    group: AtomicU64,
}

/// What a device knows of its masters.
pub(crate) struct Masters {
    /// The current master's file; 0 for none.
    current: u64,
    /// Magics not used yet: number, group, whose.
    magics: KVec<(u32, u64, Arc<FileAuth>)>,
    last_magic: u32,
    /// Masters that have asked for the bus name.
    named: KVec<u64>,
}

impl Masters {
    pub(crate) fn new(os: Os) -> Masters {
        Masters {
            current: 0,
            magics: KVec::new(os),
            last_magic: 0,
            named: KVec::new(os),
        }
    }

    fn found<D: Driver>(&mut self, file: &File<D>) {
        self.current = file.id();
        let auth = file.auth();
        auth.group.store(file.id(), Ordering::Relaxed);
        auth.was_master.store(true, Ordering::Relaxed);
        auth.authenticated.store(true, Ordering::Relaxed);
    }
}

impl<D: Driver> File<D> {
    /// From now on clients of this file's master are told the bus name.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn show_bus_name(&self) -> Result<()> {
        let mut masters = self.device().masters().lock();
        let group = self.auth().group.load(Ordering::Relaxed);
        if masters.named.contains(&group) {
            return Ok(());
        }
        masters.named.push(group)
    }

    /// The bus name as clients of this file's master may know it.
    pub(crate) fn bus_name<'a>(&self, buffer: &'a mut [u8]) -> &'a [u8] {
        let group = self.auth().group.load(Ordering::Relaxed);
        if self.device().masters().lock().named.contains(&group) {
            self.device().dev().name(buffer)
        } else {
            &[]
        }
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        self.auth().authenticated.load(Ordering::Relaxed)
    }

    pub(crate) fn is_current_master(&self) -> bool {
        self.device().masters().lock().current == self.id()
    }

    pub(crate) fn master_open(&self, caller: &Caller<'_>) {
        let mut masters = self.device().masters().lock();
        self.auth()
            .authenticated
            .store(caller.privileged(), Ordering::Relaxed);
        match masters.current {
            0 => masters.found(self),
            current => self.auth().group.store(current, Ordering::Relaxed),
        }
    }

    pub(crate) fn master_close(&self) {
        let mut masters = self.device().masters().lock();
        if masters.current == self.id() {
            masters.current = 0;
        }
        if let Some(i) = masters.named.iter().position(|group| *group == self.id()) {
            masters.named.swap_remove(i);
        }
        if let Some(i) = masters
            .magics
            .iter()
            .position(|(_, _, a)| Arc::ptr_eq(a, self.auth()))
        {
            masters.magics.swap_remove(i);
        }
    }
}

/// GET_MAGIC.
pub(crate) fn get_magic<D: Driver>(call: &Call<'_, D>, arg: &mut Auth) -> Result<()> {
    let auth = call.file.auth();
    let mut masters = call.device().masters().lock();
    if auth.magic.load(Ordering::Relaxed) == 0 {
        let magic = masters
            .last_magic
            .checked_add(1)
            .ok_or(crate::util::errno::ENOSPC)?;
        let group = auth.group.load(Ordering::Relaxed);
        masters.magics.push((magic, group, auth.clone()))?;
        masters.last_magic = magic;
        auth.magic.store(magic, Ordering::Relaxed);
    }
    arg.magic = auth.magic.load(Ordering::Relaxed);
    Ok(())
}

/// AUTH_MAGIC, by the master: EINVAL for a magic that is unknown or used.
pub(crate) fn auth_magic<D: Driver>(call: &Call<'_, D>, arg: &mut Auth) -> Result<()> {
    let group = call.file.auth().group.load(Ordering::Relaxed);
    let mut masters = call.device().masters().lock();
    let found = masters
        .magics
        .iter()
        .position(|(m, g, _)| *m == arg.magic && *g == group);
    let (_, _, auth) = found.and_then(|i| masters.magics.swap_remove(i)).ok_or(EINVAL)?;
    auth.authenticated.store(true, Ordering::Relaxed);
    Ok(())
}

/// A file may become or cease to be master in the process that opened it, if it was one; or by privilege.
fn check<D: Driver>(call: &Call<'_, D>) -> Result<()> {
    let own = call.caller.pid() == call.file.pid() && call.file.auth().was_master.load(Ordering::Relaxed);
    if own || call.caller.privileged() {
        Ok(())
    } else {
        Err(EACCES)
    }
}

/// SET_MASTER: EBUSY while another file is master.
pub(crate) fn set_master<D: Driver>(call: &Call<'_, D>) -> Result<()> {
    let mut masters = call.device().masters().lock();
    check(call)?;
    if masters.current == call.file.id() {
        return Ok(());
    }
    if masters.current != 0 {
        return Err(EBUSY);
    }
    masters.found(call.file);
    Ok(())
}

/// DROP_MASTER: EINVAL from a file that is not master.
pub(crate) fn drop_master<D: Driver>(call: &Call<'_, D>) -> Result<()> {
    let mut masters = call.device().masters().lock();
    check(call)?;
    if masters.current != call.file.id() {
        return Err(EINVAL);
    }
    masters.current = 0;
    Ok(())
}
