// SPDX-License-Identifier: BSD-2-Clause
//! Job-manager contexts: run queues of a file with a priority of their own (JM_CTX_CREATE,
//! JM_CTX_DESTROY). Handle 0 is the file's default context, which is not in the table.
//!
//! A context without a handle stays in the table until its jobs have ended: dropping its run queues
//! cancels jobs. All contexts of a file share what one file gets of the GPU.

use crate::device::Gpu;
use crate::uapi::{JmCtxCreate, JmCtxDestroy};
use crate::Panfrost;
use drm_sched::Priority;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::driver::Call;
use drmkpi::os::{Mtx, Os};
use drmkpi::runner::client::Client;
use drmkpi::util::account::Charge;
use drmkpi::util::errno::{Result, EACCES, EBUSY, EINVAL, ENXIO};
use drmkpi::util::id_map::IdMap;
use drmkpi::util::int_conv::usize_of_u32;

/// As many contexts as Linux's driver lets a file have, besides the default one. It bounds those
/// without a handle, too.
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

struct Table {
    /// By handle.
    live: IdMap<Arc<Context>>,
    /// Those without a handle that may still have jobs.
    destroyed: KVec<Arc<Context>>,
}

/// The contexts of a file that it has created.
pub(crate) struct Contexts(Mtx<Table>);

impl Contexts {
    /// None.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<Contexts> {
        let table = Table {
            live: IdMap::new(os),
            destroyed: KVec::new(os),
        };
        Mtx::new(os, c"panfrost contexts", table).map(Contexts)
    }

    /// The context with a handle that is not 0.
    ///
    /// # Errors
    ///
    /// EINVAL if there is none.
    pub(crate) fn get(&self, handle: u32) -> Result<Arc<Context>> {
        self.0.lock().live.get(handle).cloned().ok_or(EINVAL)
    }

    fn add(&self, context: Arc<Context>) -> Result<u32> {
        let mut table = self.0.lock();
        if table.live.len() >= MAX || table.destroyed.len() >= usize_of_u32(MAX) {
            return Err(EBUSY);
        }
        // So that destroying a context needs no memory.
        // OVERFLOW: none, for it is below MAX.
        let room = usize_of_u32(table.live.len()).wrapping_add(1);
        table.destroyed.reserve(room)?;
        let handle = table.live.reserve()?;
        table.live.fill(handle, context);
        Ok(handle)
    }

    fn remove(&self, handle: u32) -> Result<()> {
        let mut table = self.0.lock();
        let context = table.live.remove(handle).ok_or(EINVAL)?;
        table.destroyed.push(context)
    }

    /// Drops a destroyed context that is not in use, if there is one.
    fn drop_one(&self) -> bool {
        let unused = {
            let mut table = self.0.lock();
            let unused = |context: &Arc<Context>| context.is_unique() && context.client.is_idle();
            let index = table.destroyed.iter().position(unused);
            index.and_then(|index| table.destroyed.swap_remove(index))
        };
        unused.is_some()
    }

    /// Drops all, which cancels their jobs, for a file that is being closed.
    pub(crate) fn clear(&self) {
        loop {
            let context = {
                let mut table = self.0.lock();
                table.live.take_any().or_else(|| table.destroyed.pop())
            };
            if context.is_none() {
                break;
            }
        }
    }

    /// Drops the destroyed contexts that are not in use.
    fn tidy(&self) {
        while self.drop_one() {}
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
    file.contexts.tidy();
    let charge = Charge::new(call.file.account(), BYTES)?;
    let client = file.client().ok_or(ENXIO)?.context(priority)?;
    let context = Context {
        client,
        _charge: charge,
    };
    arg.handle = file.contexts.add(Arc::new(call.file.os(), context)?)?;
    Ok(())
}

/// JM_CTX_DESTROY. Jobs that the context has go on.
pub(crate) fn destroy(call: &Call<'_, Panfrost>, arg: &mut JmCtxDestroy) -> Result<()> {
    if arg.pad != 0 || arg.handle == 0 {
        return Err(EINVAL);
    }
    let contexts = &call.file.driver().contexts;
    contexts.remove(arg.handle)?;
    contexts.tidy();
    Ok(())
}
