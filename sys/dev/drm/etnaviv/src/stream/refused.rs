// SPDX-License-Identifier: BSD-2-Clause
//! What is asked of a command stream, and why one is refused.

use core::fmt;

/// What a client's addresses are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// MMUv1: all clients share one address space, so every state that holds an address must take it from a relocation.
    Mmuv1,
    /// MMUv2: a client's addresses lead to nothing but its own memory. Relocations may be used, and need not.
    Mmuv2,
}

/// A relocation, laid out as in the user ABI (`drm_etnaviv_gem_submit_reloc`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Reloc {
    /// Byte offset into the stream of the word to be replaced.
    pub submit_offset: u32,
    /// Index into the submit's buffer objects.
    pub reloc_idx: u32,
    /// Byte offset into the buffer object.
    pub reloc_offset: u64,
    /// Must be 0.
    pub flags: u32,
    /// Fills up to 8 bytes; ignored.
    pub pad: u32,
}

/// Why a stream is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// A command that a client may not give.
    Command,
    /// A load of a state that a client may not touch.
    State,
    /// The stream ends within a command.
    Length,
    /// An address that is not from a relocation.
    Uncovered,
    /// An address that would be converted from fixed to floating point.
    FixedPoint,
    /// A relocation of something that is no address, out of order, or outside of the stream.
    Relocation,
    /// A relocation's flags, or its buffer object's index.
    Object,
    /// A relocation to an address outside of its buffer object.
    Bounds,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Command => "command not permitted",
            Why::State => "state not permitted",
            Why::Length => "stream ends within a command",
            Why::Uncovered => "address without relocation",
            Why::FixedPoint => "address in fixed point",
            Why::Relocation => "relocation of what is no address",
            Why::Object => "relocation to no buffer object",
            Why::Bounds => "relocation out of its buffer object",
        })
    }
}

/// A refusal, for one line in the log. The errno is EINVAL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Index of the word.
    pub offset_words: u32,
    /// The word itself; 0 if it is behind the end.
    pub word: u32,
    /// What is wrong with it.
    pub why: Why,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at word {}: {:#010x}",
            self.why, self.offset_words, self.word
        )
    }
}
