// SPDX-License-Identifier: BSD-2-Clause
//! A job's uses of its buffers: from the look-up of their places in the VM to the end of the job.

use crate::mmu::space::{Place, Wish};
use crate::mmu::vm::Vm;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::os::Caller;
use drmkpi::runner::reaper::When;
use drmkpi::util::errno::{Result, EINVAL};

/// A job's uses of its buffers, in the order in which the job names them. Dropping this ends them.
pub(crate) struct BufferUses {
    vm: Arc<Vm>,
    list: KVec<Place>,
}

/// The number of buffers that are looked up, or whose use is ended, with the lock held once.
const AT_ONCE: usize = 64;

impl BufferUses {
    /// Maps the `count` buffers of a job, those that are not mapped. `wish` returns how the job
    /// uses the one with an index, `has_handle` whether the client still has a handle of it.
    ///
    /// # Errors
    ///
    /// Those of `Vm::take`; EINTR, ERESTART.
    pub(crate) fn new<'w>(
        vm: &Arc<Vm>,
        caller: &Caller<'_>,
        count: usize,
        wish: impl Fn(usize) -> Option<Wish<'w>>,
        has_handle: impl Fn(usize) -> bool,
    ) -> Result<BufferUses> {
        let mut uses = BufferUses {
            vm: vm.clone(),
            list: KVec::with_capacity(vm.mmu.os(), count)?,
        };
        while uses.list.len() < count {
            let next = uses.list.len();
            if next != 0 {
                caller.check_signal()?;
            }
            // OVERFLOW: saturates, beyond `count`.
            let some = next..next.saturating_add(AT_ONCE).min(count);
            if uses.add_mapped(some.map_while(&wish))? {
                continue;
            }
            let wish = wish(next).ok_or(EINVAL)?;
            let (place, may_be_closed) = vm.take(&wish, caller)?;
            uses.list.push(place)?;
            // A handle that was closed before this had no region to forget; one that is closed
            // later has.
            if may_be_closed && !has_handle(next) {
                vm.forget(wish.buffer.id());
            }
        }
        Ok(uses)
    }

    /// Adds those of `wishes` that are mapped as they are wanted, up to the first one that is not.
    /// Returns whether there is one at least.
    fn add_mapped<'w>(&mut self, wishes: impl Iterator<Item = Wish<'w>>) -> Result<bool> {
        let before = self.list.len();
        let mut guard = self.vm.space.lock();
        let space = guard.as_mut().ok_or(EINVAL)?;
        for wish in wishes {
            let Some(place) = space.use_mapped(&wish) else {
                break;
            };
            self.list.push(place)?;
        }
        Ok(self.list.len() != before)
    }

    /// The GPU address of the buffer with an index.
    pub(crate) fn start(&self, index: usize) -> Option<u32> {
        self.list.get(index).map(|place| place.start)
    }

    /// The places of the buffers.
    pub(crate) fn places(&self) -> &[Place] {
        &self.list
    }

    /// Ends the uses. Returns whether there is something for the caller to free by `Vm::reap`, or
    /// may be.
    pub(crate) fn end(mut self) -> bool {
        self.end_all()
    }

    fn end_all(&mut self) -> bool {
        let vm = &self.vm;
        let mut retired = true;
        while !self.list.is_empty() {
            let list = &mut self.list;
            let closed = vm.with(|space| {
                for _ in 0..AT_ONCE {
                    let Some(place) = list.pop() else { break };
                    if space.end_use(place) {
                        return Ok(Some(place.start));
                    }
                }
                retired = space.has_retired();
                Ok(None)
            });
            match closed {
                Ok(None) => {}
                Ok(Some(closed)) => {
                    retired = true;
                    vm.unmap(u64::from(closed));
                }
                Err(_) => break,
            }
        }
        retired
    }
}

impl Drop for BufferUses {
    fn drop(&mut self) {
        // After `end` there are none. What a job that was never queued leaves, the reaper frees.
        if !self.list.is_empty() && self.end_all() {
            self.vm.reaper.defer(&self.vm, When::Soon);
        }
    }
}
