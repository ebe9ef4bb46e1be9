// SPDX-License-Identifier: BSD-2-Clause
//! DRM driver for Vivante GPUs.
//!
//! # The hardware
//!
//! A SoC has up to four Vivante *cores*, for 3D, for 2D, or for both. Each is a node of the device
//! tree with one interrupt, and the driver makes one DRM device of all of them; the user ABI
//! selects a core by its number, the "pipe". Registers report what a core is, with known exceptions
//! (`identify`, `hwdb`).
//!
//! **Jobs.** A core has no queue of jobs. It has a *front end*, which fetches commands of 64 bits
//! from memory: loads of *states* (registers of the drawing units), draws, LINK (a jump), WAIT,
//! EVENT (an interrupt with a number from 0 to 29), and SEMAPHORE with STALL, by which units wait
//! for each other. The driver keeps the front end in a ring buffer, in which it executes a WAIT and
//! a LINK back to it while it has no job. To start a job, the driver writes a program after the
//! idle loop (flush the MMU, select the pipe, LINK to the client's stream, and, where the stream
//! links back to, flush the caches, wait for the units, EVENT, a new idle loop), and then replaces
//! the WAIT by a LINK to it (`job::ring`).
//!
//! **What a client submits** is a stream of such commands. Since the front end executes it with the
//! rights of the kernel, it is copied and validated against an allow list of states (`stream`): no
//! stream jumps, raises events, or loads registers of the MMU.
//!
//! **The end of a job** is its event. A job that makes no progress for 500 ms (neither the address
//! of the front end nor the current primitive changes) is guilty of a hang, and the core is reset.
//! A fault of the MMU or the bus stops the core, and the oldest job is guilty.
//!
//! **Addresses.** MMUv1 has one flat page table for the upper 2 GiB, which all clients share, and a
//! linear window onto memory below. As it keeps no client from memory of the others, every address
//! in a stream must come from a relocation, and the driver refuses such cores unless a tunable
//! permits them. MMUv2 has a page table of two levels for each client. It is selected by commands
//! in the ring, on cores with security features by an index into an array of roots. The driver
//! never waits for the GPU to unmap a buffer: unmapped memory stays allocated until the jobs that
//! may reach it have ended, and later jobs begin with a flush (`mmu::space`). What no table maps
//! leads to a scratch page (MMUv1) or an exception (MMUv2).
//!
//! **Reset.** There is no way to stop a job but a reset of the core. It stops the front end and
//! disables the MMU. The driver then loads the page table by a program at a physical address,
//! enables the MMU, starts the idle loop, and starts all jobs that were in flight again, except for
//! the guilty one.
//!
//! Facts with their sources: docs/hw/etnaviv.md.
//!
//! # Modules
//!
//! * `device`: a GPU, its cores, attach and detach; `gpu_core`: one core and its parts
//! * `identity`: what a core is; `identify`, `hwdb`, `features`: registers, corrections and feature
//!   bits that it is derived from
//! * `core_ops`: register operations of a core: reset, set-up, start; `regs`: register offsets
//! * `mmu`: page tables, VMs, the command memory
//! * `stream`: validation of command streams
//! * `job`: jobs, from the ioctl to the ring buffer and back
//! * `perfmon`: reading performance counters; `perfmon_tables`: their names and selectors
//! * `dump`: crash dumps
//! * `driver`: the driver's entry points for the DRM layer; `file`, `bo`: its part of open files
//!   and of GEM objects; `ioctls`, `uapi`: the user ABI
//!
//! # Threads
//!
//! * Ioctls run in the threads of their callers.
//! * The interrupt handler of a core accesses only what its job lock guards.
//! * Starting jobs, timeouts, faults, resets, reading counters and power-down are tasks of the
//!   core's runner (`drmkpi::runner`), which run one at a time in a queue "etnaviv" for each core.
//! * The two reapers, which free what jobs held and what was unmapped, share "etnaviv reaper".
//!
//! # Lock order
//!
//! "etnaviv clients", "drm timeline", "etnaviv mapping", "etnaviv vm", "drm power", "drm irqs",
//! "drm jobs" (the job lock of a core), "etnaviv vm jobs"; "etnaviv cores", "etnaviv tables" and
//! "etnaviv fences" are leaves. docs/design.md has all locks.
#![no_std]
#![forbid(unsafe_code)]

// Unit tests run over the user-space system.
#[cfg(test)]
extern crate drm_os_host as _;

mod bo;
mod core_ops;
mod device;
mod driver;
mod dump;
pub mod features;
mod file;
mod gpu_core;
pub mod hwdb;
pub mod identify;
pub mod identity;
mod ioctls;
mod job;
mod mmu;
mod perfmon;
pub mod perfmon_tables;
pub mod regs;
pub mod stream;
pub mod uapi;

pub use driver::DRIVER;

/// The driver.
pub struct Etnaviv;
