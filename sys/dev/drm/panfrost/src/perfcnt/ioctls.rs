// SPDX-License-Identifier: BSD-2-Clause
//! The counters' ioctls. Offered only with the tunable unstable_ioctls, as Linux does with its module
//! parameter; panfrost_perfcnt.c of Linux 6.1 is what clients know.

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
use drmkpi::util::errno::{Result, EBUSY, EINVAL, EIO, ENOSYS, ETIMEDOUT};
use drmkpi::util::int_conv::{u64_of, usize_of};

/// 64 counters of 4 bytes make a block (docs/hw/panfrost.md, Performance counters).
const BLOCK_BYTES: u64 = 256;
/// Midgard v4 has 8 blocks for each core group.
const V4_BLOCKS: u64 = 8;
/// PERFCNT_CFG: sample when told to.
const MODE_MANUAL: u32 = 1;
/// PERFCNT_CFG: which set, on Bifrost.
const SETSEL_SHIFT: u32 = 8;
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

fn dump_bytes(gpu: &Gpu) -> u64 {
    let id = &gpu.identity;
    let blocks = if gpu.features.contains(Features::V4) {
        u64::from(id.core_groups()).saturating_mul(V4_BLOCKS)
    } else {
        let cores = u64::from(u64::BITS.saturating_sub(id.shader_present.leading_zeros()));
        // The job manager and the tiler have one each.
        u64::from(id.core_groups())
            .saturating_add(cores)
            .saturating_add(2)
    };
    blocks.saturating_mul(BLOCK_BYTES)
}

/// Does PERFCNT_ENABLE.
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
    let size = dump_bytes(gpu);
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
            let engine = powered(gpu)?;
            let seen = clear_interrupts(gpu);
            reg::GPU_CMD.write(gpu.regs(), Command::PerfcntClear.code());
            reg::GPU_CMD.write(gpu.regs(), Command::CleanInvCaches.code());
            drop(engine);
            seen
        };
        poll(gpu.os(), CLEAN_STEP_NS, CLEAN_NS, || {
            *gpu.perfcnt.dumped.lock() != seen
        })?;
        let (seat, evicted) = attach(gpu, &mut powered(gpu)?, &vm, counterset)?;
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

/// The job lock, under which no reset begins and the power stays.
///
/// # Errors
///
/// EIO when there is no power, or a reset is under way.
fn powered(gpu: &Gpu) -> Result<Engine<'_>> {
    let engine = gpu.runner.lock();
    if engine.state.powered {
        Ok(engine)
    } else {
        Err(EIO)
    }
}

/// Forgets dumps that are over. The answer is how many there were.
fn clear_interrupts(gpu: &Gpu) -> u64 {
    let causes = Irq::CLEAN_CACHES_COMPLETED | Irq::PERFCNT_SAMPLE_COMPLETED;
    reg::GPU_INT_CLEAR.write(gpu.regs(), causes.bits());
    *gpu.perfcnt.dumped.lock()
}

/// Gives the VM a hardware address space, and the counters to it. Returns the VM that had to leave,
/// to be dropped without the lock.
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
    let set = counterset.wrapping_shl(SETSEL_SHIFT);
    reg::PERFCNT_CFG.write(
        regs,
        u32::from(seat.space().nr()).wrapping_shl(4) | MODE_MANUAL | set,
    );
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

/// Does PERFCNT_DUMP.
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
            // Lost, as by a reset.
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

/// Starts a dump. The answer is how many there were before.
fn sample(gpu: &Gpu, session: &mut Session) -> Result<u64> {
    let mut engine = powered(gpu)?;
    let old = session.seat;
    let mut evicted = None;
    if gpu.mmu.is_lost(old) {
        // A reset took the address space and the registers, or a fault switched it off.
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

/// Sleeps until there are more dumps than `seen`.
fn wait(call: &Call<'_, Panfrost>, seen: u64) -> Result<()> {
    let gpu = call.device().data();
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
    let size = dump_bytes(gpu);
    let object = session.buffer.object();
    object.sync(0, size, SyncDir::ForCpu);
    let mut bytes = KVec::filled(gpu.os(), 0u8, usize_of(size))?;
    object.read(0, &mut bytes)?;
    UserSlice::new(to, u64_of(bytes.len())).write(call.caller, &bytes)
}

/// A file that is being closed gives the counters up.
pub(crate) fn close(gpu: &Gpu, file: u64) {
    let mut session = gpu.perfcnt.session.lock();
    if session.as_ref().is_some_and(|s| s.file == file) {
        end(gpu, &mut session);
    }
}
