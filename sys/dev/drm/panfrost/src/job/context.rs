// SPDX-License-Identifier: BSD-2-Clause
//! Job-manager contexts: run queues of a file with a priority of their own (JM_CTX_CREATE,
//! JM_CTX_DESTROY). Handle 0 is the file's default context, which is not in the table.
//!
//! All contexts of a file share what one file gets of the GPU.

use crate::device::Gpu;
use crate::uapi::{JmCtxCreate, JmCtxDestroy};
use crate::Panfrost;
use drm_sched::Priority;
use drmkpi::alloc::Arc;
use drmkpi::drm::driver::Call;
use drmkpi::os::{Mtx, Os};
use drmkpi::runner::client::Client;
use drmkpi::util::account::Charge;
use drmkpi::util::errno::{Result, EACCES, EBUSY, EINVAL, ENXIO};
use drmkpi::util::id_map::IdMap;

/// As many contexts as Linux's driver lets a file have, besides the default one.
const MAX: u32 = 64;

/// An estimate of the kernel memory of a context, in bytes.
const BYTES: u64 = 1024;

/// The priorities of the user ABI.
const LOW: u32 = 0;
const MEDIUM: u32 = 1;
const HIGH: u32 = 2;

/// A context.
pub(crate) struct Context {
    pub(crate) client: Client<Gpu>,
    _charge: Charge,
}

/// The contexts of a file that it has created, by handle.
pub(crate) struct Contexts(Mtx<IdMap<Arc<Context>>>);

impl Contexts {
    /// None.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<Contexts> {
        Mtx::new(os, c"panfrost contexts", IdMap::new(os)).map(Contexts)
    }

    /// The context with a handle that is not 0.
    ///
    /// # Errors
    ///
    /// EINVAL if there is none.
    pub(crate) fn get(&self, handle: u32) -> Result<Arc<Context>> {
        self.0.lock().get(handle).cloned().ok_or(EINVAL)
    }

    fn add(&self, context: Arc<Context>) -> Result<u32> {
        let mut contexts = self.0.lock();
        if contexts.len() >= MAX {
            return Err(EBUSY);
        }
        let handle = contexts.reserve()?;
        contexts.fill(handle, context);
        Ok(handle)
    }

    /// Drops all, which cancels their jobs, for a file that is being closed.
    pub(crate) fn clear(&self) {
        // The lock is not held while one is dropped.
        let take = || self.0.lock().take_any();
        while take().is_some() {}
    }
}

/// The priorities that a caller may ask for, as bits.
pub(crate) fn allowed(call: &Call<'_, Panfrost>) -> u64 {
    let high = call.caller.privileged() || call.file.is_current_master();
    (1 << LOW) | (1 << MEDIUM) | (u64::from(high) << HIGH)
}

/// JM_CTX_CREATE.
pub(crate) fn create(call: &Call<'_, Panfrost>, arg: &mut JmCtxCreate) -> Result<()> {
    let priority = match arg.priority {
        LOW => Priority::Low,
        MEDIUM => Priority::Medium,
        HIGH if allowed(call) & (1 << HIGH) == 0 => return Err(EACCES),
        HIGH => Priority::High,
        _ => return Err(EINVAL),
    };
    let file = call.file.driver();
    let charge = Charge::new(call.file.account(), BYTES)?;
    let client = file.client().ok_or(ENXIO)?.context(priority)?;
    let context = Context {
        client,
        _charge: charge,
    };
    arg.handle = file.contexts.add(Arc::new(call.file.os(), context)?)?;
    Ok(())
}

/// JM_CTX_DESTROY. Cancels the context's jobs, as closing a file does with its own.
pub(crate) fn destroy(call: &Call<'_, Panfrost>, arg: &mut JmCtxDestroy) -> Result<()> {
    if arg.pad != 0 || arg.handle == 0 {
        return Err(EINVAL);
    }
    // The lock is not held while it is dropped.
    let removed = call.file.driver().contexts.0.lock().remove(arg.handle);
    removed.map(drop).ok_or(EINVAL)
}
