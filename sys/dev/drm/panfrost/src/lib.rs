// SPDX-License-Identifier: BSD-2-Clause
//! DRM driver for Arm Mali GPUs of the Midgard and Bifrost families that have a job manager.
//!
//! # The hardware
//!
//! Such a GPU has three blocks of registers, each with an interrupt of its own: GPU control
//! (`gpu`), job manager (`job`) and MMU (`mmu`). Below them are shader cores, tilers and level 2
//! caches, which the driver powers on and off by masks in the GPU control block; regulator, clocks
//! and power domain of the SoC come first.
//!
//! **Jobs.** User space builds a *chain* of job descriptors in memory that the GPU can read, and
//! submits the address of the first one. The job manager has three *slots*: slot 0 takes fragment
//! jobs, slot 1 vertex, tiler and compute jobs, slot 2 is not used. A slot holds two chains: the
//! one that runs, and one in its NEXT registers, which moves up when the first completes. To start
//! a chain the driver writes its address, the number of an address space, a mask of shader cores
//! and flags into the NEXT registers, and START into COMMAND_NEXT.
//!
//! **The end of a job.** The slot raises "done" or "failed". A failed chain holds its slot until
//! its interrupt is cleared. Two chains that complete in a row may raise one interrupt, so the
//! driver derives from JOB_INT_JS_STATE how many have completed (`job::events`). A running chain is
//! stopped by a *soft stop*, after its current job, from where it can be resumed, or by a *hard
//! stop*, at once. A job that takes too long is sent a soft stop, then a hard stop, and then the
//! GPU is reset.
//!
//! **Addresses.** The MMU has up to 16 hardware *address spaces*, each with the root of a page
//! table of four levels (`iommu_pmap::MaliLpae`) and a TLB. Each open file has a VM of its own. As
//! there may be more VMs than address spaces, a VM is loaded into one for its jobs and stays there
//! until another VM needs it (`mmu::slots`). A change of a page table is followed by a flush
//! command for the range. An access that finds no mapping raises a fault and waits: the driver
//! either maps memory, which is how *heap* buffers grow, and lets the access repeat, or disables
//! the address space, which fails its jobs.
//!
//! **Reset.** A soft reset lets bus transactions complete, a hard reset, the last resort, does not.
//! Either stops all jobs, powers all cores off, masks all interrupts and disables all address
//! spaces. The registers that errata need (`gpu::quirks`) are written again, cores are powered on,
//! and jobs that were in flight are started again, except for the guilty one.
//!
//! Facts with their sources: docs/hw/panfrost.md.
//!
//! # Modules
//!
//! * `device`: a GPU and its parts, attach and detach; `irq`: its interrupt handlers
//! * `gpu`: the GPU control block: identity, errata, reset, cores and their power
//! * `mmu`: hardware address spaces, VMs, mappings, faults
//! * `job`: jobs, from the ioctl to a job slot and back
//! * `exception`: the exception codes of jobs and faults
//! * `perfcnt`: performance counters
//! * `driver`: the driver's entry points for the DRM layer; `file`, `bo`: its part of open files
//!   and of GEM objects; `shrinker`: memory that is not needed; `ioctls`, `uapi`: the user ABI
//! * `regs`: registers, one file for each block
//!
//! # Threads
//!
//! * Ioctls run in the threads of their callers.
//! * Interrupt handlers access only what the job lock or the lock of the MMU guards.
//! * Starting jobs, timeouts, resets and power-down are tasks of the runner (`drmkpi::runner`),
//!   which run one at a time in the queue "panfrost".
//! * MMU faults are resolved in the queue "panfrost faults", as that may wait for memory.
//! * The two reapers, which free what jobs held and unmap buffers, share "panfrost reaper".
//!
//! # Lock order
//!
//! "panfrost perfcnt", "drm timeline", "panfrost vm", "drm power", "drm irqs", "drm jobs" (the job
//! lock), "panfrost mmu"; "panfrost mappings", "panfrost unused", "panfrost dump" and "panfrost mmu
//! reset" are leaves. docs/design.md has all locks.
#![no_std]
#![forbid(unsafe_code)]

// Unit tests run over the user-space system.
#[cfg(test)]
extern crate drm_os_host as _;

mod bo;
mod device;
mod driver;
mod exception;
mod file;
mod gpu;
mod ioctls;
mod irq;
mod job;
mod mmu;
mod perfcnt;
mod regs;
mod shrinker;
pub mod uapi;

pub use driver::DRIVER;

/// The driver.
pub struct Panfrost;
