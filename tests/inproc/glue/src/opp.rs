// SPDX-License-Identifier: BSD-2-Clause
//! A board with one clock and one regulator, and the choice of an operating point on it.

use crate::result;
use std::ffi::c_void;

/// `struct drm_opp_point`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Point {
    /// Frequency.
    pub hz: u64,
    /// Wanted voltage, 0 for none.
    pub uv: u32,
    /// Lowest voltage.
    pub uv_min: u32,
    /// Highest voltage.
    pub uv_max: u32,
}

type Arg = *mut c_void;

#[repr(C)]
struct Ops {
    get_freq: extern "C" fn(Arg, *mut u64) -> i32,
    set_freq: extern "C" fn(Arg, u64) -> i32,
    get_volt: Option<extern "C" fn(Arg, *mut u32) -> i32>,
    set_volt: Option<extern "C" fn(Arg, u32, u32) -> i32>,
    arg: Arg,
}

extern "C" {
    fn drm_opp_sort(points: *mut Point, count: usize);
    fn drm_opp_choose(
        points: *const Point,
        count: usize,
        ops: *const Ops,
        max_hz: u64,
        chosen: *mut usize,
    ) -> i32;
}

/// A change; changes are recorded in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The clock's new frequency in Hz.
    Hz(u64),
    /// The supply's new voltage in microvolts.
    Uv(u32),
}

/// One clock and perhaps one regulator.
#[derive(Debug)]
pub struct Board {
    /// The table.
    pub points: Vec<Point>,
    /// The clock's frequency.
    pub hz: u64,
    /// The supply's voltage.
    pub uv: u32,
    /// Whether there is a regulator.
    pub regulator: bool,
    /// The voltages that the regulator can give.
    pub volts: Vec<u32>,
    /// The frequencies that the clock can be set to.
    pub clocks: Vec<u64>,
    /// The clock rounds up instead of down.
    pub rounds_up: bool,
    /// The changes.
    pub events: Vec<Event>,
    /// Each change after which the clock was too fast for the voltage.
    pub violations: Vec<(u64, u32)>,
}

impl Board {
    /// A board at `hz` and `uv` that can be set to every point of the table.
    pub fn new(points: &[Point], hz: u64, uv: u32) -> Self {
        Board {
            points: points.to_vec(),
            hz,
            uv,
            regulator: true,
            volts: points.iter().map(|p| p.uv).chain([uv]).collect(),
            clocks: points.iter().map(|p| p.hz).chain([hz]).collect(),
            rounds_up: false,
            events: Vec::new(),
            violations: Vec::new(),
        }
    }

    fn changed(&mut self, event: Event) {
        self.events.push(event);
        let fast_enough = self.points.iter().filter(|p| p.hz >= self.hz);
        if let Some(need) = fast_enough.map(|p| p.uv_min).min() {
            if self.uv < need {
                self.violations.push((self.hz, self.uv));
            }
        }
    }

    /// Sorts the table, chooses, and returns the point.
    ///
    /// # Errors
    ///
    /// The error of `drm_opp_choose`.
    pub fn choose(&mut self, max_hz: u64) -> Result<Point, i32> {
        let mut points = self.points.clone();
        let ops = Ops {
            get_freq,
            set_freq,
            get_volt: self.regulator.then_some(get_volt as _),
            set_volt: self.regulator.then_some(set_volt as _),
            arg: std::ptr::from_mut(self).cast(),
        };
        let mut chosen = usize::MAX;
        // SAFETY: points is as long as said, and ops, with the board that its functions take, lives
        // on.
        let errno = unsafe {
            drm_opp_sort(points.as_mut_ptr(), points.len());
            drm_opp_choose(points.as_ptr(), points.len(), &ops, max_hz, &mut chosen)
        };
        result(errno).map(|()| points[chosen])
    }
}

fn board<'a>(arg: Arg) -> &'a mut Board {
    // SAFETY: arg is the board that choose holds mutably and does not touch during the call.
    unsafe { &mut *arg.cast::<Board>() }
}

extern "C" fn get_freq(arg: Arg, hz: *mut u64) -> i32 {
    // SAFETY: the caller's.
    unsafe { *hz = board(arg).hz };
    0
}

extern "C" fn set_freq(arg: Arg, hz: u64) -> i32 {
    let b = board(arg);
    let found = if b.rounds_up {
        b.clocks.iter().filter(|c| **c >= hz).min()
    } else {
        b.clocks.iter().filter(|c| **c <= hz).max()
    };
    match found.copied() {
        Some(hz) => {
            b.hz = hz;
            b.changed(Event::Hz(hz));
            0
        }
        None => crate::ERANGE,
    }
}

extern "C" fn get_volt(arg: Arg, uv: *mut u32) -> i32 {
    // SAFETY: the caller's.
    unsafe { *uv = board(arg).uv };
    0
}

extern "C" fn set_volt(arg: Arg, min: u32, max: u32) -> i32 {
    let b = board(arg);
    let found = b
        .volts
        .iter()
        .filter(|v| (min..=max).contains(*v))
        .min()
        .copied();
    match found {
        Some(uv) => {
            b.uv = uv;
            b.changed(Event::Uv(uv));
            0
        }
        None => crate::ERANGE,
    }
}
