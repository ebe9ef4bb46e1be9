// SPDX-License-Identifier: BSD-2-Clause
//! What all cores of a device share of the MMU: its version, the page where strays end, the command memory that the
//! front ends fetch from, and the numbers of page tables where the hardware wants numbers.

pub(crate) mod regions;
pub(crate) mod space;
pub(crate) mod tables;
pub(crate) mod vm;

use crate::features::Features;
use crate::identity::{Identity, Security};
use crate::mmu::tables::FlatTable;
use drmkpi::alloc::Arc;
use drmkpi::os::{Dev, Mtx, Os, PageRun, PAGE_SIZE};
use drmkpi::util::errno::{Result, ENOSPC};
use drmkpi::util::id_map::IdMap;
use drmkpi::util::int_conv::{high32, low32, usize_of, usize_of_u32};

/// How addresses are translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// One table for everybody, and a linear window.
    V1,
    /// A page table for each client, loaded by its address.
    V2,
    /// The same, loaded by its number; the registers are in the secure bank.
    V2Secure,
}

impl Version {
    /// Of a core.
    pub(crate) fn of(core: &Identity) -> Version {
        match (core.features.contains(Features::MMU_V2), core.security()) {
            (false, _) => Version::V1,
            (true, Security::None) => Version::V2,
            (true, Security::Kernel) => Version::V2Secure,
        }
    }
}

/// Entries of the page table array.
const SLOTS: u32 = 512;
/// What Linux fills the page with, too: it shows in dumps.
const BAD_WORD: u32 = 0xdead_55aa;
/// All of the command memory: a quarter of it for each core.
pub(crate) const COMMAND_BYTES: u64 = 1 << 20;
/// MMUv2: its GPU address in every address space, below all that clients can choose.
pub(crate) const COMMAND_VA: u32 = 0x1000;
/// MMUv1: the table, 512 Ki entries.
const FLAT_BYTES: u64 = 2 << 20;
/// MMUv1: addresses below are in the linear window.
const WINDOW: u64 = 2 << 30;
const WINDOW_ALIGN: u64 = 128 << 20;

/// The MMU of all cores.
pub(crate) struct Mmu {
    dev: Dev,
    version: Version,
    safe: PageRun,
    commands: PageRun,
    /// Physical address that address 0 of the linear window means.
    base: u64,
    /// MMUv1: the table.
    flat: Option<PageRun>,
    /// Secure MMUv2: where page table number n is.
    array: Option<PageRun>,
    slots: Mtx<IdMap<()>>,
}

impl Mmu {
    /// The MMU that a device with `core` has.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(dev: Dev, core: &Identity) -> Result<Mmu> {
        let version = Version::of(core);
        let safe = PageRun::new(dev, PAGE_SIZE)?;
        let words = usize_of(PAGE_SIZE / 4);
        (0..words).for_each(|index| safe.write(index, BAD_WORD));
        safe.sync(0, words);
        let commands = PageRun::new(dev, COMMAND_BYTES)?;
        let page = |wanted: bool, bytes: u64| wanted.then(|| PageRun::new(dev, bytes)).transpose();
        let flat = page(version == Version::V1, FLAT_BYTES)?;
        let array = page(version == Version::V2Secure, PAGE_SIZE)?;
        Ok(Mmu {
            base: window_base(core, commands.pa()),
            dev,
            version,
            safe,
            commands,
            flat,
            array,
            slots: Mtx::new(dev.os(), c"etnaviv tables", IdMap::new(dev.os()))?,
        })
    }

    /// Its version.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// The node of the first core, whose memory all of this is.
    pub(crate) fn dev(&self) -> Dev {
        self.dev
    }

    /// The instance of the system.
    pub(crate) fn os(&self) -> Os {
        self.dev.os()
    }

    /// Physical address of the page where strays end.
    pub(crate) fn safe(&self) -> u64 {
        self.safe.pa()
    }

    /// The command memory.
    pub(crate) fn commands(&self) -> &PageRun {
        &self.commands
    }

    /// Its GPU address.
    pub(crate) fn command_va(&self) -> u32 {
        match self.version {
            Version::V1 => low32(self.commands.pa().wrapping_sub(self.base)),
            Version::V2 | Version::V2Secure => COMMAND_VA,
        }
    }

    /// MMUv1: where the linear window begins.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// MMUv1: the memory of the table.
    pub(crate) fn flat(&self) -> FlatTable<'_> {
        FlatTable::new(self.flat.as_ref(), self.safe.pa())
    }

    /// MMUv1: the physical address of the table. Secure MMUv2: that of the array.
    pub(crate) fn root(&self) -> u64 {
        let root = self.flat.as_ref().or(self.array.as_ref());
        root.map_or(0, PageRun::pa)
    }

    /// Whether tile status of `core` would go to other memory than everything else: such a core ignores where the
    /// linear window begins (docs/hw/etnaviv.md, MMU).
    pub(crate) fn breaks_tile_status(&self, core: &Identity) -> bool {
        self.version == Version::V1 && self.base != 0 && ignores_base(core)
    }
}

/// The number of a page table.
pub(crate) struct Slot {
    mmu: Arc<Mmu>,
    number: u32,
}

impl Slot {
    /// A number that no other page table has.
    ///
    /// # Errors
    ///
    /// ENOSPC when the hardware has no more, ENOMEM.
    pub(crate) fn new(mmu: &Arc<Mmu>) -> Result<Slot> {
        let mut slots = mmu.slots.lock();
        let handle = slots.insert(())?;
        if handle > SLOTS && mmu.array.is_some() {
            slots.remove(handle);
            return Err(ENOSPC);
        }
        Ok(Slot {
            mmu: mmu.clone(),
            number: handle.wrapping_sub(1),
        })
    }

    /// The number.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Says where the root of the page table is; 0 when it is gone.
    pub(crate) fn set(&self, root: u64) {
        if let Some(array) = &self.mmu.array {
            // HW: the mode bits are zero for tables of 4 KiB.
            let word = usize_of_u32(self.number.wrapping_mul(2));
            array.store_pair(word, low32(root), high32(root));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.set(0);
        self.mmu.slots.lock().remove(self.number.wrapping_add(1));
    }
}

fn ignores_base(core: &Identity) -> bool {
    core.features.contains(Features::PIPE_3D) && !core.features.contains(Features::MC20)
}

/// Where the linear window begins, so that the command memory is inside: as far up as that allows, which leaves the
/// registers of the chip outside; at 0 if possible for a core that needs that.
fn window_base(core: &Identity, commands: u64) -> u64 {
    let end = commands.saturating_add(COMMAND_BYTES);
    if ignores_base(core) && end <= WINDOW {
        return 0;
    }
    (commands & !WINDOW_ALIGN.wrapping_sub(1)).min(WINDOW)
}
