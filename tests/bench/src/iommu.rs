// SPDX-License-Identifier: BSD-2-Clause
//! Page tables: `iommu_pmap` against Linux's io-pgtable-arm.c, both in the format Mali LPAE and on
//! memory that the walker snoops.

use crate::meter::{row, Meter, Row};
use crate::peer::Peer;
use iommu_pmap::{
    Iova, IovaRange, MaliLpae, MemAttr, NoMemory, Pa, PageTable, Prot, TableMem, TlbFlush,
};
use std::alloc::{alloc_zeroed, dealloc, Layout};

const PAGE: u64 = 0x1000;
const BLOCK: u64 = 0x20_0000;
/// Pages in a block.
const PAGES: u64 = BLOCK / PAGE;
/// Where it is mapped, and to what: not aligned alike, so that only pages fit, and aligned alike.
const AT: u64 = 0x1_0000_0000;
const SCATTERED: u64 = 0x8000_1000;
const ALIGNED: u64 = 0x8000_0000;
const RW: Prot = Prot::READ.union(Prot::WRITE);

/// The heap, as the peer has it. Entries hold 40 bits, so a physical address is the low part of the
/// address; the high part is the same for all.
struct Heap {
    high: u64,
}

/// What a physical address holds.
const LOW: u64 = (1 << 40) - 1;

impl Heap {
    fn new() -> Heap {
        let probe = Box::new(0u8);
        Heap {
            high: std::ptr::from_ref(&*probe) as u64 & !LOW,
        }
    }
}

const TABLE: Layout = match Layout::from_size_align(4096, 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a page is no layout"),
};

impl TableMem for Heap {
    type Table = *mut u64;

    fn alloc(&mut self) -> Result<Pa, NoMemory> {
        // SAFETY: the layout is not empty.
        let table = unsafe { alloc_zeroed(TABLE) };
        if table.is_null() {
            return Err(NoMemory);
        }
        assert_eq!(table as u64 & !LOW, self.high, "the heap lies in one piece");
        Ok(Pa(table as u64 & LOW))
    }

    fn free(&mut self, pa: Pa) {
        // SAFETY: `alloc` gave it, with this layout.
        unsafe { dealloc((pa.0 | self.high) as *mut u8, TABLE) };
    }

    fn open(&self, pa: Pa) -> Option<*mut u64> {
        Some((pa.0 | self.high) as *mut u64)
    }

    fn read(&self, table: *mut u64, index: u32) -> u64 {
        // SAFETY: the index is below the number of entries, by contract.
        unsafe { table.add(index as usize).read_volatile() }
    }

    fn write(&mut self, table: *mut u64, index: u32, entry: u64) {
        // SAFETY: the index is below the number of entries, by contract.
        unsafe { table.add(index as usize).write_volatile(entry) }
    }

    fn sync(&mut self, _table: *mut u64, _first: u32, _count: u32) {
        // ORDERING: the walker snoops; Linux has a write barrier here, too.
        std::sync::atomic::fence(std::sync::atomic::Ordering::Release);
    }
}

/// Counts, as the peer does.
struct Flushes(u64);

impl TlbFlush for Flushes {
    fn flush(&mut self, _range: IovaRange) {
        self.0 += 1;
    }
}

struct Ours {
    heap: Heap,
    table: Option<PageTable<MaliLpae>>,
    flushes: Flushes,
}

impl Ours {
    fn new() -> Ours {
        let mut heap = Heap::new();
        let table = PageTable::new(&mut heap).ok();
        Ours {
            heap,
            table,
            flushes: Flushes(0),
        }
    }

    /// Maps `len` bytes, `step` at a time, as one update.
    fn map(&mut self, pa: u64, len: u64, step: u64) {
        let table = self.table.as_mut().expect("a table");
        let mut update = table.update(&mut self.heap, &mut self.flushes);
        for at in (0..len).step_by(step as usize) {
            update
                .map(Iova(AT + at), Pa(pa + at), step, RW, MemAttr::Uncached)
                .expect("it maps");
        }
    }

    /// Unmaps `len` bytes, `step` at a time, as one update.
    fn unmap(&mut self, len: u64, step: u64) {
        let table = self.table.as_mut().expect("a table");
        let mut update = table.update(&mut self.heap, &mut self.flushes);
        for at in (0..len).step_by(step as usize) {
            let range = IovaRange::new(AT + at, step).expect("a range");
            assert_eq!(update.unmap(range), Ok(step));
        }
    }

    fn lookup(&self, iova: u64) -> u64 {
        let found = self
            .table
            .as_ref()
            .and_then(|table| table.lookup(&self.heap, Iova(iova)));
        found.map_or(0, |mapping| mapping.pa.0)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        if let Some(table) = self.table.take() {
            table.destroy(&mut self.heap);
        }
    }
}

/// Blocks of the rows on 2 MiB leaves.
const BLOCKS: u64 = 256;

/// What is done to the page tables of both.
struct Case {
    name: &'static str,
    pa: u64,
    len: u64,
    /// In one call.
    step: u64,
    leaf: u64,
}

const CASES: [Case; 3] = [
    Case {
        name: "4 KiB, a call each",
        pa: SCATTERED,
        len: BLOCK,
        step: PAGE,
        leaf: PAGE,
    },
    Case {
        name: "4 KiB, 512 a call",
        pa: SCATTERED,
        len: BLOCK,
        step: BLOCK,
        leaf: PAGE,
    },
    Case {
        name: "2 MiB, a call each",
        pa: ALIGNED,
        len: BLOCKS * BLOCK,
        step: BLOCK,
        leaf: BLOCK,
    },
];

/// Measures all rows.
///
/// # Panics
/// If one of the two does not do what is asked of it.
pub fn rows(meter: &mut Meter, peer: &Peer) -> Vec<Row> {
    let mut rows = Vec::new();
    for Case {
        name,
        pa,
        len,
        step,
        leaf,
    } in CASES
    {
        let ours = std::cell::RefCell::new(Ours::new());
        let theirs = peer.table();
        let operations = (len / leaf) as u32;
        let [map, unmap] = meter.circle(
            operations,
            [&mut || ours.borrow_mut().map(pa, len, step), &mut || {
                ours.borrow_mut().unmap(len, step)
            }],
        );
        let calls = || (0..len).step_by(step as usize);
        let [peer_map, peer_unmap] = meter.circle(
            operations,
            [
                &mut || calls().for_each(|at| theirs.map(AT + at, pa + at, leaf, step / leaf)),
                &mut || calls().for_each(|at| theirs.unmap(AT + at, leaf, step / leaf)),
            ],
        );
        rows.push(row(format!("map {name}"), map, peer_map));
        rows.push(row(format!("unmap {name}"), unmap, peer_unmap));
        // Both translate alike.
        ours.borrow_mut().map(pa, len, step);
        calls().for_each(|at| theirs.map(AT + at, pa + at, leaf, step / leaf));
        for at in (0..len).step_by(leaf as usize) {
            let translated = (ours.borrow().lookup(AT + at), theirs.lookup(AT + at));
            assert_eq!(translated, (pa + at, pa + at));
        }
    }
    rows.push(lookups(meter, peer));
    rows
}

fn lookups(meter: &mut Meter, peer: &Peer) -> Row {
    let mut ours = Ours::new();
    let theirs = peer.table();
    ours.map(SCATTERED, BLOCK, BLOCK);
    theirs.map(AT, SCATTERED, PAGE, PAGES);
    let sum = |lookup: &dyn Fn(u64) -> u64| (0..PAGES).map(|n| lookup(AT + n * PAGE)).sum::<u64>();
    let expected = (0..PAGES).map(|n| SCATTERED + n * PAGE).sum();
    let mine = meter.work(PAGES as u32, || {
        assert_eq!(sum(&|iova| ours.lookup(iova)), expected)
    });
    let peers = meter.work(PAGES as u32, || {
        assert_eq!(sum(&|iova| theirs.lookup(iova)), expected)
    });
    row("translate a 4 KiB page", mine, peers)
}
