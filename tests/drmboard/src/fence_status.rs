// SPDX-License-Identifier: BSD-2-Clause
//! SYNC_IOC_FILE_INFO reports how fences ended as negative errno: those, too, become Linux's at
//! this edge.

use crate::errno::to_linux;
use crate::ioctl_code::Code;
use drm_os_host::Process;
use std::mem::offset_of;
use uapi::sync_file::{FenceInfo, FileInfo, FILE_INFO};

const STATUS_AT: usize = offset_of!(FileInfo, status);
const COUNT_AT: usize = offset_of!(FileInfo, num_fences);
const FENCES_AT: usize = offset_of!(FileInfo, sync_fence_info);
const FENCE_SIZE: u64 = size_of::<FenceInfo>() as u64;
const FENCE_STATUS_AT: u64 = offset_of!(FenceInfo, status) as u64;

fn is_file_info(code: Code) -> bool {
    (code.group(), code.nr()) == (FILE_INFO.group(), FILE_INFO.nr())
}

fn word<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..at + N)?.try_into().ok()
}

fn status(bytes: [u8; 4]) -> [u8; 4] {
    match i32::from_ne_bytes(bytes) {
        negative @ ..=-1 => (-to_linux(-negative)).to_ne_bytes(),
        _ => bytes,
    }
}

/// Turns the statuses that the ioctl `code` gave into Linux's; does nothing for another ioctl.
/// `asked` is how many fences the caller had room for.
pub(crate) fn translate(
    code: Code,
    asked: u32,
    data: &mut [u8],
    process: &dyn Process,
) -> Result<(), i32> {
    if !is_file_info(code) {
        return Ok(());
    }
    let (Some(whole), Some(at)) = (word(data, STATUS_AT), word(data, FENCES_AT)) else {
        return Ok(());
    };
    data[STATUS_AT..STATUS_AT + 4].copy_from_slice(&status(whole));
    let have = word(data, COUNT_AT).map_or(0, u32::from_ne_bytes);
    for n in 0..u64::from(have.min(asked)) {
        let at = u64::from_ne_bytes(at) + n * FENCE_SIZE + FENCE_STATUS_AT;
        let mut bytes = [0; 4];
        process.read(at, &mut bytes)?;
        process.write(at, &status(bytes))?;
    }
    Ok(())
}

/// How many fences the caller of `code` has room for.
pub(crate) fn asked(code: Code, data: &[u8]) -> u32 {
    if !is_file_info(code) {
        return 0;
    }
    word(data, COUNT_AT).map_or(0, u32::from_ne_bytes)
}
