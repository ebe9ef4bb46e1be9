// SPDX-License-Identifier: BSD-2-Clause
//! One GPU: what it is, its memory, its power, and the tasks that serve it.

use crate::hw::{self, Regs};
use crate::identity::{identify, Identity, Security, Unsupported};
use crate::jobs::{self, Hardware, Job};
use crate::recover;
use crate::ring::{self, CommandMemory};
use crate::tables::PageTables;
use core::sync::atomic::{AtomicBool, Ordering};
use drm_sched::{Config, SlotConfig};
use drmkpi::account::Account;
use drmkpi::alloc::{Arc, KBox};
use drmkpi::buffer::Buffer;
use drmkpi::errno::{Errno, Result, EIO, ENODEV, ENXIO};
use drmkpi::fence::Fence;
use drmkpi::handle::HandleTable;
use drmkpi::jobs::Queue;
use drmkpi::os::{Clk, Dev, Irq, Level, LogLimit, MemAttr, Mtx, MtxGuard, Os, Sx, Task, TaskQueue};
use drmkpi::stats::Stats;

/// Jobs in the hardware at once, and how long the first of them may take. HW: Linux's bounds.
const DEPTH: u8 = 4;
const JOB_TIMEOUT_NS: u64 = 500_000_000;
/// A job that makes progress gets this many times as long: 30 s.
const MAX_EXTENSIONS: u32 = 60;
const MAX_RUNS: u32 = 3;
/// After this much idleness the GPU is turned off. HW: Linux's bound.
const IDLE_NS: u64 = 200_000_000;

struct Tasks {
    pump: Arc<Task<Gpu>>,
    timeout: Task<Gpu>,
    idle: Task<Gpu>,
    fault: Task<Gpu>,
}

/// Which task, and for a timer, when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Work {
    /// Let jobs go that are over and start others.
    Pump,
    /// Look for jobs that take too long, at this time.
    Timeout(u64),
    /// Turn the GPU off if it has nothing to do.
    Idle,
    /// The MMU or the bus stopped the GPU.
    Fault,
}

/// The jobs, and what the hardware has of them; boxed, for it is large.
pub(crate) type JobQueue = Queue<Job, KBox<Hardware>>;

/// The job lock, held.
pub(crate) type Engine<'a> = MtxGuard<'a, drmkpi::jobs::Engine<Job, KBox<Hardware>>>;

/// A GPU.
pub struct Gpu {
    dev: Dev,
    regs: Regs,
    clocks: [Option<Clk>; 4],
    pub(crate) identity: Identity,
    pub(crate) tables: PageTables,
    command_buffer: Arc<Buffer>,
    pub(crate) memory: CommandMemory,
    pub(crate) queue: Arc<JobQueue>,
    /// Unfinished fences by the slot of their number.
    pub(crate) fences: Mtx<HandleTable<(u32, Arc<Fence>)>>,
    power: Sx<bool>,
    tasks: Mtx<Option<Tasks>>,
    irq: Sx<Option<Irq<Gpu>>>,
    pub(crate) stats: Stats,
    log: LogLimit,
    removed: AtomicBool,
}

impl From<Unsupported> for Errno {
    fn from(_: Unsupported) -> Errno {
        ENODEV
    }
}

impl Gpu {
    /// Finds out what GPU this is and gets it ready.
    ///
    /// # Errors
    ///
    /// ENODEV for hardware that this driver does not serve, EIO when it does not answer, ENOMEM.
    pub(crate) fn probe(dev: Dev) -> Result<Arc<Gpu>> {
        let clocks = [
            Clk::find(dev, Some(c"core"))?,
            Clk::find(dev, Some(c"shader"))?,
            Clk::find(dev, Some(c"bus"))?,
            Clk::find(dev, Some(c"reg"))?,
        ];
        let regs = Regs::map(dev, None)?;
        supply_on(dev, &clocks)?;
        let gpu = identify(|at| regs.read(at))
            .map_err(Errno::from)
            .and_then(|identity| {
                // The page tables and the ring must be below 4 GiB (facts, section 2.1); so, for now, is all memory.
                dev.set_dma_bits(32)?;
                if identity.security() != Security::Kernel {
                    // The other way to load page tables is not written.
                    return Err(ENODEV);
                }
                dev.log(
                    Level::Info,
                    format_args!(
                        "vivante gc{:x} rev {:x}",
                        identity.ids.model, identity.ids.revision
                    ),
                );
                Ok(identity)
            });
        supply_off(dev, &clocks);
        let gpu = Self::build(dev, regs, clocks, gpu?)?;
        if let Err(e) = Gpu::start_services(&gpu).and_then(|()| gpu.turn_on()) {
            Gpu::remove(&gpu);
            return Err(e);
        }
        gpu.enqueue(Work::Idle);
        Ok(gpu)
    }

    #[inline(never)]
    fn build(dev: Dev, regs: Regs, clocks: [Option<Clk>; 4], identity: Identity) -> Result<Arc<Gpu>> {
        let os = dev.os();
        let account = Arc::new(os, Account::new(u64::MAX, None))?;
        let command_buffer = Buffer::new(dev, &account, ring::BYTES, ring::BYTES, MemAttr::Cached)?;
        let slot = SlotConfig {
            depth: DEPTH,
            timeout_ns: JOB_TIMEOUT_NS,
        };
        let config = Config {
            max_runs: MAX_RUNS,
            max_extensions: MAX_EXTENSIONS,
            rerun_errno: EIO.get(),
        };
        let hardware = KBox::new(os, Hardware::new())?;
        let gpu = Gpu {
            dev,
            regs,
            clocks,
            identity,
            tables: PageTables::new(dev)?,
            memory: CommandMemory::new(&command_buffer)?,
            command_buffer,
            queue: Queue::new(os, &[slot], config, hardware)?,
            fences: Mtx::new(os, c"etnaviv fences", HandleTable::new(os))?,
            power: Sx::new(os, c"etnaviv power", false)?,
            tasks: Mtx::new(os, c"etnaviv tasks", None)?,
            irq: Sx::new(os, c"etnaviv irq", None)?,
            stats: Stats::default(),
            log: LogLimit::new(),
            removed: AtomicBool::new(false),
        };
        Arc::new(os, gpu)
    }

    fn start_services(gpu: &Arc<Gpu>) -> Result<()> {
        let os = gpu.os();
        let queue = Arc::new(os, TaskQueue::new(os, c"etnaviv")?)?;
        let task = |run: fn(&Gpu)| Task::new(os, &queue, gpu.clone(), run);
        let tasks = Tasks {
            pump: Arc::new(os, task(jobs::pump)?)?,
            timeout: task(recover::check)?,
            idle: task(Gpu::turn_off_if_idle)?,
            fault: task(recover::after_fault)?,
        };
        gpu.queue.set_kick(Some(tasks.pump.clone().into_hook()));
        *gpu.tasks.lock() = Some(tasks);
        let irq = Irq::new(gpu.dev, c"gpu", gpu.clone(), jobs::on_interrupt)?;
        *gpu.irq.lock() = Some(irq);
        Ok(())
    }

    /// Ends all work and turns the GPU off, for good.
    pub(crate) fn remove(gpu: &Arc<Gpu>) {
        gpu.removed.store(true, Ordering::Release);
        gpu.queue.lock().sched.shutdown();
        recover::for_good(gpu);
        gpu.queue.set_kick(None);
        let tasks = gpu.tasks.lock().take();
        drop(tasks);
        let irq = gpu.irq.lock().take();
        drop(irq);
        jobs::retire(gpu);
    }

    /// Whether the device is gone.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// The instance of the system.
    pub(crate) fn os(&self) -> Os {
        self.dev.os()
    }

    /// The device node.
    pub(crate) fn dev(&self) -> Dev {
        self.dev
    }

    /// The registers.
    pub(crate) fn regs(&self) -> &Regs {
        &self.regs
    }

    /// The buffer of the command memory.
    pub(crate) fn command_buffer(&self) -> &Buffer {
        &self.command_buffer
    }

    /// Logs what a client caused, once a second at the most.
    pub(crate) fn log_client(&self, args: core::fmt::Arguments<'_>) {
        self.log.warn(self.dev, args);
    }

    /// Has a task run.
    pub(crate) fn enqueue(&self, work: Work) {
        let tasks = self.tasks.lock();
        let Some(tasks) = tasks.as_ref() else { return };
        match work {
            Work::Pump => tasks.pump.enqueue(),
            Work::Timeout(when) => tasks.timeout.enqueue_at(when),
            Work::Idle => tasks.idle.enqueue_at(self.os().now().saturating_add(IDLE_NS)),
            Work::Fault => tasks.fault.enqueue(),
        }
    }

    /// Turns the GPU on if it is off; the front end does not run yet.
    ///
    /// # Errors
    ///
    /// EIO when it does not come on, ENXIO when it is gone.
    pub(crate) fn turn_on(&self) -> Result<()> {
        let mut power = self.power.lock();
        if self.is_removed() {
            return Err(ENXIO);
        }
        if *power {
            return Ok(());
        }
        supply_on(self.dev, &self.clocks)?;
        if let Err(e) = self.reset_core() {
            supply_off(self.dev, &self.clocks);
            return Err(e);
        }
        *power = true;
        Ok(())
    }

    fn reset_core(&self) -> Result<()> {
        hw::reset(&self.regs, self.os(), &self.identity)?;
        let mut engine = self.queue.lock();
        hw::init(&self.regs, &self.identity);
        engine.hw.powered = true;
        Ok(())
    }

    /// Takes everything from the hardware: a reset, or, when that does not work or the device goes, no power.
    pub(crate) fn empty_hardware(&self) -> Result<()> {
        let mut power = self.power.lock();
        let loaded = {
            let mut engine = self.queue.lock();
            engine.hw.powered = false;
            engine.hw.forget()
        };
        if let Some(irq) = self.irq.lock().as_ref() {
            irq.sync();
        }
        let mut result = Ok(());
        if *power {
            result = if self.is_removed() {
                Err(ENXIO)
            } else {
                self.reset_core()
            };
            if result.is_err() {
                supply_off(self.dev, &self.clocks);
                *power = false;
            }
        }
        drop(power);
        // The last reference of an address space may sleep.
        drop(loaded);
        result
    }

    fn turn_off_if_idle(&self) {
        let mut power = self.power.lock();
        let loaded = {
            let mut engine = self.queue.lock();
            if !*power || !engine.hw.is_empty() {
                return;
            }
            engine.hw.powered = false;
            engine.hw.forget()
        };
        if let Some(irq) = self.irq.lock().as_ref() {
            irq.sync();
        }
        supply_off(self.dev, &self.clocks);
        *power = false;
        drop(power);
        drop(loaded);
    }
}

/// Power domain and clocks on; what came on goes off again when a later step fails.
fn supply_on(dev: Dev, clocks: &[Option<Clk>; 4]) -> Result<()> {
    dev.power_on()?;
    let mut result = Ok(());
    let mut on = 0usize;
    for clock in clocks.iter().flatten() {
        result = clock.enable();
        if result.is_err() {
            break;
        }
        on = on.wrapping_add(1);
    }
    if result.is_err() {
        for clock in clocks.iter().flatten().take(on) {
            log_failure(dev, clock.disable());
        }
        log_failure(dev, dev.power_off());
    }
    result
}

fn supply_off(dev: Dev, clocks: &[Option<Clk>; 4]) {
    for clock in clocks.iter().flatten() {
        log_failure(dev, clock.disable());
    }
    log_failure(dev, dev.power_off());
}

fn log_failure(dev: Dev, result: Result<()>) {
    if let Err(e) = result {
        dev.log(Level::Error, format_args!("turning the GPU off: {e:?}"));
    }
}

/// A number for a fence that is never 0: slot and, above it, a generation.
pub(crate) const FENCE_SLOT_BITS: u32 = 20;

impl Gpu {
    /// Gives a fence a number for WAIT_FENCE.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn number_fence(&self, fence: &Arc<Fence>) -> Result<u32> {
        let [g0, g1, ..] = self.os().unique().to_le_bytes();
        let generation = u32::from_le_bytes([g0, g1 & 0xf, 0, 0]);
        let slot = self.fences.lock().insert((generation, fence.clone()))?;
        Ok(generation.wrapping_shl(FENCE_SLOT_BITS) | slot)
    }

    /// Puts the job's fence behind a number that stood for another.
    pub(crate) fn renumber_fence(&self, number: u32, fence: &Arc<Fence>) {
        let slot = number & (1u32.wrapping_shl(FENCE_SLOT_BITS)).wrapping_sub(1);
        let old = {
            let mut fences = self.fences.lock();
            fences
                .get_mut(slot)
                .map(|(_, f)| core::mem::replace(f, fence.clone()))
        };
        drop(old);
    }

    /// The unfinished fence with a number.
    pub(crate) fn numbered_fence(&self, number: u32) -> Option<Arc<Fence>> {
        let slot = number & (1u32.wrapping_shl(FENCE_SLOT_BITS)).wrapping_sub(1);
        let fences = self.fences.lock();
        let (generation, fence) = fences.get(slot)?;
        (*generation == number.wrapping_shr(FENCE_SLOT_BITS)).then(|| fence.clone())
    }

    /// The fence is over.
    pub(crate) fn forget_fence(&self, number: u32) {
        let slot = number & (1u32.wrapping_shl(FENCE_SLOT_BITS)).wrapping_sub(1);
        let gone = self.fences.lock().remove(slot);
        drop(gone);
    }
}
