// SPDX-License-Identifier: BSD-2-Clause
//! A gate for callbacks. While it is closed none can enter; closing waits for those inside.

use crate::clock::{Waiter, NEVER};
use crate::util::lk;
use crate::world::Inner;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct State {
    open: bool,
    inside: u32,
    waiting: Vec<Arc<Waiter>>,
}

/// A gate, closed at first.
#[derive(Default)]
pub(crate) struct Gate {
    st: Mutex<State>,
}

/// A callback inside the gate.
pub(crate) struct Inside<'a> {
    gate: &'a Gate,
    w: &'a Inner,
}

impl Gate {
    pub(crate) fn open(&self) {
        lk(&self.st).open = true;
    }

    pub(crate) fn enter<'a>(&'a self, w: &'a Inner) -> Option<Inside<'a>> {
        let mut st = lk(&self.st);
        if !st.open {
            return None;
        }
        st.inside += 1;
        Some(Inside { gate: self, w })
    }

    /// Closes the gate; returns when no callback is inside.
    pub(crate) fn close(&self, w: &Inner, what: &str, name: &str) {
        loop {
            let waiter = Waiter::new();
            {
                let mut st = lk(&self.st);
                st.open = false;
                if st.inside == 0 {
                    return;
                }
                st.waiting.push(waiter.clone());
            }
            w.block(&waiter, NEVER, what, name);
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let waiting = {
            let mut st = lk(&self.gate.st);
            st.inside -= 1;
            std::mem::take(&mut st.waiting)
        };
        self.w.wake_all(waiting);
    }
}
