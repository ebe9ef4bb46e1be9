// SPDX-License-Identifier: BSD-2-Clause
//! Performance counters, for one client at a time. Offered only with the tunable unstable_ioctls, as Linux
//! does with its module parameter; panfrost_perfcnt.c of Linux 6.1 is what clients know.
//!
//! A dump: SAMPLE writes the counters to the client's address space, CLEAN_CACHES brings them to memory, and
//! the second interrupt wakes the caller.

use crate::device::{Engine, Gpu};
use crate::driver::Panfrost;
use crate::gpu::features::Features;
use crate::mmu::mapping::Mapping;
use crate::mmu::slots::Seat;
use crate::mmu::vm::Context;
use crate::regs::gpu::{self as reg, Command, Irq};
use crate::regs::{poll, Regs};
use crate::uapi::{PerfcntDump, PerfcntEnable};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::driver::Call;
use drmkpi::mem::buffer::{Buffer, Charged};
use drmkpi::os::{Condvar, MemAttr, Mtx, Os, Sx, SyncDir, UserSlice};
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

/// The client that has the counters.
struct Session {
    file: u64,
    context: Arc<Context>,
    buffer: Arc<Buffer>,
    mapping: Mapping,
    seat: Seat,
    counterset: u32,
    /// A dump that nobody waits for any more: how many there were before it.
    left: Option<u64>,
}

/// The counters of a GPU.
pub(crate) struct Perfcnt {
    session: Sx<Option<Session>>,
    /// Dumps that are in memory.
    dumped: Mtx<u64>,
    wake: Condvar,
}

impl Perfcnt {
    /// Nobody has them.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<Perfcnt> {
        Ok(Perfcnt {
            session: Sx::new(os, c"panfrost perfcnt", None)?,
            dumped: Mtx::new(os, c"panfrost dump", 0)?,
            wake: Condvar::new(os, c"pfdump")?,
        })
    }

    /// Interrupts of the GPU block, under the job lock: no reset is under way.
    pub(crate) fn on_interrupt(&self, gpu: &Gpu, causes: Irq) {
        if causes.contains(Irq::PERFCNT_SAMPLE_COMPLETED) {
            reg::GPU_CMD.write(gpu.regs(), Command::CleanCaches.code());
        }
        if causes.contains(Irq::CLEAN_CACHES_COMPLETED) {
            let mut dumped = self.dumped.lock();
            *dumped = dumped.wrapping_add(1);
            self.wake.broadcast();
        }
    }

    /// Before the power goes, in the stock driver's order.
    pub(crate) fn registers_off(&self, regs: &Regs) {
        reg::PERFCNT_CFG.write(regs, 0);
        reg::PERFCNT_JM_EN.write(regs, 0);
        reg::PERFCNT_SHADER_EN.write(regs, 0);
        reg::PERFCNT_MMU_L2_EN.write(regs, 0);
        reg::PERFCNT_TILER_EN.write(regs, 0);
    }

    /// The device goes.
    pub(crate) fn forget(&self) {
        let session = self.session.lock().take();
        drop(session);
    }
}

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
    let context = call.file.driver().context.clone();
    let size = dump_bytes(gpu);
    let buffer = Buffer::new(
        gpu.dev(),
        call.file.account(),
        size,
        Charged::AtOnce,
        MemAttr::Cached,
    )?;
    let mapping = Mapping::new(gpu.os(), &context, &buffer, false, false)?;
    {
        let mut power = gpu.power.lock();
        gpu.turn_on_locked(&mut power)?;
        power.pins = power.pins.saturating_add(1);
    }
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
        attach(gpu, &mut powered(gpu)?, &context, counterset)
    };
    match program() {
        Ok(seat) => {
            let left = None;
            Ok(Session {
                file: call.file.id(),
                context,
                buffer,
                mapping,
                seat,
                counterset,
                left,
            })
        }
        Err(e) => {
            unpin(gpu);
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
    let engine = gpu.queue.lock();
    if engine.hw.powered {
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

/// Gives the context an address space and the counters to it.
fn attach(gpu: &Gpu, engine: &mut Engine<'_>, context: &Context, counterset: u32) -> Result<Seat> {
    let seat = crate::job::run::take_space(gpu, engine, context)?;
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
    Ok(seat)
}

fn unpin(gpu: &Gpu) {
    let mut power = gpu.power.lock();
    power.pins = power.pins.saturating_sub(1);
    drop(power);
    gpu.enqueue(crate::device::Work::Idle);
}

fn end(gpu: &Gpu, session: &mut Option<Session>) {
    let Some(old) = session.take() else { return };
    {
        let mut engine = gpu.queue.lock();
        engine.hw.spaces.release(old.seat);
        if engine.hw.powered {
            gpu.perfcnt.registers_off(gpu.regs());
        }
    }
    unpin(gpu);
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
    if engine.hw.spaces.is_stale(old) || engine.hw.spaces.is_faulty(old) {
        // A reset took the address space and the registers, or a fault switched it off.
        session.seat = attach(gpu, &mut engine, &session.context, session.counterset)?;
        engine.hw.spaces.release(old);
    }
    reg::PERFCNT_BASE.write(gpu.regs(), session.mapping.start());
    let seen = clear_interrupts(gpu);
    reg::GPU_CMD.write(gpu.regs(), Command::PerfcntSample.code());
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
