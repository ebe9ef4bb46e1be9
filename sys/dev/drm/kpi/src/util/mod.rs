// SPDX-License-Identifier: BSD-2-Clause
//! What everything else is written with: error numbers, conversions, tables, accounts.
//!
//! * [`errno`]: FreeBSD's error numbers
//! * [`int_conv`]: conversions between integer types that lose nothing
//! * [`uapi`]: structures of the user ABI as bytes
//! * [`id_map`]: small numbers, as clients know their objects
//! * [`sorted_map`]: a map for as many entries as a client can make
//! * [`account`]: memory that clients hold: charges, limits, totals

pub mod account;
pub mod errno;
pub mod id_map;
pub mod int_conv;
pub mod sorted_map;
pub mod uapi;
