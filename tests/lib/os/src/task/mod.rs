// SPDX-License-Identifier: BSD-2-Clause
//! Task queues. Each has a thread, in both modes; in virtual mode it runs only while it has the
//! baton.

use crate::calls::Call;
use crate::clock::{Waiter, Wake, NEVER};
use crate::counters::Kind;
use crate::sys;
use crate::util::{cstr, errno, fatal, lk, no_unwind, raw_line};
use crate::witness;
use crate::world::{no_lock_held, Inner, Rank};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

mod queue;

type TaskFn = unsafe extern "C" fn(*mut c_void);

#[derive(Default)]
struct Pending {
    queued: bool,
    /// Its key in the queue's `timed`.
    timed: Option<(u64, u64)>,
}

/// The task that `struct drm_os_task` refers to. `st` is locked only with the queue's lock held.
struct Task {
    q: Arc<Queue>,
    f: TaskFn,
    arg: usize,
    st: Mutex<Pending>,
}

#[derive(Default)]
struct State {
    pending: VecDeque<Arc<Task>>,
    timed: BTreeMap<(u64, u64), Arc<Task>>,
    seq: u64,
    /// Address of the running task, 0 if none.
    running: usize,
    /// The queue's thread while it waits for work.
    idle: Option<Arc<Waiter>>,
    /// Waiters for a change: drain, destroy.
    watchers: Vec<Arc<Waiter>>,
    tasks: u64,
    stop: bool,
    finished: bool,
}

/// The queue that `struct drm_os_taskqueue` refers to.
pub(crate) struct Queue {
    w: Arc<Inner>,
    name: String,
    urgent: bool,
    st: Mutex<State>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

fn addr_of(t: &Arc<Task>) -> usize {
    Arc::as_ptr(t) as usize
}

thread_local! {
    /// How long the thread sleeps as soon as it holds no mutex, see [`crate::World::slow_enqueue`].
    static DELAY: Cell<u64> = const { Cell::new(0) };
}

/// Whether the thread will sleep as soon as it holds no mutex.
pub(crate) fn is_delayed() -> bool {
    DELAY.get() != 0
}

/// Called after a mutex is released.
pub(crate) fn after_unlock(w: &Inner) {
    if witness::can_sleep() {
        w.sleep(DELAY.take());
    }
}

impl Task {
    fn enqueue(self: &Arc<Task>) {
        let ns = self.q.w.enqueue_ns.load(Relaxed);
        if ns != 0 && witness::can_sleep() {
            self.q.w.sleep(ns);
        } else if ns != 0 && !witness::in_interrupt() {
            DELAY.set(ns);
        }
        let mut st = lk(&self.q.st);
        let mut p = lk(&self.st);
        if p.queued {
            return;
        }
        if let Some(k) = p.timed.take() {
            st.timed.remove(&k);
        }
        p.queued = true;
        st.pending.push_back(self.clone());
        self.q.kick(&mut st);
    }

    fn enqueue_at(self: &Arc<Task>, when: u64) {
        let mut st = lk(&self.q.st);
        let mut p = lk(&self.st);
        if p.queued {
            return;
        }
        if let Some(k) = p.timed.take() {
            st.timed.remove(&k);
        }
        st.seq += 1;
        let k = (when, st.seq);
        p.timed = Some(k);
        st.timed.insert(k, self.clone());
        self.q.kick(&mut st);
    }

    fn cancel(self: &Arc<Task>) {
        let watchers = {
            let mut st = lk(&self.q.st);
            let mut p = lk(&self.st);
            if std::mem::take(&mut p.queued) {
                st.pending.retain(|t| !Arc::ptr_eq(t, self));
            }
            if let Some(k) = p.timed.take() {
                st.timed.remove(&k);
            }
            std::mem::take(&mut st.watchers)
        };
        self.q.w.wake_all(watchers);
    }

    fn drain(self: &Arc<Task>, what: &str) {
        witness::may_sleep(what);
        if self.q.is_own_thread() {
            fatal(&format!(
                "{what} in the thread of its own queue \"{}\"",
                self.q.name
            ));
        }
        let me = addr_of(self);
        self.q.wait_for(what, |st| {
            let p = lk(&self.st);
            // No task runs again in a queue that ended with its world.
            st.finished || (!p.queued && p.timed.is_none() && st.running != me)
        });
    }

    /// # Safety
    /// `p` is a live task of this crate.
    unsafe fn of(p: *mut sys::drm_os_task) -> Arc<Task> {
        let t = p.cast::<Task>().cast_const();
        // SAFETY: the C side owns a reference during the lifetime of the task; this creates
        // another.
        unsafe {
            Arc::increment_strong_count(t);
            Arc::from_raw(t)
        }
    }
}

impl Inner {
    /// See [`crate::World::stall_queue`].
    pub(crate) fn stall_queue(&self, name: &str, on: bool) {
        let mut stalled = lk(&self.stalled);
        match on {
            true => stalled.insert(name.to_string()),
            false => stalled.remove(name),
        };
        drop(stalled);
        for q in lk(&self.queues).iter().filter_map(std::sync::Weak::upgrade) {
            q.kick(&mut lk(&q.st));
        }
    }

    /// The names of queues whose thread has priority over those of users.
    pub(crate) fn urgent_queues(&self) -> Vec<String> {
        lk(&self.queues)
            .iter()
            .filter_map(std::sync::Weak::upgrade)
            .filter(|q| q.urgent)
            .map(|q| q.name.clone())
            .collect()
    }

    /// The live queues, for the report of leaks.
    pub(crate) fn task_names(&self) -> String {
        let left: Vec<String> = lk(&self.queues)
            .iter()
            .filter_map(std::sync::Weak::upgrade)
            .map(|q| format!("\"{}\" ({} tasks)", q.name, lk(&q.st).tasks))
            .collect();
        if left.is_empty() {
            String::new()
        } else {
            format!("; task queues: {}", left.join(", "))
        }
    }
}

pub(crate) mod exports {
    use super::*;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_taskqueue_create(
        os: *mut sys::drm_os,
        name: *const c_char,
        urgency: u32,
        tqp: *mut *mut sys::drm_os_taskqueue,
    ) -> c_int {
        let name = cstr(name).unwrap_or_default();
        errno(
            Queue::create(Inner::of(os), name, urgency)
                .map(|q| tqp.write(Arc::into_raw(q).cast_mut().cast())),
        )
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_taskqueue_destroy(tq: *mut sys::drm_os_taskqueue) {
        witness::may_sleep("drm_os_taskqueue_destroy");
        let q = Arc::from_raw(tq.cast::<Queue>().cast_const());
        if q.is_own_thread() {
            fatal(&format!(
                "queue \"{}\" destroyed by a task of its own",
                q.name
            ));
        }
        let tasks = lk(&q.st).tasks;
        if tasks != 0 {
            fatal(&format!(
                "queue \"{}\" destroyed with {tasks} tasks",
                q.name
            ));
        }
        q.stop();
        q.w.counts.sub(Kind::Taskqueues, 1);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_task_create(
        tq: *mut sys::drm_os_taskqueue,
        fn_: sys::drm_os_task_fn,
        arg: *mut c_void,
        taskp: *mut *mut sys::drm_os_task,
    ) -> c_int {
        let Some(f) = fn_ else {
            fatal("a task without a function")
        };
        let p = tq.cast::<Queue>().cast_const();
        Arc::increment_strong_count(p);
        let q = Arc::from_raw(p);
        errno(q.w.gate().map(|()| {
            lk(&q.st).tasks += 1;
            q.w.counts.add(Kind::Tasks, 1);
            let t = Arc::new(Task {
                q: q.clone(),
                f,
                arg: arg as usize,
                st: Mutex::default(),
            });
            taskp.write(Arc::into_raw(t).cast_mut().cast());
        }))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_task_destroy(task: *mut sys::drm_os_task) {
        let t = Arc::from_raw(task.cast::<Task>().cast_const());
        t.cancel();
        t.drain("drm_os_task_destroy");
        lk(&t.q.st).tasks -= 1;
        t.q.w.counts.sub(Kind::Tasks, 1);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_task_enqueue(task: *mut sys::drm_os_task) {
        let t = Task::of(task);
        t.q.w.calls.one(Call::Enqueue);
        t.enqueue();
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_task_enqueue_at(task: *mut sys::drm_os_task, when: u64) {
        let t = Task::of(task);
        t.q.w.calls.one(Call::EnqueueAt);
        t.enqueue_at(when);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_task_cancel(task: *mut sys::drm_os_task) {
        Task::of(task).cancel();
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_task_drain(task: *mut sys::drm_os_task) {
        Task::of(task).drain("drm_os_task_drain");
    }
}
