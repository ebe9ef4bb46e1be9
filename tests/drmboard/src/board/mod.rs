// SPDX-License-Identifier: BSD-2-Clause
//! Boards: which device is on them, what the device tree says of it, which driver serves it.

mod adapter;
mod driver;
mod frame;
mod mali;
mod vivante;

use crate::errno;
use crate::inject::{Planted, When};
use drm_os_host::{sys, Config, Counters, Device, Hardware, Node, World};
pub use frame::Frame;
use mali::MaliHardware;
use vivante::VivanteHardware;

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
    let mali = mali::BOARDS.iter().map(|board| board.name);
    mali.chain(vivante::BOARDS.iter().map(|board| board.name))
        .collect()
}

pub(crate) fn known(name: &str) -> bool {
    names().contains(&name)
}

/// What the device tree of a board says of its GPU.
#[must_use]
pub fn node(name: &str) -> Option<Node> {
    parts(name).map(|parts| parts.node)
}

/// What a board of this program is made of.
struct Parts {
    node: Node,
    hardware: Box<dyn Hardware>,
    driver: &'static str,
    /// Where RAM is and how many pages there are at the most, where that matters.
    ram: Option<(u64, u64)>,
}

fn parts(name: &str) -> Option<Parts> {
    let mali = mali::BOARDS.iter().find(|board| board.name == name);
    let mali = mali.map(|board| Parts {
        node: mali::node(board),
        hardware: Box::new(MaliHardware::new(board.variant)),
        driver: board.driver,
        ram: None,
    });
    mali.or_else(|| {
        let board = vivante::BOARDS.iter().find(|board| board.name == name)?;
        Some(Parts {
            node: vivante::node(board),
            hardware: Box::new(VivanteHardware::new(board.variant)),
            driver: board.driver,
            ram: Some(vivante::RAM),
        })
    })
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
        let parts =
            parts(name).ok_or_else(|| format!("no board {name}; boards are {}", names().join(", ")))?;
        let table =
            driver::table(parts.driver).ok_or_else(|| format!("no driver {} in this build", parts.driver))?;
        let config = match parts.ram {
            None => config,
            Some((ram_base, most)) => Config {
                ram_base,
                pages: config.pages.min(most),
                ..config
            },
        };
        // SAFETY: the table is a constant of the driver's crate.
        unsafe { Board::with_parts(parts.node, parts.hardware, config, table, parts.driver, watch) }
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

    /// Runs `f` on the Vivante model, with its lock held; None if the GPU is no such model.
    pub fn with_vivante<R>(&self, f: impl FnOnce(&mut models::Vivante) -> R) -> Option<R> {
        self.device.with_hardware(|hardware| {
            hardware
                .as_any()
                .downcast_mut::<VivanteHardware>()
                .map(|vivante| f(vivante.model()))
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
        let taken = self.device.with_hardware(|hardware| {
            let any = hardware.as_any();
            if let Some(mali) = any.downcast_mut::<MaliHardware>() {
                mali.plant(planted);
                return true;
            }
            any.downcast_mut::<VivanteHardware>()
                .is_some_and(|vivante| vivante.plant(planted))
        });
        if taken {
            return Ok(());
        }
        Err("this board's model has no faults to inject of that kind".into())
    }

    /// Whether the model keeps what it rendered last.
    pub fn set_capture(&self, on: bool) {
        self.with_mali(|mali| mali.set_capture(on));
        self.with_vivante(|vivante| vivante.set_capture(on));
    }

    /// What was rendered last, if anything was and it was captured.
    #[must_use]
    pub fn last_frame(&self) -> Option<Frame> {
        let mali = self.with_mali(|mali| mali.last_frame().map(Frame::from));
        let vivante = || self.with_vivante(|vivante| vivante.last_frame().map(Frame::from));
        mali.or_else(vivante).flatten()
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
