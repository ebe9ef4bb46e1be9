// SPDX-License-Identifier: BSD-2-Clause
//! The bus of a `World`, with the interface that the models use.

use drm_os_host::Dma;
use models::{Bus, BusError};

/// The bus during one call of a model.
pub(super) struct Adapter<'a>(pub(super) &'a mut dyn Dma);

impl Bus for Adapter<'_> {
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> Result<(), BusError> {
        self.0.read(pa, buf).map_err(|_| BusError)
    }
    fn write(&mut self, pa: u64, buf: &[u8]) -> Result<(), BusError> {
        self.0.write(pa, buf).map_err(|_| BusError)
    }
    fn irq(&mut self, line: usize, level: bool) {
        self.0.irq(line, level);
    }
}
