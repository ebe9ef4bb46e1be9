// SPDX-License-Identifier: BSD-2-Clause
//! A queue: its thread, and its end.

use super::*;

impl Queue {
    pub(super) fn create(w: &Inner, name: String, urgency: u32) -> Result<Arc<Queue>, u32> {
        w.gate()?;
        let st = Mutex::default();
        let q = Arc::new(Queue {
            w: w.arc(),
            name,
            urgent: urgency == sys::DRM_OS_QUEUE_URGENT,
            st,
            thread: Mutex::new(None),
        });
        let start = Waiter::new();
        let (me, first) = (q.clone(), start.clone());
        let t = std::thread::Builder::new()
            .name(format!("task {}", q.name))
            .spawn(move || {
                if me.w.is_virtual() {
                    first.await_baton();
                }
                if me.urgent {
                    me.w.this_thread_is(Rank::Task);
                }
                no_unwind(|| me.serve());
            });
        *lk(&q.thread) = Some(t.map_err(|_| sys::DRM_OS_ENOMEM)?);
        w.wake(&start, Wake::Event);
        lk(&w.queues).retain(|x| x.strong_count() != 0);
        lk(&w.queues).push(Arc::downgrade(&q));
        w.counts.add(Kind::Taskqueues, 1);
        Ok(q)
    }

    pub(super) fn addr(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    pub(super) fn is_own_thread(&self) -> bool {
        witness::this_queue() == self.addr()
    }

    pub(super) fn serve(&self) {
        witness::set_this_queue(self.addr());
        loop {
            let stalled = lk(&self.w.stalled).contains(&self.name);
            let mut st = lk(&self.st);
            self.collect_due(&mut st);
            if let Some(t) = (!stalled).then(|| st.pending.pop_front()).flatten() {
                lk(&t.st).queued = false;
                st.running = addr_of(&t);
                drop(st);
                // SAFETY: the creator of the task promised that fn may be called with this arg
                // until its destroy.
                unsafe { (t.f)(t.arg as *mut c_void) };
                no_lock_held(&self.w, "a task returned");
                let watchers = {
                    let mut st = lk(&self.st);
                    st.running = 0;
                    std::mem::take(&mut st.watchers)
                };
                self.w.wake_all(watchers);
                continue;
            }
            if st.stop {
                st.finished = true;
                let watchers = std::mem::take(&mut st.watchers);
                drop(st);
                self.w.wake_all(watchers);
                break;
            }
            let waiter = Waiter::new();
            st.idle = Some(waiter.clone());
            let next = st.timed.first_key_value().filter(|_| !stalled);
            let deadline = next.map_or(NEVER, |(k, _)| k.0);
            drop(st);
            self.w
                .block(&waiter, deadline, "idle task queue", &self.name);
            lk(&self.st).idle = None;
        }
        if self.w.is_virtual() {
            self.w.leave();
        }
    }

    pub(super) fn collect_due(&self, st: &mut State) {
        let now = self.w.now();
        while let Some(e) = st.timed.first_entry().filter(|e| e.key().0 <= now) {
            let t = e.remove();
            let mut p = lk(&t.st);
            p.timed = None;
            p.queued = true;
            drop(p);
            st.pending.push_back(t);
        }
    }

    pub(super) fn kick(&self, st: &mut State) {
        if let Some(i) = st.idle.take() {
            self.w.wake(&i, Wake::Event);
        }
    }

    /// Waits until `done`, whose changes notify the queue's watchers.
    pub(super) fn wait_for(&self, what: &str, done: impl Fn(&State) -> bool) {
        loop {
            let waiter = Waiter::new();
            {
                let mut st = lk(&self.st);
                if done(&st) {
                    return;
                }
                st.watchers.push(waiter.clone());
            }
            self.w.block(&waiter, NEVER, what, &self.name);
        }
    }

    pub(super) fn stop(&self) {
        {
            let mut st = lk(&self.st);
            st.stop = true;
            self.kick(&mut st);
        }
        self.wait_for("drm_os_taskqueue_destroy", |st| st.finished);
        if let Some(t) = lk(&self.thread).take() {
            // The thread passes the baton on before it ends, so this does not block on virtual
            // time.
            if t.join().is_err() {
                fatal("a task thread panicked");
            }
        }
    }

    /// Called when the world ends before the queue is destroyed.
    pub(crate) fn stop_with_world(&self) {
        let stuck = {
            let mut st = lk(&self.st);
            st.pending.clear();
            st.timed.clear();
            self.w.is_virtual() && st.running != 0
        };
        if stuck || self.is_own_thread() || std::thread::panicking() {
            return raw_line(&format!(
                "drm_os: the world ended with a task of queue \"{}\" running",
                self.name
            ));
        }
        self.stop();
    }
}
