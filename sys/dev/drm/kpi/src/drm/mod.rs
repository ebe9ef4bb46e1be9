// SPDX-License-Identifier: BSD-2-Clause
//! Devices, open files and objects. `Driver`, `Device`, `File` and `Gem` name each other: the one
//! circle of types in this crate.
//!
//! * [`driver`]: what a driver gives the DRM layer
//! * [`device`]: a driver's device and its nodes
//! * [`mod@file`]: an open file
//! * [`gem`]: a buffer as one device sees it
//! * [`ioctl`]: tables of ioctls
//! * [`shrink`]: memory that clients do not need, and its end when memory is short
//! * [`coredump`], [`stats`]: what a driver tells
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
