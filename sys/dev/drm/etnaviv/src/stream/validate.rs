// SPDX-License-Identifier: BSD-2-Clause
//! The walk over a client's stream, from command to command.
//!
//! The one thing to know: the walk follows the front end's own rule for the length of every command it admits, and admits no
//! command whose length is in doubt; so what the front end takes for a header is exactly what was looked at as one.
//!
//! It is meant to cost nothing next to copying the stream. From one header to the next there is a chain of a load and some
//! arithmetic; a branch on the commonest length, which the processor predicts, breaks it.
//!
//! What is admitted may still hang the GPU (a stall without its semaphore, a shader that loops): that hurts the client's own
//! job, which the watchdog ends.
//!
//! Source of opcodes and lengths: rnndb `cmdstream.xml`.

use crate::stream::refused::{Policy, Refused, Reloc, Why};
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
/// What it loads with a count of 0.
const COUNT_OF_ZERO: u32 = 1024;
/// Number of states there are.
const STATES: u32 = 1 << 16;
/// A LOAD_STATE of one state, apart from the state and FIXP.
const LOAD_ONE: u32 = LOAD_STATE << OPCODE_SHIFT | 1 << COUNT_SHIFT;
/// GL_SEMAPHORE_TOKEN.
const SEMAPHORE: u32 = 0x3808 >> 2;
/// What waits for a semaphore: the front end by a command, other units by GL_STALL_TOKEN.
const STALL_COMMAND: u32 = STALL << OPCODE_SHIFT;
const STALL_STATE: u32 = LOAD_ONE | 0x3c00 >> 2;
/// Token: who waits; the front end.
const SYNC_FROM: u32 = 0x1f;
const SYNC_FE: u32 = 1;
/// DRAW_2D: number of data words behind the rectangles.
const DATA_COUNT: u32 = 0x7ff << 16;

/// Looks at every command of `words`, which `relocs` are to be applied to.
///
/// # Errors
///
/// The first command that a client may not give, or the first relocation that does not go to an address.
pub(crate) fn validate(words: &[u32], policy: Policy, relocs: &[Reloc]) -> Result<(), Refused> {
    let (commands, rest) = words.as_chunks::<2>();
    let walked = if relocs.is_empty() {
        walk::<false>(commands, policy, relocs)
    } else {
        walk::<true>(commands, policy, relocs)
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
    /// Words behind its header.
    behind: u32,
    why: Why,
}

impl Stop {
    #[cold]
    fn new(at: usize, behind: u32, why: Why) -> Self {
        Self { at, behind, why }
    }

    #[cold]
    fn refused(&self, words: &[u32]) -> Refused {
        let behind = usize::try_from(self.behind).unwrap_or(0);
        let offset = self.at.saturating_mul(2).saturating_add(behind);
        Refused {
            offset_words: u32::try_from(offset).unwrap_or(u32::MAX),
            word: words.get(offset).copied().unwrap_or(0),
            why: self.why,
        }
    }
}

/// The relocations not met yet.
struct Relocs<'a> {
    left: &'a [Reloc],
    /// Offset in bytes of what the first of them replaces.
    next: usize,
}

impl<'a> Relocs<'a> {
    /// In place of an offset or an index: there are none.
    const NONE: usize = usize::MAX;

    fn new(left: &'a [Reloc]) -> Self {
        let offset = |first: &Reloc| usize::try_from(first.submit_offset).unwrap_or(Self::NONE);
        Self {
            left,
            next: left.first().map_or(Self::NONE, offset),
        }
    }

    /// Index of the 64 bits that the first goes to.
    fn command(&self) -> usize {
        match self.left {
            [] => Self::NONE,
            _ => self.next >> 3,
        }
    }

    /// Takes all that have the next offset.
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

/// Walks `commands`.
fn walk<const RELOCS: bool>(
    commands: &[[u32; 2]],
    policy: Policy,
    relocs: &[Reloc],
) -> Result<(), Stop> {
    // States that need no second look.
    let plain = match policy {
        Policy::Mmuv1 => Set::NoAddress,
        Policy::Mmuv2 => Set::Allowed,
    };
    let mut relocs = Relocs::new(relocs);
    // The command that has the next relocation; kept apart because that leaves it in a register.
    let mut relocated = relocs.command();
    let mut at = 0usize;
    while let Some(&[header, _]) = commands.get(at) {
        if header & !(FIXP | STATE) == LOAD_ONE {
            if !plain.has(header) || (RELOCS && relocated <= at) {
                // The commonest of those, with its stall.
                let behind = at.wrapping_add(1);
                if header == LOAD_ONE | SEMAPHORE
                    && !(RELOCS && relocated <= behind)
                    && is_harmless(commands, at, SEMAPHORE)
                {
                    at = behind.wrapping_add(1);
                    continue;
                }
                load(commands, (header, 1), at, policy, &mut relocs)?;
                relocated = relocs.command();
            }
            at = at.wrapping_add(1);
            continue;
        }
        let next;
        if header >> OPCODE_SHIFT == LOAD_STATE {
            let count = match header >> COUNT_SHIFT & COUNT {
                0 => COUNT_OF_ZERO,
                count => count,
            };
            next = at.wrapping_add(match count >> 1 {
                1 => 2,
                2 => 3,
                half => usize::try_from(half).unwrap_or(0).wrapping_add(1),
            });
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
            next = at.wrapping_add(length);
        }
        if next > commands.len() {
            return Err(Stop::new(at, 0, Why::Length));
        }
        at = next;
    }
    // A relocation that no load has taken is still the next one: its word is a header, of a draw, between two words, out of order.
    if RELOCS && relocated != Relocs::NONE {
        return Err(Stop::new(
            relocated,
            u32::from(relocs.next & 4 != 0),
            Why::Relocation,
        ));
    }
    Ok(())
}

/// Looks at a LOAD_STATE of `count` states, 1 to 1024, at index `at`, state by state.
#[inline(never)]
fn load(
    commands: &[[u32; 2]],
    (header, count): (u32, u32),
    at: usize,
    policy: Policy,
    relocs: &mut Relocs<'_>,
) -> Result<(), Stop> {
    let first = header & STATE;
    let mut behind = 0u32;
    let mut offset = at.wrapping_mul(8);
    for state in first..first.wrapping_add(count) {
        behind = behind.wrapping_add(1);
        offset = offset.wrapping_add(4);
        // The front end counts on behind the last state; what that is, is not known.
        if state >= STATES || !Set::Allowed.has(state) {
            // A relocation would still be left.
            if count == 1 && header & FIXP == 0 && is_harmless(commands, at, state) {
                continue;
            }
            return Err(Stop::new(at, behind, Why::State));
        }
        let relocated = relocs.next == offset;
        if relocated && !takes_relocation(state) {
            return Err(Stop::new(at, behind, Why::Relocation));
        }
        let bound = policy == Policy::Mmuv1 && !Set::NoAddress.has(state);
        // What is converted is no longer the address that was looked at.
        if relocated && header & FIXP != 0 {
            return Err(Stop::new(at, behind, Why::FixedPoint));
        }
        if relocated {
            relocs.take();
        } else if bound {
            return Err(Stop::new(at, behind, Why::Uncovered));
        }
    }
    Ok(())
}

/// Whether the load at `at` of one state that is not in the table is one that may be given.
fn is_harmless(commands: &[[u32; 2]], at: usize, state: u32) -> bool {
    let Some([_, value]) = commands.get(at) else {
        return false;
    };
    match state {
        // Does nothing, and libdrm's 2D test fills up with it.
        0 => *value == 0,
        // A semaphore that nobody waits for would be there for the next stall of the same units: the kernel's at the
        // end of the job, or another client's. So the stall has to follow.
        SEMAPHORE => match commands.get(at.wrapping_add(1)) {
            Some([STALL_COMMAND, token]) => token == value && value & SYNC_FROM == SYNC_FE,
            Some([STALL_STATE, token]) => token == value && value & SYNC_FROM != SYNC_FE,
            _ => false,
        },
        _ => false,
    }
}

/// Length of any other command, in units of 64 bits; `None` if a client may not give it.
fn other(header: u32, policy: Policy) -> Option<usize> {
    match header >> OPCODE_SHIFT {
        NOP | STALL => Some(1),
        DRAW_PRIMITIVES | DRAW_INSTANCED => Some(2),
        DRAW_INDEXED_PRIMITIVES => Some(3),
        // HW: data would follow the rectangles; nobody sends any, and its unit is known from one description alone.
        DRAW_2D if header & DATA_COUNT == 0 => match header >> 8 & 0xff {
            0 => Some(257),
            count => Some(usize::try_from(count).unwrap_or(0).wrapping_add(1)),
        },
        // What it reads is at an address, which no relocation is known to be put into.
        DRAW_INDIRECT if policy == Policy::Mmuv2 => Some(1),
        _ => None,
    }
}
