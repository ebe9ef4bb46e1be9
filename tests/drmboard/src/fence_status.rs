// SPDX-License-Identifier: BSD-2-Clause
//! SYNC_IOC_FILE_INFO reports how fences ended as negative errno: those, too, become Linux's at
//! this edge. Layouts: `struct sync_file_info` and `struct sync_fence_info` of
//! uapi/linux/sync_file.h.

use crate::errno::to_linux;
use crate::ioctl_code::Code;
use drm_os_host::Process;

const GROUP: u32 = 0x3e;
const NR_FILE_INFO: u32 = 4;
/// In `struct sync_file_info`.
const STATUS_AT: usize = 32;
const COUNT_AT: usize = 40;
const FENCES_AT: usize = 48;
/// In `struct sync_fence_info`.
const FENCE_SIZE: u64 = 80;
const FENCE_STATUS_AT: u64 = 64;

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
    if (code.group(), code.nr()) != (GROUP, NR_FILE_INFO) {
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
    match (code.group(), code.nr()) {
        (GROUP, NR_FILE_INFO) => word(data, COUNT_AT).map_or(0, u32::from_ne_bytes),
        _ => 0,
    }
}
