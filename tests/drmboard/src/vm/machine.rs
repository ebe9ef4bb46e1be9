// SPDX-License-Identifier: BSD-2-Clause
//! The models on somebody else's bus: what the library in QEMU does between its callbacks and the models.
//!
//! The one thing to know: as in a [`drm_os_host::World`], a trace line of a write comes before what the write does.
//! There is no power controller here: the GPU has power and clocks from the start.
//!
//! The machine's clock stands still while a model is at work: what the host takes to move the pixels of a draw is no time of
//! the draw. Else what comes after a long one would be due when it ends, and the guest, which waits for the machine meanwhile,
//! would find all of it done, and its deadlines gone by.

use super::config::{self, Config};
use crate::board::{self, Core};
use crate::trace::TraceFile;
use crate::{inject, picture};
use drm_os_host::{Dma, NoMemory, Node, Trace};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// The machine around the models.
pub trait Platform {
    /// The machine's clock in ns.
    fn now(&self) -> u64;
    /// Stops the machine's clock, or lets it go on.
    fn hold_clock(&mut self, hold: bool);
    /// Reads memory of the guest; false if there is none.
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> bool;
    /// Writes memory of the guest; false if there is none.
    fn write(&mut self, pa: u64, buf: &[u8]) -> bool;
    /// Drives an interrupt line; lines are counted over all cores.
    fn set_line(&mut self, line: usize, level: bool);
    /// Has [`Machine::poll`] called for `core` at the time given, in ns, or not at all.
    fn set_timer(&mut self, core: usize, at: Option<u64>);
}

/// One core on the bus.
struct Seat {
    core: Core,
    name: Arc<str>,
    /// Number of its line 0 among the lines of all cores.
    first_line: usize,
    /// What the timer was last set to.
    timer: Option<u64>,
}

/// All cores of a board, with what is kept of them.
pub struct Machine {
    seats: Vec<Seat>,
    nodes: Vec<Node>,
    ram: std::ops::Range<u64>,
    trace: Option<Arc<TraceFile>>,
    png: Option<PathBuf>,
    exit: Option<u32>,
}

/// The bus as the models see it, for one call.
struct Bus<'a> {
    platform: &'a mut dyn Platform,
    ram: &'a std::ops::Range<u64>,
    trace: &'a Option<Arc<TraceFile>>,
    nodes: &'a [Node],
    name: &'a Arc<str>,
    first_line: usize,
    now: u64,
}

impl Bus<'_> {
    fn tell(&self, event: &Trace) {
        if let Some(trace) = self.trace {
            trace.event(event, self.nodes);
        }
    }

    /// Only RAM: a device that reached for another device's registers would come back into the caller.
    fn within(&self, pa: u64, len: usize) -> bool {
        let end = pa.checked_add(len as u64);
        self.ram.start <= pa && end.is_some_and(|end| end <= self.ram.end)
    }

    fn checked(&self, ok: bool, pa: u64, len: usize, write: bool) -> Result<(), NoMemory> {
        if ok {
            return Ok(());
        }
        let (t, dev) = (self.now, self.name.clone());
        self.tell(&Trace::BadDma {
            t,
            dev,
            pa,
            len,
            write,
        });
        Err(NoMemory)
    }
}

impl Dma for Bus<'_> {
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> Result<(), NoMemory> {
        let ok = self.within(pa, buf.len()) && self.platform.read(pa, buf);
        self.checked(ok, pa, buf.len(), false)
    }

    fn write(&mut self, pa: u64, buf: &[u8]) -> Result<(), NoMemory> {
        let ok = self.within(pa, buf.len()) && self.platform.write(pa, buf);
        self.checked(ok, pa, buf.len(), true)
    }

    fn irq(&mut self, line: usize, level: bool) {
        let (t, dev) = (self.now, self.name.clone());
        self.tell(&Trace::Irq { t, dev, line, level });
        self.platform.set_line(self.first_line + line, level);
    }
}

impl Machine {
    /// The board's models, with the faults planted.
    ///
    /// # Errors
    /// A sentence: no such board, no such fault, or the trace cannot be written.
    pub fn new(config: &Config) -> Result<Machine, String> {
        let mut cores = board::cores(&config.board);
        if cores.is_empty() {
            return Err(format!("no board {}", config.board));
        }
        for spec in &config.inject {
            let planted = inject::parse(spec)?;
            let core = cores.get_mut(planted.core);
            let (_, hardware) = core.ok_or_else(|| format!("--inject {spec}: no such core"))?;
            if !board::plant(hardware.as_mut(), planted) {
                return Err(format!("--inject {spec}: the model has no such fault"));
            }
        }
        let trace = match &config.trace {
            Some(path) => Some(TraceFile::create(path).map_err(|e| format!("{}: {e}", path.display()))?),
            None => None,
        };
        let nodes = cores.iter().map(|(node, _)| node.clone()).collect();
        let mut lines = 0;
        let mut seats = Vec::new();
        for mut core in cores {
            board::set_capture(core.1.as_mut(), config.png.is_some());
            board::scale_work(core.1.as_mut(), config.work_scale);
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
            nodes,
            ram: config::RAM_BASE..config::RAM_BASE + (config.ram_mib << 20),
            trace,
            png: config.png.clone(),
            exit: None,
        })
    }

    /// Bytes of each core's register window, in the order of the device tree.
    pub fn windows(&self) -> impl Iterator<Item = u32> + '_ {
        self.nodes.iter().map(|node| node.mmio_len)
    }

    /// Number of interrupt lines of all cores.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.nodes.iter().map(|node| node.irqs.len()).sum()
    }

    /// Does `act` with the model of a core, then sets its timer.
    fn with<R>(
        &mut self,
        platform: &mut dyn Platform,
        core: usize,
        act: impl FnOnce(&mut dyn drm_os_host::Hardware, &mut Bus) -> R,
    ) -> R {
        platform.hold_clock(true);
        let now = platform.now();
        let seat = &mut self.seats[core];
        let mut bus = Bus {
            platform,
            ram: &self.ram,
            trace: &self.trace,
            nodes: &self.nodes,
            name: &seat.name,
            first_line: seat.first_line,
            now,
        };
        let hardware = seat.core.1.as_mut();
        let result = act(hardware, &mut bus);
        let next = hardware.next_event();
        if next != seat.timer {
            seat.timer = next;
            bus.platform.set_timer(core, next);
        }
        bus.platform.hold_clock(false);
        result
    }

    /// Switches everything on; comes once, before anything else.
    pub fn start(&mut self, platform: &mut dyn Platform) {
        for core in 0..self.seats.len() {
            let dev = self.seats[core].name.clone();
            self.with(platform, core, |hardware, bus| {
                let t = bus.now;
                bus.tell(&Trace::Power { t, dev, on: true });
                hardware.set_power(bus, t, true);
            });
        }
    }

    /// The guest reads a register of a core.
    pub fn read(&mut self, platform: &mut dyn Platform, core: usize, off: u32) -> u32 {
        let dev = self.seats[core].name.clone();
        self.with(platform, core, |hardware, bus| {
            let t = bus.now;
            let val = hardware.mmio_read(bus, t, off);
            bus.tell(&Trace::MmioRead { t, dev, off, val });
            val
        })
    }

    /// The guest writes a register of a core.
    pub fn write(&mut self, platform: &mut dyn Platform, core: usize, off: u32, val: u32) {
        let dev = self.seats[core].name.clone();
        self.with(platform, core, |hardware, bus| {
            let t = bus.now;
            bus.tell(&Trace::MmioWrite { t, dev, off, val });
            hardware.mmio_write(bus, t, off, val);
        });
    }

    /// The time that [`Platform::set_timer`] was given has come.
    pub fn poll(&mut self, platform: &mut dyn Platform, core: usize) {
        // It went off, and has to be set even if the model asks for the same time again.
        self.seats[core].timer = None;
        self.with(platform, core, |hardware, bus| {
            let now = bus.now;
            hardware.poll(bus, now);
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

    /// The machine goes: writes trace and picture. The report has one line per thing to tell: `exit N`, `error TEXT`, and for
    /// each core `model DEV NAME=VALUE...`, see docs/crosscheck.md.
    #[must_use]
    pub fn finish(&mut self) -> String {
        let mut report = String::new();
        let mut tell = |line: std::fmt::Arguments| {
            let _ = writeln!(report, "{line}");
        };
        if let Some(exit) = self.exit {
            tell(format_args!("exit {exit}"));
        }
        for seat in &mut self.seats {
            for line in board::report(seat.core.1.as_mut()) {
                tell(format_args!("model {} {line}", seat.name));
            }
        }
        if let Some(Err(error)) = self.trace.as_ref().map(|trace| trace.flush()) {
            tell(format_args!("error trace: {error}"));
        }
        if let Some(path) = &self.png {
            let frames = self
                .seats
                .iter_mut()
                .filter_map(|seat| board::last_frame(seat.core.1.as_mut()));
            let written = match frames.max_by_key(|(at, _)| *at) {
                Some((_, frame)) => picture::write(path, &frame).map_err(|error| error.to_string()),
                None => Err("nothing was rendered".into()),
            };
            if let Err(why) = written {
                tell(format_args!("error {} is not written: {why}", path.display()));
            }
        }
        report
    }
}

#[cfg(test)]
mod tests;
