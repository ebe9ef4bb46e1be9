// SPDX-License-Identifier: BSD-2-Clause
//! Doubly linked lists with the links in the pooled values, so that queueing never allocates.
//!
//! A value has one link and is in at most one list of its kind at a time.

use crate::array::Storage;
use crate::count::Count;
use crate::pool::{Pool, NIL};

/// Neighbours of a value in its list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    prev: u32,
    next: u32,
}

impl Link {
    pub(crate) const NONE: Self = Self {
        prev: NIL,
        next: NIL,
    };
}

/// A value that can be in a list.
pub(crate) trait Linked {
    fn link(&self) -> &Link;
    fn link_mut(&mut self) -> &mut Link;
}

/// Head, tail and length of a list over the values of one pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    head: u32,
    tail: u32,
    len: Count,
}

impl List {
    pub(crate) const EMPTY: Self = Self {
        head: NIL,
        tail: NIL,
        len: Count::ZERO,
    };

    /// First index, `NIL` if empty.
    pub(crate) fn head(&self) -> u32 {
        self.head
    }

    /// Last index, `NIL` if empty.
    pub(crate) fn tail(&self) -> u32 {
        self.tail
    }

    pub(crate) fn len(&self) -> u32 {
        self.len.get()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len.is_zero()
    }

    pub(crate) fn push_back<T: Linked, S: Storage>(&mut self, pool: &mut Pool<T, S>, index: u32) {
        self.insert_after(pool, self.tail, index);
    }

    /// Inserts after `prev`, or at the front if that is `NIL`.
    pub(crate) fn insert_after<T: Linked, S: Storage>(
        &mut self,
        pool: &mut Pool<T, S>,
        prev: u32,
        index: u32,
    ) {
        let next = if prev == NIL {
            self.head
        } else {
            next_of(pool, prev)
        };
        let Some(node) = pool.at_mut(index) else {
            return;
        };
        *node.link_mut() = Link { prev, next };
        match pool.at_mut(prev) {
            Some(node) => node.link_mut().next = index,
            None => self.head = index,
        }
        match pool.at_mut(next) {
            Some(node) => node.link_mut().prev = index,
            None => self.tail = index,
        }
        self.len.add();
    }

    /// Removes a member; the caller knows that it is in this list.
    pub(crate) fn remove<T: Linked, S: Storage>(&mut self, pool: &mut Pool<T, S>, index: u32) {
        let Some(node) = pool.at_mut(index) else {
            return;
        };
        let Link { prev, next } = core::mem::replace(node.link_mut(), Link::NONE);
        match pool.at_mut(prev) {
            Some(node) => node.link_mut().next = next,
            None => self.head = next,
        }
        match pool.at_mut(next) {
            Some(node) => node.link_mut().prev = prev,
            None => self.tail = prev,
        }
        self.len.sub();
    }

    pub(crate) fn pop_front<T: Linked, S: Storage>(
        &mut self,
        pool: &mut Pool<T, S>,
    ) -> Option<u32> {
        let index = self.head;
        if index == NIL {
            return None;
        }
        self.remove(pool, index);
        Some(index)
    }

    /// Indices from head to tail.
    pub(crate) fn iter<'a, T: Linked, S: Storage>(
        &self,
        pool: &'a Pool<T, S>,
    ) -> impl Iterator<Item = u32> + use<'a, T, S> {
        let bound = usize::try_from(self.len.get()).unwrap_or(usize::MAX);
        let real = |index: u32| (index != NIL).then_some(index);
        core::iter::successors(real(self.head), move |index| real(next_of(pool, *index)))
            .take(bound)
    }
}

/// The index after `index`, `NIL` at the end.
pub(crate) fn next_of<T: Linked, S: Storage>(pool: &Pool<T, S>, index: u32) -> u32 {
    pool.at(index).map_or(NIL, |node| node.link().next)
}

/// The index before `index`, `NIL` at the front.
pub(crate) fn prev_of<T: Linked, S: Storage>(pool: &Pool<T, S>, index: u32) -> u32 {
    pool.at(index).map_or(NIL, |node| node.link().prev)
}
