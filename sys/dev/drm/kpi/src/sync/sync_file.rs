// SPDX-License-Identifier: BSD-2-Clause
//! sync_files: descriptors of fences, as in Linux's uapi/linux/sync_file.h. Readable when all
//! fences are signalled.

use crate::alloc::Arc;
use crate::os::{Caller, FdFlags, FileRef, NewFile, Os, PlainFile, UserSlice};
use crate::sync::fence::Fence;
use crate::sync::fences::Fences;
use crate::sync::poll_waker::Poll;
use crate::util::account::{Account, Charge};
use crate::util::errno::{Result, EFAULT, EINVAL, ENOENT, ENOTTY};
use crate::util::int_conv::u64_of;
use crate::util::uapi::{uapi_struct, Uapi};
use static_assertions::{assert_impl_all, const_assert};

/// Fences with a descriptor.
pub struct SyncFile {
    os: Os,
    name: [u8; 32],
    fences: Fences,
    /// The process that made it.
    pid: i32,
    account: Arc<Account>,
    _charge: Charge,
    poll: Poll,
}

/// About how many bytes a sync_file takes.
const BYTES: u64 = 512;

assert_impl_all!(SyncFile: Send, Sync);
const_assert!(u64_of(size_of::<SyncFile>()) <= BYTES);

const GROUP: u32 = 0x3e;
const NR_MERGE: u32 = 3;
const NR_FILE_INFO: u32 = 4;
const NR_SET_DEADLINE: u32 = 5;

uapi_struct! {
    /// `struct sync_merge_data`.
    struct Merge {
        name: [u8; 32],
        fd2: i32,
        fence: i32,
        flags: u32,
        pad: u32,
    }
}

uapi_struct! {
    /// `struct sync_file_info`.
    struct FileInfo {
        name: [u8; 32],
        status: i32,
        flags: u32,
        num_fences: u32,
        pad: u32,
        sync_fence_info: u64,
    }
}

uapi_struct! {
    /// `struct sync_set_deadline`.
    struct SetDeadline {
        deadline_ns: u64,
        pad: u64,
    }
}

uapi_struct! {
    /// `struct sync_fence_info`.
    struct FenceInfo {
        obj_name: [u8; 32],
        driver_name: [u8; 32],
        status: i32,
        flags: u32,
        timestamp_ns: u64,
    }
}

impl SyncFile {
    /// Makes a close-on-exec descriptor of `fences` for `caller`, charged to `account`, with a name
    /// of up to 31 bytes.
    ///
    /// # Errors
    ///
    /// ENOMEM, EMFILE.
    pub fn export(
        os: Os,
        account: &Arc<Account>,
        caller: &Caller<'_>,
        fences: Fences,
        name: &[u8],
    ) -> Result<i32> {
        let mut padded = [0; 32];
        name_into(&mut padded, name);
        let content = SyncFile {
            os,
            name: terminated(padded),
            fences: fences.or_stub(os)?,
            pid: caller.pid(),
            account: account.clone(),
            _charge: Charge::new(account, BYTES)?,
            poll: Poll::new(os)?,
        };
        let content = Arc::new(os, content)?;
        let file = NewFile::new(os, content.clone())?;
        content.poll.connect(file.waker());
        file.install(caller, FdFlags::CLOEXEC)
    }

    /// The fences of the sync_file `fd`.
    ///
    /// # Errors
    ///
    /// EINVAL if it is not a sync_file, as from `drm_syncobj_import_sync_file_fence` of Linux.
    pub fn import(caller: &Caller<'_>, fd: i32) -> Result<Fences> {
        let file = FileRef::<SyncFile>::get(caller, fd).map_err(|_| EINVAL)?;
        Ok(file.fences.clone())
    }

    fn merge(&self, caller: &Caller<'_>, data: &mut [u8]) -> Result<()> {
        let mut arg = Merge::read(data);
        if arg.flags != 0 || arg.pad != 0 {
            return Err(EINVAL);
        }
        // Linux: sync_file_fdget fails with ENOENT.
        let other = FileRef::<SyncFile>::get(caller, arg.fd2).map_err(|_| ENOENT)?;
        // One of the two is usually the caller's own. The owner of the other pays if neither is.
        let account = if self.pid != caller.pid() && other.pid == caller.pid() {
            &other.account
        } else {
            &self.account
        };
        let fences = Fences::merge(self.os, account, &self.fences, &other.fences)?;
        arg.name = terminated(arg.name);
        arg.fence = SyncFile::export(self.os, account, caller, fences, &arg.name)?;
        arg.write(data);
        Ok(())
    }

    fn info(&self, caller: &Caller<'_>, data: &mut [u8]) -> Result<()> {
        let mut arg = FileInfo::read(data);
        if arg.flags != 0 || arg.pad != 0 {
            return Err(EINVAL);
        }
        let parts = self.fences.parts();
        let have = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let mut status = status(self.fences.outcome());
        if arg.num_fences != 0 {
            if arg.num_fences < have {
                return Err(EINVAL);
            }
            // Linux: the first status of a fence that is not 1.
            status = 1;
            let mut at = arg.sync_fence_info;
            for fence in parts {
                let info = fence_info(fence);
                if status == 1 {
                    status = info.status;
                }
                let mut bytes = [0; FenceInfo::SIZE];
                info.write(&mut bytes);
                let size = u64_of(bytes.len());
                UserSlice::new(at, size).write(caller, &bytes)?;
                at = at.checked_add(size).ok_or(EFAULT)?;
            }
        }
        arg.name = self.name;
        arg.status = status;
        arg.num_fences = have;
        arg.write(data);
        Ok(())
    }
}

/// A hint to drivers that change clocks. Here they are set once, and nothing can be done earlier.
fn set_deadline(data: &[u8]) -> Result<()> {
    match SetDeadline::read(data).pad {
        0 => Ok(()),
        _ => Err(EINVAL),
    }
}

fn fence_info(fence: &Fence) -> FenceInfo {
    let outcome = fence.outcome();
    let mut info = FenceInfo {
        status: status(outcome.map(|(outcome, _)| outcome)),
        timestamp_ns: outcome.map_or(0, |(_, when)| when),
        ..FenceInfo::default()
    };
    name_into(&mut info.obj_name, b"drm");
    name_into(&mut info.driver_name, b"drmkpi");
    info
}

/// The status for the user: 1 if signalled without error, 0 if not signalled, a negative errno if
/// failed.
fn status(outcome: Option<Result<()>>) -> i32 {
    match outcome {
        None => 0,
        Some(Ok(())) => 1,
        Some(Err(e)) => e.get().checked_neg().unwrap_or(i32::MIN),
    }
}

fn terminated(mut name: [u8; 32]) -> [u8; 32] {
    if let Some(last) = name.last_mut() {
        *last = 0;
    }
    name
}

fn name_into(to: &mut [u8], from: &[u8]) {
    for (t, f) in to.iter_mut().zip(from) {
        *t = *f;
    }
}

impl PlainFile for SyncFile {
    fn readable(&self) -> bool {
        let mut pending = self.fences.parts().iter().filter(|f| !f.is_signaled());
        pending.all(|fence| self.poll.is_ready(fence))
    }

    fn ioctl(&self, caller: &Caller<'_>, group: u32, nr: u32, data: &mut [u8]) -> Result<()> {
        match (group, nr) {
            (GROUP, NR_MERGE) if data.len() == Merge::SIZE => self.merge(caller, data),
            (GROUP, NR_FILE_INFO) if data.len() == FileInfo::SIZE => self.info(caller, data),
            (GROUP, NR_SET_DEADLINE) if data.len() == SetDeadline::SIZE => set_deadline(data),
            _ => Err(ENOTTY),
        }
    }
}
