// SPDX-License-Identifier: BSD-2-Clause
//! The streams on bare models, without a driver.

use driver_tests::etnaviv::stream::{Engine, Template};
use driver_tests::etnaviv::{check_manners, Submit};
use models::vivante::Variant;
use models::{Bus, BusError, Vivante};

const BASE: u64 = 0x1000_0000;
const PATTERN: u32 = 0x1234_5678;

/// A little memory, words from [`BASE`] on.
struct Ram(Vec<u8>);

impl Bus for Ram {
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> Result<(), BusError> {
        let at = (pa.checked_sub(BASE).ok_or(BusError)?) as usize;
        buf.copy_from_slice(self.0.get(at..at + buf.len()).ok_or(BusError)?);
        Ok(())
    }
    fn write(&mut self, pa: u64, buf: &[u8]) -> Result<(), BusError> {
        let at = (pa.checked_sub(BASE).ok_or(BusError)?) as usize;
        let to = self.0.get_mut(at..at + buf.len()).ok_or(BusError)?;
        to.copy_from_slice(buf);
        Ok(())
    }
    fn irq(&mut self, _: usize, _: bool) {}
}

impl Ram {
    fn put(&mut self, at: usize, words: &[u32]) {
        for (n, word) in words.iter().enumerate() {
            self.0[at + n * 4..][..4].copy_from_slice(&word.to_le_bytes());
        }
    }
    fn get(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }
}

/// Runs a stream on a model whose MMU is off: memory, in which buffers 0 and 1 are at 0x1000 and
/// 0x2000.
fn bare(variant: Variant, template: &Template) -> Ram {
    let mut ram = Ram(vec![0x5a; 0x4000]);
    ram.put(0x2000, &(0..1024).collect::<Vec<_>>());
    let mut words = template.at(&[BASE as u32 + 0x1000, BASE as u32 + 0x2000]);
    words.extend([0x1000_0000, 0]);
    ram.put(0, &words);
    let mut gpu = Vivante::new(variant);
    if variant == Variant::Gc7000L {
        // Non-secure access.
        gpu.mmio_write(&mut ram, 0, 0x3a8, 2);
    }
    gpu.mmio_write(&mut ram, 0, 0x654, BASE as u32);
    let start = (1 << 16) | (words.len() as u32 / 2);
    gpu.mmio_write(&mut ram, 0, 0x658, start);
    if variant == Variant::Gc7000L {
        gpu.mmio_write(&mut ram, 0, 0x3a4, start);
    }
    while let Some(at) = gpu.next_event().filter(|at| *at < 1_000_000) {
        gpu.poll(&mut ram, at);
    }
    check_manners(gpu.stats());
    assert_eq!((gpu.stats().bus_errors, gpu.stats().ends()), (0, 1));
    ram
}

#[test]
fn each_engine_fills_what_it_says_and_no_more() {
    for (variant, engine) in [
        (Variant::Gc7000L, Engine::Blt),
        (Variant::Gc3000, Engine::Rs),
        (Variant::Gc2000, Engine::Rs),
        (Variant::Gc320, Engine::De),
    ] {
        let ram = bare(variant, &Template::fill(engine, PATTERN));
        for n in 0..1024 {
            let expected = if n < engine.words() {
                PATTERN
            } else {
                0x5a5a_5a5a
            };
            assert_eq!(ram.get(0x1000 + n * 4), expected, "{variant:?} {n}");
        }
    }
}

#[test]
fn rs_copies_buffer_1_to_buffer_0() {
    let ram = bare(Variant::Gc2000, &Template::rs_copy());
    let words = Engine::Rs.words();
    assert!((0..words).all(|n| ram.get(0x1000 + n * 4) == n as u32));
    assert_eq!(ram.get(0x1000 + words * 4), 0x5a5a_5a5a);
}

#[test]
fn relocations_are_in_the_order_of_the_stream() {
    let template = Template::rs_copy();
    let submit = Submit::relocated(&template, &[]);
    let order: Vec<u32> = submit.relocs.iter().map(|r| r.submit_offset).collect();
    assert!(order.is_sorted() && order.len() == 4);
    for reloc in &submit.relocs {
        assert_eq!(submit.stream[reloc.submit_offset as usize / 4], 0);
    }
    assert_eq!(
        submit.flags & 8,
        0,
        "softpin and relocations exclude each other"
    );
    let on = submit.on(1, 1);
    assert_eq!((on.pipe, on.exec_state, on.stream), (1, 1, template.words));
}
