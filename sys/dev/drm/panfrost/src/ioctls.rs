// SPDX-License-Identifier: BSD-2-Clause
//! The driver's ioctls. Semantics and errors are those of panfrost_drv.c of Linux 6.1, which
//! clients are written for; of what versions 1.3 to 1.6 added, those of Linux 7.2.

use crate::bo::{Bo, BoFlags, PanfrostGem};
use crate::gpu::cycles;
use crate::job::{context, submit};
use crate::perfcnt::ioctls as perfcnt;
use crate::shrinker;
use crate::uapi::{
    BoSyncOp, CreateBo, GetBoOffset, GetParam, JmCtxCreate, JmCtxDestroy, Madvise, MmapBo,
    PerfcntDump, PerfcntEnable, QueryBoInfo, SetLabelBo, Submit, SyncBo, WaitBo,
};
use crate::Panfrost;
use drmkpi::alloc::Arc;
use drmkpi::drm::driver::{Call, MAX_HANDLES};
use drmkpi::drm::gem::Gem;
use drmkpi::drm::ioctl::{Ioctl, RENDER};
use drmkpi::drm_ioctl;
use drmkpi::mem::buffer::{Buffer, Charged};
use drmkpi::os::{MemAttr, SyncDir, UserSlice};
use drmkpi::sync::resv::Usage;
use drmkpi::sync::waiter::user_deadline;
use drmkpi::util::errno::{Result, E2BIG, EBUSY, EINTR, EINVAL, ENOMEM, ERESTART};
use drmkpi::util::int_conv::u64_of;
use drmkpi::util::uapi::Uapi;

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
    drm_ioctl!(0xc010_6449, SetLabelBo, RENDER, set_label_bo),
    drm_ioctl!(0xc008_644a, JmCtxCreate, RENDER, context::create),
    drm_ioctl!(0xc008_644b, JmCtxDestroy, RENDER, context::destroy),
    drm_ioctl!(0xc010_644c, SyncBo, RENDER, sync_bo),
    drm_ioctl!(0xc010_644d, QueryBoInfo, RENDER, query_bo_info),
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
    if heap && (!flags.contains(BoFlags::NOEXEC) || flags.contains(BoFlags::WB_MMAP)) {
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
    let attr = if dev.coherent() || flags.contains(BoFlags::WB_MMAP) {
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
    if flags.contains(BoFlags::WB_MMAP) {
        buffer.maintain_by_dma_buf();
    }
    Gem::new(call.file, buffer, Bo::new(call.file.os(), flags, false)?)
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

/// The parameters that are not registers.
const SYSTEM_TIMESTAMP: u32 = 41;
const SYSTEM_TIMESTAMP_FREQUENCY: u32 = 42;
const ALLOWED_JM_CTX_PRIORITIES: u32 = 43;
const SELECTED_COHERENCY: u32 = 44;

/// Values of `SELECTED_COHERENCY`.
const COHERENCY_ACE_LITE: u64 = 0;
const COHERENCY_NONE: u64 = 31;

fn get_param(call: &PanCall<'_>, arg: &mut GetParam) -> Result<()> {
    if arg.pad != 0 {
        return Err(EINVAL);
    }
    arg.value = match call.device().data().identity.param(arg.param) {
        Some(value) => value,
        None => other_param(call, arg.param)?,
    };
    Ok(())
}

/// A parameter that is not a register. Not inlined, as clients mostly ask for registers.
#[inline(never)]
fn other_param(call: &PanCall<'_>, param: u32) -> Result<u64> {
    let gpu = call.device().data();
    Ok(match param {
        SYSTEM_TIMESTAMP => cycles::timestamp(gpu)?,
        SYSTEM_TIMESTAMP_FREQUENCY => gpu.os().timer_hz(),
        ALLOWED_JM_CTX_PRIORITIES => context::allowed(call),
        SELECTED_COHERENCY if gpu.dev().coherent() => COHERENCY_ACE_LITE,
        SELECTED_COHERENCY => COHERENCY_NONE,
        _ => return Err(EINVAL),
    })
}

fn get_bo_offset(call: &PanCall<'_>, arg: &mut GetBoOffset) -> Result<()> {
    let gem = call.file.gem(arg.handle)?;
    arg.offset = gem.object().mapping(call.file.id())?.start();
    Ok(())
}

/// The longest label, with its terminator.
const LABEL_BYTES: u64 = 4096;

/// SET_LABEL_BO. Labels are for a debugger; nothing here shows them, so the string is only checked.
fn set_label_bo(call: &PanCall<'_>, arg: &mut SetLabelBo) -> Result<()> {
    if arg.pad != 0 {
        return Err(EINVAL);
    }
    call.file.gem(arg.handle)?;
    match arg.label {
        0 => Ok(()),
        label => UserSlice::new(label, LABEL_BYTES)
            .string_len(call.caller)?
            .map(drop)
            .ok_or(E2BIG),
    }
}

/// The types of a sync operation.
const FLUSH: u32 = 0;
const FLUSH_AND_INVALIDATE: u32 = 1;

/// SYNC_BO. What is done before a bad operation is not undone: it changes no contents.
fn sync_bo(call: &PanCall<'_>, arg: &mut SyncBo) -> Result<()> {
    if arg.pad != 0 {
        return Err(EINVAL);
    }
    let bytes = ops_bytes(arg.op_count)?;
    let ops = UserSlice::new(arg.ops, bytes).read_words(call.file.os(), call.caller)?;
    let (ops, _) = ops.as_chunks::<{ BoSyncOp::SIZE / 4 }>();
    for op in ops {
        call.caller.check_signal()?;
        sync_one(call, *op)?;
    }
    Ok(())
}

/// The bytes of a user's array of operations. Linux returns ENOMEM for a larger array than it
/// allocates.
fn ops_bytes(count: u32) -> Result<u64> {
    let count = Some(count).filter(|count| *count <= MAX_HANDLES);
    count
        .and_then(|count| u64::from(count).checked_mul(u64_of(BoSyncOp::SIZE)))
        .ok_or(ENOMEM)
}

fn sync_one(call: &PanCall<'_>, [handle, kind, offset, size]: [u32; 4]) -> Result<()> {
    let gem = call.file.gem(handle)?;
    let (buffer, bo) = (gem.buffer(), gem.object());
    let (offset, size) = (u64::from(offset), u64::from(size));
    let end = offset.checked_add(size).ok_or(EINVAL)?;
    if kind > FLUSH_AND_INVALIDATE || end > buffer.size() || bo.imported {
        return Err(EINVAL);
    }
    if !bo.flags.contains(BoFlags::WB_MMAP) {
        return Ok(());
    }
    buffer.object().sync(offset, size, SyncDir::ForDevice);
    if kind != FLUSH {
        buffer.object().sync(offset, size, SyncDir::ForCpu);
    }
    Ok(())
}

/// In `extra_flags`: a dma-buf of another device.
const IS_IMPORTED: u32 = 1;

fn query_bo_info(call: &PanCall<'_>, arg: &mut QueryBoInfo) -> Result<()> {
    let gem = call.file.gem(arg.handle)?;
    let bo = gem.object();
    (arg.extra_flags, arg.create_flags) = match bo.imported {
        true => (IS_IMPORTED, 0),
        false => (0, bo.flags.bits()),
    };
    arg.pad = 0;
    Ok(())
}
