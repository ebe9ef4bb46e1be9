// SPDX-License-Identifier: BSD-2-Clause
//! sync_files: fences behind descriptors, as Linux's uapi/linux/sync_file.h has them. Readable when all of
//! their fences are over.

use crate::alloc::{Arc, KVec};
use crate::bell::Bell;
use crate::errno::{Result, EINVAL, ENOTTY};
use crate::fence::Fence;
use crate::ffi;
use crate::os::{Caller, FdFlags, FileRef, NewFile, Os, UserSlice};
use crate::uapi::{uapi_struct, Uapi};

/// A set of fences that can stand behind a descriptor.
pub struct SyncFile {
    os: Os,
    name: [u8; 32],
    fences: KVec<Arc<Fence>>,
    bell: Arc<Bell>,
}

const GROUP: u32 = 0x3e;
const NR_MERGE: u32 = 3;
const NR_FILE_INFO: u32 = 4;

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
    /// Gives `caller` a close-on-exec descriptor for `fences`, with a name of up to 31 bytes.
    ///
    /// # Errors
    ///
    /// ENOMEM, EMFILE.
    pub fn export(os: Os, caller: &Caller<'_>, fences: KVec<Arc<Fence>>, name: &[u8]) -> Result<i32> {
        let mut padded = [0; 32];
        name_into(&mut padded, name);
        let name = terminated(padded);
        let bell = Bell::new(os)?;
        let content = Arc::new(
            os,
            SyncFile {
                os,
                name,
                fences,
                bell,
            },
        )?;
        let file = NewFile::new(os, content.clone())?;
        content.bell.connect(file.waker());
        let hook = content.bell.clone().into_hook();
        for fence in content.fences.iter() {
            fence.add_hook(&hook, 0)?;
        }
        file.install(caller, FdFlags::CLOEXEC)
    }

    /// One fence for all of the sync_file behind `fd`.
    ///
    /// # Errors
    ///
    /// EINVAL when it is no sync_file, as `drm_syncobj_import_sync_file_fence` of Linux answers; ENOMEM.
    pub fn import(os: Os, caller: &Caller<'_>, fd: i32) -> Result<Arc<Fence>> {
        let file = FileRef::<SyncFile>::get(caller, fd).map_err(|_| EINVAL)?;
        Fence::all(os, &file.fences)
    }

    /// All fences of the sync_file behind `fd`.
    ///
    /// # Errors
    ///
    /// EINVAL when it is no sync_file; ENOMEM.
    pub fn fences_of(os: Os, caller: &Caller<'_>, fd: i32) -> Result<KVec<Arc<Fence>>> {
        let file = FileRef::<SyncFile>::get(caller, fd).map_err(|_| EINVAL)?;
        KVec::from_fn(os, file.fences.len(), |i| {
            file.fences.get(i).cloned().ok_or(EINVAL)
        })
    }

    /// 1 when all are over, 0 when one is not, a negative errno when one failed.
    fn status(&self) -> i32 {
        let mut status = 1;
        for fence in self.fences.iter() {
            match fence_status(fence) {
                1 => {}
                other => status = status.min(other),
            }
        }
        status
    }

    fn merge(&self, caller: &Caller<'_>, data: &mut [u8]) -> Result<()> {
        let mut arg = Merge::read(data);
        if arg.flags != 0 || arg.pad != 0 {
            return Err(EINVAL);
        }
        // Linux: sync_file_fdget fails with ENOENT.
        let other = FileRef::<SyncFile>::get(caller, arg.fd2).map_err(|_| crate::errno::ENOENT)?;
        let mut fences: KVec<Arc<Fence>> = KVec::new(self.os);
        // Linux: dma_fence_unwrap_merge leaves out what is over, and has one stub when nothing is left.
        let both = self.fences.iter().chain(other.fences.iter());
        for fence in both.filter(|f| !f.is_signaled()) {
            let later = fences.iter_mut().find(|f| f.context() == fence.context());
            match later {
                Some(f) if f.seqno() < fence.seqno() => *f = fence.clone(),
                Some(_) => {}
                None => fences.push(fence.clone())?,
            }
        }
        if fences.is_empty() {
            fences.push(Fence::stub(self.os)?)?;
        }
        arg.name = terminated(arg.name);
        arg.fence = SyncFile::export(self.os, caller, fences, &arg.name)?;
        arg.write(data);
        Ok(())
    }

    fn info(&self, caller: &Caller<'_>, data: &mut [u8]) -> Result<()> {
        let mut arg = FileInfo::read(data);
        if arg.flags != 0 || arg.pad != 0 {
            return Err(EINVAL);
        }
        let have = u32::try_from(self.fences.len()).unwrap_or(u32::MAX);
        if arg.num_fences != 0 {
            if arg.num_fences < have {
                return Err(EINVAL);
            }
            let mut at = arg.sync_fence_info;
            for fence in self.fences.iter() {
                let mut info = FenceInfo {
                    status: fence_status(fence),
                    ..FenceInfo::default()
                };
                name_into(&mut info.obj_name, b"drm");
                name_into(&mut info.driver_name, b"drmkpi");
                info.timestamp_ns = fence.outcome().map_or(0, |(_, when)| when);
                let mut bytes = [0; FenceInfo::SIZE];
                info.write(&mut bytes);
                let size = crate::num::u64_of(bytes.len());
                UserSlice::new(at, size).write(caller, &bytes)?;
                at = at.wrapping_add(size);
            }
        }
        arg.name = self.name;
        arg.status = self.status();
        arg.num_fences = have;
        arg.write(data);
        Ok(())
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

fn fence_status(fence: &Fence) -> i32 {
    match fence.outcome() {
        None => 0,
        Some((Ok(()), _)) => 1,
        Some((Err(e), _)) => e.get().wrapping_neg(),
    }
}

impl ffi::PlainFile for SyncFile {
    fn readable(&self) -> bool {
        self.fences.iter().all(|f| f.is_signaled())
    }

    fn ioctl(&self, caller: &Caller<'_>, group: u32, nr: u32, data: &mut [u8]) -> Result<()> {
        match (group, nr) {
            (GROUP, NR_MERGE) if data.len() == Merge::SIZE => self.merge(caller, data),
            (GROUP, NR_FILE_INFO) if data.len() == FileInfo::SIZE => self.info(caller, data),
            _ => Err(ENOTTY),
        }
    }
}

impl Drop for SyncFile {
    fn drop(&mut self) {
        self.bell.disconnect();
        let hook = self.bell.clone().into_hook();
        for fence in self.fences.iter() {
            fence.remove_hook(&hook, 0);
        }
    }
}
