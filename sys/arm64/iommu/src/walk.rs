// SPDX-License-Identifier: BSD-2-Clause
//! The walk from the root.

use crate::addr::{Iova, IovaRange, MapError, Pa, PageSize};
use crate::count::{counts_of, Counter, Root};
use crate::fmt::{block_level, index, last_level, span, translates, Entry, Format};
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
#[derive(Clone, Copy)]
pub(crate) struct WalkEnd<T> {
    pub(crate) table: T,
    pub(crate) level: u32,
    pub(crate) index: u32,
    /// The entry, not decoded.
    pub(crate) raw: u64,
    /// The count table of `table`; `None` on the last level.
    pub(crate) counts: Option<T>,
    /// Counts the entries of `table`; `None` if that is the root.
    pub(crate) uses: Option<Counter<T>>,
}

impl<T> WalkEnd<T> {
    /// The entry.
    #[inline]
    pub(crate) fn entry<F: Format>(&self) -> Entry {
        F::decode(self.level, self.raw)
    }
}

/// Walks from `root` towards `iova` to the entry at level `stop`, which is the last level or one
/// above, or to an entry above it where the walk ends: an invalid one, a leaf, or a pointer to a
/// table that cannot be opened.
///
/// `None` if the root cannot be opened.
#[inline(always)]
pub(crate) fn walk<F: Format, M: TableMem>(
    mem: &M,
    root: Root,
    iova: u64,
    stop: u32,
) -> Option<WalkEnd<M::Table>> {
    let mut table = mem.open(root.table)?;
    let mut counts = if F::LEVELS > 1 {
        Some(mem.open(root.counts)?)
    } else {
        None
    };
    let mut uses = None;
    let mut level = 0;
    let mut span = span::<F>(0);
    loop {
        let index = span.index::<F>(iova);
        let raw = mem.read(table, index);
        let next = match (F::decode(level, raw), counts) {
            (Entry::Table(pa), Some(counts)) if level < stop => {
                step::<F, M>(mem, level, pa, counts, index)
            }
            _ => None,
        };
        let Some((below, below_counts)) = next else {
            return Some(WalkEnd {
                table,
                level,
                index,
                raw,
                counts,
                uses,
            });
        };
        uses = counts.map(|table| Counter { table, index });
        (table, counts) = (below, below_counts);
        // OVERFLOW: none, for it is below `stop`.
        level = level.saturating_add(1);
        span = span.below::<F>();
    }
}

/// Opens the table at `pa`, to which entry `index` of a table of `level` points, and its count
/// table, if it has one. `counts` is that of the upper table.
#[inline(always)]
fn step<F: Format, M: TableMem>(
    mem: &M,
    level: u32,
    pa: Pa,
    counts: M::Table,
    index: u32,
) -> Option<(M::Table, Option<M::Table>)> {
    let below = mem.open(pa)?;
    // The last level but one points to tables without count tables.
    // OVERFLOW: none: a level is small.
    if level.saturating_add(1) == last_level::<F>() {
        return Some((below, None));
    }
    let below_counts = mem.open(counts_of(mem.read(counts, index)))?;
    Some((below, Some(below_counts)))
}

/// Fails for a range that the tree does not translate.
#[inline]
pub(crate) fn check_range<F: Format>(range: IovaRange) -> Result<(), MapError> {
    if translates::<F>(range.start(), range.end()) {
        Ok(())
    } else {
        Err(MapError::OutOfRange)
    }
}

/// The leaf for `iova`, its entry decoded, and its level.
fn leaf<F: Format, M: TableMem>(mem: &M, root: Pa, iova: u64) -> Option<(u32, Entry)> {
    let mut table = mem.open(root)?;
    for level in 0..F::LEVELS {
        match F::decode(level, mem.read(table, index::<F>(level, iova))) {
            Entry::Table(pa) => table = mem.open(pa)?,
            entry => return Some((level, entry)),
        }
    }
    None
}

impl<F: Format> PageTable<F> {
    /// The translation that the device finds at `iova`; `None` if it faults.
    pub fn lookup<M: TableMem>(&self, mem: &M, iova: Iova) -> Option<Mapping> {
        if !translates::<F>(iova, Iova(iova.0.checked_add(1)?)) {
            return None;
        }
        let (level, Entry::Leaf { pa, prot, attr }) = leaf::<F, M>(mem, self.root(), iova.0)?
        else {
            return None;
        };
        let offset = span::<F>(level).offset(iova.0);
        let block = F::BLOCKS && level == block_level::<F>();
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
