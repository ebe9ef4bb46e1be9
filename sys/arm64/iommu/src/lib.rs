// SPDX-License-Identifier: BSD-2-Clause
//! GPU page tables as a pure data structure.
//!
//! The crate computes the entries; it makes no OS call and accesses no register. The caller
//! provides the memory of the tables ([`TableMem`]) and the TLB ([`TlbFlush`]), and serialises all
//! access to a [`PageTable`] (the `&mut` receivers enforce it).
//!
//! The one thing to know: every change is made through a [`PtUpdate`] guard. A table that is no
//! longer used is freed only after the guard has flushed the TLB, so the device's walker never
//! follows a pointer into freed memory, not even on an error path.
//!
//! No table needs a counter of its entries: outside of an operation, every table but the root has
//! at least one that is in use.
//!
//! Nothing here panics: memory is accessed through [`TableMem`] by an index below
//! [`Format::ENTRIES`], and all arguments are checked before use.
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
