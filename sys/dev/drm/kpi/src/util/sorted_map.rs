// SPDX-License-Identifier: BSD-2-Clause
//! A map in the order of its keys, for any number of entries: it is in chunks, so that an insertion
//! or removal moves a few hundred entries at most.

use crate::alloc::KVec;
use crate::os::Os;
use crate::util::errno::{Result, ENOMEM};

/// Entries of a full chunk.
const FULL: usize = 256;

/// A map from `K` to `V`.
///
/// # Invariants
///
/// No chunk is empty, keys ascend within a chunk and from chunk to chunk.
pub struct SortedMap<K, V> {
    os: Os,
    chunks: KVec<KVec<(K, V)>>,
    len: usize,
}

impl<K: Ord + Copy, V> SortedMap<K, V> {
    /// An empty map.
    pub fn new(os: Os) -> Self {
        SortedMap {
            os,
            chunks: KVec::new(os),
            len: 0,
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The index of the chunk for `key`.
    fn chunk_of(&self, key: K) -> usize {
        let begins_before =
            |chunk: &KVec<(K, V)>| chunk.first().is_none_or(|(first, _)| *first <= key);
        // OVERFLOW: saturates: a key below all others belongs to the first chunk.
        self.chunks.partition_point(begins_before).saturating_sub(1)
    }

    /// The value of a key.
    pub fn get(&self, key: K) -> Option<&V> {
        let chunk = self.chunks.get(self.chunk_of(key))?;
        let index = chunk.binary_search_by_key(&key, |(k, _)| *k).ok()?;
        chunk.get(index).map(|(_, v)| v)
    }

    /// The value of a key, for writing.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let at = self.chunk_of(key);
        let chunk = self.chunks.get_mut(at)?;
        let index = chunk.binary_search_by_key(&key, |(k, _)| *k).ok()?;
        chunk.get_mut(index).map(|(_, v)| v)
    }

    /// The last entry with a key below `key`.
    pub fn before(&self, key: K) -> Option<(K, &V)> {
        let at = self.chunk_of(key);
        let chunk = self.chunks.get(at)?;
        let (k, v) = match chunk.partition_point(|(k, _)| *k < key).checked_sub(1) {
            Some(index) => chunk.get(index)?,
            None => self.chunks.get(at.checked_sub(1)?)?.last()?,
        };
        Some((*k, v))
    }

    /// The entries from `key` on, in order.
    pub fn from(&self, key: K) -> impl Iterator<Item = (K, &V)> {
        let at = self.chunk_of(key);
        let chunks = self.chunks.get(at..).unwrap_or_default();
        let entries = chunks.iter().flat_map(|chunk| chunk.iter());
        entries
            .skip_while(move |(k, _)| *k < key)
            .map(|(k, v)| (*k, v))
    }

    /// Inserts an entry, in place of one with the same key.
    ///
    /// # Errors
    ///
    /// ENOMEM; nothing changed.
    pub fn insert(&mut self, key: K, value: V) -> Result<()> {
        let at = self.chunk_of(key);
        let Some(chunk) = self.chunks.get_mut(at) else {
            let mut chunk = KVec::with_capacity(self.os, 4)?;
            chunk.push((key, value))?;
            self.chunks.push(chunk)?;
            self.len = 1;
            return Ok(());
        };
        match chunk.binary_search_by_key(&key, |(k, _)| *k) {
            Ok(index) => {
                if let Some((_, v)) = chunk.get_mut(index) {
                    *v = value;
                }
                return Ok(());
            }
            Err(index) if chunk.len() < FULL => chunk.insert(index, (key, value))?,
            Err(index) => self.split(at, index, (key, value))?,
        }
        // OVERFLOW: none, for each entry has bytes of memory.
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Inserts an entry into a full chunk, the upper half of which becomes the next chunk.
    fn split(&mut self, at: usize, index: usize, entry: (K, V)) -> Result<()> {
        const HALF: usize = FULL / 2;
        // Everything that can fail comes first.
        let mut upper = KVec::with_capacity(self.os, FULL)?;
        self.chunks.reserve(1)?;
        let Some(lower) = self.chunks.get_mut(at) else {
            return Ok(());
        };
        while lower.len() > HALF {
            let Some(last) = lower.pop() else { break };
            upper.push(last)?;
        }
        upper.as_mut_slice().reverse();
        match index.checked_sub(HALF) {
            Some(index) => upper.insert(index, entry)?,
            None => lower.insert(index, entry)?,
        }
        self.chunks.insert(at.checked_add(1).ok_or(ENOMEM)?, upper)
    }

    /// Removes an entry and returns its value.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let at = self.chunk_of(key);
        let chunk = self.chunks.get_mut(at)?;
        let index = chunk.binary_search_by_key(&key, |(k, _)| *k).ok()?;
        let (_, value) = chunk.remove(index)?;
        if chunk.is_empty() {
            self.chunks.remove(at);
        } else {
            self.join_next(at);
        }
        if let Some(before) = at.checked_sub(1) {
            self.join_next(before);
        }
        // OVERFLOW: none, for this entry was counted.
        self.len = self.len.saturating_sub(1);
        Some(value)
    }

    /// Removes the first entry and returns its value.
    pub fn pop_first(&mut self) -> Option<V> {
        let (key, _) = self.chunks.first()?.first()?;
        self.remove(*key)
    }

    /// Joins a chunk and the next if both are small and there is memory, so that few entries are in
    /// few chunks.
    fn join_next(&mut self, at: usize) {
        const SMALL: usize = FULL / 4;
        let Some(after) = at.checked_add(1) else {
            return;
        };
        let [this, next, ..] = self.chunks.get_mut(at..).unwrap_or_default() else {
            return;
        };
        let more = next.len();
        let all = this.len().checked_add(more);
        if all.is_none_or(|all| all > SMALL) || this.reserve(more).is_err() {
            return;
        }
        next.as_mut_slice().reverse();
        while let Some(entry) = next.pop() {
            // There is room.
            let _ = this.push(entry);
        }
        self.chunks.remove(after);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use drm_os_host::{Config, World};
    use seeded::Random;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    /// Against the standard library's map, through several chunks, with keys in every order.
    /// Catches a chunk that is split or joined wrongly, and a search in the wrong chunk.
    #[test]
    fn it_is_as_the_standard_librarys() {
        let world = World::new(Config::default());
        let mut ours = SortedMap::new(Os::of_world(&world));
        let mut theirs = BTreeMap::new();
        let mut random = Random::new(7);
        let mut most = 0;
        for step in 0..40_000u64 {
            let key = random.below(3_000);
            // It fills up, shrinks to nothing, and fills up again.
            let fill = (step / 10_000).is_multiple_of(2);
            if fill && random.below(8) < 6 {
                ours.insert(key, step).unwrap();
                theirs.insert(key, step);
            } else if key.is_multiple_of(4) {
                assert_eq!(ours.pop_first(), theirs.pop_first().map(|(_, v)| v));
            } else {
                assert_eq!(ours.remove(key), theirs.remove(&key));
            }
            assert_eq!(ours.len(), theirs.len());
            most = most.max(ours.chunks.len());
            // Small neighbours are joined.
            assert!(ours.chunks.len() <= 2 + ours.len() / 16);
            assert_eq!(ours.get(key), theirs.get(&key));
            let before = theirs.range(..key).next_back().map(|(k, v)| (*k, v));
            assert_eq!(ours.before(key), before);
            if step % 1_000 == 0 {
                let ours: Vec<_> = ours.from(key).map(|(k, v)| (k, *v)).collect();
                let theirs: Vec<_> = theirs.range(key..).map(|(k, v)| (*k, *v)).collect();
                assert_eq!(ours, theirs);
            }
        }
        assert!(most > 5, "{most} chunks");
    }
}
