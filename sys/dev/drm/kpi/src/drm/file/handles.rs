// SPDX-License-Identifier: BSD-2-Clause
//! Handles of objects, their names and map offsets.

use crate::alloc::Arc;
use crate::drm::driver::Driver;
use crate::drm::file::{File, Handle};
use crate::drm::gem::{Gem, MAP_SHIFT};
use crate::os::{Caller, UserMapping};
use crate::util::account::{HANDLE_BYTES, HANDLE_SLOT_BYTES};
use crate::util::errno::{Result, EACCES, EINVAL, ENOENT, ENOMEM};

impl<D: Driver> File<D> {
    /// The object of a handle.
    ///
    /// # Errors
    ///
    /// ENOENT.
    pub fn gem(&self, handle: u32) -> Result<Arc<Gem<D>>> {
        let handles = self.handles().lock();
        let named = handles.get(handle).ok_or(ENOENT)?;
        Ok(named.gem.clone())
    }

    /// Calls `add` with the object of each handle, and with the driver's state of the file's use of
    /// it. `add` is called with a lock held: it neither sleeps nor takes long.
    ///
    /// # Errors
    ///
    /// ENOENT, or what `add` returns; EINTR, ERESTART.
    pub fn for_each_gem(
        &self,
        caller: &Caller<'_>,
        handles: impl Iterator<Item = u32>,
        mut add: impl FnMut(&Arc<Gem<D>>, &D::Handle) -> Result<()>,
    ) -> Result<()> {
        // How many are looked up in one hold of the lock.
        const AT_ONCE: usize = 64;
        let mut handles = handles.peekable();
        let mut is_first = true;
        while handles.peek().is_some() {
            if !core::mem::replace(&mut is_first, false) {
                caller.check_signal()?;
            }
            let table = self.handles().lock();
            for handle in handles.by_ref().take(AT_ONCE) {
                let named = table.get(handle).ok_or(ENOENT)?;
                add(&named.gem, &named.driver)?;
            }
        }
        Ok(())
    }

    /// Makes a handle of `gem`.
    ///
    /// # Errors
    ///
    /// ENOMEM, ENOSPC; nothing is changed then.
    pub fn create_handle(&self, gem: &Arc<Gem<D>>) -> Result<u32> {
        self.charge().grow(HANDLE_BYTES)?;
        let handle = match self.reserve_handle() {
            Ok(handle) => handle,
            Err(e) => {
                self.charge().shrink(HANDLE_BYTES);
                return Err(e);
            }
        };
        if let Err(e) = self.hold(gem) {
            self.handles().lock().cancel(handle);
            self.charge().shrink(HANDLE_BYTES);
            return Err(e);
        }
        match D::handle(self, gem) {
            Ok(driver) => {
                let gem = gem.clone();
                self.handles().lock().fill(handle, Handle { gem, driver });
                Ok(handle)
            }
            Err(e) => {
                self.unhold(gem);
                self.handles().lock().cancel(handle);
                self.charge().shrink(HANDLE_BYTES);
                Err(e)
            }
        }
    }

    /// Reserves a number for a handle. The map does not get smaller, so its cells are charged until
    /// the file is closed.
    fn reserve_handle(&self) -> Result<u32> {
        let mut handles = self.handles().lock();
        let places = handles.slots();
        let handle = handles.reserve()?;
        if handles.slots() != places {
            if let Err(e) = self.charge().grow(HANDLE_SLOT_BYTES) {
                handles.take_back(handle);
                return Err(e);
            }
        }
        Ok(handle)
    }

    /// Counts a handle of `gem` in this file; the driver is called for the first.
    fn hold(&self, gem: &Arc<Gem<D>>) -> Result<()> {
        // Serialises the driver's calls for first and last handles of this file, which may sleep.
        let _gem_lock = self.gem_lock().lock();
        if let Some(held) = gem.state.lock().holders.get_mut(self.id()) {
            *held = held.checked_add(1).ok_or(ENOMEM)?;
            return Ok(());
        }
        D::gem_open(self, gem)?;
        let counted = {
            let mut state = gem.state.lock();
            state.holders.insert(self.id(), 1).and_then(|()| {
                if state.map_slot == 0 {
                    let slot = self.device().map_offsets().lock().insert(gem.clone());
                    if slot.is_err() {
                        state.holders.remove(self.id());
                    }
                    state.map_slot = slot?;
                }
                Ok(())
            })
        };
        if counted.is_err() {
            D::gem_close(self, gem);
        }
        counted
    }

    fn unhold(&self, gem: &Arc<Gem<D>>) {
        let _gem_lock = self.gem_lock().lock();
        let (map_slot, name, last) = {
            let mut state = gem.state.lock();
            let Some(held) = state.holders.get_mut(self.id()) else {
                return;
            };
            if let Some(left) = held.checked_sub(1).filter(|left| *left != 0) {
                *held = left;
                return;
            }
            state.holders.remove(self.id());
            if state.holders.is_empty() {
                (
                    core::mem::take(&mut state.map_slot),
                    core::mem::take(&mut state.name),
                    true,
                )
            } else {
                (0, 0, false)
            }
        };
        // Removed under the locks, dropped without them.
        let by_offset = self.device().map_offsets().lock().remove(map_slot);
        let by_name = self.device().names().lock().remove(name);
        drop((by_offset, by_name));
        if last {
            gem.unhandled(self.device());
        }
        D::gem_close(self, gem);
    }

    /// Closes a handle.
    ///
    /// # Errors
    ///
    /// EINVAL if there is no such handle.
    pub fn close_handle(&self, handle: u32) -> Result<()> {
        let gem = {
            let mut prime = self.prime().lock();
            let closed = self.handles().lock().remove(handle).ok_or(EINVAL)?;
            prime.forget(handle);
            closed.into_gem()
        };
        self.unhold(&gem);
        self.charge().shrink(HANDLE_BYTES);
        Ok(())
    }

    /// Closes all handles.
    pub(crate) fn close_handles(&self) {
        loop {
            let any = self.handles().lock().take_any();
            match any {
                Some(closed) => self.unhold(&closed.into_gem()),
                None => break,
            }
        }
    }

    /// The memory for an mmap(2) of `len` bytes at `offset` of the node.
    ///
    /// # Errors
    ///
    /// EINVAL if there is no object at `offset`, it is smaller than `len`, or users may not map it;
    /// EACCES if this file has no handle of it (Linux: drm_gem_mmap).
    pub(crate) fn mmap(&self, offset: u64, len: u64) -> Result<UserMapping> {
        let slot = u32::try_from(offset >> MAP_SHIFT).map_err(|_| EINVAL)?;
        let gem = self
            .device()
            .map_offsets()
            .lock()
            .get(slot)
            .cloned()
            .ok_or(EINVAL)?;
        // As in Linux, an object is found by its exact start.
        if offset != u64::from(slot) << MAP_SHIFT || len > gem.buffer().size() {
            return Err(EINVAL);
        }
        if !gem.is_held_by(self.id()) {
            return Err(EACCES);
        }
        if !gem.buffer().may_be_mapped() || gem.buffer().is_purged() {
            return Err(EINVAL);
        }
        Ok(gem.buffer().object().user_mapping(0))
    }

    /// The global name of an object.
    pub(crate) fn flink(&self, handle: u32) -> Result<u32> {
        let gem = self.gem(handle)?;
        if gem.buffer().is_userptr() {
            return Err(EINVAL);
        }
        gem.share(self.device());
        let mut state = gem.state.lock();
        if state.holders.is_empty() {
            return Err(ENOENT);
        }
        if state.name == 0 {
            state.name = self.device().names().lock().insert(gem.clone())?;
        }
        Ok(state.name)
    }

    /// Makes a handle of the object with a global name; returns its size as well.
    pub(crate) fn open_name(&self, name: u32) -> Result<(u32, u64)> {
        let gem = self
            .device()
            .names()
            .lock()
            .get(name)
            .cloned()
            .ok_or(ENOENT)?;
        // FLINK has shared it already; this does not rely on that.
        gem.share(self.device());
        Ok((self.create_handle(&gem)?, gem.buffer().size()))
    }
}
