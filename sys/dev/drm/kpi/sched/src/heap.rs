// SPDX-License-Identifier: BSD-2-Clause
//! Binary min-heap of the client groups that have something to run, ordered by virtual run time.
//!
//! Each member knows its position, so a group leaves or moves in O(log n). Room is reserved when a
//! group is created; a push cannot fail.

use crate::array::{Arr, Storage};

/// The order of the heap: least virtual run time first, then longest waiting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    pub(crate) vruntime: u128,
    pub(crate) stamp: u64,
}

#[derive(Clone, Copy)]
struct Item {
    key: Key,
    member: u32,
}

/// Records the position of a member; `None` if it is no longer in the heap.
pub(crate) trait Places {
    fn moved(&mut self, member: u32, position: Option<usize>);
}

/// The heap. `len` counts the used front of `items`; the rest is reserved room.
pub(crate) struct Heap<S: Storage> {
    items: S::Arr<Item>,
    len: usize,
}

impl<S: Storage> Heap<S> {
    pub(crate) fn new(ctx: &S::Ctx) -> Self {
        Self {
            items: S::Arr::new(ctx),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Reserves room for `count` members in total.
    pub(crate) fn reserve(&mut self, count: u32) -> Result<(), ()> {
        let count = usize::try_from(count).map_err(|_| ())?;
        let blank = Item {
            key: Key {
                vruntime: 0,
                stamp: 0,
            },
            member: 0,
        };
        for _ in self.items.len()..count {
            self.items.try_push(blank).map_err(|_| ())?;
        }
        Ok(())
    }

    /// The member with the least key.
    pub(crate) fn first(&self) -> Option<(Key, u32)> {
        self.member(0)
    }

    /// Key and member at a position.
    pub(crate) fn member(&self, position: usize) -> Option<(Key, u32)> {
        self.item(position).map(|item| (item.key, item.member))
    }

    pub(crate) fn push(&mut self, key: Key, member: u32, places: &mut impl Places) {
        let position = self.len;
        let len = position.checked_add(1);
        if let Some(len) = len.filter(|len| *len <= self.items.len()) {
            self.len = len;
            self.settle(position, Item { key, member }, places);
        }
    }

    pub(crate) fn remove(&mut self, position: usize, places: &mut impl Places) {
        let (Some(item), Some(last)) = (self.item(position), self.len.checked_sub(1)) else {
            return;
        };
        let moved = self.item(last);
        self.len = last;
        places.moved(item.member, None);
        if let Some(moved) = moved.filter(|_| position != last) {
            self.settle(position, moved, places);
        }
    }

    /// Changes the key of the member at `position`.
    pub(crate) fn update(&mut self, position: usize, key: Key, places: &mut impl Places) {
        if let Some(item) = self.item(position) {
            self.settle(position, Item { key, ..item }, places);
        }
    }

    fn item(&self, position: usize) -> Option<Item> {
        if position >= self.len {
            return None;
        }
        self.items.get(position).copied()
    }

    fn put(&mut self, position: usize, item: Item, places: &mut impl Places) {
        if let Some(cell) = self.items.get_mut(position) {
            *cell = item;
            places.moved(item.member, Some(position));
        }
    }

    /// Moves the hole at `position` up or down until `item` fits into it.
    fn settle(&mut self, position: usize, item: Item, places: &mut impl Places) {
        let mut hole = position;
        while let Some(above) = hole.checked_sub(1).map(|before| before >> 1) {
            match self.item(above) {
                Some(parent) if item.key < parent.key => self.put(hole, parent, places),
                _ => break,
            }
            hole = above;
        }
        while let Some((below, child)) = self.lesser_child(hole) {
            if item.key <= child.key {
                break;
            }
            self.put(hole, child, places);
            hole = below;
        }
        self.put(hole, item, places);
    }

    fn lesser_child(&self, position: usize) -> Option<(usize, Item)> {
        let left = position.checked_mul(2)?.checked_add(1)?;
        let right = left.checked_add(1)?;
        let left_item = self.item(left)?;
        match self.item(right) {
            Some(right_item) if right_item.key < left_item.key => Some((right, right_item)),
            _ => Some((left, left_item)),
        }
    }
}
