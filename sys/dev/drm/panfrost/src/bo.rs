// SPDX-License-Identifier: BSD-2-Clause
//! The driver's part of a GEM object: its flags, and where each file has it mapped.

use crate::mmu::mapping::Mapping;
use crate::Panfrost;
use bitflags::bitflags;
use drmkpi::alloc::Arc;
use drmkpi::drm::file::File;
use drmkpi::drm::gem::Gem;
use drmkpi::os::{Mtx, Os};
use drmkpi::util::errno::{Result, EINVAL};
use drmkpi::util::sorted_map::SortedMap;

/// A GEM object of this driver.
pub(crate) type PanfrostGem = Gem<Panfrost>;

bitflags! {
    /// Flags of CREATE_BO.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct BoFlags: u32 {
        /// Mapped without permission to fetch programs from it.
        const NOEXEC = 1;
        /// Allocated on demand: grows when the GPU faults on it.
        const HEAP = 2;
        /// Users map it cached, and maintain the caches with SYNC_BO.
        const WB_MMAP = 4;
    }
}

/// The driver's part of a GEM object.
pub struct Bo {
    pub(crate) flags: BoFlags,
    /// Whether it is a dma-buf of another device.
    pub(crate) imported: bool,
    /// One for each file that has the object open, by the file's number.
    mappings: Mtx<SortedMap<u64, Arc<Mapping>>>,
}

impl Bo {
    /// The driver's part of an object with `flags`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os, flags: BoFlags, imported: bool) -> Result<Bo> {
        let mappings = Mtx::new(os, c"panfrost mappings", SortedMap::new(os))?;
        Ok(Bo {
            flags,
            imported,
            mappings,
        })
    }

    /// The mapping of the object in a file's VM.
    ///
    /// # Errors
    ///
    /// EINVAL if the file has closed its last handle of the object.
    pub(crate) fn mapping(&self, file: u64) -> Result<Arc<Mapping>> {
        self.mappings.lock().get(file).cloned().ok_or(EINVAL)
    }

    /// The mapping of the only file that has the object open; `None` if there are several or none.
    pub(crate) fn only_mapping(&self) -> Option<Arc<Mapping>> {
        let mappings = self.mappings.lock();
        let (_, first) = mappings.from(0).next()?;
        (mappings.len() == 1).then(|| first.clone())
    }

    /// Maps the object in a file's VM, for the first handle that the file has of it.
    ///
    /// # Errors
    ///
    /// ENOMEM, ENOSPC.
    pub(crate) fn open(gem: &PanfrostGem, file: &File<Panfrost>) -> Result<()> {
        let bo = gem.object();
        let exec = !bo.flags.contains(BoFlags::NOEXEC);
        let heap = bo.flags.contains(BoFlags::HEAP);
        let mapping = Mapping::new(file.os(), &file.driver().vm, gem.buffer(), exec, heap)?;
        let mapping = Arc::new(file.os(), mapping)?;
        let added = bo.mappings.lock().insert(file.id(), mapping.clone());
        if added.is_err() {
            Mapping::release(mapping);
        }
        added
    }

    /// Drops the file's reference to its mapping. Jobs may hold others.
    pub(crate) fn close(&self, file: u64) {
        let removed = self.mappings.lock().remove(file);
        if let Some(mapping) = removed {
            Mapping::release(mapping);
        }
    }
}
