// SPDX-License-Identifier: BSD-2-Clause
//! The run queues of an open file, and the submission of a job to one of them.

use crate::alloc::{Arc, KVec};
use crate::mem::reservation::{Buffers, Reservation};
use crate::os::{Caller, Sx};
use crate::runner::backend::Backend;
use crate::runner::holdings::{EndedJobs, Holdings};
use crate::runner::queue::{dependency_bytes, errno, Entry, Queue, Timeline};
use crate::sync::fence::Fence;
use crate::sync::fences::FenceSet;
use crate::sync::sync_file::SyncFile;
use crate::util::account::{Account, Charge};
use crate::util::errno::{Result, EINVAL, ENOMEM, ENXIO};
use drm_sched::{ClientId, EntityId, Priority, WEIGHT_DEFAULT};

/// A client's jobs for one slot of the hardware, in order.
struct RunQueue {
    slot: usize,
    entity: EntityId,
    /// The fence context of its timeline.
    context: u64,
    /// Held from the making of a job's fence until the job is queued.
    timeline: Sx<Timeline>,
}

/// A part in the time of the hardware. Clients that share one get no more than one without.
struct Share<B: Backend> {
    device: Arc<B>,
    id: ClientId,
}

impl<B: Backend> Drop for Share<B> {
    fn drop(&mut self) {
        // It cannot fail, as all run queues of its clients are killed.
        let _ = self.device.runner().lock().sched.client_free(self.id);
    }
}

/// A client of a runner: an open file, or a context of one, with a run queue for each slot that it
/// uses. Dropping it cancels its jobs that are not in flight, and asks the hardware to stop the
/// others.
pub struct Client<B: Backend> {
    share: Arc<Share<B>>,
    queues: KVec<RunQueue>,
}

/// The parameters of a submission.
pub struct Submission<'a, B: Backend, L: Buffers> {
    /// The slot of the hardware.
    pub slot: usize,
    /// The account that the job is charged to.
    pub account: &'a Arc<Account>,
    /// The file's list of ended jobs, to which the job's holdings are added in the end.
    pub ended_jobs: &'a Arc<EndedJobs<B::Job>>,
    /// The reservations of its buffers.
    pub reservation: Reservation<'a, L>,
    /// The fences that the job waits for, those of its buffers included: a set from
    /// `Client::waits`.
    pub waits: FenceSet,
    /// An estimate of the kernel memory of the job, in bytes.
    pub bytes: u64,
    /// If the job's fence gets a descriptor: for whom, and the name of the sync_file.
    pub sync_file: Option<(&'a Caller<'a>, &'static [u8])>,
}

impl<B: Backend> Client<B> {
    /// A client of `device` with a run queue for each of `slots`.
    ///
    /// # Errors
    ///
    /// ENOMEM; ENXIO if the device is being detached.
    pub fn new(device: &Arc<B>, slots: &[usize]) -> Result<Client<B>> {
        let runner = device.runner();
        let made = runner.lock().sched.client_new(WEIGHT_DEFAULT);
        let share = Share {
            device: device.clone(),
            id: made.map_err(errno)?,
        };
        let share = Arc::new(runner.os(), share)?;
        Self::with_share(share, slots.iter().copied(), Priority::Medium)
    }

    /// A context of the client: run queues for the same slots, with a priority of their own. Both
    /// share what one client gets of the hardware.
    ///
    /// # Errors
    ///
    /// ENOMEM; ENXIO if the device is being detached.
    pub fn context(&self, priority: Priority) -> Result<Client<B>> {
        let slots = self.queues.iter().map(|queue| queue.slot);
        Self::with_share(self.share.clone(), slots, priority)
    }

    fn with_share(
        share: Arc<Share<B>>,
        slots: impl ExactSizeIterator<Item = usize>,
        priority: Priority,
    ) -> Result<Client<B>> {
        let os = share.device.runner().os();
        let queues = KVec::with_capacity(os, slots.len())?;
        let mut client = Client { share, queues };
        for slot in slots {
            let context = os.unique();
            let timeline = Sx::new(os, c"drm timeline", Timeline::new(context))?;
            let Share { device, id } = &*client.share;
            let made = device.runner().lock().sched.entity_new(*id, slot, priority);
            client.queues.push(RunQueue {
                slot,
                entity: made.map_err(errno)?,
                context,
                timeline,
            })?;
        }
        Ok(client)
    }

    /// The device.
    pub fn device(&self) -> &B {
        &self.share.device
    }

    fn queue(&self, slot: usize) -> Result<&RunQueue> {
        self.queues
            .iter()
            .find(|queue| queue.slot == slot)
            .ok_or(EINVAL)
    }

    /// An empty set for the fences that a job for `slot` waits for. Those of earlier jobs of its
    /// run queue stay out of it: the hardware runs them in order.
    ///
    /// # Errors
    ///
    /// EINVAL if the client does not use the slot.
    pub fn waits(&self, slot: usize) -> Result<FenceSet> {
        let os = self.device().runner().os();
        Ok(FenceSet::without(os, self.queue(slot)?.context))
    }

    /// Submits a job: charges it, has the driver `prepare` for its fence and `make` the job, and
    /// queues it. `make` is given what `prepare` has returned, which is returned with the
    /// descriptor of the fence, if there is one. On an error no job is queued, and the fence, which
    /// `prepare` does not make visible to clients, is signaled with ECANCELED.
    ///
    /// # Errors
    ///
    /// EINTR, ERESTART; ENOMEM, also above the client's limit; EMFILE; ENXIO if the device is being
    /// detached; the errors of `prepare` and `make`.
    pub fn submit<T, L: Buffers>(
        &self,
        new: Submission<'_, B, L>,
        prepare: impl FnOnce(&Arc<Fence>) -> Result<T>,
        make: impl FnOnce(Charge, &T) -> Result<B::Job>,
    ) -> Result<(T, Option<i32>)> {
        let device = &self.share.device;
        let runner = device.runner();
        let queue = self.queue(new.slot)?;
        // OVERFLOW: saturates: an account refuses such an amount.
        let bytes = new.bytes.saturating_add(dependency_bytes(&new.waits));
        // OVERFLOW: as above.
        let mut charge = Charge::new(new.account, bytes.saturating_add(Fence::BYTES))?;
        let fences_charge = charge.split(Fence::BYTES);
        let mut timeline = queue.timeline.lock();
        let signaler = runner.queue.promise(&mut timeline, fences_charge)?;
        let fence = signaler.fence().clone();
        let prepared = prepare(&fence)?;
        let payload = make(charge, &prepared)?;
        let payload = match Holdings::new(runner.os(), new.ended_jobs, payload) {
            Ok(payload) => payload,
            Err(payload) => {
                // Dropping what a job holds may take long.
                drop(timeline);
                drop(payload);
                return Err(ENOMEM);
            }
        };
        // The job waits for earlier users of its buffers. Later users wait for its fence, which is
        // added to the reservations.
        let entry = Entry { payload, signaler };
        // The fences of a timeline are signaled in order. So no client sees this one before all
        // that may fail is done, but for a detach, which cancels jobs in that order.
        let publish = new.sync_file.map(|(caller, name)| {
            let fence = fence.clone();
            move || SyncFile::export(runner.os(), new.account, caller, fence.into(), name)
        });
        match Queue::queue(&runner.queue, queue.entity, entry, &new.waits, publish) {
            Ok((id, mut engine, descriptor)) => {
                device.queued(&mut engine, id);
                runner.start_jobs(device, engine);
                new.reservation.publish(&fence);
                Ok((prepared, descriptor))
            }
            Err((e, entry)) => {
                drop(timeline);
                drop(entry);
                // The detach of a device cancels jobs that are being submitted.
                Err(if runner.is_removed() { ENXIO } else { e })
            }
        }
    }
}

impl<B: Backend> Drop for Client<B> {
    fn drop(&mut self) {
        let device = self.device();
        let runner = device.runner();
        {
            let mut engine = runner.lock();
            for queue in self.queues.iter() {
                engine.sched.entity_kill(queue.entity, runner.os().now());
            }
            device.stop_orphans(&mut engine);
        }
        runner.enqueue();
    }
}
