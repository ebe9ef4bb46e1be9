// SPDX-License-Identifier: BSD-2-Clause
//! A client's command stream, from the copy of what it gave to what may go to the ring.
//!
//! The one thing to know: [`CmdStream`] changes its type on the way. Only `CmdStream<Validated, _>` shows its words as something to
//! be executed, and the only way to get one is past `validate` and the relocations.
//!
//! ```text
//! CmdStream<Unchecked>  --validate, validate_into-->  CmdStream<Checked>  --relocate-->  CmdStream<Validated>
//! ```
//!
//! The words have to be the kernel's own from the first step on: a client that could still write to them would change them
//! behind the look that was taken.

mod refused;
mod states;
mod validate;

use core::ops::{Deref, DerefMut};

pub use crate::stream::refused::{Policy, Refused, Reloc, Why};

/// Where a submit's buffer object is in the address space of the GPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Address of its first byte.
    pub iova: u32,
    /// Its size in bytes.
    pub bytes: u64,
}

/// State of a stream that nobody looked at.
#[derive(Debug)]
pub struct Unchecked(());

/// State of a stream whose commands are admitted, and whose relocations go where addresses go, but are not applied.
#[derive(Debug)]
pub struct Checked<'r>(&'r [Reloc]);

/// State of a stream that may be executed.
#[derive(Debug)]
pub struct Validated(());

/// A command stream in state `S`, whose words `W` holds: a slice or an owner of one.
#[derive(Debug)]
pub struct CmdStream<S, W> {
    state: S,
    words: W,
    /// How many of the words belong to the stream.
    len: usize,
}

impl<W: Deref<Target = [u32]>> CmdStream<Unchecked, W> {
    /// The stream in `words`, which no client can reach.
    pub fn new(words: W) -> Self {
        let len = words.len();
        Self {
            state: Unchecked(()),
            words,
            len,
        }
    }

    /// Looks at all commands, where they are.
    ///
    /// # Errors
    ///
    /// The first word that a client may not give.
    pub fn validate(
        self,
        policy: Policy,
        relocs: &[Reloc],
    ) -> Result<CmdStream<Checked<'_>, W>, Refused> {
        validate::validate(&self.words, policy, relocs)?;
        Ok(CmdStream {
            state: Checked(relocs),
            words: self.words,
            len: self.len,
        })
    }

    /// Looks at all commands and copies them to the beginning of `to`, which nothing is written to if they are refused.
    ///
    /// # Errors
    ///
    /// The first word that a client may not give; [`Why::Length`] for the first word that `to` has no room for.
    pub fn validate_into<'r, D>(
        self,
        mut to: D,
        policy: Policy,
        relocs: &'r [Reloc],
    ) -> Result<CmdStream<Checked<'r>, D>, Refused>
    where
        D: DerefMut<Target = [u32]>,
    {
        if let Some(word) = self.words.get(to.len()) {
            return Err(Refused {
                offset_words: u32::try_from(to.len()).unwrap_or(u32::MAX),
                word: *word,
                why: Why::Length,
            });
        }
        validate::validate(&self.words, policy, relocs)?;
        for (to, word) in to.iter_mut().zip(self.words.iter()) {
            *to = *word;
        }
        Ok(CmdStream {
            state: Checked(relocs),
            words: to,
            len: self.len,
        })
    }
}

impl<W: DerefMut<Target = [u32]>> CmdStream<Checked<'_>, W> {
    /// Writes the addresses. `object` gives the place of the submit's buffer object with an index, if there is one.
    ///
    /// # Errors
    ///
    /// [`Why::Object`] if a relocation has flags or names no object, [`Why::Bounds`] if what it points to is not four bytes of
    /// the object below 4 GiB.
    pub fn relocate(
        mut self,
        object: impl Fn(u32) -> Option<Placed>,
    ) -> Result<CmdStream<Validated, W>, Refused> {
        for reloc in self.state.0 {
            let word = usize::try_from(reloc.submit_offset >> 2).unwrap_or(usize::MAX);
            let refused = |word, why| Refused {
                offset_words: reloc.submit_offset >> 2,
                word,
                why,
            };
            // The walk has seen that the word exists.
            let Some(word) = self.words.get_mut(word) else {
                return Err(refused(0, Why::Relocation));
            };
            let object = object(reloc.reloc_idx).filter(|_| reloc.flags == 0);
            let object = object.ok_or(refused(*word, Why::Object))?;
            *word = target(object, reloc.reloc_offset).ok_or(refused(*word, Why::Bounds))?;
        }
        Ok(CmdStream {
            state: Validated(()),
            words: self.words,
            len: self.len,
        })
    }
}

/// The address `offset` bytes into `object`, if it is that of four bytes of the object.
fn target(object: Placed, offset: u64) -> Option<u32> {
    let last = object.bytes.checked_sub(4)?;
    let offset = (offset <= last).then_some(offset)?;
    u32::try_from(u64::from(object.iova).checked_add(offset)?).ok()
}

impl<W: Deref<Target = [u32]>> CmdStream<Validated, W> {
    /// The words to be executed.
    pub fn words(&self) -> &[u32] {
        self.words.get(..self.len).unwrap_or(&[])
    }

    /// What holds the words, for whoever frees it.
    pub fn into_inner(self) -> W {
        self.words
    }
}
