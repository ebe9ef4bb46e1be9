// SPDX-License-Identifier: BSD-2-Clause
//! The walk over a client's stream, from command to command.
//!
//! The one thing to know: the walk uses the front end's own rule for the length of every command
//! that it admits, and admits no command whose length is uncertain. So the words that the front end
//! takes for headers are exactly those that were validated as headers.
//!
//! It costs little in comparison with copying the stream. From one header to the next there is a
//! dependency chain of a load and some arithmetic, which a branch on the most frequent length, if
//! predicted, breaks.
//!
//! An admitted stream may still hang the GPU (a stall without its semaphore, a shader that loops).
//! That affects only the client's own job, which the timeout handler ends.
//!
//! Source of opcodes and lengths: rnndb `cmdstream.xml`.

use crate::stream::policy::{Policy, Refused, Reloc, Why};
use crate::stream::states::{takes_relocation, Set};

/// Position of the opcode in a header.
const OPCODE_SHIFT: u32 = 27;
/// Opcodes that a client may use.
const LOAD_STATE: u32 = 1;
const NOP: u32 = 3;
const DRAW_2D: u32 = 4;
const DRAW_PRIMITIVES: u32 = 5;
const DRAW_INDEXED_PRIMITIVES: u32 = 6;
const STALL: u32 = 9;
const DRAW_INSTANCED: u32 = 12;
const DRAW_INDIRECT: u32 = 16;
/// LOAD_STATE: values are 16.16 fixed point, to be made 32-bit floating point.
const FIXP: u32 = 1 << 26;
/// LOAD_STATE: the first state.
const STATE: u32 = 0xffff;
/// LOAD_STATE: position and mask of the number of states.
const COUNT_SHIFT: u32 = 16;
const COUNT: u32 = 0x3ff;
/// LOAD_STATE: the number of states for a count of 0.
const COUNT_OF_ZERO: u32 = 1024;
/// The number of states.
const STATES: u32 = 1 << 16;
/// A LOAD_STATE of one state, apart from the state and FIXP.
const LOAD_ONE: u32 = LOAD_STATE << OPCODE_SHIFT | 1 << COUNT_SHIFT;
/// GL_SEMAPHORE_TOKEN.
const SEMAPHORE: u32 = 0x3808 >> 2;
/// The waits for a semaphore: of the front end by a command, of other units by GL_STALL_TOKEN.
const STALL_COMMAND: u32 = STALL << OPCODE_SHIFT;
const STALL_STATE: u32 = LOAD_ONE | 0x3c00 >> 2;
/// The bits of a semaphore's token for the unit that waits, and their value for the front end.
const SYNC_FROM: u32 = 0x1f;
const SYNC_FE: u32 = 1;
/// DRAW_2D: number of data words after the rectangles.
const DATA_COUNT: u32 = 0x7ff << 16;

/// Validates the commands in `words`, to which `relocs` are applied afterwards.
///
/// # Errors
///
/// The first command that a client may not use, or the first relocation of a word that is no
/// address.
pub(crate) fn validate(words: &[u32], policy: Policy, relocs: &[Reloc]) -> Result<(), Refused> {
    let (commands, rest) = words.as_chunks::<2>();
    let walked = match (policy, relocs.is_empty()) {
        (Policy::Mmuv2, true) => walk::<true, false>(commands, relocs),
        (Policy::Mmuv2, false) => walk::<true, true>(commands, relocs),
        (Policy::Mmuv1, true) => walk::<false, false>(commands, relocs),
        (Policy::Mmuv1, false) => walk::<false, true>(commands, relocs),
    };
    let whole = if rest.is_empty() {
        Ok(())
    } else {
        Err(Stop::new(commands.len(), 0, Why::Length))
    };
    walked.and(whole).map_err(|stop| stop.refused(words))
}

/// Where a walk ended early.
struct Stop {
    /// Index of the command, in units of 64 bits.
    at: usize,
    /// Index of the word in the command, in words after its header.
    word: u32,
    why: Why,
}

impl Stop {
    #[cold]
    fn new(at: usize, word: u32, why: Why) -> Self {
        Self { at, word, why }
    }

    #[cold]
    fn refused(&self, words: &[u32]) -> Refused {
        let word = usize::try_from(self.word).unwrap_or(0);
        // OVERFLOW: saturates, above the end of the stream.
        let offset = self.at.saturating_mul(2).saturating_add(word);
        Refused {
            offset_words: u32::try_from(offset).unwrap_or(u32::MAX),
            word: words.get(offset).copied().unwrap_or(0),
            why: self.why,
        }
    }
}

/// The relocations that the walk has not reached yet.
struct Relocs<'a> {
    left: &'a [Reloc],
    /// Offset in bytes of the word that the first of them replaces.
    next: usize,
}

impl<'a> Relocs<'a> {
    /// The offset or index if there are none.
    const NONE: usize = usize::MAX;

    fn new(left: &'a [Reloc]) -> Self {
        let offset = |first: &Reloc| usize::try_from(first.submit_offset).unwrap_or(Self::NONE);
        Self {
            left,
            next: left.first().map_or(Self::NONE, offset),
        }
    }

    /// Index of the command with the word that the first replaces.
    fn command(&self) -> usize {
        match self.left {
            [] => Self::NONE,
            _ => self.next >> 3,
        }
    }

    /// Removes all that replace the next word.
    fn take(&mut self) {
        let offset = self.next;
        while let [_, rest @ ..] = self.left {
            *self = Self::new(rest);
            if self.next != offset {
                break;
            }
        }
    }
}

/// The index or offset that is `by` after `at`.
#[inline(always)]
fn skip(at: usize, by: usize) -> usize {
    // OVERFLOW: none, for the bytes of a stream are counted by a u32.
    at.wrapping_add(by)
}

/// Walks `commands`, for a core with an MMUv2 or an MMUv1, and with or without relocations.
fn walk<const V2: bool, const RELOCS: bool>(
    commands: &[[u32; 2]],
    relocs: &[Reloc],
) -> Result<(), Stop> {
    // `plain`: states that `load` need not check.
    let (policy, plain) = match V2 {
        true => (Policy::Mmuv2, Set::Allowed),
        false => (Policy::Mmuv1, Set::NoAddress),
    };
    let mut relocs = Relocs::new(relocs);
    // The command with the next relocation, in a variable that stays in a register.
    let mut relocated = relocs.command();
    let mut at = 0usize;
    while let Some(rest) = commands.get(at..) {
        if !RELOCS {
            // Most commands load one state that need not be checked further.
            let plain_load =
                |[header, _]: &[u32; 2]| header & !(FIXP | STATE) == LOAD_ONE && plain.has(*header);
            // Eight at a time, then one by one.
            let (eights, _) = rest.as_chunks::<8>();
            let run = eights
                .iter()
                .position(|eight| !eight.iter().all(plain_load));
            // OVERFLOW: none, for it is at most the length of `rest`.
            let run = run.unwrap_or(eights.len()).wrapping_mul(8);
            let rest = rest.get(run..).unwrap_or_default();
            at = skip(at, run);
            let run = rest.iter().position(|command| !plain_load(command));
            at = skip(at, run.unwrap_or(rest.len()));
        }
        let Some(&[header, _]) = commands.get(at) else {
            break;
        };
        if header & !(FIXP | STATE) == LOAD_ONE {
            if !plain.has(header) || (RELOCS && relocated <= at) {
                // The most frequent of them, a semaphore with its stall.
                let stall = skip(at, 1);
                if header == LOAD_ONE | SEMAPHORE
                    && !(RELOCS && relocated <= stall)
                    && is_harmless(commands, at, SEMAPHORE)
                {
                    at = skip(stall, 1);
                    continue;
                }
                load(commands, (header, 1), at, policy, &mut relocs)?;
                relocated = relocs.command();
            }
            at = skip(at, 1);
            continue;
        }
        let next;
        if header >> OPCODE_SHIFT == LOAD_STATE {
            let count = match header >> COUNT_SHIFT & COUNT {
                0 => COUNT_OF_ZERO,
                count => count,
            };
            let length = match count >> 1 {
                1 => 2,
                2 => 3,
                half => skip(usize::try_from(half).unwrap_or(0), 1),
            };
            next = skip(at, length);
            // OVERFLOW: wraps for a count above 32, whose mask is not used.
            let need = u32::MAX.wrapping_shr(32u32.wrapping_sub(count));
            if count > 32
                || !plain.window(header & STATE) & need != 0
                || (RELOCS && relocated < next)
            {
                load(commands, (header, count), at, policy, &mut relocs)?;
                relocated = relocs.command();
            }
        } else {
            let length = other(header, policy).ok_or_else(|| Stop::new(at, 0, Why::Command))?;
            next = skip(at, length);
        }
        if next > commands.len() {
            return Err(Stop::new(at, 0, Why::Length));
        }
        at = next;
    }
    // A relocation that no load has used is left: its word is a header or part of a draw, or it is
    // not aligned, or out of order.
    if RELOCS && relocated != Relocs::NONE {
        return Err(Stop::new(
            relocated,
            u32::from(relocs.next & 4 != 0),
            Why::Relocation,
        ));
    }
    Ok(())
}

/// Validates a LOAD_STATE of `count` states, 1 to 1024, at index `at`, state by state.
#[inline(never)]
fn load(
    commands: &[[u32; 2]],
    (header, count): (u32, u32),
    at: usize,
    policy: Policy,
    relocs: &mut Relocs<'_>,
) -> Result<(), Stop> {
    let first = header & STATE;
    let mut word = 0u32;
    let mut offset = at << 3;
    // OVERFLOW: none, for the first state is below 2^16 and the count at most 1024.
    for state in first..first.wrapping_add(count) {
        // OVERFLOW: none, as above.
        word = word.wrapping_add(1);
        offset = skip(offset, 4);
        // The front end continues above the last state, where it is not known what it loads.
        if state >= STATES || !Set::Allowed.has(state) {
            // A relocation of its value is not used, and refused by the caller.
            if count == 1 && header & FIXP == 0 && is_harmless(commands, at, state) {
                continue;
            }
            return Err(Stop::new(at, word, Why::State));
        }
        let relocated = relocs.next == offset;
        if relocated && !takes_relocation(state) {
            return Err(Stop::new(at, word, Why::Relocation));
        }
        let bound = policy == Policy::Mmuv1 && !Set::NoAddress.has(state);
        // The conversion would change the address.
        if relocated && header & FIXP != 0 {
            return Err(Stop::new(at, word, Why::FixedPoint));
        }
        if relocated {
            relocs.take();
        } else if bound {
            return Err(Stop::new(at, word, Why::Uncovered));
        }
    }
    Ok(())
}

/// Whether the load at `at` of one state that is not in the table is permitted nevertheless.
fn is_harmless(commands: &[[u32; 2]], at: usize, state: u32) -> bool {
    let Some([_, value]) = commands.get(at) else {
        return false;
    };
    match state {
        // Has no effect, and libdrm's 2D test uses it as padding.
        0 => *value == 0,
        // A semaphore without a stall would end the next stall of the same units early: the
        // kernel's at the end of the job, or another client's. So its stall must follow.
        SEMAPHORE => match commands.get(skip(at, 1)) {
            Some([STALL_COMMAND, token]) => token == value && value & SYNC_FROM == SYNC_FE,
            Some([STALL_STATE, token]) => token == value && value & SYNC_FROM != SYNC_FE,
            _ => false,
        },
        _ => false,
    }
}

/// Length of any other command, in units of 64 bits; `None` if a client may not use it.
fn other(header: u32, policy: Policy) -> Option<usize> {
    match header >> OPCODE_SHIFT {
        NOP | STALL => Some(1),
        DRAW_PRIMITIVES | DRAW_INSTANCED => Some(2),
        DRAW_INDEXED_PRIMITIVES => Some(3),
        // HW: with a data count, data follow the rectangles. No known client uses that, and the
        // unit of the count is documented in one place only.
        DRAW_2D if header & DATA_COUNT == 0 => match header >> 8 & 0xff {
            0 => Some(257),
            count => Some(skip(usize::try_from(count).unwrap_or(0), 1)),
        },
        // It reads from an address, for which no user is known to have a relocation.
        DRAW_INDIRECT if policy == Policy::Mmuv2 => Some(1),
        _ => None,
    }
}
