// SPDX-License-Identifier: BSD-2-Clause
//! Points of timeline syncobjs.

use crate::alloc::KVec;
use crate::drm::driver::{Call, Driver, MAX_HANDLES};
use crate::ioctls::syncobj::{
    fill, find_all, mode_of, wait_charge, TIMELINE_WAIT_FLAGS, WAIT_FOR_SUBMIT,
};
use crate::os::UserSlice;
use crate::sync::fences::Fences;
use crate::sync::syncobj;
use crate::sync::waiter::user_deadline;
use crate::util::errno::{Result, EFAULT, EINVAL, ENOMEM};
use crate::util::uapi::{SyncobjTimelineArray, SyncobjTimelineWait, SyncobjTransfer};

const QUERY_LAST_SUBMITTED: u32 = 1;
/// How long TRANSFER waits for a point: DRM_SYNCOBJ_WAIT_FOR_SUBMIT_TIMEOUT.
const TRANSFER_PATIENCE_NS: u64 = 5_000_000_000;

/// The points at `address`; 0 for each, as none are returned, if that is null.
fn points<D: Driver>(call: &Call<'_, D>, address: u64, count: u32) -> Result<KVec<u64>> {
    let os = call.file.os();
    if address == 0 {
        return Ok(KVec::new(os));
    }
    if count > MAX_HANDLES {
        return Err(ENOMEM);
    }
    let bytes = u64::from(count).checked_mul(8).ok_or(ENOMEM)?;
    let words = UserSlice::new(address, bytes).read_words(os, call.caller)?;
    let pairs = words.chunks_exact(2);
    let mut points = KVec::with_capacity(os, pairs.len())?;
    for pair in pairs {
        if let [low, high] = pair {
            points.push(u64::from(*high) << 32 | u64::from(*low))?;
        }
    }
    Ok(points)
}

pub(super) fn wait<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjTimelineWait) -> Result<()> {
    let mode = mode_of(arg.flags, TIMELINE_WAIT_FLAGS)?;
    if arg.count_handles == 0 {
        return Ok(());
    }
    let _charge = wait_charge(call, arg.count_handles, 384)?;
    let syncobjs = find_all(call, arg.handles, arg.count_handles)?;
    let points = points(call, arg.points, arg.count_handles)?;
    let deadline = user_deadline(arg.timeout_nsec);
    let os = call.file.os();
    arg.first_signaled = syncobj::wait(os, &syncobjs, &points, mode, call.caller, deadline)?;
    Ok(())
}

/// Signals points. If memory ends, those before are signalled: as with Linux's SYNCOBJ_SIGNAL.
pub(super) fn signal<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjTimelineArray) -> Result<()> {
    if arg.flags != 0 || arg.count_handles == 0 {
        return Err(EINVAL);
    }
    let syncobjs = find_all(call, arg.handles, arg.count_handles)?;
    let points = points(call, arg.points, arg.count_handles)?;
    let account = call.file.account();
    for (index, syncobj) in syncobjs.iter().enumerate() {
        let point = points.get(index).copied().unwrap_or(0);
        // Point 0 does not replace the others here.
        syncobj.add_point(account, point, Fences::Ended)?;
    }
    Ok(())
}

pub(super) fn query<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjTimelineArray) -> Result<()> {
    if arg.flags & !QUERY_LAST_SUBMITTED != 0 || arg.count_handles == 0 {
        return Err(EINVAL);
    }
    let syncobjs = find_all(call, arg.handles, arg.count_handles)?;
    let mut address = arg.points;
    for (turn, syncobj) in syncobjs.iter().enumerate() {
        call.caller.check_signals(turn)?;
        let point = if arg.flags & QUERY_LAST_SUBMITTED != 0 {
            syncobj.last_point()
        } else {
            syncobj.reached_point(call.caller)?
        };
        UserSlice::new(address, 8).write(call.caller, &point.to_ne_bytes())?;
        address = address.checked_add(8).ok_or(EFAULT)?;
    }
    Ok(())
}

/// The order of the checks is that of drm_syncobj_transfer_ioctl and drm_syncobj_find_fence.
pub(super) fn transfer<D: Driver>(call: &Call<'_, D>, arg: &mut SyncobjTransfer) -> Result<()> {
    if arg.pad != 0 {
        return Err(EINVAL);
    }
    let target = call.file.syncobj(arg.dst_handle)?;
    // Linux 6.1 ignores other flags, newer ones refuse them.
    if arg.flags & !WAIT_FOR_SUBMIT != 0 {
        return Err(EINVAL);
    }
    let source = call.file.syncobj(arg.src_handle)?;
    let fences = if arg.flags & WAIT_FOR_SUBMIT != 0 {
        let os = call.file.os();
        // OVERFLOW: saturates: a deadline that never comes.
        let deadline = os.now().saturating_add(TRANSFER_PATIENCE_NS);
        syncobj::find_or_wait(os, &source, arg.src_point, call.caller, deadline)?
    } else {
        source.find(arg.src_point).ok_or(EINVAL)?
    };
    fill(call, &target, arg.dst_point, fences)
}
