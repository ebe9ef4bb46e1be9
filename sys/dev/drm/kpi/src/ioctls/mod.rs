// SPDX-License-Identifier: BSD-2-Clause
//! The ioctls that every driver has. Errors are those of Linux 6.1: drm_ioctl.c, drm_auth.c, drm_gem.c,
//! drm_prime.c, drm_syncobj.c; a render-only driver returns EOPNOTSUPP for all that is about modes.
//!
//! * `dispatch`: from a request of C to its function
//! * `table`: number, structure, access and function of each
//! * `version`, `auth`, `gem`, `prime`, `syncobj`: the functions
//! * `unsupported`: numbers that Linux knows and a render-only driver refuses

mod auth;
mod dispatch;
mod gem;
mod prime;
mod syncobj;
mod table;
mod unsupported;
mod version;

pub(crate) use dispatch::Files;
