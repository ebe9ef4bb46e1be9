// SPDX-License-Identifier: BSD-2-Clause
//! A binary sync object (syncobj): a holder of at most one fence (or several that are waited for as
//! one), shared by handle or descriptor.

use crate::alloc::{Arc, KVec};
use crate::os::{Caller, FdFlags, FileRef, Mtx, NewFile, Os, PlainFile};
use crate::sync::fences::Fences;
use crate::sync::syncobj::inbox::Inbox;
use crate::util::account::{Account, Charge};
use crate::util::errno::{Result, EINVAL};
use crate::util::int_conv::u64_of;
use static_assertions::{assert_impl_all, const_assert};

struct State {
    fences: Option<Fences>,
    /// The waits that are sent the next fences, with their key of this syncobj.
    waiters: KVec<(Arc<Inbox>, u64)>,
}

/// A sync object.
pub struct Syncobj {
    os: Os,
    state: Mtx<State>,
    _charge: Charge,
}

/// A syncobj with a descriptor.
struct SyncobjFile {
    syncobj: Arc<Syncobj>,
    _charge: Charge,
}

impl PlainFile for SyncobjFile {}

/// About how many bytes a syncobj takes, or a descriptor of one, with a fence that nothing else
/// holds.
const BYTES: u64 = 512;

assert_impl_all!(Syncobj: Send, Sync);
const_assert!(u64_of(size_of::<Syncobj>()) <= BYTES);

impl Syncobj {
    /// A syncobj with `fences`, charged to `account`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os, account: &Arc<Account>, fences: Option<Fences>) -> Result<Arc<Syncobj>> {
        let _charge = Charge::new(account, BYTES)?;
        let state = State {
            fences,
            waiters: KVec::new(os),
        };
        Arc::new(
            os,
            Syncobj {
                os,
                state: Mtx::new(os, c"drm syncobj", state)?,
                _charge,
            },
        )
    }

    /// Its fences.
    pub fn fences(&self) -> Option<Fences> {
        self.state.lock().fences.clone()
    }

    /// Replaces its fences. The waits for an empty syncobj are sent the new ones, even if those are
    /// replaced again.
    pub fn replace(&self, fences: Option<Fences>) {
        let (old, waiters) = {
            let mut state = self.state.lock();
            let waiters = match fences {
                Some(_) => core::mem::replace(&mut state.waiters, KVec::new(self.os)),
                None => KVec::new(self.os),
            };
            (
                core::mem::replace(&mut state.fences, fences.clone()),
                waiters,
            )
        };
        drop(old);
        if let Some(fences) = fences {
            for (inbox, key) in waiters.iter() {
                // `Inbox` has room.
                inbox.put(|events| _ = events.filled.try_push((*key, fences.clone())));
            }
        }
    }

    /// Its fences; if there are none, `inbox` is sent the next ones, with `key`.
    pub(super) fn fences_or_wait(&self, inbox: &Arc<Inbox>, key: u64) -> Result<Option<Fences>> {
        let mut state = self.state.lock();
        if state.fences.is_none() {
            state.waiters.push((inbox.clone(), key))?;
        }
        Ok(state.fences.clone())
    }

    pub(super) fn forget(&self, inbox: &Arc<Inbox>) {
        let removed = {
            let mut state = self.state.lock();
            let found = state
                .waiters
                .iter()
                .position(|(w, _)| Arc::ptr_eq(w, inbox));
            found.and_then(|i| state.waiters.swap_remove(i))
        };
        drop(removed);
    }

    /// Makes a close-on-exec descriptor of the syncobj for `caller`, charged to `account`.
    ///
    /// # Errors
    ///
    /// ENOMEM, EMFILE.
    pub fn export(
        this: &Arc<Self>,
        os: Os,
        account: &Arc<Account>,
        caller: &Caller<'_>,
    ) -> Result<i32> {
        let content = SyncobjFile {
            syncobj: this.clone(),
            _charge: Charge::new(account, BYTES)?,
        };
        NewFile::new(os, Arc::new(os, content)?)?.install(caller, FdFlags::CLOEXEC)
    }

    /// The syncobj of a descriptor.
    ///
    /// # Errors
    ///
    /// EINVAL if it is not one of a syncobj.
    pub fn import(caller: &Caller<'_>, fd: i32) -> Result<Arc<Syncobj>> {
        let file = FileRef::<SyncobjFile>::get(caller, fd).map_err(|_| EINVAL)?;
        Ok(file.syncobj.clone())
    }
}
