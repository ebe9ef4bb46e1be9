// SPDX-License-Identifier: BSD-2-Clause
//! Devices, open files and objects. `Driver`, `Device`, `File` and `Gem` are mutually recursive, as
//! no other types of this crate.
//!
//! * [`driver`]: the interface of drivers
//! * [`device`]: a driver's device and its nodes
//! * [`mod@file`]: an open file
//! * [`gem`]: a buffer on one device
//! * [`ioctl`]: tables of ioctls
//! * [`shrink`]: purges memory that clients do not need when memory is short
//! * [`coredump`], [`stats`]: the crash dump and statistics of a driver
//! * `auth`: masters, magics and authentication

pub(crate) mod auth;
pub mod coredump;
pub mod device;
pub mod driver;
pub mod file;
pub mod gem;
pub mod ioctl;
pub mod shrink;
pub mod stats;
