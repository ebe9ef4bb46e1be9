// SPDX-License-Identifier: BSD-2-Clause
//! The space for the stream of a job that is not in flight yet. Guarded by the job lock.
//!
//! A short stream gets it when its job is started, and is copied to it then. A long one, whose
//! length its client has chosen, gets it before: the job task fills it (`fill`), and then starts
//! the job. It fills one place at a time, so at most one job that is not in flight has space, the
//! one *ahead*. That job is requeued, and so comes before all others when its place is filled. If
//! another one does, the job ahead has ended, or a reset has put others before it: its space is
//! free for them. A place that is being filled stays reserved, whatever happens to its job or to
//! the core.

use crate::job::ring::{Granules, Ring, SHORT_STREAM_WORDS};
use drm_sched::JobId;

/// A job that has space for its long stream, and is not in flight.
pub(crate) struct Ahead {
    pub(super) id: JobId,
    pub(super) place: Granules,
    pub(super) state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The job task has not begun to fill the place.
    Reserved,
    /// It copies the stream, which it has taken from the job.
    Filling,
    Filled,
}

/// The space for the stream of a job that is to be started.
pub(super) enum Placed {
    /// The stream is there.
    Written(Granules),
    /// The stream is short, and still to be copied there.
    Unwritten(Granules),
    /// The job is the one ahead, and the job task has to copy its stream.
    Ahead,
}

impl Ahead {
    /// Before a reset or power-down: the place that stays reserved.
    pub(super) fn kept(ahead: &mut Option<Ahead>) -> Option<Granules> {
        ahead.take_if(|ahead| ahead.state != State::Filling);
        ahead.as_ref().map(|ahead| ahead.place)
    }

    /// The space for the stream of `words` words of a job; `None` if there is none now.
    pub(super) fn place(
        ahead: &mut Option<Ahead>,
        ring: &mut Ring,
        id: JobId,
        words: usize,
    ) -> Option<Placed> {
        let others = |ahead: &mut Ahead| ahead.id != id && ahead.state != State::Filling;
        if let Some(other) = ahead.take_if(others) {
            ring.free(other.place);
        }
        if words <= SHORT_STREAM_WORDS {
            return ring.reserve(words).map(Placed::Unwritten);
        }
        match ahead {
            None => {
                let place = ring.reserve(words)?;
                let state = State::Reserved;
                *ahead = Some(Ahead { id, place, state });
                Some(Placed::Ahead)
            }
            // The job task has not finished with another one, which has ended.
            Some(taken) if taken.id != id => None,
            Some(taken) if taken.state != State::Filled => Some(Placed::Ahead),
            Some(_) => {
                let filled = ahead.take()?;
                Some(Placed::Written(filled.place))
            }
        }
    }
}
