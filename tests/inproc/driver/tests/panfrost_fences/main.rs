// SPDX-License-Identifier: BSD-2-Clause
//! Fences in numbers that only a hostile client has: merges of merges, lists of buffers, waits for
//! thousands; and timelines.

mod merges;
mod timelines;
mod waits;
