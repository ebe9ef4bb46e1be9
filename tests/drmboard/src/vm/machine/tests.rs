// SPDX-License-Identifier: BSD-2-Clause
//! The machine without QEMU: what comes of the guest's accesses.

use super::*;
use models::power::Boot;
use std::collections::BTreeMap;
use std::fs;

/// HW: Mali GPU_IRQ_MASK and GPU_COMMAND; 1 is a soft reset, whose end is bit 8.
const MASK: u32 = 0x28;
const COMMAND: u32 = 0x30;
const RESET_COMPLETED: u32 = 1 << 8;

#[derive(Default)]
struct Toy {
    lines: BTreeMap<usize, bool>,
    timers: BTreeMap<usize, Option<u64>>,
}

impl Platform for Toy {
    fn read(&mut self, _: u64, buf: &mut [u8]) -> bool {
        buf.fill(0);
        true
    }
    fn write(&mut self, _: u64, _: &[u8]) -> bool {
        true
    }
    fn set_line(&mut self, line: usize, level: bool) {
        self.lines.insert(line, level);
    }
    fn set_timer(&mut self, core: usize, at: Option<u64>) {
        self.timers.insert(core, at);
    }
}

fn config(board: &str) -> Config {
    Config {
        board: board.into(),
        ram_mib: 64,
        ..Config::default()
    }
}

#[test]
fn a_reset_ends_at_the_timer_with_an_interrupt() {
    let path = std::env::temp_dir().join(format!("drmboard-vm-trace-{}", std::process::id()));
    let mut toy = Toy::default();
    let mut machine = Machine::new(&Config {
        trace: Some(path.clone()),
        power: Boot::On,
        ..config("rk3399")
    })
    .unwrap();
    machine.start(&mut toy, 0);
    machine.write(&mut toy, 0, 10, MASK, RESET_COMPLETED);
    machine.mail(11, config::MAIL_MARK, 7);
    machine.write(&mut toy, 0, 20, COMMAND, 1);
    assert_eq!(toy.lines.get(&2), None, "nothing has happened yet");
    let at = toy
        .timers
        .remove(&0)
        .flatten()
        .expect("the model wants to be called");
    machine.poll(&mut toy, 0, at);
    assert_eq!(toy.lines.get(&2), Some(&true), "line 2 is that of the GPU");
    assert!(toy.timers.is_empty(), "nothing is to come");
    machine.mail(at, config::MAIL_EXIT, 5);
    assert!(machine
        .finish()
        .starts_with("exit 5\nmodel gpu@ff9a0000 chains=0"));
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let irq = format!("{at} irq gpu@ff9a0000 gpu 1");
    assert_eq!(
        lines,
        [
            "0 power gpu@ff9a0000 1",
            "10 mmio gpu@ff9a0000 w 0x0028 0x00000100",
            "11 mark 7",
            "20 mmio gpu@ff9a0000 w 0x0030 0x00000001",
            irq.as_str()
        ]
    );
}

/// HW: PMU of the RK3399: PWRDN_CON, PWRDN_ST and BUS_IDLE_REQ, and what is the GPU's in them.
#[test]
fn a_gpu_without_power_is_dead_and_loses_its_state() {
    const PMU: usize = 1;
    const DOWN: u32 = 0x14;
    const IS_DOWN: u32 = 0x18;
    const REQ: u32 = 0x60;
    let mut toy = Toy::default();
    let mut machine = Machine::new(&config("rk3399")).unwrap();
    assert_eq!(
        machine.windows().skip(PMU).collect::<Vec<_>>(),
        [(0x0ce0_0000, 0x1000), (0x0ce1_0000, 0x20)]
    );
    assert_eq!(machine.timers(), 2);
    machine.start(&mut toy, 0);
    let id = |machine: &mut Machine, toy: &mut Toy, now| machine.read(toy, 0, now, 0);
    assert_eq!(id(&mut machine, &mut toy, 1), 0, "off");
    machine.write(&mut toy, PMU, 2, DOWN, 0);
    let at = toy.timers.remove(&1).flatten().expect("it takes time");
    machine.poll(&mut toy, 1, at);
    assert_eq!(machine.read(&mut toy, PMU, at, IS_DOWN), 0);
    assert_eq!(id(&mut machine, &mut toy, at), 0, "the bus is shut");
    machine.write(&mut toy, PMU, at, REQ, 0);
    let later = at + 1_000_000;
    assert_eq!(id(&mut machine, &mut toy, later) >> 16, 0x0860);
    machine.write(&mut toy, 0, later, MASK, RESET_COMPLETED);
    machine.write(&mut toy, PMU, later, REQ, 1);
    machine.write(&mut toy, 0, later + 1, MASK, 0);
    machine.write(&mut toy, PMU, later + 1_000_000, REQ, 0);
    let later = later + 2_000_000;
    assert_eq!(
        machine.read(&mut toy, 0, later, MASK),
        RESET_COMPLETED,
        "the write was lost, the state is not"
    );
    machine.write(&mut toy, PMU, later, DOWN, 0x8000);
    machine.write(&mut toy, PMU, later + 1_000_000, DOWN, 0);
    assert_eq!(machine.read(&mut toy, 0, later + 2_000_000, MASK), 0, "now it is");
    let report = machine.finish();
    let lines: Vec<_> = report.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "model gpu@ff9a0000 dead-access count=1",
            "model power-management@ff310000 power-ups=2 power-downs=1",
            "model power-management@ff310000 protocol \"power taken while the bus is open\" count=1",
            "model power-management@ff310000 isolated-access count=2",
        ]
    );
}

/// A core that does nothing but read memory when it is polled.
struct Reader;
impl drm_os_host::Hardware for Reader {
    fn mmio_read(&mut self, _: &mut dyn Dma, _: u64, _: u32) -> u32 {
        0
    }
    fn mmio_write(&mut self, _: &mut dyn Dma, _: u64, _: u32, _: u32) {}
    fn next_event(&self) -> Option<u64> {
        None
    }
    fn poll(&mut self, bus: &mut dyn Dma, _: u64) {
        assert_eq!(bus.read(config::RAM_BASE, &mut [1; 4]), Ok(()));
    }
    fn set_power(&mut self, _: &mut dyn Dma, _: u64, _: bool) {}
    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

#[test]
fn transfers_through_a_shut_bus_are_told() {
    let mut toy = Toy::default();
    let mut machine = Machine::new(&Config {
        power: Boot::On,
        ..config("rk3399")
    })
    .unwrap();
    machine.seats[0].core.1 = Box::new(Reader);
    machine.start(&mut toy, 0);
    machine.poll(&mut toy, 0, 1);
    assert!(!machine.finish().contains("isolated-dma"));
    machine.write(&mut toy, 1, 2, 0x60, 1);
    machine.poll(&mut toy, 0, 3);
    machine.poll(&mut toy, 0, 4);
    assert!(machine.finish().ends_with("isolated-dma count=2\n"));
}

#[test]
fn cores_have_windows_and_lines_of_their_own() {
    let mut toy = Toy::default();
    let mut machine = Machine::new(&config("imx6q")).unwrap();
    assert_eq!(
        (machine.windows().collect::<Vec<_>>(), machine.lines()),
        (vec![(0x0c00_0000, 0x4000), (0x0c10_0000, 0x4000)], 2)
    );
    machine.start(&mut toy, 0);
    // HW: etnaviv.md 2.2: MODEL.
    let models = [0, 1].map(|core| machine.read(&mut toy, core, 1, 0x20));
    assert_eq!(models, [0x2000, 0x320]);
}

#[test]
fn devices_reach_ram_and_nothing_else() {
    let (name, nodes) = (Arc::from("x"), Vec::new());
    let bus = &mut Bus {
        platform: &mut Toy::default(),
        ram: &(config::RAM_BASE..config::RAM_BASE + 0x1000),
        trace: &None,
        nodes: &nodes,
        name: &name,
        first_line: 0,
        now: 0,
        isolated: false,
        strayed: 0,
    };
    assert_eq!(bus.read(config::RAM_BASE + 0xffc, &mut [1; 4]), Ok(()));
    assert_eq!(bus.read(config::RAM_BASE + 0xffd, &mut [1; 4]), Err(NoMemory));
    assert_eq!(bus.write(config::WINDOWS, &[1; 4]), Err(NoMemory));
    assert_eq!(bus.write(u64::MAX, &[1; 4]), Err(NoMemory));
}

#[test]
fn mistakes_are_told() {
    let with = |board: &str, spec: &str| Config {
        inject: vec![spec.into()],
        ..config(board)
    };
    let why = |config| Machine::new(&config).err().unwrap();
    assert!(why(config("pdp11")).contains("no board"));
    assert!(why(with("rk3399", "hang:core=1")).contains("no such core"));
    assert!(why(with("imx8mq", "gpu-fault")).contains("no such fault"));
    assert!(Machine::new(&with("imx6q", "hang:core=1")).is_ok());
}
