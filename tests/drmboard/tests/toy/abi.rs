// SPDX-License-Identifier: BSD-2-Clause
//! Requests of the toy driver. Compiled into the driver and into its client.

use uapi::code;

/// `[a, b, a + b]`.
pub const ADD: u32 = code(3, b'd', 0x40, 24);
/// Sleeps until the next WAKE or a signal. No argument.
pub const BLOCK: u32 = code(0, b'd', 0x41, 0);
/// Wakes everyone in BLOCK. No argument.
pub const WAKE: u32 = code(0, b'd', 0x42, 0);
/// `[size, handle, 0]`: a buffer; its map offset is handle << 32.
pub const NEW: u32 = code(3, b'd', 0x43, 24);
/// `[handle, cloexec, descriptor]`: the buffer as a dma-buf.
pub const EXPORT: u32 = code(3, b'd', 0x44, 24);
/// `[descriptor, handle, 0]`.
pub const IMPORT: u32 = code(3, b'd', 0x45, 24);
/// `[descriptor]`, only out: a file that gets readable with SIGNAL.
pub const EVENT: u32 = code(2, b'd', 0x46, 8);
/// Makes all event files readable. No argument.
pub const SIGNAL: u32 = code(0, b'd', 0x47, 0);
/// Makes all event files unreadable again. No argument.
pub const UNSIGNAL: u32 = code(0, b'd', 0x4c, 0);
/// `[from, to, length]`: copies within the caller's memory, length at most 65536.
pub const COPY: u32 = code(1, b'd', 0x48, 24);
/// `[threads in BLOCK]`, only out.
pub const STATE: u32 = code(2, b'd', 0x49, 8);
/// `[error]`: fails with that FreeBSD number.
pub const FAIL: u32 = code(1, b'd', 0x4a, 8);
/// `[address, pages, 0]`: the device adds one to the first word of each of these pages of the
/// caller's memory.
pub const TOUCH: u32 = code(1, b'd', 0x4b, 24);
