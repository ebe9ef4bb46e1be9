// SPDX-License-Identifier: BSD-2-Clause
//! The MMU: address spaces of clients, and the hardware address spaces in which they are loaded.
//!
//! * `address_space`: register operations of one hardware address space
//! * `slots`: which VM has which hardware address space
//! * `vm`: the VM of one open file
//! * `va`: where its buffers are
//! * `mapping`: a buffer in a VM
//! * `fault`: MMU faults, growing heaps

pub(crate) mod address_space;
pub(crate) mod fault;
pub(crate) mod mapping;
pub(crate) mod slots;
pub(crate) mod va;
pub(crate) mod vm;
