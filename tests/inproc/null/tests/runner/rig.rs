// SPDX-License-Identifier: BSD-2-Clause
//! A device with the engine as its hardware, and its clients.

use crate::engine::{Model, WINDOW};
use drm_os_host::{sys, Caller, Config, Device, File, Node, World};
use drmkpi::entry::DriverTable;

const GROUP: u32 = 0x64;
const RENDER: u32 = sys::DRM_OS_MINOR_RENDER;

pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) device: Device,
    driver: &'static DriverTable,
}

/// An open file.
pub(crate) struct User {
    pub(crate) file: File,
    pub(crate) caller: Caller,
}

impl Rig {
    /// A device to which the driver `name` is not attached yet.
    pub(crate) fn detached(name: &str, driver: &'static DriverTable, config: Config) -> Rig {
        let world = World::new(config);
        let node = Node {
            name: format!("{name}0"),
            compatible: vec![format!("drmkpi,{name}")],
            mmio_len: WINDOW,
            irqs: vec![name.to_owned()],
            power_domain: true,
            ..Node::default()
        };
        let device = world.add_device(node, Box::<Model>::default());
        Rig {
            world,
            device,
            driver,
        }
    }

    pub(crate) fn attach(&self) {
        let driver = self.driver.as_ptr().cast();
        self.device.attach(driver).expect("it attaches");
    }

    pub(crate) fn open(&self) -> User {
        let caller = Caller::local(&self.world, "test");
        let file = self.device.open(RENDER, &caller).expect("it opens");
        User { file, caller }
    }

    pub(crate) fn model<R>(&self, f: impl FnOnce(&mut Model) -> R) -> R {
        self.device
            .with_hardware(|hw| f(hw.as_any().downcast_mut().expect("the model")))
    }

    /// A counter of the device.
    pub(crate) fn stat(&self, name: &str) -> u64 {
        let stats = self.device.stats();
        let stat = stats.iter().find(|(n, _)| n == name);
        stat.expect("the device has it").1
    }

    /// Detaches the device; nothing is left, and the driver did nothing wrong.
    pub(crate) fn finish(self) {
        self.device.detach(false).expect("no file is open");
        self.finish_detached();
    }

    /// As [`Rig::finish`], where the driver is no longer attached.
    pub(crate) fn finish_detached(self) {
        assert_eq!(self.model(|m| (m.wrong, m.power)), (0, false));
        self.world.assert_clean();
    }
}

impl User {
    /// An ioctl whose structure has these words; returns them as they are afterwards.
    pub(crate) fn ioctl(&self, nr: u32, words: &[u32]) -> Result<Vec<u32>, i32> {
        let mut data: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        self.file.ioctl(&self.caller, GROUP, nr, &mut data)?;
        let word = |bytes: &[u8]| u32::from_ne_bytes(bytes.try_into().expect("four bytes"));
        Ok(data.chunks(4).map(word).collect())
    }
}
