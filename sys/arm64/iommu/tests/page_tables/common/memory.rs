// SPDX-License-Identifier: BSD-2-Clause
//! The memory of the tables.

use super::*;

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
