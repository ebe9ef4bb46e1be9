// SPDX-License-Identifier: BSD-2-Clause
//! The driver's ioctls. Semantics and errors are those of panfrost_drv.c of Linux 6.1, which
//! clients are written for.

use crate::bo::{Bo, BoFlags, PanfrostGem};
use crate::job::submit;
use crate::perfcnt::ioctls as perfcnt;
use crate::shrinker;
use crate::uapi::{
    CreateBo, GetBoOffset, GetParam, Madvise, MmapBo, PerfcntDump, PerfcntEnable, Submit, WaitBo,
};
use crate::Panfrost;
use drmkpi::alloc::Arc;
use drmkpi::drm::driver::Call;
use drmkpi::drm::gem::Gem;
use drmkpi::drm::ioctl::{Ioctl, RENDER};
use drmkpi::drm_ioctl;
use drmkpi::mem::buffer::{Buffer, Charged};
use drmkpi::os::MemAttr;
use drmkpi::sync::resv::Usage;
use drmkpi::sync::waiter::user_deadline;
use drmkpi::util::errno::{Result, EBUSY, EINTR, EINVAL, ENOMEM, ERESTART};

/// All ioctls, in ascending order of their numbers.
pub(crate) const TABLE: &[Ioctl<Panfrost>] = &[
    drm_ioctl!(0x4030_6440, Submit, RENDER, submit),
    drm_ioctl!(0x4010_6441, WaitBo, RENDER, wait_bo),
    drm_ioctl!(0xc018_6442, CreateBo, RENDER, create_bo),
    drm_ioctl!(0xc010_6443, MmapBo, RENDER, mmap_bo),
    drm_ioctl!(0xc010_6444, GetParam, RENDER, get_param),
    drm_ioctl!(0xc010_6445, GetBoOffset, RENDER, get_bo_offset),
    drm_ioctl!(0x4008_6446, PerfcntEnable, RENDER, perfcnt::enable),
    drm_ioctl!(0x4008_6447, PerfcntDump, RENDER, perfcnt::dump),
    drm_ioctl!(0xc00c_6448, Madvise, RENDER, shrinker::madvise),
];

type PanCall<'a> = Call<'a, Panfrost>;

/// SUBMIT; counts and logs a submit that is refused.
fn submit(call: &PanCall<'_>, arg: &mut Submit) -> Result<()> {
    let done = submit::submit(call, arg);
    match done {
        // An interrupted call is not a refusal; the client repeats it.
        Ok(()) | Err(EINTR | ERESTART) => {}
        Err(e) => {
            let (gpu, file) = (call.device().data(), call.file.driver());
            let (pid, errno) = (call.caller.pid(), e.get());
            gpu.refusals.log(
                gpu.dev(),
                &gpu.stats,
                &file.stats,
                format_args!("process {pid}: submit refused with errno {errno}"),
            );
        }
    }
    done
}

fn wait_bo(call: &PanCall<'_>, arg: &mut WaitBo) -> Result<()> {
    if arg.pad != 0 {
        return Err(EINVAL);
    }
    let gem = call.file.gem(arg.handle)?;
    let resv = gem.buffer().resv();
    let os = call.file.os();
    let deadline = user_deadline(arg.timeout_ns);
    if deadline <= os.now() {
        return if resv.is_idle(Usage::Write) {
            Ok(())
        } else {
            Err(EBUSY)
        };
    }
    resv.wait(os, Usage::Write, Some(call.caller), deadline)
}

/// The size of a heap is a multiple of the memory that one fault adds.
const HEAP_ALIGN: u64 = drmkpi::mem::buffer::GROWTH;

fn create_bo(call: &PanCall<'_>, arg: &mut CreateBo) -> Result<()> {
    let flags = BoFlags::from_bits(arg.flags).ok_or(EINVAL)?;
    if arg.size == 0 || arg.pad != 0 {
        return Err(EINVAL);
    }
    let heap = flags.contains(BoFlags::HEAP);
    if heap && !flags.contains(BoFlags::NOEXEC) {
        return Err(EINVAL);
    }
    let size = u64::from(arg.size);
    let create = || {
        let gem = new_bo(call, size, flags, heap)?;
        let handle = call.file.create_handle(&gem)?;
        // Fails only if another thread has guessed the handle and closed it.
        Ok((handle, gem.object().mapping(call.file.id())?.start()))
    };
    let mut created = create();
    // Purges BOs that this client has marked as not needed, and tries again. Those of other clients
    // are purged only when the system is short of memory, not when one client is at its limit.
    let pages = size.div_ceil(drmkpi::os::PAGE_SIZE);
    if created == Err(ENOMEM) && call.device().shrink(pages, Some(call.file.id())) != 0 {
        created = create();
    }
    if created == Err(ENOMEM) {
        call.device().log_client(format_args!(
            "no memory for a BO of {} bytes for process {}",
            arg.size,
            call.caller.pid()
        ));
    }
    (arg.handle, arg.offset) = created?;
    Ok(())
}

fn new_bo(call: &PanCall<'_>, size: u64, flags: BoFlags, heap: bool) -> Result<Arc<PanfrostGem>> {
    let dev = call.device().dev();
    // A GPU that does not snoop does not see data in the CPU's caches.
    let attr = if dev.coherent() {
        MemAttr::Cached
    } else {
        MemAttr::WriteCombine
    };
    let align = if heap {
        HEAP_ALIGN
    } else {
        drmkpi::os::PAGE_SIZE
    };
    let size = size.checked_next_multiple_of(align).ok_or(EINVAL)?;
    // A heap has memory only where the GPU has faulted.
    let charged = if heap {
        Charged::AsWired
    } else {
        Charged::AtOnce
    };
    let buffer = Buffer::new(dev, call.file.account(), size, charged, attr)?;
    Gem::new(call.file, buffer, Bo::new(call.file.os(), flags)?)
}

fn mmap_bo(call: &PanCall<'_>, arg: &mut MmapBo) -> Result<()> {
    if arg.flags != 0 {
        return Err(EINVAL);
    }
    let gem = call.file.gem(arg.handle)?;
    if gem.object().flags.contains(BoFlags::HEAP) {
        return Err(EINVAL);
    }
    arg.offset = gem.map_offset()?;
    Ok(())
}

fn get_param(call: &PanCall<'_>, arg: &mut GetParam) -> Result<()> {
    if arg.pad != 0 {
        return Err(EINVAL);
    }
    arg.value = call
        .device()
        .data()
        .identity
        .param(arg.param)
        .ok_or(EINVAL)?;
    Ok(())
}

fn get_bo_offset(call: &PanCall<'_>, arg: &mut GetBoOffset) -> Result<()> {
    let gem = call.file.gem(arg.handle)?;
    arg.offset = gem.object().mapping(call.file.id())?.start();
    Ok(())
}
