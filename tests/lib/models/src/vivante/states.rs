// SPDX-License-Identifier: BSD-2-Clause
//! The state space: 64 Ki words that streams load and that engines read when an operation starts.

use super::stats::STATES;

/// Last value loaded into each state.
#[derive(Clone, Debug)]
pub(crate) struct States(Vec<u32>);

impl States {
    pub(crate) fn new() -> States {
        States(vec![0; STATES])
    }

    /// Value of the state at byte address `address`.
    pub(crate) fn get(&self, address: u32) -> u32 {
        self.0[address as usize / 4 % STATES]
    }

    /// Value of the state `n` words after `address`.
    pub(crate) fn nth(&self, address: u32, n: u32) -> u32 {
        self.get(address.wrapping_add(n.wrapping_mul(4)))
    }

    /// Two consecutive states.
    pub(crate) fn pair(&self, address: u32) -> [u32; 2] {
        [self.get(address), self.nth(address, 1)]
    }

    pub(crate) fn set(&mut self, address: u32, value: u32) {
        self.0[address as usize / 4 % STATES] = value;
    }

    pub(crate) fn clear(&mut self) {
        self.0.fill(0);
    }
}

/// The float that a 16.16 fixed point number is loaded as. HW: etnaviv.md 5, LOAD_STATE FIXP.
pub(crate) fn fixp_to_float(value: u32) -> u32 {
    ((value as i32) as f32 / 65536.0).to_bits()
}
