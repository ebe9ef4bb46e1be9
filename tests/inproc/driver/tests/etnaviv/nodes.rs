// SPDX-License-Identifier: BSD-2-Clause
//! A Vivante GPU whose cores are nodes of their own: detaching them in any order, attaching again,
//! and a node that cannot belong to the others.

use driver_tests::etnaviv::{check_manners, Client, Fence, Place, Rig, Work, IMX6Q};
use driver_tests::{errno, MS, SEC};
use drm_os_host::{sys, Caller, Config, Device, Dma, Hardware, Node, World};
use models::vivante::Variant;
use models::{Bus, BusError, Vivante};
use std::any::Any;
use std::sync::{Arc, Mutex};
use uapi::etnaviv::{Param, GET_PARAM, PARAM_GPU_MODEL};

/// ETNA_SUBMIT_FENCE_FD_IN.
const FENCE_FD_IN: u32 = 2;

/// A client with work under way and queued on both cores.
fn busy(rig: &Rig) -> (Client, Vec<(Work, Fence)>) {
    let client = rig.client();
    rig.slow_jobs(20 * MS);
    let start = |n: u32| {
        let work = client.work_at(IMX6Q[n as usize % 2], n).unwrap();
        let fence = client.start(&work).unwrap();
        (work, fence)
    };
    let works = (0..16).map(start).collect();
    rig.advance(MS);
    (client, works)
}

/// Runs work on both cores of the device whose `first` node was attached first.
fn run_again(rig: &Rig, first: usize) {
    rig.slow_jobs(2_000);
    let client = Client::open_at(rig, first).unwrap();
    for n in [0, 1] {
        let pipe = (first ^ n) as u32;
        client.expect_works_at(Place { pipe, ..IMX6Q[n] });
    }
}

/// Catches: cores that stay attached with the DRM device gone, memory that goes while a core uses
/// it, fences that never end, a second detach that does it all again.
#[test]
fn either_node_may_go_first() {
    for first in [0, 1] {
        let rig = Rig::on("imx6q", Config::default());
        let (client, works) = busy(&rig);
        let node = |n: usize| &rig.devices()[n];
        for n in [0, 1] {
            assert_eq!(node(n).detach(false), Err(errno::EBUSY), "a file is open");
        }
        assert!(works.iter().all(|(work, _)| work.is_untouched()));
        node(first).detach(true).unwrap();
        for (work, fence) in &works {
            let status = client.sync_file_status(fence.fd);
            assert!(status < 0 && work.is_untouched(), "{status}");
            client.caller.close_fd(fence.fd);
        }
        assert_eq!(Client::open(&rig).err(), Some(errno::ENXIO));
        assert_eq!(client.gem_new(4096, 0x2_0000), Err(errno::ENXIO));
        let counters = rig.world().counters();
        assert_eq!((counters.power_domains_on, counters.clocks_enabled), (0, 0));
        // Nothing that could be in use is left of the device.
        node(1 - first).detach(false).unwrap();
        for n in [0, 1] {
            assert_eq!(node(n).detach(true), Err(errno::ENXIO));
        }
        drop((client, works));
        let order = [first, 1 - first];
        for n in order {
            rig.attach(n).unwrap();
        }
        // A core's index is the order of attaching.
        let client = Client::open_at(&rig, first).unwrap();
        let models = [0, 1].map(|pipe| client.param_of(pipe, 1).unwrap());
        let expected = [0x2000, 0x320];
        assert_eq!(models, order.map(|n| expected[n]));
        drop(client);
        run_again(&rig, first);
        rig.finish();
    }
}

/// Catches: a detach without force that leaves half a device when it fails, or that does not see
/// who uses the other core.
#[test]
fn without_force_unused_nodes_go() {
    for first in [0, 1] {
        let rig = Rig::on("imx6q", Config::default());
        let (client, works) = busy(&rig);
        for _ in 0..3 {
            assert_eq!(rig.devices()[first].detach(false), Err(errno::EBUSY));
        }
        for (work, fence) in &works {
            assert_eq!(client.end_of(*fence, SEC), 1);
            assert!(work.is_done());
        }
        drop((client, works));
        run_again(&rig, 0);
        rig.devices()[first].detach(false).unwrap();
        rig.devices()[1 - first].detach(false).unwrap();
        let all = rig.finish_detached();
        assert!(all.iter().all(|stats| stats.bus_errors == 0));
    }
}

/// The device of the node that is still there is gone; a node that comes back makes a new one.
/// Catches: joining a device that is gone.
#[test]
fn a_node_comes_back_before_the_other_has_left() {
    for first in [0, 1] {
        let rig = Rig::on("imx6q", Config::default());
        let (client, works) = busy(&rig);
        rig.devices()[first].detach(true).unwrap();
        rig.attach(first).unwrap();
        assert!(!rig.devices()[0].same_instance(&rig.devices()[1]));
        // A file of the old device, still open, changes nothing.
        assert_eq!(client.param_of(0, 1), Err(errno::ENXIO));
        drop(works);
        rig.devices()[1 - first].detach(true).unwrap();
        rig.attach(1 - first).unwrap();
        assert!(rig.devices()[0].same_instance(&rig.devices()[1]));
        drop(client);
        run_again(&rig, first);
        rig.finish();
    }
}

/// The model, to inspect while the world has it.
#[derive(Clone)]
struct Core(Arc<Mutex<Vivante>>);

struct Adapter<'a>(&'a mut dyn Dma);

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

impl Hardware for Core {
    fn mmio_read(&mut self, bus: &mut dyn Dma, now: u64, off: u32) -> u32 {
        self.0
            .lock()
            .unwrap()
            .mmio_read(&mut Adapter(bus), now, off)
    }
    fn mmio_write(&mut self, bus: &mut dyn Dma, now: u64, off: u32, val: u32) {
        self.0
            .lock()
            .unwrap()
            .mmio_write(&mut Adapter(bus), now, off, val);
    }
    fn next_event(&self) -> Option<u64> {
        self.0.lock().unwrap().next_event()
    }
    fn poll(&mut self, bus: &mut dyn Dma, now: u64) {
        self.0.lock().unwrap().poll(&mut Adapter(bus), now);
    }
    fn set_power(&mut self, bus: &mut dyn Dma, now: u64, on: bool) {
        self.0.lock().unwrap().set_power(&mut Adapter(bus), now, on);
    }
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

impl Core {
    fn new(variant: Variant) -> Core {
        let mut model = Vivante::new(variant);
        model.set_idle_poll(200_000);
        Core(Arc::new(Mutex::new(model)))
    }

    fn add_to(&self, world: &World, name: &str) -> Device {
        let node = Node {
            name: name.into(),
            compatible: vec!["vivante,gc".into()],
            mmio_len: self.0.lock().unwrap().window(),
            irqs: vec!["gpu".into()],
            clocks: vec![("core".into(), 500_000_000)],
            regulators: Vec::new(),
            resets: Vec::new(),
            power_domain: true,
            coherent: false,
        };
        world.add_device(node, Box::new(self.clone()))
    }
}

/// Catches: a core with the page tables of another MMU, and a refusal that takes the device with
/// it, keeps something or leaves the power on.
#[test]
fn a_core_with_another_mmu_is_refused() {
    let variants = [Variant::Gc2000, Variant::Gc3000, Variant::Gc7000L];
    for (first, second) in variants.iter().flat_map(|a| variants.map(|b| (*a, b))) {
        if first == second {
            continue;
        }
        let world = World::new(Config {
            ram_base: 0x4000_0000,
            pages: 0x4_0000,
            tunables: [("etnaviv_mmuv1".to_owned(), 1)].into(),
            ..Config::default()
        });
        let cores = [first, second].map(Core::new);
        let nodes = [
            cores[0].add_to(&world, "gpu@0"),
            cores[1].add_to(&world, "gpu@1"),
        ];
        let driver: *const sys::drm_os_driver = etnaviv::DRIVER.as_ptr().cast();
        nodes[0].attach(driver).unwrap();
        let caller = Caller::local(&world, "test");
        let file = nodes[0].open(driver_tests::RENDER, &caller).unwrap();
        let before = world.counters();
        for _ in 0..3 {
            assert_eq!(
                nodes[1].attach(driver),
                Err(errno::ENXIO),
                "{first:?} {second:?}"
            );
        }
        assert_eq!(world.counters().mallocs, before.mallocs);
        world.advance(SEC);
        assert_eq!(world.counters().power_domains_on, 0);
        let param = |pipe: u32| {
            let param = PARAM_GPU_MODEL;
            let arg = Param {
                pipe,
                param,
                value: 0,
            };
            driver_tests::ioctl(&file, &caller, GET_PARAM, arg).map(drop)
        };
        assert_eq!((param(0), param(1)), (Ok(()), Err(errno::ENXIO)));
        assert_eq!(nodes[0].detach(false), Err(errno::EBUSY), "it goes on");
        drop(file);
        nodes[0].detach(false).unwrap();
        // Alone it is a GPU of its own.
        nodes[1].attach(driver).unwrap();
        nodes[1].detach(false).unwrap();
        for core in &cores {
            check_manners(core.0.lock().unwrap().stats());
        }
        drop(nodes);
        world.assert_clean();
    }
}

/// The job task retires a cancelled job for which another waits, has itself run again for that, and
/// the device is detached meanwhile. Catches: a task that is the last to know of itself, and waits
/// for its own end.
#[test]
fn a_detach_while_the_task_has_itself_run() {
    let rig = Rig::new();
    let [slow, a, b] = [rig.client(), rig.client(), rig.client()];
    let [long, first, second] = [&slow, &a, &b].map(|client| client.work(0x1000_0000, 7).unwrap());
    rig.slow_jobs(100 * MS);
    let after = |from: &Client, fence: i32, to: &Client, work: &Work| {
        let mut submit = work.submit();
        submit.fence_fd = to.caller.install(from.caller.fd(fence).unwrap()).unwrap();
        submit.flags |= FENCE_FD_IN;
        to.submit_raw(&submit).unwrap().fd
    };
    let fence = slow.start(&long).unwrap();
    let fence = after(&slow, fence.fd, &a, &first);
    after(&a, fence, &b, &second);
    drop((first, a));
    rig.world().slow_enqueue(SEC);
    rig.advance(10 * MS);
    assert!(second.is_untouched());
    rig.world().slow_enqueue(0);
    rig.detach(true).unwrap();
    drop((long, second, slow, b));
    rig.finish_detached();
}
