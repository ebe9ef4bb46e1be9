// SPDX-License-Identifier: BSD-2-Clause
//! The ioctls that every driver has. Errors are those of Linux 6.1: drm_ioctl.c, drm_auth.c,
//! drm_gem.c, drm_prime.c, drm_syncobj.c; a render-only driver returns EOPNOTSUPP for mode setting.
//! What newer versions added to sync objects is there as well, with their errors.
//!
//! * `dispatch`: finds and calls the function of an ioctl
//! * `table`: number, structure, access and function of each
//! * `version`, `auth`, `gem`, `prime`, `syncobj`, `timeline`: the functions
//! * `unsupported`: numbers of Linux that a render-only driver does not support

mod auth;
mod dispatch;
mod gem;
mod prime;
mod syncobj;
mod table;
mod timeline;
mod unsupported;
mod version;

pub(crate) use dispatch::Files;
