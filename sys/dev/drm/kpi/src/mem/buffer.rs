// SPDX-License-Identifier: BSD-2-Clause
//! Buffers: memory, its fences and the account that pays for it, independent of a device. A GEM
//! object is a buffer on one device; a dma-buf shares a buffer with other devices.

use crate::alloc::{Arc, KVec};
use crate::mem::purge_state::{PurgeState, Uses};
use crate::os::{Caller, Dev, MemAttr, Mtx, Object, Os, Sx, SyncDir, PAGE_SIZE};
use crate::sync::resv::Resv;
use crate::util::account::{Account, Charge, OBJECT_BYTES};
use crate::util::errno::{Result, EINVAL, ENXIO};
use crate::util::int_conv::{u64_of, usize_of};
use core::sync::atomic::{AtomicBool, Ordering};
use static_assertions::{assert_impl_all, const_assert};

/// When the memory of a buffer is charged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Charged {
    /// All of it, when the buffer is made.
    AtOnce,
    /// In chunks of [`GROWTH`] bytes, when a page of the chunk is wired. Users cannot map the
    /// buffer, because a page fault is not charged.
    AsWired,
}

/// The bytes of a chunk of a buffer that is charged as it is wired.
pub const GROWTH: u64 = 2 << 20;

const CHUNK_PAGES: u64 = GROWTH / PAGE_SIZE;

/// The charged chunks, as bits.
type Chunks = Mtx<KVec<u64>>;

/// The word that has the bit of a chunk, and the bit; EINVAL beyond the end.
fn chunk_bit(chunks: &mut [u64], chunk: u64) -> Result<(&mut u64, u64)> {
    let word = chunks.get_mut(usize_of(chunk >> 6)).ok_or(EINVAL)?;
    Ok((word, 1 << (chunk & 63)))
}

/// Memory that clients and devices share.
pub struct Buffer {
    os: Os,
    id: u64,
    size: u64,
    object: Object,
    resv: Resv,
    charge: Charge,
    /// The charged chunks; `None` if all are.
    charged: Option<Chunks>,
    userptr: bool,
    /// Users map it cached, and DMA_BUF_IOCTL_SYNC maintains the caches.
    maintained: AtomicBool,
    purge_state: Sx<PurgeState>,
    uses: Uses,
    purged: AtomicBool,
}

assert_impl_all!(Buffer: Send, Sync);
const_assert!(u64_of(size_of::<Buffer>()) <= OBJECT_BYTES);

impl Buffer {
    /// A buffer of `size` bytes, rounded up to whole pages, charged to `account`. No page is
    /// allocated yet.
    ///
    /// # Errors
    ///
    /// EINVAL if the size is 0 or overflows; ENOMEM, also over the account's limit.
    pub fn new(
        dev: Dev,
        account: &Arc<Account>,
        size: u64,
        charged: Charged,
        attr: MemAttr,
    ) -> Result<Arc<Buffer>> {
        let size = size
            .checked_next_multiple_of(PAGE_SIZE)
            .filter(|n| *n != 0)
            .ok_or(EINVAL)?;
        let (bytes, chunks) = match charged {
            Charged::AtOnce => (size, None),
            Charged::AsWired => {
                let words = usize_of(size.div_ceil(GROWTH).div_ceil(64));
                let chunks = KVec::filled(dev.os(), 0, words)?;
                (0, Some(Mtx::new(dev.os(), c"drm growth", chunks)?))
            }
        };
        let charge = Charge::of_object(account, bytes)?;
        let object = Object::new(dev, size, attr)?;
        Self::with_object(dev.os(), size, object, (charge, chunks), false)
    }

    /// A buffer of the memory of a process: `size` bytes at `address`, charged to `account`.
    /// `write`: devices may write to it.
    ///
    /// # Errors
    ///
    /// EFAULT if the process has no such memory, EINVAL unless both are whole pages; ENOMEM, also
    /// over the account's limit.
    pub fn userptr(
        dev: Dev,
        account: &Arc<Account>,
        caller: &Caller<'_>,
        address: u64,
        size: u64,
        write: bool,
    ) -> Result<Arc<Buffer>> {
        let charge = Charge::of_object(account, size)?;
        let object = Object::userptr(dev, caller, address, size, write)?;
        Self::with_object(dev.os(), size, object, (charge, None), true)
    }

    fn with_object(
        os: Os,
        size: u64,
        object: Object,
        (charge, charged): (Charge, Option<Chunks>),
        userptr: bool,
    ) -> Result<Arc<Buffer>> {
        let resv = Resv::new(os)?;
        let buffer = Buffer {
            os,
            id: os.unique(),
            size,
            object,
            resv,
            charge,
            charged,
            userptr,
            maintained: AtomicBool::new(false),
            purge_state: Sx::new(os, c"drm purge state", PurgeState::Private)?,
            uses: Uses::none(),
            purged: AtomicBool::new(false),
        };
        Arc::new(os, buffer)
    }

    /// Whether it is memory of a process, which cannot be shared with another.
    pub fn is_userptr(&self) -> bool {
        self.userptr
    }

    /// Has DMA_BUF_IOCTL_SYNC maintain the caches, of a buffer that users map cached.
    pub fn maintain_by_dma_buf(&self) {
        self.maintained.store(true, Ordering::Relaxed);
    }

    /// Makes what devices have written visible to users, if it is maintained so.
    pub(crate) fn begin_cpu_access(&self) {
        if self.maintained.load(Ordering::Relaxed) {
            self.object.sync(0, self.size, SyncDir::ForCpu);
        }
    }

    /// Makes what users have written visible to devices, if it is maintained so.
    pub(crate) fn end_cpu_access(&self) {
        if self.maintained.load(Ordering::Relaxed) {
            self.object.sync(0, self.size, SyncDir::ForDevice);
        }
    }

    /// A number that no other buffer has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The instance that it is allocated from.
    pub fn os(&self) -> Os {
        self.os
    }

    /// Its memory.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Its fences.
    pub fn resv(&self) -> &Resv {
        &self.resv
    }

    /// What it is charged.
    pub(crate) fn charge(&self) -> &Charge {
        &self.charge
    }

    /// Whether users may map it: not memory of a process, and not if it is charged as it is wired.
    pub fn may_be_mapped(&self) -> bool {
        !self.userptr && self.charged.is_none()
    }

    /// Stores the physical addresses of the pages from `first`, which are allocated and charged if
    /// necessary. May sleep until there is memory.
    ///
    /// # Errors
    ///
    /// ENOMEM, also over the account's limit; EINVAL beyond the end, ENXIO if purged.
    pub fn wire(&self, first: u64, pas: &mut [u64]) -> Result<()> {
        if self.is_purged() {
            return Err(ENXIO);
        }
        let Some(chunks) = &self.charged else {
            return self.object.wire(first, pas);
        };
        let (mut at, mut rest) = (first, pas);
        while !rest.is_empty() {
            let chunk = at / CHUNK_PAGES;
            let room = CHUNK_PAGES.checked_sub(at % CHUNK_PAGES).ok_or(EINVAL)?;
            let count = rest.len().min(usize_of(room));
            let (part, after) = rest.split_at_mut_checked(count).ok_or(EINVAL)?;
            self.wire_chunk(chunks, chunk, at, part)?;
            at = at.checked_add(u64_of(count)).ok_or(EINVAL)?;
            rest = after;
        }
        Ok(())
    }

    /// Wires pages of one chunk, which is charged if necessary.
    fn wire_chunk(&self, chunks: &Chunks, chunk: u64, first: u64, pas: &mut [u64]) -> Result<()> {
        let before = self.object.resident();
        let start = chunk.checked_mul(GROWTH).ok_or(EINVAL)?;
        let bytes = self.size.checked_sub(start).ok_or(EINVAL)?.min(GROWTH);
        let fresh = {
            let mut chunks = chunks.lock();
            let (word, bit) = chunk_bit(&mut chunks, chunk)?;
            let fresh = *word & bit == 0;
            if fresh {
                self.charge.grow(bytes)?;
                *word |= bit;
            }
            fresh
        };
        let wired = self.object.wire(first, pas);
        // If a page was allocated, the chunk stays charged until the buffer is freed.
        if wired.is_err() && fresh && self.object.resident() == before {
            let mut chunks = chunks.lock();
            let (word, bit) = chunk_bit(&mut chunks, chunk)?;
            *word &= !bit;
            self.charge.shrink(bytes);
        }
        wired
    }

    /// Whether its memory may be purged.
    pub(crate) fn purge_state(&self) -> &Sx<PurgeState> {
        &self.purge_state
    }

    /// The jobs that use it.
    pub(crate) fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Marks it as purged: no page is wired from now on.
    pub fn mark_purged(&self) {
        self.purged.store(true, Ordering::Release);
    }

    /// Frees its memory permanently. The caller ensures that no device accesses it.
    ///
    /// # Errors
    ///
    /// EBUSY while something else has wired a page of it. Nothing is changed then.
    pub(crate) fn purge(&self) -> Result<()> {
        self.object.purge()?;
        self.mark_purged();
        self.charge.shrink(u64::MAX);
        Ok(())
    }

    /// Waits for the end of a purge that is in progress. May sleep.
    pub fn wait_for_purge(&self) {
        drop(self.purge_state.lock());
    }

    /// Whether its memory was purged.
    pub fn is_purged(&self) -> bool {
        self.purged.load(Ordering::Acquire)
    }
}
