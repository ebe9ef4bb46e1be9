// SPDX-License-Identifier: BSD-2-Clause
//! The MMU: address spaces of clients (VMs), and the hardware address spaces that they are loaded
//! in.
//!
//! * `address_space`: register operations of one hardware address space
//! * `slots`: which VM is in which hardware address space
//! * `vm`: the VM of one open file
//! * `va`: where buffers are in it
//! * `mapping`: a buffer in a VM
//! * `fault`: MMU faults, growing heaps
//!
//! [`Mmu`] is below the VM and above the registers: a VM has its translations flushed and is taken
//! out of the hardware here, without knowing the GPU.

pub(crate) mod address_space;
pub(crate) mod fault;
pub(crate) mod mapping;
pub(crate) mod slots;
pub(crate) mod va;
pub(crate) mod vm;

use crate::mmu::address_space::{Fault, Flush, LockRegion, Table};
use crate::mmu::slots::{AsSlots, Owner, Seat};
use crate::regs::mmu::{As, SPACES};
use crate::regs::Regs;
use drmkpi::alloc::{Arc, Callback};
use drmkpi::os::{Dev, Level, Mtx};
use drmkpi::util::errno::Result;

/// TRANSTAB: table mode 3, the walker reads through the inner cache, and snoops where the bus can.
const TRANSTAB_TABLE: u64 = 3;
const TRANSTAB_READ_INNER: u64 = 1 << 2;
const TRANSTAB_SHARE_OUTER: u64 = 1 << 4;
/// Attribute indexes 0 to 2: implementation-defined, write-allocate, implementation-defined.
const MEMATTR: u64 = 0x0088_8D88;

struct State<V> {
    /// Registers may be touched.
    powered: bool,
    slots: AsSlots<V>,
}

/// The MMU of a GPU, with owners `V` of its hardware address spaces.
///
/// Its lock comes after the job lock.
pub(crate) struct Mmu<V> {
    dev: Dev,
    regs: Arc<Regs>,
    bifrost: bool,
    state: Mtx<State<V>>,
    /// Resets the GPU; None before it is attached and when it is removed.
    reset: Mtx<Option<Arc<dyn Callback>>>,
}

impl<V: Owner> Mmu<V> {
    /// An MMU without power whose address spaces are those in the mask `present`.
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

    /// Sets what resets the GPU when the MMU does not answer.
    pub(crate) fn set_reset(&self, reset: Option<Arc<dyn Callback>>) {
        let old = core::mem::replace(&mut *self.reset.lock(), reset);
        drop(old);
    }

    /// After a reset: no VM is loaded, and interrupts are let through.
    pub(crate) fn ready(&self) {
        let mut state = self.state.lock();
        state.powered = true;
        address_space::reset_interrupts(&self.regs);
    }

    /// Before a reset or before power goes off: masks the interrupts, and returns the VMs that were
    /// loaded. The hardware may use their page tables until it is reset or off.
    pub(crate) fn forget(&self) -> [Option<V>; SPACES] {
        let mut state = self.state.lock();
        if core::mem::take(&mut state.powered) {
            address_space::mask_interrupts(&self.regs);
        }
        state.slots.forget_all()
    }

    /// The value of the registers that load the page table whose root is at `root`.
    pub(crate) fn table_registers(&self, root: u64) -> Table {
        let snoop = if self.dev.coherent() {
            TRANSTAB_SHARE_OUTER
        } else {
            0
        };
        Table {
            transtab: root | TRANSTAB_TABLE | TRANSTAB_READ_INNER | snoop,
            memattr: MEMATTR,
            // Midgard has no such register; zero is the format that Midgard has.
            transcfg: self.bifrost.then_some(0),
        }
    }

    /// Gives `vm` a hardware address space for one more use, with its page table loaded, and
    /// returns the VM that had to leave. The GPU has power.
    ///
    /// # Errors
    ///
    /// EBUSY when jobs use all of them; ETIMEDOUT when it does not answer: the GPU must be reset.
    pub(crate) fn acquire(&self, vm: &V, table: &Table) -> Result<(Seat, Option<V>)> {
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

    /// Gives one use of a hardware address space back.
    pub(crate) fn release(&self, seat: Seat) {
        self.state.lock().slots.release(seat);
    }

    /// Whether the VM of `seat` is not loaded any more, or was switched off after a fault.
    pub(crate) fn is_lost(&self, seat: Seat) -> bool {
        let state = self.state.lock();
        state.slots.is_stale(seat) || state.slots.is_faulty(seat)
    }

    /// Whether the hardware address space of `seat` was switched off after a fault.
    pub(crate) fn is_faulty(&self, seat: Seat) -> bool {
        self.state.lock().slots.is_faulty(seat)
    }

    /// Makes the hardware forget translations of a VM.
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

    /// Takes a VM that no job uses out of the hardware. One that jobs use stays until this is
    /// called again. May sleep.
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
            // One that is stuck may still be used: the reset releases it.
            off.map(|()| state.slots.remove(space))
        };
        if evicted.is_err() {
            self.stuck("an address space");
        }
    }

    /// The MMU does not answer: only a reset makes sure that it uses no freed memory.
    fn stuck(&self, what: &str) {
        self.dev
            .log(Level::Error, format_args!("{what} is stuck, resetting"));
        let reset = self.reset.lock().clone();
        if let Some(reset) = reset {
            reset.call();
        }
    }

    // Interrupts and faults.

    /// The interrupt: masks the MMU's interrupts if one is raised. True: it is.
    pub(crate) fn mask_if_raised(&self) -> bool {
        let state = self.state.lock();
        let raised = state.powered && address_space::pending(&self.regs) != 0;
        if raised {
            address_space::mask_interrupts(&self.regs);
        }
        raised
    }

    /// The interrupts that are raised, but for those of address spaces that are off; if there are
    /// none, or there is no power, lets interrupts through again and returns None.
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

    /// Lets interrupts through again.
    fn unmask(&self) {
        let state = self.state.lock();
        if state.powered {
            address_space::unmask_interrupts(&self.regs, state.slots.faulty());
        }
    }

    /// The fault of an address space, and the VM that is there with its stay. None without power.
    fn fault(&self, space: As) -> Option<(Fault, Option<(Seat, V)>)> {
        let state = self.state.lock();
        let fault = state.powered.then(|| Fault::read(&self.regs, space))?;
        Some((fault, state.slots.stay(space)))
    }

    /// Ends a fault: the access is tried again, or, if it is not `served`, the address space is
    /// switched off.
    fn end_fault(&self, space: As, stay: Option<Seat>, served: bool) -> FaultEnd {
        let mut state = self.state.lock();
        if !state.powered {
            return FaultEnd::Again;
        }
        if served || stay.is_some_and(|stay| state.slots.is_stale(stay)) {
            // If the VM that faulted has left, the one that is there faults again if it has to.
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

/// How a fault ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FaultEnd {
    /// The access is tried again.
    Again,
    /// The address space is off: its jobs fail.
    Off,
    /// The address space cannot be switched off: the GPU must be reset.
    Stuck,
}
