// SPDX-License-Identifier: BSD-2-Clause
//! Execution of the front end's commands. The effects of loading a state are in
//! [`actions`](super::actions).

use super::command::{self, op};
use super::draw::{self, Command};
use super::fe::{Flow, State};
use super::inject::Armed;
use super::mmu::Client;
use super::pipe::{Unit, Work};
use super::regs::fe as reg;
use super::states::fixp_to_float;
use super::{de, Vivante};
use crate::bus::Bus;

impl Vivante {
    pub(super) fn command(&mut self, bus: &mut dyn Bus, at: u32, words: &[u32]) -> Flow {
        let header = words[0];
        let opcode = header >> 27;
        self.fe.command_state = match opcode {
            op::LOAD_STATE => reg::CMD_LOAD0,
            op::END => reg::CMD_END,
            op::WAIT => reg::CMD_WAIT,
            op::LINK | op::CALL | op::RETURN => reg::CMD_LINK,
            op::STALL => reg::CMD_STALL,
            op::DRAW_2D => reg::CMD_2DRECT0,
            op::NOP | op::CHIP_SELECT | op::SNAP_PAGES | op::WAIT_FENCE => reg::CMD_DEC,
            _ => reg::CMD_DRAW,
        };
        match opcode {
            op::LOAD_STATE => return self.load_states(bus, header, &words[1..]),
            op::END => {
                if header >> 8 & 1 != 0 {
                    self.raise_event(header & 0x1f);
                }
                self.fe.fifo.clear();
                self.fe.address = at.wrapping_add(8);
                self.fe.remaining = 0;
                self.fe.command_control &= !reg::COMMAND_ENABLE;
                self.fe.state = State::Idle;
                return Flow::Stop;
            }
            op::WAIT => return self.wait(bus, at, words),
            op::LINK => return self.link(words[1], header & 0xffff),
            op::CALL => {
                if self.fe.returns.is_some() {
                    self.stats.protocol("nested call");
                }
                let flow = self.link(words[1], header & 0xffff);
                self.fe.returns = Some((words[2] & 0xffff, words[3]));
                return flow;
            }
            op::RETURN => {
                let Some((prefetch, address)) = self.fe.returns.take() else {
                    self.stats.protocol("return without a call");
                    self.fe.state = State::Hung;
                    return Flow::Stop;
                };
                self.fe.jump(address, prefetch);
            }
            op::STALL => return self.stall((words[1] & 0x1f, words[1] >> 8 & 0x1f)),
            op::CHIP_SELECT => self.fe.selected = header & 1 != 0,
            op::WAIT_FENCE => {
                let period = self.cycles_ns(u64::from(header & 0xffff)).max(100);
                self.poll_fence(bus, period, words[1]);
                return Flow::Stop;
            }
            op::NOP | op::SNAP_PAGES => (),
            _ if !self.fe.selected => (),
            op::DRAW_2D => {
                let draw =
                    de::Op::decode(&self.states, &words[2..2 + 2 * command::rectangles(header)]);
                if !self.identity.has_2d {
                    self.stats.protocol("2D command on a core without 2D");
                }
                if self.job_hangs() {
                    return Flow::Stop;
                }
                let ns = self.copy_ns(draw.pixels());
                self.units[0].push(Work::De(Box::new(draw)), ns);
            }
            _ => return self.draw(bus, words),
        }
        Flow::Next
    }

    fn wait(&mut self, bus: &mut dyn Bus, at: u32, words: &[u32]) -> Flow {
        let mut cost = 0;
        let ns = self.cycles_ns(u64::from(words[0] & 0xffff)).max(1);
        if self.fe.fifo.len() < 2 && self.fe.remaining > 0 && !self.need(bus, 2, &mut cost) {
            return Flow::Stop;
        }
        let link = (self.fe.fifo.front().copied(), self.fe.fifo.get(1).copied());
        self.fe.state = State::Wait(self.now + ns);
        if let (Some(header), Some(target)) = link {
            // Any other command after the WAIT is executed when the WAIT has ended.
            if header >> 27 == op::LINK && target & !7 == at && header & 0xffff >= 2 {
                self.fe.link_ns = self.timing.fetch_ns + 2 * self.timing.word_ns;
                let period = ns + self.fe.link_ns;
                self.fe.idle = (at, [words[0], 0, header, target]);
                self.fe.state = State::IdleLoop {
                    next: self.now + period,
                    period,
                };
            }
        }
        Flow::Stop
    }

    /// Executes the LINK of the idle loop: fetches WAIT and LINK again.
    pub(super) fn poll_idle(&mut self, bus: &mut dyn Bus, next: u64, period: u64) {
        let (at, old) = self.fe.idle;
        self.stats.commands[op::LINK as usize] += 1;
        // Injected faults count transfers of jobs, not of the idle loop.
        let armed = Armed {
            bus_error: self.armed.bus_error.take(),
            exception: self.armed.exception.take(),
            ..Armed::default()
        };
        let mut bytes = [0; 16];
        let result = self.mem(bus).read(Client::Fe, at, &mut bytes);
        self.armed.bus_error = armed.bus_error;
        self.armed.exception = armed.exception;
        if let Err(stop) = result {
            self.fe.state = State::Hung;
            self.halt(stop);
            return;
        }
        let word = |n: usize| {
            u32::from_le_bytes([
                bytes[4 * n],
                bytes[4 * n + 1],
                bytes[4 * n + 2],
                bytes[4 * n + 3],
            ])
        };
        if word(0) == old[0] && word(2) == old[2] && word(3) == old[3] {
            self.stats.commands[op::WAIT as usize] += 1;
            let turns = (self.target.max(next) - next) / period + 1;
            self.fe.state = State::IdleLoop {
                next: next + turns * period,
                period,
            };
            return;
        }
        self.fe.jump(at, old[2] & 0xffff);
        self.fe.state = State::Run(self.now);
    }

    fn link(&mut self, target: u32, prefetch: u32) -> Flow {
        self.stats.jumps += 1;
        if prefetch == 0 {
            self.stats.protocol("jump without prefetch");
        }
        self.fe.jump(target, prefetch);
        let caught = self
            .armed
            .hang_at
            .is_some_and(|(first, last)| (first..=last).contains(&target));
        if caught {
            self.stats.injected += 1;
            self.fe.state = State::Hung;
            return Flow::Stop;
        }
        if self.job_hangs() {
            return Flow::Stop;
        }
        Flow::Next
    }

    /// Called before a command that makes up a job. Returns whether an injected hang applies to it.
    pub(super) fn job_hangs(&mut self) -> bool {
        let hangs = std::mem::take(&mut self.armed.hang);
        if hangs {
            self.stats.injected += 1;
            self.fe.state = State::Hung;
        }
        // HW: etnaviv.md 2.12: work with another pixel pipe selected for debug hangs.
        if !hangs && self.host.debug_pipe() != 0 {
            self.stats.protocol("job with a debug pixel pipe selected");
            self.fe.state = State::Hung;
            return true;
        }
        hangs
    }

    pub(super) fn stall(&mut self, pair: (u32, u32)) -> Flow {
        let Some(count) = self.tokens.stall(pair) else {
            self.stats.protocol("stall without semaphore");
            self.fe.state = State::Hung;
            return Flow::Stop;
        };
        if self.tokens.is_reached(pair, count) {
            return Flow::Next;
        }
        self.fe.state = State::Stall { pair, count };
        Flow::Stop
    }

    /// HW: state.xml.h FE_FENCE_WAIT_DATA_LOW: waits until the memory at the address holds the
    /// word.
    pub(super) fn poll_fence(&mut self, bus: &mut dyn Bus, period: u64, va: u32) {
        let wanted = self.states.get(reg::FENCE_WAIT_DATA_LOW);
        match self.mem(bus).word(Client::Fe, va) {
            Ok(value) if value.wrapping_sub(wanted) as i32 >= 0 => {
                self.fe.state = State::Run(self.now + 1);
            }
            Ok(_) => {
                // With all units idle, nothing in this call can change the word.
                let idle = self.units.iter().all(Unit::is_idle);
                let from = if idle { self.target } else { self.now };
                self.fe.state = State::Fence {
                    next: from.max(self.now) + period,
                    period,
                    va,
                };
            }
            Err(stop) => {
                self.fe.state = State::Hung;
                self.halt(stop);
            }
        }
    }

    fn load_states(&mut self, bus: &mut dyn Bus, header: u32, values: &[u32]) -> Flow {
        if !self.fe.selected {
            return Flow::Next;
        }
        let mut flow = Flow::Next;
        for (n, value) in values.iter().enumerate() {
            let address = ((header & 0xffff) + n as u32) % 0x1_0000 * 4;
            let value = if header >> 26 & 1 != 0 {
                fixp_to_float(*value)
            } else {
                *value
            };
            self.stats.states_loaded.set(address);
            // A state load that stops the front end does so after the rest of its command.
            if self.load_state(bus, address, value) == Flow::Stop {
                flow = Flow::Stop;
            }
        }
        flow
    }

    fn draw(&mut self, bus: &mut dyn Bus, words: &[u32]) -> Flow {
        let header = words[0];
        let command = match header >> 27 {
            op::DRAW_PRIMITIVES | op::DRAW_INDEXED => Command {
                kind: words[1] & 0xff,
                start: words[2],
                vertices: draw::vertices_of(words[1] & 0xff, words[3]),
                instances: 1,
                indexed: header >> 27 == op::DRAW_INDEXED,
                indirect: None,
            },
            op::DRAW_INSTANCED => Command {
                kind: header >> 16 & 0xf,
                start: words[2],
                vertices: words[1] & 0xff_ffff,
                instances: header & 0xffff | words[1] >> 24 << 16,
                indexed: header >> 20 & 1 != 0,
                indirect: None,
            },
            _ => {
                // The arguments in memory are count, instances, first.
                let mut read =
                    |n: u32| self.mem(bus).word(Client::Fe, words[1].wrapping_add(n * 4));
                let arguments = (read(0), read(1), read(2));
                let (Ok(vertices), Ok(instances), Ok(start)) = arguments else {
                    let stops = [arguments.0.err(), arguments.1.err(), arguments.2.err()];
                    if let Some(stop) = stops.into_iter().flatten().next() {
                        self.fe.state = State::Hung;
                        self.halt(stop);
                    }
                    return Flow::Stop;
                };
                Command {
                    kind: header & 0xf,
                    start,
                    vertices,
                    instances,
                    indexed: header >> 8 & 1 != 0,
                    indirect: Some(words[1]),
                }
            }
        };
        if !self.identity.has_3d {
            self.stats.protocol("draw on a core without 3D");
        }
        if !(1..=8).contains(&command.kind) {
            self.stats.decode("primitive type", command.kind);
        }
        if self.job_hangs() {
            return Flow::Stop;
        }
        let draw = draw::Op::decode(&self.states, &self.identity, command);
        let vertices = u64::from(command.vertices) * u64::from(command.instances.max(1));
        let ns = vertices.saturating_mul(self.timing.vertex_ns);
        let ns = self.timing.draw_ns.max(1).saturating_add(ns);
        self.units[0].push(Work::Draw(Box::new(draw)), ns);
        Flow::Next
    }
}
