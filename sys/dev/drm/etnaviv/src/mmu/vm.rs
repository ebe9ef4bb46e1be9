// SPDX-License-Identifier: BSD-2-Clause
//! A VM: the address space of one open file (MMUv2), or of all files (MMUv1). A buffer is mapped
//! when a job first uses it, at an address of the client's choice (softpin) or of the kernel's. It
//! is unmapped when the client closes its handle, or when another buffer needs its address.

use crate::mmu::space::{Hit, Jobs, Retired, Space};
use crate::mmu::table::{spare_tables, TableOwner};
use crate::mmu::{Mmu, TableNumber, Version, COMMAND_BYTES, COMMAND_VA};
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

/// A GPU address space.
pub(crate) struct Vm {
    id: u64,
    mmu: Arc<Mmu>,
    table_number: TableNumber,
    /// Physical address of the root table.
    root: u64,
    /// The memory of its page tables; `None` for the VM of all files.
    charge: Option<Charge>,
    /// Held while a buffer is mapped part by part.
    mapping: Sx<()>,
    space: Sx<Option<Space>>,
    jobs: Mtx<Jobs>,
    /// Changes with every change of the page table.
    seqno: AtomicU32,
    link: Link<Vm>,
    reaper: Arc<Reaper<Vm>>,
}

/// Counts a job as in flight in a VM, until this is dropped.
pub(crate) struct InFlightCount {
    vm: Arc<Vm>,
    odd: bool,
}

impl InFlightCount {
    /// For a job of `vm` that is about to be started. Called before the VM's sequence number is
    /// read.
    pub(crate) fn new(vm: &Arc<Vm>) -> InFlightCount {
        let mut jobs = vm.jobs.lock();
        let odd = jobs.odd;
        let count = jobs.of(odd);
        // OVERFLOW: none, for each core has at most EVENTS jobs in flight.
        *count = count.saturating_add(1);
        InFlightCount {
            vm: vm.clone(),
            odd,
        }
    }
}

impl Drop for InFlightCount {
    fn drop(&mut self) {
        let mut jobs = self.vm.jobs.lock();
        let count = jobs.of(self.odd);
        // OVERFLOW: none, for `new` has added one.
        *count = count.saturating_sub(1);
    }
}

impl Vm {
    /// A VM in which the command memory is mapped. Its page tables are charged to `account`, if
    /// any.
    ///
    /// # Errors
    ///
    /// ENOMEM, also above the account's limit; ENOSPC if the hardware has no more page tables.
    pub(crate) fn new(
        mmu: &Arc<Mmu>,
        reaper: &Arc<Reaper<Vm>>,
        account: Option<&Arc<Account>>,
    ) -> Result<Arc<Vm>> {
        let table_number = TableNumber::new(mmu)?;
        let charge = account.map(|account| Charge::new(account, 0)).transpose()?;
        let lock = Sx::new(mmu.os(), c"etnaviv vm", None)?;
        let mapping = Sx::new(mmu.os(), c"etnaviv mapping", ())?;
        let jobs = Mtx::new(mmu.os(), c"etnaviv vm jobs", Jobs::default())?;
        let link = Link::new(mmu.os())?;
        let (space, root) = Space::new(mmu, charge.as_ref())?;
        let mut vm = Vm {
            id: mmu.os().unique(),
            mmu: mmu.clone(),
            table_number,
            root,
            charge,
            mapping,
            space: lock,
            jobs,
            seqno: AtomicU32::new(0),
            link,
            reaper: reaper.clone(),
        };
        // From here on dropping the VM frees the tables.
        *vm.space.get_mut() = Some(space);
        let vm = Arc::new(mmu.os(), vm)?;
        vm.table_number.set(root);
        vm.map_commands()?;
        Ok(vm)
    }

    /// MMUv2: maps the command memory, as the front ends fetch at translated addresses.
    fn map_commands(&self) -> Result<()> {
        if self.mmu.version() == Version::V1 {
            return Ok(());
        }
        let pages = usize_of(COMMAND_BYTES / PAGE_SIZE);
        let first = self.mmu.commands().pa();
        let pas = KVec::from_fn(self.mmu.os(), pages, |i| {
            let offset = u64_of(i).checked_mul(PAGE_SIZE).ok_or(EINVAL)?;
            first.checked_add(offset).ok_or(EINVAL)
        })?;
        let mut guard = self.space.lock();
        let space = guard.as_mut().ok_or(EINVAL)?;
        space.map_fixed(self.table_owner(), u64::from(COMMAND_VA), &pas)
    }

    fn table_owner(&self) -> TableOwner<'_> {
        TableOwner {
            mmu: &self.mmu,
            seqno: &self.seqno,
            charge: self.charge.as_ref(),
        }
    }

    /// A number that is unique among VMs.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The number of its page table.
    pub(crate) fn table_number(&self) -> u32 {
        self.table_number.number()
    }

    /// Physical address of its root table.
    pub(crate) fn root(&self) -> u64 {
        self.root
    }

    /// Changes with every change of the page table.
    pub(crate) fn seqno(&self) -> u32 {
        self.seqno.load(Ordering::Acquire)
    }

    /// Maps `buffer` for a job, at `wanted` or at any address, unless it is mapped. Returns its
    /// address, and whether the client may have closed its handle without a call of `forget` that
    /// found the buffer mapped.
    ///
    /// # Errors
    ///
    /// EINVAL for an address that a client cannot choose, or if jobs use the buffer at another
    /// address; ENOSPC if jobs use another buffer there, if there is no room, or above 4 GiB;
    /// ENOMEM.
    fn take(&self, buffer: &Arc<Buffer>, wanted: Option<u64>, prot: Prot) -> Result<(u64, bool)> {
        let taken = self.find_or_map(buffer, wanted, prot);
        if taken.is_err() {
            // Buffers may have been unmapped to make room, or to be moved.
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
            let end = start.checked_add(buffer.size());
            if end.is_none_or(|end| end > range.end) {
                return Err(ENOSPC);
            }
        }
        let hit = space.hit(buffer, wanted)?;
        drop(guard);
        if let Some(place) = self.place(hit) {
            return Ok(place);
        }
        // Allocates the pages with no lock held.
        for_each_chunk(self.mmu.os(), buffer, 0, 0..buffer.size(), |_, _| Ok(()))?;
        // With this lock held, no region is mapped only in part.
        let _one_at_a_time = self.mapping.lock();
        let hit = self.with(|space| space.hit(buffer, wanted))?;
        if let Some(place) = self.place(hit) {
            return Ok(place);
        }
        let room = self.with(|space| space.regions.make_room(buffer.size(), wanted))?;
        // Only a thread with that lock takes the room.
        while !self.with(|space| Ok(space.clear(self.table_owner(), &room)))? {}
        let start = room.start;
        self.with(|space| space.insert(buffer, start))?;
        let mapped = self.map(start, buffer, prot);
        let _ = self.with(|space| {
            match (mapped, space.regions.at(start)) {
                (Ok(()), Some(region)) => region.ready = true,
                _ => space.regions.close(start),
            }
            Ok(())
        });
        if mapped.is_err() {
            self.unmap(start);
        }
        self.reap();
        mapped.map(|()| (start, true))
    }

    /// Runs `f` with the lock held.
    fn with<R>(&self, f: impl FnOnce(&mut Space) -> Result<R>) -> Result<R> {
        f(self.space.lock().as_mut().ok_or(EINVAL)?)
    }

    /// The address of a buffer that was found, or `None` after its closed region is unmapped.
    fn place(&self, hit: Hit) -> Option<(u64, bool)> {
        match hit {
            Hit::At(start, closing) => return Some((start, closing)),
            Hit::Closed(start) => self.unmap(start),
            Hit::None => {}
        }
        None
    }

    /// Unmaps a closed region in parts, which bounds the time for which the lock is held.
    fn unmap(&self, start: u64) {
        let part = || self.with(|space| Ok(space.unmap_part(self.table_owner(), start)));
        while part() == Ok(false) {}
    }

    /// Maps a buffer, whose pages are wired, part by part, which bounds the time for which the lock
    /// is held.
    fn map(&self, start: u64, buffer: &Buffer, prot: Prot) -> Result<()> {
        let bytes = 0..buffer.size();
        map_chunks(
            spare_tables(self.mmu.dev()),
            buffer,
            start,
            bytes,
            |offset, pas, spare| {
                let iova = start.checked_add(offset).ok_or(EINVAL)?;
                let mut guard = self.space.lock();
                let space = guard.as_mut().ok_or(EINVAL)?;
                space.map(self.table_owner(), spare, iova, pas, prot)
            },
        )
    }

    /// Ends a job's use of the buffer at `start`.
    fn release(this: &Arc<Self>, start: u64) {
        let released = this.with(|space| {
            let region = space.regions.at(start).ok_or(EINVAL)?;
            // OVERFLOW: none, for `take` has added one.
            region.users = region.users.saturating_sub(1);
            if region.closing && region.users == 0 {
                space.regions.close(start);
                return Ok(None);
            }
            Ok(Some(space.sweep(&this.jobs)))
        });
        let freeable = match released {
            Ok(Some(freeable)) => freeable,
            Ok(None) => {
                this.unmap(start);
                this.with(|space| Ok(space.sweep(&this.jobs))) == Ok(true)
            }
            Err(_) => false,
        };
        if freeable {
            this.reaper.defer(this, When::Soon);
        }
    }

    /// The client has closed its last handle of a buffer: unmaps it, now or when no job uses it.
    pub(crate) fn forget(&self, buffer: u64) {
        let closed = self.with(|space| {
            let start = space.regions.place_of(buffer).ok_or(EINVAL)?;
            let region = space.regions.at(start).ok_or(EINVAL)?;
            region.closing = true;
            let closed = region.users == 0;
            if closed {
                space.regions.close(start);
            }
            Ok(closed.then_some(start))
        });
        let Ok(closed) = closed else { return };
        if let Some(start) = closed {
            self.unmap(start);
        }
        self.reap();
    }
}

impl Reaped for Vm {
    fn link(&self) -> &Link<Vm> {
        &self.link
    }

    /// Frees what no job can reach, without the lock. Not called in the core's job task.
    fn reap(&self) {
        loop {
            let room = {
                let mut guard = self.space.lock();
                let Some(space) = guard.as_mut() else { return };
                space.sweep(&self.jobs);
                space.freeable_room()
            };
            let Some(room) = room else { return };
            // Without memory for it, `sweep` begins no new generation, so less is freed.
            let empty = Retired::with_room(&self.mmu, room);
            let empty = empty.unwrap_or_else(|_| Retired::empty(&self.mmu));
            let mut freeable = {
                let mut guard = self.space.lock();
                let Some(space) = guard.as_mut() else { return };
                space.take_freeable(empty)
            };
            freeable.free(self.mmu.dev(), self.charge.as_ref());
        }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // It is not loaded: a core holds a reference to the VM that is loaded, and the job that
        // switches to another VM holds one until it has ended.
        self.table_number.set(0);
        if let Some(space) = self.space.get_mut().take() {
            space.destroy(&self.mmu, self.charge.as_ref());
        }
    }
}

/// A job's use of a buffer.
pub(crate) struct BufferUse {
    vm: Arc<Vm>,
    start: u64,
}

impl BufferUse {
    /// Maps the buffer, as `Vm::take` does. `has_handle` returns whether the client still has a
    /// handle of it.
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
    ) -> Result<BufferUse> {
        let (start, may_be_closed) = vm.take(buffer, wanted, prot)?;
        let vm = vm.clone();
        let used = BufferUse { vm, start };
        // A handle that was closed before this had no region to forget; one that is closed later
        // has.
        if may_be_closed && !has_handle() {
            used.vm.forget(buffer.id());
        }
        Ok(used)
    }

    /// The GPU address of the buffer.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }
}

impl Drop for BufferUse {
    fn drop(&mut self) {
        Vm::release(&self.vm, self.start);
    }
}
