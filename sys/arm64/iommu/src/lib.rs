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
//! Outside of an operation, every table but the root has an entry in use. How many it has is
//! counted in memory beside the tables (`count.rs`), so that no table is scanned.
//!
//! Nothing here panics: memory is accessed through [`TableMem`] by an index below
//! [`Format::ENTRIES`], and all arguments are checked before use.
//!
//! # Examples
//!
//! A page table of a Mali, in memory of the host: a table that unmapping leaves empty is freed
//! after the flush.
//!
//! ```
//! use iommu_pmap::*;
//! use std::{cell::Cell, collections::BTreeMap};
//!
//! /// Tables by their addresses.
//! #[derive(Default)]
//! struct Tables(BTreeMap<u64, Vec<u64>>, u64);
//!
//! impl TableMem for Tables {
//!     type Table = u64;
//!     fn alloc(&mut self) -> Result<Pa, NoMemory> {
//!         self.1 += PAGE_BYTES;
//!         self.0.insert(self.1, vec![0; 512]);
//!         Ok(Pa(self.1))
//!     }
//!     fn free(&mut self, pa: Pa) {
//!         self.0.remove(&pa.0);
//!     }
//!     fn open(&self, pa: Pa) -> Option<u64> {
//!         self.0.contains_key(&pa.0).then_some(pa.0)
//!     }
//!     fn read(&self, table: u64, index: u32) -> u64 {
//!         self.0[&table][index as usize]
//!     }
//!     fn write(&mut self, table: u64, index: u32, entry: u64) {
//!         self.0.get_mut(&table).unwrap()[index as usize] = entry;
//!     }
//!     fn sync(&mut self, _table: u64, _first: u32, _count: u32) {}
//! }
//!
//! struct Tlb<'a>(&'a Cell<u32>);
//! impl TlbFlush for Tlb<'_> {
//!     fn flush(&mut self, _range: IovaRange) {
//!         self.0.set(self.0.get() + 1);
//!     }
//! }
//!
//! let (mut mem, flushes) = (Tables::default(), Cell::new(0));
//! let mut table = PageTable::<MaliLpae>::new(&mut mem)?;
//! // 2 MiB and a page, from a boundary of 2 MiB: a block and a leaf of 4 KiB.
//! table.update(&mut mem, &mut Tlb(&flushes)).map(
//!     Iova(0x20_0000),
//!     Pa(0x8020_0000),
//!     0x20_1000,
//!     Prot::READ | Prot::WRITE,
//!     MemAttr::Cached,
//! )?;
//! let found = table.lookup(&mem, Iova(0x20_0123)).unwrap();
//! assert_eq!((found.pa, found.size.bytes()), (Pa(0x8020_0123), 0x20_0000));
//! let found = table.lookup(&mem, Iova(0x40_0000)).unwrap();
//! assert_eq!((found.pa, found.size.bytes()), (Pa(0x8040_0000), 0x1000));
//! // Three levels of one table each with the count of its entries, and the last level's.
//! assert_eq!((mem.0.len(), flushes.get()), (7, 1));
//!
//! let page = IovaRange::new(0x40_0000, 0x1000)?;
//! let unmapped = table.update(&mut mem, &mut Tlb(&flushes)).unmap(page)?;
//! assert_eq!((unmapped, mem.0.len(), flushes.get()), (0x1000, 6, 2));
//! table.destroy(&mut mem);
//! assert!(mem.0.is_empty());
//! # Ok::<(), MapError>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod addr;
mod block;
mod count;
pub mod fmt;
mod guard;
mod map;
mod mem;
mod prot;
mod runs;
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
