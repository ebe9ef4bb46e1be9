// SPDX-License-Identifier: BSD-2-Clause
//! GPU page tables as a pure data structure.
//!
//! The crate decides which entries hold what; it makes no OS call and touches no register. The
//! caller brings the memory of the tables ([`TableMem`]) and the TLB ([`TlbFlush`]), and
//! serialises all access to one [`PageTable`] (the `&mut` receivers make the compiler ask for it).
//!
//! The one thing to know: every change goes through a [`PtUpdate`] guard. A table that became
//! unused is given back only after the guard has flushed the TLB, so the device's walker never
//! follows a pointer into memory that belongs to someone else, not even on an error path.
//!
//! No invariant of the tree needs a counter: outside of an operation, every table but the root
//! holds at least one entry that is in use.
//!
//! Nothing here can panic: all memory is reached through [`TableMem`] by an index that is below
//! [`Format::ENTRIES`], and whatever a caller passes is checked before it is used.
#![no_std]
#![forbid(unsafe_code)]

mod addr;
mod block;
pub mod fmt;
mod guard;
mod map;
mod mem;
mod prot;
mod tree;
mod unmap;
mod walk;

pub use addr::{Iova, IovaRange, MapError, Pa, PageSize, PAGE_BYTES};
pub use fmt::mali_lpae::MaliLpae;
pub use fmt::vivante_v1::VivanteV1;
pub use fmt::vivante_v2::VivanteV2;
pub use fmt::{Entry, Format};
pub use guard::{PtUpdate, TlbFlush, MERGES_PER_FLUSH};
pub use mem::{NoMemory, TableMem};
pub use prot::{MemAttr, Prot};
pub use tree::PageTable;
pub use walk::Mapping;
