// SPDX-License-Identifier: BSD-2-Clause
//! A page table, its oracle, and every check after every operation.

use super::*;

#[derive(Clone, Copy, Debug)]
pub enum Op {
    Map(u64, u64, u64, Prot, MemAttr),
    /// As `Map`, to the pages of `list`, whose runs are so long (the fourth).
    List(u64, u64, u64, u64, Prot, MemAttr),
    Unmap(u64, u64),
    Protect(u64, u64, Prot, MemAttr),
    Merge(u64, u64),
}

pub struct Harness<F: Format> {
    pub world: Shared,
    pub mem: TestMem,
    pub tlb: TestTlb,
    pub pt: Option<PageTable<F>>,
    pub oracle: Pages,
    /// Addresses at which `lookup` is compared besides those of the operation.
    pub probes: BTreeSet<u64>,
}

/// Pages of memory for `len` bytes, from `pa` on, in runs of `run` pages. Between two runs is a
/// hole as large as a run of whole blocks, else of a page.
pub fn list(pa: u64, len: u64, run: u64) -> Vec<u64> {
    let hole = if run.is_multiple_of(512) { run } else { 1 };
    (0..len / 4096)
        .map(|page| pa + (page + page / run * hole) * 4096)
        .collect()
}

pub fn range(start: u64, len: u64) -> IovaRange {
    IovaRange::new(start, len).unwrap()
}

impl<F: Format> Harness<F> {
    pub fn new(layout: Layout) -> Self {
        let world = World::new(layout);
        let mut mem = TestMem(world.clone());
        let pt = PageTable::new(&mut mem).unwrap();
        assert_eq!(pt.root().0, world.borrow().root());
        let tlb = TestTlb(world.clone());
        Self {
            world,
            mem,
            tlb,
            pt: Some(pt),
            oracle: Pages::new(),
            probes: BTreeSet::new(),
        }
    }

    pub(super) fn layout(&self) -> Layout {
        self.world.borrow().layout
    }

    /// Runs `op` under its own guard, with the `fail`-th allocation failing, and checks everything.
    pub fn run(&mut self, op: Op, fail: Option<u64>) -> Result<u64, MapError> {
        let (pages, expected) = self.expect(op);
        self.arm(fail);
        let result = self.apply(&[op]).pop().unwrap();
        let failed = std::mem::take(&mut self.world.borrow_mut().failed);
        self.world.borrow_mut().fail_alloc = None;
        if failed {
            assert_eq!(result, Err(MapError::NoMemory));
        } else {
            assert_eq!(result, expected, "{op:x?}");
        }
        let old = if result.is_ok() {
            std::mem::replace(&mut self.oracle, pages)
        } else {
            self.oracle.clone()
        };
        self.check_flushes(&op, &old);
        self.check_trace(&old);
        self.check_state();
        self.check_lookup(op);
        result
    }

    /// Runs all of `ops` under one guard; returns their results.
    pub fn run_together(&mut self, ops: &[Op]) -> Vec<Result<u64, MapError>> {
        self.arm(None);
        let old = self.oracle.clone();
        let mut changed = BTreeSet::new();
        let mut expected = Vec::new();
        for op in ops {
            let before = self.oracle.clone();
            let (pages, result) = self.expect(*op);
            if result.is_ok() {
                self.oracle = pages;
            }
            changed.extend(difference(&before, &self.oracle));
            expected.push(result);
        }
        let results = self.apply(ops);
        assert_eq!(results, expected, "{ops:x?}");
        let world = self.world.borrow();
        assert!(world.flushes.len() <= 1, "one guard, one flush");
        let stale: Vec<u64> = changed
            .into_iter()
            .filter(|page| world.layout.flush_on_map || old.contains_key(page))
            .collect();
        if let (Some(first), Some(last)) = (stale.first(), stale.last()) {
            let flush = world.flushes.first().expect("a flush is missing");
            assert!(flush.covers(range(*first, last + 4096 - first)));
        }
        drop(world);
        self.check_state();
        results
    }

    fn arm(&mut self, fail: Option<u64>) {
        let mut world = self.world.borrow_mut();
        world.fail_alloc = fail;
        world.failed = false;
        world.flushes.clear();
        if let Some(trace) = &mut world.trace {
            trace.clear();
        }
    }

    fn apply(&mut self, ops: &[Op]) -> Vec<Result<u64, MapError>> {
        let mut guard = self
            .pt
            .as_mut()
            .unwrap()
            .update(&mut self.mem, &mut self.tlb);
        let mut results = Vec::new();
        for op in ops {
            results.push(match *op {
                Op::Map(iova, pa, len, prot, attr) => {
                    guard.map(Iova(iova), Pa(pa), len, prot, attr).map(|()| 0)
                }
                Op::List(iova, pa, len, run, prot, attr) => guard
                    .map_pages(Iova(iova), &list(pa, len, run), prot, attr)
                    .map(|()| 0),
                Op::Unmap(iova, len) => guard.unmap(range(iova, len)),
                Op::Protect(iova, len, prot, attr) => guard.protect(range(iova, len), prot, attr),
                Op::Merge(iova, len) => guard.merge(range(iova, len)),
            });
        }
        results
    }

    /// The flush is the smallest range over all changed entries, or absent if there are none.
    fn check_flushes(&self, op: &Op, old: &Pages) {
        let world = self.world.borrow();
        let mut spans: Vec<(u64, u64)> = Vec::new();
        for page in difference(old, &self.oracle) {
            if old.contains_key(&page) || world.layout.flush_on_map {
                spans.push((page, page + 4096));
            }
        }
        let (before, after) = (
            tables_for(&world.layout, old),
            tables_for(&world.layout, &self.oracle),
        );
        for (level, base) in before.difference(&after) {
            spans.push((*base, base + world.layout.span(level - 1)));
        }
        let start = spans.iter().map(|span| span.0).min();
        let end = spans.iter().map(|span| span.1).max();
        let expected: Vec<IovaRange> = start
            .zip(end)
            .into_iter()
            .map(|(start, end)| range(start, end - start))
            .collect();
        assert_eq!(world.flushes, expected, "{op:x?}");
    }

    /// The device never saw anything but the old or the new translation of a page.
    fn check_trace(&self, old: &Pages) {
        let world = self.world.borrow();
        for view in world.trace.iter().flatten() {
            let all: BTreeSet<&u64> = view
                .keys()
                .chain(old.keys())
                .chain(self.oracle.keys())
                .collect();
            for page in all {
                let (seen, was, is) = (view.get(page), old.get(page), self.oracle.get(page));
                let same = |a: Option<&Tr>, b: Option<&Tr>| match (a, b) {
                    (Some(a), Some(b)) => a.same_target(b),
                    (None, None) => true,
                    _ => false,
                };
                assert!(
                    same(seen, was) || same(seen, is),
                    "{page:#x}: {seen:x?} {was:x?} {is:x?}"
                );
            }
        }
    }

    /// Device and oracle agree, on the last page and the last table.
    pub fn check_state(&self) {
        let world = self.world.borrow();
        let view = world.device_view();
        if view != self.oracle {
            let page = difference(&view, &self.oracle).into_iter().next().unwrap();
            panic!(
                "{page:#x}: device {:x?} oracle {:x?}",
                view.get(&page),
                self.oracle.get(&page)
            );
        }
        // A table is freed exactly when its last entry is.
        assert_eq!(world.live_tables(), world.tables_of(&view), "tables");
    }

    fn check_lookup(&mut self, op: Op) {
        let (Op::Map(start, _, len, ..)
        | Op::List(start, _, len, ..)
        | Op::Unmap(start, len)
        | Op::Protect(start, len, ..)
        | Op::Merge(start, len)) = op;
        let end = start + len;
        let near = [
            start,
            start.wrapping_sub(4096),
            end.wrapping_sub(4096),
            end,
            start + len / 8192 * 4096,
        ];
        self.probes.extend(near);
        for page in &self.probes {
            for offset in [0, 0xabc, 4095] {
                let found = self.lookup(page.wrapping_add(offset));
                let expected = self.oracle.get(page).map(|tr| Mapping {
                    pa: Pa(tr.pa + offset),
                    prot: tr.prot,
                    attr: tr.attr,
                    size: tr.size,
                });
                assert_eq!(found, expected, "lookup of {page:#x}");
            }
        }
    }

    pub fn lookup(&self, iova: u64) -> Option<Mapping> {
        self.pt.as_ref().unwrap().lookup(&self.mem, Iova(iova))
    }

    /// Destroys the page table; no memory may leak.
    pub fn finish(&mut self) {
        self.world.borrow_mut().disabled = true;
        if let Some(pt) = self.pt.take() {
            pt.destroy(&mut self.mem);
        }
        assert_eq!(self.world.borrow().live_tables(), 0, "tables leaked");
    }
}

/// The pages that differ.
pub fn difference(a: &Pages, b: &Pages) -> BTreeSet<u64> {
    a.keys()
        .chain(b.keys())
        .filter(|page| a.get(page) != b.get(page))
        .copied()
        .collect()
}
