// SPDX-License-Identifier: BSD-2-Clause
//! Byte addresses of registers and states, and their fields.
//!
//! HW: Mesa 22.3 src/gallium/drivers/etnaviv/hw/*.xml.h (MIT, generated from rnndb of
//! etnaviv/etna_viv): state.xml.h, state_3d.xml.h, state_blt.xml.h; state_hi.xml.h of the same
//! rnndb for HI, PM, MMUv2 and MC; libdrm tests/etnaviv/state_2d.xml.h for DE.

/// Host interface, power management.
pub(crate) mod hi {
    pub(crate) const CLOCK_CONTROL: u32 = 0x000;
    pub(crate) const FSCALE_SHIFT: u32 = 2;
    pub(crate) const FSCALE_MASK: u32 = 0x1fc;
    pub(crate) const FSCALE_CMD_LOAD: u32 = 1 << 9;
    pub(crate) const DISABLE_DEBUG_REGISTERS: u32 = 1 << 11;
    pub(crate) const SOFT_RESET: u32 = 1 << 12;
    pub(crate) const IDLE_3D: u32 = 1 << 16;
    pub(crate) const IDLE_2D: u32 = 1 << 17;
    pub(crate) const IDLE_VG: u32 = 1 << 18;
    pub(crate) const ISOLATE_GPU: u32 = 1 << 19;
    pub(crate) const DEBUG_PIXEL_PIPE_SHIFT: u32 = 20;

    pub(crate) const IDLE_STATE: u32 = 0x004;
    pub(crate) const IDLE_FE: u32 = 1;
    pub(crate) const IDLE_DE: u32 = 1 << 1;
    pub(crate) const IDLE_PE: u32 = 1 << 2;
    pub(crate) const IDLE_SH: u32 = 1 << 3;
    pub(crate) const IDLE_PA: u32 = 1 << 4;
    pub(crate) const IDLE_SE: u32 = 1 << 5;
    pub(crate) const IDLE_RA: u32 = 1 << 6;
    pub(crate) const IDLE_TX: u32 = 1 << 7;
    pub(crate) const IDLE_TS: u32 = 1 << 11;
    pub(crate) const IDLE_BL: u32 = 1 << 12;
    pub(crate) const IDLE_MC: u32 = 1 << 14;
    /// All modules are idle; bit 31 (AXI_LP) means low power, not idle.
    pub(crate) const IDLE_ALL: u32 = 0x7fff_ffff;

    pub(crate) const AXI_CONFIG: u32 = 0x008;
    pub(crate) const AXI_STATUS: u32 = 0x00c;
    pub(crate) const AXI_DET_WR_ERR: u32 = 1 << 8;
    pub(crate) const AXI_DET_RD_ERR: u32 = 1 << 9;
    pub(crate) const INTR_ACKNOWLEDGE: u32 = 0x010;
    pub(crate) const INTR_MMU_EXCEPTION: u32 = 1 << 30;
    pub(crate) const INTR_AXI_BUS_ERROR: u32 = 1 << 31;
    pub(crate) const INTR_ENBL: u32 = 0x014;
    pub(crate) const CHIP_IDENTITY: u32 = 0x018;
    pub(crate) const CHIP_FEATURE: u32 = 0x01c;
    pub(crate) const CHIP_MODEL: u32 = 0x020;
    pub(crate) const CHIP_REV: u32 = 0x024;
    pub(crate) const CHIP_DATE: u32 = 0x028;
    pub(crate) const CHIP_TIME: u32 = 0x02c;
    pub(crate) const CHIP_CUSTOMER_ID: u32 = 0x030;
    /// Minor feature words 0 to 5.
    pub(crate) const CHIP_MINOR_FEATURE: [u32; 6] = [0x034, 0x074, 0x084, 0x088, 0x094, 0x0a0];
    pub(crate) const CACHE_CONTROL: u32 = 0x038;
    pub(crate) const MEMORY_COUNTER_RESET: u32 = 0x03c;
    pub(crate) const PROFILE_READ_BYTES8: u32 = 0x040;
    pub(crate) const PROFILE_WRITE_BYTES8: u32 = 0x044;
    pub(crate) const CHIP_SPECS: [u32; 4] = [0x048, 0x080, 0x08c, 0x09c];
    pub(crate) const GP_OUT0: u32 = 0x064;
    pub(crate) const GP_OUT2: u32 = 0x06c;
    pub(crate) const AXI_CONTROL: u32 = 0x070;
    pub(crate) const PROFILE_TOTAL_CYCLES: u32 = 0x078;
    pub(crate) const PROFILE_IDLE_CYCLES: u32 = 0x07c;
    pub(crate) const COMPRESSION_FLAGS: u32 = 0x090;
    pub(crate) const CHIP_PRODUCT_ID: u32 = 0x0a8;
    pub(crate) const BLT_INTR: u32 = 0x0d4;
    pub(crate) const CHIP_ECO_ID: u32 = 0x0e8;
    pub(crate) const AUXBIT: u32 = 0x0ec;
    pub(crate) const PM_POWER_CONTROLS: u32 = 0x100;
    pub(crate) const PM_MODULE_CONTROLS: u32 = 0x104;
    pub(crate) const PM_MODULE_STATUS: u32 = 0x108;
    pub(crate) const PM_PULSE_EATER: u32 = 0x10c;
}

/// MMUv2, secure and non-secure bank.
pub(crate) mod mmu {
    pub(crate) const SAFE_ADDRESS: u32 = 0x180;
    pub(crate) const CONFIGURATION: u32 = 0x184;
    pub(crate) const CONFIGURATION_MODE1_K: u32 = 1;
    pub(crate) const CONFIGURATION_MODE_MASK: u32 = 1 << 3;
    pub(crate) const CONFIGURATION_FLUSH: u32 = 1 << 4;
    pub(crate) const CONFIGURATION_FLUSH_MASK: u32 = 1 << 7;
    pub(crate) const CONFIGURATION_ADDRESS_MASK: u32 = 1 << 8;
    pub(crate) const CONFIGURATION_ADDRESS: u32 = 0xffff_fc00;
    pub(crate) const STATUS: u32 = 0x188;
    pub(crate) const CONTROL: u32 = 0x18c;
    pub(crate) const EXCEPTION_ADDR: u32 = 0x190;
    pub(crate) const PTA_CONFIG: u32 = 0x1ac;
    pub(crate) const AXI_POLICY: u32 = 0x1c0;
    pub(crate) const SEC_EXCEPTION_ADDR: u32 = 0x380;
    pub(crate) const SEC_STATUS: u32 = 0x384;
    pub(crate) const SEC_CONTROL: u32 = 0x388;
    pub(crate) const PTA_ADDRESS_LOW: u32 = 0x38c;
    pub(crate) const PTA_ADDRESS_HIGH: u32 = 0x390;
    pub(crate) const PTA_CONTROL: u32 = 0x394;
    pub(crate) const NONSEC_SAFE_ADDR_LOW: u32 = 0x398;
    pub(crate) const SEC_SAFE_ADDR_LOW: u32 = 0x39c;
    pub(crate) const SAFE_ADDRESS_CONFIG: u32 = 0x3a0;
    pub(crate) const SEC_COMMAND_CONTROL: u32 = 0x3a4;
    pub(crate) const AHB_CONTROL: u32 = 0x3a8;
    pub(crate) const AHB_RESET: u32 = 1;
    pub(crate) const AHB_NONSEC_ACCESS: u32 = 1 << 1;
    /// Bit 0 of CONTROL, SEC_CONTROL and PTA_CONTROL.
    pub(crate) const ENABLE: u32 = 1;
}

/// Memory controller: MMUv1, profile counters.
pub(crate) mod mc {
    /// Page tables of FE, TX, PE, PEZ, RA, in this order.
    pub(crate) const MMU_PAGE_TABLE: u32 = 0x400;
    pub(crate) const DEBUG_MEMORY: u32 = 0x414;
    /// Window bases of RA, FE, TX, PEZ, PE, in this order.
    pub(crate) const MEMORY_BASE: u32 = 0x418;
    pub(crate) const MEMORY_TIMING_CONTROL: u32 = 0x42c;
    pub(crate) const MEMORY_FLUSH: u32 = 0x430;
    pub(crate) const PROFILE_CYCLE_COUNTER: u32 = 0x438;
    pub(crate) const DEBUG_READ0: u32 = 0x43c;
    pub(crate) const DEBUG_WRITE: u32 = 0x444;
    /// RA, TX, FE, PE, DE, SH, PA, SE, MC, HI, in this order.
    pub(crate) const PROFILE_READ: u32 = 0x448;
    pub(crate) const PROFILE_READ_LAST: u32 = 0x46c;
    pub(crate) const PROFILE_CONFIG0: u32 = 0x470;
    pub(crate) const PROFILE_CONFIG3: u32 = 0x47c;
    pub(crate) const BUS_CONFIG: u32 = 0x480;
    pub(crate) const START_COMPOSITION: u32 = 0x554;
    pub(crate) const L2_CACHE_CONFIG: u32 = 0x55c;
    pub(crate) const PROFILE_L2_READ: u32 = 0x564;
}

/// Front end and vertex fetch.
pub(crate) mod fe {
    pub(crate) const VERTEX_ELEMENT_CONFIG: u32 = 0x600;
    pub(crate) const INDEX_STREAM_BASE_ADDR: u32 = 0x644;
    pub(crate) const INDEX_STREAM_CONTROL: u32 = 0x648;
    pub(crate) const VERTEX_STREAM_BASE_ADDR: u32 = 0x64c;
    pub(crate) const VERTEX_STREAM_CONTROL: u32 = 0x650;
    pub(crate) const COMMAND_ADDRESS: u32 = 0x654;
    pub(crate) const COMMAND_CONTROL: u32 = 0x658;
    /// The bit has the same meaning in SEC_COMMAND_CONTROL.
    pub(crate) const COMMAND_ENABLE: u32 = 1 << 16;
    pub(crate) const DMA_STATUS: u32 = 0x65c;
    pub(crate) const DMA_DEBUG_STATE: u32 = 0x660;
    pub(crate) const DMA_ADDRESS: u32 = 0x664;
    pub(crate) const DMA_LOW: u32 = 0x668;
    pub(crate) const DMA_HIGH: u32 = 0x66c;
    pub(crate) const AUTO_FLUSH: u32 = 0x670;
    pub(crate) const VERTEX_STREAMS_BASE_ADDR: u32 = 0x680;
    pub(crate) const VERTEX_STREAMS_CONTROL: u32 = 0x6a0;
    pub(crate) const FENCE_WAIT_DATA_LOW: u32 = 0x7e8;
    pub(crate) const NFE_VERTEX_STREAMS_BASE_ADDR: u32 = 0x14600;
    pub(crate) const NFE_VERTEX_STREAMS_CONTROL: u32 = 0x14640;
    pub(crate) const NFE_VERTEX_STREAMS_VERTEX_DIVISOR: u32 = 0x14680;
    pub(crate) const NFE_GENERIC_ATTRIB_CONFIG0: u32 = 0x17800;

    // DMA_DEBUG_STATE.CMD_STATE
    pub(crate) const CMD_IDLE: u32 = 0x00;
    pub(crate) const CMD_DEC: u32 = 0x01;
    pub(crate) const CMD_LOAD0: u32 = 0x03;
    pub(crate) const CMD_DRAW: u32 = 0x0c;
    pub(crate) const CMD_2DRECT0: u32 = 0x0d;
    pub(crate) const CMD_WAIT: u32 = 0x12;
    pub(crate) const CMD_LINK: u32 = 0x13;
    pub(crate) const CMD_END: u32 = 0x14;
    pub(crate) const CMD_STALL: u32 = 0x15;
    pub(crate) const CMD_DMA_REQ: u32 = 0x200;
    pub(crate) const CMD_FETCH_VALID: u32 = 0x800;
}

/// Global states.
pub(crate) mod gl {
    pub(crate) const PIPE_SELECT: u32 = 0x3800;
    pub(crate) const EVENT: u32 = 0x3804;
    pub(crate) const EVENT_FROM_FE: u32 = 1 << 5;
    pub(crate) const EVENT_FROM_PE: u32 = 1 << 6;
    pub(crate) const EVENT_FROM_BLT: u32 = 1 << 7;
    pub(crate) const SEMAPHORE_TOKEN: u32 = 0x3808;
    pub(crate) const FLUSH_CACHE: u32 = 0x380c;
    pub(crate) const FLUSH_MMU: u32 = 0x3810;
    pub(crate) const OCCLUSION_QUERY_ADDR: u32 = 0x3824;
    pub(crate) const OCCLUSION_QUERY_CONTROL: u32 = 0x3830;
    pub(crate) const FENCE_OUT_ADDRESS: u32 = 0x3868;
    pub(crate) const FENCE_OUT_DATA_LOW: u32 = 0x386c;
    pub(crate) const STALL_TOKEN: u32 = 0x3c00;

    // Sync recipients.
    pub(crate) const FE: u32 = 1;
    pub(crate) const RA: u32 = 5;
    pub(crate) const PE: u32 = 7;
    pub(crate) const DE: u32 = 11;
    pub(crate) const BLT: u32 = 16;
}

/// Shaders, pixel engine, tile status, textures: states that hold addresses of a draw.
pub(crate) mod d3 {
    pub(crate) const VS_INPUT_COUNT: u32 = 0x808;
    pub(crate) const VS_RANGE: u32 = 0x85c;
    pub(crate) const VS_ICACHE_CONTROL: u32 = 0x868;
    pub(crate) const VS_INST_ADDR: u32 = 0x86c;
    pub(crate) const VS_NEWRANGE_LOW: u32 = 0x874;
    pub(crate) const VS_NEWRANGE_HIGH: u32 = 0x8bc;
    pub(crate) const PS_NEWRANGE_LOW: u32 = 0x87c;
    pub(crate) const PS_NEWRANGE_HIGH: u32 = 0x1090;
    pub(crate) const PS_RANGE: u32 = 0x101c;
    pub(crate) const PS_INST_ADDR: u32 = 0x1028;
    pub(crate) const SE_SCISSOR_RIGHT: u32 = 0xc08;
    pub(crate) const SE_SCISSOR_BOTTOM: u32 = 0xc0c;
    pub(crate) const PE_DEPTH_CONFIG: u32 = 0x1400;
    pub(crate) const PE_DEPTH_WRITE_ENABLE: u32 = 1 << 12;
    pub(crate) const PE_DEPTH_ADDR: u32 = 0x1410;
    pub(crate) const PE_COLOR_FORMAT: u32 = 0x142c;
    pub(crate) const PE_COLOR_ADDR: u32 = 0x1430;
    pub(crate) const PE_COLOR_STRIDE: u32 = 0x1434;
    pub(crate) const PE_HDEPTH_CONTROL: u32 = 0x1454;
    pub(crate) const PE_HDEPTH_ADDR: u32 = 0x1458;
    pub(crate) const PE_PIPE_COLOR_ADDR: u32 = 0x1460;
    pub(crate) const PE_PIPE_DEPTH_ADDR: u32 = 0x1480;
    pub(crate) const TS_FLUSH_CACHE: u32 = 0x1650;
    pub(crate) const TS_MEM_CONFIG: u32 = 0x1654;
    pub(crate) const TS_DEPTH_FAST_CLEAR: u32 = 1;
    pub(crate) const TS_COLOR_FAST_CLEAR: u32 = 2;
    pub(crate) const TS_COLOR_STATUS_BASE: u32 = 0x1658;
    pub(crate) const TS_COLOR_SURFACE_BASE: u32 = 0x165c;
    pub(crate) const TS_COLOR_CLEAR_VALUE: u32 = 0x1660;
    pub(crate) const TS_DEPTH_STATUS_BASE: u32 = 0x1664;
    pub(crate) const TS_COLOR_CLEAR_VALUE_EXT: u32 = 0x16bc;
    pub(crate) const TS_SAMPLER_CONFIG: u32 = 0x1720;
    pub(crate) const TS_SAMPLER_ENABLE: u32 = 1;
    pub(crate) const TS_SAMPLER_STATUS_BASE: u32 = 0x1740;
    pub(crate) const TE_SAMPLER_CONFIG0: u32 = 0x2000;
    pub(crate) const TE_SAMPLER_LOD_ADDR: u32 = 0x2400;
    pub(crate) const NTE_SAMPLER_CONFIG0: u32 = 0x10000;
    /// A row of 16 levels for each sampler.
    pub(crate) const NTE_SAMPLER_ADDR: u32 = 0x10800;
    pub(crate) const NTE_DESCRIPTOR_ADDR: u32 = 0x15c00;
}

/// Resolve engine.
pub(crate) mod rs {
    pub(crate) const KICKER: u32 = 0x1600;
    pub(crate) const KICKER_VALUE: u32 = 0xbeeb_beeb;
    pub(crate) const CONFIG: u32 = 0x1604;
    pub(crate) const SOURCE_ADDR: u32 = 0x1608;
    pub(crate) const SOURCE_STRIDE: u32 = 0x160c;
    pub(crate) const DEST_ADDR: u32 = 0x1610;
    pub(crate) const DEST_STRIDE: u32 = 0x1614;
    pub(crate) const WINDOW_SIZE: u32 = 0x1620;
    pub(crate) const CLEAR_CONTROL: u32 = 0x163c;
    pub(crate) const FILL_VALUE: u32 = 0x1640;
    pub(crate) const KICKER_INPLACE: u32 = 0x16b0;
    pub(crate) const PIPE_SOURCE_ADDR: u32 = 0x16c0;
    pub(crate) const PIPE_DEST_ADDR: u32 = 0x16e0;
    pub(crate) const PIPE_OFFSET: u32 = 0x1700;
}

/// Blit engine.
pub(crate) mod blt {
    pub(crate) const SRC_ADDR: u32 = 0x14000;
    pub(crate) const SRC_STRIDE: u32 = 0x14008;
    pub(crate) const SRC_CONFIG: u32 = 0x1400c;
    pub(crate) const SRC_TS: u32 = 0x14010;
    pub(crate) const SRC_POS: u32 = 0x14014;
    pub(crate) const DEST_ADDR: u32 = 0x14018;
    pub(crate) const DEST_TS: u32 = 0x14020;
    pub(crate) const DEST_STRIDE: u32 = 0x14024;
    pub(crate) const DEST_CONFIG: u32 = 0x14028;
    pub(crate) const DEST_POS: u32 = 0x1402c;
    pub(crate) const IMAGE_SIZE: u32 = 0x14030;
    pub(crate) const SRC_TS_CLEAR_VALUE0: u32 = 0x14034;
    pub(crate) const DEST_TS_CLEAR_VALUE0: u32 = 0x1403c;
    pub(crate) const CLEAR_COLOR0: u32 = 0x14044;
    pub(crate) const CLEAR_BITS0: u32 = 0x1404c;
    pub(crate) const BUFFER_SIZE: u32 = 0x14054;
    pub(crate) const COMMAND: u32 = 0x14060;
    pub(crate) const CONFIG: u32 = 0x14064;
    pub(crate) const INPLACE_TILE_COUNT: u32 = 0x14068;
    pub(crate) const FENCE_OUT_ADDRESS: u32 = 0x140a4;
    pub(crate) const FENCE_OUT_DATA_LOW: u32 = 0x140a8;
    pub(crate) const SET_COMMAND: u32 = 0x140ac;
    pub(crate) const ENABLE: u32 = 0x140b8;
    pub(crate) const SWIZZLE: u32 = 0x140bc;
    pub(crate) const MIPMAP_CONFIG: u32 = 0x140b0;
    pub(crate) const MIP_ADDR: u32 = 0x140c0;
    pub(crate) const MIP_STRIDE: u32 = 0x14300;
}

/// 2D drawing engine.
pub(crate) mod de {
    pub(crate) const SRC_ADDRESS: u32 = 0x1200;
    pub(crate) const SRC_STRIDE: u32 = 0x1204;
    pub(crate) const DEST_ADDRESS: u32 = 0x1228;
    pub(crate) const DEST_STRIDE: u32 = 0x122c;
    pub(crate) const DEST_ROTATION_CONFIG: u32 = 0x1230;
    pub(crate) const DEST_CONFIG: u32 = 0x1234;
    pub(crate) const CLIP_TOP_LEFT: u32 = 0x1260;
    pub(crate) const CLIP_BOTTOM_RIGHT: u32 = 0x1264;
    pub(crate) const CLEAR_PIXEL_VALUE32: u32 = 0x12c0;
}
