// SPDX-License-Identifier: BSD-2-Clause
//! A GPU address space: that of one open file (MMUv2), or of all (MMUv1). A buffer is mapped when a job first names it,
//! where the client says (softpin) or where there is room; its place is given up when it is in the way or its handle
//! goes.

use crate::mmu::space::{Hit, Jobs, Old, Site, Space};
use crate::mmu::{Mmu, Slot, Version, COMMAND_BYTES, COMMAND_VA};
use core::sync::atomic::{AtomicU32, Ordering};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::wire::{for_each_chunk, map_chunks};
use drmkpi::os::{Mtx, Sx, PAGE_SIZE};
use drmkpi::runner::reaper::{Link, Reaped, Reaper, When};
use drmkpi::util::account::{Account, Charge};
use drmkpi::util::errno::{Result, EINVAL, ENOSPC};
use drmkpi::util::int_conv::{u64_of, usize_of};
use iommu_pmap::Prot;

/// An address space.
pub(crate) struct Vm {
    id: u64,
    mmu: Arc<Mmu>,
    slot: Slot,
    /// Physical address of the root table.
    root: u64,
    /// Its page tables.
    charge: Option<Charge>,
    /// Held while a buffer is mapped in parts.
    mapping: Sx<()>,
    space: Sx<Option<Space>>,
    jobs: Mtx<Jobs>,
    /// Changes with every change of the page table.
    seqno: AtomicU32,
    link: Link<Vm>,
    reaper: Arc<Reaper<Vm>>,
}

/// A job in the hardware, as its address space sees it.
pub(crate) struct Presence {
    vm: Arc<Vm>,
    odd: bool,
}

impl Presence {
    /// A job of `vm` is about to begin. Before its sequence number is looked at.
    pub(crate) fn new(vm: &Arc<Vm>) -> Presence {
        let mut jobs = vm.jobs.lock();
        let odd = jobs.odd;
        let count = jobs.of(odd);
        *count = count.saturating_add(1);
        Presence {
            vm: vm.clone(),
            odd,
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut jobs = self.vm.jobs.lock();
        let count = jobs.of(self.odd);
        *count = count.saturating_sub(1);
    }
}

impl Vm {
    /// An address space with the command memory in it; `account` pays for its tables, if it is
    /// somebody's.
    ///
    /// # Errors
    ///
    /// ENOMEM, also over the account's limit; ENOSPC when there are as many clients as the hardware
    /// has page tables for.
    pub(crate) fn new(
        mmu: &Arc<Mmu>,
        reaper: &Arc<Reaper<Vm>>,
        account: Option<&Arc<Account>>,
    ) -> Result<Arc<Vm>> {
        let slot = Slot::new(mmu)?;
        let charge = account.map(|account| Charge::new(account, 0)).transpose()?;
        let lock = Sx::new(mmu.os(), c"etnaviv vm", None)?;
        let mapping = Sx::new(mmu.os(), c"etnaviv mapping", ())?;
        let jobs = Mtx::new(mmu.os(), c"etnaviv vm jobs", Jobs::default())?;
        let link = Link::new(mmu.os())?;
        let (space, root) = Space::new(mmu, charge.as_ref())?;
        let mut vm = Vm {
            id: mmu.os().unique(),
            mmu: mmu.clone(),
            slot,
            root,
            charge,
            mapping,
            space: lock,
            jobs,
            seqno: AtomicU32::new(0),
            link,
            reaper: reaper.clone(),
        };
        // From here on its end frees the tables.
        *vm.space.get_mut() = Some(space);
        let vm = Arc::new(mmu.os(), vm)?;
        vm.slot.set(root);
        vm.map_commands()?;
        Ok(vm)
    }

    /// MMUv2: the front ends fetch by translated addresses.
    fn map_commands(&self) -> Result<()> {
        if self.mmu.version() == Version::V1 {
            return Ok(());
        }
        let pages = usize_of(COMMAND_BYTES.wrapping_div(PAGE_SIZE));
        let first = self.mmu.commands().pa();
        let pas = KVec::from_fn(self.mmu.os(), pages, |i| {
            Ok(first.wrapping_add(u64_of(i).wrapping_mul(PAGE_SIZE)))
        })?;
        let mut guard = self.space.lock();
        let space = guard.as_mut().ok_or(EINVAL)?;
        space.map_fixed(self.site(), u64::from(COMMAND_VA), &pas)
    }

    fn site(&self) -> Site<'_> {
        Site {
            mmu: &self.mmu,
            seqno: &self.seqno,
            charge: self.charge.as_ref(),
        }
    }

    /// A number that no other vm has.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Its place in the page table array.
    pub(crate) fn slot(&self) -> u32 {
        self.slot.number()
    }

    /// Physical address of its root table.
    pub(crate) fn root(&self) -> u64 {
        self.root
    }

    /// Changes with every change of the page table.
    pub(crate) fn seqno(&self) -> u32 {
        self.seqno.load(Ordering::Acquire)
    }

    /// Has `buffer` mapped for a job: at `wanted`, or where there is room. The answer is its address, and whether its
    /// handle may have gone without anybody telling.
    ///
    /// # Errors
    ///
    /// EINVAL for an address that a client cannot choose, or while jobs use it elsewhere; ENOSPC when something in use is there or there is no room,
    /// as beyond 4 GiB; ENOMEM.
    fn take(&self, buffer: &Arc<Buffer>, wanted: Option<u64>, prot: Prot) -> Result<(u64, bool)> {
        let taken = self.find_or_map(buffer, wanted, prot);
        if taken.is_err() {
            // What was to make room, or to move, may be unmapped already.
            self.reap();
        }
        taken
    }

    fn find_or_map(
        &self,
        buffer: &Arc<Buffer>,
        wanted: Option<u64>,
        prot: Prot,
    ) -> Result<(u64, bool)> {
        let mut guard = self.space.lock();
        let space = guard.as_mut().ok_or(EINVAL)?;
        if let Some(start) = wanted {
            let range = space.regions.range();
            if start < range.start || !start.is_multiple_of(PAGE_SIZE) {
                return Err(EINVAL);
            }
            if start.saturating_add(buffer.size()) > range.end {
                return Err(ENOSPC);
            }
        }
        let hit = space.hit(buffer, wanted)?;
        drop(guard);
        if let Some(place) = self.place(hit) {
            return Ok(place);
        }
        // Pages are allocated without any lock.
        for_each_chunk(self.mmu.os(), buffer, 0, 0..buffer.size(), |_, _| Ok(()))?;
        // Whoever finds the buffer's place with this lock held finds all of it mapped.
        let _one_at_a_time = self.mapping.lock();
        let hit = self.with(|space| space.hit(buffer, wanted))?;
        if let Some(place) = self.place(hit) {
            return Ok(place);
        }
        let room = self.with(|space| space.regions.make_room(buffer.size(), wanted))?;
        // Only the holder of `mapping` gives places away.
        while !self.with(|space| Ok(space.clear(self.site(), &room)))? {}
        let start = room.start;
        self.with(|space| space.insert(buffer, start))?;
        let mapped = self.map(start, buffer, prot);
        let _ = self.with(|space| {
            match (mapped, space.regions.at(start)) {
                (Ok(()), Some(region)) => region.ready = true,
                _ => space.regions.leave(start),
            }
            Ok(())
        });
        if mapped.is_err() {
            self.unmap(start);
        }
        self.reap();
        mapped.map(|()| (start, true))
    }

    /// With the lock held.
    fn with<R>(&self, f: impl FnOnce(&mut Space) -> Result<R>) -> Result<R> {
        f(self.space.lock().as_mut().ok_or(EINVAL)?)
    }

    /// What was found, after what was left is unmapped.
    fn place(&self, hit: Hit) -> Option<(u64, bool)> {
        match hit {
            Hit::At(start, closing) => return Some((start, closing)),
            Hit::Left(start) => self.unmap(start),
            Hit::None => {}
        }
        None
    }

    /// Unmaps a region that has been left, in parts, so that no thread waits long for the lock.
    fn unmap(&self, start: u64) {
        while !self
            .with(|space| Ok(space.unmap_part(self.site(), start)))
            .unwrap_or(true)
        {}
    }

    /// Maps a buffer, whose pages are wired, part by part, so that nobody waits long for the lock.
    fn map(&self, start: u64, buffer: &Buffer, prot: Prot) -> Result<()> {
        let bytes = 0..buffer.size();
        map_chunks(
            self.mmu.dev(),
            buffer,
            start,
            bytes,
            |offset, pas, spare| {
                let iova = start.checked_add(offset).ok_or(EINVAL)?;
                let mut guard = self.space.lock();
                let space = guard.as_mut().ok_or(EINVAL)?;
                space.map(self.site(), spare, iova, pas, prot)
            },
        )
    }

    /// A job is over that used what is at `start`, or could not be made.
    fn release(this: &Arc<Self>, start: u64) {
        let is_left = this.with(|space| {
            let region = space.regions.at(start).ok_or(EINVAL)?;
            region.users = region.users.saturating_sub(1);
            let is_left = region.closing && region.users == 0;
            if is_left {
                space.regions.leave(start);
            }
            Ok(is_left)
        });
        if is_left == Ok(true) {
            this.unmap(start);
        }
        if this.with(|space| Ok(space.sweep(&this.jobs))) == Ok(true) {
            this.reaper.leave(this, When::Soon);
        }
    }

    /// The handle of a buffer is gone: its place goes as soon as no job uses it.
    pub(crate) fn forget(&self, buffer: u64) {
        let left = self.with(|space| {
            let start = space.regions.place_of(buffer).ok_or(EINVAL)?;
            let region = space.regions.at(start).ok_or(EINVAL)?;
            region.closing = true;
            let is_left = region.users == 0;
            if is_left {
                space.regions.leave(start);
            }
            Ok(is_left.then_some(start))
        });
        let Ok(left) = left else { return };
        if let Some(start) = left {
            self.unmap(start);
        }
        self.reap();
    }
}

impl Reaped for Vm {
    fn link(&self) -> &Link<Vm> {
        &self.link
    }

    /// The lock is not held meanwhile. Not in the GPU's own thread.
    fn reap(&self) {
        loop {
            let room = {
                let mut guard = self.space.lock();
                let Some(space) = guard.as_mut() else { return };
                space.sweep(&self.jobs);
                space.dead()
            };
            let Some(room) = room else { return };
            // Without room less is freed at a time.
            let empty = Old::with_room(&self.mmu, room).unwrap_or_else(|_| Old::empty(&self.mmu));
            let mut dead = {
                let mut guard = self.space.lock();
                let Some(space) = guard.as_mut() else { return };
                space.take_dead(empty)
            };
            dead.free(self.mmu.dev(), self.charge.as_ref());
        }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // The core holds a reference to what it has loaded, and the job that leaves it holds one until its end.
        self.slot.set(0);
        if let Some(space) = self.space.get_mut().take() {
            space.destroy(&self.mmu, self.charge.as_ref());
        }
    }
}

/// A job's use of a buffer.
pub(crate) struct Use {
    vm: Arc<Vm>,
    start: u64,
}

impl Use {
    /// See `Vm::take`; `has_handle` says whether the client still has a handle of the buffer.
    ///
    /// # Errors
    ///
    /// EINVAL, ENOSPC, ENOMEM.
    pub(crate) fn new(
        vm: &Arc<Vm>,
        buffer: &Arc<Buffer>,
        wanted: Option<u64>,
        prot: Prot,
        has_handle: impl FnOnce() -> bool,
    ) -> Result<Use> {
        let (start, look_again) = vm.take(buffer, wanted, prot)?;
        let vm = vm.clone();
        let used = Use { vm, start };
        // A close before this had nothing to forget, and one after it will.
        if look_again && !has_handle() {
            used.vm.forget(buffer.id());
        }
        Ok(used)
    }

    /// Where the buffer is.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        Vm::release(&self.vm, self.start);
    }
}
