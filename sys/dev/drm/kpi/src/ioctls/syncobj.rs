// SPDX-License-Identifier: BSD-2-Clause
//! Sync objects, binary ones only: the ioctls of timelines fail with EOPNOTSUPP (see the table).

use crate::alloc::{Arc, KVec};
use crate::drm::driver::{Call, Driver, MAX_HANDLES};
use crate::os::UserSlice;
use crate::sync::fence::Fence;
use crate::sync::sync_file::SyncFile;
use crate::sync::syncobj::{self, Syncobj, WaitMode};
use crate::sync::waiter::user_deadline;
use crate::util::account::Charge;
use crate::util::errno::{Result, EINVAL, ENOENT, ENOMEM};
use crate::util::uapi::{SyncobjArray, SyncobjCreate, SyncobjHandle, SyncobjWait};

const CREATE_SIGNALED: u32 = 1;
/// EXPORT_SYNC_FILE and IMPORT_SYNC_FILE.
const SYNC_FILE: u32 = 1;
const WAIT_ALL: u32 = 1;
const WAIT_FOR_SUBMIT: u32 = 2;

pub(super) fn create<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjCreate) -> Result<()> {
    if arg.flags & !CREATE_SIGNALED != 0 {
        return Err(EINVAL);
    }
    let os = call.file.os();
    let fences = if arg.flags == CREATE_SIGNALED {
        Some(Fence::stub(os)?.into())
    } else {
        None
    };
    let syncobj = Syncobj::new(os, call.file.account(), fences)?;
    arg.handle = call.file.add_syncobj(syncobj)?;
    Ok(())
}

pub(super) fn destroy<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjCreate) -> Result<()> {
    // The field is padding here.
    if arg.flags != 0 {
        return Err(EINVAL);
    }
    let syncobj = call.file.syncobjs().lock().remove(arg.handle);
    syncobj.map(drop).ok_or(EINVAL)
}

pub(super) fn handle_to_fd<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjHandle) -> Result<()> {
    if arg.pad != 0 || arg.flags & !SYNC_FILE != 0 {
        return Err(EINVAL);
    }
    let os = call.file.os();
    if arg.flags == SYNC_FILE {
        // Linux: drm_syncobj_find_fence.
        let syncobj = call.file.syncobj(arg.handle)?;
        let fences = syncobj.fences().ok_or(EINVAL)?;
        let account = call.file.account();
        arg.fd = SyncFile::export(os, account, call.caller, fences, D::INFO.name.to_bytes())?;
    } else {
        let syncobj = call.file.syncobj(arg.handle).map_err(|_| EINVAL)?;
        arg.fd = Syncobj::export(&syncobj, os, call.file.account(), call.caller)?;
    }
    Ok(())
}

pub(super) fn fd_to_handle<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjHandle) -> Result<()> {
    if arg.pad != 0 || arg.flags & !SYNC_FILE != 0 {
        return Err(EINVAL);
    }
    if arg.flags == SYNC_FILE {
        let fences = SyncFile::import(call.caller, arg.fd)?;
        call.file
            .syncobj(arg.handle)
            .map_err(|_| ENOENT)?
            .replace(Some(fences));
    } else {
        let syncobj = Syncobj::import(call.caller, arg.fd)?;
        arg.handle = call.file.add_syncobj(syncobj)?;
    }
    Ok(())
}

/// The objects of an array of handles; ENOMEM for more than `MAX_HANDLES`, as in Linux for more
/// than it can allocate.
fn find_all<D: Driver>(call: &Call<'_, D>, handles: u64, count: u32) -> Result<KVec<Arc<Syncobj>>> {
    if count > MAX_HANDLES {
        return Err(ENOMEM);
    }
    let os = call.file.os();
    let bytes = u64::from(count).checked_mul(4).ok_or(ENOMEM)?;
    let handles = UserSlice::new(handles, bytes).read_u32s(os, call.caller)?;
    let mut syncobjs = KVec::with_capacity(os, handles.len())?;
    for (turn, handle) in (0..handles.len()).zip(handles.iter()) {
        call.caller.check_signals(turn)?;
        syncobjs.push(call.file.syncobj(*handle)?)?;
    }
    Ok(syncobjs)
}

pub(super) fn wait<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjWait) -> Result<()> {
    if arg.flags & !(WAIT_ALL | WAIT_FOR_SUBMIT) != 0 {
        return Err(EINVAL);
    }
    if arg.count_handles == 0 {
        return Err(EINVAL);
    }
    let mode = WaitMode {
        all: arg.flags & WAIT_ALL != 0,
        for_submit: arg.flags & WAIT_FOR_SUBMIT != 0,
    };
    let _charge = wait_charge(call, arg.count_handles)?;
    let syncobjs = find_all(call, arg.handles, arg.count_handles)?;
    let deadline = user_deadline(arg.timeout_nsec);
    arg.first_signaled = syncobj::wait(call.file.os(), &syncobjs, mode, call.caller, deadline)?;
    Ok(())
}

/// A charge for about the memory of a wait for many objects. A short wait takes less than its
/// thread and is not charged, so that it is possible for a client at its limit.
fn wait_charge<D: Driver>(call: &Call<'_, D>, count: u32) -> Result<Option<Charge>> {
    const SHORT: u32 = 64;
    const EACH: u64 = 128;
    if count <= SHORT || count > MAX_HANDLES {
        return Ok(None);
    }
    let bytes = u64::from(count).checked_mul(EACH).ok_or(ENOMEM)?;
    Charge::new(call.file.account(), bytes).map(Some)
}

pub(super) fn reset<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjArray) -> Result<()> {
    if arg.pad != 0 || arg.count_handles == 0 {
        return Err(EINVAL);
    }
    for syncobj in find_all(call, arg.handles, arg.count_handles)?.iter() {
        syncobj.replace(None);
    }
    Ok(())
}

pub(super) fn signal<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjArray) -> Result<()> {
    if arg.pad != 0 || arg.count_handles == 0 {
        return Err(EINVAL);
    }
    let syncobjs = find_all(call, arg.handles, arg.count_handles)?;
    let fence = Fence::stub(call.file.os())?;
    for syncobj in syncobjs.iter() {
        syncobj.replace(Some(fence.clone().into()));
    }
    Ok(())
}
