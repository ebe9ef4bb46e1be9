// SPDX-License-Identifier: BSD-2-Clause
//! The run queues of an open file, and the submission of a job to one of them.

use crate::alloc::{Arc, KVec};
use crate::mem::reservation::Reservation;
use crate::os::Sx;
use crate::runner::backend::Backend;
use crate::runner::holdings::{EndedJobs, Holdings};
use crate::runner::queue::{dependency_bytes, errno, Queue, Timeline};
use crate::sync::fence::Fence;
use crate::sync::fences::FenceSet;
use crate::util::account::{Account, Charge};
use crate::util::errno::{Result, EINVAL, ENXIO};
use drm_sched::{ClientId, EntityId, Priority, WEIGHT_DEFAULT};

/// A client's jobs for one slot of the hardware, in order.
struct RunQueue {
    slot: usize,
    entity: EntityId,
    /// Held from the making of a job's fence until the job is queued.
    timeline: Sx<Timeline>,
}

/// A client of a runner: one open file, with a run queue for each slot that it uses. Dropping it
/// cancels its jobs that are not in flight, and asks the hardware to stop the others.
pub struct Client<B: Backend> {
    device: Arc<B>,
    id: ClientId,
    queues: KVec<RunQueue>,
}

/// The parameters of a submission.
pub struct Submission<'a, B: Backend> {
    /// The slot of the hardware.
    pub slot: usize,
    /// The account that the job is charged to.
    pub account: &'a Arc<Account>,
    /// The file's list of ended jobs, to which the job's holdings are added in the end.
    pub ended_jobs: &'a Arc<EndedJobs<B::Job>>,
    /// The reservations of its buffers.
    pub reservation: Reservation,
    /// The fences that the job waits for, those of its buffers included.
    pub waits: FenceSet,
    /// An estimate of the kernel memory of the job, in bytes.
    pub bytes: u64,
}

impl<B: Backend> Client<B> {
    /// A client of `device` with a run queue for each of `slots`.
    ///
    /// # Errors
    ///
    /// ENOMEM; ENXIO if the device is being detached.
    pub fn new(device: &Arc<B>, slots: &[usize]) -> Result<Client<B>> {
        let runner = device.runner();
        let os = runner.os();
        let queues = KVec::with_capacity(os, slots.len())?;
        let id = runner
            .lock()
            .sched
            .client_new(WEIGHT_DEFAULT)
            .map_err(errno)?;
        let mut client = Client {
            device: device.clone(),
            id,
            queues,
        };
        for slot in slots {
            let timeline = Sx::new(os, c"drm timeline", Timeline::new(os))?;
            let entity = runner
                .lock()
                .sched
                .entity_new(id, *slot, Priority::Medium)
                .map_err(errno)?;
            client.queues.push(RunQueue {
                slot: *slot,
                entity,
                timeline,
            })?;
        }
        Ok(client)
    }

    /// The device.
    pub fn device(&self) -> &B {
        &self.device
    }

    /// Submits a job: charges it, has the driver `make` it, and queues it. `publish` is called with
    /// its fence before the job can run, and may fail. On an error no job is queued.
    ///
    /// # Errors
    ///
    /// EINTR, ERESTART; ENOMEM, also above the client's limit; ENXIO if the device is being
    /// detached; the errors of `make` and `publish`.
    pub fn submit<T>(
        &self,
        new: Submission<'_, B>,
        make: impl FnOnce(Charge) -> Result<B::Job>,
        publish: impl FnOnce(&Arc<Fence>) -> Result<T>,
    ) -> Result<T> {
        let runner = self.device.runner();
        let os = runner.os();
        let queue = self
            .queues
            .iter()
            .find(|queue| queue.slot == new.slot)
            .ok_or(EINVAL)?;
        // OVERFLOW: saturates: an account refuses such an amount.
        let bytes = new.bytes.saturating_add(dependency_bytes(&new.waits));
        // OVERFLOW: as above.
        let mut charge = Charge::new(new.account, bytes.saturating_add(Fence::BYTES))?;
        let fences_charge = charge.split(Fence::BYTES);
        let job = make(charge)?;
        let job = Holdings::new(os, new.ended_jobs, job)?;
        let mut timeline = queue.timeline.lock();
        let prepared = runner
            .queue
            .prepare(queue.entity, &mut timeline, fences_charge, job);
        let (id, fence) = match prepared {
            Ok(made) => made,
            Err((e, job)) => {
                drop(timeline);
                drop(job);
                return Err(e);
            }
        };
        // The job waits for earlier users of its buffers. Later users wait for its fence, which is
        // added to the reservations.
        let queued = Queue::depend(&runner.queue, id, &new.waits)
            .and_then(|()| publish(&fence))
            .and_then(|published| {
                let engine = runner.queue.submit(&mut timeline, id)?;
                Ok((published, engine))
            });
        match queued {
            Ok((published, engine)) => {
                runner.start_jobs(&self.device, engine);
                new.reservation.publish(&fence);
                Ok(published)
            }
            Err(e) => {
                drop(timeline);
                runner.queue.abandon(id);
                // The detach of a device cancels jobs that are being submitted.
                Err(if runner.is_removed() { ENXIO } else { e })
            }
        }
    }
}

impl<B: Backend> Drop for Client<B> {
    fn drop(&mut self) {
        let runner = self.device.runner();
        {
            let mut engine = runner.lock();
            for queue in self.queues.iter() {
                engine.sched.entity_kill(queue.entity, runner.os().now());
            }
            // It cannot fail, as all run queues of the client are killed.
            let _ = engine.sched.client_free(self.id);
            self.device.stop_orphans(&mut engine);
        }
        runner.enqueue();
    }
}
