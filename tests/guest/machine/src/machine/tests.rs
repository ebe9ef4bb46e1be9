// SPDX-License-Identifier: BSD-2-Clause
//! The machine without QEMU: the effects of the guest's accesses.

use super::*;
use drm_os_host::{Dma, NoMemory};
use models::power::Boot;
use std::collections::BTreeMap;
use std::fs;

/// HW: Mali GPU_IRQ_MASK and GPU_COMMAND; 1 is a soft reset, whose end is bit 8.
const MASK: u32 = 0x28;
const COMMAND: u32 = 0x30;
const RESET_COMPLETED: u32 = 1 << 8;

#[derive(Default)]
struct Toy {
    now: u64,
    held: bool,
    /// The time of a transfer in ns.
    slow: u64,
    /// The first words of RAM; the others are zero.
    words: Vec<u32>,
    lines: BTreeMap<usize, bool>,
    timers: BTreeMap<usize, Option<u64>>,
}

impl Toy {
    fn pass(&mut self) {
        if !self.held {
            self.now += self.slow;
        }
    }
}

impl Platform for Toy {
    fn now(&self) -> u64 {
        self.now
    }
    fn hold_clock(&mut self, hold: bool) {
        assert_ne!(self.held, hold);
        self.held = hold;
    }
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> bool {
        self.pass();
        let bytes = self.words.iter().flat_map(|word| word.to_le_bytes());
        let mut bytes = bytes.skip((pa - config::RAM_BASE) as usize);
        buf.fill_with(|| bytes.next().unwrap_or(0));
        true
    }
    fn write(&mut self, _: u64, _: &[u8]) -> bool {
        self.pass();
        true
    }
    fn set_line(&mut self, line: usize, level: bool) {
        self.lines.insert(line, level);
    }
    fn set_timer(&mut self, core: usize, at: Option<u64>) {
        assert!(self.held, "the clock runs while a model is at work");
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
    machine.start(&mut toy);
    toy.now = 10;
    machine.write(&mut toy, 0, MASK, RESET_COMPLETED);
    toy.now = 11;
    machine.mail(&toy, config::MAIL_MARK, 7);
    toy.now = 20;
    machine.write(&mut toy, 0, COMMAND, 1);
    assert_eq!(toy.lines.get(&2), None, "nothing has happened yet");
    let at = toy
        .timers
        .remove(&0)
        .flatten()
        .expect("the model wants to be called");
    toy.now = at;
    machine.poll(&mut toy, 0);
    assert_eq!(toy.lines.get(&2), Some(&true), "line 2 is that of the GPU");
    assert!(toy.timers.is_empty(), "nothing is to come");
    machine.mail(&toy, config::MAIL_EXIT, 5);
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

/// HW: PMU of the RK3399: PWRDN_CON, PWRDN_ST and BUS_IDLE_REQ, and the GPU's bits in them.
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
    machine.start(&mut toy);
    toy.now = 1;
    assert_eq!(machine.read(&mut toy, 0, 0), 0, "off");
    machine.write(&mut toy, PMU, DOWN, 0);
    toy.now = toy.timers.remove(&1).flatten().expect("it takes time");
    machine.poll(&mut toy, 1);
    assert_eq!(machine.read(&mut toy, PMU, IS_DOWN), 0);
    assert_eq!(machine.read(&mut toy, 0, 0), 0, "the bus is shut");
    machine.write(&mut toy, PMU, REQ, 0);
    toy.now += 1_000_000;
    assert_eq!(machine.read(&mut toy, 0, 0) >> 16, 0x0860);
    machine.write(&mut toy, 0, MASK, RESET_COMPLETED);
    machine.write(&mut toy, PMU, REQ, 1);
    toy.now += 1;
    machine.write(&mut toy, 0, MASK, 0);
    toy.now += 1_000_000;
    machine.write(&mut toy, PMU, REQ, 0);
    toy.now += 1_000_000;
    assert_eq!(
        machine.read(&mut toy, 0, MASK),
        RESET_COMPLETED,
        "the write was lost, the state is not"
    );
    machine.write(&mut toy, PMU, DOWN, 0x8000);
    toy.now += 1_000_000;
    machine.write(&mut toy, PMU, DOWN, 0);
    toy.now += 1_000_000;
    assert_eq!(machine.read(&mut toy, 0, MASK), 0, "now it is");
    assert!(!toy.held, "the clock goes on for the guest");
    let report = machine.finish();
    let lines: Vec<_> = report.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "model gpu@ff9a0000 dead-access count=1",
            "model power-management@ff310000 power-ups=2 power-downs=1",
            "model power-management@ff310000 protocol \"power taken while the bus is open\" \
                count=1",
            "model power-management@ff310000 isolated-access count=2",
        ]
    );
}

/// A core that only reads memory when it is polled.
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
fn transfers_through_a_shut_bus_are_reported() {
    let mut toy = Toy::default();
    let mut machine = Machine::new(&Config {
        power: Boot::On,
        ..config("rk3399")
    })
    .unwrap();
    machine.seats[0].core.1 = Box::new(Reader);
    machine.start(&mut toy);
    machine.poll(&mut toy, 0);
    assert!(!machine.finish().contains("isolated-dma"));
    machine.write(&mut toy, 1, 0x60, 1);
    toy.now = 1;
    machine.poll(&mut toy, 0);
    machine.poll(&mut toy, 0);
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
    machine.start(&mut toy);
    // HW: etnaviv.md 2.2: MODEL.
    let models = [0, 1].map(|core| machine.read(&mut toy, core, 0x20));
    assert_eq!(models, [0x2000, 0x320]);
}

/// The time of the interrupt after two 2D operations on the second core of an i.MX6Q.
///
/// HW: INTR_ENBL, COMMAND_ADDRESS and COMMAND_CONTROL, of which bit 16 starts the front end;
/// DRAW_2D of one rectangle, which with no format draws nothing; EVENT 0 from the pixel engine;
/// END.
fn two_operations(slow: u64, work_scale: u32) -> u64 {
    let draw = [0x2000_0100, 0, 0, 0x0001_0001];
    let words = [&draw[..], &draw, &[0x0801_0e01, 0x40, 0x1000_0000, 0]].concat();
    let mut toy = Toy {
        slow,
        words,
        ..Toy::default()
    };
    let mut machine = Machine::new(&Config {
        work_scale,
        ..config("imx6q")
    })
    .unwrap();
    machine.start(&mut toy);
    toy.now = 1_000;
    machine.write(&mut toy, 1, 0x14, 1);
    machine.write(&mut toy, 1, 0x654, config::RAM_BASE as u32);
    machine.write(&mut toy, 1, 0x658, 1 << 16 | 6);
    while toy.lines.get(&1) != Some(&true) {
        let at = toy
            .timers
            .remove(&1)
            .flatten()
            .expect("there is more to come");
        assert!(at >= toy.now, "due before the guest could run");
        toy.now = at;
        machine.poll(&mut toy, 1);
    }
    assert!(!toy.held, "the clock goes on for the guest");
    toy.now
}

#[test]
fn what_the_host_takes_is_no_time_of_the_work() {
    assert_eq!(two_operations(1_000_000, 1), two_operations(0, 1));
}

#[test]
fn work_is_scaled_and_nothing_else() {
    let copy_ns = models::vivante::Timing::default().copy_ns;
    assert_eq!(
        two_operations(0, 11),
        two_operations(0, 1) + 2 * 10 * copy_ns
    );
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
    assert_eq!(
        bus.read(config::RAM_BASE + 0xffd, &mut [1; 4]),
        Err(NoMemory)
    );
    assert_eq!(bus.write(config::WINDOWS, &[1; 4]), Err(NoMemory));
    assert_eq!(bus.write(u64::MAX, &[1; 4]), Err(NoMemory));
}

#[test]
fn mistakes_are_reported() {
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
