// SPDX-License-Identifier: BSD-2-Clause
//! What the driver keeps per GEM object.

use crate::mmu::mapping::Mapping;
use crate::Panfrost;
use bitflags::bitflags;
use drmkpi::alloc::Arc;
use drmkpi::drm::file::File;
use drmkpi::drm::gem::Gem;
use drmkpi::os::{Mtx, Os};
use drmkpi::util::errno::{Result, EINVAL};
use drmkpi::util::sorted_map::SortedMap;

/// The driver's GEM objects.
pub(crate) type PanfrostGem = Gem<Panfrost>;

bitflags! {
    /// Flags of CREATE_BO.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct BoFlags: u32 {
        /// The GPU never fetches programs from it.
        const NOEXEC = 1;
        /// Grows when the GPU faults on it.
        const HEAP = 2;
    }
}

/// The driver's part of a GEM object.
pub struct Bo {
    pub(crate) flags: BoFlags,
    /// By file; as many as files have the object open.
    mappings: Mtx<SortedMap<u64, Arc<Mapping>>>,
}

impl Bo {
    /// A new object with `flags`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os, flags: BoFlags) -> Result<Bo> {
        let mappings = Mtx::new(os, c"panfrost mappings", SortedMap::new(os))?;
        Ok(Bo { flags, mappings })
    }

    /// The place of the object in a file's address space.
    ///
    /// # Errors
    ///
    /// EINVAL when the file has given it up.
    pub(crate) fn mapping(&self, file: u64) -> Result<Arc<Mapping>> {
        self.mappings.lock().get(file).cloned().ok_or(EINVAL)
    }

    /// The place in the one file that has the object open; None when there are more.
    pub(crate) fn only_mapping(&self) -> Option<Arc<Mapping>> {
        let mappings = self.mappings.lock();
        let (_, first) = mappings.from(0).next()?;
        (mappings.len() == 1).then(|| first.clone())
    }

    /// Maps the object for a file.
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
            Mapping::give_up(mapping);
        }
        added
    }

    /// Gives up the file's place; jobs may hold it on.
    pub(crate) fn close(&self, file: u64) {
        let removed = self.mappings.lock().remove(file);
        if let Some(mapping) = removed {
            Mapping::give_up(mapping);
        }
    }
}
