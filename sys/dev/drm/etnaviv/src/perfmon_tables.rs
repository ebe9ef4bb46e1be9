// SPDX-License-Identifier: BSD-2-Clause
//! Performance counters: domains of each pipe, and the signals in them.
//!
//! Positions in the tables and names are user ABI. A client enumerates domains by an index over all
//! pipes of a core ([`domain`]); a submit names them by the index in its pipe ([`Pipe::domains`]).
//!
//! Source of names, registers and selectors: rnndb `state_hi.xml`; their order is that of Linux.

use crate::features::Features;
use crate::hwdb::{self, Quirks};
use crate::regs::{hi, mc};
use Sample::{IdleCycles, ReadPipes, Select, SelectPipes, TotalCycles};

/// How a signal is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sample {
    /// The selector is written to the domain's `config`, the counter is read from its `read`.
    Select(u32),
    /// The same for each pixel pipe in turn, and the sum. Pipe 0 must be selected afterwards,
    /// otherwise the GPU hangs.
    SelectPipes(u32),
    /// The register is read for each pixel pipe in turn, and the sum; pipe 0 as above.
    ReadPipes(u32),
    /// The register that [`total_cycles`] names.
    TotalCycles,
    /// The register that [`idle_cycles`] names.
    IdleCycles,
}

/// A counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal {
    /// Its name.
    pub name: &'static str,
    /// How it is read.
    pub sample: Sample,
}

/// Counters of one unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Domain {
    /// Its name.
    pub name: &'static str,
    /// The register with the selected counter.
    pub read: u32,
    /// The register that selects a counter.
    pub config: u32,
    /// The counters.
    pub signals: &'static [Signal],
}

/// The pipe that a submit runs on; the values are user ABI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pipe {
    /// 3D.
    Three = 0,
    /// 2D.
    Two = 1,
    /// Vector graphics.
    Vector = 2,
}

/// `value` in the byte of a selector that belongs to a unit, 0 to 3.
const fn byte(unit: u32, value: u32) -> u32 {
    match unit {
        0 => value,
        1 => value << 8,
        2 => value << 16,
        _ => value << 24,
    }
}

const fn signal(name: &'static str, sample: Sample) -> Signal {
    Signal { name, sample }
}

const HI: &[Signal] = &[
    signal("TOTAL_READ_BYTES8", ReadPipes(hi::PROFILE_READ_BYTES8)),
    signal("TOTAL_WRITE_BYTES8", ReadPipes(hi::PROFILE_WRITE_BYTES8)),
    signal("TOTAL_CYCLES", TotalCycles),
    signal("IDLE_CYCLES", IdleCycles),
    signal("AXI_CYCLES_READ_REQUEST_STALLED", Select(byte(1, 0))),
    signal("AXI_CYCLES_WRITE_REQUEST_STALLED", Select(byte(1, 1))),
    signal("AXI_CYCLES_WRITE_DATA_STALLED", Select(byte(1, 2))),
];

const PE: &[Signal] = &[
    signal("PIXEL_COUNT_KILLED_BY_COLOR_PIPE", SelectPipes(byte(2, 0))),
    signal("PIXEL_COUNT_KILLED_BY_DEPTH_PIPE", SelectPipes(byte(2, 1))),
    signal("PIXEL_COUNT_DRAWN_BY_COLOR_PIPE", SelectPipes(byte(2, 2))),
    signal("PIXEL_COUNT_DRAWN_BY_DEPTH_PIPE", SelectPipes(byte(2, 3))),
];

const SH: &[Signal] = &[
    signal("SHADER_CYCLES", Select(byte(3, 4))),
    signal("PS_INST_COUNTER", Select(byte(3, 7))),
    signal("RENDERED_PIXEL_COUNTER", Select(byte(3, 8))),
    signal("VS_INST_COUNTER", SelectPipes(byte(3, 9))),
    signal("RENDERED_VERTICE_COUNTER", SelectPipes(byte(3, 10))),
    signal("VTX_BRANCH_INST_COUNTER", SelectPipes(byte(3, 11))),
    signal("VTX_TEXLD_INST_COUNTER", SelectPipes(byte(3, 12))),
    signal("PXL_BRANCH_INST_COUNTER", SelectPipes(byte(3, 13))),
    signal("PXL_TEXLD_INST_COUNTER", SelectPipes(byte(3, 14))),
];

const PA: &[Signal] = &[
    signal("INPUT_VTX_COUNTER", Select(byte(0, 3))),
    signal("INPUT_PRIM_COUNTER", Select(byte(0, 4))),
    signal("OUTPUT_PRIM_COUNTER", Select(byte(0, 5))),
    signal("DEPTH_CLIPPED_COUNTER", SelectPipes(byte(0, 6))),
    signal("TRIVIAL_REJECTED_COUNTER", SelectPipes(byte(0, 7))),
    signal("CULLED_COUNTER", SelectPipes(byte(0, 8))),
];

const SE: &[Signal] = &[
    signal("CULLED_TRIANGLE_COUNT", Select(byte(1, 0))),
    signal("CULLED_LINES_COUNT", Select(byte(1, 1))),
];

const RA: &[Signal] = &[
    signal("VALID_PIXEL_COUNT", Select(byte(2, 0))),
    signal("TOTAL_QUAD_COUNT", Select(byte(2, 1))),
    signal("VALID_QUAD_COUNT_AFTER_EARLY_Z", Select(byte(2, 2))),
    signal("TOTAL_PRIMITIVE_COUNT", Select(byte(2, 3))),
    signal("PIPE_CACHE_MISS_COUNTER", Select(byte(2, 9))),
    signal("PREFETCH_CACHE_MISS_COUNTER", Select(byte(2, 10))),
    signal("CULLED_QUAD_COUNT", Select(byte(2, 11))),
];

const TX: &[Signal] = &[
    signal("TOTAL_BILINEAR_REQUESTS", Select(byte(3, 0))),
    signal("TOTAL_TRILINEAR_REQUESTS", Select(byte(3, 1))),
    signal("TOTAL_DISCARDED_TEXTURE_REQUESTS", Select(byte(3, 2))),
    signal("TOTAL_TEXTURE_REQUESTS", Select(byte(3, 3))),
    signal("MEM_READ_COUNT", Select(byte(3, 5))),
    signal("MEM_READ_IN_8B_COUNT", Select(byte(3, 6))),
    signal("CACHE_MISS_COUNT", Select(byte(3, 7))),
    signal("CACHE_HIT_TEXEL_COUNT", Select(byte(3, 8))),
    signal("CACHE_MISS_TEXEL_COUNT", Select(byte(3, 9))),
];

const MC: &[Signal] = &[
    signal("TOTAL_READ_REQ_8B_FROM_PIPELINE", Select(byte(0, 1))),
    signal("TOTAL_READ_REQ_8B_FROM_IP", Select(byte(0, 2))),
    signal("TOTAL_WRITE_REQ_8B_FROM_PIPELINE", Select(byte(0, 3))),
];

const PE_2D: &[Signal] = &[signal("PIXELS_RENDERED_2D", SelectPipes(byte(2, 11)))];

const fn domain_of(
    name: &'static str,
    read: u32,
    config: u32,
    signals: &'static [Signal],
) -> Domain {
    Domain {
        name,
        read,
        config,
        signals,
    }
}

static DOMAINS_3D: [Domain; 8] = [
    domain_of("HI", mc::PROFILE_HI_READ, mc::PROFILE_CONFIG2, HI),
    domain_of("PE", mc::PROFILE_PE_READ, mc::PROFILE_CONFIG0, PE),
    domain_of("SH", mc::PROFILE_SH_READ, mc::PROFILE_CONFIG0, SH),
    domain_of("PA", mc::PROFILE_PA_READ, mc::PROFILE_CONFIG1, PA),
    domain_of("SE", mc::PROFILE_SE_READ, mc::PROFILE_CONFIG1, SE),
    domain_of("RA", mc::PROFILE_RA_READ, mc::PROFILE_CONFIG1, RA),
    domain_of("TX", mc::PROFILE_TX_READ, mc::PROFILE_CONFIG1, TX),
    domain_of("MC", mc::PROFILE_MC_READ, mc::PROFILE_CONFIG2, MC),
];

static DOMAINS_2D: [Domain; 1] = [domain_of(
    "PE",
    mc::PROFILE_PE_READ,
    mc::PROFILE_CONFIG0,
    PE_2D,
)];

impl Pipe {
    /// In the order of indices over all pipes.
    const ALL: [Pipe; 3] = [Pipe::Three, Pipe::Two, Pipe::Vector];

    /// The pipe that a submit names by `exec_state`.
    pub fn of(exec_state: u32) -> Option<Pipe> {
        match exec_state {
            0 => Some(Pipe::Three),
            1 => Some(Pipe::Two),
            2 => Some(Pipe::Vector),
            _ => None,
        }
    }

    /// Its number, which PIPE_SELECT takes, too.
    pub fn number(self) -> u32 {
        match self {
            Pipe::Three => 0,
            Pipe::Two => 1,
            Pipe::Vector => 2,
        }
    }

    /// What a core has that has it.
    pub fn feature(self) -> Features {
        match self {
            Pipe::Three => Features::PIPE_3D,
            Pipe::Two => Features::PIPE_2D,
            Pipe::Vector => Features::PIPE_VG,
        }
    }

    /// Its domains.
    pub fn domains(self) -> &'static [Domain] {
        match self {
            Pipe::Three => &DOMAINS_3D,
            Pipe::Two => &DOMAINS_2D,
            Pipe::Vector => &[],
        }
    }
}

/// All domains of a core with `features`, in order.
pub fn domains(features: Features) -> impl Iterator<Item = &'static Domain> {
    let there = Pipe::ALL
        .into_iter()
        .filter(move |pipe| features.contains(pipe.feature()));
    there.flat_map(Pipe::domains)
}

/// The domain with an index over all pipes of a core with `features`.
pub fn domain(features: Features, index: usize) -> Option<&'static Domain> {
    domains(features).nth(index)
}

/// The register with the cycles of a core.
pub fn total_cycles(model: u32, revision: u32) -> u32 {
    match hwdb::quirks(model, revision).contains(Quirks::MC_CYCLES) {
        true => mc::PROFILE_CYCLE_COUNTER,
        false => hi::PROFILE_TOTAL_CYCLES,
    }
}

/// The register with the idle cycles of a core.
pub fn idle_cycles(model: u32, revision: u32) -> u32 {
    match hwdb::quirks(model, revision).contains(Quirks::MC_CYCLES) {
        true => hi::PROFILE_TOTAL_CYCLES,
        false => hi::PROFILE_IDLE_CYCLES,
    }
}

#[cfg(test)]
mod tests {

    extern crate std;

    use super::*;
    use std::vec::Vec;

    #[test]
    fn tables_are_as_clients_know_them() {
        let all = Features::PIPE_3D | Features::PIPE_2D | Features::PIPE_VG;
        let sizes = |features| {
            domains(features)
                .map(|domain| (domain.name, domain.signals.len()))
                .collect::<Vec<_>>()
        };
        let three = [
            ("HI", 7),
            ("PE", 4),
            ("SH", 9),
            ("PA", 6),
            ("SE", 2),
            ("RA", 7),
            ("TX", 9),
            ("MC", 3),
        ];
        assert_eq!(sizes(Features::PIPE_3D), three);
        assert_eq!(sizes(Features::PIPE_2D), [("PE", 1)]);
        assert_eq!(sizes(Features::PIPE_VG), []);
        assert_eq!(sizes(all).len(), 9);
        assert_eq!(domain(all, 8).map(|domain| domain.signals), Some(PE_2D));
        assert_eq!(domain(all, 9), None);
        assert_eq!(domain(Features::PIPE_2D, 0), Pipe::Two.domains().first());
        for (number, pipe) in (0..3).zip([Pipe::Three, Pipe::Two, Pipe::Vector]) {
            assert_eq!(Pipe::of(number), Some(pipe));
        }
        assert_eq!(Pipe::of(3), None);
    }

    #[test]
    fn names_fit_and_differ_and_selectors_stay_in_the_domains_byte() {
        let bytes = [
            ("HI", 1),
            ("PE", 2),
            ("SH", 3),
            ("PA", 0),
            ("SE", 1),
            ("RA", 2),
            ("TX", 3),
            ("MC", 0),
        ];
        for domain in DOMAINS_3D.iter().chain(&DOMAINS_2D) {
            assert!(
                (0x448..=0x46c).contains(&domain.read) && (0x470..=0x478).contains(&domain.config)
            );
            let unit = bytes
                .iter()
                .find(|(name, _)| *name == domain.name)
                .map(|(_, unit)| 8 * unit)
                .unwrap();
            for (i, signal) in domain.signals.iter().enumerate() {
                assert!(signal.name.len() < 64);
                assert!(domain
                    .signals
                    .iter()
                    .take(i)
                    .all(|other| other.name != signal.name && other.sample != signal.sample));
                if let Select(value) | SelectPipes(value) = signal.sample {
                    assert_eq!(value & !(0xff << unit), 0, "{}", signal.name);
                    assert!(value >> unit < 15, "{}: 15 resets", signal.name);
                }
            }
        }
    }

    #[test]
    fn cycles_are_counted_elsewhere_on_some_cores() {
        for model in [0x880, 0x2000, 0x2100] {
            assert_eq!(
                (total_cycles(model, 0x5108), idle_cycles(model, 0x5108)),
                (0x438, 0x78)
            );
        }
        assert_eq!(
            (total_cycles(0x7000, 0x6214), idle_cycles(0x7000, 0x6214)),
            (0x78, 0x7c)
        );
    }
}
