// SPDX-License-Identifier: BSD-2-Clause
//! Objects as dma-bufs.

use crate::alloc::KVec;
use crate::drm::driver::{Call, Driver};
use crate::drm::gem::Gem;
use crate::mem::dma_buf::{DmaBuf, Shared};
use crate::os::{Caller, FdFlags, Os};
use crate::util::errno::Result;

/// The handles of buffers that a file has imported or exported as dma-bufs.
pub(crate) struct Prime(KVec<(u64, u32)>);

impl Prime {
    /// None yet.
    pub(super) fn new(os: Os) -> Prime {
        Prime(KVec::new(os))
    }

    /// The handle of a buffer.
    pub(crate) fn handle(&self, buffer: u64) -> Option<u32> {
        self.0
            .iter()
            .find(|(b, _)| *b == buffer)
            .map(|(_, handle)| *handle)
    }

    /// Records the handle of a buffer, unless one is recorded.
    pub(crate) fn remember(&mut self, buffer: u64, handle: u32) -> Result<()> {
        match self.handle(buffer) {
            Some(_) => Ok(()),
            None => self.0.push((buffer, handle)),
        }
    }

    /// Removes a handle that is closed.
    pub(crate) fn forget(&mut self, handle: u32) {
        if let Some(i) = self.0.iter().position(|(_, h)| *h == handle) {
            self.0.swap_remove(i);
        }
    }
}

impl<D: Driver> Call<'_, D> {
    /// Makes a descriptor of an object.
    pub(crate) fn export(&self, handle: u32, flags: FdFlags) -> Result<i32> {
        let gem = {
            // No handle is closed while this lock is held, so that the record is true.
            let mut prime = self.file.prime().lock();
            let gem = self.file.gem(handle)?;
            prime.remember(gem.buffer().id(), handle)?;
            gem
        };
        gem.share(self.device());
        let account = self.file.account();
        let shared = Shared {
            buffer: gem.buffer().clone(),
            object: gem.into_any(),
        };
        DmaBuf::export(self.file.os(), self.caller, account, shared, flags)
    }

    /// The handle of a descriptor's object: the one that this file has already, or a new one.
    pub(crate) fn import(&self, caller: &Caller<'_>, fd: i32) -> Result<u32> {
        let shared = DmaBuf::import(caller, fd)?;
        let buffer = shared.buffer;
        let mut prime = self.file.prime().lock();
        if let Some(handle) = prime.handle(buffer.id()) {
            return Ok(handle);
        }
        let gem = match shared.object.downcast::<Gem<D>>() {
            Ok(gem) if gem.device_id() == self.device().id() => gem,
            _ => {
                let object = D::import(self.device(), &buffer)?;
                Gem::new(self.file, buffer.clone(), object)?
            }
        };
        gem.share(self.device());
        let handle = self.file.create_handle(&gem)?;
        if let Err(e) = prime.remember(buffer.id(), handle) {
            drop(prime);
            // The client does not know the handle yet.
            let _ = self.file.close_handle(handle);
            return Err(e);
        }
        Ok(handle)
    }
}
