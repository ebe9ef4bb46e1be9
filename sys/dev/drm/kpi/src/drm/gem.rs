// SPDX-License-Identifier: BSD-2-Clause
//! GEM objects: buffers on one device, which clients know by handle, name and map offset.
//!
//! An object is in the device's maps of names and map offsets while it has a handle, so that those
//! maps alone never keep it alive.

use crate::alloc::Arc;
use crate::drm::driver::Driver;
use crate::drm::file::File;
use crate::mem::buffer::Buffer;
use crate::os::Mtx;
use crate::util::account::{Charge, OBJECT_BYTES};
use crate::util::errno::{Result, ENOENT};
use crate::util::sorted_map::SortedMap;

/// The files with handles of an object, with how many, and the object's numbers in the device's
/// maps.
pub(super) struct State {
    pub(super) holders: SortedMap<u64, u32>,
    pub(super) name: u32,
    pub(super) map_slot: u32,
}

/// A buffer on one device.
pub struct Gem<D: Driver> {
    device_id: u64,
    buffer: Arc<Buffer>,
    object: D::Object,
    pub(super) state: Mtx<State>,
    _charge: Charge,
}

impl<D: Driver> Gem<D> {
    /// An object of `buffer`, charged to `file`; the buffer's memory has been charged.
    ///
    /// # Errors
    ///
    /// ENOMEM, also over the file's limit.
    pub fn new(file: &File<D>, buffer: Arc<Buffer>, object: D::Object) -> Result<Arc<Gem<D>>> {
        let os = file.os();
        let charge = Charge::new(file.account(), OBJECT_BYTES)?;
        let state = State {
            holders: SortedMap::new(os),
            name: 0,
            map_slot: 0,
        };
        let state = Mtx::new(os, c"drm gem", state)?;
        Arc::new(
            os,
            Gem {
                device_id: file.device().id(),
                buffer,
                object,
                state,
                _charge: charge,
            },
        )
    }

    /// The id of its device.
    pub(super) fn device_id(&self) -> u64 {
        self.device_id
    }

    /// Its buffer.
    pub fn buffer(&self) -> &Arc<Buffer> {
        &self.buffer
    }

    /// The driver's part.
    pub fn object(&self) -> &D::Object {
        &self.object
    }

    /// Whether the open file with this id has the only handle of it.
    pub(crate) fn is_only_of(&self, file: u64) -> bool {
        let holders = &self.state.lock().holders;
        holders.len() == 1 && holders.get(file) == Some(&1)
    }

    /// Whether the open file with this id has a handle of it.
    pub fn is_held_by(&self, file: u64) -> bool {
        self.state.lock().holders.get(file).is_some()
    }

    /// The offset at which clients map it.
    ///
    /// # Errors
    ///
    /// ENOENT if its last handle has just been closed.
    pub fn map_offset(&self) -> Result<u64> {
        match self.state.lock().map_slot {
            0 => Err(ENOENT),
            slot => Ok(u64::from(slot) << MAP_SHIFT),
        }
    }
}

/// Each object has a window of 2^36 bytes in the map offsets of its device's nodes; the first
/// window is unused.
pub(super) const MAP_SHIFT: u32 = 36;
