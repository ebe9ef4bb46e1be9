// SPDX-License-Identifier: BSD-2-Clause
//! Performance counters.
//!
//! * `requests`: the counters that a submit wants read
//! * `read`: reading them, with the front end stopped

pub(crate) mod read;
pub(crate) mod requests;
