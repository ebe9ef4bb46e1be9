// SPDX-License-Identifier: BSD-2-Clause
//! Front end programs: commands, prefetch, the idle loop and its replacement, events,
//! semaphores.

use crate::common::*;
use models::vivante::Variant;

mod events;
mod idle_loop;
mod prefetch;

fn count(rig: &Rig, what: &str) -> u64 {
    rig.gpu
        .stats()
        .protocol_errors
        .get(what)
        .copied()
        .unwrap_or(0)
}

#[test]
fn load_state_forms() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let stream = Stream::new()
        .state(0xe00, 1)
        .states(0x17800, &[10, 11, 12])
        // FIXP: 16.16 to float.
        .raw(&[0x0c01_0300, 0x0001_8000])
        .raw(&[0x0c01_0301, 0xffff_0000])
        .event(0, FROM_FE)
        .end();
    rig.exec(stream);
    assert_eq!(rig.gpu.state(0xe00), 1);
    assert_eq!(
        [0x17800, 0x17804, 0x17808].map(|a| rig.gpu.state(a)),
        [10, 11, 12]
    );
    assert_eq!(f32::from_bits(rig.gpu.state(0xc00)), 1.5);
    assert_eq!(f32::from_bits(rig.gpu.state(0xc04)), -1.0);
    assert_eq!(rig.gpu.stats().commands[1], 5);
    assert_eq!(rig.ack(), 1);
    rig.assert_clean();
}

#[test]
fn a_count_of_zero_is_1024() {
    // HW: etnaviv.md 5.
    let mut rig = Rig::ready(Variant::Gc7000L);
    let values: Vec<u32> = (0..1024).collect();
    rig.exec(
        Stream::new()
            .states(0x34000, &values)
            .event(0, FROM_FE)
            .end(),
    );
    assert_eq!(rig.gpu.state(0x34000), 0);
    assert_eq!(rig.gpu.state(0x34000 + 1023 * 4), 1023);
    assert_eq!(rig.ack(), 1);
    rig.assert_clean();
}

#[test]
fn loaded_states_are_recorded() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.exec(
        Stream::new()
            .state(0x3804, 1 | FROM_FE)
            .state(0x654, 0)
            .state(0x14, 0)
            .state(0, 0)
            .end(),
    );
    let stats = rig.gpu.stats();
    assert!(stats.touched(0x3804) && stats.touched(0x654) && stats.touched(0));
    assert!(!stats.touched(0x658));
    assert_eq!(
        stats.states_loaded.addresses().collect::<Vec<_>>(),
        [0, 0x14, 0x654, 0x3804]
    );
    // HW: libdrm tests/etnaviv/etnaviv_2d_test.c loads state 0, without effect.
    assert_eq!(stats.blocked_loads, 2, "a stream cannot access host states");
    rig.gpu.clear_states_loaded();
    assert!(!rig.gpu.stats().touched(0x3804));
}

#[test]
fn host_registers_do_not_change_by_stream() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    // Reset, interrupt mask, ring address, secure MMU.
    rig.exec(
        Stream::new()
            .state(0, 1 << 12)
            .state(0x14, 0)
            .state(0x654, 64)
            .state(0x388, 1)
            .end(),
    );
    rig.wait(20_000);
    assert_eq!(rig.rd(0x14), !0);
    assert_ne!(rig.rd(0x654), 64);
    assert_eq!(rig.rd(0x388), 0);
    assert_eq!(rig.gpu.stats().resets, 1);
}

#[test]
fn end_stops_and_the_next_start_continues_after_it() {
    // HW: etnaviv.md 2.7: a sync point continues at DMA_ADDRESS + 2 with prefetch 2.
    let mut rig = Rig::ready(Variant::Gc2000);
    let at = rig.place(
        &Stream::new()
            .event(1, FROM_PE)
            .end()
            .event(2, FROM_PE)
            .end(),
    );
    rig.start(at, 4);
    rig.run(10_000);
    assert_eq!(rig.ack(), 2);
    assert!(rig.is_idle());
    assert_eq!(rig.rd(0x660) & 0x1f, 0x14, "END");
    let next = rig.rd(0x664);
    assert_eq!(u64::from(next), at + 16);
    rig.start(u64::from(next) + 2, 2);
    rig.run(10_000);
    assert_eq!(rig.ack(), 4);
    assert_eq!(rig.gpu.stats().ends(), 2);
    rig.assert_clean();
}

#[test]
fn end_can_raise_an_event() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.exec(Stream::new().raw(&[0x1000_0000 | 1 << 8 | 9]));
    assert_eq!(rig.ack(), 1 << 9);
    rig.assert_clean();
}

#[test]
fn call_and_return() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let sub = rig.place(&Stream::new().event(1, FROM_FE).raw(&[0x5800_0000]));
    let back = rig.place(&Stream::new().event(2, FROM_FE).end());
    rig.exec(Stream::new().raw(&[0x5000_0002, sub as u32, 2, back as u32]));
    assert_eq!(rig.ack(), 6);
    assert!(rig.is_idle());
    assert_eq!(rig.gpu.stats().calls(), 1);
    assert_eq!(rig.gpu.stats().commands[11], 1);
    rig.assert_clean();
    rig.exec(Stream::new().raw(&[0x5800_0000]).end());
    assert!(!rig.is_idle(), "a RETURN without a CALL hangs");
    assert_eq!(count(&rig, "return without a call"), 1);
}

#[test]
fn unknown_opcodes_hang() {
    for opcode in [0_u32, 14, 17, 18, 20, 31] {
        let mut rig = Rig::ready(Variant::Gc2000);
        rig.exec(
            Stream::new()
                .event(1, FROM_FE)
                .raw(&[opcode << 27])
                .event(2, FROM_FE)
                .end(),
        );
        assert_eq!(rig.ack(), 2);
        assert!(!rig.is_idle());
        assert_eq!(rig.gpu.stats().illegal_commands, 1);
        let address = rig.rd(0x664);
        rig.wait(1_000_000);
        assert_eq!(rig.rd(0x664), address, "no progress");
        rig.reset();
        assert!(rig.is_idle());
    }
}

#[test]
fn chip_select_masks_work() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let stream = Stream::new()
        .raw(&[0x6800_0002])
        .state(0xe00, 1)
        .event(1, FROM_FE)
        .raw(&[0x6800_0001])
        .event(2, FROM_FE)
        .raw(&[0x9800_0000])
        .nop()
        .end();
    rig.exec(stream);
    assert_eq!(rig.gpu.state(0xe00), 0);
    assert_eq!(rig.ack(), 4);
    assert_eq!(rig.gpu.stats().commands[19], 1, "SNAP_PAGES is counted");
    rig.assert_clean();
}

#[test]
fn wait_fence_waits_for_memory() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let fence = rig.alloc(1);
    let stream = Stream::new()
        .state(0x7e8, 5)
        .raw(&[0x7800_0000 | 800, fence as u32])
        .event(1, FROM_FE)
        .end();
    let at = rig.place(&stream);
    rig.start(at, stream.len());
    rig.run(100_000);
    assert_eq!(rig.ack(), 0);
    rig.w32(fence, 5);
    rig.run(10_000);
    assert_eq!(rig.ack(), 2);
    // A fence written by PE.
    rig.exec(
        Stream::new()
            .state(0x3868, fence as u32)
            .state(0x386c, 77)
            .end(),
    );
    assert_eq!(rig.r32(fence), 77);
    rig.assert_clean();
}

#[test]
fn draw_indirect_takes_its_arguments_from_memory() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let arguments = rig.alloc(1);
    rig.put(arguments, &[300, 1, 0, 0, 0]);
    rig.exec(
        Stream::new()
            .raw(&[0x8000_0004, arguments as u32])
            .event(1, FROM_PE)
            .end(),
    );
    assert_eq!(rig.ack(), 2);
    assert_eq!(rig.gpu.stats().draws, 1);
    assert_eq!(rig.gpu.stats().commands[16], 1);
    rig.wr(0x470, 9);
    assert_eq!(rig.rd(0x450), 100, "triangles");
}

#[test]
fn draws_of_every_kind_are_understood() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let indices = rig.alloc(1);
    let stream = Stream::new()
        .state(0x644, indices as u32)
        .state(0x648, 1)
        .raw(&[0x3000_0000, 5, 0, 8, 0])
        .raw(&[0x6014_0002, 6, 0, 0])
        .raw(&[0x2800_0000, 1, 0, 4])
        .event(1, FROM_PE)
        .end();
    rig.exec(stream);
    assert_eq!(rig.gpu.stats().draws, 3);
    assert_eq!(rig.gpu.stats().draw_addresses, 2, "the index buffer, twice");
    assert_eq!(rig.ack(), 2);
    rig.assert_clean();
}

#[test]
fn an_occlusion_query_writes_its_result() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let result = rig.alloc(1);
    rig.put(result, &[!0, !0, !0]);
    rig.exec(
        Stream::new()
            .state(0x3824, result as u32)
            .state(0x3830, 0x1df_5e76)
            .end(),
    );
    assert_eq!([0, 4, 8].map(|n| rig.r32(result + n)), [0, 0, !0]);
}
