// SPDX-License-Identifier: BSD-2-Clause
//! The jobs of a core that are in flight: its ring, the VM that is loaded, and the use of each
//! event. Guarded by the job lock.

use crate::identity::Identity;
use crate::job::ahead::Ahead;
use crate::job::ring::{FetchStart, Granules, Ring};
use crate::mmu::vm::{InFlightCount, Vm};
use crate::mmu::Mmu;
use crate::perfmon::requests::Requests;
use crate::perfmon_tables::Pipe;
use drm_sched::JobId;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::util::errno::Result;
use drmkpi::util::int_conv::usize_of_u32;

/// The number of hardware events. A job in flight uses one, or three if it reads counters.
pub(crate) const EVENTS: usize = 30;

/// A job in flight.
pub(crate) struct Running {
    pub(crate) id: JobId,
    pub(crate) place: Granules,
    /// Where the front end is started again after the stop before the stream, and after the one
    /// that follows the stream.
    pub(crate) resume: [FetchStart; 2],
    pub(crate) _in_flight: InFlightCount,
}

/// What an event is for.
pub(crate) enum Event {
    /// The end of a job.
    End(Running),
    /// The front end has stopped for the job whose end has the given event; `true` if after its
    /// stream, `false` if before it.
    Stop(u32, bool),
}

/// The front end has stopped for counters to be read.
pub(crate) struct Stopped {
    pub(crate) requests: Arc<Requests>,
    /// Whether it has stopped after the stream of the job, or before it.
    pub(crate) after: bool,
    pub(crate) resume: FetchStart,
}

/// The jobs of a core that are in flight, and the state of its front end and MMU.
pub(crate) struct InFlight {
    pub(crate) ring: Ring,
    /// The job that has space for its long stream, and is not in flight.
    pub(super) ahead: Option<Ahead>,
    /// The VM whose page table is loaded after all queued jobs, and its sequence number at the
    /// latest flush; `None` while the front end does not run.
    pub(crate) loaded: Option<(Arc<Vm>, u32)>,
    /// The pipe that is selected after all queued jobs.
    pub(crate) pipe: Option<Pipe>,
    /// The use of each event; `None` for a free one.
    events: KVec<Option<Event>>,
    /// The events that are used, as bits.
    used: u32,
    /// The events from before a reset that is in progress. Their jobs may run until it completes.
    before_reset: KVec<Option<Event>>,
    pub(crate) stopped: Option<Stopped>,
    /// How often the front end was started again after a stop.
    pub(crate) resumed: u64,
    /// The fault interrupts that have stopped the core.
    pub(crate) fault: u32,
}

impl InFlight {
    /// For a core without jobs.
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
            ahead: None,
            loaded: None,
            pipe: None,
            events: KVec::from_fn(mmu.os(), EVENTS, |_| Ok(None))?,
            used: 0,
            before_reset: KVec::from_fn(mmu.os(), EVENTS, |_| Ok(None))?,
            stopped: None,
            resumed: 0,
            fault: 0,
        })
    }

    /// Whether no job is in flight.
    pub(crate) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The GPU address of the stream of a job, if it is in flight.
    pub(crate) fn stream_of(&self, job: JobId) -> Option<u32> {
        let found = self.events.iter().flatten().find_map(|event| match event {
            Event::End(running) if running.id == job => Some(running.place),
            _ => None,
        });
        found.map(|place| self.ring.stream_va(place))
    }

    /// Before the core is reset or turned off: forgets all jobs. Returns the VM that was loaded,
    /// which the caller drops after that, and after `forgotten`, without the job lock.
    pub(crate) fn forget(&mut self) -> Option<Arc<Vm>> {
        self.ring.clear(Ahead::kept(&mut self.ahead));
        core::mem::swap(&mut self.events, &mut self.before_reset);
        self.used = 0;
        self.stopped = None;
        self.pipe = None;
        self.fault = 0;
        self.loaded.take().map(|(vm, _)| vm)
    }

    /// After the core was reset or turned off: no job that was in flight runs any longer.
    pub(crate) fn forgotten(&mut self) {
        // The scheduler's jobs hold their VMs as well, so no last reference is dropped here.
        self.before_reset.iter_mut().for_each(|event| *event = None);
    }

    /// A free event, of those that `taken` does not have as bits.
    pub(crate) fn free_event(&self, taken: u32) -> Option<u32> {
        let event = (self.used | taken).trailing_ones();
        (usize_of_u32(event) < EVENTS).then_some(event)
    }

    /// Sets the use of an event.
    pub(crate) fn set_event(&mut self, event: u32, what: Event) {
        if let Some(place) = self.events.get_mut(usize_of_u32(event)) {
            *place = Some(what);
            self.used |= bit(event);
        }
    }

    /// Frees the lowest event of `raised`, which has events as bits, and removes it from there.
    /// Returns its use; `None` if none is raised that is used.
    pub(crate) fn take_event(&mut self, raised: &mut u32) -> Option<Event> {
        *raised &= self.used;
        let event = raised.trailing_zeros();
        let what = self.events.get_mut(usize_of_u32(event))?.take();
        *raised &= !bit(event);
        self.used &= !bit(event);
        what
    }

    /// The job whose end has an event.
    pub(crate) fn ends(&self, event: u32) -> Option<&Running> {
        match self.events.get(usize_of_u32(event))? {
            Some(Event::End(running)) => Some(running),
            _ => None,
        }
    }
}

/// The bit of an event.
pub(crate) fn bit(event: u32) -> u32 {
    1u32.checked_shl(event).unwrap_or(0)
}

const _: () = assert!(EVENTS < 32);
