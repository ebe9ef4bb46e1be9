// SPDX-License-Identifier: BSD-2-Clause
//! GPU control block, offsets 0x000 to 0xfff.
//!
//! HW: panfrost.md 2.1, 2.2, 2.7; names as in Linux 6.1 panfrost_regs.h.

pub(crate) const ID: u32 = 0x000;
pub(crate) const L2_FEATURES: u32 = 0x004;
pub(crate) const CORE_FEATURES: u32 = 0x008;
pub(crate) const TILER_FEATURES: u32 = 0x00c;
pub(crate) const MEM_FEATURES: u32 = 0x010;
pub(crate) const MMU_FEATURES: u32 = 0x014;
pub(crate) const AS_PRESENT: u32 = 0x018;
pub(crate) const JS_PRESENT: u32 = 0x01c;
pub(crate) const INT_RAWSTAT: u32 = 0x020;
pub(crate) const INT_CLEAR: u32 = 0x024;
pub(crate) const INT_MASK: u32 = 0x028;
pub(crate) const INT_STAT: u32 = 0x02c;
pub(crate) const COMMAND: u32 = 0x030;
pub(crate) const STATUS: u32 = 0x034;
pub(crate) const LATEST_FLUSH: u32 = 0x038;
pub(crate) const FAULT_STATUS: u32 = 0x03c;
pub(crate) const FAULT_ADDRESS_LO: u32 = 0x040;
pub(crate) const FAULT_ADDRESS_HI: u32 = 0x044;
pub(crate) const AFBC_FEATURES: u32 = 0x04c;
pub(crate) const PWR_KEY: u32 = 0x050;
pub(crate) const PWR_OVERRIDE0: u32 = 0x054;
pub(crate) const PWR_OVERRIDE1: u32 = 0x058;
pub(crate) const PERFCNT_BASE_LO: u32 = 0x060;
pub(crate) const PERFCNT_BASE_HI: u32 = 0x064;
pub(crate) const PERFCNT_CFG: u32 = 0x068;
pub(crate) const PERFCNT_JM_EN: u32 = 0x06c;
pub(crate) const PERFCNT_SHADER_EN: u32 = 0x070;
pub(crate) const PERFCNT_TILER_EN: u32 = 0x074;
pub(crate) const PERFCNT_MMU_L2_EN: u32 = 0x07c;
// HW: counter offsets are those of Arm's register map as used by every Mali kernel driver;
// panfrost.md 7 lists them as unverified on silicon.
pub(crate) const CYCLE_COUNT_LO: u32 = 0x090;
pub(crate) const CYCLE_COUNT_HI: u32 = 0x094;
pub(crate) const TIMESTAMP_LO: u32 = 0x098;
pub(crate) const TIMESTAMP_HI: u32 = 0x09c;
pub(crate) const THREAD_MAX_THREADS: u32 = 0x0a0;
pub(crate) const THREAD_MAX_WORKGROUP_SIZE: u32 = 0x0a4;
pub(crate) const THREAD_MAX_BARRIER_SIZE: u32 = 0x0a8;
pub(crate) const THREAD_FEATURES: u32 = 0x0ac;
/// Four words.
pub(crate) const TEXTURE_FEATURES: u32 = 0x0b0;
/// Sixteen words.
pub(crate) const JS_FEATURES: u32 = 0x0c0;
pub(crate) const COHERENCY_FEATURES: u32 = 0x300;
pub(crate) const COHERENCY_ENABLE: u32 = 0x304;
pub(crate) const THREAD_TLS_ALLOC: u32 = 0x310;
pub(crate) const JM_CONFIG: u32 = 0xf00;
pub(crate) const SHADER_CONFIG: u32 = 0xf04;
pub(crate) const TILER_CONFIG: u32 = 0xf08;
pub(crate) const L2_MMU_CONFIG: u32 = 0xf0c;

// Power bitmaps: low word, high word at +4. Each kind repeats for shader, tiler, L2 at a pitch
// of 0x10; the core stack has its own group at 0xe00.
pub(crate) const SHADER_PRESENT: u32 = 0x100;
pub(crate) const TILER_PRESENT: u32 = 0x110;
pub(crate) const L2_PRESENT: u32 = 0x120;
pub(crate) const STACK_PRESENT: u32 = 0xe00;
pub(crate) const SHADER_READY: u32 = 0x140;
pub(crate) const TILER_READY: u32 = 0x150;
pub(crate) const L2_READY: u32 = 0x160;
pub(crate) const STACK_READY: u32 = 0xe10;
pub(crate) const SHADER_PWRON: u32 = 0x180;
pub(crate) const TILER_PWRON: u32 = 0x190;
pub(crate) const L2_PWRON: u32 = 0x1a0;
pub(crate) const STACK_PWRON: u32 = 0xe20;
pub(crate) const SHADER_PWROFF: u32 = 0x1c0;
pub(crate) const TILER_PWROFF: u32 = 0x1d0;
pub(crate) const L2_PWROFF: u32 = 0x1e0;
pub(crate) const STACK_PWROFF: u32 = 0xe30;
pub(crate) const SHADER_PWRTRANS: u32 = 0x200;
pub(crate) const TILER_PWRTRANS: u32 = 0x210;
pub(crate) const L2_PWRTRANS: u32 = 0x220;
pub(crate) const STACK_PWRTRANS: u32 = 0xe40;
pub(crate) const SHADER_PWRACTIVE: u32 = 0x240;
pub(crate) const TILER_PWRACTIVE: u32 = 0x250;
pub(crate) const L2_PWRACTIVE: u32 = 0x260;

pub(crate) const IRQ_FAULT: u32 = 1 << 0;
pub(crate) const IRQ_MULTIPLE_FAULT: u32 = 1 << 7;
pub(crate) const IRQ_RESET_COMPLETED: u32 = 1 << 8;
pub(crate) const IRQ_POWER_CHANGED: u32 = 1 << 9;
pub(crate) const IRQ_POWER_CHANGED_ALL: u32 = 1 << 10;
pub(crate) const IRQ_PERFCNT_SAMPLE_COMPLETED: u32 = 1 << 16;
pub(crate) const IRQ_CLEAN_CACHES_COMPLETED: u32 = 1 << 17;
pub(crate) const CMD_NOP: u32 = 0;
pub(crate) const CMD_SOFT_RESET: u32 = 1;
pub(crate) const CMD_HARD_RESET: u32 = 2;
pub(crate) const CMD_PERFCNT_CLEAR: u32 = 3;
pub(crate) const CMD_PERFCNT_SAMPLE: u32 = 4;
pub(crate) const CMD_CYCLE_COUNT_START: u32 = 5;
pub(crate) const CMD_CYCLE_COUNT_STOP: u32 = 6;
pub(crate) const CMD_CLEAN_CACHES: u32 = 7;
pub(crate) const CMD_CLEAN_INV_CACHES: u32 = 8;

pub(crate) const STATUS_GPU_ACTIVE: u32 = 1 << 0;
pub(crate) const STATUS_PERFCNT_ACTIVE: u32 = 1 << 2;
pub(crate) const STATUS_CYCLE_COUNT_ACTIVE: u32 = 1 << 6;

/// Key: the power override registers accept one write after it.
pub(crate) const PWR_KEY_UNLOCK: u32 = 0x2968_a819;
