// SPDX-License-Identifier: BSD-2-Clause
//! Boards with their drivers attached.
//!
//! The cores of a GPU (crate board_gpus) form one DRM device, whose /dev/dri nodes belong to the
//! first.

mod driver;
#[cfg(test)]
mod tests;

use crate::errno;
use board_gpus::inject::{Planted, When};
use board_gpus::{as_mali, as_vivante, last_frame, parts, plant, report, set_capture, Report};
pub use board_gpus::{cores, names, nodes, Core, Frame};
use drm_os_host::{sys, Config, Counters, Device, World};

/// A running board: a world with the nodes of a GPU, to all of which its driver is attached.
/// Dropping it does not make the checks of [`Board::close`].
pub struct Board {
    /// In the order of the device tree; at least one.
    devices: Vec<Device>,
    world: World,
    driver: String,
}

/// A function that inspects a world.
pub type Watch<'a> = &'a dyn Fn(&World);

impl Board {
    /// The board `name` with a model of its GPU, its driver attached.
    ///
    /// # Errors
    ///
    /// A message: no such board, no driver for it in this program, or the driver does not
    /// attach.
    pub fn new(name: &str, config: Config) -> Result<Board, String> {
        Board::new_watched(name, config, &|_| ())
    }

    /// As [`Board::new`]; `watch` is called with the world before the driver is attached.
    ///
    /// # Errors
    /// As [`Board::new`].
    pub fn new_watched(name: &str, config: Config, watch: Watch) -> Result<Board, String> {
        Board::assemble(name, config, &|core| core, watch)
    }

    /// As [`Board::new`], with cores that `alter` has changed: another device tree, or a wrapper of
    /// the model.
    ///
    /// # Errors
    /// As [`Board::new`].
    pub fn new_altered(
        name: &str,
        config: Config,
        alter: &dyn Fn(Core) -> Core,
    ) -> Result<Board, String> {
        Board::assemble(name, config, alter, &|_| ())
    }

    fn assemble(
        name: &str,
        config: Config,
        alter: &dyn Fn(Core) -> Core,
        watch: Watch,
    ) -> Result<Board, String> {
        let parts = parts(name)
            .ok_or_else(|| format!("no board {name}; boards are {}", names().join(", ")))?;
        let table = driver::table(parts.driver)
            .ok_or_else(|| format!("no driver {} in this build", parts.driver))?;
        let mut config = config;
        for (name, value) in parts.tunables {
            config.tunables.entry((*name).to_owned()).or_insert(*value);
        }
        let config = match parts.ram {
            None => config,
            Some((ram_base, most)) => Config {
                ram_base,
                pages: config.pages.min(most),
                ..config
            },
        };
        let cores = parts.cores.into_iter().map(alter).collect();
        // SAFETY: the table is a constant of the driver's crate.
        unsafe { Board::with_parts(cores, config, table, parts.driver, watch) }
    }

    /// A board of other parts. `driver_name` selects the names of the driver's requests in traces;
    /// `watch` is called with the world before the driver is attached.
    ///
    /// # Safety
    /// `driver` is a driver table that lives as long as the program.
    ///
    /// # Errors
    ///
    /// A message: there are no cores, or the driver does not attach to all of them.
    pub unsafe fn with_parts(
        cores: Vec<Core>,
        config: Config,
        driver: *const sys::drm_os_driver,
        driver_name: &str,
        watch: Watch,
    ) -> Result<Board, String> {
        if cores.is_empty() {
            return Err("a board without a device".into());
        }
        let world = World::new(config);
        let add = |(node, hardware)| world.add_device(node, hardware);
        let board = Board {
            devices: cores.into_iter().map(add).collect(),
            driver: driver_name.to_owned(),
            world,
        };
        watch(&board.world);
        for (n, device) in board.devices.iter().enumerate() {
            if let Err(error) = device.attach(driver) {
                let why = errno::describe(errno::to_linux(error));
                let log = board.world.log_lines().pop();
                let log = log
                    .map(|line| format!(" (its last word: {line})"))
                    .unwrap_or_default();
                // Detaches those before it, so that a check for leaks does not find them.
                for device in &board.devices[..n] {
                    let _ = device.detach(true);
                }
                let at = device.name();
                return Err(format!(
                    "the driver {driver_name} does not attach to {at}: {why}{log}"
                ));
            }
        }
        Ok(board)
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The GPU's first node, to which the nodes in /dev/dri belong.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.devices[0]
    }

    /// All nodes of the GPU, in the order of the device tree.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// One node of each DRM device.
    fn instances(&self) -> impl Iterator<Item = &Device> {
        let first = |n: usize| {
            let others = &self.devices[..n];
            !others
                .iter()
                .any(|other| other.same_instance(&self.devices[n]))
        };
        (0..self.devices.len())
            .filter(move |n| first(*n))
            .map(|n| &self.devices[n])
    }

    /// The driver's statistics, summed by name.
    #[must_use]
    pub fn stats(&self) -> Vec<(String, u64)> {
        let mut all: Vec<(String, u64)> = Vec::new();
        for (name, value) in self.instances().flat_map(Device::stats) {
            match all.iter_mut().find(|(n, _)| *n == name) {
                Some((_, sum)) => *sum += value,
                None => all.push((name, value)),
            }
        }
        all
    }

    /// The counts of the models, with the names of their nodes.
    pub(crate) fn reports(&self) -> Vec<(String, Report)> {
        let of = |device: &Device| (device.name().to_owned(), device.with_hardware(report));
        self.devices.iter().map(of).collect()
    }

    /// The driver's crash dump; empty if there is none.
    #[must_use]
    pub fn dump(&self) -> Vec<u8> {
        let mut dumps = self.instances().map(Device::dump);
        dumps.find(|dump| !dump.is_empty()).unwrap_or_default()
    }

    /// Name of the driver.
    #[must_use]
    pub fn driver_name(&self) -> &str {
        &self.driver
    }

    /// Runs `f` on the Mali model, with its lock held; None if the GPU is not a Mali.
    pub fn with_mali<R>(&self, f: impl FnOnce(&mut models::Mali) -> R) -> Option<R> {
        self.device()
            .with_hardware(|hardware| as_mali(hardware).map(f))
    }

    /// Runs `f` on the Vivante model of the first core, as [`Board::with_vivante_core`] does.
    pub fn with_vivante<R>(&self, f: impl FnOnce(&mut models::Vivante) -> R) -> Option<R> {
        self.with_vivante_core(0, f)
    }

    /// Runs `f` on the Vivante model of a core, counted in the order of the device tree, with its
    /// lock held; None if there is no such core or it is not a Vivante core.
    pub fn with_vivante_core<R>(
        &self,
        core: usize,
        f: impl FnOnce(&mut models::Vivante) -> R,
    ) -> Option<R> {
        let device = self.devices.get(core)?;
        device.with_hardware(|hardware| as_vivante(hardware).map(f))
    }

    /// Injects a fault into the model of a core.
    ///
    /// # Errors
    ///
    /// A message: there is no such core, or its model does not support the fault.
    pub fn inject(&self, mut planted: Planted) -> Result<(), String> {
        if let When::Time(ns) = &mut planted.when {
            *ns = ns.saturating_add(self.world.now());
        }
        let core = planted.core;
        if core >= self.devices.len() {
            return Err(format!(
                "this board has no core {core} to inject a fault in; cores count from 0"
            ));
        }
        if self.devices[core].with_hardware(|hardware| plant(hardware, planted)) {
            return Ok(());
        }
        Err("this board's model has no faults to inject of that kind".into())
    }

    /// Sets whether the models keep the last image that they rendered.
    pub fn set_capture(&self, on: bool) {
        for device in &self.devices {
            device.with_hardware(|hardware| set_capture(hardware, on));
        }
    }

    /// The last image that any core rendered, if it was captured.
    #[must_use]
    pub fn last_frame(&self) -> Option<Frame> {
        let frames = self
            .devices
            .iter()
            .filter_map(|device| device.with_hardware(last_frame));
        frames.max_by_key(|(at, _)| *at).map(|(_, frame)| frame)
    }

    /// Detaches the driver from each node. The first detach removes the DRM device; the others
    /// release their references.
    ///
    /// # Errors
    ///
    /// The driver's error, as a FreeBSD errno; the driver remains attached to the nodes
    /// from which it was not detached.
    pub fn detach(&self, force: bool) -> Result<(), i32> {
        self.devices
            .iter()
            .try_for_each(|device| device.detach(force))
    }

    /// Detaches the driver by force. Objects that are alive in the world afterwards are leaks.
    ///
    /// # Errors
    ///
    /// A message: the driver does not detach.
    pub fn close(self) -> Result<Counters, String> {
        self.detach(true).map_err(|error| {
            format!(
                "the driver {} does not detach: {}",
                self.driver,
                errno::describe(errno::to_linux(error))
            )
        })?;
        Ok(self.world.counters())
    }
}
