// SPDX-License-Identifier: BSD-2-Clause
//! Kernel pages for a device's page tables, with the cache maintenance for its walker.

use crate::os::{Dev, Os, Page, PageView, SyncDir, PAGE_SIZE};
use crate::util::account::Charge;
use crate::util::errno::{Errno, Result, EINVAL, ENOMEM};
use crate::util::int_conv::low32;
use iommu_pmap::{MaliLpae, MapError, NoMemory, Pa, PageTable, TableMem};

/// The errno for an error of a page table.
pub fn errno(error: MapError) -> Errno {
    match error {
        MapError::NoMemory => ENOMEM,
        MapError::Overlap | MapError::Misaligned | MapError::OutOfRange => EINVAL,
    }
}

/// Pages that are allocated, and zeroed, before a lock is taken, for tables that are needed with it
/// held.
pub struct Spare {
    dev: Dev,
    pages: [Option<Page>; SPARE_PAGES],
    /// How many of these are filled.
    count: usize,
}

/// The most spare pages: as many as one run needs in the format with the most levels.
const SPARE_PAGES: usize = PageTable::<MaliLpae>::TABLES_PER_RUN;

impl Spare {
    /// No pages yet; for a page table that needs up to `count` tables for a run
    /// (`PageTable::TABLES_PER_RUN`).
    pub fn new(dev: Dev, count: usize) -> Spare {
        Spare {
            dev,
            count,
            pages: [const { None }; SPARE_PAGES],
        }
    }

    /// Allocates the missing pages. Not to be called with a lock held that others wait for.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn fill(&mut self) -> Result<()> {
        let pages = self.pages.iter_mut().take(self.count);
        for page in pages.filter(|page| page.is_none()) {
            *page = Some(Page::alloc(self.dev)?);
        }
        Ok(())
    }

    /// The operating system's instance.
    pub(crate) fn os(&self) -> Os {
        self.dev.os()
    }

    fn take(&mut self) -> Option<Page> {
        self.pages.iter_mut().find_map(Option::take)
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        while let Some(page) = self.take() {
            page.free(self.dev);
        }
    }
}

/// Table memory of one device, for entries of `ENTRY_BYTES` bytes, 4 or 8.
pub struct KernelTables<'a, const ENTRY_BYTES: u32 = 8> {
    dev: &'a Dev,
    /// The device snoops: no cache maintenance.
    coherent: bool,
    /// What is charged; `None` for tables of the device itself.
    charge: Option<&'a Charge>,
    /// The pages for tables; `None` for the system's.
    spare: Option<&'a mut Spare>,
}

/// A table, in the CPU's and in the device's address space.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    view: PageView<'a>,
    pa: u64,
}

impl<'a, const ENTRY_BYTES: u32> KernelTables<'a, ENTRY_BYTES> {
    const WIDTH: () = assert!(ENTRY_BYTES == 4 || ENTRY_BYTES == 8);

    /// Table memory for `dev`, charged to `charge`.
    pub fn new(dev: &'a Dev, charge: Option<&'a Charge>) -> Self {
        let () = Self::WIDTH;
        KernelTables {
            dev,
            coherent: dev.coherent(),
            charge,
            spare: None,
        }
    }

    /// Table memory from the pages of `spare`.
    pub fn with_spare(self, spare: &'a mut Spare) -> Self {
        KernelTables {
            spare: Some(spare),
            ..self
        }
    }
}

impl<'a, const ENTRY_BYTES: u32> TableMem for KernelTables<'a, ENTRY_BYTES> {
    type Table = Table<'a>;

    fn alloc(&mut self) -> core::result::Result<Pa, NoMemory> {
        if let Some(charge) = self.charge {
            charge.grow(PAGE_SIZE).map_err(|_| NoMemory)?;
        }
        let page = match &mut self.spare {
            Some(spare) => spare.take().ok_or(ENOMEM),
            None => Page::alloc(*self.dev),
        };
        if let (Err(_), Some(charge)) = (&page, self.charge) {
            charge.shrink(PAGE_SIZE);
        }
        page.map(|page| Pa(page.into_pa())).map_err(|_| NoMemory)
    }

    fn free(&mut self, pa: Pa) {
        Page::from_pa(pa.0).free(*self.dev);
        if let Some(charge) = self.charge {
            charge.shrink(PAGE_SIZE);
        }
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
            let bytes = |entries: u32| u64::from(entries) << const { ENTRY_BYTES.trailing_zeros() };
            let (off, len) = (bytes(first), bytes(count));
            self.dev.page_sync(table.pa, off, len, SyncDir::ForDevice);
        }
    }
}
