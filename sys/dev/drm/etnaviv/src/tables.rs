// SPDX-License-Identifier: BSD-2-Clause
//! The page table array: which page table has which number, as the front end names it. And the page where
//! strays end.

use drmkpi::errno::{Result, EIO, ENOSPC};
use drmkpi::handle::HandleTable;
use drmkpi::os::{Dev, Mtx, Page, PageView, SyncDir};

/// Entries of the array.
const SLOTS: u32 = 512;
/// What Linux fills the page with, too: it shows in dumps.
const BAD_WORD: u64 = 0xdead_55aa_dead_55aa;

/// The array and the page.
pub(crate) struct PageTables {
    dev: Dev,
    array: u64,
    safe: u64,
    slots: Mtx<HandleTable<u64>>,
}

impl PageTables {
    /// An empty array.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(dev: Dev) -> Result<PageTables> {
        let slots = Mtx::new(dev.os(), c"etnaviv tables", HandleTable::new(dev.os()))?;
        let array = Page::alloc(dev)?.into_pa();
        let safe = match Page::alloc(dev) {
            Ok(page) => page.into_pa(),
            Err(e) => {
                Page::from_pa(array).free(dev);
                return Err(e);
            }
        };
        let tables = PageTables {
            dev,
            array,
            safe,
            slots,
        };
        let view = PageView::open(&tables.dev, safe).ok_or(EIO)?;
        for index in 0..512 {
            view.write(index, BAD_WORD);
        }
        dev.page_sync(safe, 0, 4096, SyncDir::ForDevice);
        Ok(tables)
    }

    /// Physical addresses of the array and of the page.
    pub(crate) fn addresses(&self) -> (u64, u64) {
        (self.array, self.safe)
    }

    /// A number for a page table.
    ///
    /// # Errors
    ///
    /// ENOSPC, ENOMEM.
    pub(crate) fn take_slot(&self) -> Result<u32> {
        let mut slots = self.slots.lock();
        let handle = slots.insert(0)?;
        if handle > SLOTS {
            slots.remove(handle);
            return Err(ENOSPC);
        }
        Ok(handle.wrapping_sub(1))
    }

    /// Says where the page table with a number is.
    pub(crate) fn set(&self, slot: u32, root: u64) {
        if let Some(view) = PageView::open(&self.dev, self.array) {
            // HW: the mode bits are zero for tables of 4 KiB.
            view.write(slot, root);
            self.dev
                .page_sync(self.array, u64::from(slot).wrapping_mul(8), 8, SyncDir::ForDevice);
        }
    }

    /// The page table is gone.
    pub(crate) fn give_slot(&self, slot: u32) {
        self.set(slot, 0);
        self.slots.lock().remove(slot.wrapping_add(1));
    }
}

impl Drop for PageTables {
    fn drop(&mut self) {
        // The GPU is off.
        Page::from_pa(self.array).free(self.dev);
        Page::from_pa(self.safe).free(self.dev);
    }
}
