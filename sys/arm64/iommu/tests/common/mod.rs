// SPDX-License-Identifier: BSD-2-Clause
//! A device that walks, caches and checks, and a page table that is compared with an oracle.
//!
//! Nothing here uses the crate's encoders or walker: layouts are written again from the facts.
#![expect(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of this module"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use iommu_pmap::*;

pub mod formats;
pub mod harness;

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

/// The memory of the tables, for the crate.
pub struct TestMem(pub Shared);

impl TableMem for TestMem {
    type Table = u64;

    fn alloc(&mut self) -> Result<Pa, NoMemory> {
        let mut world = self.0.borrow_mut();
        world.allocs += 1;
        match world.fail_alloc {
            Some(0) => {
                world.fail_alloc = None;
                world.failed = true;
                return Err(NoMemory);
            }
            Some(n) => world.fail_alloc = Some(n - 1),
            None => {}
        }
        let pa = world.next_pa;
        world.next_pa += 0x3000;
        let zero = vec![0; world.layout.entries()];
        let is_root = world.root.is_none();
        let place = is_root.then_some((0, world.layout.base));
        if is_root {
            world.root = Some(pa);
        }
        let table = Table {
            cpu: zero.clone(),
            dev: zero,
            pending: BTreeSet::new(),
            place,
            linked: is_root,
            held: Vec::new(),
        };
        world.tables.insert(pa, table);
        Ok(Pa(pa))
    }

    fn free(&mut self, pa: Pa) {
        let mut world = self.0.borrow_mut();
        let table = world
            .tables
            .remove(&pa.0)
            .expect("double free, or free of what was never a table");
        if !world.disabled {
            assert!(!table.linked, "free of a table in the tree");
            assert!(
                table.held.is_empty(),
                "free before the flush: {:#x?}",
                table.held
            );
        }
    }

    fn open(&self, pa: Pa) -> Option<u64> {
        let mut world = self.0.borrow_mut();
        world.opens += 1;
        match world.fail_open {
            Some(0) => {
                world.fail_open = None;
                return None;
            }
            Some(n) => world.fail_open = Some(n - 1),
            None => {}
        }
        assert!(
            world.tables.contains_key(&pa.0),
            "open of {pa:x?}, which is no table"
        );
        Some(pa.0)
    }

    fn read(&self, table: u64, index: u32) -> u64 {
        let mut world = self.0.borrow_mut();
        world.reads += 1;
        world.tables.get(&table).expect("use after free").cpu[index as usize]
    }

    fn write(&mut self, table: u64, index: u32, entry: u64) {
        let mut guard = self.0.borrow_mut();
        let world = &mut *guard;
        world.writes += 1;
        assert!(
            world.layout.entry_bytes == 8 || entry >> 32 == 0,
            "entry wider than 32 bits"
        );
        let (place, linked, held, old) = {
            let table = world.tables.get(&table).expect("use after free");
            (
                table.place,
                table.linked,
                !table.held.is_empty(),
                table.cpu[index as usize],
            )
        };
        if let Some((level, _)) = place {
            let (old, new) = (
                (world.layout.classify)(level, old),
                (world.layout.classify)(level, entry),
            );
            if let (true, Kind::Table(below)) = (linked, new) {
                let below = &world.tables[&below];
                assert!(
                    below.pending.is_empty(),
                    "a table is linked before its entries are synced"
                );
            }
            if !linked && held && !world.disabled {
                assert_eq!(
                    old, new,
                    "a table that the device may still walk changes its meaning"
                );
            }
        }
        let table = world.tables.get_mut(&table).unwrap();
        table.cpu[index as usize] = entry;
        table.pending.insert(index);
    }

    fn sync(&mut self, table: u64, first: u32, count: u32) {
        let mut guard = self.0.borrow_mut();
        let world = &mut *guard;
        world.syncs += 1;
        assert!(count > 0);
        let (place, linked) = {
            let table = world.tables.get(&table).expect("use after free");
            (table.place, table.linked)
        };
        for index in first as usize..(first + count) as usize {
            let this = world.tables.get_mut(&table).unwrap();
            let (old, new) = (this.dev[index], this.cpu[index]);
            this.dev[index] = new;
            this.pending.remove(&(index as u32));
            let (Some((level, base)), true) = (place, linked) else {
                continue;
            };
            if let Kind::Table(below) = (world.layout.classify)(level, old) {
                if old != new {
                    world.tables.get_mut(&below).unwrap().linked = false;
                }
            }
            if let Kind::Table(below) = (world.layout.classify)(level, new) {
                let span = world.layout.span(level);
                let start = base + index as u64 * span;
                let below = world
                    .tables
                    .get_mut(&below)
                    .expect("a freed table is linked");
                below.place = Some((level + 1, start));
                below.linked = true;
                if !below.held.contains(&(start, start + span)) {
                    below.held.push((start, start + span));
                }
            }
        }
        if linked && world.trace.is_some() {
            let view = world.device_view();
            world
                .trace
                .iter_mut()
                .for_each(|trace| trace.push(view.clone()));
        }
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
