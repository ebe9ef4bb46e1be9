// SPDX-License-Identifier: BSD-2-Clause
//! Performance counters.
//!
//! * `requests`: the requests of a submit to read counters
//! * `read`: reading them while the front end is stopped

pub(crate) mod read;
pub(crate) mod requests;
