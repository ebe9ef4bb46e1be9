// SPDX-License-Identifier: BSD-2-Clause
//! The driver's ioctls. Semantics and errors are those of etnaviv_drv.c and etnaviv_gem.c of Linux
//! 6.1, which clients are written for.

use crate::bo::{Bo, Caching};
use crate::job::submit;
use crate::mmu::Version;
use crate::perfmon_tables;
use crate::uapi::{
    CpuFini, CpuPrep, GemInfo, GemNew, GemSubmit, GemUserptr, Param, PmDomain, PmSignal, Wait,
};
use crate::Etnaviv;
use core::cell::Cell;
use drmkpi::drm::driver::Call;
use drmkpi::drm::gem::Gem;
use drmkpi::drm::ioctl::{Ioctl, RENDER};
use drmkpi::drm_ioctl;
use drmkpi::mem::buffer::{Buffer, Charged};
use drmkpi::os::{MemAttr, SyncDir, PAGE_SIZE};
use drmkpi::sync::resv::Usage;
use drmkpi::util::errno::{Result, EBUSY, EINTR, EINVAL, ENOMEM, ERESTART};

/// All ioctls, in ascending order of their numbers.
pub(crate) const TABLE: &[Ioctl<Etnaviv>] = &[
    drm_ioctl!(0xc010_6440, Param, RENDER, get_param),
    // SET_PARAM, whose number is reserved.
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
    drm_ioctl!(0xc048_6446, GemSubmit, RENDER, gem_submit),
    drm_ioctl!(0x4020_6447, Wait, RENDER, wait_fence),
    drm_ioctl!(0xc018_6448, GemUserptr, RENDER, gem_userptr),
    drm_ioctl!(0x4020_6449, Wait, RENDER, gem_wait),
    drm_ioctl!(0xc048_644a, PmDomain, RENDER, pm_query_dom),
    drm_ioctl!(0xc04c_644b, PmSignal, RENDER, pm_query_sig),
];

type EtnaCall<'a> = Call<'a, Etnaviv>;

const CACHED: u32 = 0x1_0000;
const WC: u32 = 0x2_0000;
const UNCACHED: u32 = 0x4_0000;
const CACHE_MASK: u32 = 0xf_0000;
const FORCE_MMU: u32 = 0x10_0000;
const PREP_READ: u32 = 1;
const PREP_WRITE: u32 = 2;
const PREP_NOSYNC: u32 = 4;
const NONBLOCK: u32 = 1;
const USERPTR_READ: u32 = 1;
const USERPTR_WRITE: u32 = 2;

/// An absolute time-out of the user ABI in ns. `tv_nsec` may be above a second.
fn deadline(tv_sec: i64, tv_nsec: i64) -> u64 {
    // OVERFLOW: saturates: a deadline.
    let ns = tv_sec.saturating_mul(1_000_000_000).saturating_add(tv_nsec);
    u64::try_from(ns).unwrap_or(0)
}

fn get_param(call: &EtnaCall<'_>, arg: &mut Param) -> Result<()> {
    let core = call.device().data().core(arg.pipe)?;
    arg.value = core.identity.param(arg.param).ok_or(EINVAL)?;
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
    let size = size.checked_next_multiple_of(PAGE_SIZE).ok_or(EINVAL)?;
    let created = Buffer::new(
        call.device().dev(),
        call.file.account(),
        size,
        Charged::AtOnce,
        attr,
    )
    .and_then(|buffer| Gem::new(call.file, buffer, Bo::new(caching, true)))
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

/// GEM_SUBMIT; counts and logs a submit that is refused.
fn gem_submit(call: &EtnaCall<'_>, arg: &mut GemSubmit) -> Result<()> {
    let refused = Cell::new(None);
    let done = submit::submit(call, arg, &refused);
    match done {
        // An interrupted call is not a refusal; the client repeats it.
        Ok(()) | Err(EINTR | ERESTART) => {}
        Err(e) => {
            call.file
                .driver()
                .refused(call.device().data(), call.caller.pid(), refused.get(), e)
        }
    }
    done
}

/// GEM_USERPTR: memory of the caller as an object, which the GPU reads, and writes if `flags`
/// permit it.
fn gem_userptr(call: &EtnaCall<'_>, arg: &mut GemUserptr) -> Result<()> {
    let pages = |n: u64| n.is_multiple_of(PAGE_SIZE);
    if arg.flags & !(USERPTR_READ | USERPTR_WRITE) != 0 || arg.flags == 0 {
        return Err(EINVAL);
    }
    if !pages(arg.user_ptr) || !pages(arg.user_size) || u32::try_from(arg.user_size).is_err() {
        return Err(EINVAL);
    }
    let write = arg.flags & USERPTR_WRITE != 0;
    let (dev, account) = (call.device().dev(), call.file.account());
    // MMUv1 cannot forbid writes, so there the caller must have write access to the memory.
    let may_write = write || call.device().data().shared.mmu.version() == Version::V1;
    let buffer = Buffer::userptr(
        dev,
        account,
        call.caller,
        arg.user_ptr,
        arg.user_size,
        may_write,
    )?;
    let caching = if dev.coherent() {
        Caching::Uncached
    } else {
        // The contents may be in the CPU's caches only.
        buffer.object().sync(0, buffer.size(), SyncDir::ForDevice);
        Caching::Cached
    };
    let gem = Gem::new(call.file, buffer, Bo::new(caching, write))?;
    arg.handle = call.file.create_handle(&gem)?;
    Ok(())
}

/// Enumerates the domains of a core's counters, over all of its pipes.
fn pm_query_dom(call: &EtnaCall<'_>, arg: &mut PmDomain) -> Result<()> {
    let core = call.device().data().core(arg.pipe)?;
    let features = core.identity.features;
    let domain = perfmon_tables::domain(features, usize::from(arg.iter)).ok_or(EINVAL)?;
    arg.id = arg.iter;
    arg.nr_signals = u16::try_from(domain.signals.len()).unwrap_or(u16::MAX);
    (arg.name, arg.name_rest) = padded(domain.name);
    // OVERFLOW: saturates: u8::MAX is the end of the enumeration.
    let next = arg.iter.saturating_add(1);
    let last = perfmon_tables::domain(features, usize::from(next)).is_none();
    arg.iter = if last { u8::MAX } else { next };
    Ok(())
}

/// Enumerates the signals of a domain.
fn pm_query_sig(call: &EtnaCall<'_>, arg: &mut PmSignal) -> Result<()> {
    let core = call.device().data().core(arg.pipe)?;
    let domain =
        perfmon_tables::domain(core.identity.features, usize::from(arg.domain)).ok_or(EINVAL)?;
    let signal = domain.signals.get(usize::from(arg.iter)).ok_or(EINVAL)?;
    arg.id = arg.iter;
    (arg.name, arg.name_rest) = padded(signal.name);
    // OVERFLOW: saturates: u16::MAX is the end of the enumeration.
    let next = arg.iter.saturating_add(1);
    let last = usize::from(next) >= domain.signals.len();
    arg.iter = if last { u16::MAX } else { next };
    Ok(())
}

/// A name as the two halves of a field of 64 bytes, truncated so that it ends with 0.
fn padded(name: &str) -> ([u8; 32], [u8; 32]) {
    let mut halves = ([0; 32], [0; 32]);
    let (first, rest) = &mut halves;
    let bytes = name.bytes().take(63);
    for (to, from) in first.iter_mut().chain(rest).zip(bytes) {
        *to = from;
    }
    halves
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
    // An object that the GPU cannot write has no new contents, and must not be invalidated: its
    // pages may be dirty, as other processes may have them mapped.
    if gem.object().caching == Caching::Cached && gem.object().writable {
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
    let core = call.device().data().core(arg.pipe)?;
    // An unknown id is that of a fence that was signaled.
    let Some(fence) = core.fences.get(arg.what) else {
        return Ok(());
    };
    if arg.flags & NONBLOCK != 0 {
        return if fence.is_signaled() {
            Ok(())
        } else {
            Err(EBUSY)
        };
    }
    let deadline = deadline(arg.tv_sec, arg.tv_nsec);
    fence.wait(Some(call.caller), deadline)
}

fn gem_wait(call: &EtnaCall<'_>, arg: &mut Wait) -> Result<()> {
    if arg.flags & !NONBLOCK != 0 {
        return Err(EINVAL);
    }
    call.device().data().core(arg.pipe)?;
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
