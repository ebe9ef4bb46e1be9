// SPDX-License-Identifier: BSD-2-Clause
//! Page tables: `iommu_pmap` against Linux's io-pgtable-arm.c, both in the format Mali LPAE and on
//! memory that the walker snoops.

use crate::meter::{row, Meter, Row};
use crate::peer::{Peer, PeerTable};
use iommu_pmap::{
    Iova, IovaRange, MaliLpae, MapError, MemAttr, NoMemory, Pa, PageTable, Prot, PtUpdate,
    TableMem, TlbFlush,
};
use std::alloc::{alloc_zeroed, dealloc, Layout};
use std::cell::RefCell;

const PAGE: u64 = 0x1000;
const BLOCK: u64 = 0x20_0000;
/// Pages in a block, and entries in a table.
const PAGES: u64 = BLOCK / PAGE;
/// Where pages are mapped: half of them in one table, half in the next. Both have another page, so
/// that neither is ever empty: Linux frees no table when pages are unmapped.
const AT: u64 = 0x1_0010_0000;
const NEIGHBOURS: [u64; 2] = [AT - PAGE, AT + BLOCK];
/// Where one buffer fills a table, which is made and freed with it.
const ALONE: u64 = 0x1_0080_0000;
/// Where blocks are mapped, with another one before and after.
const BLOCKS_AT: u64 = 0x4020_0000;
/// So many, in one table with these two.
const BLOCKS: u64 = 510;
/// What is mapped: not aligned as the addresses are, so that only pages fit, and as they are.
const PAGES_PA: u64 = 0x8000_1000;
const BLOCKS_PA: u64 = 0x8000_0000;
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

type Update<'a> = PtUpdate<'a, MaliLpae, Heap, Flushes>;

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

    /// Changes the table once: with a guard of its own, which flushes.
    fn update(&mut self, change: impl FnOnce(&mut Update<'_>) -> Result<(), MapError>) {
        let table = self.table.as_mut().expect("a table");
        let mut update = table.update(&mut self.heap, &mut self.flushes);
        assert_eq!(change(&mut update), Ok(()));
    }

    fn map(&mut self, iova: u64, pa: u64, len: u64) {
        self.update(|update| update.map(Iova(iova), Pa(pa), len, RW, MemAttr::Uncached));
    }

    fn map_pages(&mut self, iova: u64, pages: &[u64]) {
        self.update(|update| update.map_pages(Iova(iova), pages, RW, MemAttr::Uncached));
    }

    fn unmap(&mut self, iova: u64, len: u64) {
        let range = IovaRange::new(iova, len).expect("a range");
        self.update(|update| update.unmap(range).map(|bytes| assert_eq!(bytes, len)));
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

/// The most that ours costs, in instructions of the peer's.
const BOUND: f64 = 0.7;

/// Both tables, with what keeps their tables from being empty.
struct Both<'a> {
    ours: RefCell<Ours>,
    theirs: PeerTable<'a>,
}

impl<'a> Both<'a> {
    fn new(peer: &'a Peer) -> Both<'a> {
        let both = Both {
            ours: RefCell::new(Ours::new()),
            theirs: peer.table(),
        };
        for page in NEIGHBOURS {
            both.ours.borrow_mut().map(page, PAGES_PA, PAGE);
            both.theirs.map(page, PAGES_PA, PAGE, 1);
        }
        for block in [BLOCKS_AT - BLOCK, BLOCKS_AT + BLOCKS * BLOCK] {
            both.ours.borrow_mut().map(block, BLOCKS_PA, BLOCK);
            both.theirs.map(block, BLOCKS_PA, BLOCK, 1);
        }
        both
    }

    /// Measures mapping and unmapping, each `operations` operations, of ours and of the peer's.
    /// What they map is `leaves`: addresses, and what is there then.
    fn rows(
        &self,
        meter: &mut Meter,
        name: &str,
        operations: u64,
        [map, unmap]: [&dyn Fn(&mut Ours); 2],
        [peer_map, peer_unmap]: [&dyn Fn(&PeerTable<'_>); 2],
        leaves: &[(u64, u64)],
    ) -> [Row; 2] {
        let count = operations as u32;
        let [mapping, unmapping] = meter.circle(
            count,
            [&mut || map(&mut self.ours.borrow_mut()), &mut || {
                unmap(&mut self.ours.borrow_mut())
            }],
        );
        let [peer_mapping, peer_unmapping] = meter.circle(
            count,
            [&mut || peer_map(&self.theirs), &mut || {
                peer_unmap(&self.theirs)
            }],
        );
        // Both translate alike.
        map(&mut self.ours.borrow_mut());
        peer_map(&self.theirs);
        for (iova, pa) in leaves {
            let translated = (self.ours.borrow().lookup(*iova), self.theirs.lookup(*iova));
            assert_eq!(translated, (*pa, *pa), "{name}");
        }
        unmap(&mut self.ours.borrow_mut());
        peer_unmap(&self.theirs);
        for (iova, _) in leaves {
            let translated = (self.ours.borrow().lookup(*iova), self.theirs.lookup(*iova));
            assert_eq!(translated, (0, 0), "{name}");
        }
        [
            row(format!("map {name}"), mapping, peer_mapping).at_most(BOUND),
            row(format!("unmap {name}"), unmapping, peer_unmapping).at_most(BOUND),
        ]
    }
}

/// The addresses of `count` leaves of `size` bytes.
fn each(iova: u64, count: u64, size: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |n| iova + n * size)
}

/// Measures all rows.
///
/// # Panics
/// If one of the two does not do what is asked of it.
pub fn rows(meter: &mut Meter, peer: &Peer) -> Vec<Row> {
    let both = Both::new(peer);
    let mut rows = Vec::new();
    let linear = |at: u64, pa: u64, count: u64, size: u64| -> Vec<(u64, u64)> {
        each(at, count, size).zip(each(pa, count, size)).collect()
    };
    let pages = linear(AT, PAGES_PA, PAGES, PAGE);
    let blocks = linear(BLOCKS_AT, BLOCKS_PA, BLOCKS, BLOCK);
    // No two of them adjacent. Linux maps a scatter list by a call for each entry.
    let scattered: Vec<u64> = (0..PAGES)
        .map(|n| PAGES_PA + n * 193 % PAGES * PAGE)
        .collect();
    assert!(scattered.windows(2).all(|two| two[1] != two[0] + PAGE));
    let list: Vec<(u64, u64)> = each(AT, PAGES, PAGE)
        .zip(scattered.iter().copied())
        .collect();
    let alone = linear(ALONE, PAGES_PA, PAGES, PAGE);

    rows.extend(both.rows(
        meter,
        "one page of 4 KiB",
        PAGES,
        [
            &|t| pages.iter().for_each(|(at, pa)| t.map_pages(*at, &[*pa])),
            &|t| pages.iter().for_each(|(at, _)| t.unmap(*at, PAGE)),
        ],
        [
            &|t| pages.iter().for_each(|(at, pa)| t.map(*at, *pa, PAGE, 1)),
            &|t| pages.iter().for_each(|(at, _)| t.unmap(*at, PAGE, 1)),
        ],
        &pages,
    ));
    rows.extend(both.rows(
        meter,
        "512 contiguous pages of 4 KiB",
        PAGES,
        [&|t| t.map(AT, PAGES_PA, BLOCK), &|t| t.unmap(AT, BLOCK)],
        [&|t| t.map(AT, PAGES_PA, PAGE, PAGES), &|t| {
            t.unmap(AT, PAGE, PAGES)
        }],
        &pages,
    ));
    rows.extend(both.rows(
        meter,
        "512 scattered pages of 4 KiB",
        PAGES,
        [&|t| t.map_pages(AT, &scattered), &|t| t.unmap(AT, BLOCK)],
        [
            &|t| list.iter().for_each(|(at, pa)| t.map(*at, *pa, PAGE, 1)),
            &|t| t.unmap(AT, PAGE, PAGES),
        ],
        &list,
    ));
    let [map, unmap] = both.rows(
        meter,
        "512 pages of 4 KiB and their table",
        PAGES,
        [&|t| t.map(ALONE, PAGES_PA, BLOCK), &|t| {
            t.unmap(ALONE, BLOCK)
        }],
        // It frees the table if a block is unmapped where it is.
        [&|t| t.map(ALONE, PAGES_PA, PAGE, PAGES), &|t| {
            t.unmap(ALONE, BLOCK, 1)
        }],
        &alone,
    );
    // Mostly free(3), for both; Linux's drivers unmap pages as such, as in the rows above.
    rows.extend([
        map,
        Row {
            bound: None,
            ..unmap
        },
    ]);
    rows.extend(both.rows(
        meter,
        "one block of 2 MiB",
        BLOCKS,
        [
            &|t| blocks.iter().for_each(|(at, pa)| t.map(*at, *pa, BLOCK)),
            &|t| blocks.iter().for_each(|(at, _)| t.unmap(*at, BLOCK)),
        ],
        [
            &|t| blocks.iter().for_each(|(at, pa)| t.map(*at, *pa, BLOCK, 1)),
            &|t| blocks.iter().for_each(|(at, _)| t.unmap(*at, BLOCK, 1)),
        ],
        &blocks,
    ));
    rows.extend(both.rows(
        meter,
        "510 blocks of 2 MiB",
        BLOCKS,
        [&|t| t.map(BLOCKS_AT, BLOCKS_PA, BLOCKS * BLOCK), &|t| {
            t.unmap(BLOCKS_AT, BLOCKS * BLOCK)
        }],
        [&|t| t.map(BLOCKS_AT, BLOCKS_PA, BLOCK, BLOCKS), &|t| {
            t.unmap(BLOCKS_AT, BLOCK, BLOCKS)
        }],
        &blocks,
    ));
    rows.push(lookups(meter, &both));
    rows
}

fn lookups(meter: &mut Meter, both: &Both<'_>) -> Row {
    both.ours.borrow_mut().map(AT, PAGES_PA, BLOCK);
    both.theirs.map(AT, PAGES_PA, PAGE, PAGES);
    let sum = |lookup: &dyn Fn(u64) -> u64| each(AT, PAGES, PAGE).map(lookup).sum::<u64>();
    let expected = each(PAGES_PA, PAGES, PAGE).sum();
    let ours = meter.work(PAGES as u32, || {
        assert_eq!(sum(&|iova| both.ours.borrow().lookup(iova)), expected);
    });
    let peers = meter.work(PAGES as u32, || {
        assert_eq!(sum(&|iova| both.theirs.lookup(iova)), expected);
    });
    row("translate a 4 KiB page", ours, peers)
}
