// SPDX-License-Identifier: BSD-2-Clause
//! The walk from the root.

use crate::addr::{Iova, IovaRange, MapError, Pa, PageSize};
use crate::fmt::{block_level, index, span, translates, Entry, Format};
use crate::mem::TableMem;
use crate::prot::{MemAttr, Prot};
use crate::tree::PageTable;

/// A translation, as [`PageTable::lookup`] finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The physical address of the IOVA, its offset in the page included.
    pub pa: Pa,
    /// Permissions as far as the format stores them.
    pub prot: Prot,
    /// Attribute as far as the format stores it.
    pub attr: MemAttr,
    /// Size of the leaf.
    pub size: PageSize,
}

/// The entry where a walk ended.
pub(crate) struct WalkEnd<T> {
    pub(crate) table: T,
    pub(crate) level: u32,
    pub(crate) index: u32,
    pub(crate) entry: Entry,
}

/// Walks from `root` towards `iova` to the entry at level `stop`, or to an entry above it where the
/// walk ends: an invalid one, a leaf, or a pointer to a table that cannot be opened.
///
/// `None` if the root cannot be opened.
pub(crate) fn walk<F: Format, M: TableMem>(
    mem: &M,
    root: Pa,
    iova: u64,
    stop: u32,
) -> Option<WalkEnd<M::Table>> {
    let mut table = mem.open(root)?;
    for level in 0..F::LEVELS {
        let index = index::<F>(level, iova);
        let entry = F::decode(level, mem.read(table, index));
        let below = match entry {
            Entry::Table(pa) if level < stop => mem.open(pa),
            _ => None,
        };
        match below {
            Some(next) => table = next,
            None => {
                return Some(WalkEnd {
                    table,
                    level,
                    index,
                    entry,
                })
            }
        }
    }
    // The last level has no pointers to tables: `Format::decode`.
    None
}

/// Fails for a range that the tree does not translate.
pub(crate) fn check_range<F: Format>(range: IovaRange) -> Result<(), MapError> {
    if translates::<F>(range.start(), range.end()) {
        Ok(())
    } else {
        Err(MapError::OutOfRange)
    }
}

impl<F: Format> PageTable<F> {
    /// The translation that the device finds at `iova`; `None` if it faults.
    pub fn lookup<M: TableMem>(&self, mem: &M, iova: Iova) -> Option<Mapping> {
        if !translates::<F>(iova, Iova(iova.0.checked_add(1)?)) {
            return None;
        }
        let end = walk::<F, M>(mem, self.root(), iova.0, F::LEVELS)?;
        let Entry::Leaf { pa, prot, attr } = end.entry else {
            return None;
        };
        let offset = span::<F>(end.level).offset(iova.0);
        let block = F::BLOCKS && end.level == block_level::<F>();
        let size = if block {
            PageSize::Size2M
        } else {
            PageSize::Size4K
        };
        Some(Mapping {
            pa: Pa(pa.0 | offset),
            prot,
            attr,
            size,
        })
    }
}
