// SPDX-License-Identifier: BSD-2-Clause
//! The power controller of a board on the bus: the controller of each board, its device tree nodes,
//! and its model's report.

use crate::config::CONTROLLERS;
use drm_os_host::Trace;
use models::power::{Boot, Controller, Gpcv2, Pmu, Stats, Supply};
use models::Access;
use std::sync::Arc;

/// The distance between the windows of a controller.
const STEP: u64 = 0x1_0000;
/// The shared peripheral interrupt of the GPC, as on the i.MX8MQ; it is never raised.
const GPC_SPI: u32 = 87;

/// The regulator that feeds the domain of the i.MX8MQ's GPU.
const REGULATOR: &str = "regulator-gpu";

/// The pin that switches a regulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    /// The pin of QEMU's pl061; the `virt` machine itself has a button on pin 3.
    pub(crate) number: u32,
    /// The level that turns the regulator on. Pins that are not driven are pulled down, so this
    /// determines the state that firmware left.
    pub(crate) active_high: bool,
}

/// The controller of a board, if it is modelled: the i.MX6's is not.
fn controller(board: &str, boot: Boot) -> Option<Box<dyn Controller>> {
    match board {
        "imx8mq" => Some(Box::new(Gpcv2::new(boot))),
        // The other boards with a Mali are RK3399 boards with another GPU.
        _ if board == "rk3399" || board.starts_with("mali-") => Some(Box::new(Pmu::new(boot))),
        _ => None,
    }
}

/// A controller on the bus.
pub(crate) struct Feed {
    pub(crate) controller: Box<dyn Controller>,
    /// The models, by window.
    names: Vec<Arc<str>>,
    regulator: Option<Pin>,
    /// Whether the regulator is on.
    regulated: bool,
    /// Whether the GPU has been notified that it has power.
    on: bool,
    /// The time to which the timer was last set.
    timer: Option<u64>,
}

impl Feed {
    pub(crate) fn new(board: &str, boot: Boot) -> Option<Feed> {
        let controller = controller(board, boot)?;
        Some(Feed {
            regulator: (board == "imx8mq").then_some(Pin {
                number: 5,
                active_high: boot == Boot::Off,
            }),
            regulated: boot == Boot::On,
            names: controller.windows().iter().map(|w| w.name.into()).collect(),
            on: controller.supply() != Supply::Off,
            controller,
            timer: None,
        })
    }

    /// The addresses and lengths of its windows.
    pub(crate) fn windows(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        let at = (0..).map(|n: u64| CONTROLLERS + n * STEP);
        at.zip(self.controller.windows().iter().map(|window| window.len))
    }

    pub(crate) fn regulator(&self) -> Option<Pin> {
        self.regulator
    }

    /// The level of the regulator's pin; returns an event if it switches the regulator.
    pub(crate) fn regulator_pin(&mut self, now: u64, high: bool) -> Option<Trace> {
        let on = high == self.regulator?.active_high;
        if on == self.regulated {
            return None;
        }
        self.regulated = on;
        self.controller.set_regulator(now, on);
        let (t, dev) = (now, REGULATOR.into());
        Some(Trace::Power { t, dev, on })
    }

    pub(crate) fn on(&self) -> bool {
        self.on
    }

    /// The timer has expired, and must be set again even if it is for the same time.
    pub(crate) fn timer_went_off(&mut self) {
        self.timer = None;
    }

    /// Runs what has expired at `now`. Returns the new time of the timer and the new power state of
    /// the GPU, if they changed.
    pub(crate) fn settle(&mut self, now: u64) -> (Option<Option<u64>>, Option<bool>) {
        self.controller.poll(now);
        let next = self.controller.next_event();
        let on = self.controller.supply() != Supply::Off;
        let answer = (
            (next != self.timer).then_some(next),
            (on != self.on).then_some(on),
        );
        (self.timer, self.on) = (next, on);
        answer
    }

    pub(crate) fn isolated(&self) -> bool {
        self.controller.supply() == Supply::Isolated
    }

    pub(crate) fn read(&mut self, window: usize, now: u64, off: u32) -> (u32, Trace) {
        let val = self.controller.mmio_read(now, window, off);
        let (t, dev) = (now, self.names[window].clone());
        (val, Trace::MmioRead { t, dev, off, val })
    }

    /// Writes the trace of a write, before the write takes effect.
    pub(crate) fn written(&self, window: usize, now: u64, off: u32, val: u32) -> Trace {
        let (t, dev) = (now, self.names[window].clone());
        Trace::MmioWrite { t, dev, off, val }
    }

    /// Lines for the machine's report, each with the name of its device.
    pub(crate) fn report(&self) -> Vec<String> {
        let lines = report(self.controller.stats());
        lines
            .into_iter()
            .map(|(window, line)| format!("{} {line}", self.names[window]))
            .collect()
    }
}

/// The sum, then the events that hardware leaves undefined, by window.
fn report(stats: &Stats) -> Vec<(usize, String)> {
    let (up, down) = (stats.power_ups, stats.power_downs);
    let mut lines = vec![(0, format!("power-ups={up} power-downs={down}"))];
    for ((window, off, access), n) in &stats.unknown_registers {
        let way = match access {
            Access::Read => 'r',
            Access::Write => 'w',
        };
        lines.push((
            *window,
            format!("unknown-register {way} 0x{off:04x} count={n}"),
        ));
    }
    for (what, n) in &stats.protocol_errors {
        lines.push((0, format!("protocol {what:?} count={n}")));
    }
    let rest = [
        ("isolated-access", stats.isolated_accesses),
        ("isolated-dma", stats.isolated_transfers),
        ("dead-access", stats.dead_accesses),
        ("other-domain", stats.other_domains),
        ("readonly-write", stats.readonly_writes),
    ];
    let rest = rest.iter().filter(|(_, n)| *n != 0);
    lines.extend(rest.map(|(name, n)| (0, format!("{name} count={n}"))));
    lines
}

/// The device tree nodes of a board's controller as source text, with addresses on this bus, and
/// the property that makes the GPU its consumer; empty for a board without one. The clocks are
/// those of core 0.
///
/// HW: rk3399.dtsi power-management@ff310000 and qos@ffae0000; imx8mq.dtsi gpc@303a0000. The supply
/// of the GPC's domain is in the trees of the boards (imx8mq-evk.dts: sw1a_reg of the PMIC); here a
/// pin switches it.
pub(crate) fn nodes(board: &str, boot: Boot) -> Option<(String, &'static str)> {
    let feed = Feed::new(board, boot)?;
    let reg: Vec<_> = feed.windows().collect();
    let (at, len) = reg[0];
    let node = board_gpus::nodes(board).into_iter().next()?;
    let clocks: Vec<_> = node
        .clocks
        .iter()
        .map(|(name, _)| format!("<&gpu0_{name}>"))
        .collect();
    let clocks = clocks.join(", ");
    if let Some(Pin {
        number,
        active_high,
    }) = feed.regulator
    {
        // The flag has the same meaning as the property: 1 is active low.
        let (low, how) = match active_high {
            true => (0, " enable-active-high;"),
            false => (1, " regulator-boot-on;"),
        };
        let text = format!(
            "\tgpu_supply: {REGULATOR} {{ compatible = \"regulator-fixed\"; regulator-name = \
             \"SW1A\"; \
             regulator-min-microvolt = <900000>; regulator-max-microvolt = <900000>; \
             gpio = <&{{/pl061@9030000}} {number} {low}>;{how} }};
\tgpc@{at:x} {{
\t\tcompatible = \"fsl,imx8mq-gpc\"; reg = <0 {at:#x} 0 {len:#x}>;
\t\tinterrupts = <0 {GPC_SPI} 4>; interrupt-parent = <&{{/intc@8000000}}>; interrupt-controller; \
    #interrupt-cells = <3>;
\t\tpgc {{
\t\t\t#address-cells = <1>; #size-cells = <0>;
\t\t\tpgc_gpu: power-domain@5 {{
\t\t\t\t#power-domain-cells = <0>; reg = <5>; clocks = {clocks}; power-supply = <&gpu_supply>;
\t\t\t}};
\t\t}};
\t}};
"
        );
        return Some((text, "power-domains = <&pgc_gpu>;"));
    }
    let (qos, qos_len) = reg[1];
    let text = format!(
        "\tqos_gpu: qos@{qos:x} {{ compatible = \"rockchip,rk3399-qos\", \"syscon\"; reg = <0 \
         {qos:#x} 0 {qos_len:#x}>; }};
\tpower-management@{at:x} {{
\t\tcompatible = \"rockchip,rk3399-pmu\", \"syscon\", \"simple-mfd\"; reg = <0 {at:#x} 0 {len:#x}>;
\t\tpower: power-controller {{
\t\t\tcompatible = \"rockchip,rk3399-power-controller\";
\t\t\t#power-domain-cells = <1>; #address-cells = <1>; #size-cells = <0>;
\t\t\tpower-domain@35 {{ reg = <35>; clocks = {clocks}; pm_qos = <&qos_gpu>; #power-domain-cells \
    = <0>; }};
\t\t}};
\t}};
"
    );
    Some((text, "power-domains = <&power 35>;"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_have_their_controllers() {
        for board in board_gpus::names() {
            let consumer = nodes(board, Boot::Off).map(|(_, consumer)| consumer);
            let expected = match board {
                "imx8mq" => Some("power-domains = <&pgc_gpu>;"),
                "imx6q" | "imx6qp" => None,
                _ => Some("power-domains = <&power 35>;"),
            };
            assert_eq!(consumer, expected, "{board}");
        }
    }

    #[test]
    fn a_pin_switches_the_supply_of_the_gpc() {
        assert!(Feed::new("rk3399", Boot::Off)
            .unwrap()
            .regulator()
            .is_none());
        for (boot, how) in [
            (Boot::Off, "5 0>; enable-active-high; }"),
            (Boot::On, "5 1>; regulator-boot-on; }"),
        ] {
            assert!(nodes("imx8mq", boot).unwrap().0.contains(how));
            let mut feed = Feed::new("imx8mq", boot).unwrap();
            // Pulled down: as firmware left it.
            assert_eq!(feed.regulator_pin(0, false), None);
            assert_eq!(feed.on(), boot == Boot::On);
            let event = feed.regulator_pin(5, true);
            let (t, dev, on) = (5, "regulator-gpu".into(), boot == Boot::Off);
            assert_eq!(event, Some(Trace::Power { t, dev, on }));
            assert_eq!(feed.regulator_pin(6, true), None);
            let cut = feed.controller.stats().protocol_errors.len();
            assert_eq!(cut, usize::from(boot == Boot::On));
        }
    }

    #[test]
    fn misuse_is_reported_line_by_line() {
        let mut stats = Stats::default();
        assert_eq!(
            report(&stats),
            [(0, "power-ups=0 power-downs=0".to_owned())]
        );
        stats.unknown_registers.insert((1, 0x1c, Access::Write), 2);
        stats.protocol_errors.insert("x", 1);
        stats.isolated_accesses = 4;
        let lines = report(&stats);
        let expected = [
            (1, "unknown-register w 0x001c count=2".to_owned()),
            (0, "protocol \"x\" count=1".to_owned()),
            (0, "isolated-access count=4".to_owned()),
        ];
        assert_eq!(lines[1..], expected);
    }
}
