// SPDX-License-Identifier: BSD-2-Clause
//! Job chains written by hand.
//!
//! The header is that of Mesa's genxml v5.xml "Job Header" (as decoded in
//! pandecode-t860-clear-tri.txt), the payloads are "Write Value Job Payload" and, for a compute
//! job, the parts of "Draw" and "Renderer State" that hold the address of a program.

/// Job types of genxml "Job Type".
const NULL: u32 = 1;
const WRITE_VALUE: u32 = 2;
const COMPUTE: u32 = 4;
/// Types of genxml "Write Value Type"; v5 has no immediate values.
const TIMESTAMP: u32 = 2;
const ZERO: u32 = 3;

/// A job that stores a zero of 64 bits at `to`.
pub fn write_zero(to: u64, next: u64) -> Vec<u8> {
    write_value(ZERO, to, next)
}

/// A job that stores the time at `to`: 24 MHz ticks, 64 bits.
pub fn write_time(to: u64, next: u64) -> Vec<u8> {
    write_value(TIMESTAMP, to, next)
}

fn write_value(kind: u32, to: u64, next: u64) -> Vec<u8> {
    let mut job = header(WRITE_VALUE, next);
    job.extend(to.to_le_bytes());
    job.extend(kind.to_le_bytes());
    job.extend(0u32.to_le_bytes());
    // Immediate value, unused by these types.
    job.extend(0u64.to_le_bytes());
    job
}

/// A null job.
pub fn null(next: u64) -> Vec<u8> {
    let mut job = header(NULL, next);
    job.resize(64, 0);
    job
}

/// A compute job at `at` whose program is at `program`: 256 bytes, with its renderer state.
pub fn compute(at: u64, program: u64) -> Vec<u8> {
    let mut job = header(COMPUTE, 0);
    job.resize(256, 0);
    // The draw begins at 64; word 14 of it is the address of the state, at 192.
    job[64 + 56..64 + 64].copy_from_slice(&(at + 192).to_le_bytes());
    job[192..200].copy_from_slice(&program.to_le_bytes());
    job
}

fn header(kind: u32, next: u64) -> Vec<u8> {
    let mut job = vec![0; 16];
    // Word 4: 64-bit pointers, type; high half: index.
    job.extend((1 | kind << 1 | 1 << 16).to_le_bytes());
    job.extend(0u32.to_le_bytes());
    job.extend(next.to_le_bytes());
    job
}
