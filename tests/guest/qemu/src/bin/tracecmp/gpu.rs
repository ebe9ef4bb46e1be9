// SPDX-License-Identifier: BSD-2-Clause
//! How a trace is divided into phases and normalised, for each GPU.
//!
//! HW: registers as in facts of Mali (panfrost.md 2.1, 3) and Vivante (etnaviv.md 2) that the
//! models give their sources for.

/// One access: `r` or `w`, offset and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) write: bool,
    pub(crate) offset: u32,
    pub(crate) value: u32,
}

/// The phase in which a driver reads registers for a crash dump. The registers depend on the format
/// of the dump, so the phase is not compared.
pub(crate) const DUMP: &str = "dump";

/// A kind of GPU.
pub(crate) struct Gpu {
    boards: &'static [&'static str],
    /// The phase that an access begins in the current phase, if any.
    pub(crate) begins: fn(&str, Access) -> Option<&'static str>,
    /// The bits of a register's value that are compared: those that are the same in each run.
    pub(crate) mask: fn(Access) -> u32,
}

impl Gpu {
    pub(crate) fn of(board: &str) -> Option<&'static Gpu> {
        [&MALI, &VIVANTE]
            .into_iter()
            .find(|gpu| gpu.boards.contains(&board))
    }
}

const MALI: Gpu = Gpu {
    boards: &["rk3399", "mali-t720", "mali-t760", "mali-g31", "mali-g52"],
    begins: |phase, access| {
        Some(match (access.write, access.offset, access.value) {
            // GPU_IRQ_MASK = 0 begins a reset, whose command follows; it is also written at
            // suspend.
            (true, 0x028, 0) => "reset",
            (false, 0x004, _) => "features",
            (true, 0xf04, _) => "power-up",
            (true, 0x1c0, _) => "power-down",
            // LOCKADDR: a region is flushed. TRANSTAB: a table is set or removed.
            (true, 0x2410..=0x25ff, _) if access.offset & 0x3f == 0x10 => "flush",
            (true, 0x2400..=0x25ff, _) if access.offset & 0x3f == 0 => "table",
            // COMMAND_NEXT: whether the slot takes a job.
            (false, 0x1860 | 0x18e0, _) => "slot",
            (true, 0x1840 | 0x18c0 | 0x1940, _) => "submit",
            // A stop of one chain (by its flag). A stop of all slots begins with the first slot.
            (true, 0x1820 | 0x18a0 | 0x1920, 4..=7) => "stop-chain",
            (true, 0x1820, 2 | 3) => "stop-all",
            // The job block is masked, other than by a handler: before a reset or before power is
            // turned off.
            (true, 0x1008, 0) if !phase.starts_with("irq") => "mask",
            (true, 0x068, _) => "counters-off",
            _ => return None,
        })
    },
    mask: |access| match access.offset {
        // Job chain addresses depend on the client.
        0x1840 | 0x1844 | 0x18c0 | 0x18c4 => 0,
        // CONFIG_NEXT without the chain flag, which depends on the number of the job.
        0x1858 | 0x18d8 => !0x800,
        // FAULTADDRESS depends on which access faults first.
        0x2400..=0x25ff if matches!(access.offset & 0x3f, 0x20 | 0x24) => 0,
        // TRANSTAB: the low bits are the mode. LOCKADDR: the region.
        0x2400..=0x25ff if access.offset & 0x3f == 0 => 0xfff,
        0x2400..=0x25ff if matches!(access.offset & 0x3f, 0x4 | 0x10 | 0x14) => 0,
        // The state of a slot at the time of the read.
        0x1010 if !access.write => 0,
        _ => u32::MAX,
    },
};

const VIVANTE: Gpu = Gpu {
    boards: &["imx8mq", "imx6q", "imx6qp"],
    begins: |phase, access| {
        Some(match (access.write, access.offset, access.value) {
            // The clock; in newer drivers the pulse eater precedes it.
            (true, 0x000, 0x300) | (true, 0x10c, 0x015b_0880) if phase != "reset" => "reset",
            _ if phase == DUMP => return None,
            // The front end's address.
            (false, 0x664, _) => "hang-check",
            (false, 0x000 | 0x00c, _) if matches!(phase, "hang-check" | "mmu-fault") => DUMP,
            (false, 0x018, _) => "features",
            (false, 0x100, _) if phase != "set-up" => "set-up",
            // MMUv2's first table register, MMUv1's first base address.
            (true, 0x38c | 0x418, _) => "mmu",
            // The MMU's exception status.
            (false, 0x188 | 0x384, _) if phase != DUMP => "mmu-fault",
            // A check that all units are idle, other than at a reset or start: before the clock is
            // turned off.
            (false, 0x004, _) if !matches!(phase, "reset" | "mmu" | "front-end") => "idle",
            (true, 0x654, _) => "front-end",
            _ => return None,
        })
    },
    mask: |access| match access.offset {
        // Table, safe, stream and fault addresses.
        0x190..=0x19c
        | 0x380
        | 0x38c
        | 0x390
        | 0x398
        | 0x39c
        | 0x3a0
        | 0x400..=0x410
        | 0x418..=0x428
        | 0x654 => 0,
        // The events; the idle units and the front end's address at the time of the read.
        0x010 | 0x004 | 0x664 => 0,
        _ => u32::MAX,
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_boards() {
        for (board, begins) in [("rk3399", true), ("imx6q", false)] {
            let access = Access {
                write: true,
                offset: 0x1c0,
                value: 0xf,
            };
            assert_eq!(
                (Gpu::of(board).unwrap().begins)("", access).is_some(),
                begins
            );
        }
        assert!(Gpu::of("vax").is_none());
    }
}
