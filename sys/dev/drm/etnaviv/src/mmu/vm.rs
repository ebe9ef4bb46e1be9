// SPDX-License-Identifier: BSD-2-Clause
//! A VM: the address space of one open file (MMUv2), or of all files (MMUv1). A buffer is mapped
//! when a job first uses it, at an address of the client's choice (softpin) or of the kernel's. It
//! is unmapped when the client closes its handle, or when another buffer needs its address.

use crate::mmu::regions::Room;
use crate::mmu::space::{Hit, Jobs, Place, Space, Wish};
use crate::mmu::table::{spare_tables, TableOwner};
use crate::mmu::{Mmu, TableNumber, Version, COMMAND_BYTES, COMMAND_VA};
use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::wire::{for_each_chunk, map_chunks};
use drmkpi::os::{Caller, Sx, PAGE_SIZE};
use drmkpi::runner::reaper::{Link, Reaped, Reaper};
use drmkpi::util::account::{Account, Charge};
use drmkpi::util::errno::{Result, EINVAL, ENOSPC};
use drmkpi::util::int_conv::{u64_of, usize_of};
use iommu_pmap::Prot;

/// How often the lock is taken at most to make room: several times as often as is needed for as
/// many regions as a VM can have, as jobs that begin and end meanwhile change more.
const TURNS: u32 = 1 << 16;

/// A GPU address space.
pub(crate) struct Vm {
    id: u64,
    pub(super) mmu: Arc<Mmu>,
    table_number: TableNumber,
    /// Physical address of the root table.
    root: u64,
    /// The memory of its page tables; `None` for the VM of all files.
    charge: Option<Charge>,
    /// Held while a buffer is mapped part by part.
    mapping: Sx<()>,
    pub(super) space: Sx<Option<Space>>,
    jobs: Jobs,
    /// Changes with every change of the page table.
    seqno: AtomicU32,
    link: Link<Vm>,
    pub(super) reaper: Arc<Reaper<Vm>>,
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
        let odd = vm.jobs.begin();
        InFlightCount {
            vm: vm.clone(),
            odd,
        }
    }
}

impl Drop for InFlightCount {
    fn drop(&mut self) {
        self.vm.jobs.end(self.odd);
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
            jobs: Jobs::none(),
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

    /// Maps a buffer for a job, unless it is mapped. Returns its place, and whether the client may
    /// have closed its handle without a call of `forget` that found the buffer mapped.
    ///
    /// # Errors
    ///
    /// EINVAL for an address that a client cannot choose, or if jobs use the buffer at another
    /// address; ENOSPC if jobs use another buffer there, if there is no room, or above 4 GiB;
    /// ENOMEM; EINTR, ERESTART.
    pub(super) fn take(&self, wish: &Wish<'_>, caller: &Caller<'_>) -> Result<(Place, bool)> {
        let taken = self.find_or_map(wish, caller);
        if taken.is_err() {
            // Buffers may have been unmapped to make room, or to be moved.
            self.reap();
        }
        taken
    }

    fn find_or_map(&self, wish: &Wish<'_>, caller: &Caller<'_>) -> Result<(Place, bool)> {
        let Wish {
            buffer,
            start: wanted,
            prot,
            hint,
        } = *wish;
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
        let hit = space.hit(wish)?;
        drop(guard);
        if let Some(place) = self.place(hit) {
            return Ok(place);
        }
        // Allocates the pages with no lock held.
        for_each_chunk(self.mmu.os(), buffer, 0, 0..buffer.size(), |_, _| Ok(()))?;
        // With this lock held, no region is mapped only in part.
        let _one_at_a_time = self.mapping.lock();
        let hit = self.with(|space| space.hit(wish))?;
        if let Some(place) = self.place(hit) {
            return Ok(place);
        }
        // Only a thread with that lock takes the room.
        let start = self.make_room(buffer.size(), wanted, caller)?;
        let place = self.with(|space| space.insert(buffer, start))?;
        let mapped = self.map(start, buffer, prot);
        let _ = self.with(|space| {
            match (mapped, space.regions.region(place.number)) {
                (Ok(()), Some(region)) => region.ready = true,
                _ => space.regions.close(place.number),
            }
            Ok(())
        });
        if mapped.is_err() {
            self.unmap(start);
        }
        self.reap();
        hint.store(place.number, Ordering::Relaxed);
        mapped.map(|()| (place, true))
    }

    /// Unmaps the regions in a range of `size` bytes, at `wanted` or at any address. Returns its
    /// start.
    ///
    /// # Errors
    ///
    /// ENOSPC if there is none; EINTR, ERESTART.
    fn make_room(&self, size: u64, wanted: Option<u64>, caller: &Caller<'_>) -> Result<u64> {
        for turn in 0..TURNS {
            if turn != 0 {
                caller.check_signal()?;
            }
            let room = self.with(|space| space.regions.make_room(size, wanted))?;
            match room {
                None => {}
                Some(Room::Part(part)) => self.clear(&part)?,
                Some(Room::Whole(room)) => {
                    self.clear(&room)?;
                    return Ok(room.start);
                }
            }
        }
        Err(ENOSPC)
    }

    /// Unmaps the regions in a range, all of which are closed.
    fn clear(&self, range: &Range<u64>) -> Result<()> {
        while !self.with(|space| Ok(space.clear(self.table_owner(), range)))? {}
        Ok(())
    }

    /// Runs `f` with the lock held.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Space) -> Result<R>) -> Result<R> {
        f(self.space.lock().as_mut().ok_or(EINVAL)?)
    }

    /// The place of a buffer that was found, or `None` after its closed region is unmapped.
    fn place(&self, hit: Hit) -> Option<(Place, bool)> {
        match hit {
            Hit::At(place, closing) => return Some((place, closing)),
            Hit::Closed(start) => self.unmap(start),
            Hit::None => {}
        }
        None
    }

    /// Unmaps a closed region in parts, which bounds the time for which the lock is held.
    pub(super) fn unmap(&self, start: u64) {
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

    /// The buffer in a region that a job uses.
    pub(crate) fn buffer_at(&self, place: Place) -> Option<Arc<Buffer>> {
        let mut guard = self.space.lock();
        let region = guard.as_mut()?.regions.region(place.number)?;
        Some(region.buffer.clone())
    }

    /// The client has closed its last handle of a buffer: unmaps it, now or when no job uses it.
    pub(crate) fn forget(&self, buffer: u64) {
        let closed = self.with(|space| {
            let number = space.regions.of_buffer(buffer).ok_or(EINVAL)?;
            let region = space.regions.region(number).ok_or(EINVAL)?;
            region.closing = true;
            let (start, closed) = (region.start, !region.has_users());
            if closed {
                space.regions.close(number);
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
            let mut freeable = {
                let mut guard = self.space.lock();
                let Some(space) = guard.as_mut() else { return };
                if !space.sweep(&self.jobs) {
                    return;
                }
                space.take_freeable()
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
