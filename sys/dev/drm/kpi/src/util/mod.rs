// SPDX-License-Identifier: BSD-2-Clause
//! Error numbers, conversions, maps and accounts.
//!
//! * [`errno`]: FreeBSD's error numbers
//! * [`int_conv`]: conversions between integer types that lose nothing
//! * [`uapi`]: structures of the user ABI as bytes
//! * [`id_map`]: a map from small numbers, as for handles
//! * [`sorted_map`]: an ordered map without large moves
//! * [`account`]: memory that clients hold: charges, limits, totals

pub mod account;
pub mod errno;
pub mod id_map;
pub mod int_conv;
pub mod sorted_map;
pub mod uapi;
