// SPDX-License-Identifier: BSD-2-Clause
//! Permissions of a file on the primary node.

use crate::drm::driver::Driver;
use crate::drm::file::File;
use crate::os::Caller;
use crate::util::errno::Result;

impl<D: Driver> File<D> {
    /// Lets the clients of this file's master read the bus name.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn show_bus_name(&self) -> Result<()> {
        self.device().masters().lock().show_bus_name(self.auth())
    }

    /// The bus name; empty if this file may not read it.
    pub(crate) fn bus_name<'a>(&self, buffer: &'a mut [u8]) -> &'a [u8] {
        if self
            .device()
            .masters()
            .lock()
            .may_know_bus_name(self.auth())
        {
            self.device().dev().name(buffer)
        } else {
            &[]
        }
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        self.auth().is_authenticated()
    }

    /// Whether it is the master of the primary node.
    pub fn is_current_master(&self) -> bool {
        self.device().masters().lock().is_current(self.id())
    }

    pub(super) fn master_open(&self, caller: &Caller<'_>) {
        let privileged = caller.privileged();
        let mut masters = self.device().masters().lock();
        masters.open(self.id(), self.auth(), privileged);
    }

    pub(super) fn master_close(&self) {
        self.device().masters().lock().close(self.id(), self.auth());
    }
}
