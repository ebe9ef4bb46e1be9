// SPDX-License-Identifier: BSD-2-Clause
//! The log of `drmboard vm --count`: its lines, and what was executed between two marks.
//!
//! A line is `NS mark|rise|fall VALUE USER KERNEL MODULE`: what happened, and the instructions
//! executed before it. The client marks the beginning and the end of its system calls; `rise` is an
//! interrupt line that goes up.

use std::ops::Sub;

pub(super) const SUBMIT: u32 = 0x100;
pub(super) const WAIT: u32 = 0x200;
pub(super) const DONE: u32 = 0x300;
pub(super) const PARAM: u32 = 0x400;
pub(super) const NOTHING: u32 = 0x500;
pub(super) const END: u32 = 0x600;
pub(super) const CREATE: u32 = 0x700;
pub(super) const CLOSE: u32 = 0x800;
pub(super) const CLOSED: u32 = 0x900;

/// Instructions by what executed them, and time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) ns: u64,
    pub(super) user: u64,
    pub(super) kernel: u64,
    pub(super) module: u64,
}

impl Count {
    /// Privileged instructions.
    pub(super) fn privileged(self) -> u64 {
        self.kernel + self.module
    }

    /// An instruction takes a nanosecond: in more time than that the processor slept, in less
    /// something was counted twice.
    pub(super) fn is_exact(self) -> bool {
        self.ns == self.user + self.privileged()
    }
}

impl Sub for Count {
    type Output = Count;

    fn sub(self, before: Count) -> Count {
        Count {
            ns: self.ns - before.ns,
            user: self.user - before.user,
            kernel: self.kernel - before.kernel,
            module: self.module - before.module,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Mark(u32),
    Rise,
    Fall,
}

pub(super) fn line(text: &str) -> Option<(Event, Count)> {
    let mut words = text.split(' ');
    let number = |text: &str| text.parse::<u64>().ok();
    let ns = number(words.next()?)?;
    let kind = words.next()?;
    let value = number(words.next()?)?;
    let event = match kind {
        "mark" => Event::Mark(u32::try_from(value).ok()?),
        "rise" => Event::Rise,
        "fall" => Event::Fall,
        _ => return None,
    };
    let count = Count {
        ns,
        user: number(words.next()?)?,
        kernel: number(words.next()?)?,
        module: number(words.next()?)?,
    };
    words.next().is_none().then_some((event, count))
}

pub(super) fn between(events: &[(Event, Count)], begin: u32, end: u32) -> Vec<Count> {
    let pairs = events.windows(2);
    let wanted =
        pairs.filter(|pair| pair[0].0 == Event::Mark(begin) && pair[1].0 == Event::Mark(end));
    wanted.map(|pair| pair[1].1 - pair[0].1).collect()
}
