// SPDX-License-Identifier: BSD-2-Clause
//! The points of a timeline syncobj.
//!
//! Linux has a chain of fences, one for each point, that it walks and prunes (dma-fence-chain.c).
//! Here each pending point has, as a flat set, all fences that it ends with: its own and those of
//! earlier points. So a look-up is one search, and neither it nor a drop recurses. Observable
//! results are the same, those of points out of order included.
//!
//! A point belongs to the *order* of the last one. A point that is not larger than the last starts
//! a new order: it becomes the last point with the number that this had, and every point of the new
//! order comes after all of the old one.

use crate::alloc::Arc;
use crate::os::Os;
use crate::sync::fences::Fences;
use crate::util::account::{Account, Charge};
use crate::util::errno::Result;
use crate::util::sorted_map::SortedMap;

/// The most points that a call inspects, or removes, with the lock held.
const FEW: usize = 8;

/// A point.
struct Point {
    /// What was added.
    own: Fences,
    /// These and, of earlier points, the fences that were pending then.
    all: Fences,
    charge: Option<Charge>,
}

/// A syncobj with points.
pub(super) struct Timeline {
    os: Os,
    /// The number of the last point.
    last: u64,
    /// The number of the point before it, 0 if it is the first of its order.
    after: u64,
    last_point: Point,
    /// What was pending when the order began.
    before: Fences,
    /// The points of this order before the last, by the number of the point before each, unless
    /// their own fences were found signalled.
    earlier: SortedMap<u64, Point>,
    /// Where the next call inspects `earlier`.
    cursor: u64,
}

/// What a change has removed: to be dropped after the lock is released.
#[derive(Default)]
pub(super) struct Removed {
    ended: [Option<Point>; FEW],
    last_point: Option<Point>,
    before: Option<Fences>,
    earlier: Option<SortedMap<u64, Point>>,
}

impl Timeline {
    /// A timeline with a first point, after `before`. The fences are charged to `account`, and the
    /// point takes `charge`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    #[inline(never)]
    pub(super) fn new(
        os: Os,
        account: &Arc<Account>,
        before: Fences,
        point: u64,
        own: &Fences,
        charge: &mut Option<Charge>,
    ) -> Result<Timeline> {
        let all = Fences::join_pending(os, account, &before, own)?;
        Ok(Timeline {
            os,
            last: point,
            after: 0,
            last_point: Point {
                own: own.clone(),
                all,
                charge: charge.take(),
            },
            before,
            earlier: SortedMap::new(os),
            cursor: 0,
        })
    }

    /// Adds a point, as `new`. What it replaces goes to `removed`, which is empty.
    ///
    /// # Errors
    ///
    /// ENOMEM; nothing changed.
    #[inline(never)]
    pub(super) fn add(
        &mut self,
        account: &Arc<Account>,
        point: u64,
        own: &Fences,
        charge: &mut Option<Charge>,
        removed: &mut Removed,
    ) -> Result<()> {
        let all = Fences::join_pending(self.os, account, &self.last_point.all, own)?;
        if point > self.last {
            self.keep_last()?;
            self.after = core::mem::replace(&mut self.last, point);
        } else {
            let earlier = core::mem::replace(&mut self.earlier, SortedMap::new(self.os));
            removed.earlier = Some(earlier);
            let pending = self.last_point.all.clone();
            removed.before = Some(core::mem::replace(&mut self.before, pending));
            self.after = 0;
        }
        let new = Point {
            own: own.clone(),
            all,
            charge: charge.take(),
        };
        removed.last_point = Some(core::mem::replace(&mut self.last_point, new));
        self.remove_some(removed);
        Ok(())
    }

    /// Makes the last point one of the earlier ones, if its own fences are pending.
    fn keep_last(&mut self) -> Result<()> {
        if self.last_point.own.is_signaled() {
            return Ok(());
        }
        let point = Point {
            own: self.last_point.own.clone(),
            all: self.last_point.all.clone(),
            charge: None,
        };
        self.earlier.insert(self.after, point)?;
        if let Some(kept) = self.earlier.get_mut(self.after) {
            kept.charge = self.last_point.charge.take();
        }
        Ok(())
    }

    /// Inspects a few of the earlier points, and moves those with signalled fences to `removed`.
    /// Each call goes on where the last one stopped, so that no more of them stay than a fraction
    /// of the pending ones.
    #[inline(never)]
    fn remove_some(&mut self, removed: &mut Removed) {
        let mut ended = [None; FEW];
        {
            let mut few = self.earlier.from(self.cursor);
            for ended in &mut ended {
                let Some((key, point)) = few.next() else {
                    self.cursor = 0;
                    break;
                };
                if point.own.is_signaled() {
                    *ended = Some(key);
                }
                // OVERFLOW: wraps: back to the first.
                self.cursor = key.wrapping_add(1);
            }
        }
        for (key, removed) in ended.iter().flatten().zip(&mut removed.ended) {
            *removed = self.earlier.remove(*key);
        }
    }

    /// The number of the last point.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The fences that a point ends with, of all points for 0; `None` if there is no such point
    /// yet.
    pub(super) fn find(&self, point: u64) -> Option<Fences> {
        if point > self.last {
            return None;
        }
        if point == 0 || point > self.after {
            return Some(self.last_point.all.clone());
        }
        // Points that were removed had no pending fences of their own.
        let earlier = self.earlier.before(point);
        Some(earlier.map_or(&self.before, |(_, p)| &p.all).clone())
    }

    /// The point that is reached: all up to it are signalled. What is removed meanwhile goes to
    /// `removed`, which is empty. `None` if the earlier points have to be inspected further, by
    /// another call. Linux: drm_syncobj_query_ioctl.
    pub(super) fn reached(&mut self, removed: &mut Removed) -> Option<u64> {
        for place in &mut removed.ended {
            let first = self.earlier.from(0).next();
            match first.map(|(key, point)| (key, point.own.is_signaled())) {
                Some((key, true)) => *place = self.earlier.remove(key),
                Some((key, false)) => return Some(key),
                None if self.last_point.all.is_signaled() => return Some(self.last),
                // Not 0, even if it is fences of an earlier order that are pending.
                None => return Some(self.after),
            }
        }
        None
    }
}
