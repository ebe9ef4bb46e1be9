// SPDX-License-Identifier: BSD-2-Clause
//! The driver's ioctls: etnaviv_drv.c and etnaviv_gem.c of Linux 6.1 are what clients know.

use crate::driver::{Bo, Caching, Etnaviv};
use crate::submit;
use crate::uapi::{CpuFini, CpuPrep, GemInfo, GemNew, GemSubmit, Param, Wait};
use drmkpi::buffer::Buffer;
use drmkpi::driver::Call;
use drmkpi::drm_ioctl;
use drmkpi::errno::{Result, EBUSY, EINVAL, ENOMEM, ENXIO, EOPNOTSUPP};
use drmkpi::gem::Gem;
use drmkpi::ioctl::{Ioctl, RENDER};
use drmkpi::os::{MemAttr, SyncDir};
use drmkpi::resv::Usage;

/// By number.
pub(crate) const TABLE: &[Ioctl<Etnaviv>] = &[
    drm_ioctl!(0xc010_6440, Param, RENDER, get_param),
    // SET_PARAM, which never was.
    Ioctl {
        nr: 0x41,
        size: 0,
        access: RENDER,
        run: |_, _| Err(EINVAL),
    },
    drm_ioctl!(0xc010_6442, GemNew, RENDER, gem_new),
    drm_ioctl!(0xc010_6443, GemInfo, RENDER, gem_info),
    drm_ioctl!(0x4018_6444, CpuPrep, RENDER, cpu_prep),
    drm_ioctl!(0x4008_6445, CpuFini, RENDER, cpu_fini),
    drm_ioctl!(0xc048_6446, GemSubmit, RENDER, submit::submit),
    drm_ioctl!(0x4020_6447, Wait, RENDER, wait_fence),
    // GEM_USERPTR: memory of a process cannot be given to the GPU.
    Ioctl {
        nr: 0x48,
        size: 0,
        access: RENDER,
        run: |_, _| Err(EOPNOTSUPP),
    },
    drm_ioctl!(0x4020_6449, Wait, RENDER, gem_wait),
    // PM_QUERY_DOM and PM_QUERY_SIG: there are no counters, so every index is beyond the last.
    Ioctl {
        nr: 0x4a,
        size: 0,
        access: RENDER,
        run: |_, _| Err(EINVAL),
    },
    Ioctl {
        nr: 0x4b,
        size: 0,
        access: RENDER,
        run: |_, _| Err(EINVAL),
    },
];

type EtnaCall<'a> = Call<'a, Etnaviv>;

/// Cores that a client may ask for.
const MAX_PIPES: u32 = 4;
const CACHED: u32 = 0x1_0000;
const WC: u32 = 0x2_0000;
const UNCACHED: u32 = 0x4_0000;
const CACHE_MASK: u32 = 0xf_0000;
const FORCE_MMU: u32 = 0x10_0000;
const PREP_READ: u32 = 1;
const PREP_WRITE: u32 = 2;
const PREP_NOSYNC: u32 = 4;
const NONBLOCK: u32 = 1;

/// The one core there is.
pub(crate) fn check_pipe(pipe: u32) -> Result<()> {
    match pipe {
        0 => Ok(()),
        1..MAX_PIPES => Err(ENXIO),
        _ => Err(EINVAL),
    }
}

/// Nanoseconds of a user's time-out, whose nanoseconds need not be below a second.
fn deadline(tv_sec: i64, tv_nsec: i64) -> u64 {
    let ns = tv_sec.saturating_mul(1_000_000_000).saturating_add(tv_nsec);
    u64::try_from(ns).unwrap_or(0)
}

fn get_param(call: &EtnaCall<'_>, arg: &mut Param) -> Result<()> {
    check_pipe(arg.pipe)?;
    arg.value = call.device().data().identity.param(arg.param).ok_or(EINVAL)?;
    Ok(())
}

fn gem_new(call: &EtnaCall<'_>, arg: &mut GemNew) -> Result<()> {
    if arg.flags & !(CACHE_MASK | FORCE_MMU) != 0 {
        return Err(EINVAL);
    }
    let (attr, caching) = match arg.flags & CACHE_MASK {
        CACHED if !call.device().dev().coherent() => (MemAttr::Cached, Caching::Cached),
        CACHED => (MemAttr::Cached, Caching::Uncached),
        WC | UNCACHED => (MemAttr::WriteCombine, Caching::Uncached),
        _ => return Err(EINVAL),
    };
    let size = u32::try_from(arg.size).map_err(|_| EINVAL).map(u64::from)?;
    let size = size
        .checked_next_multiple_of(drmkpi::os::PAGE_SIZE)
        .ok_or(EINVAL)?;
    let created = Buffer::new(call.device().dev(), call.file.account(), size, size, attr)
        .and_then(|buffer| Gem::new(call.device(), buffer, Bo::new(caching)))
        .and_then(|gem| call.file.create_handle(&gem));
    if created == Err(ENOMEM) {
        call.device().log_client(format_args!(
            "no memory for a BO of {} bytes for process {}",
            arg.size,
            call.caller.pid()
        ));
    }
    arg.handle = created?;
    Ok(())
}

fn gem_info(call: &EtnaCall<'_>, arg: &mut GemInfo) -> Result<()> {
    if arg.pad != 0 {
        return Err(EINVAL);
    }
    arg.offset = call.file.gem(arg.handle)?.map_offset()?;
    Ok(())
}

fn cpu_prep(call: &EtnaCall<'_>, arg: &mut CpuPrep) -> Result<()> {
    if arg.op & !(PREP_READ | PREP_WRITE | PREP_NOSYNC) != 0 {
        return Err(EINVAL);
    }
    let gem = call.file.gem(arg.handle)?;
    let usage = if arg.op & PREP_WRITE != 0 {
        Usage::Write
    } else {
        Usage::Read
    };
    let buffer = gem.buffer();
    if arg.op & PREP_NOSYNC != 0 {
        if !buffer.resv().is_idle(usage) {
            return Err(EBUSY);
        }
    } else {
        let until = deadline(arg.tv_sec, arg.tv_nsec);
        buffer
            .resv()
            .wait(call.file.os(), usage, Some(call.caller), until)?;
    }
    if gem.object().caching == Caching::Cached {
        buffer.object().sync(0, buffer.size(), SyncDir::ForCpu);
    }
    Ok(())
}

fn cpu_fini(call: &EtnaCall<'_>, arg: &mut CpuFini) -> Result<()> {
    if arg.flags != 0 {
        return Err(EINVAL);
    }
    let gem = call.file.gem(arg.handle)?;
    if gem.object().caching == Caching::Cached {
        let buffer = gem.buffer();
        buffer.object().sync(0, buffer.size(), SyncDir::ForDevice);
    }
    Ok(())
}

fn wait_fence(call: &EtnaCall<'_>, arg: &mut Wait) -> Result<()> {
    if arg.flags & !NONBLOCK != 0 {
        return Err(EINVAL);
    }
    check_pipe(arg.pipe)?;
    // A number that is not known is of a fence that is over.
    let Some(fence) = call.device().data().numbered_fence(arg.what) else {
        return Ok(());
    };
    if arg.flags & NONBLOCK != 0 {
        return if fence.is_signaled() { Ok(()) } else { Err(EBUSY) };
    }
    fence.wait(
        call.file.os(),
        Some(call.caller),
        deadline(arg.tv_sec, arg.tv_nsec),
    )
}

fn gem_wait(call: &EtnaCall<'_>, arg: &mut Wait) -> Result<()> {
    if arg.flags & !NONBLOCK != 0 {
        return Err(EINVAL);
    }
    check_pipe(arg.pipe)?;
    let gem = call.file.gem(arg.what)?;
    let resv = gem.buffer().resv();
    if arg.flags & NONBLOCK != 0 {
        return if resv.is_idle(Usage::Write) {
            Ok(())
        } else {
            Err(EBUSY)
        };
    }
    resv.wait(
        call.file.os(),
        Usage::Write,
        Some(call.caller),
        deadline(arg.tv_sec, arg.tv_nsec),
    )
}
