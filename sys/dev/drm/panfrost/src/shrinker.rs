// SPDX-License-Identifier: BSD-2-Clause
//! Memory that clients said they do not need: MADVISE, and giving it back when memory is short.

use crate::bo::PanfrostGem;
use crate::uapi::Madvise;
use crate::Panfrost;
use drmkpi::drm::driver::Call;
use drmkpi::drm::gem::Gem;
use drmkpi::drm::shrink::Advice;
use drmkpi::util::errno::{Result, EBUSY};

const WILLNEED: u32 = 0;
const DONTNEED: u32 = 1;

/// Does MADVISE. The errors are those of panfrost_ioctl_madvise() of Linux 6.1, which takes any advice.
pub(crate) fn madvise(call: &Call<'_, Panfrost>, arg: &mut Madvise) -> Result<()> {
    let gem = call.file.gem(arg.handle)?;
    let retained = match arg.madv {
        WILLNEED => Gem::advise(&gem, call.file, Advice::Needed)?,
        DONTNEED => Gem::advise(&gem, call.file, Advice::Unneeded)?,
        _ => !gem.buffer().is_purged(),
    };
    arg.retained = u32::from(retained);
    Ok(())
}

/// Takes an object's memory from the GPU and frees it.
pub(crate) fn purge(gem: &PanfrostGem, free: impl FnOnce() -> Result<()>) -> Result<()> {
    gem.object().only_mapping().ok_or(EBUSY)?.purge(free)
}
