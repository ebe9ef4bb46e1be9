// SPDX-License-Identifier: BSD-2-Clause
//! The MMU: hardware address spaces, and the VMs that are loaded into them.
//!
//! * `address_space`: register operations of one hardware address space
//! * `slots`: which VM is loaded in which hardware address space
//! * `vm`: the VM of one open file: page table and regions
//! * `removals`: the regions that the reaper is to remove
//! * `va`: allocation of virtual addresses
//! * `mapping`: a buffer in a VM
//! * `fault`: MMU faults, growing heaps
//!
//! A VM calls [`Mmu`] to flush translations and to leave the hardware, so that it does not depend
//! on the GPU.

pub(crate) mod address_space;
pub(crate) mod fault;
pub(crate) mod mapping;
mod removals;
pub(crate) mod slots;
pub(crate) mod va;
pub(crate) mod vm;

use crate::mmu::address_space::{Fault, Flush, LockRegion, TableRegs};
use crate::mmu::slots::{AsSlots, Owner, Seat};
use crate::regs::mmu::{As, SPACES};
use crate::regs::Regs;
use drmkpi::alloc::{Arc, Callback};
use drmkpi::os::{Dev, Level, Mtx};
use drmkpi::util::errno::Result;

/// TRANSTAB: table mode 3; the walker reads through the inner cache; it snoops, if the bus can.
const TRANSTAB_TABLE: u64 = 3;
const TRANSTAB_READ_INNER: u64 = 1 << 2;
const TRANSTAB_SHARE_OUTER: u64 = 1 << 4;
/// Attribute indexes 0 to 2: implementation-defined, write-allocate, implementation-defined.
const MEMATTR: u64 = 0x0088_8D88;

struct State<V> {
    /// Whether registers may be accessed.
    powered: bool,
    slots: AsSlots<V>,
}

/// The MMU of a GPU, whose hardware address spaces hold VMs of type `V`.
///
/// Its lock is taken after the job lock.
pub(crate) struct Mmu<V> {
    dev: Dev,
    regs: Arc<Regs>,
    bifrost: bool,
    state: Mtx<State<V>>,
    /// Resets the GPU; `None` before it is attached and once it is detached.
    reset: Mtx<Option<Arc<dyn Callback>>>,
}

impl<V: Owner> Mmu<V> {
    /// An MMU without power, with the address spaces in the mask `present`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(dev: Dev, regs: &Arc<Regs>, present: u32, bifrost: bool) -> Result<Mmu<V>> {
        let state = State {
            powered: false,
            slots: AsSlots::new(present),
        };
        Ok(Mmu {
            dev,
            regs: regs.clone(),
            bifrost,
            state: Mtx::new(dev.os(), c"panfrost mmu", state)?,
            reset: Mtx::new(dev.os(), c"panfrost mmu reset", None)?,
        })
    }

    /// The device node.
    pub(crate) fn dev(&self) -> Dev {
        self.dev
    }

    /// Sets the callback that resets the GPU if a command of the MMU times out.
    pub(crate) fn set_reset(&self, reset: Option<Arc<dyn Callback>>) {
        let old = core::mem::replace(&mut *self.reset.lock(), reset);
        drop(old);
    }

    /// After a reset: registers may be accessed, and interrupts are unmasked. No VM is loaded.
    pub(crate) fn ready(&self) {
        let mut state = self.state.lock();
        state.powered = true;
        address_space::reset_interrupts(&self.regs);
    }

    /// Before a reset or power-down: masks the interrupts. From now on no register is accessed.
    pub(crate) fn mask_interrupts(&self) {
        let mut state = self.state.lock();
        if core::mem::take(&mut state.powered) {
            address_space::mask_interrupts(&self.regs);
        }
    }

    /// After `mask_interrupts`: returns the VMs that were loaded. The hardware may use their page
    /// tables until it is reset or off.
    pub(crate) fn forget(&self) -> [Option<V>; SPACES] {
        self.state.lock().slots.forget_all()
    }

    /// The register values that load the page table whose root is at `root`.
    pub(crate) fn table_registers(&self, root: u64) -> TableRegs {
        let snoop = if self.dev.coherent() {
            TRANSTAB_SHARE_OUTER
        } else {
            0
        };
        TableRegs {
            transtab: root | TRANSTAB_TABLE | TRANSTAB_READ_INNER | snoop,
            memattr: MEMATTR,
            // Zero selects Midgard's format. Midgard itself has no such register.
            transcfg: self.bifrost.then_some(0),
        }
    }

    /// Takes one more use of a hardware address space for `vm`, with its page table loaded. Returns
    /// the VM that was evicted for it. The GPU has power.
    ///
    /// # Errors
    ///
    /// EBUSY if jobs use all address spaces; ETIMEDOUT if a command times out: the GPU must be
    /// reset.
    pub(crate) fn acquire(&self, vm: &V, table: &TableRegs) -> Result<(Seat, Option<V>)> {
        let mut state = self.state.lock();
        let acquired = state.slots.acquire(vm)?;
        let seat = acquired.seat;
        if !acquired.fresh {
            return Ok((seat, None));
        }
        let space = seat.space();
        if acquired.was_faulty {
            address_space::clear_interrupts(&self.regs, space);
            address_space::unmask_interrupts(&self.regs, state.slots.faulty());
        }
        let enabled = address_space::enable(&self.regs, self.dev.os(), space, table);
        if let Err(stuck) = enabled {
            state.slots.cancel(acquired);
            return Err(stuck);
        }
        Ok((seat, acquired.evicted))
    }

    /// Releases one use of a hardware address space.
    pub(crate) fn release(&self, seat: Seat) {
        self.state.lock().slots.release(seat);
    }

    /// Whether the VM of `seat` is no longer loaded, or was disabled after a fault.
    pub(crate) fn is_lost(&self, seat: Seat) -> bool {
        let state = self.state.lock();
        state.slots.is_stale(seat) || state.slots.is_faulty(seat)
    }

    /// Whether the hardware address space of `seat` was disabled after a fault.
    pub(crate) fn is_faulty(&self, seat: Seat) -> bool {
        self.state.lock().slots.is_faulty(seat)
    }

    /// Flushes a region of a VM, if it is loaded.
    pub(crate) fn flush(&self, vm: u64, region: LockRegion, what: Flush) {
        let flushed = {
            let state = self.state.lock();
            match state.slots.find(vm) {
                Some(space) if state.powered => {
                    address_space::flush(&self.regs, self.dev.os(), space, region, what)
                }
                _ => Ok(()),
            }
        };
        if flushed.is_err() {
            self.stuck("a TLB flush");
        }
    }

    /// Unloads a VM that no job uses. One that jobs use stays loaded until this is called again.
    /// May sleep.
    pub(crate) fn evict(&self, vm: u64) {
        let evicted = {
            let mut state = self.state.lock();
            let Some(space) = state.slots.find_idle(vm) else {
                return;
            };
            let off = match state.powered {
                true => address_space::disable(&self.regs, self.dev.os(), space),
                false => Ok(()),
            };
            // If the command times out, the hardware may still use it, so it stays until the reset.
            off.map(|()| state.slots.remove(space))
        };
        if evicted.is_err() {
            self.stuck("an address space");
        }
    }

    /// Resets the GPU after a command has timed out: only that ensures that the MMU uses no freed
    /// memory.
    fn stuck(&self, what: &str) {
        self.dev
            .log(Level::Error, format_args!("{what} is stuck, resetting"));
        let reset = self.reset.lock().clone();
        if let Some(reset) = reset {
            reset.call();
        }
    }

    // Interrupts and faults.

    /// For the interrupt handler: returns whether an interrupt is raised, and masks all if so.
    pub(crate) fn mask_if_raised(&self) -> bool {
        let state = self.state.lock();
        let raised = state.powered && address_space::pending(&self.regs) != 0;
        if raised {
            address_space::mask_interrupts(&self.regs);
        }
        raised
    }

    /// The raised interrupts, except those of address spaces that were disabled after a fault. If
    /// there are none, unmasks interrupts and returns `None`; also `None` without power.
    fn raised(&self) -> Option<u32> {
        let state = self.state.lock();
        if !state.powered {
            return None;
        }
        let faulty = state.slots.faulty();
        let both = u32::from(faulty) | u32::from(faulty) << 16;
        let raised = address_space::raised(&self.regs) & !both;
        if raised == 0 {
            address_space::unmask_interrupts(&self.regs, faulty);
            return None;
        }
        Some(raised)
    }

    /// Unmasks the interrupts, if there is power.
    fn unmask(&self) {
        let state = self.state.lock();
        if state.powered {
            address_space::unmask_interrupts(&self.regs, state.slots.faulty());
        }
    }

    /// The fault of an address space, and the VM that is loaded there; `None` without power.
    fn fault(&self, space: As) -> Option<(Fault, Option<(Seat, V)>)> {
        let state = self.state.lock();
        let fault = state.powered.then(|| Fault::read(&self.regs, space))?;
        Some((fault, state.slots.loaded(space)))
    }

    /// Ends the handling of a fault of the VM of `seat`: has the access repeated if the fault was
    /// `resolved`, or disables the address space.
    fn end_fault(&self, space: As, seat: Option<Seat>, resolved: bool) -> FaultEnd {
        let mut state = self.state.lock();
        if !state.powered {
            return FaultEnd::Again;
        }
        if resolved || seat.is_some_and(|seat| state.slots.is_stale(seat)) {
            // If another VM is loaded now, the interrupt may be its own: the access is repeated.
            address_space::clear_interrupts(&self.regs, space);
            return FaultEnd::Again;
        }
        state.slots.set_faulty(space);
        let off = address_space::disable(&self.regs, self.dev.os(), space);
        address_space::clear_interrupts(&self.regs, space);
        match off {
            Ok(()) => FaultEnd::Off,
            Err(_) => FaultEnd::Stuck,
        }
    }
}

/// How the handling of a fault ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FaultEnd {
    /// The access is repeated.
    Again,
    /// The address space is disabled: its jobs fail.
    Off,
    /// Disabling the address space timed out: the GPU must be reset.
    Stuck,
}
