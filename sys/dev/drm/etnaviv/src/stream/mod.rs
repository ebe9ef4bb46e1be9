// SPDX-License-Identifier: BSD-2-Clause
//! A client's command stream, from the copy of what it submitted to what may be executed.
//!
//! The one thing to know: [`CmdStream`] changes its type on the way. Only `CmdStream<Validated, _>`
//! gives access to its words, and the only way to get one is through validation and relocation.
//!
//! ```text
//! CmdStream<Unchecked> --validate, validate_into--> CmdStream<Checked>
//! CmdStream<Checked>   --relocate-->                CmdStream<Validated>
//! ```
//!
//! The words must be in memory that no client can write, from the first step on. Otherwise a client
//! could change them after their validation.
//!
//! * `validate`: the walk over the commands
//! * `states`: the states that a stream may load
//! * `policy`: policies, relocations, and the reasons for a refusal

mod policy;
mod states;
mod validate;

use core::ops::{Deref, DerefMut};

pub use crate::stream::policy::{Policy, Refused, Reloc, Why};

/// The GPU address of a submit's buffer object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Address of its first byte.
    pub iova: u32,
    /// Its size in bytes.
    pub bytes: u64,
}

/// State of a stream that is not validated.
#[derive(Debug)]
pub struct Unchecked(());

/// State of a stream whose commands and positions of relocations are admitted, but whose
/// relocations are not applied.
#[derive(Debug)]
pub struct Checked<'r>(&'r [Reloc]);

/// State of a stream that may be executed.
#[derive(Debug)]
pub struct Validated(());

/// A command stream in state `S`, whose words are in `W`: a slice or an owner of one.
#[derive(Debug)]
pub struct CmdStream<S, W> {
    state: S,
    words: W,
    /// The number of words that belong to the stream.
    len: usize,
}

impl<W: Deref<Target = [u32]>> CmdStream<Unchecked, W> {
    /// The stream in `words`, which no client can write.
    pub fn new(words: W) -> Self {
        let len = words.len();
        Self {
            state: Unchecked(()),
            words,
            len,
        }
    }

    /// Validates all commands in place.
    ///
    /// # Errors
    ///
    /// The first word that a client may not use.
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

    /// Validates all commands and copies them to the beginning of `to`. Nothing is written if they
    /// are refused.
    ///
    /// # Errors
    ///
    /// The first word that a client may not use; [`Why::Length`] for the first word for which `to`
    /// has no room.
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
    /// Applies the relocations. `object` returns the address of the submit's buffer object with an
    /// index, if there is one.
    ///
    /// # Errors
    ///
    /// [`Why::Object`] if a relocation has flags or names no object, [`Why::Bounds`] if it does not
    /// point to four bytes of the object below 4 GiB.
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
            // The word exists, as validation has found.
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

/// The address at `offset` in `object`; `None` unless it is that of four bytes of the object.
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

    /// Returns what holds the words.
    pub fn into_inner(self) -> W {
        self.words
    }
}
