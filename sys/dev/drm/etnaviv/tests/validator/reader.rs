// SPDX-License-Identifier: BSD-2-Clause
//! A second reader of command streams, slow and written independently of the validator: it computes
//! what the front end does.
//!
//! It has a list of what is harmful, not of what is allowed: the states that a client must never
//! load.

use std::ops::Range;
use std::sync::OnceLock;

use etnaviv::stream::Reloc;

/// Bytes of state space.
const SPACE: usize = 0x4_0000;

/// Registers that no client may write, as byte addresses (rnndb `state_hi.xml`, `state.xml`,
/// `state_blt.xml`).
///
/// State 0 is not among them: libdrm's `etnaviv_2d_test` loads 0 into it as padding, which has no
/// effect on any board.
pub(crate) const GUARDED: &[Range<usize>] = &[
    0x0_0004..0x0_0600, // host interface, power, MMU, memory controller
    0x0_0654..0x0_0674, // the front end's ring
    0x0_07dc..0x0_07ec, // descriptor ring, fences
    0x0_07f4..0x0_07f8,
    0x0_3800..0x0_3808, // pipe, events
    0x0_3868..0x0_3870, // fences
    0x0_3898..0x0_389c,
    0x0_3938..0x0_3944, // on-chip memory
    0x1_40a4..0x1_40ac, // fences of the blit engine
    0x1_40b4..0x1_40b8,
];

/// Registers that hold addresses, as byte addresses (type VIVM in rnndb).
const ADDRESSES: &[Range<usize>] = &[
    0x00644..0x00648,
    0x0064c..0x00650,
    0x00680..0x006a0,
    0x007f8..0x007fc,
    0x0086c..0x00870,
    0x01028..0x0102c,
    0x01200..0x01204,
    0x01228..0x0122c,
    0x01238..0x0123c,
    0x01284..0x01288,
    0x0128c..0x01290,
    0x01304..0x01308,
    0x01310..0x01314,
    0x01318..0x0131c,
    0x01410..0x01414,
    0x01430..0x01434,
    0x01458..0x0145c,
    0x01460..0x014a0,
    0x014c4..0x014c8,
    0x01500..0x01560,
    0x01608..0x0160c,
    0x01610..0x01614,
    0x01658..0x01660,
    0x01664..0x0166c,
    0x01680..0x01684,
    0x01688..0x0168c,
    0x01690..0x01694,
    0x01698..0x0169c,
    0x016a4..0x016a8,
    0x016c0..0x01700,
    0x01740..0x01760,
    0x017c0..0x01800,
    0x01a80..0x01aa0,
    0x02400..0x02780,
    0x03824..0x03828,
    0x10800..0x11000,
    0x12800..0x12810,
    0x128a0..0x128b0,
    0x128c0..0x128d0,
    0x12970..0x12980,
    0x12a00..0x12a20,
    0x12b40..0x12b60,
    0x12b80..0x12ba0,
    0x12ce0..0x12d00,
    0x14000..0x14004,
    0x14010..0x14014,
    0x14018..0x1401c,
    0x14020..0x14024,
    0x14074..0x14078,
    0x1407c..0x14080,
    0x14084..0x14088,
    0x1408c..0x14090,
    0x140c0..0x140f8,
    0x14334..0x14338,
    0x14600..0x14640,
    0x146c0..0x14700,
    0x14800..0x14900,
    0x149c0..0x149e0,
    0x15c00..0x15e00,
];

/// The kind of a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Other,
    Guarded,
    Address,
}

/// The kind of the register at a byte address.
pub(crate) fn kind(address: usize) -> Kind {
    static KINDS: OnceLock<Vec<Kind>> = OnceLock::new();
    let kinds = KINDS.get_or_init(|| {
        let mut kinds = vec![Kind::Other; SPACE];
        for range in ADDRESSES {
            kinds[range.clone()].fill(Kind::Address);
        }
        for range in GUARDED {
            kinds[range.clone()].fill(Kind::Guarded);
        }
        kinds
    });
    kinds[address % SPACE]
}

/// An action of the front end that a client's stream must not cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// It executes a command that jumps, ends or waits, or is unknown: opcode.
    Command(u32),
    /// It reads after the end of the stream.
    Overrun,
    /// It writes a guarded register: byte address.
    Guarded(usize),
    /// It uses an address without a relocation: byte address of the register.
    OwnAddress(usize),
    /// A relocation changes a word that decides what is executed: byte offset.
    Relocated(usize),
    /// It leaves a semaphore, which would end a later stall: byte offset of the token.
    Semaphore(usize),
}

/// What the front end does with a stream.
#[derive(Default, Debug)]
pub(crate) struct Run {
    /// Byte offsets of the headers.
    pub(crate) headers: Vec<usize>,
    /// Byte offset and register of every value that is loaded.
    pub(crate) values: Vec<(usize, usize)>,
}

/// Executes a stream, command by command, as the front end does. `shared` is whether the client
/// shares its VM with others; `relocs` are the relocations that are applied before.
///
/// # Errors
///
/// The first harm.
pub(crate) fn execute(stream: &[u32], relocs: &[Reloc], shared: bool) -> Result<Run, Harm> {
    let at = |offset: usize| stream.get(offset / 4).copied();
    let end = stream.len() * 4;
    let covers = |offset: usize| {
        relocs
            .iter()
            .any(|reloc| reloc.submit_offset as usize == offset)
    };
    let mut is_value = vec![false; end];
    let mut run = Run::default();
    let mut left = Vec::new();
    let mut offset = 0;
    while offset < end {
        let header = at(offset).ok_or(Harm::Overrun)?;
        run.headers.push(offset);
        let mut bytes = 4;
        match header / (1 << 27) {
            1 => {
                let count = (header / (1 << 16)) % 1024;
                let count = if count == 0 { 1024 } else { count as usize };
                let float = header & 0x0400_0000 != 0;
                for i in 0..count {
                    let register = ((header & 0xffff) as usize * 4 + i * 4) % SPACE;
                    let from = offset + 4 + 4 * i;
                    if from >= end {
                        return Err(Harm::Overrun);
                    }
                    if register == 0x3808 && (count != 1 || float || !is_awaited(stream, offset)) {
                        left.push(from);
                    }
                    match kind(register) {
                        Kind::Guarded => return Err(Harm::Guarded(register)),
                        Kind::Address if shared && (float || !covers(from)) => {
                            return Err(Harm::OwnAddress(register));
                        }
                        _ => {}
                    }
                    is_value[from] = true;
                    run.values.push((from, register));
                }
                bytes += 4 * count;
            }
            3 => {}
            4 => {
                let rectangles = (header / 256) % 256;
                let data = (header / 65536) % 2048;
                // The unit of the count is uncertain, so the end of the command is, too.
                if data != 0 {
                    return Err(Harm::Command(4));
                }
                bytes += 4 + 8 * if rectangles == 0 {
                    256
                } else {
                    rectangles as usize
                };
            }
            5 | 12 => bytes += 12,
            6 => bytes += 16,
            9 => bytes += 4,
            16 if !shared => bytes += 4,
            opcode => return Err(Harm::Command(opcode)),
        }
        // Commands begin at multiples of 64 bits.
        offset += bytes.div_ceil(8) * 8;
    }
    if offset != end {
        return Err(Harm::Overrun);
    }
    if let Some(token) = left.first() {
        return Err(Harm::Semaphore(*token));
    }
    for reloc in relocs {
        let offset = reloc.submit_offset as usize;
        if is_value.get(offset) != Some(&true) {
            return Err(Harm::Relocated(offset));
        }
    }
    Ok(run)
}

/// Whether the semaphore that is loaded at a byte offset is followed by its stall. Bits 4:0 of the
/// token are the unit that waits: the front end, 1, by a command, the others by a register.
fn is_awaited(stream: &[u32], offset: usize) -> bool {
    let Some([_, token, wait, waited]) = stream.get(offset / 4..offset / 4 + 4) else {
        return false;
    };
    let command = if token % 32 == 1 {
        0x4800_0000
    } else {
        0x0801_0f00
    };
    *wait == command && waited == token
}

/// A relocation to object 0.
pub(crate) fn reloc(submit_offset: u32) -> Reloc {
    Reloc {
        submit_offset,
        ..Reloc::default()
    }
}

/// A stream that Mesa made: its name, its words, and relocations of all addresses if it needs them.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) words: Vec<u32>,
    pub(crate) relocs: Vec<Reloc>,
    pub(crate) shared: bool,
}

/// The directory of the streams.
pub(crate) const DATA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../../tests/data/etnaviv"
);

/// The streams of Mesa 22.3 in tests/data/etnaviv: a clear, a read and a triangle, on a GPU with
/// MMUv1 and on one with MMUv2. They are small enough for tests that change every word.
pub(crate) fn samples() -> Vec<Sample> {
    read(&[
        "etna-GC2000.m1.0",
        "etna-GC2000.m1.1",
        "etna-GC2000.m3.0",
        "etna-GC7000L.m1.0",
        "etna-GC7000L.m1.1",
        "etna-GC7000L.m3.0",
    ])
}

/// All streams in tests/data/etnaviv, which its README describes.
pub(crate) fn all_samples() -> Vec<Sample> {
    let mut all = samples();
    all.extend(read(&[
        "mesa-25.0-GC3000.clear",
        "mesa-25.0-GC7000L.clear",
        "mesa-25.0-GC7000L.draw",
        "mesa-26.2-GC3000.clear",
        "mesa-26.2-GC7000L.clear",
        "mesa-26.2-GC7000L.draw",
    ]));
    all
}

fn read(names: &[&'static str]) -> Vec<Sample> {
    names
        .iter()
        .map(|name| {
            let path = format!("{DATA}/{name}.bin");
            let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            let words: Vec<u32> = bytes
                .chunks_exact(4)
                .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
                .collect();
            let shared = name.contains("GC2000");
            let run = execute(&words, &[], false).unwrap();
            let addresses = run
                .values
                .iter()
                .filter(|(_, register)| kind(*register) == Kind::Address);
            let relocs = match shared {
                true => addresses.map(|(offset, _)| reloc(*offset as u32)).collect(),
                false => Vec::new(),
            };
            Sample {
                name,
                words,
                relocs,
                shared,
            }
        })
        .collect()
}
