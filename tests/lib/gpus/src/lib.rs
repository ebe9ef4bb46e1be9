// SPDX-License-Identifier: BSD-2-Clause
//! The GPUs of the boards: the properties of their device tree nodes, and for each node a model as
//! its hardware; the faults that are injected into models, what models report, and the trace of
//! their registers.
//!
//! A GPU of several cores has a device tree node for each. Nothing here is, or uses, a driver: the
//! cores are put on a bus by crate drmboard, which attaches drivers of this project, or by crate
//! guest_machine in QEMU, whose guest brings a driver.

mod adapter;
mod frame;
mod imx;
pub mod inject;
mod mali;
pub mod picture;
mod report;
mod trace;
mod vivante;

use drm_os_host::{Hardware, Node};
pub use frame::Frame;
use inject::Planted;
use mali::MaliHardware;
use models::{Mali, Vivante};
pub use report::Report;
pub use trace::TraceFile;
use vivante::VivanteHardware;

/// A node of the device tree and its model.
pub type Core = (Node, Box<dyn Hardware>);

/// The names of the boards.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let mali = mali::BOARDS.iter().map(|board| board.name);
    mali.chain(imx::BOARDS.iter().map(|board| board.name))
        .collect()
}

/// Whether there is a board with this name.
#[must_use]
pub fn known(name: &str) -> bool {
    names().contains(&name)
}

/// The properties of a board's GPU in the device tree, for each core; empty for a board that does
/// not exist.
#[must_use]
pub fn nodes(name: &str) -> Vec<Node> {
    let cores = parts(name).map(|parts| parts.cores).unwrap_or_default();
    cores.into_iter().map(|(node, _)| node).collect()
}

/// The cores of a board: the properties of each in the device tree, and its model; empty for a
/// board that does not exist.
#[must_use]
pub fn cores(name: &str) -> Vec<Core> {
    parts(name).map(|parts| parts.cores).unwrap_or_default()
}

fn model_of<T: 'static>(hardware: &mut dyn Hardware) -> Option<&mut T> {
    hardware.as_any().downcast_mut()
}

/// The model of a Mali, if it is one.
pub fn as_mali(hardware: &mut dyn Hardware) -> Option<&mut Mali> {
    model_of(hardware).map(MaliHardware::model)
}

/// The model of a Vivante core, if it is one.
pub fn as_vivante(hardware: &mut dyn Hardware) -> Option<&mut Vivante> {
    model_of(hardware).map(VivanteHardware::model)
}

/// Injects a fault into a model; returns whether it supports the kind of fault.
pub fn plant(hardware: &mut dyn Hardware, planted: Planted) -> bool {
    if let Some(mali) = model_of::<MaliHardware>(hardware) {
        mali.plant(planted);
        return true;
    }
    model_of(hardware).is_some_and(|vivante: &mut VivanteHardware| vivante.plant(planted))
}

/// Whether a model keeps the last image that it rendered.
pub fn set_capture(hardware: &mut dyn Hardware, on: bool) {
    if let Some(mali) = as_mali(hardware) {
        mali.set_capture(on);
    }
    if let Some(vivante) = as_vivante(hardware) {
        vivante.set_capture(on);
    }
}

/// Multiplies the time of all work of a model by `times`, see
/// [`models::vivante::Timing::with_work_scaled`].
pub fn scale_work(hardware: &mut dyn Hardware, times: u32) {
    if let Some(mali) = as_mali(hardware) {
        mali.set_timing(mali.timing().with_work_scaled(times));
    }
    if let Some(vivante) = as_vivante(hardware) {
        vivante.set_timing(vivante.timing().with_work_scaled(times));
    }
}

/// The last image that a model rendered, if it was captured; and its time, to compare with other
/// cores.
pub fn last_frame(hardware: &mut dyn Hardware) -> Option<(u64, Frame)> {
    if let Some(mali) = as_mali(hardware) {
        return mali.last_frame().map(|frame| (0, Frame::from(frame)));
    }
    model_of(hardware).and_then(|vivante: &mut VivanteHardware| vivante.last_frame())
}

/// The counts of a model.
pub fn report(hardware: &mut dyn Hardware) -> Report {
    if let Some(mali) = as_mali(hardware) {
        return report::mali(mali.stats());
    }
    let vivante = as_vivante(hardware).map(|vivante| report::vivante(vivante.stats()));
    vivante.unwrap_or_default()
}

/// The parts of a board.
pub struct Parts {
    /// In the order of the device tree.
    pub cores: Vec<Core>,
    /// The name of its driver.
    pub driver: &'static str,
    /// The address of RAM and its largest number of pages, if they are limited.
    pub ram: Option<(u64, u64)>,
    /// Tunables that the board needs; those that the user sets take precedence.
    pub tunables: &'static [(&'static str, u64)],
}

/// The parts of the board `name`; None if there is no such board.
#[must_use]
pub fn parts(name: &str) -> Option<Parts> {
    let mali = mali::BOARDS.iter().find(|board| board.name == name);
    let mali = mali.map(|board| Parts {
        cores: vec![(
            mali::node(board),
            Box::new(MaliHardware::new(board.variant)),
        )],
        driver: board.driver,
        ram: None,
        tunables: &[],
    });
    mali.or_else(|| {
        let board = imx::BOARDS.iter().find(|board| board.name == name)?;
        let cores = board.cores.iter().map(|core| {
            let hardware: Box<dyn Hardware> = Box::new(VivanteHardware::new(core));
            (core.node(), hardware)
        });
        Some(Parts {
            cores: cores.collect(),
            driver: board.driver,
            ram: Some(board.ram),
            tunables: board.tunables,
        })
    })
}
