// SPDX-License-Identifier: BSD-2-Clause
//! What `make bench` measures, and how.
//!
//! The one thing to know: instructions are what is compared, time is only shown. Where the
//! processor lends its counters they are counted by it, else in a second run by callgrind; both
//! count instructions of user space, and the same program gives nearly the same number again.

pub mod bounds;
pub mod count;
pub mod dump;
pub mod guest;
pub mod ioctl;
pub mod iommu;
pub mod latency;
pub mod meter;
pub mod model;
pub mod peer;
pub mod plot;
pub mod profile;
pub mod scale;
pub mod sched;
pub mod submit;
