// SPDX-License-Identifier: BSD-2-Clause
//! The MMU, and the state of it that all cores of a device share: its version, the scratch page,
//! the command memory that the front ends fetch from, and the array of page tables, which secure
//! cores select by number.
//!
//! * `vm`: the VM of an open file, or of all files
//! * `uses`: the uses of buffers by a job
//! * `space`: the page table and the regions of a VM, and what was unmapped
//! * `table`: the page table of a VM, and its changes
//! * `regions`: allocation of virtual addresses
//! * `tables`: memory of page tables
//! * `unmapped`: buffers that were unmapped and that jobs may still reach

pub(crate) mod regions;
pub(crate) mod space;
mod table;
pub(crate) mod tables;
pub(crate) mod unmapped;
pub(crate) mod uses;
pub(crate) mod vm;

use crate::features::Features;
use crate::identity::{Identity, Security};
use crate::mmu::tables::FlatTable;
use drmkpi::alloc::Arc;
use drmkpi::os::{Dev, Mtx, Os, PageRun, PAGE_SIZE};
use drmkpi::util::errno::{Result, ENOMEM, ENOSPC};
use drmkpi::util::id_map::IdMap;
use drmkpi::util::int_conv::{high32, low32, usize_of, usize_of_u32};

/// How addresses are translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// One page table for all clients, and a linear window.
    V1,
    /// A page table for each client, selected by its address.
    V2,
    /// A page table for each client, selected by its number; the registers are the secure ones.
    V2Secure,
}

impl Version {
    /// The version of a core's MMU.
    pub(crate) fn of(core: &Identity) -> Version {
        match (core.features.contains(Features::MMU_V2), core.security()) {
            (false, _) => Version::V1,
            (true, Security::None) => Version::V2,
            (true, Security::Kernel) => Version::V2Secure,
        }
    }
}

/// Entries of the page table array.
const MAX_TABLES: u32 = 512;
/// The contents of the scratch page, as on Linux, which can be recognised in dumps.
const BAD_WORD: u32 = 0xdead_55aa;
/// The size of the command memory, a quarter of which each core has.
pub(crate) const COMMAND_BYTES: u64 = 1 << 20;
/// MMUv2: the GPU address of the command memory in every VM, below all addresses of clients.
pub(crate) const COMMAND_VA: u32 = 0x1000;
/// MMUv1: the size of the page table, which has 512 Ki entries.
const FLAT_BYTES: u64 = 2 << 20;
/// MMUv1: the size of the linear window, which begins at GPU address 0.
const WINDOW: u64 = 2 << 30;
const WINDOW_ALIGN: u64 = 128 << 20;

/// The state of the MMU that all cores share.
pub(crate) struct Mmu {
    dev: Dev,
    version: Version,
    /// The scratch page, at which accesses to unmapped addresses end.
    safe: PageRun,
    commands: PageRun,
    /// GPU address of the command memory.
    command_va: u32,
    /// MMUv1: the physical address at which the linear window begins.
    base: u64,
    /// MMUv1: the page table.
    flat: Option<PageRun>,
    /// Secure MMUv2: the array of the page tables' roots, by their numbers.
    array: Option<PageRun>,
    table_numbers: Mtx<IdMap<()>>,
}

impl Mmu {
    /// The MMU of a device whose first core is `core`.
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
        let base = window_base(core, commands.pa());
        let command_va = match version {
            Version::V1 => low32(commands.pa().checked_sub(base).ok_or(ENOMEM)?),
            Version::V2 | Version::V2Secure => COMMAND_VA,
        };
        Ok(Mmu {
            base,
            command_va,
            dev,
            version,
            safe,
            commands,
            flat,
            array,
            table_numbers: Mtx::new(dev.os(), c"etnaviv tables", IdMap::new(dev.os()))?,
        })
    }

    /// Its version.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// The device node of the first core, for which shared memory is allocated.
    pub(crate) fn dev(&self) -> Dev {
        self.dev
    }

    /// The operating system's instance that the device belongs to.
    pub(crate) fn os(&self) -> Os {
        self.dev.os()
    }

    /// The physical address of the scratch page.
    pub(crate) fn safe(&self) -> u64 {
        self.safe.pa()
    }

    /// The command memory.
    pub(crate) fn commands(&self) -> &PageRun {
        &self.commands
    }

    /// The GPU address of the command memory.
    pub(crate) fn command_va(&self) -> u32 {
        self.command_va
    }

    /// MMUv1: the physical address at which the linear window begins.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// MMUv1: the memory of the page table.
    pub(crate) fn flat(&self) -> FlatTable<'_> {
        FlatTable::new(self.flat.as_ref(), self.safe.pa())
    }

    /// The physical address of the page table (MMUv1), or of the array of roots (secure MMUv2).
    pub(crate) fn root(&self) -> u64 {
        let root = self.flat.as_ref().or(self.array.as_ref());
        root.map_or(0, PageRun::pa)
    }

    /// Whether `core` would access tile status at wrong addresses, because it ignores the base of
    /// the linear window there (docs/hw/etnaviv.md, MMU).
    pub(crate) fn breaks_tile_status(&self, core: &Identity) -> bool {
        self.version == Version::V1 && self.base != 0 && ignores_base(core)
    }
}

/// The number of a page table, which is freed when this is dropped.
pub(crate) struct TableNumber {
    mmu: Arc<Mmu>,
    /// Its handle, which is the number plus 1.
    handle: u32,
    number: u32,
}

impl TableNumber {
    /// A number that no other page table has.
    ///
    /// # Errors
    ///
    /// ENOSPC if the hardware has no more, ENOMEM.
    pub(crate) fn new(mmu: &Arc<Mmu>) -> Result<TableNumber> {
        let mut table_numbers = mmu.table_numbers.lock();
        let handle = table_numbers.insert(())?;
        let fits = handle <= MAX_TABLES || mmu.array.is_none();
        match handle.checked_sub(1) {
            Some(number) if fits => Ok(TableNumber {
                mmu: mmu.clone(),
                handle,
                number,
            }),
            _ => {
                table_numbers.remove(handle);
                Err(ENOSPC)
            }
        }
    }

    /// The number.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Sets the physical address of the root, 0 for none.
    pub(crate) fn set(&self, root: u64) {
        if let Some(array) = &self.mmu.array {
            // HW: the mode bits are zero for tables of 4 KiB.
            let word = usize_of_u32(self.number << 1);
            array.store_pair(word, low32(root), high32(root));
            array.sync(word, 2);
        }
    }
}

impl Drop for TableNumber {
    fn drop(&mut self) {
        self.set(0);
        self.mmu.table_numbers.lock().remove(self.handle);
    }
}

fn ignores_base(core: &Identity) -> bool {
    core.features.contains(Features::PIPE_3D) && !core.features.contains(Features::MC20)
}

/// The base of the linear window, which must contain the command memory: the highest possible,
/// which keeps the registers of the SoC out of the window; 0, if possible, for a core that ignores
/// it.
fn window_base(core: &Identity, commands: u64) -> u64 {
    let end = commands.checked_add(COMMAND_BYTES);
    if ignores_base(core) && end.is_some_and(|end| end <= WINDOW) {
        return 0;
    }
    (commands & !(WINDOW_ALIGN - 1)).min(WINDOW)
}
