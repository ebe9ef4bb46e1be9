// SPDX-License-Identifier: BSD-2-Clause
//! Binary sync objects: a box that holds at most one fence, shared by handle or descriptor.

use crate::alloc::{Arc, KVec};
use crate::errno::{Result, EINVAL, ETIME, ETIMEDOUT};
use crate::fence::{Fence, Hook, Waiter};
use crate::ffi::PlainFile;
use crate::os::{Caller, FdFlags, FileRef, Mtx, NewFile, Os};

struct State {
    fence: Option<Arc<Fence>>,
    waiters: KVec<Arc<Waiter>>,
}

/// A box for a fence.
pub struct Syncobj {
    os: Os,
    state: Mtx<State>,
}

/// What stands behind a descriptor of a box.
pub(crate) struct SyncobjFile(Arc<Syncobj>);

impl PlainFile for SyncobjFile {}

/// What a wait is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitMode {
    /// All of them rather than any one.
    pub all: bool,
    /// A box that is still empty is waited for.
    pub for_submit: bool,
}

impl Syncobj {
    /// A box with `fence` in it.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os, fence: Option<Arc<Fence>>) -> Result<Arc<Syncobj>> {
        let state = State {
            fence,
            waiters: KVec::new(os),
        };
        Arc::new(
            os,
            Syncobj {
                os,
                state: Mtx::new(os, c"drm syncobj", state)?,
            },
        )
    }

    /// What is in the box.
    pub fn fence(&self) -> Option<Arc<Fence>> {
        self.state.lock().fence.clone()
    }

    /// Puts `fence` (or nothing) in the box and wakes those who wait for one.
    pub fn replace(&self, fence: Option<Arc<Fence>>) {
        let (old, waiters) = {
            let mut state = self.state.lock();
            let waiters = match fence {
                Some(_) => core::mem::replace(&mut state.waiters, KVec::new(self.os)),
                None => KVec::new(self.os),
            };
            (core::mem::replace(&mut state.fence, fence), waiters)
        };
        drop(old);
        for waiter in waiters.iter() {
            waiter.wake();
        }
    }

    /// The fence in the box, or a promise that `waiter` is woken when one comes.
    fn fence_or_wait(&self, waiter: &Arc<Waiter>) -> Result<Option<Arc<Fence>>> {
        let mut state = self.state.lock();
        if state.fence.is_none() && !state.waiters.iter().any(|w| Arc::ptr_eq(w, waiter)) {
            state.waiters.push(waiter.clone())?;
        }
        Ok(state.fence.clone())
    }

    /// Gives `caller` a close-on-exec descriptor of the box itself.
    ///
    /// # Errors
    ///
    /// ENOMEM, EMFILE.
    pub fn export(this: &Arc<Self>, os: Os, caller: &Caller<'_>) -> Result<i32> {
        let content = Arc::new(os, SyncobjFile(this.clone()))?;
        NewFile::new(os, content)?.install(caller, FdFlags::CLOEXEC)
    }

    /// The box behind a descriptor.
    ///
    /// # Errors
    ///
    /// EINVAL when there is none.
    pub fn import(caller: &Caller<'_>, fd: i32) -> Result<Arc<Syncobj>> {
        let file = FileRef::<SyncobjFile>::get(caller, fd).map_err(|_| EINVAL)?;
        Ok(file.0.clone())
    }

    fn forget(&self, waiter: &Arc<Waiter>) {
        let removed = {
            let mut state = self.state.lock();
            let found = state.waiters.iter().position(|w| Arc::ptr_eq(w, waiter));
            found.and_then(|i| state.waiters.swap_remove(i))
        };
        drop(removed);
    }
}

/// Sleeps until the fences of `boxes` are as `mode` asks. The answer is the index of the first that was,
/// or `u32::MAX` where Linux leaves it unset (all were asked for and none was when the wait began).
///
/// # Errors
///
/// EINVAL when a box is empty and `mode` does not wait for that; ETIME at `deadline` ns; EINTR, ERESTART,
/// ENOMEM.
pub fn wait(
    os: Os,
    boxes: &[Arc<Syncobj>],
    mode: WaitMode,
    caller: &Caller<'_>,
    deadline: u64,
) -> Result<u32> {
    let mut fences: KVec<Option<Arc<Fence>>> = KVec::with_capacity(os, boxes.len())?;
    for b in boxes {
        let fence = b.fence();
        if fence.is_none() && !mode.for_submit {
            return Err(EINVAL);
        }
        fences.push(fence)?;
    }
    let mut first = u32::MAX;
    if let Some(answer) = satisfied(&fences, mode, &mut first) {
        return Ok(answer);
    }
    if deadline <= os.now() {
        return Err(ETIME);
    }
    let waiter = Waiter::new(os)?;
    let hook = waiter.clone().into_hook();
    let result = sleep(boxes, &mut fences, mode, &waiter, &hook, first, caller, deadline);
    for b in boxes {
        b.forget(&waiter);
    }
    for fence in fences.iter().flatten() {
        fence.remove_hook(&hook, 0);
    }
    result
}

#[expect(
    clippy::too_many_arguments,
    reason = "the second half of `wait`, which cleans up after it"
)]
fn sleep(
    boxes: &[Arc<Syncobj>],
    fences: &mut KVec<Option<Arc<Fence>>>,
    mode: WaitMode,
    waiter: &Arc<Waiter>,
    hook: &Arc<dyn Hook>,
    mut first: u32,
    caller: &Caller<'_>,
    deadline: u64,
) -> Result<u32> {
    for fence in fences.iter().flatten() {
        // One that ends meanwhile is seen by the look below.
        fence.add_hook(hook, 0)?;
    }
    loop {
        let seen = waiter.count();
        for (b, slot) in boxes.iter().zip(fences.iter_mut()) {
            if slot.is_none() {
                if let Some(fence) = b.fence_or_wait(waiter)? {
                    fence.add_hook(hook, 0)?;
                    *slot = Some(fence);
                }
            }
        }
        let at_start = first;
        if let Some(answer) = satisfied(fences, mode, &mut first) {
            return Ok(if mode.all { at_start } else { answer });
        }
        first = at_start;
        match waiter.wait_past(seen, Some(caller), deadline) {
            Err(e) if e == ETIMEDOUT => return Err(ETIME),
            other => other?,
        }
    }
}

/// The answer when `fences` are as asked; `first` is set to the first one that is.
fn satisfied(fences: &[Option<Arc<Fence>>], mode: WaitMode, first: &mut u32) -> Option<u32> {
    let good = |f: &Option<Arc<Fence>>| f.as_ref().is_some_and(|f| f.is_signaled());
    let index = fences.iter().position(good);
    if let Some(i) = index {
        *first = u32::try_from(i).unwrap_or(u32::MAX);
    }
    let enough = if mode.all {
        fences.iter().all(good)
    } else {
        index.is_some()
    };
    enough.then_some(*first)
}
