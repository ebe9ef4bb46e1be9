// SPDX-License-Identifier: BSD-2-Clause
//! Memory for page tables: the one flat table of MMUv1, and the trees of MMUv2, whose tables are not freed while the
//! hardware may still look at them.

use drmkpi::mem::table_mem::{KernelTables, Spare, Table};
use drmkpi::os::{Dev, Page, PageRun, PageView, PAGE_SIZE};
use drmkpi::util::account::Charge;
use drmkpi::util::int_conv::usize_of_u32;
use iommu_pmap::{NoMemory, Pa, TableMem, VivanteV1};

/// The table of MMUv1, which was allocated with the device.
#[derive(Clone, Copy)]
pub(crate) struct FlatTable<'a> {
    run: Option<&'a PageRun>,
    bad_page: Pa,
}

impl<'a> FlatTable<'a> {
    /// `run` is the table; what is not mapped leads to `bad_page`.
    pub(crate) fn new(run: Option<&'a PageRun>, bad_page: u64) -> Self {
        FlatTable {
            run,
            bad_page: Pa(bad_page),
        }
    }
}

impl<'a> TableMem for FlatTable<'a> {
    type Table = &'a PageRun;

    fn alloc(&mut self) -> Result<Pa, NoMemory> {
        self.run.map(|run| Pa(run.pa())).ok_or(NoMemory)
    }

    fn free(&mut self, _pa: Pa) {
        // It goes with the device.
    }

    fn open(&self, pa: Pa) -> Option<&'a PageRun> {
        self.run.filter(|run| run.pa() == pa.0)
    }

    fn read(&self, table: &'a PageRun, index: u32) -> u64 {
        VivanteV1::loaded(u64::from(table.read(usize_of_u32(index))), self.bad_page)
    }

    fn write(&mut self, table: &'a PageRun, index: u32, entry: u64) {
        let stored = VivanteV1::stored(entry, self.bad_page);
        table.write(usize_of_u32(index), drmkpi::util::int_conv::low32(stored));
    }

    fn sync(&mut self, table: &'a PageRun, first: u32, count: u32) {
        table.sync(usize_of_u32(first), usize_of_u32(count));
    }
}

/// Tables that fell out of a tree and may still be looked at: a list through their first words, so that it needs no
/// memory. To the hardware a link is an entry that is not present.
///
/// It leaks what it holds unless `free` is called.
#[derive(Default)]
pub(crate) struct OldTables {
    /// Physical address of the first; never 0 otherwise.
    head: u64,
}

impl OldTables {
    /// Whether it holds none.
    pub(crate) fn is_empty(&self) -> bool {
        self.head == 0
    }

    fn push(&mut self, dev: &Dev, pa: u64) {
        if let Some(view) = PageView::open(dev, pa) {
            view.write(0, self.head);
            self.head = pa;
        }
    }

    /// Frees all, which `charge` pays for.
    pub(crate) fn free(&mut self, dev: Dev, charge: Option<&Charge>) {
        while let Some(view) = PageView::open(&dev, self.head) {
            let pa = core::mem::replace(&mut self.head, view.read(0));
            Page::from_pa(pa).free(dev);
            if let Some(charge) = charge {
                charge.shrink(PAGE_SIZE);
            }
        }
        self.head = 0;
    }
}

/// The tables of a tree of MMUv2.
pub(crate) struct TreeTables<'a> {
    dev: &'a Dev,
    memory: KernelTables<'a, 4>,
    old: &'a mut OldTables,
}

impl<'a> TreeTables<'a> {
    /// Tables in memory of `dev`, charged to `charge`; those that fall out go to `old`.
    pub(crate) fn new(dev: &'a Dev, charge: Option<&'a Charge>, old: &'a mut OldTables) -> Self {
        TreeTables {
            dev,
            memory: KernelTables::new(dev, charge),
            old,
        }
    }

    /// New tables come from `spare` alone.
    pub(crate) fn with_spare(self, spare: &'a mut Spare) -> Self {
        TreeTables {
            memory: self.memory.with_spare(spare),
            ..self
        }
    }
}

impl<'a> TableMem for TreeTables<'a> {
    type Table = Table<'a>;

    fn alloc(&mut self) -> Result<Pa, NoMemory> {
        self.memory.alloc()
    }

    fn free(&mut self, pa: Pa) {
        self.old.push(self.dev, pa.0);
    }

    fn open(&self, pa: Pa) -> Option<Table<'a>> {
        self.memory.open(pa)
    }

    fn read(&self, table: Table<'a>, index: u32) -> u64 {
        self.memory.read(table, index)
    }

    fn write(&mut self, table: Table<'a>, index: u32, entry: u64) {
        self.memory.write(table, index, entry);
    }

    fn sync(&mut self, table: Table<'a>, first: u32, count: u32) {
        self.memory.sync(table, first, count);
    }
}
