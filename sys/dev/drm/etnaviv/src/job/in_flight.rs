// SPDX-License-Identifier: BSD-2-Clause
//! What a core has of jobs: its ring, what its MMU has loaded, and what each event means. Guarded by
//! the job lock.

use crate::identity::Identity;
use crate::job::ring::{Entry, Place, Ring};
use crate::mmu::vm::{Presence, Vm};
use crate::mmu::Mmu;
use crate::perfmon::requests::Requests;
use crate::perfmon_tables::Pipe;
use drm_sched::JobId;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::util::errno::Result;

/// Events of the hardware: one for each job that it has, three for one whose counters are read.
pub(crate) const EVENTS: usize = 30;

/// A job that the hardware has.
pub(crate) struct Running {
    pub(crate) id: JobId,
    pub(crate) place: Place,
    /// Where the front end goes on after the stop before the stream, and after the one behind it.
    pub(crate) resume: [Entry; 2],
    pub(crate) _presence: Presence,
}

/// What an event is for.
pub(crate) enum Event {
    /// The end of a job.
    End(Running),
    /// The front end stopped: for the job of this event, before its stream or behind it.
    Stop(u32, bool),
}

/// The front end stands still for counters to be read.
pub(crate) struct Stopped {
    pub(crate) requests: Arc<Requests>,
    pub(crate) behind: bool,
    pub(crate) resume: Entry,
}

/// What the hardware has.
pub(crate) struct InFlight {
    pub(crate) ring: Ring,
    /// The page table that the MMU has, and what it knows of it; None while the front end does not run.
    pub(crate) loaded: Option<(Arc<Vm>, u32)>,
    /// What the core draws with.
    pub(crate) pipe: Option<Pipe>,
    /// All of them, always.
    pub(crate) events: KVec<Option<Event>>,
    /// Events of before a reset: what they stand for may still run until it is over.
    dying: KVec<Option<Event>>,
    pub(crate) stopped: Option<Stopped>,
    /// How often it was let go on after a stop.
    pub(crate) resumed: u64,
    /// Interrupts that stopped the core.
    pub(crate) fault: u32,
}

impl InFlight {
    /// It has nothing.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(
        mmu: &Mmu,
        core: &Identity,
        index: u32,
        core_hz: Option<u64>,
    ) -> Result<InFlight> {
        Ok(InFlight {
            ring: Ring::new(mmu, core, index, core_hz),
            loaded: None,
            pipe: None,
            events: KVec::from_fn(mmu.os(), EVENTS, |_| Ok(None))?,
            dying: KVec::from_fn(mmu.os(), EVENTS, |_| Ok(None))?,
            stopped: None,
            resumed: 0,
            fault: 0,
        })
    }

    /// Whether it has no job.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.iter().all(Option::is_none)
    }

    /// Where the stream of a job is, if the hardware has it.
    pub(crate) fn stream_of(&self, job: JobId) -> Option<u32> {
        let found = self.events.iter().flatten().find_map(|event| match event {
            Event::End(running) if running.id == job => Some(running.place),
            _ => None,
        });
        found.map(|place| self.ring.stream_va(place))
    }

    /// The core is about to be reset or turned off. Returns the VM that it has, to be dropped without
    /// the lock after that, when `forgotten` was called.
    pub(crate) fn forget(&mut self) -> Option<Arc<Vm>> {
        self.ring.clear();
        core::mem::swap(&mut self.events, &mut self.dying);
        self.stopped = None;
        self.pipe = None;
        self.fault = 0;
        self.loaded.take().map(|(vm, _)| vm)
    }

    /// The core was reset, or has no power: no job runs any more that it had.
    pub(crate) fn forgotten(&mut self) {
        // Jobs are the scheduler's, and hold their VMs: nothing here is the last to do so.
        self.dying.iter_mut().for_each(|event| *event = None);
    }

    /// Says what an event means.
    pub(crate) fn set_event(&mut self, index: usize, event: Event) {
        if let Some(slot) = self.events.get_mut(index) {
            *slot = Some(event);
        }
    }
}
