// SPDX-License-Identifier: BSD-2-Clause
//! Kernel memory for the scheduler's arrays.

use crate::alloc::KVec;
use crate::os::Os;
use drm_sched::{Arr, Storage};

/// Arrays of kernel memory.
pub struct KernelStorage;

impl Storage for KernelStorage {
    type Ctx = Os;
    type Arr<T> = KVec<T>;
}

impl<T> Arr<T> for KVec<T> {
    type Ctx = Os;

    fn new(os: &Os) -> Self {
        KVec::new(*os)
    }

    fn with_capacity(os: &Os, capacity: usize) -> Option<Self> {
        KVec::with_capacity(*os, capacity).ok()
    }

    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn get(&self, index: usize) -> Option<&T> {
        self.as_slice().get(index)
    }

    fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.as_mut_slice().get_mut(index)
    }

    fn try_push(&mut self, value: T) -> core::result::Result<(), T> {
        KVec::try_push(self, value)
    }
}
