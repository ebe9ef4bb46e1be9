// SPDX-License-Identifier: BSD-2-Clause
//! The ioctls of the counters, offered only with the tunable unstable_ioctls, for which Linux has a
//! module parameter. Semantics and errors are those of panfrost_perfcnt.c of Linux 6.1.

use crate::device::{Engine, Gpu};
use crate::gpu::features::Features;
use crate::mmu::mapping::Mapping;
use crate::mmu::slots::Seat;
use crate::mmu::vm::Vm;
use crate::perfcnt::Session;
use crate::regs::gpu::{self as reg, Command, Irq};
use crate::regs::poll;
use crate::uapi::{PerfcntDump, PerfcntEnable};
use crate::Panfrost;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::driver::Call;
use drmkpi::mem::buffer::{Buffer, Charged};
use drmkpi::os::{MemAttr, Os, SyncDir, UserSlice};
use drmkpi::util::errno::{Result, EBUSY, EINVAL, ENOSYS, ETIMEDOUT};
use drmkpi::util::int_conv::{u64_of, usize_of};

/// 64 counters of 4 bytes make a block (docs/hw/panfrost.md, Performance counters).
const BLOCK_BYTES: u64 = 256;
/// Midgard v4 has 8 blocks for each core group.
const V4_BLOCKS: u64 = 8;
/// PERFCNT_CFG: counters are sampled by command.
const MODE_MANUAL: u32 = 1;
/// PERFCNT_CFG: position of the counter set, on Bifrost.
const SETSEL_SHIFT: u32 = 8;
/// PERFCNT_CFG: position of the address space.
const AS_SHIFT: u32 = 4;
/// How long a dump may take. HW: Linux's bound.
const DUMP_NS: u64 = 1_000_000_000;
/// How long the caches may take to be cleaned before the first sample.
const CLEAN_NS: u64 = 10_000_000;
const CLEAN_STEP_NS: u64 = 10_000;

fn offered(os: Os) -> Result<()> {
    if os.tunable(c"unstable_ioctls", 0) == 0 {
        return Err(ENOSYS);
    }
    Ok(())
}

/// The size of a dump in bytes.
fn dump_bytes(gpu: &Gpu) -> Result<u64> {
    let id = &gpu.identity;
    let groups = u64::from(id.core_groups());
    let blocks = if gpu.features.contains(Features::V4) {
        groups.checked_mul(V4_BLOCKS)
    } else {
        // One for each core, up to the last, and one each for the job manager and the tiler.
        let cores = u64::BITS.checked_sub(id.shader_present.leading_zeros());
        let others = groups.checked_add(2);
        cores.and_then(|cores| others?.checked_add(u64::from(cores)))
    };
    let bytes = blocks.and_then(|blocks| blocks.checked_mul(BLOCK_BYTES));
    bytes.ok_or(EINVAL)
}

/// PERFCNT_ENABLE.
pub(crate) fn enable(call: &Call<'_, Panfrost>, arg: &mut PerfcntEnable) -> Result<()> {
    let gpu = call.device().data();
    offered(gpu.os())?;
    let bifrost = gpu.features.contains(Features::FLUSH_REDUCTION);
    if arg.counterset > u32::from(bifrost) {
        return Err(EINVAL);
    }
    let mut session = gpu.perfcnt.session.lock();
    let owner = session.as_ref().map(|s| s.file);
    if arg.enable == 0 {
        if owner != Some(call.file.id()) {
            return Err(EINVAL);
        }
        end(gpu, &mut session);
        return Ok(());
    }
    match owner {
        Some(file) if file == call.file.id() => return Ok(()),
        Some(_) => return Err(EBUSY),
        None => {}
    }
    *session = Some(begin(call, gpu, arg.counterset)?);
    Ok(())
}

fn begin(call: &Call<'_, Panfrost>, gpu: &Arc<Gpu>, counterset: u32) -> Result<Session> {
    let vm = call.file.driver().vm.clone();
    let size = dump_bytes(gpu)?;
    let buffer = Buffer::new(
        gpu.dev(),
        call.file.account(),
        size,
        Charged::AtOnce,
        MemAttr::Cached,
    )?;
    let mapping = Mapping::new(gpu.os(), &vm, &buffer, false, false)?;
    gpu.runner.pin(gpu)?;
    let program = || {
        let seen = {
            let engine = gpu.powered()?;
            let seen = clear_interrupts(gpu);
            reg::GPU_CMD.write(gpu.regs(), Command::PerfcntClear.code());
            reg::GPU_CMD.write(gpu.regs(), Command::CleanInvCaches.code());
            drop(engine);
            seen
        };
        poll(gpu.os(), CLEAN_STEP_NS, CLEAN_NS, || {
            *gpu.perfcnt.dumped.lock() != seen
        })?;
        let (seat, evicted) = attach(gpu, &mut gpu.powered()?, &vm, counterset)?;
        drop(evicted);
        Ok(seat)
    };
    match program() {
        Ok(seat) => {
            let left = None;
            Ok(Session {
                file: call.file.id(),
                vm,
                buffer,
                mapping,
                seat,
                counterset,
                left,
            })
        }
        Err(e) => {
            gpu.runner.unpin();
            Err(e)
        }
    }
}

/// Clears the interrupts of completed dumps. Returns the number of completed dumps.
fn clear_interrupts(gpu: &Gpu) -> u64 {
    let causes = Irq::CLEAN_CACHES_COMPLETED | Irq::PERFCNT_SAMPLE_COMPLETED;
    reg::GPU_INT_CLEAR.write(gpu.regs(), causes.bits());
    *gpu.perfcnt.dumped.lock()
}

/// Loads the VM into a hardware address space and programs the counters to use that. Returns the VM
/// that was evicted, which the caller drops after the job lock.
///
/// # Errors
///
/// EBUSY if jobs use all address spaces; ETIMEDOUT if the MMU does not respond: a reset is
/// enqueued.
fn attach(
    gpu: &Gpu,
    _engine: &mut Engine<'_>,
    vm: &Arc<Vm>,
    counterset: u32,
) -> Result<(Seat, Option<Arc<Vm>>)> {
    let acquired = gpu.mmu.acquire(vm, vm.registers());
    if matches!(acquired, Err(ETIMEDOUT)) {
        gpu.runner.enqueue_reset();
    }
    let (seat, evicted) = acquired?;
    let regs = gpu.regs();
    reg::PERFCNT_JM_EN.write(regs, u32::MAX);
    reg::PERFCNT_SHADER_EN.write(regs, u32::MAX);
    reg::PERFCNT_MMU_L2_EN.write(regs, u32::MAX);
    reg::PERFCNT_TILER_EN.write(regs, u32::MAX);
    let space = u32::from(seat.space().nr());
    let config = counterset << SETSEL_SHIFT | space << AS_SHIFT | MODE_MANUAL;
    reg::PERFCNT_CFG.write(regs, config);
    Ok((seat, evicted))
}

fn end(gpu: &Gpu, session: &mut Option<Session>) {
    let Some(old) = session.take() else { return };
    {
        let engine = gpu.runner.lock();
        gpu.mmu.release(old.seat);
        if engine.state.powered {
            gpu.perfcnt.registers_off(gpu.regs());
        }
    }
    gpu.runner.unpin();
    drop(old);
}

/// PERFCNT_DUMP.
pub(crate) fn dump(call: &Call<'_, Panfrost>, arg: &mut PerfcntDump) -> Result<()> {
    let gpu = call.device().data();
    offered(gpu.os())?;
    let mut guard = gpu.perfcnt.session.lock();
    let session = guard
        .as_mut()
        .filter(|s| s.file == call.file.id())
        .ok_or(EINVAL)?;
    if let Some(seen) = session.left {
        match wait(call, seen) {
            // A dump that a reset has ended does not complete.
            Ok(()) | Err(ETIMEDOUT) => session.left = None,
            Err(e) => return Err(e),
        }
    }
    let seen = sample(gpu, session)?;
    let dumped = wait(call, seen);
    if dumped.is_err_and(|e| e != ETIMEDOUT) {
        session.left = Some(seen);
    }
    dumped?;
    copy(gpu, session, call, arg.buf_ptr)
}

/// Starts a dump. Returns the number of dumps that completed before.
fn sample(gpu: &Gpu, session: &mut Session) -> Result<u64> {
    let mut engine = gpu.powered()?;
    let old = session.seat;
    let mut evicted = None;
    if gpu.mmu.is_lost(old) {
        // A reset has cleared the address space and the registers, or a fault has disabled it.
        (session.seat, evicted) = attach(gpu, &mut engine, &session.vm, session.counterset)?;
        gpu.mmu.release(old);
    }
    reg::PERFCNT_BASE.write(gpu.regs(), session.mapping.start());
    let seen = clear_interrupts(gpu);
    reg::GPU_CMD.write(gpu.regs(), Command::PerfcntSample.code());
    drop(engine);
    drop(evicted);
    Ok(seen)
}

/// Sleeps until the number of completed dumps is another than `seen`.
///
/// # Errors
///
/// ETIMEDOUT, and EINTR or ERESTART for a signal.
fn wait(call: &Call<'_, Panfrost>, seen: u64) -> Result<()> {
    let gpu = call.device().data();
    // OVERFLOW: saturates: a deadline.
    let deadline = gpu.os().now().saturating_add(DUMP_NS);
    let mut dumped = gpu.perfcnt.dumped.lock();
    while *dumped == seen {
        gpu.perfcnt
            .wake
            .wait(&mut dumped, Some(call.caller), deadline)?;
    }
    Ok(())
}

fn copy(gpu: &Gpu, session: &Session, call: &Call<'_, Panfrost>, to: u64) -> Result<()> {
    let size = dump_bytes(gpu)?;
    let object = session.buffer.object();
    object.sync(0, size, SyncDir::ForCpu);
    let mut bytes = KVec::filled(gpu.os(), 0u8, usize_of(size))?;
    object.read(0, &mut bytes)?;
    UserSlice::new(to, u64_of(bytes.len())).write(call.caller, &bytes)
}

/// Releases the counters if the file that is being closed has them.
pub(crate) fn close(gpu: &Gpu, file: u64) {
    let mut session = gpu.perfcnt.session.lock();
    if session.as_ref().is_some_and(|s| s.file == file) {
        end(gpu, &mut session);
    }
}
