// SPDX-License-Identifier: BSD-2-Clause
//! Boards: which device is on them, what the device tree says of it, which driver serves it.

mod driver;
mod mali;

use crate::errno;
use crate::inject::{Planted, When};
use drm_os_host::{sys, Config, Counters, Device, Hardware, Node, World};
use mali::MaliHardware;
pub use models::mali::Frame;

/// A running board: a world with one device in it, its driver attached. Dropping it drops everything, without the
/// checks of [`Board::close`].
pub struct Board {
    device: Device,
    world: World,
    driver: String,
}

/// Looks at a world.
pub type Watch<'a> = &'a dyn Fn(&World);

/// The names that [`Board::new`] knows.
#[must_use]
pub fn names() -> Vec<&'static str> {
    mali::BOARDS.iter().map(|board| board.name).collect()
}

pub(crate) fn known(name: &str) -> bool {
    names().contains(&name)
}

/// What the device tree of a board says of its GPU.
#[must_use]
pub fn node(name: &str) -> Option<Node> {
    mali::BOARDS
        .iter()
        .find(|board| board.name == name)
        .map(mali::node)
}

impl Board {
    /// The board `name` with a model of its GPU, its driver attached.
    ///
    /// # Errors
    /// A sentence: no such board, no driver for it in this build, or the driver does not attach.
    pub fn new(name: &str, config: Config) -> Result<Board, String> {
        Board::new_watched(name, config, &|_| ())
    }

    /// As [`Board::new`]; `watch` is given the world before the driver is attached.
    ///
    /// # Errors
    /// As [`Board::new`].
    pub fn new_watched(name: &str, config: Config, watch: Watch) -> Result<Board, String> {
        let board = mali::BOARDS.iter().find(|board| board.name == name);
        let board = board.ok_or_else(|| format!("no board {name}; boards are {}", names().join(", ")))?;
        let table =
            driver::table(board.driver).ok_or_else(|| format!("no driver {} in this build", board.driver))?;
        let hardware = Box::new(MaliHardware::new(board.variant));
        // SAFETY: the table is a constant of the driver's crate.
        unsafe { Board::with_parts(mali::node(board), hardware, config, table, board.driver, watch) }
    }

    /// A board of other parts. `driver_name` names the driver's requests in traces; `watch` is given the world
    /// before the driver is attached.
    ///
    /// # Safety
    /// `driver` is a driver table that lives as long as the program.
    ///
    /// # Errors
    /// A sentence: the driver does not attach.
    pub unsafe fn with_parts(
        node: Node,
        hardware: Box<dyn Hardware>,
        config: Config,
        driver: *const sys::drm_os_driver,
        driver_name: &str,
        watch: Watch,
    ) -> Result<Board, String> {
        let world = World::new(config);
        let device = world.add_device(node, hardware);
        watch(&world);
        device.attach(driver).map_err(|error| {
            let why = errno::describe(errno::to_linux(error));
            let log = world
                .log_lines()
                .pop()
                .map(|line| format!(" (its last word: {line})"))
                .unwrap_or_default();
            format!("the driver {driver_name} does not attach: {why}{log}")
        })?;
        Ok(Board {
            device,
            world,
            driver: driver_name.to_owned(),
        })
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The GPU.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Name of the driver.
    #[must_use]
    pub fn driver_name(&self) -> &str {
        &self.driver
    }

    /// Runs `f` on the Mali model, with its lock held; None if the GPU is no such model.
    pub fn with_mali<R>(&self, f: impl FnOnce(&mut models::Mali) -> R) -> Option<R> {
        self.device.with_hardware(|hardware| {
            hardware
                .as_any()
                .downcast_mut::<MaliHardware>()
                .map(|mali| f(mali.model()))
        })
    }

    /// Plants a fault in the model.
    ///
    /// # Errors
    /// A sentence: the GPU is no model that has such faults.
    pub fn inject(&self, mut planted: Planted) -> Result<(), String> {
        if let When::Time(ns) = &mut planted.when {
            *ns = ns.saturating_add(self.world.now());
        }
        self.device
            .with_hardware(|hardware| {
                hardware
                    .as_any()
                    .downcast_mut::<MaliHardware>()
                    .map(|mali| mali.plant(planted))
            })
            .ok_or_else(|| "this board's model has no faults to inject".into())
    }

    /// Whether the model keeps what it rendered last.
    pub fn set_capture(&self, on: bool) {
        self.with_mali(|mali| mali.set_capture(on));
    }

    /// What was rendered last, if anything was and it was captured.
    #[must_use]
    pub fn last_frame(&self) -> Option<Frame> {
        self.with_mali(|mali| mali.last_frame().cloned()).flatten()
    }

    /// Detaches the driver by force. What is alive in the world afterwards was leaked.
    ///
    /// # Errors
    /// A sentence: the driver refuses.
    pub fn close(self) -> Result<Counters, String> {
        self.device.detach(true).map_err(|error| {
            format!(
                "the driver {} does not detach: {}",
                self.driver,
                errno::describe(errno::to_linux(error))
            )
        })?;
        Ok(self.world.counters())
    }
}
