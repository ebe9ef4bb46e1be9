// SPDX-License-Identifier: BSD-2-Clause
//! The page table of a VM, of either version of the MMU, and how it is changed: the memory that a
//! change takes and leaves, and the flush by the next job.

use crate::mmu::tables::{TreeTables, UnlinkedTables};
use crate::mmu::{Mmu, Version};
use core::sync::atomic::{AtomicU32, Ordering};
use drmkpi::mem::table_mem::{errno, Spare};
use drmkpi::os::Dev;
use drmkpi::util::account::Charge;
use drmkpi::util::errno::Result;
use iommu_pmap::{Iova, IovaRange, MemAttr, PageTable, Prot, TlbFlush, VivanteV1, VivanteV2};

/// The parts of a VM that a change of its page table uses: the MMU, the sequence number of its
/// changes, and the charge for tables.
#[derive(Clone, Copy)]
pub(crate) struct TableOwner<'a> {
    pub(crate) mmu: &'a Mmu,
    pub(crate) seqno: &'a AtomicU32,
    pub(crate) charge: Option<&'a Charge>,
}

/// Room for the tables that a run of pages needs, in either version.
pub(super) fn spare_tables(dev: Dev) -> Spare {
    Spare::new(dev, PageTable::<VivanteV2>::TABLES_PER_RUN)
}

/// A page table, of either version.
pub(super) enum Table {
    V1(PageTable<VivanteV1>),
    V2(PageTable<VivanteV2>),
}

/// Has the next job flush translations, by a change of the sequence number.
struct NextJob<'a>(&'a AtomicU32);

impl TlbFlush for NextJob<'_> {
    fn flush(&mut self, _range: IovaRange) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

impl Table {
    pub(super) fn new(
        mmu: &Mmu,
        charge: Option<&Charge>,
        unlinked: &mut UnlinkedTables,
    ) -> Result<Table> {
        let made = match mmu.version() {
            Version::V1 => PageTable::new(&mut mmu.flat()).map(Table::V1),
            Version::V2 | Version::V2Secure => {
                PageTable::new(&mut TreeTables::new(&mmu.dev(), charge, unlinked)).map(Table::V2)
            }
        };
        made.map_err(errno)
    }

    pub(super) fn root(&self) -> u64 {
        match self {
            Table::V1(table) => table.root().0,
            Table::V2(table) => table.root().0,
        }
    }

    /// Maps pages, all of them or, on failure, none.
    pub(super) fn map(
        &mut self,
        owner: TableOwner<'_>,
        unlinked: &mut UnlinkedTables,
        spare: &mut Spare,
        start: u64,
        pas: &[u64],
        prot: Prot,
    ) -> Result<()> {
        let mmu = owner.mmu;
        let mut flush = NextJob(owner.seqno);
        let iova = Iova(start);
        let mapped = match self {
            Table::V1(table) => table.update(&mut mmu.flat(), &mut flush).map_pages(
                iova,
                pas,
                prot,
                MemAttr::Uncached,
            ),
            Table::V2(table) => {
                let dev = mmu.dev();
                let mut memory = TreeTables::new(&dev, owner.charge, unlinked).with_spare(spare);
                let mut update = table.update(&mut memory, &mut flush);
                update.map_pages(iova, pas, prot, MemAttr::Uncached)
            }
        };
        mapped.map_err(errno)
    }

    /// Unmaps a range. It cannot fail: all leaves are of 4 KiB, so none is split.
    pub(super) fn unmap(
        &mut self,
        owner: TableOwner<'_>,
        unlinked: &mut UnlinkedTables,
        range: IovaRange,
    ) {
        let mmu = owner.mmu;
        let mut flush = NextJob(owner.seqno);
        match self {
            Table::V1(table) => {
                let _ = table.update(&mut mmu.flat(), &mut flush).unmap(range);
            }
            Table::V2(table) => {
                let dev = mmu.dev();
                let mut memory = TreeTables::new(&dev, owner.charge, unlinked);
                let _ = table.update(&mut memory, &mut flush).unmap(range);
            }
        }
    }

    pub(super) fn destroy(self, mmu: &Mmu, charge: Option<&Charge>, unlinked: &mut UnlinkedTables) {
        match self {
            Table::V1(table) => table.destroy(&mut mmu.flat()),
            Table::V2(table) => table.destroy(&mut TreeTables::new(&mmu.dev(), charge, unlinked)),
        }
    }
}
