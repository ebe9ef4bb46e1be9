// SPDX-License-Identifier: BSD-2-Clause
//! Sync objects; `timeline` has the ioctls for points of timelines.

use crate::alloc::{Arc, KVec};
use crate::drm::driver::{Call, Driver, MAX_HANDLES};
use crate::os::UserSlice;
use crate::sync::fence::Fence;
use crate::sync::fences::Fences;
use crate::sync::sync_file::SyncFile;
use crate::sync::syncobj::{self, Syncobj, WaitMode};
use crate::sync::waiter::user_deadline;
use crate::util::account::Charge;
use crate::util::errno::{Result, EINVAL, ENOMEM};
use crate::util::uapi::{SyncobjArray, SyncobjCreate, SyncobjHandle, SyncobjWait};

const CREATE_SIGNALED: u32 = 1;
/// EXPORT_SYNC_FILE and IMPORT_SYNC_FILE.
const SYNC_FILE: u32 = 1;
/// `point` is valid: of EXPORT_SYNC_FILE and IMPORT_SYNC_FILE.
const TIMELINE: u32 = 2;
const WAIT_ALL: u32 = 1;
pub(super) const WAIT_FOR_SUBMIT: u32 = 2;
const WAIT_AVAILABLE: u32 = 4;
/// The deadline is a hint for devices that change their clock, which these do not.
const WAIT_DEADLINE: u32 = 8;

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

/// The point of a `SyncobjHandle`, after a check of flags and padding. Linux: what follows `pad` is
/// ignored unless a flag says that it is there.
fn point_of(arg: &SyncobjHandle) -> Result<u64> {
    if arg.pad != 0 || arg.flags & !(SYNC_FILE | TIMELINE) != 0 {
        return Err(EINVAL);
    }
    let point = if arg.flags & TIMELINE != 0 {
        arg.point
    } else {
        0
    };
    if point != 0 && arg.flags & SYNC_FILE == 0 {
        return Err(EINVAL);
    }
    Ok(point)
}

pub(super) fn handle_to_fd<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjHandle) -> Result<()> {
    let point = point_of(arg)?;
    let os = call.file.os();
    if arg.flags & SYNC_FILE != 0 {
        // Linux: drm_syncobj_find_fence.
        let syncobj = call.file.syncobj(arg.handle)?;
        let fences = syncobj.find(point).ok_or(EINVAL)?;
        let account = call.file.account();
        arg.fd = SyncFile::export(os, account, call.caller, fences, D::INFO.name.to_bytes())?;
    } else {
        let syncobj = call.file.syncobj(arg.handle).map_err(|_| EINVAL)?;
        arg.fd = Syncobj::export(&syncobj, os, call.file.account(), call.caller)?;
    }
    Ok(())
}

pub(super) fn fd_to_handle<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjHandle) -> Result<()> {
    let point = point_of(arg)?;
    if arg.flags & SYNC_FILE != 0 {
        let fences = SyncFile::import(call.caller, arg.fd)?;
        let syncobj = call.file.syncobj(arg.handle)?;
        fill(call, &syncobj, point, fences)?;
    } else {
        let syncobj = Syncobj::import(call.caller, arg.fd)?;
        arg.handle = call.file.add_syncobj(syncobj)?;
    }
    Ok(())
}

/// Adds a point with `fences`, or replaces all of the syncobj for point 0.
pub(super) fn fill<D: Driver>(
    call: &Call<'_, D>,
    syncobj: &Syncobj,
    point: u64,
    fences: Fences,
) -> Result<()> {
    if point == 0 {
        syncobj.replace(Some(fences));
        return Ok(());
    }
    syncobj.add_point(call.file.account(), point, fences)
}

/// The objects of an array of handles; ENOMEM for more than `MAX_HANDLES`, as in Linux for more
/// than it can allocate.
pub(super) fn find_all<D: Driver>(
    call: &Call<'_, D>,
    handles: u64,
    count: u32,
) -> Result<KVec<Arc<Syncobj>>> {
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

/// What a wait waits for; `known` has the flags that it may have.
pub(super) fn mode_of(flags: u32, known: u32) -> Result<WaitMode> {
    if flags & !known != 0 {
        return Err(EINVAL);
    }
    Ok(WaitMode {
        all: flags & WAIT_ALL != 0,
        for_submit: flags & WAIT_FOR_SUBMIT != 0,
        available: flags & WAIT_AVAILABLE != 0,
    })
}

/// The flags of WAIT.
const WAIT_FLAGS: u32 = WAIT_ALL | WAIT_FOR_SUBMIT | WAIT_DEADLINE;
/// The flags of TIMELINE_WAIT.
pub(super) const TIMELINE_WAIT_FLAGS: u32 = WAIT_FLAGS | WAIT_AVAILABLE;

pub(super) fn wait<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjWait) -> Result<()> {
    let mode = mode_of(arg.flags, WAIT_FLAGS)?;
    if arg.count_handles == 0 {
        return Ok(());
    }
    let _charge = wait_charge(call, arg.count_handles, 128)?;
    let syncobjs = find_all(call, arg.handles, arg.count_handles)?;
    let deadline = user_deadline(arg.timeout_nsec);
    let os = call.file.os();
    arg.first_signaled = syncobj::wait(os, &syncobjs, &[], mode, call.caller, deadline)?;
    Ok(())
}

/// A charge for about the memory of a wait for many objects, `each` bytes for one. A short wait
/// takes less than its thread and is not charged, so that it is possible for a client at its limit.
pub(super) fn wait_charge<D: Driver>(
    call: &Call<'_, D>,
    count: u32,
    each: u64,
) -> Result<Option<Charge>> {
    const SHORT: u32 = 64;
    if count <= SHORT || count > MAX_HANDLES {
        return Ok(None);
    }
    let bytes = u64::from(count).checked_mul(each).ok_or(ENOMEM)?;
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
