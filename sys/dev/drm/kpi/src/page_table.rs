// SPDX-License-Identifier: BSD-2-Clause
//! Kernel pages for a device's page tables, with the cache maintenance that its walker needs.

use crate::num::low32;
use crate::os::{Dev, Page, PageView, SyncDir};
use iommu_pmap::{NoMemory, Pa, TableMem};

/// Table memory of one device, for entries of `ENTRY_BYTES` bytes, 4 or 8.
pub struct KernelTables<'a, const ENTRY_BYTES: u32 = 8> {
    dev: &'a Dev,
    /// A device that snoops sees stores as they are.
    coherent: bool,
}

/// A table as the CPU sees it, and where the device does.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    view: PageView<'a>,
    pa: u64,
}

impl<'a, const ENTRY_BYTES: u32> KernelTables<'a, ENTRY_BYTES> {
    const WIDTH: () = assert!(ENTRY_BYTES == 4 || ENTRY_BYTES == 8);

    /// Table memory for `dev`.
    pub fn new(dev: &'a Dev) -> Self {
        let () = Self::WIDTH;
        KernelTables {
            dev,
            coherent: dev.coherent(),
        }
    }
}

impl<'a, const ENTRY_BYTES: u32> TableMem for KernelTables<'a, ENTRY_BYTES> {
    type Table = Table<'a>;

    fn alloc(&mut self) -> core::result::Result<Pa, NoMemory> {
        Page::alloc(*self.dev)
            .map(|page| Pa(page.into_pa()))
            .map_err(|_| NoMemory)
    }

    fn free(&mut self, pa: Pa) {
        Page::from_pa(pa.0).free(*self.dev);
    }

    fn open(&self, pa: Pa) -> Option<Table<'a>> {
        PageView::open(self.dev, pa.0).map(|view| Table { view, pa: pa.0 })
    }

    fn read(&self, table: Table<'a>, index: u32) -> u64 {
        match ENTRY_BYTES {
            4 => u64::from(table.view.read32(index)),
            _ => table.view.read(index),
        }
    }

    fn write(&mut self, table: Table<'a>, index: u32, entry: u64) {
        match ENTRY_BYTES {
            4 => table.view.write32(index, low32(entry)),
            _ => table.view.write(index, entry),
        }
    }

    fn sync(&mut self, table: Table<'a>, first: u32, count: u32) {
        if !self.coherent {
            let off = u64::from(first).wrapping_mul(u64::from(ENTRY_BYTES));
            let len = u64::from(count).wrapping_mul(u64::from(ENTRY_BYTES));
            self.dev.page_sync(table.pa, off, len, SyncDir::ForDevice);
        }
    }
}
