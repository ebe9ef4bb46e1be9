// SPDX-License-Identifier: BSD-2-Clause
//! A device that walks, caches and checks, and a page table that is compared with an oracle.
//!
//! Nothing here uses the crate's encoders or walker: layouts are written again from the facts.
#![expect(
    unreachable_pub,
    reason = "these modules are the interface of the tests"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use iommu_pmap::*;

pub mod formats;
pub mod harness;
mod memory;
mod oracle;

pub use memory::TestMem;

/// An entry, as the test's own decoder reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Invalid,
    Table(u64),
    Leaf(u64, Prot, MemAttr),
}

/// A format, described a second time for the checks.
#[derive(Clone, Copy)]
pub struct Layout {
    pub levels: u32,
    pub bits: u32,
    pub base: u64,
    pub entry_bytes: u32,
    pub blocks: bool,
    pub flush_on_map: bool,
    pub invalid: u64,
    pub classify: fn(u32, u64) -> Kind,
    /// What the hardware can express of permissions and attribute.
    pub normal: fn(Prot, MemAttr) -> (Prot, MemAttr),
    pub first_table: u64,
}

impl Layout {
    pub fn entries(&self) -> usize {
        1 << self.bits
    }
    pub fn span(&self, level: u32) -> u64 {
        1 << (12 + self.bits * (self.levels - 1 - level))
    }
    pub fn end(&self) -> u64 {
        self.base + (1 << (12 + self.bits * self.levels))
    }
}

/// A translation of one 4 KiB page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tr {
    pub pa: u64,
    pub prot: Prot,
    pub attr: MemAttr,
    pub size: PageSize,
}

impl Tr {
    pub fn same_target(&self, other: &Self) -> bool {
        (self.pa, self.prot, self.attr) == (other.pa, other.prot, other.attr)
    }
}

pub type Pages = BTreeMap<u64, Tr>;

struct Table {
    /// What the CPU wrote.
    cpu: Vec<u64>,
    /// What the device sees: `cpu` at the time of the last sync.
    dev: Vec<u64>,
    /// Entries written since their last sync: the device sees any of the values since then.
    pending: BTreeSet<u32>,
    /// Level and first address, once the device can find the table.
    place: Option<(u32, u64)>,
    linked: bool,
    /// Addresses for which the device may have cached a pointer to this table.
    held: Vec<(u64, u64)>,
}

/// Memory, device and log.
pub struct World {
    pub layout: Layout,
    tables: HashMap<u64, Table>,
    root: Option<u64>,
    next_pa: u64,
    /// The allocation that fails, counted from 0, and whether it has.
    pub fail_alloc: Option<u64>,
    pub failed: bool,
    /// The `open` that fails, counted from 0.
    pub fail_open: Option<u64>,
    pub opens: u64,
    pub reads: u64,
    pub writes: u64,
    pub syncs: u64,
    pub allocs: u64,
    pub flushes: Vec<IovaRange>,
    pub disabled: bool,
    /// If on, what the device translates after each sync.
    pub trace: Option<Vec<Pages>>,
}

pub type Shared = Rc<RefCell<World>>;

impl World {
    pub fn new(layout: Layout) -> Shared {
        Rc::new(RefCell::new(Self {
            layout,
            tables: HashMap::new(),
            root: None,
            next_pa: layout.first_table,
            fail_alloc: None,
            failed: false,
            fail_open: None,
            opens: 0,
            reads: 0,
            writes: 0,
            syncs: 0,
            allocs: 0,
            flushes: Vec::new(),
            disabled: false,
            trace: None,
        }))
    }

    /// All tables that are allocated, count tables included.
    pub fn live_tables(&self) -> usize {
        self.tables.len()
    }

    /// How many tables `pages` need, the root included, and count tables.
    pub fn tables_of(&self, pages: &Pages) -> usize {
        let tables = tables_for(&self.layout, pages);
        let last = self.layout.levels - 1;
        let with_counts = tables.iter().filter(|(level, _)| *level < last).count();
        tables.len() + with_counts + 1 + usize::from(last > 0)
    }

    /// Whether only the root and its count table are left.
    pub fn is_bare(&self) -> bool {
        self.live_tables() == self.tables_of(&Pages::new())
    }

    pub fn raw(&self, table: u64, index: usize) -> u64 {
        self.tables[&table].dev[index]
    }

    pub fn root(&self) -> u64 {
        self.root.unwrap()
    }

    /// Everything the device translates.
    pub fn device_view(&self) -> Pages {
        let mut pages = Pages::new();
        if let Some(root) = self.root {
            self.device_walk(root, 0, self.layout.base, &mut pages);
        }
        pages
    }

    fn device_walk(&self, pa: u64, level: u32, base: u64, pages: &mut Pages) {
        let table = self
            .tables
            .get(&pa)
            .expect("the device walks a freed table");
        let span = self.layout.span(level);
        for (index, raw) in table.dev.iter().enumerate() {
            let iova = base + index as u64 * span;
            match (self.layout.classify)(level, *raw) {
                Kind::Invalid => assert_eq!(
                    *raw, self.layout.invalid,
                    "not the invalid entry of the format"
                ),
                Kind::Table(below) => self.device_walk(below, level + 1, iova, pages),
                Kind::Leaf(pa, prot, attr) => {
                    let size = match span {
                        0x1000 => PageSize::Size4K,
                        0x20_0000 => PageSize::Size2M,
                        _ => panic!("leaf of {span:#x} bytes"),
                    };
                    for offset in (0..span).step_by(4096) {
                        let tr = Tr {
                            pa: pa + offset,
                            prot,
                            attr,
                            size,
                        };
                        assert_eq!(pages.insert(iova + offset, tr), None);
                    }
                }
            }
        }
    }

    fn flush(&mut self, range: IovaRange) {
        assert!(!self.disabled, "flush of a disabled address space");
        for (pa, table) in &mut self.tables {
            if table.linked {
                assert!(
                    table.cpu == table.dev,
                    "flush with an entry of {pa:#x} not synced"
                );
            } else {
                table
                    .held
                    .retain(|(start, end)| range.start().0 > *start || *end > range.end().0);
            }
        }
        self.flushes.push(range);
    }
}

/// The TLB, for the crate.
pub struct TestTlb(pub Shared);

impl TlbFlush for TestTlb {
    fn flush(&mut self, range: IovaRange) {
        self.0.borrow_mut().flush(range);
    }
}

/// The tables below the root that a tree with exactly these pages needs: level and first address.
pub fn tables_for(layout: &Layout, pages: &Pages) -> BTreeSet<(u32, u64)> {
    let mut tables = BTreeSet::new();
    for (iova, tr) in pages {
        let deepest = layout.levels - if tr.size == PageSize::Size2M { 2 } else { 1 };
        for level in 1..=deepest {
            let span = layout.span(level - 1);
            tables.insert((level, layout.base + (iova - layout.base) / span * span));
        }
    }
    tables
}
