// SPDX-License-Identifier: BSD-2-Clause
//! The models on another program's bus: the part of the library in QEMU between QEMU's callbacks
//! and the models.
//!
//! As in a [`drm_os_host::World`], the trace line of a write precedes the lines of its effects. A
//! board without a power controller (power.rs) has power from the start; clocks run all the
//! time.
//!
//! The machine's clock is stopped while a model (of a core or the power controller) executes: the
//! time that the host needs to write the pixels of a draw is not part of the modelled time of the
//! draw. Otherwise timers would expire during a long draw, and the guest, which does not run
//! meanwhile, would find all later events completed and its deadlines passed.

mod bus;
#[cfg(test)]
mod tests;

use crate::config::{self, Config};
use crate::power::Feed;
use board_gpus::{inject, picture, Core, TraceFile};
use bus::Bus;
use drm_os_host::{Node, Trace};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// The machine around the models.
pub trait Platform {
    /// The machine's clock in ns.
    fn now(&self) -> u64;
    /// Stops the machine's clock, or lets it continue.
    fn hold_clock(&mut self, hold: bool);
    /// Reads memory of the guest; false if there is none.
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> bool;
    /// Writes memory of the guest; false if there is none.
    fn write(&mut self, pa: u64, buf: &[u8]) -> bool;
    /// Drives an interrupt line; lines are counted over all cores.
    fn set_line(&mut self, line: usize, level: bool);
    /// Sets `timer` to call [`Machine::poll`] at a time in ns, or stops it. Each core has a timer,
    /// and after them the power controller.
    fn set_timer(&mut self, timer: usize, at: Option<u64>);
}

/// One core on the bus.
struct Seat {
    core: Core,
    name: Arc<str>,
    /// Number of its line 0 among the lines of all cores.
    first_line: usize,
    /// The time to which the timer was last set.
    timer: Option<u64>,
}

/// All cores of a board, with the trace, the picture and the report.
pub struct Machine {
    seats: Vec<Seat>,
    feed: Option<Feed>,
    nodes: Vec<Node>,
    ram: std::ops::Range<u64>,
    trace: Option<Arc<TraceFile>>,
    png: Option<PathBuf>,
    exit: Option<u32>,
}

impl Machine {
    /// Creates the board's models, with the faults to inject.
    ///
    /// # Errors
    ///
    /// A message: no such board, no such fault, or the trace cannot be written.
    pub fn new(config: &Config) -> Result<Machine, String> {
        let mut cores = board_gpus::cores(&config.board);
        if cores.is_empty() {
            return Err(format!("no board {}", config.board));
        }
        for spec in &config.inject {
            let planted = inject::parse(spec)?;
            let core = cores.get_mut(planted.core);
            let (_, hardware) = core.ok_or_else(|| format!("--inject {spec}: no such core"))?;
            if !board_gpus::plant(hardware.as_mut(), planted) {
                return Err(format!("--inject {spec}: the model has no such fault"));
            }
        }
        let trace = match &config.trace {
            Some(path) => {
                Some(TraceFile::create(path).map_err(|e| format!("{}: {e}", path.display()))?)
            }
            None => None,
        };
        let nodes = cores.iter().map(|(node, _)| node.clone()).collect();
        let mut lines = 0;
        let mut seats = Vec::new();
        for mut core in cores {
            board_gpus::set_capture(core.1.as_mut(), config.png.is_some());
            board_gpus::scale_work(core.1.as_mut(), config.work_scale);
            let first_line = lines;
            lines += core.0.irqs.len();
            seats.push(Seat {
                name: core.0.name.as_str().into(),
                core,
                first_line,
                timer: None,
            });
        }
        Ok(Machine {
            seats,
            feed: Feed::new(&config.board, config.power),
            nodes,
            ram: config::RAM_BASE..config::RAM_BASE + (config.ram_mib << 20),
            trace,
            png: config.png.clone(),
            exit: None,
        })
    }

    /// The addresses and sizes of the register windows: those of the cores, in the order of the
    /// device tree, then those of the power controller. Accesses identify a window by its index in
    /// this order.
    pub fn windows(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        let cores = (0..).map(|n: u64| config::WINDOWS + n * config::WINDOW_STEP);
        let cores = cores.zip(self.nodes.iter().map(|node| node.mmio_len));
        cores.chain(self.feed.iter().flat_map(Feed::windows))
    }

    /// Number of timers.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.seats.len() + usize::from(self.feed.is_some())
    }

    /// Number of interrupt lines of all cores.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.nodes.iter().map(|node| node.irqs.len()).sum()
    }

    /// Calls `act` with the clock stopped: all its effects have the current time.
    fn at_once<R>(
        &mut self,
        platform: &mut dyn Platform,
        act: impl FnOnce(&mut Machine, &mut dyn Platform, u64) -> R,
    ) -> R {
        platform.hold_clock(true);
        let now = platform.now();
        let result = act(self, platform, now);
        platform.hold_clock(false);
        result
    }

    /// Calls `act` with the model of a core, then sets its timer.
    fn with<R>(
        &mut self,
        platform: &mut dyn Platform,
        core: usize,
        now: u64,
        act: impl FnOnce(&mut dyn drm_os_host::Hardware, &mut Bus) -> R,
    ) -> R {
        let seat = &mut self.seats[core];
        let mut bus = Bus {
            platform,
            ram: &self.ram,
            trace: &self.trace,
            nodes: &self.nodes,
            name: &seat.name,
            first_line: seat.first_line,
            now,
            isolated: self.feed.as_ref().is_some_and(Feed::isolated),
            strayed: 0,
        };
        let hardware = seat.core.1.as_mut();
        let result = act(hardware, &mut bus);
        let next = hardware.next_event();
        if next != seat.timer {
            seat.timer = next;
            bus.platform.set_timer(core, next);
        }
        if let (Some(feed), 1..) = (&mut self.feed, bus.strayed) {
            feed.controller.gpu_strayed(bus.strayed);
        }
        result
    }

    fn record(&self, event: &Trace) {
        if let Some(trace) = &self.trace {
            trace.event(event, &self.nodes);
        }
    }

    /// Turns the power of all cores on or off.
    fn switch(&mut self, platform: &mut dyn Platform, now: u64, on: bool) {
        for core in 0..self.seats.len() {
            let dev = self.seats[core].name.clone();
            self.with(platform, core, now, |hardware, bus| {
                bus.record(&Trace::Power { t: now, dev, on });
                hardware.set_power(bus, now, on);
            });
        }
    }

    /// Runs the expired timers of the power controller.
    fn settle(&mut self, platform: &mut dyn Platform, now: u64) {
        let Some(feed) = &mut self.feed else { return };
        let (timer, power) = feed.settle(now);
        if let Some(at) = timer {
            platform.set_timer(self.seats.len(), at);
        }
        if let Some(on) = power {
            self.switch(platform, now, on);
        }
    }

    /// The guest is about to access a register of a core; returns whether the access reaches the
    /// core.
    fn touch(&mut self, platform: &mut dyn Platform, now: u64) -> bool {
        self.settle(platform, now);
        let Some(feed) = &mut self.feed else {
            return true;
        };
        feed.controller.gpu_touched();
        !feed.isolated()
    }

    /// Sets the initial state of the cores; called once, before all other functions.
    pub fn start(&mut self, platform: &mut dyn Platform) {
        let on = self.feed.as_ref().is_none_or(Feed::on);
        self.at_once(platform, |machine, platform, now| {
            machine.switch(platform, now, on)
        });
    }

    /// The guest reads a register, see [`Machine::windows`].
    pub fn read(&mut self, platform: &mut dyn Platform, window: usize, off: u32) -> u32 {
        self.at_once(platform, |machine, platform, now| {
            machine.read_at(platform, window, now, off)
        })
    }

    fn read_at(&mut self, platform: &mut dyn Platform, window: usize, now: u64, off: u32) -> u32 {
        let cores = self.seats.len();
        if let (Some(feed), Some(window)) = (&mut self.feed, window.checked_sub(cores)) {
            let (val, event) = feed.read(window, now, off);
            self.record(&event);
            self.settle(platform, now);
            return val;
        }
        let reached = self.touch(platform, now);
        let dev = self.seats[window].name.clone();
        self.with(platform, window, now, |hardware, bus| {
            let val = match reached {
                true => hardware.mmio_read(bus, now, off),
                false => 0,
            };
            bus.record(&Trace::MmioRead {
                t: now,
                dev,
                off,
                val,
            });
            val
        })
    }

    /// The guest writes a register, see [`Machine::windows`].
    pub fn write(&mut self, platform: &mut dyn Platform, window: usize, off: u32, val: u32) {
        self.at_once(platform, |machine, platform, now| {
            machine.write_at(platform, window, now, off, val);
        });
    }

    fn write_at(
        &mut self,
        platform: &mut dyn Platform,
        window: usize,
        now: u64,
        off: u32,
        val: u32,
    ) {
        let cores = self.seats.len();
        if let (Some(feed), Some(window)) = (&mut self.feed, window.checked_sub(cores)) {
            let event = feed.written(window, now, off, val);
            self.record(&event);
            if let Some(feed) = &mut self.feed {
                feed.controller.mmio_write(now, window, off, val);
            }
            self.settle(platform, now);
            return;
        }
        let reached = self.touch(platform, now);
        let dev = self.seats[window].name.clone();
        self.with(platform, window, now, |hardware, bus| {
            bus.record(&Trace::MmioWrite {
                t: now,
                dev,
                off,
                val,
            });
            if reached {
                hardware.mmio_write(bus, now, off, val);
            }
        });
    }

    /// The timer that [`Platform::set_timer`] set has expired.
    pub fn poll(&mut self, platform: &mut dyn Platform, timer: usize) {
        // The timer has expired, and must be set even if the model asks for the same time again.
        let cores = self.seats.len();
        match (&mut self.feed, self.seats.get_mut(timer)) {
            (_, Some(seat)) => seat.timer = None,
            (Some(feed), None) => feed.timer_went_off(),
            (None, None) => return,
        }
        self.at_once(platform, |machine, platform, now| {
            machine.settle(platform, now);
            if timer < cores {
                machine.with(platform, timer, now, |hardware, bus| {
                    hardware.poll(bus, now)
                });
            }
        });
    }

    /// The pin of the machine's GPIO controller that switches the regulator of the GPU's domain, if
    /// there is one.
    #[must_use]
    pub fn regulator(&self) -> Option<u32> {
        self.feed.as_ref()?.regulator().map(|pin| pin.number)
    }

    /// The level of that pin has changed.
    pub fn regulator_pin(&mut self, platform: &mut dyn Platform, high: bool) {
        self.at_once(platform, |machine, platform, now| {
            let Some(feed) = &mut machine.feed else {
                return;
            };
            if let Some(event) = feed.regulator_pin(now, high) {
                machine.record(&event);
            }
            machine.settle(platform, now);
        });
    }

    /// The guest writes into the mailbox, see [`config::MAILBOX`].
    pub fn mail(&mut self, platform: &dyn Platform, off: u32, val: u32) {
        match (off, &self.trace) {
            (config::MAIL_MARK, Some(trace)) => trace.mark(platform.now(), val),
            (config::MAIL_EXIT, _) => self.exit = Some(val),
            _ => (),
        }
    }

    /// The machine ends: writes trace and picture. The report has one line for each of: `exit N`,
    /// `error TEXT`, and for each core, and the power controller, `model DEV NAME=VALUE...`, see
    /// docs/crosscheck.md.
    #[must_use]
    pub fn finish(&mut self) -> String {
        let mut report = String::new();
        let mut record = |line: std::fmt::Arguments| {
            let _ = writeln!(report, "{line}");
        };
        if let Some(exit) = self.exit {
            record(format_args!("exit {exit}"));
        }
        for seat in &mut self.seats {
            for line in board_gpus::report(seat.core.1.as_mut()).lines() {
                record(format_args!("model {} {line}", seat.name));
            }
        }
        for line in self.feed.iter().flat_map(Feed::report) {
            record(format_args!("model {line}"));
        }
        if let Some(Err(error)) = self.trace.as_ref().map(|trace| trace.flush()) {
            record(format_args!("error trace: {error}"));
        }
        if let Some(path) = &self.png {
            let frames = self
                .seats
                .iter_mut()
                .filter_map(|seat| board_gpus::last_frame(seat.core.1.as_mut()));
            let written = match frames.max_by_key(|(at, _)| *at) {
                Some((_, frame)) => picture::write(path, &frame).map_err(|error| error.to_string()),
                None => Err("nothing was rendered".into()),
            };
            if let Err(why) = written {
                record(format_args!("error cannot write {}: {why}", path.display()));
            }
        }
        report
    }
}
